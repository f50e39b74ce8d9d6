//! What is bounded, at its bound: logs, corrections, names, views, lists; and where the parts of the crate end.

use app::App;
use serde_json::json;
use vocabulary::{Caller, Epoch, Payload, Position, RoomId, StepId};

use super::world::{MATCH, World, initial, organizer, scorer, viewer};
use crate::{Kind, WHOLE};

#[test]
fn a_full_log_takes_the_end_and_nothing_else() {
    let (mut world, sam) = (World::of(r#"{"profile":"raidx"}"#), scorer("sam"));
    let raids = [r#"{"raiderId":"p1","bonus":true}"#, r#"{"raiderId":"q1","bonus":true}"#];
    let many = |world: &World| world.contest().course.as_ref().map_or(0, |course| course.entries.len());
    world.does(&sam, "raid", raids[0]);
    // Straight into the fold: every word of a World is held against all that must hold, and these are many.
    let template = world.places[MATCH].log.last().cloned().expect("a raid");
    let place = world.places.get_mut(MATCH).expect("a match");
    for number in 0..1145 {
        let mut record = template.clone();
        record.position.offset += number + 1;
        record.body =
            json!({"action": {"type": "raid", "raiderId": if number % 2 == 0 { "q1" } else { "p1" },
            "bonus": true}})
            .to_string()
            .into();
        let _ = world.app.apply(&mut place.state, &record);
        place.log.push(record);
    }
    assert_eq!(many(&world), 1149);
    world.does(&sam, "raid", raids[0]);
    let text = world.refused(&sam, "raid", raids[1]);
    assert!(text.starts_with("FULL: the log of this match is full (1200 actions"), "{text}");
    world.does(&sam, "end_match", r#"{"reason":"abandoned"}"#);
    assert!(world.app.view(&world.places[MATCH].state, WHOLE).len() <= 64 << 10);
    let state = world.state();
    let shown = state["raidLog"].as_array().map_or(0, Vec::len);
    assert!(shown > 100 && state["raidCount"] == 1147, "{shown} of {}", state["raidCount"]);
    let mut from = json!(1);
    let mut lines = 0;
    while !from.is_null() {
        world.does(&viewer(), "get_sheet", &json!({"from": from}).to_string());
        lines += world.reply["sheet"].as_array().map_or(0, Vec::len);
        from = world.reply["next"].clone();
    }
    assert_eq!(lines, 1151, "in pages all of it");
}

#[test]
fn a_log_that_is_full_by_its_bytes_takes_the_clock_and_the_end() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    world.does(&sam, "start_raid", "{}");
    // Straight into the fold, as above: nobody is called so, and it takes its room all the same.
    let long: Vec<String> = (10..22).map(|number| format!("{}{number}", "\\".repeat(62))).collect();
    let mut record = world.places[MATCH].log.last().cloned().expect("a raid");
    record.body =
        json!({"action": {"type": "raid", "raiderId": long[0], "touchedIds": long}}).to_string().into();
    let taken = |world: &World| {
        let course = world.contest().course.as_ref().expect("a match");
        (course.entries.len(), course.bytes)
    };
    while taken(&world).1 < 720 << 10 {
        let place = world.places.get_mut(MATCH).expect("a match");
        record.position.offset += 1;
        let _ = world.app.apply(&mut place.state, &record);
        place.log.push(record.clone());
    }
    assert!(taken(&world).0 < 600, "it is full by its bytes, not by its count");
    let card = r#"{"playerId":"p7","card":"green"}"#;
    while world.ask(&sam, "card", card).is_ok() {}
    assert!(world.refused(&sam, "card", card).starts_with("FULL"));
    assert!(world.refused(&sam, "undo", r#"{"number":4,"force":true}"#).starts_with("FULL"));
    world.wait(30_000);
    assert_eq!(world.clock(), 1, "the raid's time is up");
    let quotes = "\"".repeat(64);
    world.does(
        &scorer(&quotes),
        "end_match",
        &json!({"reason": "abandoned", "actionId": quotes}).to_string(),
    );
    assert_eq!((world.state()["phase"].as_str(), taken(&world).1 <= 768 << 10), (Some("ended"), true));
}

#[test]
fn long_names_fit_into_a_view() {
    let mut state = initial();
    let name = "\u{1F3C3}\"".repeat(30);
    for id in state["playerStats"].as_object_mut().expect("an object").values_mut() {
        id["name"] = name.clone().into();
    }
    let mut world = World::new();
    world.does(&scorer("sam"), "initial_state", &state.to_string());
    let longer = "x".repeat(61);
    let mut world = World::new();
    state["playerStats"]["p1"]["name"] = longer.into();
    assert!(
        world.refused(&scorer("sam"), "initial_state", &state.to_string()).contains("at most 60 characters")
    );
    let mut state = initial();
    state["teamAPlayerIds"][0] = "x".repeat(65).into();
    assert!(world.refused(&scorer("sam"), "initial_state", &state.to_string()).contains("1 to 64 bytes"));
    let mut world = World::ready();
    let raid = json!({"raiderId": "p1", "actionId": "x".repeat(65)}).to_string();
    assert!(world.refused(&scorer("sam"), "raid", &raid).contains("actionId must be 1 to 64 bytes"));
}

#[test]
fn corrections_have_an_end() {
    let (mut world, sam) = (World::of(r#"{"profile":"raidx"}"#), scorer("sam"));
    world.does(&sam, "raid", r#"{"raiderId":"p1"}"#);
    for _ in 0..150 {
        world.does(&sam, "undo", "{}");
        world.does(&sam, "redo", "{}");
    }
    assert!(world.refused(&sam, "undo", "{}").starts_with("FULL"));
    world.does(&sam, "raid", r#"{"raiderId":"q1"}"#);
}

#[test]
fn the_oldest_match_that_is_over_makes_way_in_the_list() {
    let mut world = World::new();
    for number in 0..1002_i64 {
        let saga = RoomId::new("scores", &format!("m{number}"));
        let position = Position { epoch: Epoch::new(1, 7), offset: 1 };
        let step = Caller::Step(StepId { saga, position, number: 0 });
        let stands = json!({"createdAt": number, "over": number >= 500, "title": "x".repeat(300)});
        let payload: Payload = stands.to_string().into();
        let decided = {
            world.place("list");
            let Kind::List(list) = &world.places["list"].state.0 else { panic!("it is a list") };
            crate::list::decide(list, &step, app::Action { kind: "match_stands", payload: &payload })
        };
        let draft = decided.expect("it is heard").records.remove(0);
        let place = world.place("list");
        let position = Position { epoch: Epoch::new(1, 7), offset: place.log.len() as u64 + 1 };
        let record = vocabulary::Record {
            position,
            at: vocabulary::Wall(number),
            kind: draft.kind.into(),
            author: None,
            touches: draft.touches,
            body: draft.body,
        };
        let app = crate::Scores::default();
        assert_eq!(app.apply(&mut place.state, &record), app::Applied::Done);
        place.log.push(record);
    }
    let view = world.app.view(&world.places["list"].state, WHOLE);
    assert!(view.len() <= 64 << 10);
    let (mut ids, mut from, mut pages) = (Vec::new(), json!(null), 0);
    while pages == 0 || !from.is_null() {
        world.ask_in("list", &viewer(), "get_matches", &json!({"from": from}).to_string()).expect("a list");
        assert!(world.reply.to_string().len() <= 256 << 10);
        assert_eq!(world.reply["count"], 1000);
        let told = world.reply["matches"].as_array().expect("a list").iter();
        ids.extend(told.map(|told| told["matchId"].as_str().expect("an id").to_owned()));
        from = world.reply["next"].clone();
        pages += 1;
    }
    assert_eq!((ids.len(), pages), (1000, 2));
    let has = |id: &str| ids.iter().any(|told| told == id);
    assert!(has("m0") && has("m502") && !has("m500") && !has("m501"));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1000, "each once");
}

/// As many bytes as a list that is written anew.
#[test]
fn a_list_counts_its_bytes_as_it_goes() {
    let (mut world, sam) = (World::of(r#"{"profile":"raidx"}"#), scorer("sam"));
    let bytes = |world: &World| match &world.places["list"].state.0 {
        Kind::List(list) => list.bytes(),
        other => panic!("it is a list: {other:?}"),
    };
    world.carry();
    let listed = bytes(&world);
    world.does(&sam, "end_match", r#"{"reason":"abandoned"}"#);
    // What is loaded is counted anew; a World holds it against what was counted.
    world.carry();
    assert!(bytes(&world) > listed, "a result takes some more");
    assert!(bytes(&world) < 2 * listed, "and its match is listed once");
}

#[test]
fn rooms_are_named_as_clients_may_name_them() {
    let mut world = World::new();
    for room in ["", "a b", "m/1"] {
        let refusal = world.ask_in(room, &organizer(), "get_match", "").expect_err("no such room");
        assert!(refusal.text.contains("no such room"), "{room}");
    }
}

/// What a second sport would be written against.
#[test]
fn rooms_name_no_sport_and_the_sport_names_no_rooms() {
    let rooms = [
        include_str!("../contest/mod.rs"),
        include_str!("../contest/amending.rs"),
        include_str!("../contest/course.rs"),
        include_str!("../contest/duties.rs"),
        include_str!("../contest/opening.rs"),
        include_str!("../contest/records.rs"),
        include_str!("../contest/told.rs"),
        include_str!("../list.rs"),
        include_str!("../standing.rs"),
    ];
    assert!(rooms.iter().all(|text| !text.contains("kabaddi")));
    let sport = [
        include_str!("../kabaddi/action.rs"),
        include_str!("../kabaddi/clock.rs"),
        include_str!("../kabaddi/figures.rs"),
        include_str!("../kabaddi/game.rs"),
        include_str!("../kabaddi/halves.rs"),
        include_str!("../kabaddi/mat.rs"),
        include_str!("../kabaddi/profile.rs"),
        include_str!("../kabaddi/raid.rs"),
        include_str!("../kabaddi/squads.rs"),
        include_str!("../kabaddi/tie.rs"),
    ];
    assert!(sport.iter().all(|text| !text.contains("crate::") && !text.contains("vocabulary")));
    assert!(sport.iter().all(|text| !text.contains("use app") && !text.contains("serde_json")));
}

#[test]
fn every_word_is_in_the_list_of_words_once() {
    let world = World::new();
    let words: Vec<&str> = world.app.words().iter().map(|word| word.name).collect();
    for (action, _) in crate::sport::ACTIONS {
        assert_eq!(words.iter().filter(|word| *word == action).count(), 1, "{action}");
    }
    assert_eq!(words.len(), crate::sport::ACTIONS.len() + 11);
}

#[test]
fn a_snapshot_of_another_version_is_refused_by_name() {
    let world = World::ready();
    let room = RoomId::new("scores", MATCH);
    let newer = world.app.load(&room, &Payload::from_static(b"{\"version\":2,\"state\":\"Nowhere\"}"));
    assert_eq!(newer.expect_err("it is newer").0, "scores snapshot of version 2");
    assert!(world.app.load(&room, &Payload::from_static(b"{}")).is_err());
}
