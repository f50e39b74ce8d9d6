//! What servers of this kind have got wrong, each once by its name.

use serde_json::{Value, json};

use super::world::{World, device, initial, organizer, scorer, viewer};
use crate::{DELTA, WHOLE};

fn successful(raider: &str, defenders: &[&str], bonus: bool) -> String {
    json!({"raidType": "successful", "raiderId": raider, "defenderIds": defenders, "bonusTaken": bonus})
        .to_string()
}

fn defense(raider: &str, defenders: &[&str]) -> String {
    json!({"raidType": "defense", "raiderId": raider, "defenderIds": defenders, "bonusTaken": false})
        .to_string()
}

fn empty(raider: &str) -> String {
    json!({"raidType": "empty", "raiderId": raider, "defenderIds": [], "bonusTaken": false}).to_string()
}

fn raidx() -> World {
    World::of(r#"{"profile":"raidx"}"#)
}

#[test]
fn two_scorers_at_once_lose_no_raid() {
    let (mut world, one, other) = (raidx(), device("sam", 1), device("sue", 2));
    world.does(&one, "raid", r#"{"raiderId":"p1","touchedIds":["q1"],"raidNumber":1,"actionId":"a"}"#);
    // Decided on what it was meant for, or not at all: the answer has how it stands.
    let late = world.ask(&other, "raid", r#"{"raiderId":"p2","touchedIds":["q2"],"raidNumber":1}"#);
    assert_eq!(late, Ok(Vec::new()));
    assert_eq!((&world.reply["error"], &world.reply["raidNumber"]), (&json!("conflict"), &json!(2)));
    assert_eq!(world.reply["data"]["teamA"]["score"], 1);
    // Without a number it is decided on the current state.
    assert!(world.refused(&other, "raid", &successful("p2", &["q2"], false)).contains("team B's raid"));
    world.does(&other, "raid", &empty("q2"));
    assert_eq!(world.state()["raidCount"], 2);
    // One that is to come has been made by nobody.
    for kind in ["raid", "start_raid"] {
        let text = world.refused(&other, kind, r#"{"raiderId":"p2","raidNumber":9}"#);
        assert!(
            text.starts_with("RULE: raidNumber must be 3, which is next") && text.contains("got 9"),
            "{text}"
        );
    }
}

#[test]
fn an_action_that_is_sent_twice_is_done_once() {
    let (mut world, sam) = (raidx(), scorer("sam"));
    let raid = r#"{"raiderId":"p1","touchedIds":["q1"],"raidNumber":1,"actionId":"a-1"}"#;
    world.does(&sam, "raid", raid);
    assert_eq!(world.ask(&sam, "raid", raid), Ok(Vec::new()));
    assert_eq!(world.reply, json!({"number": 4, "duplicate": true, "raidNumber": 2}));
    // Another scorer may have made the same name.
    world.does(&scorer("sue"), "raid", r#"{"raiderId":"q2","actionId":"a-1"}"#);
    assert_eq!(world.state()["raidCount"], 2);
    world.does(&sam, "undo", r#"{"number":5,"actionId":"u-1"}"#);
    world.does(&sam, "undo", r#"{"actionId":"u-1"}"#);
    assert_eq!(world.reply["duplicate"], true);
    assert_eq!(world.state()["raidCount"], 1);
}

#[test]
fn every_scorer_and_viewer_hears_of_every_action() {
    let (mut world, sam) = (raidx(), scorer("sam"));
    for caller in [scorer("sue"), organizer(), viewer()] {
        assert_eq!(world.enters(&caller, ""), Ok(WHOLE.0));
        assert_eq!(world.enters(&caller, r#"{"mode":"delta"}"#), Ok(DELTA.0));
    }
    let records = world.ask(&sam, "raid", &successful("p1", &["q1"], false)).expect("a raid");
    assert!(world.frame(&records[0], WHOLE).is_some() && world.frame(&records[0], DELTA).is_some());
}

#[test]
fn a_frame_that_nobody_knows_is_refused_and_no_state() {
    let mut world = raidx();
    world.does(&scorer("sam"), "raid", &successful("p1", &["q1"], false));
    let before = world.contest().clone();
    for kind in ["ping", "", "enhancedStats", "raid_time", "half_over", "match_stands", "told"] {
        let text = world.refused(&organizer(), kind, r#"{"teamA":{"score":0}}"#);
        assert!(text.starts_with("UnknownType"), "{kind}: {text}");
    }
    for caller in [viewer(), scorer("sam")] {
        let _ = world.ask(&caller, "initial_state", &initial().to_string());
    }
    assert!(before == *world.contest());
}

#[test]
fn points_rosters_and_counters_are_not_taken_from_a_client() {
    for (path, value, says) in [
        ("/teamA/score", json!(5), "teamA.score must be 0"),
        ("/raidNumber", json!(9), "raidNumber must be 1"),
        ("/playerStats/p1/totalPoints", json!(3), "must have no points"),
        ("/firstRaidingTeam", json!("teamB"), "firstRaidingTeam must follow"),
        ("/teamAPlayerIds", json!(["p1"]), "a squad has 7 to 12 players"),
        ("/teamBPlayerIds/1", json!("p1"), "stands twice"),
        ("/teamACaptainId", json!("nobody"), "is not among its players"),
    ] {
        let mut world = World::new();
        let mut state = initial();
        *state.pointer_mut(path).expect("the field is there") = value;
        let text = world.refused(&scorer("sam"), "initial_state", &state.to_string());
        assert!(text.contains(says), "{path}: {text}");
    }
    let (mut world, sam) = (raidx(), scorer("sam"));
    let counters =
        r#"{"raidType":"empty","raiderId":"p1","raidingTeam":"B","emptyRaidCounts":{"teamA":2,"teamB":2}}"#;
    world.does(&sam, "raid", counters);
    assert_eq!(world.state()["emptyRaidCounts"], json!({"teamA": 1, "teamB": 0}));
}

#[test]
fn a_bonus_alone_is_a_successful_raid_and_ends_a_row_of_empty_ones() {
    for bonus in [
        successful("p1", &[], true),
        json!({"raidType": "empty", "raiderId": "p1", "bonusTaken": true}).to_string(),
    ] {
        let (mut world, sam) = (raidx(), scorer("sam"));
        for raid in [empty("p1"), empty("q1"), empty("p1"), empty("q1")] {
            world.does(&sam, "raid", &raid);
        }
        assert_eq!(world.state()["doOrDie"], true);
        world.does(&sam, "raid", &bonus);
        assert_eq!((world.score(), world.state()["emptyRaidCounts"]["teamA"].as_u64()), ((1, 0), Some(0)));
        assert_eq!(world.state()["playerStats"]["p1"]["status"], "in");
    }
}

#[test]
fn a_failed_do_or_die_raid_is_logged_with_its_point() {
    let (mut world, sam) = (raidx(), scorer("sam"));
    for raid in [empty("p1"), empty("q1"), empty("p1"), empty("q1"), empty("p1")] {
        world.does(&sam, "raid", &raid);
    }
    let state = world.state();
    assert_eq!(world.score(), (0, 1));
    let line = &state["raidLog"][4];
    assert_eq!(
        (&line["result"], &line["points"], &line["doOrDie"]),
        (&json!("doOrDieRaid"), &json!(1), &json!(true))
    );
    assert_eq!((&line["outIds"], &state["emptyRaidCounts"]["teamA"]), (&json!(["p1"]), &json!(0)));
}

#[test]
fn a_lobby_touch_is_logged_and_its_point_follows_from_who_it_was() {
    let touch = |is_raider: bool, touched: &str| {
        json!({"touchedPlayerId": touched, "isRaider": is_raider, "scoringTeam": "A", "raiderId": "p1",
            "defenderIds": [], "raidNumber": 1})
        .to_string()
    };
    for (payload, score) in [(touch(true, "p1"), (0, 1)), (touch(false, "q3"), (1, 0))] {
        let (mut world, sam) = (raidx(), scorer("sam"));
        world.does(&sam, "lobby_touch", &payload);
        assert_eq!(world.score(), score);
        let state = world.state();
        assert_eq!((&state["raidLog"][0]["result"], &state["raidNumber"]), (&json!("lobbyTouch"), &json!(2)));
        let conflict = world.ask(&sam, "lobby_touch", &payload);
        assert_eq!((conflict, &world.reply["error"]), (Ok(Vec::new()), &json!("conflict")));
    }
}

#[test]
fn only_the_first_who_tackles_has_the_point() {
    let (mut world, sam) = (raidx(), scorer("sam"));
    world.does(&sam, "raid", &defense("p1", &["q2", "q3"]));
    let stats = &world.state()["playerStats"];
    assert_eq!((&stats["q2"]["defencePoints"], &stats["q3"]["defencePoints"]), (&json!(1), &json!(0)));
}

#[test]
fn a_raid_that_names_nobody_is_refused_with_what_is_missing() {
    let (mut world, sam) = (raidx(), scorer("sam"));
    for (payload, says) in [
        (r#"{"raidType":"successful","raiderId":"p1"}"#, "defenderIds must name"),
        (r#"{"raidType":"defense","raiderId":"p1"}"#, "defenderIds must name"),
        (r#"{"raidType":"empty","raiderId":"p1","defenderIds":["q1"]}"#, "defenderIds must be empty"),
        (
            r#"{"raidType":"golden","raiderId":"p1"}"#,
            "raidType must be successful, defense or empty, got golden",
        ),
        (r#"{"raidType":"empty"}"#, "raiderId is required"),
        (r#"{"raiderId":"p1","touchedIds":"q1"}"#, "touchedIds must be a list"),
        (r#"{"raiderId":"p1","bonus":1}"#, "bonus must be true or false"),
        (r#"{"raiderId":"p1","raiderOut":"tired"}"#, "raiderOut must be one of"),
    ] {
        let text = world.refused(&sam, "raid", payload);
        assert!(text.contains(says), "{payload}: {text}");
    }
}

#[test]
fn a_match_ends_once_and_no_late_raid_opens_it_again() {
    let (mut world, sam) = (raidx(), scorer("sam"));
    world.does(&sam, "raid", &successful("p1", &["q1"], false));
    world.does(&sam, "end_match", "{}");
    let ended = world.contest().clone();
    assert_eq!(world.ask(&sam, "end_match", "{}"), Ok(Vec::new()));
    assert_eq!(world.reply["result"]["winner"], "teamA");
    assert_eq!(world.refused(&sam, "raid", &empty("q1")), "MATCH_OVER: Match ended");
    assert!(ended == *world.contest());
    assert_eq!(world.enters(&viewer(), ""), Ok(WHOLE.0), "what was played can be looked at");
}

#[test]
fn a_scorer_goes_on_at_another_device_and_the_first_is_not_shut_out() {
    let (mut world, phone, tablet) = (raidx(), device("sam", 1), device("sam", 2));
    world.does(&phone, "raid", &empty("p1"));
    // Through a time-out and a half-time nothing is held that could be lost.
    world.wait(45 * 60_000);
    world.does(&tablet, "raid", &empty("q1"));
    world.does(&phone, "raid", &empty("p2"));
    assert_eq!(world.state()["raidCount"], 3);
}

#[test]
fn a_client_can_tell_that_it_has_missed_an_action() {
    let (mut world, sam) = (raidx(), scorer("sam"));
    let mut numbers = Vec::new();
    for raid in [empty("p1"), empty("q1"), empty("p1")] {
        let records = world.ask(&sam, "raid", &raid).expect("a raid");
        let (_, delta) = world.frame(&records[0], DELTA).expect("it is shown");
        numbers.push(delta["number"].as_u64().expect("a number"));
    }
    assert_eq!(numbers, [4, 5, 6]);
    assert_eq!(world.state()["actions"], Value::from(6));
}
