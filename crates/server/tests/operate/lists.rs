//! Pages of rooms and connections, while others come and go.

use serde_json::{Value, json};

use super::{ROOT, TEAM, ask, look, open, server, until};
use crate::support::{Client, Server};

/// All pages of a list, with something that happens between two.
fn walked(server: &Server, list: &str, path: &str, mut meanwhile: impl FnMut(usize)) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    for page in 0.. {
        let told = look(server, &format!("{path}{after}"));
        assert_eq!(told["silent_shards"], json!([]), "{told}");
        all.extend(told[list].as_array().expect("a list").iter().cloned());
        let Some(next) = told["next"].as_str() else { break };
        after = format!("&after={next}");
        meanwhile(page);
    }
    all
}

#[test]
fn a_room_that_is_there_all_the_while_is_in_one_page() {
    let server = server();
    let mut ana = open(&server, "ana");
    for number in 0..30 {
        ana.join(&format!("team-{number:02}"));
    }
    let mut bo = open(&server, "bo");
    let all = walked(&server, "rooms", "/rooms?prefix=chat:team-&limit=7", |page| {
        bo.join(&format!("team-{page:02}-new"));
        let leave = json!({ "type": "leave_room", "id": "l", "payload": { "room_id": format!("team-{:02}", 29 - page) } });
        ana.say(&leave.to_string());
        ana.next("ack");
    });
    let names: Vec<&str> = all.iter().filter_map(|room| room["room"].as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
    for number in 0..30 {
        let name = format!("chat:team-{number:02}");
        assert_eq!(names.iter().filter(|it| **it == name).count(), 1, "{name} in {names:?}");
    }
    let empty = until("rooms are left", || {
        let told = look(&server, "/rooms?members=no&app=chat");
        (!told["rooms"].as_array()?.is_empty()).then_some(told)
    });
    assert!(empty["rooms"].as_array().expect("a list").iter().all(|it| it["members"] == 0), "{empty}");
    let full = look(&server, "/rooms?members=yes&app=chat");
    assert!(full["rooms"].as_array().expect("a list").iter().all(|it| it["members"] != 0), "{full}");
}

#[test]
fn a_key_of_some_rooms_sees_no_others() {
    let server = server();
    let mut ana = open(&server, "ana");
    ana.join("team-a");
    ana.join("general");
    let (status, told) = ask(&server, TEAM, "GET /rooms", None);
    let names: Vec<&Value> = told["rooms"].as_array().expect("a list").iter().map(|it| &it["room"]).collect();
    assert_eq!((status, names), (200, vec![&json!("chat:team-a")]), "{told}");
    assert_eq!(ask(&server, TEAM, "GET /rooms/chat:team-a", None).0, 200);
    assert_eq!(ask(&server, TEAM, "GET /rooms/chat:general", None).0, 403);
}

#[test]
fn a_connection_that_is_there_all_the_while_is_in_one_page() {
    let server = server();
    let mut stay: Vec<Client> = (0..25).map(|number| open(&server, &format!("stay-{number}"))).collect();
    let mut come: Vec<Client> = (0..5).map(|number| open(&server, &format!("go-{number}"))).collect();
    let all = walked(&server, "connections", "/connections?order=number&limit=4", |page| {
        drop(come.pop());
        stay.push(open(&server, &format!("new-{page}")));
    });
    let users: Vec<&str> = all.iter().filter_map(|it| it["user"]["id"].as_str()).collect();
    for number in 0..25 {
        let name = format!("stay-{number}");
        assert_eq!(users.iter().filter(|it| **it == name).count(), 1, "{name} in {users:?}");
    }
}

#[test]
fn who_takes_nothing_comes_first() {
    let server = server();
    let mut well: Vec<Client> = (0..4).map(|number| open(&server, &format!("well-{number}"))).collect();
    let mut slow = open(&server, "slow");
    slow.join("user:slow");
    for client in well.iter_mut().chain([&mut slow]) {
        client.join("general");
    }
    // It does not read: the kernel's buffers fill, and then its outbox does.
    let body = json!({ "user": "slow", "payload": { "text": "x".repeat(60 << 10) } });
    let first = until("something waits", || {
        let (status, told) = ask(&server, ROOT, "POST /api/publish", Some(&body));
        assert_eq!(status, 200, "{told}");
        let first = look(&server, "/connections?limit=1")["connections"][0].clone();
        (first["waiting_bytes"].as_u64()? > 0).then_some(first)
    });
    assert_eq!(first["user"]["id"], "slow", "{first}");
    assert!(first["waiting_messages"].as_u64().is_some_and(|count| count > 0), "{first}");
    let of_room = look(&server, "/connections?room=chat:general&order=number");
    assert_eq!(of_room["connections"].as_array().map(Vec::len), Some(5), "{of_room}");
    assert_eq!(look(&server, "/connections?room=chat:other")["connections"], json!([]));
    assert_eq!(
        look(&server, "/connections?user=well-1&mount=/ws")["connections"].as_array().map(Vec::len),
        Some(1)
    );
}
