//! Two nodes on one engine, a real Redis or NATS: clients on different nodes are in one room.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Instant;

use fleet::Fleet;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{Client, Folder, PATIENCE};

fn say(client: &mut Client, id: &str) {
    let frame = json!({ "type": "send_message", "room": "general", "id": id, "payload": { "content": id } });
    client.say(&frame.to_string());
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::yield_now();
    }
}

fn clients_on_two_nodes_are_in_one_room(fleet: &Fleet) {
    let (one, two) = (fleet.node(), fleet.node());
    let (mut ana, mut bo) = (fleet.client(&one, "ana"), fleet.client(&two, "bo"));
    ana.join("general");
    bo.join("general");
    assert_eq!(ana.next("user_joined")["payload"]["id"], "bo", "one hears of who joins at the other");
    for round in 0..20 {
        for (speaker, hearer) in [(&mut ana, 0), (&mut bo, 1)] {
            say(speaker, &format!("{round}-{hearer}"));
        }
    }
    // Each hears the other's, and of its own the acks: together every place once, in order.
    for (client, others) in [(&mut ana, "1"), (&mut bo, "0")] {
        let mut offsets = Vec::new();
        while offsets.len() < 40 {
            let heard = client.next_of(&["new_message", "ack"]);
            if heard["type"] == "new_message" {
                let content = heard["payload"]["content"].as_str().expect("text");
                assert!(content.ends_with(others), "no echo of its own: {heard}");
            }
            offsets.push(heard["position"]["offset"].as_u64().expect("a position"));
        }
        assert!(offsets.iter().copied().eq(1..=40), "{offsets:?}");
    }
    ana.say(r#"{"type":"typing","room":"general"}"#);
    assert_eq!(bo.next("user_typing")["sender"]["id"], "ana");
    ana.say(r#"{"type":"online_users","room":"general","id":"o"}"#);
    let here = ana.next("online_users");
    assert_eq!(here["payload"]["count"], 2, "{here}");
    for node in [&one, &two] {
        until("the count of all nodes", || node.get_json("/ws/online")["online"] == 2);
    }
}

fn a_client_resumes_at_the_other_node(fleet: &Fleet) {
    let (one, two) = (fleet.node(), fleet.node());
    let (mut ana, mut bo) = (fleet.client(&one, "ana"), fleet.client(&two, "bo"));
    ana.join("general");
    bo.join("general");
    say(&mut ana, "before");
    let seen = ana.next("ack")["position"].clone();
    one.signal(Signal::SIGKILL);
    one.wait();
    for number in 0..5 {
        say(&mut bo, &format!("meanwhile {number}"));
    }
    let mut ana = fleet.client(&two, "ana");
    let resume =
        json!({ "type": "resume", "payload": { "rooms": [{ "room_id": "general", "since": seen }] } });
    ana.say(&resume.to_string());
    for number in 0..5 {
        assert_eq!(ana.next("new_message")["payload"]["content"], format!("meanwhile {number}"));
    }
    say(&mut ana, "before");
    assert_eq!(ana.next("ack")["position"], seen, "the same id is the same message, on whatever node");
}

/// Ana has a device on each node, Dan one on the node that dies.
fn killing_a_node_flaps_nobody_who_is_on_the_other_too(fleet: &Fleet) {
    let (one, two) = (fleet.node(), fleet.node());
    let mut observer = fleet.client(&two, "cy");
    observer.join("general");
    let mut devices = [fleet.client(&one, "ana"), fleet.client(&two, "ana"), fleet.client(&one, "dan")];
    for device in &mut devices {
        device.join("general");
    }
    for _ in 0..2 {
        observer.next("user_joined");
    }
    one.signal(Signal::SIGKILL);
    one.wait();
    let left = observer.next_of(&["user_left", "user_joined"]);
    assert_eq!((&left["type"], &left["payload"]["id"]), (&"user_left".into(), &"dan".into()), "{left}");
    say(&mut observer, "after");
    let next = observer.next_of(&["user_left", "user_joined", "ack"]);
    assert_eq!(next["type"], "ack", "nobody else left or came: {next}");
    observer.say(r#"{"type":"online_users","room":"general","id":"o"}"#);
    assert_eq!(observer.next("online_users")["payload"]["count"], 2);
}

fn a_revocation_at_one_node_closes_at_the_other(fleet: &Fleet) {
    let (one, two) = (fleet.node(), fleet.node());
    let mut ana = fleet.client(&two, "ana");
    let (status, said) = one.ask_operator("POST /revoke", r#"{"user":"ana"}"#);
    assert_eq!(status, 204, "{said}");
    assert_eq!(ana.closed().0, 4401);
}

/// T07: every socket of somebody, wherever it is, and whoever comes again with what was revoked.
fn a_revocation_closes_a_hundred_sockets_on_each_of_three_nodes(fleet: &Fleet) {
    let nodes = [fleet.node(), fleet.node(), fleet.node()];
    let token = fleet.token("eve");
    let target = format!("/ws?token={token}");
    let mut sockets: Vec<Client> =
        (0..300).map(|number| Client::open(&nodes[number % nodes.len()], &target).expect("let in")).collect();
    let mut bo = fleet.client(&nodes[2], "bo");
    let (status, said) = nodes[0].ask_operator("POST /revoke", r#"{"user":"eve"}"#);
    assert_eq!(status, 204, "{said}");
    for socket in &mut sockets {
        assert_eq!(socket.closed().0, 4401);
    }
    for node in &nodes {
        assert_eq!(Client::open(node, &target).err(), Some(401), "what was revoked opens nothing");
    }
    bo.join("general");
}

/// From one node to the other and back; who came last stays, and the old one's end takes nothing from it.
fn operators_see_their_node_and_reach_users_on_every_one(fleet: &Fleet) {
    let (one, two) = (fleet.node(), fleet.node());
    let (mut ana, mut bo) = (fleet.client(&one, "ana"), fleet.client(&two, "bo"));
    ana.join("general");
    bo.join("general");
    assert_eq!(ana.next("user_joined")["payload"]["id"], "bo");
    let ask = |node: &support::Server, request: &str, body: &str| {
        let (status, told) = node.ask_operator(request, body);
        (status, serde_json::from_str::<Value>(&told).unwrap_or(Value::String(told)))
    };
    let seen = |node: &support::Server| ask(node, "GET /rooms/chat:general", "").1;
    until("both know of two", || seen(&one)["room"]["users"] == 2 && seen(&two)["room"]["users"] == 2);
    let (here, there) = (seen(&one), seen(&two));
    assert_ne!(here["node"], there["node"]);
    assert_eq!(
        (&here["room"]["members"], &there["room"]["members"]),
        (&json!(1), &json!(1)),
        "{here} {there}"
    );
    let is_steward = |node: &support::Server| seen(node)["room"]["steward"] == true;
    until("one of them is steward", || is_steward(&one) != is_steward(&two));
    // Of another node's connection each says whose it is; of its user, that it is not here.
    let id = there["members"][0]["connection"].as_str().expect("an id").to_owned();
    let (status, told) = ask(&one, &format!("GET /connections/{id}"), "");
    assert!(status == 404 && told["error"].as_str().is_some_and(|it| it.contains("ask that one")), "{told}");
    until("the nodes tell each other", || ask(&one, "GET /users/bo", "").1["online"] != "no");
    bo.join("user:bo");
    until("the inbox tells", || ask(&one, "GET /users/bo", "").1["online"] == "elsewhere");
    until("nobody has them", || ask(&one, "GET /users/nobody", "").1["online"] == "no");
    let (status, told) = ask(&one, "POST /rooms/chat:general/kick", r#"{"user":"bo"}"#);
    assert_eq!((status, &told["here"]), (200, &json!(0)), "{told}");
    assert_eq!(bo.next("error")["payload"]["code"], "FORBIDDEN");
    assert_eq!(ana.next("user_left")["payload"]["id"], "bo");
    let (status, told) = ask(&one, "POST /disconnect", r#"{"user":"bo","code":4503}"#);
    assert_eq!(status, 200, "{told}");
    assert_eq!(bo.closed().0, 4503);
}

fn where_a_user_has_one_connection_the_newest_wins_on_whatever_node(fleet: &Fleet) {
    let (one, two) = (fleet.node(), fleet.node());
    let mut newest = fleet.client_at(&one, "/alone", "ana");
    for node in [&two, &one, &one, &two] {
        let mut older = std::mem::replace(&mut newest, fleet.client_at(node, "/alone", "ana"));
        assert_eq!(older.closed(), (4509, "replaced by a newer connection".to_owned()));
    }
    let (mut other, mut elsewhere) = (fleet.client_at(&one, "/alone", "bo"), fleet.client(&one, "ana"));
    for client in [&mut newest, &mut other, &mut elsewhere] {
        client.join("general");
    }
}

/// The engine is away for a moment: sockets stay, nothing that was acknowledged is lost, and it goes on by itself.
fn nodes_outlive_their_broker(fleet: &mut Fleet) {
    let (one, two) = (fleet.node(), fleet.node());
    let (mut ana, mut bo) = (fleet.client(&one, "ana"), fleet.client(&two, "bo"));
    ana.join("general");
    bo.join("general");
    say(&mut ana, "before");
    assert_eq!(bo.next("new_message")["payload"]["content"], "before");
    fleet.broker.kill();
    until("unready", || one.get("/ready").0 == 503);
    assert_eq!(one.get("/live").0, 200);
    fleet.broker.begin();
    until("ready again", || one.get("/ready").0 == 200 && two.get("/ready").0 == 200);
    let stored = say_until_stored(&mut ana, "after");
    let heard = bo.next("new_message");
    assert_eq!((&heard["payload"]["content"], &heard["position"]), (&"after".into(), &stored));
}

/// Says it until it is stored; where.
fn say_until_stored(client: &mut Client, id: &str) -> Value {
    let mut stored = None;
    until("the message is stored", || {
        say(client, id);
        let answer = client.next_of(&["ack", "error"]);
        stored = (answer["type"] == "ack" && answer["id"] == id).then(|| answer["position"].clone());
        stored.is_some()
    });
    stored.expect("it is")
}

/// In the broker's place comes one that lagged behind it: nobody is told that all is well.
fn a_failover_that_lost_the_tail_gives_a_reset(fleet: &mut Fleet) {
    let (one, two) = (fleet.node(), fleet.node());
    let (mut ana, mut bo) = (fleet.client(&one, "ana"), fleet.client(&two, "bo"));
    ana.join("general");
    bo.join("general");
    say(&mut ana, "kept");
    assert_eq!(bo.next("new_message")["payload"]["content"], "kept");
    let replica = Folder::new();
    fleet.broker.kill();
    copy(&fleet.broker.folder, replica.path());
    fleet.broker.begin();
    let tail = say_until_stored(&mut ana, "tail");
    assert_eq!(bo.next("new_message")["position"], tail);
    fleet.broker.kill();
    std::fs::remove_dir_all(&fleet.broker.folder).expect("emptied");
    copy(replica.path(), &fleet.broker.folder);
    fleet.broker.begin();
    for client in [&mut ana, &mut bo] {
        let reset = client.next("reset");
        assert_ne!(reset["payload"]["upto"]["epoch"], tail["epoch"], "{reset}");
        let told = reset["payload"]["view"]["messages"].as_array().expect("messages");
        assert_eq!(told.iter().map(|it| &it["payload"]["content"]).collect::<Vec<_>>(), ["kept"], "{reset}");
    }
    let after = say_until_stored(&mut ana, "after");
    assert_ne!(after["epoch"], tail["epoch"]);
    assert_eq!(bo.next("new_message")["position"], after);
    let mut late = fleet.client(&two, "late");
    let join = json!({ "type": "join_room", "payload": { "room_id": "general", "since": tail } });
    late.say(&join.to_string());
    assert_eq!(late.next_of(&["reset", "resumed", "gap"])["type"], "reset");
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().expect("cp");
    assert!(copied.success());
}

macro_rules! on_both {
    ($($test:ident,)*) => {
        mod redis {
            $(#[test] fn $test() { super::$test(&mut super::Fleet::on_redis()); })*
        }
        mod nats {
            $(#[test] fn $test() { super::$test(&mut super::Fleet::on_nats()); })*
        }
    };
}

on_both! {
    clients_on_two_nodes_are_in_one_room,
    a_client_resumes_at_the_other_node,
    killing_a_node_flaps_nobody_who_is_on_the_other_too,
    a_revocation_at_one_node_closes_at_the_other,
    a_revocation_closes_a_hundred_sockets_on_each_of_three_nodes,
    operators_see_their_node_and_reach_users_on_every_one,
    where_a_user_has_one_connection_the_newest_wins_on_whatever_node,
    nodes_outlive_their_broker,
    a_failover_that_lost_the_tail_gives_a_reset,
}

/// A start with other keys than the nodes that are there is refused, and so is a config that is read again.
#[test]
fn a_node_does_not_change_to_keys_that_no_other_node_proves_tokens_by() {
    let fleet = Fleet::on_redis();
    let node = fleet.node();
    let written = std::fs::read_to_string(fleet.config()).expect("its config");
    let token = fleet.token("ana");
    let other = written.replace("0123456789abcdef0123456789abcdef", "another secret of thirty-two bytes");
    std::fs::write(fleet.config(), other).expect("written");
    node.signal(Signal::SIGHUP);
    node.until_log("its other nodes prove tokens by other keys");
    node.until_log("the old one stays in force");
    Client::open(&node, &format!("/ws?token={token}")).expect("let in as before");
}

/// What the nodes had seen is gone: clients are told so, and go on in a new epoch.
#[test]
fn a_redis_that_lost_everything_gives_a_reset_and_never_a_silent_gap() {
    let fleet = Fleet::on_redis();
    let node = fleet.node();
    let mut ana = fleet.client(&node, "ana");
    ana.join("general");
    say(&mut ana, "before");
    let seen = ana.next("ack")["position"].clone();
    let flushed = std::process::Command::new("redis-cli")
        .args(["-p", &fleet.broker.address.port().to_string(), "flushall"])
        .output()
        .expect("redis-cli is with the server");
    assert!(flushed.status.success());
    say(&mut ana, "after");
    let reset = ana.next("reset");
    assert_ne!(reset["payload"]["upto"]["epoch"], seen["epoch"], "{reset}");
    let mut again = fleet.client(&node, "bo");
    let join = json!({ "type": "join_room", "payload": { "room_id": "general", "since": seen } });
    again.say(&join.to_string());
    let answer: Value = again.next_of(&["reset", "resumed", "gap"]);
    assert_eq!(answer["type"], "reset", "a position of the lost epoch");
}

/// Its back end is told at least that nobody knows, and what to do: a connection that just ends says neither.
#[test]
fn a_publish_that_waits_for_a_broker_is_answered_before_the_node_ends() {
    let fleet = Fleet::on_redis();
    let node = fleet.node();
    let body = json!({ "room": "chat:general", "id": "o-1", "payload": { "content": "x" } }).to_string();
    assert_eq!(node.ask_operator("POST /api/publish", &body).0, 200);
    let broker = nix::unistd::Pid::from_raw(fleet.broker.pid().expect("it runs") as i32);
    nix::sys::signal::kill(broker, Signal::SIGSTOP).expect("it runs");
    let operator = node.operator.clone().expect("it has one");
    let body = body.replace("o-1", "o-2");
    let mut call = TcpStream::connect(&operator).expect("listening");
    call.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let key = fleet::API_KEY;
    let head = format!(
        "POST /api/publish HTTP/1.1\r\nHost: {operator}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    call.write_all(head.as_bytes()).expect("taken");
    // Who comes later is answered: the call has been read.
    assert_eq!(node.ask_operator("GET /live", "").0, 200);
    node.signal(Signal::SIGTERM);
    let mut told = String::new();
    call.read_to_string(&mut told).expect("an answer in text");
    let status = told.split(' ').nth(1);
    assert!(matches!(status, Some("503" | "504")), "{told}");
    assert!(told.contains("nothing was stored") || told.contains("resend the same id"), "{told}");
    let ended = node.wait();
    nix::sys::signal::kill(broker, Signal::SIGCONT).expect("it runs");
    assert!(ended.success(), "{ended}");
}

#[test]
fn a_signal_ends_a_node_that_still_waits_for_its_broker_to_load() {
    let broker = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let engine = format!("redis://{}", broker.local_addr().expect("bound"));
    let (asked, was_asked) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        for stream in broker.incoming() {
            let (mut stream, asked) = (stream.expect("accepted"), asked.clone());
            std::thread::spawn(move || {
                let mut commands = [0; 4096];
                while stream.read(&mut commands).is_ok_and(|read| read > 0) {
                    // More answers than questions do no harm: it is hung up on, and asked again.
                    stream.write_all(b"-LOADING Redis is loading the dataset in memory\r\n").ok();
                    asked.try_send(()).ok();
                }
            });
        }
    });
    let folder = Folder::new();
    let config = folder.path().join("kulkul.toml");
    std::fs::write(&config, "secret = \"0123456789abcdef0123456789abcdef\"\n").expect("written");
    let mut node = std::process::Command::new(env!("CARGO_BIN_EXE_kulkul"))
        .args(["serve", "--listen", "127.0.0.1:0", "--engine", &engine, "--data", folder.text()])
        .args(["--config", config.to_str().expect("UTF-8")])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary runs");
    was_asked.recv_timeout(PATIENCE).expect("it asks its broker");
    let id = nix::unistd::Pid::from_raw(node.id() as i32);
    nix::sys::signal::kill(id, Signal::SIGTERM).expect("it runs");
    // Of itself it would end too, once it has waited long enough: with another status.
    let ended = node.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
}
