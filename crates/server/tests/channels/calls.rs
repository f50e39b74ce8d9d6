//! What hub clients ask by HTTP.

use serde_json::{Value, json};

use super::support::Server;
use super::{hub, join, send, server, token, token_of};

/// A user who asks by HTTP.
pub(super) struct Caller<'a> {
    server: &'a Server,
    token: String,
}

impl<'a> Caller<'a> {
    pub(super) fn new(server: &'a Server, user: &str, name: &str) -> Caller<'a> {
        Caller { server, token: token(server, user, name) }
    }

    fn ask(&self, request: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) =
            ask(self.server, request, &format!("Authorization: Bearer {}\r\n", self.token), &body);
        (status, serde_json::from_str(&answer).unwrap_or(Value::String(answer)))
    }

    pub(super) fn get(&self, path: &str) -> Value {
        let (status, told) = self.ask(&format!("GET /api/v1{path}"), &Value::Null);
        assert_eq!(status, 200, "{path}: {told}");
        told
    }

    fn group(&self, body: &Value) -> String {
        let (status, channel) = self.ask("POST /api/v1/channels/", body);
        assert_eq!(status, 201, "{channel}");
        channel["id"].as_str().expect("an id").to_owned()
    }
}

fn ask(server: &Server, request: &str, fields: &str, body: &str) -> (u16, String) {
    server.http(&format!(
        "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{fields}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    ))
}

fn names(channel: &Value) -> Vec<(&str, &str)> {
    let members = channel["members"].as_array().expect("members");
    members
        .iter()
        .map(|it| (it["user_id"].as_str().unwrap_or(""), it["role"].as_str().unwrap_or("")))
        .collect()
}

#[test]
fn a_channel_is_created_seen_changed_and_deleted() {
    let server = server();
    let ana = Caller::new(&server, "7", "Ana");
    let body = json!({ "name": "Plans", "type": "group", "description": "What next", "user_ids": [8, "9"], "icon": 1 });
    let (status, channel) = ana.ask("POST /api/v1/channels", &body);
    assert_eq!(status, 201, "{channel}");
    let id = channel["id"].as_str().expect("an id");
    assert!(id.parse::<u64>().is_ok_and(|id| id < 1 << 53), "a number that every client can hold: {id}");
    assert_eq!(
        (&channel["name"], &channel["type"], &channel["role"]),
        (&"Plans".into(), &"group".into(), &"owner".into())
    );
    assert_eq!(names(&channel), [("7", "owner"), ("8", "member"), ("9", "member")]);
    assert_eq!(ana.get(&format!("/channels/{id}")), channel);
    let (status, changed) =
        ana.ask(&format!("PUT /api/v1/channels/{id}"), &json!({ "name": "Plans 2", "access": "private" }));
    assert_eq!(
        (status, &changed["name"], &changed["description"]),
        (200, &"Plans 2".into(), &"What next".into())
    );
    // Its members find it in their lists, and nobody else sees it.
    let bo = Caller::new(&server, "8", "Bo");
    until_listed(&bo, id, Some("Plans 2"));
    let (status, told) =
        Caller::new(&server, "10", "Di").ask(&format!("GET /api/v1/channels/{id}"), &Value::Null);
    assert_eq!((status, &told["code"]), (403, &"FORBIDDEN".into()), "{told}");
    let (status, told) = bo.ask(&format!("DELETE /api/v1/channels/{id}"), &Value::Null);
    assert_eq!(status, 403, "only an owner: {told}");
    let (status, told) = ana.ask(&format!("DELETE /api/v1/channels/{id}"), &Value::Null);
    assert_eq!((status, &told["status"]), (200, &"deleted".into()), "{told}");
    until_listed(&bo, id, None);
}

/// A list follows its rooms, a moment behind. Who asks too often meanwhile is told to wait, and asks again.
fn until_listed(caller: &Caller<'_>, id: &str, name: Option<&str>) {
    let from = std::time::Instant::now();
    loop {
        let (status, list) = caller.ask("GET /api/v1/channels/", &Value::Null);
        if status == 200 {
            let items = list["items"].as_array().expect("items");
            let found = items.iter().find(|item| item["id"] == id).and_then(|item| item["name"].as_str());
            if found == name {
                assert_eq!(list["total"], items.len());
                return;
            }
        }
        assert!(from.elapsed() < super::support::PATIENCE, "{list}");
    }
}

#[test]
fn members_are_added_and_removed_and_who_disconnects_stays_one() {
    let server = server();
    let (ana, bo) = (Caller::new(&server, "7", "Ana"), Caller::new(&server, "8", "Bo"));
    let id = ana.group(&json!({ "name": "Plans", "access": "private" }));
    let user = format!("/api/v1/channels/{id}/user");
    let (status, told) = bo.ask(&format!("POST {user}"), &json!({ "user_id": 8 }));
    assert_eq!(status, 403, "it is private: {told}");
    let (status, told) = ana.ask(&format!("POST {user}"), &json!({ "user_id": 8, "username": "Bo" }));
    assert_eq!((status, told), (200, json!({ "channel_id": id, "user_id": "8", "status": "added" })));
    // The socket is one thing and membership another.
    let mut socket = hub(&server, "8", "Bo");
    join(&mut socket, &id);
    drop(socket);
    assert_eq!(names(&ana.get(&format!("/channels/{id}"))), [("7", "owner"), ("8", "member")]);
    let (status, told) = bo.ask(&format!("DELETE {user}"), &json!({ "userId": "7" }));
    assert_eq!(status, 403, "{told}");
    let (status, told) = bo.ask(&format!("PUT {user}"), &Value::Null);
    assert_eq!((status, &told["status"]), (200, &"left".into()), "{told}");
    let (status, told) = ana.ask(&format!("DELETE {user}"), &json!({ "user_id": 8 }));
    assert_eq!((status, &told["code"]), (404, &"NOT_FOUND".into()), "no member any more: {told}");
    ana.ask(&format!("POST {user}"), &json!({ "user_id": "9" }));
    let (status, told) = ana.ask(&format!("DELETE {user}?userId=9"), &json!({ "user_id": 8 }));
    assert_eq!((status, &told["field"]), (400, &"userId".into()), "two are named: {told}");
    for (query, body) in [("?userId=9", json!({ "user_id": 9 })), ("?userId=9", json!({}))] {
        let (status, told) = ana.ask(&format!("DELETE {user}{query}"), &body);
        assert_eq!((status, &told["user_id"]), (200, &"9".into()), "{told}");
        ana.ask(&format!("POST {user}"), &json!({ "user_id": "9" }));
    }
    let (status, told) = ana.ask(&format!("DELETE {user}?userId=9"), &Value::Null);
    assert_eq!((status, &told["status"]), (200, &"removed".into()), "{told}");
    assert_eq!(names(&ana.get(&format!("/channels/{id}"))), [("7", "owner")]);
}

#[test]
fn a_direct_channel_is_one_for_two_and_called_after_the_other() {
    let server = server();
    let (ana, bo) = (Caller::new(&server, "7", "Ana"), Caller::new(&server, "8", "Bo"));
    let (status, of_ana) = ana.ask("POST /api/v1/channels", &json!({ "type": "direct", "user_id": 8 }));
    let (_, of_bo) = bo.ask("POST /api/v1/channels", &json!({ "type": "direct", "user_id": "7" }));
    assert_eq!((status, &of_ana["id"], &of_ana["type"]), (201, &of_bo["id"], &"direct".into()), "{of_ana}");
    assert_eq!((&of_ana["name"], &of_bo["name"]), (&"8".into(), &"7".into()), "nothing was said yet");
    let id = of_ana["id"].as_str().expect("an id");
    let mut socket = hub(&server, "8", "Bo");
    join(&mut socket, id);
    send(&mut socket, id, "m-1", "Hello");
    socket.next("channel.message");
    assert_eq!(ana.get(&format!("/messages/channel/{id}"))["items"][0]["senderName"], "Bo");
    let (status, _) =
        Caller::new(&server, "9", "Cy").ask(&format!("GET /api/v1/messages/channel/{id}"), &Value::Null);
    assert_eq!(status, 403, "theirs alone");
    until_listed(&ana, id, Some("8"));
}

#[test]
fn who_adds_themselves_to_a_channel_finds_it_there_or_is_not_added() {
    let server = server();
    let (ana, bo) = (Caller::new(&server, "7", "Ana"), Caller::new(&server, "8", "Bo"));
    let add = |id: &str| ana.ask(&format!("POST /api/v1/channels/{id}/user"), &json!({ "user_id": 7 })).0;
    assert_eq!(add("31"), 404, "nobody created it");
    let created = bo.group(&json!({ "name": "Plans" }));
    let mut socket = hub(&server, "8", "Bo");
    join(&mut socket, "32");
    send(&mut socket, "32", "m-1", "Hello");
    socket.next("channel.message");
    for id in [&created, "32"] {
        assert_eq!(add(id), 200, "{id}");
        ana.get(&format!("/channels/{id}"));
        until_listed(&ana, id, Some(if id == "32" { "" } else { "Plans" }));
    }
    let list = ana.get("/channels");
    assert_eq!(list["total"], 2, "{list}");
}

#[test]
fn every_refusal_has_its_status_and_says_what_is_wrong() {
    let server = server();
    let ana = Caller::new(&server, "7", "Ana");
    let id = ana.group(&json!({ "name": "Plans" }));
    let long = "x".repeat(101);
    for (request, body, status, says, field) in [
        ("POST /api/v1/channels", json!({}), 400, "name is required", Some("name")),
        ("POST /api/v1/channels", json!({ "name": long }), 400, "name must", Some("name")),
        (
            "POST /api/v1/channels",
            json!({ "name": "a", "type": "secret" }),
            400,
            "\"group\" or \"direct\"",
            Some("type"),
        ),
        ("POST /api/v1/channels", json!({ "type": "direct" }), 400, "user_id is required", Some("user_id")),
        (
            "POST /api/v1/channels",
            json!({ "type": "direct", "user_id": 7 }),
            400,
            "somebody else",
            Some("user_id"),
        ),
        (
            "POST /api/v1/channels",
            json!({ "name": "a", "user_ids": [1.5] }),
            400,
            "whole number",
            Some("user_ids"),
        ),
        ("POST /api/v1/channels", json!(["a"]), 400, "must be a JSON object", Some("body")),
        ("GET /api/v1/channels/a%20b", Value::Null, 400, "may hold only", Some("id")),
        ("GET /api/v1/channels/404", Value::Null, 404, "no such channel", None),
        ("GET /api/v1/channels/user:8", Value::Null, 404, "no such channel", None),
        ("PUT /api/v1/channels/ID", json!({}), 400, "at least one of", Some("body")),
        ("POST /api/v1/channels/404/user", json!({ "user_id": 7 }), 404, "no such channel", None),
        ("POST /api/v1/channels/ID/user", json!({}), 400, "user_id is required", Some("user_id")),
        ("DELETE /api/v1/channels/ID/user", json!({ "user_id": "99" }), 404, "no such member", None),
        (
            "POST /api/v1/channels/ID/user",
            json!({ "user_id": 7, "role": "member" }),
            409,
            "7 is owner already",
            None,
        ),
        (
            "POST /api/v1/channels/ID/user",
            json!({ "user_id": 8, "role": "king" }),
            400,
            "role must be",
            Some("body"),
        ),
        ("PUT /api/v1/channels/ID/user", Value::Null, 403, "last owner", None),
        ("PATCH /api/v1/channels/ID", Value::Null, 405, "PATCH", None),
        (
            "GET /api/v1/messages/channel/ID?limit=0",
            Value::Null,
            400,
            "limit must be 1 to 100",
            Some("limit"),
        ),
        ("GET /api/v1/messages/channel/ID?limit=x", Value::Null, 400, "1 to 100, got \"x\"", Some("limit")),
        (
            "GET /api/v1/messages/channel/ID?limit=5&limit=6",
            Value::Null,
            400,
            "more than once",
            Some("limit"),
        ),
        ("GET /api/v1/messages/channel/%ff", Value::Null, 400, "UTF-8", Some("id")),
        ("GET /api/v1/channels/%ff", Value::Null, 400, "UTF-8", Some("id")),
        ("PUT /api/v1/channels/%ff", json!({ "name": "a" }), 400, "UTF-8", Some("id")),
        ("DELETE /api/v1/channels/%ff", Value::Null, 400, "UTF-8", Some("id")),
        ("POST /api/v1/channels/%ff/user", json!({ "user_id": 8 }), 400, "UTF-8", Some("id")),
        ("PUT /api/v1/channels/%ff/user", Value::Null, 400, "UTF-8", Some("id")),
        (
            "DELETE /api/v1/channels/ID/user?userId=1&userId=2",
            Value::Null,
            400,
            "more than once",
            Some("userId"),
        ),
        ("GET /api/v1/messages/channel/ID?before=soon", Value::Null, 400, "nextCursor", Some("before")),
        ("POST /api/v1/auth/login", json!({ "email": "a", "password": "b" }), 404, "kulkul token", None),
        ("GET /api/v1/users/profile", Value::Null, 404, "kulkul token", None),
    ] {
        let (told, answer) = ana.ask(&request.replace("ID", &id), &body);
        assert_eq!(told, status, "{request} {body}: {answer}");
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(says), "{request} {body}: {answer}");
        assert_eq!(answer["field"].as_str(), field, "{request} {body}: {answer}");
    }
    for path in ["/channels", "/channels/", "/channels/12", "/messages/channel/12"] {
        for fields in ["", "Authorization: Bearer nonsense\r\n", "Authorization: Basic Nzo4\r\n"] {
            let (status, body) = ask(&server, &format!("GET /api/v1{path}"), fields, "");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!((status, &body["error"]), (401, &"authentication required".into()), "{path} {fields}");
        }
    }
    for request in [
        "DELETE /api/v1/channels/12/user?userId=1&userId=2",
        "GET /api/v1/channels/%ff",
        "GET /api/v1/messages/channel/%ff",
    ] {
        let (status, body) = ask(&server, request, "", "");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, &body["error"]), (401, &"authentication required".into()), "{request}");
    }
    let bound = Caller { server: &server, token: token_of(&server, &["--user", "7", "--rooms", "team-*"]) };
    let (status, told) = bound.ask("GET /api/v1/channels/12", &Value::Null);
    assert_eq!((status, &told["error"]), (403, &"your token does not allow this channel".into()));
    // The list would name channels that the token does not allow.
    let (status, told) = bound.ask("GET /api/v1/channels", &Value::Null);
    assert_eq!((status, &told["code"], told.get("items")), (403, &"FORBIDDEN".into(), None), "{told}");
    let token = token_of(&server, &["--user", "7", "--rooms", "team-*", "--rooms", "user:7"]);
    assert_eq!(Caller { server: &server, token }.ask("GET /api/v1/channels", &Value::Null).0, 200);
}

#[test]
fn who_asks_more_than_a_hundred_times_a_minute_is_told_when_to_come_back() {
    let server = server();
    let ana = Caller::new(&server, "7", "Ana");
    let fields = format!("Authorization: Bearer {}\r\n", ana.token);
    let request = format!(
        "GET /api/v1/channels HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{fields}\r\n",
        server.address
    );
    let refused = (0..=150).find_map(|_| {
        let (status, answer) = server.http_whole_at(&server.address, &request);
        (status == 429).then_some(answer)
    });
    let refused = refused.expect("one too many").to_ascii_lowercase();
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    assert_eq!(
        ana.ask("GET /api/v1/messages/channel/12", &Value::Null).0,
        200,
        "the past is counted by itself"
    );
    assert_eq!(Caller::new(&server, "8", "Bo").ask("GET /api/v1/channels", &Value::Null).0, 200);
    // What is looked through for a second counts, beside the page that is answered with, and it is begun only as long as there is
    // enough for fifty pages: half of a hundred and fifty calls.
    let by_second = "GET /api/v1/messages/channel/12?before=1000000000";
    let di = Caller::new(&server, "9", "Di");
    let refused = (0..190).position(|_| di.ask(by_second, &Value::Null).0 == 429).expect("one too many");
    assert!(refused >= 75, "after {refused}");
}

#[test]
fn pages_of_the_mounts_origins_may_call_and_others_may_not() {
    let server = Server::configured(&format!(
        "{}[[mounts]]\npath = \"/api/v1/ws\"\nprotocol = \"hub\"\nallowed_origins = [\"https://app.test\"]\n",
        super::CONFIG
    ));
    let token = token(&server, "7", "Ana");
    let whole = |method: &str, origin: &str, fields: &str| {
        let request = format!(
            "{method} /api/v1/channels HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nOrigin: {origin}\r\n{fields}\r\n",
            server.address
        );
        let (status, answer) = server.http_whole_at(&server.address, &request);
        (status, answer.to_ascii_lowercase())
    };
    let (status, answer) = whole("OPTIONS", "https://app.test", "Access-Control-Request-Method: POST\r\n");
    assert_eq!(status, 204, "{answer}");
    assert!(answer.contains("access-control-allow-headers: authorization, content-type"), "{answer}");
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let (status, answer) = whole("GET", "https://app.test", &bearer);
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://app.test"), "{answer}");
    assert!(answer.contains("vary: origin"), "{answer}");
    let (status, answer) = whole("GET", "https://app.test", "");
    assert_eq!(status, 401);
    assert!(answer.contains("access-control-allow-origin"), "a page reads why: {answer}");
    let (status, answer) = whole("GET", "https://evil.test", &bearer);
    assert_eq!(status, 403);
    assert!(!answer.contains("access-control-allow-origin"), "{answer}");
}

#[test]
fn the_socket_describes_itself_to_whoever_asks() {
    let server = server();
    let types = server.get_json("/api/v1/ws/message-types");
    assert!(
        types["client"].as_array().is_some_and(|types| types.contains(&"channel.message".into())),
        "{types}"
    );
    let schemas = server.get_json("/api/v1/ws/schemas");
    for name in ["channel-message", "typing-indicator", "error"] {
        let schema = server.get_json(&format!("/api/v1/ws/schemas/{name}"));
        assert_eq!(schema["properties"]["data"]["type"], "object", "{name}");
        assert_eq!(schemas[name], schema);
    }
}

#[test]
fn what_the_authorizer_would_be_asked_about_is_not_had_around_it() {
    let (team, list) = ("messages/channel/team-a", "channels");
    for (asks, rooms, path, status) in [
        ("join", "chat:team-*", team, 403),
        ("publish", "chat:team-*", team, 403),
        ("connect", "chat:team-*", "messages/channel/12", 403),
        ("join", "chat:team-*", "messages/channel/12", 200),
        ("publish", "user:*", list, 403),
        ("publish", "chat:*", list, 200),
    ] {
        let server = Server::configured(&format!(
            "{}[authorizer]\nurl = \"http://127.0.0.1:9/ask\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n\
             asks = [\"{asks}\"]\nrooms = [\"{rooms}\"]\n",
            super::CONFIG
        ));
        let ana = Caller::new(&server, "7", "Ana");
        let (told, answer) = ana.ask(&format!("GET /api/v1/{path}"), &Value::Null);
        assert_eq!(told, status, "{asks} {rooms} {path}: {answer}");
    }
}

#[test]
fn a_server_without_a_hub_mount_answers_none_of_it() {
    let server = Server::configured(&format!("{}[[mounts]]\npath = \"/ws\"\n", super::CONFIG));
    assert_eq!(server.get("/api/v1/channels").0, 404);
    assert_eq!(server.get("/api/v1/ws/schemas").0, 404);
}
