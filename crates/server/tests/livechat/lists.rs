//! What the livechat service's own page says must be tried, and what must be watched.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::Linger};
use serde_json::{Value, json};

use crate::support::{Client, Heard, PATIENCE, Server};
use crate::{CONFIG, agents, call, come, say, server, start};

fn figure(server: &Server, name: &str) -> u64 {
    let operator = server.operator.clone().expect("it has one");
    let (_, page) = server.http_at(
        &operator,
        &format!("GET /metrics HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n"),
    );
    let value = page.lines().find_map(|line| line.strip_prefix(&format!("kulkul_{name} ")));
    value.unwrap_or_else(|| panic!("no {name} in {page}")).parse().expect("a number")
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::yield_now();
    }
}

/// Its end is a reset: no close frame, no last byte.
fn vanishes(client: Client) {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&client.socket().as_fd(), Linger, &linger).expect("a socket");
    drop(client);
}

/// "Load Testing", "Message Broadcasting". Pongs, acks, typing and messages of others go to one socket at once, which was the end of the
/// service; a frame that another one was written into would be no JSON.
#[test]
fn many_sessions_at_once_and_each_socket_has_whole_frames_and_each_message_once_in_one_order() {
    const SESSIONS: usize = 25;
    const SAID: usize = 12;
    let server = server();
    let mut rooms: Vec<Vec<Client>> = (0..SESSIONS)
        .map(|number| {
            let agent = format!("a{number}");
            let agents_token = agents(&server, &agent);
            let (session, visitor, guest) = start(&server, &json!({}));
            let at = |user: &str, role: &str, token: &str| {
                let mut client = come(&server, (&session, user, role), token);
                client.next("connection_status_update");
                client
            };
            // Two windows of the visitor, and an agent who looks on.
            let visitors = [at(&visitor, "customer", &guest), at(&visitor, "customer", &guest)];
            visitors.into_iter().chain([at(&agent, "agent", &agents_token)]).collect()
        })
        .collect();
    for number in 0..SAID {
        for client in rooms.iter_mut().flat_map(|clients| &mut clients[..2]) {
            say(client, "typing_start", &json!({}));
            say(client, "ping", &json!({}));
            say(client, "send_message", &json!({"message": format!("number {number}")}));
        }
    }
    for clients in &mut rooms {
        let told = clients.iter_mut().map(|client| {
            let mut next =
                || client.next_of(&["new_message", "message_sent"])["data"]["message_id"].to_string();
            (0..2 * SAID).map(|_| next()).collect::<Vec<String>>()
        });
        let told: Vec<Vec<String>> = told.collect();
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        let once: BTreeMap<&String, ()> = told[0].iter().map(|id| (id, ())).collect();
        assert_eq!(once.len(), 2 * SAID, "{told:?}");
    }
    assert_eq!(figure(&server, "app_panics_total"), 0);
}

/// "Connection Drops".
#[test]
fn who_vanishes_without_a_close_frame_is_removed_and_so_is_who_answers_no_ping() {
    let server = Server::configured(&format!(
        "{CONFIG}[websocket]\nping_period = \"200ms\"\nread_timeout = \"1s\"\n[log]\nlevel = \"debug\"\n"
    ));
    let (session, visitor, guest) = start(&server, &json!({}));
    let agent = agents(&server, "ada");
    let mut ada = come(&server, (&session, "ada", "agent"), &agent);
    ada.next("connection_status_update");
    // She is there, and says so: the others' silence is what is looked for.
    let mut went = || {
        loop {
            let Some(heard) = ada.hear_within(Duration::from_millis(250)) else {
                say(&mut ada, "ping", &json!({}));
                continue;
            };
            let Heard::Text(text) = heard else { panic!("she heard {heard:?}") };
            let update: Value = serde_json::from_str(&text).expect("JSON");
            if update["data"]["event_type"] == "user_disconnected" {
                break update["data"].clone();
            }
        }
    };
    let none = json!({"event_user_id": visitor, "customers": 0, "agents": 1});
    let of = |told: &Value| {
        let status = &told["connection_status"];
        json!({"event_user_id": told["event_user_id"], "customers": status["total_customer"], "agents": status["total_agent"]})
    };
    vanishes(come(&server, (&session, &visitor, "customer"), &guest));
    assert_eq!(of(&went()), none, "a reset");
    // Somebody whose cable is cut: nothing is read any more, and no ping is answered.
    let cut = come(&server, (&session, &visitor, "customer"), &guest);
    assert_eq!(of(&went()), none, "silence");
    until("it is counted", || figure(&server, "stale_removed_total") >= 1);
    server.until_log("Removed connection");
    until("the agent alone is left", || figure(&server, "connections") == 1);
    drop(cut);
}

/// "Monitoring": each of the strings, and the figure that counts what it says. `Recovered from panic in` is in `failing_app.rs`.
#[test]
fn what_the_log_was_watched_for_is_there_and_counted() {
    let server = Server::configured(&format!(
        "{CONFIG}[limits]\nmessages_per_second = 100000\nburst = 100000\n[log]\nlevel = \"debug\"\n"
    ));
    let (session, visitor, guest) = start(&server, &json!({}));
    let mut cy = come(&server, (&session, &visitor, "customer"), &guest);
    say(&mut cy, "send_message", &json!({"message": "Hello"}));
    cy.next("message_sent");
    server.until_log("Broadcasted message to session");
    let line = server.log().lines().find(|line| line.contains("Broadcasted")).map(str::to_owned);
    assert!(line.is_some_and(|line| line.contains(&format!("support:{session}"))), "it names the session");
    until("it is counted", || figure(&server, "broadcasts_total") >= 1);
    cy.hang_up();
    server.until_log("Removed connection");
    until("it is counted", || figure(&server, "closed_total") >= 1);
    // A reset while words are on their way to it: sooner or later between two looks at the socket.
    let mut back = come(&server, (&session, &visitor, "customer"), &guest);
    until("a write fails", || {
        let gone: Vec<Client> =
            (0..6).map(|_| come(&server, (&session, &visitor, "customer"), &guest)).collect();
        (0..50).for_each(|_| say(&mut back, "send_message", &json!({"message": "Hello"})));
        gone.into_iter().for_each(vanishes);
        (0..50).for_each(|_| drop(back.next("message_sent")));
        figure(&server, "failed_sends_total") >= 1
    });
    server.until_log("Failed to send message to client");
    assert_eq!(
        call(&server, &guest, &format!("GET /api/chat/session/{session}"), &json!({}))["status"],
        "waiting"
    );
}

/// Broadcasts are the most frequent thing there is: who does not ask for them reads nothing of them, and may ask while it runs.
#[test]
fn broadcasts_are_in_the_log_from_when_it_is_asked_for_them() {
    let server = server();
    let (session, visitor, guest) = start(&server, &json!({}));
    let mut cy = come(&server, (&session, &visitor, "customer"), &guest);
    say(&mut cy, "send_message", &json!({"message": "Hello"}));
    cy.next("message_sent");
    assert!(!server.log().contains("Broadcasted"), "{}", server.log());
    server.configure(&format!("{CONFIG}[log]\nlevel = \"debug\"\n"));
    server.until_log("the config was read again");
    say(&mut cy, "send_message", &json!({"message": "Hello"}));
    server.until_log("Broadcasted message to session");
}
