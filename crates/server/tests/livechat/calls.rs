//! What was tried against the HTTP calls, and what they do about it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{PATIENCE, Server};
use crate::{CONFIG, NOBODYS, agents, call, call_as, server, start};

/// By the secret of `CONFIG`, as a login does that has it.
fn signed(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).expect("signed")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn agent_of(department: &str, id: &str) -> Value {
    json!({"sub": id, "name": id, "role": "agent", "department_id": department, "exp": now() + 600})
}

/// Ids that nobody has: each would load a room.
#[test]
fn a_customer_asks_as_often_as_by_socket_and_the_staff_five_times_as_often() {
    let server = Server::configured(&format!("{CONFIG}[limits]\nmessages_per_second = 1\nburst = 4\n"));
    let (session, _, guest) = start(&server, &json!({}));
    let agent = agents(&server, "ada");
    let said = |token: &str, number: usize| {
        let body = json!({"session_id": session, "message": format!("number {number}")});
        call_as(&server, Some(token), "POST /api/public/chat/message", &body)
    };
    let (taken, (status, told)) = (0..200)
        .map(|number| said(&guest, number))
        .enumerate()
        .find(|(_, (status, _))| *status != 200)
        .expect("too many");
    // Meanwhile one more becomes free each second.
    assert!((4..100).contains(&taken), "{taken}");
    assert_eq!(
        (status, &told["success"], &told["error"]),
        (429, &json!(false), &json!("RATE_LIMIT")),
        "{told}"
    );
    assert!(told["data"]["retry_after_ms"].as_u64().is_some_and(|wait| wait <= 1000), "{told}");
    let ask = format!(
        "GET /api/chat/session/{NOBODYS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {guest}\r\n\r\n"
    );
    let mut asked = (0..10).map(|_| server.http_whole_at(&server.address, &ask));
    let (_, whole) = asked.find(|(status, _)| *status == 429).expect("the same of whatever is asked");
    assert!(whole.to_ascii_lowercase().contains("\r\nretry-after: 1\r\n"), "{whole}");
    let looks =
        (0..20).all(|_| call_as(&server, Some(&agent), "GET /api/agent-status/stats", &json!({})).0 == 200);
    assert!(looks, "a desk looks more often");
}

/// A proxy that is believed says whom it heard, and each of those begins as many as one who comes directly.
#[test]
fn behind_a_proxy_each_visitor_is_counted_alone() {
    let server = Server::configured(&format!(
        "{CONFIG}[limits]\nexempt_addresses = []\n[proxies]\ntrusted = [\"127.0.0.1\"]\n"
    ));
    let begin = |visitor: &str| {
        let (status, _) = server.http(&format!(
            "POST /api/chat/start HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: {visitor}\r\n\
             Content-Length: 2\r\n\r\n{{}}"
        ));
        status
    };
    let begun = (0..600).take_while(|_| begin("203.0.113.9") == 201).count();
    // Meanwhile one more becomes free each second.
    assert!((60..600).contains(&begun), "{begun}");
    assert_eq!(begin("203.0.113.10"), 201, "somebody else by the same proxy");
}

/// And where the proxy itself is not counted, as by default, who comes by it still is.
#[test]
fn behind_a_proxy_that_is_not_counted_a_visitor_is() {
    let server = Server::configured(&format!("{CONFIG}[proxies]\ntrusted = [\"127.0.0.1\"]\n"));
    let refused = (0..600).any(|_| {
        let (status, _) = server.http(
            "POST /api/chat/start HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 203.0.113.9\r\n\
             Content-Length: 2\r\n\r\n{}",
        );
        status == 429
    });
    assert!(refused);
}

/// A body that never comes keeps its own connection, and no place of those that are asked and answered.
#[test]
fn bodies_that_are_half_sent_keep_nobody_out_and_are_given_up() {
    const PLACES: usize = 512;
    // One shard takes sockets in their order: all of these are heard before who comes after them.
    let server = Server::configured(&format!("shards = 1\n{CONFIG}"));
    let half = "POST /api/chat/start HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    let sent = |_| {
        let mut stream = TcpStream::connect(&server.address).expect("listening");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(half.as_bytes()).expect("taken");
        stream
    };
    let mut halves: Vec<TcpStream> = (0..PLACES + 8).map(sent).collect();
    for _ in 0..8 {
        start(&server, &json!({}));
    }
    let mut answer = String::new();
    halves[0].read_to_string(&mut answer).expect("an answer in text");
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(r#""success":false"#), "{answer}");
}

/// More agents than fit into a board: those at its end are known, too, and counted.
#[test]
fn agents_beyond_what_a_board_holds_are_counted_and_found() {
    const AGENTS: usize = 300;
    let server = server();
    let name = |number: usize| format!("agent-{number:03}-whose-name-is-neither-short-nor-long");
    let tokens: Vec<String> = (0..AGENTS).map(|number| signed(&agent_of("general", &name(number)))).collect();
    for (number, token) in tokens.iter().enumerate() {
        let status = if number % 3 == 0 { "busy" } else { "online" };
        call(&server, token, "POST /api/agent-status/heartbeat", &json!({ "status": status }));
    }
    let last = tokens.last().expect("some");
    let get = |path: &str| call(&server, last, &format!("GET /api/agent-status/{path}"), &json!({}));
    let figures = get("stats");
    assert_eq!((&figures["online"], &figures["busy"]), (&json!(200), &json!(100)), "{figures}");
    let all = get("department/general");
    let listed = all["agents"].as_array().expect("a list").len();
    assert!(listed < AGENTS, "{listed} fit: the test needs longer names");
    assert_eq!((&all["total"], &all["more"]), (&json!(AGENTS), &json!(true)));
    assert_eq!(get("online")["total"], 200);
    let found = get(&format!("agent/{}", name(AGENTS - 1)));
    assert_eq!(found["agents"][0]["agent_id"], json!(name(AGENTS - 1)), "{found}");
    assert_eq!(found["agents"][0]["status"], "online");
    let (status, told) = call_as(&server, Some(last), "GET /api/agent-status/agent/nobody", &json!({}));
    assert_eq!(status, 404, "{told}");
}

/// Messages of the largest kind: an answer has some of them, and says from where on there is more.
#[test]
fn a_long_past_is_told_in_parts_that_fit_into_memory() {
    const SAID: usize = 130;
    const ANSWER_BYTES_MAX: usize = (1 << 20) + (256 << 10);
    let server =
        Server::configured(&format!("{CONFIG}[limits]\nmessages_per_second = 10000\nburst = 10000\n"));
    let (session, _, guest) = start(&server, &json!({}));
    for number in 0..SAID {
        let message = format!("{number} {}", "\u{1f4a1}".repeat(3900));
        call(
            &server,
            &guest,
            "POST /api/public/chat/message",
            &json!({"session_id": session, "message": message}),
        );
    }
    let (mut read, mut before, mut answers) = (Vec::new(), String::new(), 0);
    loop {
        let request = format!("GET /api/public/chat/session/{session}/messages{before}");
        let told = call(&server, &guest, &request, &json!({}));
        let bytes = told.to_string().len();
        assert!(bytes <= ANSWER_BYTES_MAX, "{bytes}");
        let said = told["messages"].as_array().expect("a list").iter();
        let numbers = said.filter_map(|it| it["message"].as_str()?.split(' ').next()?.parse().ok());
        let part: Vec<usize> = numbers.collect();
        read.splice(0..0, part);
        answers += 1;
        match told["next"].as_str() {
            Some(next) => before = format!("?before={next}"),
            None => break assert_eq!(told["more"], false),
        }
    }
    assert!(answers > 1, "all of it at once");
    assert_eq!(read, (0..SAID).collect::<Vec<usize>>(), "each once, in their order");
    let (status, told) = call_as(
        &server,
        Some(&guest),
        &format!("GET /api/chat/session/{session}/transcript?before=yesterday"),
        &json!({}),
    );
    assert_eq!((status, &told["data"]["field"]), (400, &json!("before")), "{told}");
}

#[test]
fn an_agent_closes_as_old_desks_do_and_a_customer_by_none_of_their_calls() {
    let server = server();
    let (session, _, guest) = start(&server, &json!({}));
    let agent = agents(&server, "ada");
    // Without a body, as desks send it.
    let (status, told) = server.http(&format!(
        "POST /api/agent-status/heartbeat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {agent}\r\n\
         Content-Length: 0\r\n\r\n"
    ));
    assert_eq!(status, 200, "{told}");
    let about = || call(&server, &agent, &format!("GET /api/chat/session/{session}"), &json!({}));
    let until = Instant::now() + PATIENCE;
    while about()["agent"]["id"] != "ada" {
        assert!(Instant::now() < until, "{}", about());
        std::thread::yield_now();
    }
    let close =
        json!({"session_id": session, "reason": "solved", "message": "x", "rating": 5, "feedback": "Mine"});
    for path in
        ["agent/message", "agent/assign", "agent/transfer", "agent/close", "admin/assign", "admin/close"]
    {
        let request = format!("POST /api/chat-management/{path}");
        let (status, told) = call_as(&server, Some(&guest), &request, &close);
        let says = told["message"].as_str().unwrap_or_default();
        assert!(status == 403 && says.starts_with("this call is the staff's"), "{path}: {status} {told}");
    }
    call(&server, &agent, "POST /api/chat-management/agent/close", &close);
    let told = about();
    assert_eq!((&told["status"], &told["reason"]), (&json!("closed"), &json!("solved")), "{told}");
    assert_eq!(told["rated"], Value::Null, "nobody has said how good it was: {told}");
    let rating = json!({"session_id": session, "rating": 2});
    call(&server, &guest, "POST /api/chat/rate", &rating);
}

fn claims(token: &str) -> Value {
    let written = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(written).expect("base64")).expect("JSON")
}

/// Whoever has a copy of a guest's token would otherwise have one for ever.
#[test]
fn a_guests_token_is_exchanged_until_ninety_days_after_the_first_and_no_other_is() {
    const DAY: u64 = 24 * 3600;
    let server = server();
    let (_, visitor, first) = start(&server, &json!({}));
    let exchanged = |token: &str| call_as(&server, Some(token), "POST /api/chat/start", &json!({}));
    let (status, told) = exchanged(&first);
    assert_eq!((status, &told["data"]["chat_user_id"]), (201, &json!(visitor)), "{told}");
    let newer = claims(told["data"]["token"].as_str().expect("one for the new session"));
    let lasts = newer["exp"].as_u64().expect("it ends") - now();
    assert!((29 * DAY..=30 * DAY).contains(&lasts), "{lasts} s");
    // The same visitor, 89 days later.
    let mut old = claims(&first);
    let since = now() - 89 * DAY;
    let id = old["jti"].as_str().expect("an id of its own").split(':').collect::<Vec<_>>();
    old["jti"] = format!("{}:{since}:{}", id[0], id[2]).into();
    let (status, told) = exchanged(&signed(&old));
    assert_eq!(status, 201, "{told}");
    let last = claims(told["data"]["token"].as_str().expect("one more"));
    assert_eq!(last["exp"], since + 90 * DAY, "{last}");
    // Made by a login for somebody whose id and rooms are as a guest's.
    old["jti"] = Value::Null;
    let (status, told) = exchanged(&signed(&old));
    assert_eq!((status, &told["data"]["token"]), (403, &Value::Null), "{told}");
}

/// Old clients read `message` of whatever is not what they asked for.
#[test]
fn what_comes_before_a_call_is_refused_in_the_envelope_too() {
    let server = server();
    for (request, status) in [
        ("POST /api/chat/start/", 404),
        ("GET /api/chat", 404),
        ("GET /api/public/chat/nothing", 404),
        ("GET /api/chat-management/agent/sessions/x/y", 404),
        ("GET /api/session/", 404),
        ("GET /api/auth", 404),
        ("GET /api/analytics/", 404),
        ("DELETE /api/chat/start", 405),
    ] {
        let (got, told) = call_as(&server, None, request, &json!({}));
        assert_eq!((got, &told["success"]), (status, &json!(false)), "{request}: {told}");
        assert!(told["message"].is_string() && told["error"].is_string(), "{request}: {told}");
    }
    let (status, told) = server.http(
        "POST /api/chat/start HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: https://evil.example\r\n\
         Content-Length: 2\r\n\r\n{}",
    );
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(
        (status, &told["success"], &told["message"]),
        (403, &json!(false), &json!("origin not allowed"))
    );
}

#[test]
fn a_field_that_is_wrong_is_refused_by_its_name() {
    let server = server();
    let (session, _, guest) = start(&server, &json!({}));
    let post = |path: &str, body: &str| {
        let (status, told) = server.http(&format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {guest}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        (status, serde_json::from_str::<Value>(&told).expect("JSON"))
    };
    let message = "/api/public/chat/message";
    let with = |fields: &str| format!(r#"{{"session_id":"{session}",{fields}}}"#);
    for (path, body, field) in [
        // Which of them is meant, the one who checks and the one who acts might see differently.
        (message, with(&format!(r#""message":"x","session_id":"{NOBODYS}""#)), "session_id"),
        (message, with(r#""message":"x","message":"y""#), "message"),
        (message, with(r#""message":7"#), "message"),
        (message, with(r#""message":"x","message_type":"song""#), "message_type"),
        (message, r#"{"message":"x"}"#.to_owned(), "session_id"),
        (
            message,
            with(r#""attachments":[{"url":"/a","url":"/b","type":"image/png","size":1}]"#),
            "attachments",
        ),
        ("/api/chat/start", r#"{"priority":"soon"}"#.to_owned(), "priority"),
        ("/api/chat/rate", with(r#""rating":6"#), "rating"),
    ] {
        let (status, told) = post(path, &body);
        assert_eq!((status, &told["error"]), (400, &json!("INVALID_PAYLOAD")), "{body}: {told}");
        assert_eq!(told["data"]["field"], field, "{body}: {told}");
    }
    for (query, field) in
        [("limit=0", "limit"), ("page=0", "page"), ("limit=51", "limit"), ("limit=1&limit=2", "limit")]
    {
        let request = format!("GET /api/chat/history?{query}");
        let (status, told) = call_as(&server, Some(&guest), &request, &json!({}));
        assert_eq!((status, &told["data"]["field"]), (400, &json!(field)), "{query}: {told}");
    }
}

/// A department knows so many agents, and the next one is refused there; not in the others.
#[test]
fn a_department_that_is_full_of_agents_keeps_none_off_duty_in_another() {
    const AGENTS: usize = 500;
    let departments =
        "[[support.departments]]\nname = \"first\"\n[[support.departments]]\nname = \"second\"\n";
    let server = Server::configured(&format!("{CONFIG}{departments}"));
    let online = |token: &str| {
        let body = json!({"status": "online"});
        call_as(&server, Some(token), "POST /api/agent-status/heartbeat", &body)
    };
    for number in 0..AGENTS {
        let (status, told) = online(&signed(&agent_of("first", &format!("a{number}"))));
        assert_eq!(status, 200, "{told}");
    }
    let mut both = agent_of("first", "late");
    both["department_id"] = json!(["first", "second"]);
    let late = signed(&both);
    let (status, told) = online(&late);
    assert_eq!((status, &told["data"]["departments"]), (200, &json!(["second"])), "{told}");
    let refused = &told["data"]["refused"][0];
    assert_eq!((&refused["department"], &refused["error"]), (&json!("first"), &json!("BUSY")), "{told}");
    let found = call(&server, &late, "GET /api/agent-status/agent/late", &json!({}));
    assert_eq!(found["agents"][0]["department"], "second", "{found}");
    let (status, told) = online(&signed(&agent_of("first", "later")));
    assert_eq!((status, &told["error"]), (503, &json!("BUSY")), "{told}");
}
