//! Livechat clients against the real process: how they are let in, a session from its start to its rating, what they ask by HTTP.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

#[path = "livechat/calls.rs"]
mod calls;
#[path = "livechat/lists.rs"]
mod lists;

use serde_json::{Value, json};
use support::{Client, Server, kulkul};

const CONFIG: &str = r#"
secret = "0123456789abcdef0123456789abcdef"
"#;
const NOBODYS: &str = "550e8400-e29b-41d4-a716-446655440000";

fn server() -> Server {
    Server::configured(CONFIG)
}

fn token(server: &Server, args: &[&str]) -> String {
    let told = kulkul(&[&["token", "--config", server.config_path()], args].concat());
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).expect("UTF-8").trim().to_owned()
}

fn agents(server: &Server, id: &str) -> String {
    token(server, &["--user", id, "--name", id, "--role", "agent", "--groups", "general"])
}

fn call_as(server: &Server, token: Option<&str>, request: &str, body: &Value) -> (u16, Value) {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let body = if request.starts_with("GET") { String::new() } else { body.to_string() };
    let (status, told) = server.http(&format!(
        "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{bearer}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    ));
    (status, serde_json::from_str(&told).unwrap_or(Value::String(told)))
}

fn call(server: &Server, token: &str, request: &str, body: &Value) -> Value {
    let (status, told) = call_as(server, Some(token), request, body);
    assert!((200..300).contains(&status) && told["success"] == true, "{request}: {status} {told}");
    told["data"].clone()
}

/// A visitor who has just begun: the session's id, the visitor's, the token.
fn start(server: &Server, body: &Value) -> (String, String, String) {
    let (status, told) = call_as(server, None, "POST /api/chat/start", body);
    assert_eq!((status, &told["data"]["status"]), (201, &json!("waiting")), "{told}");
    let text = |key: &str| told["data"][key].as_str().expect("a text").to_owned();
    (text("session_id"), text("chat_user_id"), text("token"))
}

fn come(server: &Server, (session, user, role): (&str, &str, &str), token: &str) -> Client {
    let mut client =
        Client::open(server, &format!("/ws/{session}/{user}/{role}?token={token}")).expect("let in");
    let greeting = client.next("connection_established");
    let data = &greeting["data"];
    assert_eq!(
        (&data["session_id"], &data["user_id"], &data["user_type"]),
        (&json!(session), &json!(user), &json!(role))
    );
    assert_eq!(greeting["success"], true);
    client
}

fn say(client: &mut Client, kind: &str, data: &Value) {
    client.say(
        &json!({"type": kind, "session_id": NOBODYS, "user_id": "x", "user_type": "admin", "data": data})
            .to_string(),
    );
}

#[test]
fn an_upgrade_is_refused_as_malformed_then_unproven_then_forbidden() {
    let server = server();
    let agent = agents(&server, "a1");
    let status = |path: &str| Client::open(&server, path).err();
    assert_eq!(status(&format!("/ws/seven/a1/agent?token={agent}")), Some(400), "a session is a UUID");
    assert_eq!(status(&format!("/ws/{NOBODYS}/a1/robot?token={agent}")), Some(400), "one of four");
    assert_eq!(status(&format!("/ws/{NOBODYS}/a1/agent?token={agent}&since=yesterday")), Some(400));
    assert_eq!(status(&format!("/ws/{NOBODYS}/a1/agent")), Some(401));
    assert_eq!(status(&format!("/ws/{NOBODYS}/a1/agent?token=x.y.z")), Some(401));
    assert_eq!(status(&format!("/ws/{NOBODYS}/a2/agent?token={agent}")), Some(403), "another user");
    assert_eq!(status(&format!("/ws/{NOBODYS}/a1/customer?token={agent}")), Some(403), "another user_type");
    let (status, told) =
        server.http(&format!("GET /ws/{NOBODYS}/a1/agent HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_eq!(status, 426, "{told}");
}

#[test]
fn who_may_not_be_in_a_session_is_told_so_and_let_go() {
    let server = server();
    let (session, ..) = start(&server, &json!({"topic": "Licence"}));
    let stranger = token(&server, &["--user", "c9", "--role", "customer"]);
    let mut client =
        Client::open(&server, &format!("/ws/{session}/c9/customer?token={stranger}")).expect("let in");
    assert_eq!(client.next("error")["success"], false);
    assert_eq!(client.closed().0, 4503);
    // A guest's token is for the session that it began, and the path cannot make it another's.
    let (_, visitor, guest) = start(&server, &json!({"topic": "Another"}));
    let mut client =
        Client::open(&server, &format!("/ws/{session}/{visitor}/customer?token={guest}")).expect("let in");
    assert_eq!(client.next("error")["error"], "your token does not allow this room");
    assert_eq!(client.closed().0, 4503);
    let (status, told) =
        call_as(&server, Some(&guest), &format!("GET /api/chat/session/{session}"), &json!({}));
    assert_eq!((status, &told["success"]), (403, &json!(false)), "{told}");
}

#[test]
fn a_session_from_its_start_to_its_rating() {
    let server = server();
    let (session, visitor, guest) = start(&server, &json!({"topic": "Licence", "contact_name": "Cy"}));
    let mut cy = come(&server, (&session, &visitor, "customer"), &guest);
    let here = cy.next("connection_status_update");
    assert_eq!(
        (&here["data"]["connection_status"]["total_customer"], &here["data"]["session"]["status"]),
        (&json!(1), &json!("waiting"))
    );
    say(&mut cy, "join_session", &json!({"user_id": visitor}));
    assert_eq!(cy.next("session_joined")["data"]["user_id"], json!(visitor));

    let agent = agents(&server, "ada");
    call(&server, &agent, "POST /api/agent-status/heartbeat", &json!({"status": "online"}));
    let active = loop {
        let update = cy.next("session_update");
        if update["data"]["status"] == "active" {
            break update;
        }
    };
    assert_eq!(active["data"]["agent"]["id"], "ada");
    let mut ada = come(&server, (&session, "ada", "agent"), &agent);
    ada.next("connection_status_update");
    let came = cy.next("connection_status_update");
    assert_eq!(
        (&came["data"]["event_type"], &came["data"]["event_user_id"]),
        (&json!("user_connected"), &json!("ada"))
    );
    assert_eq!(came["data"]["connection_status"]["users"]["ada"]["user_type"], "agent");

    say(&mut cy, "typing_start", &json!({"is_typing": true}));
    let typing = ada.next("typing_indicator");
    assert_eq!(
        (&typing["data"]["is_typing"], &typing["data"]["sender_type"]),
        (&json!(true), &json!("customer"))
    );
    say(&mut cy, "send_message", &json!({"message": "Hello"}));
    let sent = cy.next("message_sent");
    let heard = ada.next("new_message");
    assert_eq!(
        (&heard["data"]["message"], &heard["data"]["sender_type"]),
        (&json!("Hello"), &json!("customer"))
    );
    assert_eq!(heard["data"]["message_id"], sent["data"]["message_id"], "one id for both");
    let by_http = call(
        &server,
        &agent,
        "POST /api/chat-management/agent/message",
        &json!({"session_id": session, "message": "Hi", "id": "m-1"}),
    );
    let again = call(
        &server,
        &agent,
        "POST /api/chat-management/agent/message",
        &json!({"session_id": session, "message": "Hi", "id": "m-1"}),
    );
    assert_eq!(by_http["message_id"], again["message_id"], "sent again it is stored once");
    assert_eq!(cy.next("new_message")["data"]["message"], "Hi");
    say(&mut cy, "mark_read", &json!({"message_id": by_http["message_id"]}));
    assert_eq!(ada.next("message_read")["data"]["user_type"], "customer");
    say(&mut ada, "add_note", &json!({"note": "in a hurry"}));
    ada.next("ack");

    let connected =
        call(&server, &agent, &format!("GET /api/session/{session}/connection-status"), &json!({}));
    assert_eq!((&connected["total_customer"], &connected["total_agent"]), (&json!(1), &json!(1)));
    call(
        &server,
        &agent,
        "POST /api/chat-management/agent/close",
        &json!({"session_id": session, "reason": "solved"}),
    );
    assert_eq!(cy.next("session_closed")["data"]["reason"], "solved", "and no note before it");
    say(&mut cy, "send_message", &json!({"message": "One more"}));
    assert!(cy.next("error")["error"].as_str().is_some_and(|text| text.starts_with("Session is closed")));
    say(&mut cy, "rate", &json!({"rating": 5, "feedback": "Thanks"}));
    assert_eq!(cy.next_of(&["ack", "message_sent"])["type"], "ack", "a rating is no message");
    assert_eq!(ada.next("session_rated")["data"]["rating"], 5);
    let (status, told) =
        call_as(&server, Some(&guest), "POST /api/chat/close", &json!({"session_id": session}));
    assert_eq!((status, &told["message"]), (400, &json!("Session is already closed")));

    let whole = call(&server, &guest, &format!("GET /api/chat/session/{session}/transcript"), &json!({}));
    let said: Vec<&str> = whole["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["message"].as_str())
        .collect();
    assert_eq!(said, ["Hello", "Hi"], "no note is the customer's to read");
    let staffs =
        call(&server, &agent, &format!("GET /api/public/chat/session/{session}/messages"), &json!({}));
    assert!(staffs["messages"].as_array().expect("a list").iter().any(|it| it["note"] == "in a hurry"));
    let (status, page) = server.http(&format!(
        "GET /api/chat/session/{session}/transcript?format=html HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {guest}\r\n\r\n"
    ));
    assert!(status == 200 && page.contains("<p>Hello</p>") && !page.contains("in a hurry"), "{page}");
    let staffs = |more: &str| {
        let (status, page) = server.http(&format!(
            "GET /api/chat/session/{session}/transcript?format=html{more} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {agent}\r\n\r\n"
        ));
        assert!(status == 200 && page.contains("<p>Hello</p>"), "{page}");
        page
    };
    assert!(!staffs("").contains("in a hurry"), "what an agent prints may be handed to the customer");
    let page = staffs("&notes=1");
    let note = page.split("<li").find(|item| item.contains("in a hurry")).expect("the staff's own copy");
    assert!(note.starts_with(" class=\"note\"><strong>Private note</strong>"), "{note}");
}

#[test]
fn a_visitor_who_comes_again_has_the_list_of_their_own_sessions_alone() {
    let server = server();
    let (first, visitor, guest) = start(&server, &json!({"topic": "One"}));
    start(&server, &json!({"topic": "Somebody else's"}));
    let (status, told) = call_as(&server, Some(&guest), "POST /api/chat/start", &json!({"topic": "Two"}));
    assert_eq!((status, &told["data"]["chat_user_id"]), (201, &json!(visitor)), "{told}");
    let newer = told["data"]["token"].as_str().expect("a token for it").to_owned();
    let ids = || -> Vec<String> {
        let told = call(&server, &newer, "GET /api/chat/history", &json!({}));
        let sessions = told["sessions"].as_array().expect("a list").clone();
        sessions.iter().filter_map(|it| it["session_id"].as_str().map(str::to_owned)).collect()
    };
    // The inbox is told by steps of the sessions' rooms, a moment later.
    let until = std::time::Instant::now() + support::PATIENCE;
    while ids().len() < 2 {
        assert!(std::time::Instant::now() < until, "{:?}", ids());
        std::thread::yield_now();
    }
    assert!(ids().contains(&first), "{:?}", ids());
    assert_eq!(
        call_as(&server, None, "GET /api/chat/history", &json!({})).0,
        401,
        "knowing an id proves nobody"
    );
}

#[test]
fn whoever_comes_back_gets_what_was_missed_once() {
    let server = server();
    let (session, visitor, guest) = start(&server, &json!({}));
    let mut cy = come(&server, (&session, &visitor, "customer"), &guest);
    say(&mut cy, "send_message", &json!({"message": "one"}));
    let last = cy.next("message_sent")["data"]["message_id"].as_str().expect("an id").to_owned();
    cy.hang_up();
    let mut second = come(&server, (&session, &visitor, "customer"), &guest);
    say(&mut second, "send_message", &json!({"message": "two"}));
    second.next("message_sent");
    let target = format!("/ws/{session}/{visitor}/customer?token={guest}&since={last}");
    let mut back = Client::open(&server, &target).expect("let in");
    back.next("session_resumed");
    assert_eq!(back.next("new_message")["data"]["message"], "two");
    say(&mut back, "dance", &json!({}));
    assert_eq!(back.next_of(&["error", "new_message"])["error"], "Unknown message type: dance");
    say(&mut back, "ping", &json!({}));
    assert_eq!(back.next_of(&["pong", "new_message"])["type"], "pong");
}

#[test]
fn what_is_kept_elsewhere_says_so() {
    let server = server();
    let agent = agents(&server, "a1");
    let of = |request: &str| call_as(&server, Some(&agent), request, &json!({}));
    assert_eq!(of("POST /api/auth/login").0, 404);
    assert_eq!(of("GET /api/analytics/dashboard").0, 404);
    assert_eq!(of("POST /api/public/chat/upload").0, 501);
    assert_eq!(of("POST /api/chat/link-user").0, 403);
    let (status, told) = of("GET /api/chat/session/seven");
    assert_eq!((status, &told["message"]), (400, &json!("session_id must be a UUID")));
    let (status, told) = of("GET /api/agent-status/department/licences");
    assert_eq!(status, 404, "{told}");
    let customer = token(&server, &["--user", "c1"]);
    assert_eq!(
        call_as(&server, Some(&customer), "GET /api/chat-management/admin/waiting", &json!({})).0,
        403
    );
}

#[test]
fn a_server_whose_tokens_others_sign_begins_nothing_for_a_stranger() {
    let key = "[[auth.keys]]\nalgorithm = \"HS256\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n";
    let server = Server::configured(key);
    let (status, told) = call_as(&server, None, "POST /api/chat/start", &json!({"topic": "x"}));
    assert_eq!((status, &told["success"]), (401, &json!(false)), "{told}");
}

#[test]
fn an_address_begins_so_many_sessions_a_minute_and_is_then_told_to_wait() {
    let server = Server::configured(&format!("{CONFIG}[limits]\nexempt_addresses = []\n"));
    let ask = |_| call_as(&server, None, "POST /api/chat/start", &json!({}));
    // Meanwhile one more becomes free each second.
    let (begun, (status, told)) =
        (0..600).map(ask).enumerate().find(|(_, (status, _))| *status != 201).expect("too many");
    assert!(begun >= 60, "{begun}");
    assert_eq!((status, &told["error"]), (429, &json!("RATE_LIMIT")), "{told}");
    assert!(told["data"]["retry_after_ms"].as_u64().is_some_and(|wait| wait <= 1000), "{told}");
}

#[test]
fn a_token_of_ones_own_login_is_exchanged_for_none_that_may_more() {
    let server = server();
    let narrow = token(&server, &["--user", "c7", "--rooms", "support:*"]);
    let (status, told) = call_as(&server, Some(&narrow), "POST /api/chat/start", &json!({}));
    assert_eq!((status, told["data"].get("token")), (201, None), "{told}");
    let elsewhere = token(&server, &["--user", "visitor-c7", "--rooms", "chat:team"]);
    let (status, told) = call_as(&server, Some(&elsewhere), "POST /api/chat/start", &json!({}));
    assert_eq!((status, told["data"].get("token")), (403, None), "{told}");
}

#[test]
fn a_newer_token_that_does_not_allow_the_session_ends_the_connection() {
    let server = server();
    let (session, visitor, guest) = start(&server, &json!({}));
    let other = token(&server, &["--user", &visitor, "--rooms", &format!("support:{NOBODYS}")]);
    let mut cy = come(&server, (&session, &visitor, "customer"), &guest);
    say(&mut cy, "refresh", &json!({"token": other}));
    assert_eq!(cy.closed().0, 4503);
}

#[test]
fn the_longest_message_fits_into_a_frame_of_the_livechat_mount() {
    let server = server();
    let (session, visitor, guest) = start(&server, &json!({}));
    let mut cy = come(&server, (&session, &visitor, "customer"), &guest);
    say(&mut cy, "send_message", &json!({"message": "\u{1f941}".repeat(4000)}));
    cy.next("message_sent");
}

#[test]
fn a_role_that_is_no_staffs_is_a_customers() {
    let server = server();
    let (session, visitor, _) = start(&server, &json!({}));
    let own = token(&server, &["--user", &visitor, "--role", "user"]);
    let mut cy =
        Client::open(&server, &format!("/ws/{session}/{visitor}/customer?token={own}")).expect("let in");
    assert_eq!(cy.next("connection_established")["data"]["user_type"], "customer");
    assert_eq!(Client::open(&server, &format!("/ws/{session}/{visitor}/agent?token={own}")).err(), Some(403));
}

#[test]
fn the_health_page_has_what_probes_of_the_livechat_service_read() {
    let mount = "[[mounts]]\npath = \"/ws/{session}/{user}/{type}\"\nprotocol = \"livechat\"\n\
                 allowed_origins = [\"https://www.example.org\"]\n";
    let server = Server::configured(&format!("{CONFIG}{mount}"));
    let told = server.get_json("/health");
    let port = server.address.rsplit(':').next().expect("a port");
    assert_eq!(
        told,
        json!({"status": "ok", "message": "kulkul is running", "port": port, "environment": "production",
            "cors_origins": "https://www.example.org"})
    );
    let without = Server::configured(&format!("{CONFIG}[[mounts]]\npath = \"/ws\"\n"));
    assert_eq!(without.get_json("/health"), json!({"status": "ok"}), "no detail for others");
    assert_eq!(Server::start().get_json("/health")["environment"], "development", "in demo mode");
}
