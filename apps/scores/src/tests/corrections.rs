//! The past as it should have been: undo, redo, correct; everything after is played anew, and the audit says who and when.

use serde_json::json;

use super::world::{World, organizer, scorer};
use crate::{DELTA, WHOLE};

/// Four raids; the log begins with two line-ups and the toss.
fn four_raids() -> World {
    let (mut world, sam) = (World::of(r#"{"profile":"raidx"}"#), scorer("sam"));
    for raid in [
        r#"{"raiderId":"p1","touchedIds":["q1","q2"]}"#,
        r#"{"raiderId":"q3","tacklerIds":["p2"]}"#,
        r#"{"raiderId":"p1","touchedIds":["q4"]}"#,
        r#"{"raiderId":"q5","touchedIds":["p3"]}"#,
    ] {
        world.does(&sam, "raid", raid);
    }
    assert_eq!(world.score(), (4, 1));
    world
}

#[test]
fn a_corrected_raid_changes_everything_after_it() {
    let (mut world, sam) = (four_raids(), scorer("sam"));
    // One touch and not two: the second defender was never out.
    let correct =
        r#"{"number":4,"action":{"type":"raid","raiderId":"p1","touchedIds":["q1"]},"reason":"TV umpire"}"#;
    let records = world.ask(&sam, "correct", correct).expect("a correction");
    assert_eq!(world.score(), (3, 1));
    assert_eq!(world.reply, json!({"number": 4, "aside": [], "raidNumber": 5}));
    let state = world.state();
    assert_eq!(state["revival"]["teamB"], json!(["q3", "q4"]), "q1 came back instead of q2");
    assert_eq!(state["raidLog"][0]["points"], 1);
    let (kind, told) = world.frame(&records[0], DELTA).expect("it is shown");
    assert_eq!(
        (&*kind, &told["what"], &told["data"]["teamA"]["score"]),
        ("match_amended", &json!("correct"), &json!(3))
    );
    assert_eq!(told["before"]["touchedIds"], json!(["q1", "q2"]));
    assert_eq!(world.frame(&records[0], WHOLE).expect("it is shown").0, "enhancedStats");
    world.does(&sam, "get_audit", r#"{"from":8}"#);
    let entry = &world.reply["audit"][0];
    assert_eq!((&entry["by"]["id"], &entry["at"]), (&json!("sam"), &json!("2026-01-01T10:00:00.000Z")));
    assert_eq!(entry["reason"], "TV umpire");
}

#[test]
fn a_back_end_stands_in_the_audit_by_its_keys_name() {
    let mut world = four_raids();
    let key = vocabulary::Caller::Api { key: "console".into() };
    world.does(&key, "raid", r#"{"raiderId":"p1","actionId":"1"}"#);
    world.does(&key, "undo", "{}");
    world.does(&key, "raid", r#"{"raiderId":"p1","actionId":"1"}"#);
    assert_eq!(world.reply["duplicate"], true);
    world.does(&key, "get_audit", r#"{"from":8}"#);
    for entry in 0..2 {
        assert_eq!(world.reply["audit"][entry]["by"], json!({"id": "api:console", "name": "console"}));
    }
}

#[test]
fn a_raid_may_be_named_by_its_number_and_in_the_words_of_a_page() {
    let (mut world, sam) = (four_raids(), scorer("sam"));
    let correct = r#"{"raidNumber":4,"action":{"raidType":"defense","raiderId":"q5","defenderIds":["p1"]}}"#;
    world.does(&sam, "correct", correct);
    assert_eq!(world.score(), (5, 0));
    world.does(&sam, "correct", r#"{"raidNumber":2,"action":{"raidType":"empty","raiderId":"q3"}}"#);
    assert_eq!(world.score(), (4, 0));
    assert!(
        world
            .refused(&sam, "correct", r#"{"raidNumber":9,"action":{"raidType":"empty","raiderId":"q3"}}"#)
            .contains("no raid 9")
    );
}

#[test]
fn what_would_break_is_named_and_set_aside_only_if_that_is_wanted() {
    let (mut world, sam) = (four_raids(), scorer("sam"));
    let before = world.contest().clone();
    // Touched in the second raid, p1 could not have made the third.
    let correct = r#"{"number":5,"action":{"type":"raid","raiderId":"q3","touchedIds":["p1"]}}"#;
    let text = world.refused(&sam, "correct", correct);
    assert!(text.starts_with("BREAKS: ") && text.contains("6 (p1 is not on the mat)"), "{text}");
    assert!(before == *world.contest());
    let forced = correct.replacen('{', r#"{"force":true,"#, 1);
    world.does(&sam, "correct", &forced);
    assert_eq!(world.reply["aside"], json!([6, 7]), "and the turn after it is another side's");
    assert_eq!(world.score(), (2, 1));
    world.does(&sam, "get_sheet", r#"{"from":6}"#);
    assert_eq!(world.reply["sheet"][0]["aside"], "p1 is not on the mat");
    // What was set aside can be corrected, and what followed stands again.
    world.does(
        &sam,
        "correct",
        r#"{"number":6,"action":{"type":"raid","raiderId":"p4","touchedIds":["q4"]}}"#,
    );
    assert_eq!(world.score(), (3, 2));
}

#[test]
fn undo_takes_the_last_and_redo_brings_it_back() {
    let (mut world, sam) = (four_raids(), scorer("sam"));
    let before = world.contest().course.clone().expect("a match");
    world.does(&sam, "undo", "{}");
    assert_eq!((world.score(), world.reply["number"].as_u64()), ((4, 0), Some(7)));
    world.does(&sam, "undo", "{}");
    assert_eq!(world.score(), (3, 0));
    world.does(&sam, "redo", "{}");
    world.does(&sam, "redo", "{}");
    let after = world.contest().course.clone().expect("a match");
    assert!(after.game() == before.game() && after.entries == before.entries);
    assert!(world.refused(&sam, "redo", "{}").contains("nothing to redo"));
    world.does(&sam, "redo", r#"{"number":7}"#);
    assert_eq!(world.reply["unchanged"], true);
    let text = world.refused(&sam, "undo", r#"{"number":5}"#);
    assert!(text.contains("BREAKS") && text.contains("team B's raid"), "{text}");
    assert!(world.refused(&sam, "undo", r#"{"number":8}"#).contains("the log has 1 to 7"));
}

#[test]
fn an_undo_takes_what_counts_and_not_what_is_set_aside() {
    let (mut world, sam) = (four_raids(), scorer("sam"));
    let correct = r#"{"number":5,"action":{"type":"raid","raiderId":"q3","touchedIds":["p1"]},"force":true}"#;
    world.does(&sam, "correct", correct);
    assert_eq!(world.reply["aside"], json!([6, 7]));
    world.does(&sam, "undo", "{}");
    assert_eq!(world.reply["number"], 5, "and what it kept from counting counts again");
    assert_eq!(world.state()["raidLog"][1]["number"], 7);
}

#[test]
fn an_undo_takes_no_action_that_came_in_between() {
    let (mut world, sam, sue) = (four_raids(), scorer("sam"), scorer("sue"));
    world.does(&sue, "raid", r#"{"raiderId":"p1"}"#);
    assert_eq!(world.ask(&sam, "undo", r#"{"actions":7}"#), Ok(Vec::new()));
    assert_eq!((&world.reply["error"], &world.reply["data"]["actions"]), (&json!("conflict"), &json!(8)));
    let text = world.refused(&sam, "undo", r#"{"actions":9}"#);
    assert!(text.contains("actions must be 0 to 8, got 9"), "{text}");
    world.does(&sam, "undo", r#"{"actions":7,"number":7,"force":true}"#);
    assert_eq!(world.reply["number"], 7, "whoever names it means it");
    world.does(&sam, "redo", r#"{"number":7,"force":true}"#);
    world.does(&sam, "undo", r#"{"actions":8}"#);
    assert_eq!(world.reply["number"], 8);
    world.does(&sam, "undo", r#"{"actions":7}"#);
    assert_eq!(world.reply["number"], 7, "what does not count came between nobody");
}

#[test]
fn nothing_is_corrected_into_what_the_rules_do_not_allow() {
    let (mut world, sam) = (four_raids(), scorer("sam"));
    for (action, says) in [
        (r#"{"type":"raid","raiderId":"q5","touchedIds":["p2"]}"#, "team A's raid"),
        (r#"{"type":"raid_time"}"#, "must be an action of the sport"),
        (r#"{"type":"end_match"}"#, "nothing is corrected into"),
        (r#"{}"#, "action.type is required"),
        ("7", "must be an object"),
    ] {
        let text = world.refused(&sam, "correct", &format!("{{\"number\":4,\"action\":{action}}}"));
        assert!(text.contains(says), "{action}: {text}");
    }
}

#[test]
fn nobody_takes_back_what_the_clock_has_said() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_half", "{}");
    world.does(&sam, "set_clock", r#"{"remainingMs":200}"#);
    world.wait(200);
    assert_eq!(world.clock(), 1);
    let number = world.state()["actions"].as_u64().expect("a count");
    world.does(&sam, "start_half", "{}");
    for kind in ["undo", "redo", "correct"] {
        let asked = json!({"number": number, "action": {"type": "end_half"}, "force": true}).to_string();
        let text = world.refused(&sam, kind, &asked);
        assert!(text.contains("the clock's own: set_clock takes a half back"), "{kind}: {text}");
    }
    assert_eq!(world.state()["phase"], "second_half");
}

#[test]
fn after_the_end_only_an_organizer_corrects() {
    let (mut world, sam, olga) = (four_raids(), scorer("sam"), organizer());
    let undo = r#"{"number":7,"actionId":"u-1"}"#;
    world.does(&sam, "undo", undo);
    world.does(&sam, "redo", r#"{"number":7}"#);
    world.does(&sam, "end_match", "{}");
    assert_eq!(world.ask(&sam, "undo", undo), Ok(Vec::new()), "what was done before is answered so");
    assert_eq!(world.reply["duplicate"], true);
    world.carry();
    let correct = r#"{"number":4,"action":{"type":"raid","raiderId":"p1","touchedIds":["q1"]}}"#;
    assert!(world.refused(&sam, "correct", correct).contains("only an organizer"));
    world.does(&olga, "correct", correct);
    assert_eq!((world.score(), world.state()["result"]["winner"].as_str()), ((3, 1), Some("teamA")));
    assert_eq!(world.carry(), 1, "the list hears of another score");
    assert!(world.refused(&olga, "undo", r#"{"number":8}"#).contains("end_match is final"));
}

#[test]
fn a_knock_out_match_that_is_level_after_a_correction_is_open_again_if_that_is_wanted() {
    let (mut world, sam) = (World::of(r#"{"profile":"raidx","knockout":true}"#), scorer("sam"));
    world.does(&sam, "raid", r#"{"raiderId":"p1","touchedIds":["q1"]}"#);
    world.does(&sam, "end_match", "{}");
    let correct = r#"{"number":4,"action":{"type":"raid","raiderId":"p1"}}"#;
    assert!(world.refused(&organizer(), "correct", correct).contains("5 (a knock-out match needs a winner"));
    world.does(&organizer(), "correct", &correct.replacen('{', r#"{"force":true,"#, 1));
    assert_eq!(world.state()["phase"], "first_half");
    world.does(&sam, "raid", r#"{"raiderId":"q1","touchedIds":["p1"]}"#);
    world.does(&sam, "end_match", "{}");
    assert_eq!(world.state()["result"]["winner"], "teamB");
}

#[test]
fn a_suspension_whose_card_is_undone_is_none() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_half", "{}");
    world.does(&sam, "card", r#"{"playerId":"p3","card":"yellow"}"#);
    world.wait(120_000);
    assert_eq!(world.clock(), 1);
    world.does(&sam, "undo", r#"{"number":5}"#);
    assert_eq!(world.reply["aside"], json!([]), "the clock's own follow the clock");
    assert_eq!(world.state()["playerStats"]["p3"]["status"], "in");
}

#[test]
fn what_the_clock_said_by_a_wrong_time_is_not_said_by_the_right_one() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_half", "{}");
    world.does(&sam, "set_clock", r#"{"remainingMs":60000}"#);
    world.wait(60_000);
    assert_eq!((world.clock(), world.state()["phase"].clone()), (1, json!("half_time")));
    world.does(&sam, "correct", r#"{"number":5,"action":{"type":"set_clock","remainingMs":600000}}"#);
    assert_eq!((&world.reply["aside"], world.state()["phase"].clone()), (&json!([]), json!("first_half")));
    assert_eq!(world.due(), Some(world.now.wall.0 + 540_000), "and what is left is played");
    // Half a minute that was not played: a raid's time, a time-out's and a suspension's alike.
    world.does(&sam, "card", r#"{"playerId":"p7","card":"yellow"}"#);
    world.does(&sam, "start_raid", "{}");
    world.wait(30_000);
    assert_eq!(world.clock(), 1);
    world.does(&sam, "raid", r#"{"raiderId":"p1"}"#);
    world.wait(90_000);
    assert_eq!((world.clock(), world.state()["playerStats"]["p7"]["status"].clone()), (1, json!("in")));
    world.does(&sam, "correct", r#"{"number":8,"action":{"type":"stop_clock"}}"#);
    let state = world.state();
    assert_eq!(state["playerStats"]["p7"]["status"], "suspended", "30 s later than was said");
    world.does(&sam, "get_sheet", r#"{"from":9}"#);
    assert!(world.reply["sheet"][0]["aside"].as_str().is_some_and(|why| why.contains("by the clock")));
    world.does(&sam, "time_out", "{}");
    world.wait(90_000);
    assert_eq!((world.clock(), world.state()["timeOut"].is_null()), (1, true));
    let number = world.contest().course.as_ref().map_or(0, |course| course.entries.len());
    world.does(&sam, "undo", &json!({"number": number - 1}).to_string());
    world.does(&sam, "get_sheet", &json!({"from": number}).to_string());
    assert!(world.reply["sheet"][0]["aside"].is_string(), "a time-out that was none is not over");
}
