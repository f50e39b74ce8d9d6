//! Calls of matches: made, scored, looked at and kept by nothing but HTTP.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{Client, PATIENCE, Server};
use crate::{CONFIG, Scorer, Stream, ids, scorers, server, token};

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))?;
        Some(value.trim())
    }
}

fn call(server: &Server, line: &str, fields: &[(&str, &str)], body: &str) -> Answer {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let asked = format!(
        "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    let (status, whole) = server.http_whole_at(&server.address, &asked);
    let (head, body) = whole.split_once("\r\n\r\n").expect("a head");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn get(server: &Server, path: &str) -> Answer {
    call(server, &format!("GET {path}"), &[], "")
}

fn says(server: &Server, token: &str, line: &str, body: &Value) -> Answer {
    call(server, line, &[("Authorization", &format!("Bearer {token}"))], &body.to_string())
}

fn organizers(server: &Server) -> String {
    token(server, &["--user", "olga", "--name", "Olga", "--role", "organizer"])
}

fn team(letter: char) -> Value {
    json!({"name": format!("Team {letter}"), "players": ids(letter)})
}

/// A match that is ready for its first raid, by calls alone.
fn ready(server: &Server, olga: &str, id: &str) {
    begin(server, olga, id, true);
}

fn begin(server: &Server, olga: &str, id: &str, public: bool) {
    let made = says(
        server,
        olga,
        "POST /api/matches",
        &json!({"matchId": id, "title": "Final", "event": "cup", "public": public,
        "profile": "raidx", "teamA": team('p'), "teamB": team('q')}),
    );
    assert_eq!(
        (made.status, made.field("location")),
        (201, Some(&*format!("/api/matches/{id}"))),
        "{}",
        made.body
    );
    for (side, letter) in [("A", 'p'), ("B", 'q')] {
        let named = says(
            server,
            olga,
            &format!("PUT /api/matches/{id}/line-ups/{side}"),
            &json!({"playerIds": ids(letter)}),
        );
        assert_eq!(named.status, 200, "{}", named.body);
    }
    let toss = says(
        server,
        olga,
        &format!("POST /api/matches/{id}/actions"),
        &json!({"type": "toss", "winner": "A", "decision": "raid"}),
    );
    assert_eq!((toss.status, &toss.json()["number"]), (200, &json!(3)), "{}", toss.body);
}

fn raid(server: &Server, by: &str, id: &str, fields: Value) -> Answer {
    let mut body = fields;
    body["type"] = "raid".into();
    says(server, by, &format!("POST /api/matches/{id}/actions"), &body)
}

#[test]
fn a_match_is_made_scored_and_ended_by_calls_alone() {
    let server = server();
    let (olga, sam) = (organizers(&server), scorers(&server));
    ready(&server, &olga, "m1");
    let first = raid(
        &server,
        &sam,
        "m1",
        json!({"raiderId": "p1", "touchedIds": ["q1"], "bonus": true, "raidNumber": 1, "actionId": "a-1"}),
    );
    let told = first.json();
    assert_eq!(
        (first.status, &told["number"], &told["raidNumber"], &told["matchId"]),
        (200, &json!(4), &json!(2), &json!("m1"))
    );
    assert!(told["position"].is_string() && told["timestamp"].is_string(), "{told}");
    let again = raid(
        &server,
        &sam,
        "m1",
        json!({"raiderId": "p1", "touchedIds": ["q1"], "bonus": true, "raidNumber": 1, "actionId": "a-1"}),
    );
    assert_eq!((again.status, &again.json()["duplicate"]), (200, &json!(true)), "{}", again.body);
    let late = raid(&server, &sam, "m1", json!({"raiderId": "p1", "bonus": true, "raidNumber": 1}));
    let told = late.json();
    assert_eq!(
        (late.status, &told["raidNumber"], &told["data"]["teamA"]["score"]),
        (409, &json!(2), &json!(2)),
        "{told}"
    );
    assert!(told["error"].as_str().is_some_and(|error| error.starts_with("raid 2 is next")), "{told}");
    let state = get(&server, "/api/matches/m1").json();
    assert_eq!((&state["teamA"]["score"], &state["raidNumber"]), (&json!(2), &json!(2)));
    let ended = says(&server, &olga, "POST /api/matches/m1/end", &json!({"reason": "abandoned"}));
    assert_eq!(ended.status, 200, "{}", ended.body);
    let after = raid(&server, &sam, "m1", json!({"raiderId": "q1"}));
    assert_eq!(
        (after.status, &after.json()["error"], &after.json()["code"]),
        (409, &json!("Match ended"), &json!("MATCH_OVER"))
    );
    let twice =
        call(&server, "POST /api/matches/m1/end", &[("Authorization", &format!("Bearer {olga}"))], "");
    assert_eq!((twice.status, &twice.json()["phase"]), (200, &json!("ended")), "{}", twice.body);
}

#[test]
fn whoever_makes_a_match_may_name_it_and_nobody_makes_it_twice() {
    let server = server();
    let olga = organizers(&server);
    let body = json!({"teamA": team('p'), "teamB": team('q')});
    let made = says(&server, &olga, "POST /api/matches", &body);
    let id = made.json()["matchId"].as_str().expect("a name").to_owned();
    assert_eq!((made.status, made.field("location")), (201, Some(&*format!("/api/matches/{id}"))));
    assert_eq!(get(&server, &format!("/api/matches/{id}")).json()["title"], "Team p v Team q");
    let mut named = body.clone();
    named["matchId"] = id.clone().into();
    let again = says(&server, &olga, "POST /api/matches", &named);
    let told = again.json();
    assert_eq!(
        (again.status, &told["field"], &told["data"]["matchId"]),
        (409, &json!("matchId"), &json!(id)),
        "{told}"
    );
    let squad = says(
        &server,
        &olga,
        &format!("PUT /api/matches/{id}/squads/B"),
        &json!({"name": "Others", "players": ids('r')}),
    );
    assert_eq!(squad.status, 200, "{}", squad.body);
    assert_eq!(get(&server, &format!("/api/matches/{id}")).json()["teamB"]["name"], "Others");
}

#[test]
fn what_is_wrong_is_named_with_its_field_and_a_status_of_its_own() {
    let server = server();
    let (olga, sam) = (organizers(&server), scorers(&server));
    let vera = token(&server, &["--user", "vera"]);
    ready(&server, &olga, "m1");
    let actions = "POST /api/matches/m1/actions";
    for (by, line, body, status, code, field) in [
        (&sam, actions, json!({"type": "raid", "raiderId": "q1"}), 422, "RULE", None),
        (&sam, actions, json!({"type": "raid", "raiderId": 7}), 400, "INVALID_PAYLOAD", Some("raiderId")),
        (&sam, actions, json!({"type": "dance"}), 400, "UNKNOWN_TYPE", Some("type")),
        (&sam, actions, json!({"raiderId": "p1"}), 400, "INVALID_PAYLOAD", Some("type")),
        (&sam, actions, json!({"type": "x".repeat(9_000)}), 400, "INVALID_PAYLOAD", Some("type")),
        (&vera, "POST /api/matches", json!({"teamA": team('p'), "teamB": team('q')}), 403, "FORBIDDEN", None),
        (
            &olga,
            "POST /api/matches",
            json!({"matchId": "..", "teamA": team('p'), "teamB": team('q')}),
            400,
            "INVALID_PAYLOAD",
            Some("matchId"),
        ),
        (&sam, actions, json!({"type": "get_sheet"}), 400, "INVALID_PAYLOAD", Some("type")),
        (&sam, actions, json!({"type": "undo", "number": 99}), 404, "NOT_FOUND", None),
        (&sam, actions, json!([]), 400, "INVALID_PAYLOAD", Some("body")),
        (&vera, actions, json!({"type": "raid", "raiderId": "p1"}), 403, "FORBIDDEN", None),
        (&sam, "PUT /api/matches/m1/roles", json!({"officials": []}), 403, "FORBIDDEN", None),
        (
            &olga,
            "PUT /api/matches/m1/roles",
            json!({"officials": [{"userId": "u", "role": "king"}]}),
            400,
            "INVALID_PAYLOAD",
            Some("role"),
        ),
        (
            &olga,
            "PUT /api/matches/m1/line-ups/C",
            json!({"playerIds": []}),
            400,
            "INVALID_PAYLOAD",
            Some("team"),
        ),
        (
            &olga,
            "POST /api/matches",
            json!({"matchId": "list", "teamA": team('p'), "teamB": team('q')}),
            400,
            "INVALID_PAYLOAD",
            Some("matchId"),
        ),
        (
            &olga,
            "POST /api/matches",
            json!({"matchId": "m2", "teamA": team('p')}),
            400,
            "INVALID_PAYLOAD",
            Some("teamB"),
        ),
        (&olga, "POST /api/matches/nobodys/end", json!({}), 404, "NOT_INITIALIZED", None),
        (&olga, "POST /api/matches/m1/nothing", json!({}), 404, "NOT_FOUND", None),
        (&olga, "DELETE /api/matches/m1", json!({}), 405, "METHOD_NOT_ALLOWED", None),
    ] {
        let answer = says(&server, by, line, &body);
        let told = answer.json();
        assert_eq!(
            (answer.status, told["code"].as_str(), told["field"].as_str()),
            (status, Some(code), field),
            "{line} {body}: {told}"
        );
        assert!(told["error"].as_str().is_some_and(|error| (1..300).contains(&error.len())), "{told}");
    }
    let large = json!({"type": "raid", "raiderId": "x".repeat(70_000)});
    assert_eq!(says(&server, &sam, actions, &large).status, 413);
    assert_eq!(call(&server, actions, &[], "{}").status, 401);
    assert_eq!(call(&server, "POST /api/matches", &[("Authorization", "Bearer x.y.z")], "{}").status, 401);
    assert_eq!(get(&server, "/api/matches/m1").json()["actions"], 3, "none of it was recorded");
}

#[test]
fn a_match_that_nobody_made_is_not_found_by_any_call_and_not_made_by_asking() {
    let server = server();
    let vera = token(&server, &["--user", "vera"]);
    for path in ["", "/sheet", "/sheet.html", "/sheet?format=csv"] {
        let answer = get(&server, &format!("/api/matches/nobodys{path}"));
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (404, &json!("Match not initialized")),
            "{path}"
        );
    }
    let old = get(&server, "/api/match/nobodys");
    assert_eq!((old.status, &old.json()["error"]), (404, &json!("Match not initialized")));
    assert_eq!(says(&server, &vera, "GET /api/matches/nobodys/audit", &Value::Null).status, 404);
    assert_eq!(call(&server, "HEAD /api/matches/nobodys/events", &[], "").status, 404);
    assert_eq!(get(&server, "/api/matches").json(), json!({"matches": [], "count": 0, "next": null}));
    let sam = format!("Bearer {}", scorers(&server));
    let fields = [("Authorization", &*sam), ("If-None-Match", "*")];
    assert_eq!(
        call(&server, "GET /api/matches/zzz", &fields, "").status,
        404,
        "nothing of it has been unchanged"
    );
}

/// Of a match that the list does not hear of: nothing but what is said here is in its log.
#[test]
fn who_asks_again_is_told_that_nothing_has_changed_until_something_has() {
    let server = server();
    let (olga, sam) = (organizers(&server), scorers(&server));
    begin(&server, &olga, "m1", false);
    let bearer = format!("Bearer {olga}");
    let asks = |path: &str, known: Option<&str>| {
        let mut fields = vec![("Authorization", bearer.as_str())];
        fields.extend(known.map(|known| ("If-None-Match", known)));
        call(&server, &format!("GET {path}"), &fields, "")
    };
    for path in ["/api/matches/m1", "/api/match/m1", "/api/matches"] {
        let first = asks(path, None);
        let tag = first.field("etag").expect("a tag").to_owned();
        let fields = ["cache-control", "content-type"].map(|name| first.field(name));
        assert_eq!((first.status, fields), (200, [Some("no-cache"), Some("application/json")]));
        for known in [tag.as_str(), tag.trim_start_matches("W/"), &format!("\"x\", {tag}"), "*"] {
            let again = asks(path, Some(known));
            let told = (again.status, again.field("etag"), again.body.as_str());
            assert_eq!(told, (304, Some(tag.as_str()), ""), "{known}");
        }
        assert_eq!(asks(path, Some("W/\"0-0\"")).status, 200);
    }
    let before = asks("/api/matches/m1", None).field("etag").expect("a tag").to_owned();
    raid(&server, &sam, "m1", json!({"raiderId": "p1", "bonus": true}));
    let after = asks("/api/matches/m1", Some(&before));
    assert_eq!((after.status, &after.json()["teamA"]["score"]), (200, &json!(1)));
    // It is where a stream goes on from.
    let since = before.trim_start_matches("W/").trim_matches('"').to_owned();
    let target = format!("/api/matches/m1/events?mode=delta&since={since}");
    let mut stream = Stream::of(&server, &target, &[("Authorization", &bearer)]);
    assert_eq!(stream.hear().kind(), "resumed");
    assert_eq!(stream.hear().kind(), "match_action");
}

#[test]
fn a_list_has_the_public_matches_of_everybody_or_of_one_event() {
    let server = server();
    let olga = organizers(&server);
    ready(&server, &olga, "m1");
    let body = json!({"matchId": "m2", "event": "league", "teamA": team('p'), "teamB": team('q')});
    assert_eq!(says(&server, &olga, "POST /api/matches", &body).status, 201);
    let hidden = json!({"matchId": "m3", "public": false, "teamA": team('p'), "teamB": team('q')});
    assert_eq!(says(&server, &olga, "POST /api/matches", &hidden).status, 201);
    let from = Instant::now();
    while get(&server, "/api/matches").json()["count"] != 2 {
        assert!(from.elapsed() < PATIENCE, "the list does not hear of them");
    }
    let of_cup = get(&server, "/api/matches?event=cup").json();
    assert_eq!((&of_cup["count"], &of_cup["matches"][0]["matchId"]), (&json!(1), &json!("m1")));
    assert_eq!(get(&server, "/api/matches/m3").status, 403);
    assert_eq!(says(&server, &olga, "GET /api/matches/m3", &Value::Null).status, 200);
    assert_eq!(get(&server, "/api/matches?event=a&event=b").json()["field"], "event");
}

#[test]
fn a_sheet_adds_up_in_every_form_and_the_audit_is_for_officials() {
    let server = server();
    let (olga, sam) = (organizers(&server), scorers(&server));
    ready(&server, &olga, "m1");
    for (raider, fields) in [
        ("p1", json!({"touchedIds": ["q1", "q2"]})),
        ("q3", json!({"tacklerIds": ["p2"]})),
        ("p2", json!({"bonus": true})),
    ] {
        let mut fields = fields;
        fields["raiderId"] = raider.into();
        let made = raid(&server, &sam, "m1", fields);
        // With five on the mat there is no bonus: nothing is recorded of the last.
        assert!(matches!(made.status, 200 | 422), "{}", made.body);
    }
    assert_eq!(
        says(&server, &sam, "POST /api/matches/m1/actions", &json!({"type": "undo", "number": 5})).status,
        200
    );
    let sheet = get(&server, "/api/matches/m1/sheet").json();
    let rows = sheet["sheet"].as_array().expect("rows");
    let sum = |team: &str| rows.iter().filter_map(|row| row["gained"][team].as_u64()).sum::<u64>();
    assert_eq!((sum("teamA"), sum("teamB")), (2, 0), "{sheet}");
    assert_eq!(
        (&sheet["data"]["teamA"]["score"], &sheet["count"], &sheet["next"]),
        (&json!(2), &json!(5), &Value::Null)
    );
    let later = get(&server, "/api/matches/m1/sheet?from=5").json();
    assert_eq!(
        (later["sheet"].as_array().map(Vec::len), &later["sheet"][0]["undone"]),
        (Some(1), &json!(true))
    );
    let csv = get(&server, "/api/matches/m1/sheet?format=csv");
    assert_eq!(csv.field("content-disposition"), Some("attachment; filename=\"m1.csv\""));
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!((lines.len(), lines[0].starts_with("number,at,clockMs,type")), (6, true), "{}", csv.body);
    assert!(
        lines[4].contains(",raid,1,A,p1,q1 q2,raidSuccess,,2,0,,") && lines[5].ends_with(",undone"),
        "{}",
        csv.body
    );
    let page = get(&server, "/api/matches/m1/sheet.html");
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        page.body.contains("<h1>Final</h1>")
            && page.body.contains("Together</td><td class=\"n\">2</td><td class=\"n\">0</td>"),
        "{}",
        page.body
    );
    assert_eq!(get(&server, "/api/matches/m1/sheet?format=pdf").json()["field"], "format");
    assert_eq!(get(&server, "/api/matches/m1/sheet?from=none").json()["field"], "from");
    assert_eq!(get(&server, "/api/matches/m1/audit").status, 401);
    let audit = says(&server, &sam, "GET /api/matches/m1/audit", &Value::Null).json();
    assert_eq!((&audit["count"], &audit["audit"][5]["what"]), (&json!(6), &json!("undo")), "{audit}");
    let vera = token(&server, &["--user", "vera"]);
    assert_eq!(says(&server, &vera, "GET /api/matches/m1/audit", &Value::Null).status, 403);
}

#[test]
fn what_is_said_by_calls_is_heard_by_sockets_and_streams_and_back() {
    let server = server();
    let (olga, sam) = (organizers(&server), scorers(&server));
    ready(&server, &olga, "m1");
    let mut viewer = Client::open(&server, "/ws/match/m1").expect("let in");
    viewer.next("initialState");
    let mut stream = Stream::of(&server, "/api/matches/m1/events", &[]);
    stream.hear();
    raid(&server, &sam, "m1", json!({"raiderId": "p1", "bonus": true}));
    let (of_socket, of_stream) = (viewer.next("enhancedStats"), stream.hear().data);
    assert_eq!(of_socket, of_stream, "one protocol");
    let state = get(&server, "/api/matches/m1").json();
    assert_eq!(state, of_stream["data"]);
    let mut scorer = Scorer {
        client: Client::open(&server, &format!("/ws?token={sam}")).expect("let in"),
        room: "scores:m1".into(),
        raids: 1,
    };
    scorer.raids();
    assert_eq!(get(&server, "/api/matches/m1").json()["teamB"]["score"], 1);
}

#[test]
fn a_stream_is_asked_for_by_get_and_named_by_head_and_pages_may_ask_before() {
    let server =
        Server::configured(&format!("{CONFIG}[websocket]\nallowed_origins = [\"https://overlay.test\"]\n"));
    ready(&server, &organizers(&server), "m1");
    let events = "/api/matches/m1/events";
    let head = call(&server, &format!("HEAD {events}"), &[], "");
    assert_eq!(
        (head.status, head.field("content-type"), head.body.as_str()),
        (200, Some("text/event-stream"), "")
    );
    let post = call(&server, &format!("POST {events}"), &[], "{}");
    assert_eq!((post.status, post.field("allow")), (405, Some("GET,HEAD")), "{}", post.head);
    let origin = ("Origin", "https://overlay.test");
    let before =
        call(&server, &format!("OPTIONS {events}"), &[origin, ("Access-Control-Request-Method", "GET")], "");
    assert_eq!(
        (before.status, before.field("access-control-allow-origin")),
        (204, Some("https://overlay.test"))
    );
    assert_eq!(
        call(&server, "GET /api/matches/m1", &[origin], "").field("access-control-allow-origin"),
        Some("https://overlay.test")
    );
    assert_eq!(call(&server, "GET /api/matches/m1", &[("Origin", "https://evil.test")], "").status, 403);
}

#[test]
fn who_asks_too_often_waits() {
    let server = Server::configured(&format!(
        "{CONFIG}[limits]\nmessages_per_second = 1\nburst = 2\nexempt_addresses = []\n"
    ));
    let olga = organizers(&server);
    let many: Vec<Answer> = (0..6).map(|_| says(&server, &olga, "GET /api/matches", &Value::Null)).collect();
    let refused = many.iter().find(|answer| answer.status == 429).expect("too many");
    assert!(refused.field("retry-after").is_some(), "{}", refused.head);
    // Guests of an address have more between them, and not any number.
    let guests: Vec<u16> = (0..40).map(|_| get(&server, "/api/matches").status).collect();
    assert_eq!(guests[..5], [200; 5]);
    assert!(guests.contains(&429));
}

#[test]
fn a_second_beginning_is_told_the_match_that_stands() {
    let server = server();
    let olga = organizers(&server);
    let begins = || {
        let mut begin = crate::initial();
        begin["type"] = "initial_state".into();
        says(&server, &olga, "POST /api/matches/m9/actions", &begin)
    };
    assert_eq!(begins().status, 200);
    let again = begins();
    assert_eq!(again.status, 409, "{}", again.body);
    let told: Value = serde_json::from_str(&again.body).expect("JSON");
    assert_eq!((&told["code"], &told["data"]["matchId"]), (&json!("CONFLICT"), &json!("m9")));
    assert!(told["error"].as_str().is_some_and(|error| error.starts_with("there is a match m9 already")));
}

/// Whose calls are few, and a sheet is several questions of a room.
#[test]
fn a_sheet_counts_as_what_it_takes() {
    let server = Server::configured(&format!(
        "{CONFIG}[limits]\nmessages_per_second = 1\nburst = 8\nexempt_addresses = []\n"
    ));
    ready(&server, &organizers(&server), "m1");
    let sheets: Vec<u16> = (0..30).map(|_| get(&server, "/api/matches/m1/sheet").status).collect();
    assert_eq!(sheets[..10], [200; 10]);
    assert!(sheets.contains(&429), "a guest may ask 40 times at once, and not read 30 sheets");
}
