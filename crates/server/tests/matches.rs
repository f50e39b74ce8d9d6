//! Old clients of live scoring against the real process: how they are let in, a match from its first state to its end, what they say
//! that is no word of a match, several of them at once, far away, and a server that is killed meanwhile.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

#[path = "matches/bench.rs"]
mod bench;
#[path = "matches/crowd.rs"]
mod crowd;
#[path = "matches/door.rs"]
mod door;
#[path = "matches/faults.rs"]
mod faults;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[path = "matches/line.rs"]
mod line;

use bench::{Seat, bonus, initial_state, raid};
use serde_json::{Value, json};
use support::Server;

/// What the seed's load test sends every tenth of a second: it names nobody whom the raider has touched.
const LOAD_TEST: &str = r#"{"type":"raid","raidType":"successful","raiderId":"player1"}"#;

#[test]
fn a_match_from_its_first_state_to_its_end() {
    let server = Server::start();
    let mut early = Seat::viewer(&server.address);
    early.say(r#"{"type":"join","matchId":"m-1"}"#);
    assert_eq!(
        early.hear(),
        json!({"error": "Match not initialized", "code": "NOT_INITIALIZED", "matchId": "m-1"})
    );
    let mut sam = Seat::scorer(&server, "sam");
    sam.say(r#"{"type":"join","matchId":"m-1"}"#);
    assert_eq!(sam.hear(), json!({"type": "requestInit", "matchId": "m-1"}));
    let mut sue = Seat::scorer(&server, "sue");
    sue.say(r#"{"type":"join","matchId":"m-1"}"#);
    sue.until(|frame| frame["type"] == "requestInit");
    sam.say(&initial_state().to_string());
    for seat in [&mut sam, &mut sue] {
        let state = seat.until(|frame| frame["data"]["raidNumber"] == 1 && frame["data"]["phase"] == "ready");
        assert_eq!(
            (&state["data"]["profile"], &state["data"]["raidingTeam"]),
            (&json!("raidx"), &json!("teamA"))
        );
    }
    // A second first state is answered with the one that stands.
    sue.say(&initial_state().to_string().replace("Asha", "Somebody else"));
    let stands = sue.until(|frame| frame["type"] == "initialState");
    assert_eq!(stands["data"]["playerStats"]["p1"]["name"], "Asha");
    // Who came too early asks again.
    early.say(r#"{"type":"join"}"#);
    assert!(early.hear()["error"].as_str().is_some_and(|text| text.starts_with("matchId is required")));
    early.say(r#"{"type":"join","matchId":"m-1"}"#);
    let begins = early.until(|frame| frame["type"] == "initialState");
    assert_eq!((&begins["role"], &begins["data"]["teamA"]["score"]), (&json!("viewer"), &json!(0)));

    sam.say(r#"{"raidType":"successful","raiderId":"p1","defenderIds":["q3","q5"],"bonusTaken":true}"#);
    for seat in [&mut sam, &mut sue, &mut early] {
        let state = seat.until(|frame| frame["type"] == "enhancedStats" && frame["data"]["raidNumber"] == 2);
        assert_eq!(
            (&state["data"]["teamA"]["score"], &state["data"]["playerStats"]["q3"]["status"]),
            (&json!(3), &json!("out"))
        );
        assert!(
            state["data"]["lastScoreChangeAt"]
                .as_u64()
                .is_some_and(|seconds| (1 << 30..1 << 33).contains(&seconds))
        );
        assert_eq!(state.get("actionId"), None, "nobody gave it a name");
    }
    // Too late for the first raid: nothing is recorded, and who said it sees how it stands.
    sue.say(&raid(&json!({"raidType": "empty", "raiderId": "p1", "raidNumber": 1, "actionId": "late"})));
    let conflict = sue.until(|frame| frame["error"] == "conflict");
    assert_eq!(
        (&conflict["raidNumber"], &conflict["actionId"], &conflict["data"]["raidNumber"]),
        (&json!(2), &json!("late"), &json!(2))
    );
    sue.say(r#"{"type":"lobbyTouch","data":{"touchedPlayerId":"p2","isRaider":false,"scoringTeam":"A","raiderId":"q1","raidNumber":2}}"#);
    let touched = sue.until(|frame| frame["data"]["raidNumber"] == 3);
    assert_eq!(
        (&touched["data"]["teamA"]["score"], &touched["data"]["teamB"]["score"]),
        (&json!(3), &json!(1)),
        "the point is not the team's that the page names"
    );
    sam.say(r#"{"type":"undo","data":{},"actionId":"u-1"}"#);
    let undone = sam.until(|frame| frame["actionId"] == "u-1");
    assert_eq!((&undone["type"], &undone["data"]["raidNumber"]), (&json!("enhancedStats"), &json!(2)));
    ends(&server, sam, sue);
}

/// Once, for whoever says it, and for whoever comes after it.
fn ends(server: &Server, mut sam: Seat, mut sue: Seat) {
    sam.say(r#"{"type":"endMatch"}"#);
    let end = sam.until(|frame| frame["data"]["phase"] == "ended");
    assert_eq!((&end["type"], &end["data"]["result"]["winner"]), (&json!("enhancedStats"), &json!("teamA")));
    sue.until(|frame| frame["data"]["phase"] == "ended");
    sue.say(r#"{"type":"end"}"#);
    assert_eq!(
        sue.until(|frame| frame["type"] == "initialState")["data"]["phase"],
        "ended",
        "said again it is the same end"
    );
    sue.say(&bonus(2));
    assert_eq!(sue.hear(), json!({"error": "Match ended", "code": "MATCH_OVER", "matchId": "m-1"}));
    // Who comes now sees how it ended, and not that it did alone.
    let mut late = Seat::viewer(&server.address);
    late.say(r#"{"type":"join","matchId":"m-1"}"#);
    let last = late.hear();
    assert_eq!((&last["type"], &last["data"]), (&json!("initialState"), &end["data"]));
}

#[test]
fn before_the_join_a_client_is_asked_for_it_and_stays() {
    let server = Server::start();
    let mut seats = [Seat::scorer(&server, "sam"), Seat::viewer(&server.address)];
    for seat in &mut seats {
        for frame in [LOAD_TEST, r#"{"type":"x"}"#, "{}", &initial_state().to_string()] {
            // To the viewers' path a first state is too long: it never gets as far.
            if frame.len() < 4096 {
                seat.say(frame);
                assert_eq!(seat.hear(), json!({"type": "requestJoin"}), "{frame}");
            }
        }
        seat.say(r#"{"type":"ping"}"#);
        assert_eq!(seat.hear(), json!({"type": "pong"}));
        seat.say("ping");
        assert_eq!(seat.hear()["code"], "INVALID_FORMAT");
    }
    seats[0].say(r#"{"type":"join","matchId":"m-1"}"#);
    assert_eq!(seats[0].hear()["type"], "requestInit");
}

/// Of the seed it was told that any of these put a match back to nothing.
#[test]
fn whatever_is_no_word_of_a_match_changes_nothing_of_it() {
    let server = Server::start();
    let mut sam = Seat::begun(&server, "sam", "m-1");
    sam.say(&bonus(1));
    let before = sam.until(|frame| frame["data"]["raidNumber"] == 2)["data"].clone();
    for frame in [
        r#"{"type":"x"}"#,
        r#"{}"#,
        r#"{"teamA":{"name":"Z","score":99},"teamB":{"name":"Y","score":0},"raidNumber":1,"playerStats":{}}"#,
        r#"{"data":{"teamA":{"score":99}}}"#,
        r#"{"type":7}"#,
        r#"[1]"#,
        "null",
        "",
        r#"{"type":"enhancedStats","data":{"raidNumber":1}}"#,
        r#"{"type":"match_action","data":{"number":1}}"#,
        r#"{"type":"raid","raidType":"wild","raiderId":"q1"}"#,
        r#"{"type":"raid","raidNumber":-1,"raidType":"empty","raiderId":"q1"}"#,
        r#"{"type":"raid","raidNumber":1e999,"raidType":"empty","raiderId":"q1"}"#,
        r#"{"type":"join","matchId":"m-2"}"#,
        r#"{"type":"raid","matchId":"m-2","raidType":"empty","raiderId":"q1"}"#,
        r#"{"type":"join_room","room":"scores:m-2"}"#,
    ] {
        sam.say(frame);
        let told = sam.hear();
        assert!(told["error"].is_string() && told.get("data").is_none(), "{frame}: {told}");
    }
    sam.say(r#"{"type":"ping","data":{"raidNumber":1}}"#);
    assert_eq!(sam.hear()["type"], "pong");
    sam.say(r#"{"type":"get_match"}"#);
    assert_eq!(sam.until(|frame| frame["type"] == "initialState")["data"], before);
}

#[test]
fn the_load_test_of_the_seed_is_answered_frame_by_frame_and_nobody_is_let_go() {
    const FRAMES: usize = 80;
    let server = Server::start();
    let mut sam = Seat::begun(&server, "sam", "m-1");
    for _ in 0..FRAMES {
        sam.say(LOAD_TEST);
    }
    let mut codes: Vec<Value> =
        (0..FRAMES).map(|_| sam.until(|frame| frame["error"].is_string())["code"].clone()).collect();
    codes.dedup();
    assert!(codes.contains(&json!("INVALID_PAYLOAD")), "{codes:?}");
    assert!(codes.iter().all(|code| *code == "INVALID_PAYLOAD" || *code == "RATE_LIMIT"), "{codes:?}");
    sam.say(r#"{"type":"ping"}"#);
    let told = sam.until(|frame| frame.get("data").is_none());
    assert!(told["type"] == "pong" || told["code"] == "RATE_LIMIT", "{told}");
}

#[test]
fn deltas_come_without_a_gap_from_where_they_were_left() {
    let server = Server::start();
    let mut sam = Seat::begun(&server, "sam", "m-1");
    let mut vi = Seat::viewer(&server.address);
    vi.say(r#"{"type":"join","matchId":"m-1","mode":"delta"}"#);
    let begins = vi.until(|frame| frame["type"] == "initialState");
    assert_eq!(begins["mode"], "delta");
    for number in 1..=3 {
        sam.say(&bonus(number));
    }
    let mut last = json!(null);
    for number in 1..=3 {
        let told = vi.until(|frame| frame["type"] != "initialState");
        assert_eq!(
            (&told["type"], &told["data"]["now"]["raidNumber"].is_u64()),
            (&json!("match_action"), &true),
            "{told}"
        );
        assert_eq!(told["data"]["line"]["raidNumber"], number, "{told}");
        last = told["position"].clone();
    }
    drop(vi);
    for number in 4..=6 {
        sam.say(&bonus(number));
        sam.until(|frame| frame["data"]["raidNumber"] == number + 1);
    }
    sam.say(r#"{"type":"correct","raidNumber":5,"action":{"type":"raid","raiderId":"p2","bonus":true}}"#);
    sam.until(|frame| frame["data"]["playerStats"]["p2"]["bonusPoints"] == 1);
    let epoch = last["epoch"].as_str().expect("an epoch");
    let since = format!("{epoch}-{}", last["offset"]);
    let mut by_path = Seat::open(&server.address, &format!("/ws/match/m-1?mode=delta&since={since}"));
    let mut by_frame = Seat::viewer(&server.address);
    by_frame.say(&json!({"type": "join", "matchId": "m-1", "mode": "delta", "since": last}).to_string());
    for seat in [&mut by_path, &mut by_frame] {
        assert_eq!(seat.hear()["type"], "resumed");
        for number in 4..=6 {
            assert_eq!(seat.hear()["data"]["line"]["raidNumber"], number);
        }
        let amended = seat.hear();
        assert_eq!(
            (&amended["type"], &amended["data"]["what"]),
            (&json!("match_amended"), &json!("correct"))
        );
        assert_eq!(amended["data"]["data"]["raidNumber"], 7);
    }
    // A place that never was: the state, and on from there.
    let mut lost = Seat::viewer(&server.address);
    lost.say(r#"{"type":"join","matchId":"m-1","mode":"delta","since":{"epoch":"7","offset":1}}"#);
    assert_eq!(lost.hear()["data"]["raidNumber"], 7);
    sam.say(&bonus(7));
    for seat in [&mut by_path, &mut by_frame, &mut lost] {
        assert_eq!(seat.hear()["data"]["line"]["raidNumber"], 7);
    }
}
