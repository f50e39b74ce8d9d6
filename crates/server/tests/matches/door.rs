//! How clients of matches are let in, and what which of them may do.

use serde_json::{Value, json};

use crate::bench::{Seat, bonus, console, initial_state};
use crate::support::{Client, Server};

fn upgrade(server: &Server, target: &str) -> (u16, Value) {
    let (status, body) = server.http(&format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n",
        server.address
    ));
    (status, serde_json::from_str(&body).expect("JSON"))
}

#[test]
fn scorers_need_a_token_and_viewers_need_none_but_a_good_one() {
    let server = Server::start();
    let unauthorized = json!({"error": "Unauthorized: Invalid JWT"});
    for target in [
        "/ws/scorer",
        "/ws/scorer?token=",
        "/ws/scorer?token=a.b.c",
        "/ws/viewer?token=a.b.c",
        "/ws/match/m-1?token=null",
    ] {
        assert_eq!(upgrade(&server, target), (401, unauthorized.clone()), "{target}");
    }
    for (target, error, field) in [
        ("/ws/match/list", "matchId must name a match, by 1 to 128 of A-Z a-z 0-9 _ . : -", "matchId"),
        ("/ws/match/m%201", "matchId must name a match, by 1 to 128 of A-Z a-z 0-9 _ . : -", "matchId"),
        ("/ws/match/m-1?mode=some", "mode must be whole or delta", "mode"),
        ("/ws/match/m-1?mode=delta&since=17", "since must be EPOCH-OFFSET of a position", "since"),
    ] {
        assert_eq!(upgrade(&server, target), (400, json!({"error": error, "field": field})), "{target}");
    }
    let viewers = server.token_with(&["--user", "vi"]);
    for target in ["/ws/viewer", "/ws/viewer?token=", "/ws/match/m-1", &format!("/ws/viewer?token={viewers}")]
    {
        assert!(Client::open(&server, target).is_ok(), "{target}");
    }
}

#[test]
fn only_scorers_score_and_only_on_their_path() {
    let server = Server::start();
    let mut sam = Seat::begun(&server, "sam", "m-1");
    // A scorer's token does not make the viewers' path another.
    let sams = console(&server, "sam").replace("/ws/scorer", "/ws/viewer");
    let by_path = sams.replace("/ws/viewer", "/ws/match/m-1");
    for target in [sams.as_str(), &by_path, "/ws/viewer"] {
        let mut seat = Seat::open(&server.address, target);
        seat.say(r#"{"type":"join","matchId":"m-1"}"#);
        for word in [bonus(1), r#"{"type":"endMatch"}"#.into(), r#"{"type":"undo"}"#.into()] {
            seat.say(&word);
            let told = seat.until(|frame| frame.get("data").is_none());
            assert_eq!(
                told["error"], "viewers watch; score at /ws/scorer with a token that says so",
                "{target}"
            );
        }
    }
    // Nor does the scorers' path make a scorer.
    let token = server.token_with(&["--user", "vi", "--role", "viewer"]);
    let mut vi = Seat::open(&server.address, &format!("/ws/scorer?token={token}"));
    vi.say(r#"{"type":"join","matchId":"m-1"}"#);
    assert_eq!(vi.hear()["role"], "viewer");
    for word in [bonus(1), initial_state().to_string(), r#"{"type":"endMatch"}"#.into()] {
        vi.say(&word);
        let told = vi.hear();
        assert_eq!((&told["code"], told.get("data")), (&json!("FORBIDDEN"), None), "{told}");
    }
    vi.say(r#"{"type":"join","matchId":"m-2"}"#);
    assert_eq!(vi.hear()["code"], "TOO_MANY_ROOMS", "a connection is in one match");
    sam.say(r#"{"type":"get_match"}"#);
    assert_eq!(sam.until(|frame| frame["type"] == "initialState")["data"]["raidNumber"], 1);
}

#[test]
fn a_match_that_is_not_public_is_seen_by_whom_it_was_shown() {
    let server = Server::start();
    let mut sam = Seat::scorer(&server, "sam");
    sam.say(r#"{"type":"join","matchId":"m-1"}"#);
    sam.until(|frame| frame["type"] == "requestInit");
    let mut state = initial_state();
    state["data"]["public"] = json!(false);
    sam.say(&state.to_string());
    sam.until(|frame| frame.get("data").is_some());
    let invited = server.token_with(&["--user", "vi", "--rooms", "scores:m-1"]);
    let elsewhere = server.token_with(&["--user", "vo", "--rooms", "scores:m-2"]);
    for (target, seen) in [
        ("/ws/viewer".to_owned(), false),
        (format!("/ws/viewer?token={invited}"), true),
        (format!("/ws/viewer?token={elsewhere}"), false),
    ] {
        let mut seat = Seat::open(&server.address, &target);
        seat.say(r#"{"type":"join","matchId":"m-1"}"#);
        let told = seat.hear();
        assert_eq!(told.get("data").is_some(), seen, "{told}");
        assert_eq!(told["code"] == "FORBIDDEN", !seen, "{told}");
        // It may ask again, or for another one.
        seat.say(r#"{"type":"ping"}"#);
        assert_eq!(seat.hear()["type"], "pong");
    }
}

/// What it records, viewers do not see, and who gave it no name is told nothing.
#[test]
fn an_organizer_names_who_scores_and_others_do_not_any_more() {
    let server = Server::start();
    let mut sam = Seat::begun(&server, "sam", "m-1");
    let token = server.token_with(&["--user", "olga", "--role", "organizer"]);
    let mut olga = Seat::open(&server.address, &format!("/ws/scorer?token={token}"));
    olga.say(r#"{"type":"join","matchId":"m-1"}"#);
    assert_eq!(olga.hear()["role"], "organizer");
    for said in [
        json!({"type": "setRoles", "data": {"officials": [{"userId": "sue"}]}}),
        json!({"type": "setRoles", "actionId": "r", "data": {"officials": [{"userId": "sid"}]}}),
    ] {
        olga.say(&said.to_string());
    }
    let told = olga.hear();
    assert_eq!(
        (&told["type"], &told["actionId"]),
        (&json!("ack"), &json!("r")),
        "of the first nothing is told"
    );
    sam.say(&bonus(1));
    assert_eq!(sam.until(|frame| frame.get("data").is_none())["code"], "FORBIDDEN");
    let mut sid = Seat::scorer(&server, "sid");
    sid.say(r#"{"type":"join","matchId":"m-1"}"#);
    sid.say(&bonus(1));
    sid.until(|frame| frame["data"]["raidNumber"] == 2);
}

#[test]
fn a_newer_token_keeps_a_console_open() {
    let server = Server::start();
    let mut sam = Seat::begun(&server, "sam", "m-1");
    let newer = server.token_with(&["--user", "sam", "--role", "scorer"]);
    sam.say(&json!({"type": "refresh", "token": newer, "actionId": "r"}).to_string());
    let told = sam.until(|frame| frame["type"] == "refreshed");
    assert_eq!((&told["userId"], &told["actionId"]), (&json!("sam"), &json!("r")));
}

#[test]
fn a_scorers_first_state_may_be_long_and_a_viewers_message_may_not() {
    let server = Server::start();
    let mut sam = Seat::scorer(&server, "sam");
    sam.say(r#"{"type":"join","matchId":"m-1"}"#);
    sam.until(|frame| frame["type"] == "requestInit");
    let mut state = initial_state();
    state["data"]["commentary"] = json!("a".repeat(60 << 10));
    sam.say(&state.to_string());
    assert_eq!(sam.until(|frame| frame.get("data").is_some())["data"]["teamA"]["name"], "A");
    let mut vi = Seat::viewer(&server.address);
    vi.say(&state.to_string());
    assert_eq!(vi.0.closed().0, 1009);
}
