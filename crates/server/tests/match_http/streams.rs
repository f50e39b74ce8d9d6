//! Streams of a match's events: what they tell, to whom, and what becomes of those who ask badly, read slowly or come back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Client, Folder, PATIENCE, Server, connect_from, kulkul};
use crate::{CONFIG, Scorer, Stream, initial, request, scorers, server, token};

const EVENTS: &str = "/api/matches/m1/events";

#[test]
fn whoever_listens_is_told_the_state_and_then_every_change_in_one_of_two_ways() {
    let server = server();
    let mut sam = Scorer::begins(&server, &scorers(&server), "m1");
    let mut whole = Stream::of(&server, EVENTS, &[]);
    let mut delta = Stream::of(&server, &format!("{EVENTS}?mode=delta"), &[]);
    for stream in [&mut whole, &mut delta] {
        let state = stream.hear();
        assert_eq!((state.kind(), &state.data["data"]["matchId"]), ("initialState", &json!("m1")));
        assert!(state.id.is_some(), "whoever breaks off now comes back to here");
    }
    let number = sam.raids()["payload"]["number"].clone();
    let (state, action) = (whole.hear(), delta.hear());
    assert_eq!((state.kind(), &state.data["data"]["teamA"]["score"]), ("enhancedStats", &json!(1)));
    assert_eq!((action.kind(), &action.data["data"]["number"]), ("match_action", &number));
    assert_eq!(state.id, action.id, "one log");
    assert!(
        state.data["position"]["offset"]
            .as_u64()
            .is_some_and(|offset| state.id.is_some_and(|id| id.ends_with(&format!("-{offset}"))))
    );
}

/// Until the operator's page says so.
fn until_figure(server: &Server, name: &str, wanted: u64) {
    let operator = server.operator.as_ref().expect("it has one");
    let ask = format!("GET /metrics HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    let from = Instant::now();
    loop {
        let (_, page) = server.http_at(operator, &ask);
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("kulkul_{name} ")));
        if line.and_then(|value| value.parse().ok()) == Some(wanted) {
            return;
        }
        assert!(from.elapsed() < PATIENCE, "{name} is {line:?}, wanted {wanted}");
    }
}

fn status(text: &str) -> &str {
    text.split(' ').nth(1).expect("a status")
}

#[test]
fn who_may_not_listen_gets_an_ordinary_answer_with_the_reason() {
    let server = server();
    let sam = scorers(&server);
    drop(Scorer::begins(&server, &sam, "m1"));
    let mut secret = Client::open(&server, &format!("/ws?token={sam}")).expect("let in");
    let mut state = initial();
    state["public"] = false.into();
    secret.say(
        &json!({"type": "initial_state", "room": "scores:hidden", "id": "1", "payload": state}).to_string(),
    );
    secret.next("ack");
    let invited = token(&server, &["--user", "gus", "--rooms", "scores:hidden"]);
    let elsewhere = token(&server, &["--user", "ela", "--rooms", "chat:*"]);
    for (target, fields, wanted, says) in [
        ("/api/matches/nobodys/events", vec![], "404", "Match not initialized"),
        ("/api/matches/not%20a%20name/events", vec![], "400", "matchId must name a match"),
        ("/api/matches/m1/events?mode=half", vec![], "400", "mode must be whole or delta"),
        ("/api/matches/list/events", vec![], "400", "matchId must name a match"),
        ("/api/matches/m1/events?since=yesterday", vec![], "400", "since must be EPOCH-OFFSET"),
        (EVENTS, vec![("Authorization", "Bearer x.y.z".to_owned())], "401", "Unauthorized: Invalid JWT"),
        (
            EVENTS,
            vec![("Authorization", format!("Bearer {elsewhere}"))],
            "403",
            "your token does not allow this room",
        ),
        (EVENTS, vec![("Origin", "https://evil.test".to_owned())], "403", "origin not allowed"),
        (EVENTS, vec![("Content-Length", "5".to_owned())], "400", "the request must not have a body"),
        (
            EVENTS,
            vec![("Host", "again.test".to_owned())],
            "400",
            "a header field that may stand once stands twice",
        ),
        ("/api/matches/hidden/events", vec![], "403", "the match is not public"),
    ] {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = Stream::ask(&server, target, &fields).whole();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert_eq!(status(head), wanted, "{target} {fields:?}: {answer}");
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert!(body["error"].as_str().is_some_and(|error| error.starts_with(says)), "{body}");
        assert!(head.contains("\r\nConnection: close") && head.contains("Content-Length: "), "{head}");
    }
    let answer = Stream::ask(&server, "/api/matches/nobodys/events", &[]).whole();
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(
        body,
        json!({"error": "Match not initialized", "code": "NOT_INITIALIZED", "matchId": "nobodys"}),
        "in the words of the protocol"
    );
    let bearer = format!("Bearer {invited}");
    let mut welcome = Stream::of(&server, "/api/matches/hidden/events", &[("Authorization", &bearer)]);
    assert_eq!(welcome.hear().data["data"]["matchId"], "hidden");
    let mut by_query = Stream::of(&server, &format!("{EVENTS}?token={sam}"), &[]);
    assert_eq!(by_query.hear().data["role"], "scorer");
    assert_eq!(Client::open(&server, EVENTS).err(), Some(404), "there is no WebSocket");
}

#[test]
fn pages_that_may_listen_are_told_so_by_their_browser() {
    let server =
        Server::configured(&format!("{CONFIG}[websocket]\nallowed_origins = [\"https://overlay.test\"]\n"));
    drop(Scorer::begins(&server, &scorers(&server), "m1"));
    for target in [EVENTS, "/api/matches/nobodys/events", "/api/matches/m1/events?mode=half"] {
        let mut stream = Stream::ask(&server, target, &[("Origin", "https://overlay.test")]);
        let head = stream.until(b"\r\n\r\n").expect("a head");
        assert!(
            head.contains("\r\nAccess-Control-Allow-Origin: https://overlay.test\r\n"),
            "{target}: {head}"
        );
        assert!(head.contains("\r\nVary: Origin"), "{head}");
    }
}

/// Killed without a word, and begun again where it was.
#[test]
fn who_comes_back_after_a_crash_has_missed_nothing_and_hears_nothing_twice() {
    let data = Folder::new();
    let before = Server::on(&data, &[]);
    let said = kulkul(&["token", "--data", data.text(), "--user", "sam", "--role", "scorer"]);
    let sam = String::from_utf8(said.stdout).expect("text").trim().to_owned();
    let mut scorer = Scorer::begins(&before, &sam, "m1");
    let mut viewer = Stream::of(&before, &format!("{EVENTS}?mode=delta"), &[]);
    let state = viewer.hear();
    let mut known = state.data["data"]["actions"].as_u64().expect("a number");
    let mut last = state.id;
    let follow = |events: &mut Stream, known: &mut u64, last: &mut Option<String>, upto: u64| {
        while *known < upto {
            let event = events.hear();
            if event.kind() == "match_action" {
                *known += 1;
                assert_eq!(event.data["data"]["number"], *known, "dense");
                *last = event.id;
            }
        }
    };
    let first = known;
    for _ in 0..5 {
        scorer.raids();
    }
    follow(&mut viewer, &mut known, &mut last, first + 3);
    // Two more are on the way to nobody.
    before.signal(Signal::SIGKILL);
    let address = before.address.clone();
    drop((viewer, before));
    let after = Server::on_at(&data, &address);
    let client = Client::open(&after, &format!("/ws?token={sam}")).expect("let in");
    let mut scorer = Scorer { client, ..scorer };
    let id = last.clone().expect("a place");
    let mut again = Stream::of(&after, &format!("{EVENTS}?mode=delta&since=0-0"), &[("Last-Event-ID", &id)]);
    follow(&mut again, &mut known, &mut last, first + 5);
    scorer.raids();
    follow(&mut again, &mut known, &mut last, first + 6);
    // A place that never was, and one that a client which cannot set fields says in the path.
    for (target, fields) in [
        (format!("{EVENTS}?mode=delta"), vec![("Last-Event-ID", "of another server")]),
        (format!("{EVENTS}?mode=delta&since=1-1"), vec![]),
    ] {
        let state = Stream::of(&after, &target, &fields).hear();
        assert_eq!((state.kind(), &state.data["data"]["actions"]), ("initialState", &json!(first + 6)));
        assert_eq!(state.id, last);
    }
}

#[test]
fn a_reader_that_does_not_read_holds_up_nobody_and_is_cut_off() {
    let server = Server::configured(&format!(
        "{CONFIG}[websocket]\nwrite_timeout = \"1s\"\n[limits]\nmessages_per_second = 10000\nburst = 10000\n"
    ));
    let mut sam = Scorer::begins(&server, &scorers(&server), "m1");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small window");
    let to: std::net::SocketAddr = server.address.parse().expect("an address");
    socket.connect(&to.into()).expect("listening");
    let mut deaf = TcpStream::from(socket);
    deaf.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    deaf.write_all(request(&server, EVENTS, &[]).as_bytes()).expect("taken");
    let mut whole = Stream::of(&server, EVENTS, &[]);
    let mut delta = Stream::of(&server, &format!("{EVENTS}?mode=delta"), &[]);
    whole.hear();
    let first = delta.hear().data["data"]["actions"].as_u64().expect("a number");
    for number in first + 1..=first + 300 {
        sam.raids();
        assert_eq!(delta.hear().data["data"]["number"], number, "each of them, at once");
        while whole.hear().data["data"]["actions"] != number {}
    }
    until_figure(&server, "stale_removed_total", 1);
    until_figure(&server, "streams", 2);
    let mut left = Vec::new();
    deaf.read_to_end(&mut left).ok();
    assert!(left.starts_with(b"HTTP/1.1 200 OK"));
}

#[test]
fn a_head_may_come_in_many_pieces_and_in_an_older_version_but_not_for_ever() {
    let server = Server::configured(&format!("{CONFIG}[websocket]\nhandshake_timeout = \"2s\"\n"));
    drop(Scorer::begins(&server, &scorers(&server), "m1"));
    let mut pieces = Stream::say(&server, "");
    for byte in request(&server, EVENTS, &[]).bytes() {
        pieces.socket.write_all(&[byte]).expect("taken");
    }
    assert!(pieces.until(b"\r\n\r\n").expect("a head").starts_with("HTTP/1.1 200 OK"));
    assert_eq!(pieces.hear().kind(), "initialState");
    let mut old = Stream::say(&server, &format!("GET {EVENTS} HTTP/1.0\r\n\r\n"));
    let head = old.until(b"\r\n\r\n").expect("a head");
    assert!(head.contains("Connection: close") && !head.contains("Transfer-Encoding"), "{head}");
    assert_eq!(old.hear().kind(), "initialState");
    let slow = Stream::say(&server, &format!("GET {EVENTS} HTTP/1.1\r\nX-Slow: ")).whole();
    assert_eq!(status(&slow), "408", "{slow}");
    let long = "x".repeat(10_000);
    let large = Stream::ask(&server, EVENTS, &[("X-Large", &long)]).whole();
    assert_eq!(status(&large), "431", "{large}");
}

#[test]
fn streams_are_counted_with_all_other_connections() {
    let server = Server::configured(&format!(
        "{CONFIG}[limits]\nconnections_per_address = 3\nconnections_per_user = 2\nexempt_addresses = [\"127.0.0.1\"]\n"
    ));
    let sam = scorers(&server);
    drop(Scorer::begins(&server, &sam, "m1"));
    let bearer = format!("Bearer {sam}");
    let of_user: Vec<Stream> =
        (0..2).map(|_| Stream::of(&server, EVENTS, &[("Authorization", &bearer)])).collect();
    let more = Stream::ask(&server, EVENTS, &[("Authorization", &bearer)]).whole();
    assert!(status(&more) == "429" && more.contains("Retry-After: 5"), "{more}");
    // For a browser's EventSource any status is the end, and this will pass.
    let fields = [("Authorization", &*bearer), ("Accept", "text/event-stream")];
    let later = Stream::ask(&server, EVENTS, &fields).whole();
    let (_, body) = later.split_once("\r\n\r\n").expect("a head");
    let wait = body.strip_prefix("retry: ").and_then(|rest| rest.trim_end().parse::<u32>().ok());
    assert!(status(&later) == "200" && wait.is_some_and(|wait| (6_000..7_001).contains(&wait)), "{later}");
    until_figure(&server, "connections", 2);
    until_figure(&server, "streams", 2);
    drop(of_user);
    until_figure(&server, "connections", 0);
    let listen = || {
        let mut socket = connect_from(&server.address, [127, 0, 0, 9]);
        socket.write_all(request(&server, EVENTS, &[]).as_bytes()).expect("taken");
        let mut first = [0; 12];
        socket.read_exact(&mut first).expect("an answer");
        (String::from_utf8_lossy(&first[9..]).into_owned(), socket)
    };
    let held: Vec<_> = (0..3).map(|_| listen()).collect();
    assert!(held.iter().all(|(status, _)| status == "200"));
    assert_eq!(listen().0, "429");
    until_figure(&server, "streams", 3);
    let operator = server.operator.as_ref().expect("it has one");
    let ask = format!("GET /stats HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    let stats: Value = serde_json::from_str(&server.http_at(operator, &ask).1).expect("JSON");
    assert_eq!((&stats["total_connections"], &stats["streams"]), (&json!(3), &json!(3)), "{stats}");
}

#[test]
fn who_talks_much_on_a_stream_is_shown_out() {
    let server = server();
    drop(Scorer::begins(&server, &scorers(&server), "m1"));
    let mut stream = Stream::of(&server, EVENTS, &[]);
    assert_eq!(stream.hear().kind(), "initialState");
    stream.socket.write_all(b"\r\n\r\n").expect("taken");
    stream.socket.write_all(&[b'x'; 4096]).expect("taken");
    let last = stream.hear();
    assert_eq!(last.data["error"], "policy violation");
    assert_eq!(stream.next(), None);
}

#[test]
fn a_token_that_ends_ends_its_stream_with_a_word() {
    let server = server();
    drop(Scorer::begins(&server, &scorers(&server), "m1"));
    let short = token(&server, &["--user", "vera", "--ttl", "2s"]);
    let bearer = format!("Bearer {short}");
    let mut stream = Stream::of(&server, EVENTS, &[("Authorization", &bearer)]);
    assert_eq!(stream.hear().kind(), "initialState");
    let last = loop {
        let event = stream.hear();
        if event.data.get("error").is_some() {
            break event;
        }
    };
    assert_eq!((&last.data["error"], &last.data["code"]), (&json!("token expired"), &json!("UNAUTHORIZED")));
    assert_eq!(stream.next(), None);
}

#[test]
fn a_server_that_drains_tells_streams_when_to_come_back() {
    let server = server();
    drop(Scorer::begins(&server, &scorers(&server), "m1"));
    let mut stream = Stream::of(&server, EVENTS, &[]);
    assert_eq!(stream.hear().kind(), "initialState");
    server.signal(Signal::SIGTERM);
    let rest = stream.whole();
    let wait = rest.trim_end().strip_prefix("retry: ").and_then(|wait| wait.parse::<u32>().ok());
    assert!(wait.is_some_and(|wait| (1000..2000).contains(&wait)), "{rest:?}");
    assert!(server.wait().success());
}

#[test]
fn a_quiet_stream_is_kept_alive() {
    let server =
        Server::configured(&format!("{CONFIG}[websocket]\nping_period = \"1s\"\nread_timeout = \"3s\"\n"));
    drop(Scorer::begins(&server, &scorers(&server), "m1"));
    let mut stream = Stream::of(&server, EVENTS, &[]);
    assert_eq!(stream.hear().kind(), "initialState");
    let from = Instant::now();
    for _ in 0..4 {
        assert_eq!(stream.until(b"\n\n").as_deref(), Some(":"));
    }
    assert!(from.elapsed() > Duration::from_secs(3), "longer than a socket may be silent");
}
