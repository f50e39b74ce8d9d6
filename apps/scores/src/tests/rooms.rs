//! Rooms as dialogues: who may come and what they are told, how a match is begun, what officials may say, what the list hears.

use serde_json::{Value, json};

use super::vectors::seven;
use super::world::{MATCH, World, device, guest_of, initial, organizer, scorer, viewer};
use crate::{DELTA, OUTWARD, WHOLE};

fn teams() -> Value {
    let team = |letter: char| {
        let players = (1..=10).map(|number| json!({"id": format!("{letter}{number}"), "number": number}));
        json!({"name": letter.to_uppercase().to_string(), "players": players.collect::<Vec<_>>(),
            "captainId": format!("{letter}1")})
    };
    json!({"teamA": team('p'), "teamB": team('q')})
}

#[test]
fn a_match_is_created_lined_up_tossed_and_raided() {
    let (mut world, olga, sam) = (World::new(), organizer(), scorer("sam"));
    let mut create = teams();
    create["title"] = "Final".into();
    create["knockout"] = true.into();
    world.does(&olga, "create", &create.to_string());
    assert_eq!(world.reply, json!({"matchId": MATCH, "created": true}));
    assert!(world.refused(&sam, "raid", r#"{"raiderId":"p1"}"#).starts_with("RULE: the match has not begun"));
    for (team, letter) in [("A", 'p'), ("teamB", 'q')] {
        world.does(&sam, "line_up", &json!({"team": team, "playerIds": seven(letter)}).to_string());
    }
    world.does(&sam, "toss", r#"{"winner":"B","decision":"court"}"#);
    assert_eq!(world.reply, json!({"number": 3, "raidNumber": 1}));
    world.does(&sam, "raid", r#"{"raiderId":"p1","touchedIds":["q1"],"bonus":true,"raidNumber":1}"#);
    assert_eq!(world.reply, json!({"number": 4, "raidNumber": 2}));
    let state = world.state();
    assert_eq!(
        (&state["title"], &state["profile"], &state["sport"]),
        (&json!("Final"), &json!("pkl"), &json!("kabaddi"))
    );
    assert_eq!((&state["firstRaidingTeam"], &state["raidingTeam"]), (&json!("teamA"), &json!("teamB")));
    assert_eq!(state["raidDetails"]["raider"], "p1");
    assert_eq!(state["raidLog"][0]["result"], "raidSuccess");
    assert_eq!(state["revival"], json!({"teamA": [], "teamB": ["q1"]}));
    assert_eq!(state["awards"]["mvp"], json!({"playerId": "p1", "name": "p1", "points": 2}));
}

#[test]
fn what_a_match_begins_with_is_validated() {
    let mut world = World::new();
    let sam = scorer("sam");
    for (path, value, says) in [
        ("/teamA", json!(7), "teamA must be an object"),
        ("/teamA/name", json!(""), "teamA: name is required"),
        ("/teamA/players", json!(["p1"]), "teamA: a squad has 7 to 12 players, got 1"),
        ("/teamA/players/1", json!("p1"), "player p1 stands twice"),
        ("/teamB/players/1", json!("p1"), "player p1 stands twice"),
        ("/teamB/players/0", json!({"id": "q1", "number": 100}), "number must be 0 to 99, got 100"),
        ("/teamB/captainId", json!("p1"), "teamB: p1 is not among its players"),
        ("/profile", json!("cricket"), "profile must be one of pkl, akfi, raidx, got cricket"),
        ("/sport", json!("chess"), "sport must be kabaddi, got chess"),
        ("/halfMinutes", json!(0), "halfMinutes must be 1 to 60, got 0"),
        ("/title", json!("x".repeat(101)), "title must be at most 100 characters, got 101"),
    ] {
        let mut payload = teams();
        for field in ["profile", "sport", "halfMinutes", "title"] {
            payload[field] = Value::Null;
        }
        *payload.pointer_mut(path).expect("the field is there") = value;
        let text = world.refused(&sam, "create", &payload.to_string());
        assert!(text.contains(says), "{path}: {text}");
    }
    assert!(world.places[MATCH].log.is_empty());
}

#[test]
fn squads_change_until_the_first_action() {
    let (mut world, sam) = (World::new(), scorer("sam"));
    world.does(&sam, "create", &teams().to_string());
    let mut squad = teams()["teamA"].clone();
    squad["team"] = "A".into();
    squad["name"] = "Asha's".into();
    world.does(&sam, "set_squad", &squad.to_string());
    assert_eq!(world.state()["teamA"]["name"], "Asha's");
    squad["players"][0] = "q1".into();
    assert!(world.refused(&sam, "set_squad", &squad.to_string()).contains("among its players"));
    world.does(&sam, "line_up", &json!({"team": "A", "playerIds": seven('p')}).to_string());
    squad["players"][0] = "p1".into();
    assert!(world.refused(&sam, "set_squad", &squad.to_string()).contains("before the first action"));
}

#[test]
fn viewers_see_public_matches_and_officials_all() {
    let mut world = World::new();
    assert_eq!(world.enters(&viewer(), ""), Err("Match not initialized".into()));
    assert!(world.refused(&viewer(), "get_match", "{}").contains("Match not initialized"));
    assert!(world.refused(&viewer(), "create", "{}").contains("only a scorer of this match or an organizer"));
    assert_eq!(world.enters(&scorer("sam"), ""), Ok(WHOLE.0));
    let mut world = World::ready();
    assert_eq!(world.enters(&viewer(), ""), Ok(WHOLE.0));
    assert_eq!(world.enters(&viewer(), r#"{"mode":"delta"}"#), Ok(DELTA.0));
    assert!(world.enters(&viewer(), r#"{"mode":"half"}"#).is_err());
    let mut hidden = World::of(r#"{"public":false}"#);
    assert!(hidden.enters(&viewer(), "").is_err());
    assert!(hidden.ask(&viewer(), "get_match", "").is_err());
    assert_eq!(hidden.enters(&guest_of("scores:m1"), ""), Ok(WHOLE.0));
    assert_eq!(hidden.enters(&guest_of("m1"), ""), Ok(WHOLE.0));
    for other in ["scores:m2", "scores:*", "scores:m*", "*"] {
        assert!(hidden.enters(&guest_of(other), "").is_err(), "{other} names no match");
    }
    assert_eq!(hidden.enters(&scorer("sam"), ""), Ok(WHOLE.0));
    assert_eq!(hidden.carry(), 0, "the list does not hear of it");
}

/// T36: whatever a match understands that changes it, whoever only watches says in vain.
#[test]
fn a_viewer_changes_nothing_by_any_word() {
    let mut world = World::ready();
    let before = world.place(MATCH).log.len();
    for word in crate::WORDS.iter().filter(|word| !word.name.starts_with("get_")) {
        let payload = r#"{"playerId":"p1","raiderId":"p1","team":"A","seq":1,"actionId":"x"}"#;
        let asked = world.decide(MATCH, &viewer(), word.name, payload);
        let refusal = asked.err().unwrap_or_else(|| panic!("a viewer may say {}", word.name));
        assert!(refusal.text.contains("only a"), "{}: {}", word.name, refusal.text);
    }
    assert_eq!(world.place(MATCH).log.len(), before);
}

#[test]
fn officials_say_what_their_office_is() {
    let (mut world, olga) = (World::ready(), organizer());
    let officials = r#"{"officials":[{"userId":"sam"},{"userId":"tina","role":"timekeeper"},{"userId":"uma","role":"umpire"}]}"#;
    assert!(world.refused(&scorer("sam"), "set_roles", officials).contains("only an organizer"));
    for misspelt in ["{}", r#"{"official":[]}"#] {
        assert!(world.refused(&olga, "set_roles", misspelt).contains("officials is required"));
    }
    world.does(&olga, "set_roles", officials);
    let raid = r#"{"raiderId":"p1"}"#;
    for (who, kind, payload, may) in [
        ("sue", "raid", raid, false),
        ("tina", "raid", raid, false),
        ("tina", "start_half", "{}", true),
        ("tina", "card", r#"{"playerId":"p1","card":"green"}"#, false),
        ("uma", "card", r#"{"playerId":"p1","card":"green"}"#, true),
        ("uma", "stop_clock", "{}", false),
        ("tina", "stop_clock", "{}", true),
        ("uma", "undo", "{}", false),
        ("sam", "raid", raid, true),
        ("sam", "undo", "{}", true),
    ] {
        let done = world.ask(&scorer(who), kind, payload);
        assert_eq!(done.is_ok(), may, "{who} {kind}: {done:?}");
    }
    assert!(world.refused(&viewer(), "raid", raid).contains("you are viewer"));
    assert!(world.refused(&viewer(), "get_audit", "").contains("only officials"));
    world.does(&scorer("tina"), "get_audit", "");
    let twice = r#"{"officials":["sam","sam"]}"#;
    assert!(world.refused(&olga, "set_roles", twice).contains("each user once"));
}

#[test]
fn some_follow_the_state_and_some_the_actions() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    let records = world.ask(&sam, "raid", r#"{"raiderId":"p1","touchedIds":["q1"]}"#).expect("a raid");
    let (kind, whole) = world.frame(&records[0], WHOLE).expect("it is shown");
    assert_eq!((&*kind, &whole["teamA"]["score"]), ("enhancedStats", &json!(1)));
    for audience in [DELTA, OUTWARD] {
        let (kind, delta) = world.frame(&records[0], audience).expect("it is shown");
        assert_eq!(kind, "match_action");
        assert_eq!(delta["action"], json!({"type": "raid", "raiderId": "p1", "touchedIds": ["q1"]}));
        assert_eq!(delta["now"]["score"], json!({"teamA": 1, "teamB": 0}));
        assert_eq!(delta["line"]["raidDetails"]["type"], "raidSuccess");
        let touched: Vec<&String> = delta["playerStats"].as_object().expect("an object").keys().collect();
        assert_eq!(touched, ["p1", "q1"]);
        assert!(delta.to_string().len() < whole.to_string().len() / 2);
    }
    let created = world.places[MATCH].log[0].clone();
    let (kind, told) = world.frame(&created, DELTA).expect("it is shown");
    assert_eq!((&*kind, &told["data"]["actions"]), ("match_created", &json!(4)));
    // Of a state the newest is enough; who resumes by deltas gets each.
    let next = world.ask(&sam, "raid", r#"{"raiderId":"q2"}"#).expect("a raid");
    assert_eq!(world.frame(&records[0], WHOLE), None);
    assert!(world.frame(&records[0], DELTA).is_some() && world.frame(&next[0], WHOLE).is_some());
}

#[test]
fn the_list_hears_of_every_phase() {
    let (mut world, sam) = (World::of(r#"{"profile":"raidx","event":"cup"}"#), scorer("sam"));
    assert_eq!((world.carry(), world.carry()), (1, 0));
    let phase = |world: &mut World| {
        world.ask_in("list", &viewer(), "get_matches", r#"{"event":"cup"}"#).expect("a list");
        world.reply["matches"][0]["phase"].as_str().map(str::to_owned)
    };
    assert_eq!(phase(&mut world).as_deref(), Some("ready"));
    world.does(&sam, "raid", r#"{"raiderId":"p1","touchedIds":["q1"]}"#);
    assert_eq!(world.carry(), 1);
    world.does(&sam, "raid", r#"{"raiderId":"q2"}"#);
    assert_eq!(world.carry(), 0, "a raid is the match's own news");
    world.does(&sam, "end_match", "{}");
    assert_eq!(world.carry(), 1);
    assert_eq!(phase(&mut world).as_deref(), Some("ended"));
    assert_eq!(world.reply["matches"][0]["teamA"], json!({"name": "A", "score": 1}));
    assert_eq!(world.reply["matches"][0]["result"]["winner"], "teamA");
    world.ask_in("list", &viewer(), "get_matches", r#"{"event":"league"}"#).expect("a list");
    assert_eq!(world.reply, json!({"matches": [], "count": 0, "next": null}));
    assert!(world.ask_in("list", &organizer(), "match_stands", "{}").is_err());
}

#[test]
fn a_step_that_comes_late_changes_nothing_in_the_list() {
    let (mut world, sam) = (World::ready(), scorer("sam"));
    use app::App;
    let old = world.app.steps(&world.places[MATCH].state);
    world.does(&sam, "start_half", "{}");
    world.carry();
    let saga = vocabulary::RoomId::new("scores", MATCH);
    let id = vocabulary::StepId { saga, position: old[0].position, number: 0 };
    let payload = String::from_utf8(old[0].payload.to_vec()).expect("text");
    let late = world.ask_in("list", &vocabulary::Caller::Step(id), "match_stands", &payload);
    assert_eq!(late, Ok(Vec::new()));
}

#[test]
fn sheets_and_audits_come_in_pages() {
    let (mut world, sam) = (World::of(r#"{"profile":"raidx"}"#), scorer("sam"));
    world.does(&sam, "raid", r#"{"raiderId":"p1","touchedIds":["q1"]}"#);
    world.does(&sam, "undo", r#"{"reason":"no touch"}"#);
    world.does(&viewer(), "get_sheet", "");
    let sheet = world.reply.clone();
    assert_eq!((&sheet["count"], &sheet["next"]), (&json!(4), &Value::Null));
    assert_eq!(sheet["sheet"][3]["undone"], true);
    world.does(&viewer(), "get_sheet", r#"{"from":4}"#);
    assert_eq!(world.reply["sheet"].as_array().map(Vec::len), Some(1));
    world.does(&sam, "get_audit", "");
    let last = &world.reply["audit"][4];
    assert_eq!(
        (&last["what"], &last["number"], &last["by"]["id"]),
        (&json!("undo"), &json!(4), &json!("sam"))
    );
    assert_eq!(last["reason"], "no touch");
}

#[test]
fn scorers_pages_begin_with_their_own_state() {
    let mut world = World::new();
    let (vera, sam) = (viewer(), device("sam", 1));
    assert!(world.ask(&vera, "initial_state", &initial().to_string()).is_err());
    let records = world.ask(&sam, "initial_state", &initial().to_string()).expect("it is taken");
    assert_eq!(records.len(), 4, "created, two line-ups, the toss");
    let state = world.state();
    assert_eq!(state["teamAPlayerIds"].as_array().map(Vec::len), Some(7));
    assert_eq!(
        (&state["playerStats"]["p1"]["isCaptain"], &state["playerStats"]["p8"]["status"]),
        (&json!(true), &json!("bench"))
    );
    assert_eq!(state["phase"], "ready");
    let mut other = initial();
    other["teamA"]["name"] = "Z".into();
    let again = world.ask(&sam, "initial_state", &other.to_string()).expect("it is answered");
    assert!(again.is_empty());
    assert_eq!(world.reply["teamA"]["name"], "A", "with the state that stands");
}

#[test]
fn what_did_not_decide_is_not_said_to_have_decided() {
    for (end, by) in [
        (r#"{"reason":"forfeit","winner":"B"}"#, "forfeit"),
        (r#"{"reason":"abandoned"}"#, "abandoned"),
        ("{}", "score"),
    ] {
        let (mut world, sam) = (World::of(r#"{"profile":"raidx"}"#), scorer("sam"));
        world.does(&sam, "raid", r#"{"raiderId":"p1","touchedIds":["q1"]}"#);
        world.does(&sam, "end_match", end);
        assert_eq!(world.state()["result"]["by"], by);
    }
}

#[test]
fn a_state_is_written_once_for_all_who_ask_and_anew_when_it_changes() {
    use app::App;
    let (mut world, sam) = (World::of(r#"{"profile":"raidx"}"#), scorer("sam"));
    let view = |world: &World| world.app.view(&world.places[MATCH].state, WHOLE);
    let told = view(&world);
    assert_eq!(told.as_ptr(), view(&world).as_ptr(), "the same bytes, and not bytes that are alike");
    let mut before = told;
    for (kind, payload) in [
        ("raid", r#"{"raiderId":"p1","touchedIds":["q1"]}"#),
        ("card", r#"{"playerId":"p1","card":"green"}"#),
        ("correct", r#"{"number":4,"action":{"type":"raid","raiderId":"p1"}}"#),
        ("undo", "{}"),
        ("redo", "{}"),
    ] {
        world.does(&sam, kind, payload);
        assert_ne!(before, view(&world), "{kind}");
        before = view(&world);
        // As who has read the log or the snapshot anew would write it.
        let saved = world.app.save(&world.places[MATCH].state);
        let room = vocabulary::RoomId::new("scores", MATCH);
        let loaded = world.app.load(&room, &saved).expect("it loads");
        assert_eq!(world.app.view(&loaded, WHOLE), view(&world), "{kind}");
    }
    world.does(&sam, "get_sheet", r#"{"from":4}"#);
    assert_eq!((world.reply["data"].clone(), &world.reply["sheet"][0]["number"]), (world.state(), &json!(4)));
}
