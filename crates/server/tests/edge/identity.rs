//! Who a client is, for as long as it is connected.

use crate::support::{Client, Heard, Server};

const SECRET: &str = "secret = \"a secret of thirty-two bytes, or more\"\n";

/// A token that this server signs.
fn token(server: &Server, user: &str, ttl: &str) -> String {
    let config = server.config_path();
    let args = ["token", "--config", config, "--user", user, "--ttl", ttl];
    let output = crate::support::kulkul(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn a_stranger_on_a_mount_in_band_is_nobody_until_its_token_is_good() {
    let server = Server::configured(&format!("{SECRET}[[mounts]]\npath = \"/ws\"\nauth = \"in-band\"\n"));
    let good = token(&server, "1", "1h");
    let mut client = Client::open(&server, "/ws").expect("let in without a token");
    client.say(r#"{"type":"join_room","id":"j","payload":{"room_id":"general"}}"#);
    assert_eq!(client.next("error")["payload"]["code"], "UNAUTHORIZED");
    client.say(&format!(r#"{{"type":"authenticate","id":"a","payload":{{"token":"{good}"}}}}"#));
    assert_eq!(client.next("authenticated")["payload"]["user"]["id"], "1");
    client.join("general");
    assert_eq!(server.get_json("/ws/online")["online"], 1);

    let mut forger = Client::open(&server, "/ws").expect("let in without a token");
    forger.say(r#"{"type":"authenticate","payload":{"token":"a.b.c"}}"#);
    assert_eq!(forger.next("error")["payload"]["message"], "Authentication required");
    assert_eq!(forger.closed().0, 4401);
}

/// T06: the end of a token is the end of its connection, unless a newer one came.
#[test]
fn a_token_ends_on_a_live_connection_and_a_refresh_prolongs_it() {
    let server = Server::configured(&format!("{SECRET}[auth]\nleeway = \"1s\"\n"));
    let open = |token: &str| Client::open(&server, &format!("/ws?token={token}")).expect("let in");
    let (mut ends, mut lives) = (open(&token(&server, "1", "1s")), open(&token(&server, "2", "1s")));
    let longer = token(&server, "2", "1h");
    lives.say(&format!(r#"{{"type":"refresh","id":"r","payload":{{"token":"{longer}"}}}}"#));
    assert_eq!(lives.next("authenticated")["id"], "r");
    assert_eq!(ends.closed(), (4401, "token expired".to_owned()));
    lives.join("general");
    let other = token(&server, "3", "1h");
    lives.say(&format!(r#"{{"type":"refresh","payload":{{"token":"{other}"}}}}"#));
    assert_eq!(lives.closed().0, 4503);
}

#[test]
fn a_path_that_names_a_user_must_agree_with_the_token() {
    let server = Server::configured(&format!("{SECRET}[[mounts]]\npath = \"/ws/{{user}}\"\n"));
    let token = token(&server, "7", "1h");
    let open = |user: &str| Client::open(&server, &format!("/ws/{user}?token={token}")).map(|_| ());
    assert_eq!((open("7"), open("8"), open("")), (Ok(()), Err(403), Err(400)));
    assert_eq!(Client::open(&server, "/ws/7").map(|_| ()), Err(401));
}

#[test]
fn a_mount_that_trusts_its_path_believes_it_and_no_other_mount_does() {
    let mounts = "[[mounts]]\npath = \"/in/{user}\"\nauth = \"trust-path\"\n[[mounts]]\npath = \"/ws\"\n";
    let server = Server::configured(&format!("{SECRET}{mounts}"));
    let mut client = Client::open(&server, "/in/ana").expect("let in");
    assert_eq!(client.join("general")["payload"]["users"][0]["id"], "ana");
    assert_eq!(Client::open(&server, "/ws").map(|_| ()), Err(401));
}

#[test]
fn guests_of_a_public_mount_are_each_somebody_else() {
    let server = Server::configured(&format!("{SECRET}[[mounts]]\npath = \"/ws\"\nauth = \"public\"\n"));
    let (mut one, mut two) =
        (Client::open(&server, "/ws").expect("let in"), Client::open(&server, "/ws").expect("let in"));
    one.join("general");
    assert_eq!(two.join("general")["payload"]["count"], 2);
}

#[test]
fn a_token_in_the_query_is_none_where_the_config_says_so() {
    let server = Server::configured(&format!("{SECRET}[auth]\ntoken_in_query = false\n"));
    let token = token(&server, "1", "1h");
    assert_eq!(Client::open(&server, &format!("/ws?token={token}")).map(|_| ()), Err(401));
    let bearer = format!("Bearer {token}");
    assert!(Client::open_with(&server, "/ws", &[], &[("Authorization", &bearer)]).is_ok());
}

/// Who is logged out everywhere goes, and comes in with a token that was made afterwards.
#[test]
fn a_revocation_closes_what_the_token_opened_and_refuses_it_from_then_on() {
    let server = Server::configured(SECRET);
    let (ana, bo) = (token(&server, "1", "1h"), token(&server, "2", "1h"));
    let open = |token: &str| Client::open(&server, &format!("/ws?token={token}"));
    let (mut first, mut other) = (open(&ana).expect("let in"), open(&bo).expect("let in"));
    let operator = server.operator.clone().expect("it has one");
    let ask_as = |host: &str, kind: &str, body: &str| {
        let head = format!("POST /revoke HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        let length = body.len();
        server
            .http_at(
                &operator,
                &format!("{head}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"),
            )
            .0
    };
    let ask = |kind: &str, body: &str| ask_as(&operator, kind, body);
    let all = r#"{"user":"1"}"#;
    assert_eq!(ask_as("evil.example", "application/json", all), 403, "a foreign name leads here");
    let of_a_page = format!("{operator}\r\nOrigin: http://{operator}");
    assert_eq!(ask_as(&of_a_page, "application/json", all), 403, "no page is served here");
    assert_eq!(ask("text/plain", r#"{"user":"1"}"#), 415, "no page of another site can do this");
    assert_eq!(ask("application/json", r#"{"usr":"1"}"#), 400);
    assert_eq!(ask("application/json; charset=utf-8", r#"{"user":"1"}"#), 204);
    assert_eq!(first.closed().0, 4401);
    assert_eq!(open(&ana).map(|_| ()), Err(401));
    other.join("general");
    assert!(open(&token(&server, "1", "1h")).is_ok(), "whoever signs in anew is somebody else's business");
    let (status, _) = server.get("/revoke");
    assert_eq!(status, 404, "clients' listener knows nothing of it");
}

#[test]
fn figures_are_the_operators_alone() {
    let server = Server::configured(SECRET);
    let _client = Client::open(&server, &format!("/ws?token={}", token(&server, "1", "1h"))).expect("let in");
    server.until("/ws/online", r#"{"online":1}"#);
    for path in ["/metrics", "/stats"] {
        assert_eq!(server.get(path).0, 404, "{path} to clients");
    }
    let operator = server.operator.clone().expect("it has one");
    let (status, page) = server.http_at(
        &operator,
        &format!("GET /metrics HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n"),
    );
    assert_eq!(status, 200);
    assert!(page.contains("\nkulkul_connections 1\n"), "{page}");
}

#[test]
fn what_was_said_in_band_before_the_answer_closes_nothing() {
    let server = Server::configured(&format!("{SECRET}[[mounts]]\npath = \"/ws\"\nauth = \"in-band\"\n"));
    let mut client = Client::open(&server, "/ws").expect("let in");
    client.say("no JSON");
    assert_eq!(client.next("error")["payload"]["code"], "INVALID_FORMAT");
    client.hang_up();
    assert_eq!(client.hear(), Heard::End);
}

/// Whoever is here goes on; who comes is told to come back.
#[test]
fn a_node_whose_memory_is_used_up_turns_newcomers_away() {
    let server = Server::configured(&format!("{SECRET}[limits]\nmemory = \"16MiB\"\n"));
    let token = token(&server, "1", "1h");
    server.until_log("memory pressure changes");
    assert_eq!(Client::open(&server, &format!("/ws?token={token}")).map(|_| ()), Err(503));
    assert_eq!(server.get("/live").0, 200);
    assert_eq!(server.get("/ready").0, 503);
}
