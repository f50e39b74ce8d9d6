//! The binary as its users meet it: real sockets, a real process, the command line.

#[path = "serve/operator.rs"]
mod operator;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::{Client, Folder, Heard, Server, kulkul};
use websocket::frame;

#[test]
fn the_two_lines_of_the_tutorial_bring_a_message_to_the_second_client() {
    let server = Server::start();
    let (mut ana, mut bo) = (server.client("1"), server.client("2"));
    ana.say(r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    ana.next("room_info");
    bo.join("general");
    ana.say(r#"{"type":"send_message","room":"general","payload":{"content":"Hello!"}}"#);
    let heard = bo.next("new_message");
    assert_eq!(heard["payload"]["content"], "Hello!");
    assert_eq!(heard["sender"]["id"], "1");
    let ack = ana.next("ack");
    assert_eq!(ack["payload"]["message_id"], heard["id"]);
    assert_eq!(ack.get("id"), None, "an id that the client did not give is not made up");
}

#[test]
fn members_on_different_shards_see_one_order() {
    let server = Server::with(&["--shards", "3"]);
    let mut clients: Vec<Client> = (0..6).map(|user| server.client(&user.to_string())).collect();
    for client in &mut clients {
        client.join("general");
    }
    for (user, client) in clients.iter_mut().enumerate() {
        for number in 0..10 {
            client.say(&format!(
                r#"{{"type":"send_message","room":"general","id":"{number}","payload":{{"content":"{user}-{number}"}}}}"#
            ));
        }
    }
    // Everybody sees sixty positions, each of the own ones as an ack at its place.
    for client in &mut clients {
        let mut offsets = Vec::new();
        while offsets.len() < 60 {
            let Heard::Text(text) = client.hear() else { panic!("closed early") };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            match message["type"].as_str() {
                Some("new_message" | "ack") => offsets.push(message["position"]["offset"].as_u64()),
                Some("error") => panic!("{text}"),
                _ => {}
            }
        }
        assert_eq!(offsets, (1..=60).map(Some).collect::<Vec<_>>());
    }
}

#[test]
fn online_counts_users_and_not_their_devices() {
    let server = Server::start();
    assert_eq!(server.get_json("/ws/online")["online"], 0);
    let (mut phone, mut laptop, mut other) = (server.client("1"), server.client("1"), server.client("2"));
    for client in [&mut phone, &mut laptop, &mut other] {
        client.join("general");
    }
    assert_eq!(server.get_json("/ws/online")["online"], 2);
    drop(other);
    server.until("/ws/online", r#"{"online":1}"#);
    drop(phone);
    laptop.say(r#"{"type":"online_users","room":"general","id":"q"}"#);
    laptop.next("online_users");
    assert_eq!(server.get_json("/ws/online")["online"], 1, "the laptop is still here");
}

#[test]
fn strangers_are_refused_before_the_upgrade_with_the_agreed_status() {
    let server = Server::start();
    let token = server.token("1", "Ana");
    let target = format!("/ws?token={token}");
    for (case, target, fields, status) in [
        ("no token", "/ws", &[][..], 401),
        ("a bad token", "/ws?token=a.b.c", &[], 401),
        ("a bad bearer", &target, &[("Authorization", "Bearer a.b.c")], 401),
        ("no such mount", "/nowhere", &[], 404),
        ("the echo outside conformance", "/conformance/echo", &[], 404),
    ] {
        assert_eq!(Client::open_with(&server, target, &[], fields).err(), Some(status), "{case}");
    }
    let (status, body) = server.http(&format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address
    ));
    assert_eq!((status, body.as_str()), (401, r#"{"error":"authentication required"}"#));
    let (status, _) = server.get("/ws");
    assert_eq!(status, 426, "a plain request learns that this is a WebSocket");
}

#[test]
fn a_page_of_a_foreign_origin_is_refused() {
    let server = Server::start();
    let target = format!("/ws?token={}", server.token("1", "Ana"));
    let own = format!("http://{}", server.address);
    for (origin, refused) in [
        ("https://evil.test", Some(403)),
        ("null", Some(403)),
        ("http://127.0.0.1.evil.test", Some(403)),
        (own.as_str(), None),
    ] {
        let opened = Client::open_with(&server, &target, &[], &[("Origin", origin)]);
        assert_eq!(opened.err(), refused, "{origin}");
    }
    let without_token = Client::open_with(&server, "/ws", &[], &[("Origin", "https://evil.test")]);
    assert_eq!(without_token.err(), Some(401), "the token is looked at first");
}

#[test]
fn the_name_in_the_token_is_the_name_that_others_see() {
    let server = Server::start();
    let open = |user, name| Client::open(&server, &format!("/ws?token={}", server.token(user, name)));
    let (mut ana, mut bo) = (open("7", "Ana").expect("let in"), open("8", "Bo").expect("let in"));
    ana.join("general");
    assert_eq!(bo.join("general")["payload"]["users"][0]["name"], "Ana");
    assert_eq!(ana.next("user_joined")["payload"]["name"], "Bo");
    // What a client says of itself in a frame is not heard.
    bo.say(
        r#"{"type":"send_message","room":"general","payload":{"content":"hi"},"sender":{"id":"7","name":"Ana"}}"#,
    );
    let sender = &ana.next("new_message")["sender"];
    assert_eq!((sender["id"].as_str(), sender["name"].as_str()), (Some("8"), Some("Bo")));
}

#[test]
fn a_token_is_accepted_wherever_clients_put_it() {
    let server = Server::start();
    let token = server.token("1", "Ana");
    let (bearer, in_protocol) = (format!("Bearer {token}"), format!("bearer.{token}"));
    for (protocols, fields, agreed) in [
        (vec![], vec![("Authorization", bearer.as_str())], None),
        (vec!["kulkul", in_protocol.as_str()], vec![], Some("kulkul")),
        (vec![token.as_str()], vec![], Some(token.as_str())),
    ] {
        let client = Client::open_with(&server, "/ws", &protocols, &fields).expect("let in");
        assert_eq!(client.protocol.as_deref(), agreed);
    }
    let other = server.token("2", "Bo");
    let two_users =
        Client::open_with(&server, &format!("/ws?token={other}"), &[], &[("Authorization", &bearer)]);
    assert_eq!(two_users.err(), Some(401), "two tokens of different users prove nobody");
}

#[test]
fn frames_behind_the_handshake_are_not_lost() {
    let server = Server::start();
    let join = r#"{"type":"join_room","payload":{"room_id":"general"}}"#;
    let mut stream = Client::say_all(&server, "1", &[join]);
    let mut received = Vec::new();
    while !String::from_utf8_lossy(&received).contains("room_info") {
        let mut chunk = [0; 1024];
        let read = std::io::Read::read(&mut stream, &mut chunk).expect("an answer");
        assert_ne!(read, 0, "hung up after {:?}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&chunk[..read]);
    }
}

#[test]
fn what_breaks_the_protocol_ends_its_own_connection_alone() {
    let server = Server::start();
    let (mut good, mut bad) = (server.client("1"), server.client("2"));
    good.join("general");
    bad.send(&[0x81, 0x01, b'x']);
    assert_eq!(bad.closed().0, 1002, "a frame without a mask");
    let mut large = server.client("3");
    large.say(&format!(r#"{{"type":"x","payload":"{}"}}"#, "a".repeat(5000)));
    assert_eq!(large.closed().0, 1009, "more than a message may have");
    good.say(r#"{"type":"send_message","room":"general","id":"1","payload":{"content":"still here"}}"#);
    assert_eq!(good.next("ack")["id"], "1");
}

#[test]
fn a_close_is_answered_with_its_own_code() {
    let server = Server::start();
    let mut client = server.client("1");
    client.send(&frame::masked(frame::Opcode::Close, [1, 2, 3, 4], &frame::close_payload(3007, "bye")));
    assert_eq!(client.closed().0, 3007);
    assert_eq!(client.hear(), Heard::End);
}

#[test]
fn who_hangs_up_right_behind_its_last_words_is_gone_after_the_linger() {
    let server = Server::start();
    let (mut stays, mut goes) = (server.client("1"), server.client("2"));
    stays.join("general");
    goes.join("general");
    goes.say(r#"{"type":"send_message","room":"general","payload":{"content":"bye"}}"#);
    goes.hang_up();
    assert_eq!(stays.next("new_message")["payload"]["content"], "bye");
    // Were the end not noticed, the next ping would find it: later than the test waits.
    assert_eq!(stays.next("user_left")["payload"]["id"], "2");
}

#[test]
fn who_is_gone_before_being_greeted_is_gone_after_the_linger() {
    let server = Server::with(&["--shards", "2"]);
    let mut stays = server.client("1");
    stays.join("general");
    let words = [
        r#"{"type":"join_room","payload":{"room_id":"general"}}"#,
        r#"{"type":"send_message","room":"general","payload":{"content":"bye"}}"#,
    ];
    // Kept until the end: a socket that is dropped with something unread takes back what it said.
    let _sockets: Vec<_> = (2..6)
        .map(|user| {
            let stream = Client::say_all(&server, &user.to_string(), &words);
            stream.shutdown(std::net::Shutdown::Write).expect("open until now");
            stream
        })
        .collect();
    let mut gone = std::collections::BTreeSet::new();
    // Were an end not noticed, the next ping would find it: later than the test waits.
    while gone.len() < 4 {
        gone.insert(stays.next("user_left")["payload"]["id"].to_string());
    }
    server.until("/ws/online", r#"{"online":1}"#);
}

#[test]
fn the_conformance_echo_sends_back_what_came() {
    let server = Server::with(&["--conformance"]);
    let mut client = Client::open(&server, "/conformance/echo").expect("let in without a token");
    client.say("hello");
    assert_eq!(client.hear(), Heard::Text("hello".into()));
    let large = vec![7; 1 << 20];
    client.send(&frame::masked(frame::Opcode::Binary, [1, 2, 3, 4], &large));
    assert_eq!(client.hear(), Heard::Binary(large));
}

#[test]
fn who_does_not_read_its_answers_learns_that_it_is_too_slow_when_it_reads_again() {
    let server = Server::with(&["--conformance"]);
    let mut client = Client::open(&server, "/conformance/echo").expect("let in");
    let large = frame::masked(frame::Opcode::Binary, [1, 2, 3, 4], &vec![7; 1 << 20]);
    // More than the kernel's buffers and the outbox hold together; the server goes on reading all the while.
    for _ in 0..32 {
        client.send(&large);
    }
    assert_eq!(client.closed(), (4410, "too slow".to_owned()));
    client.send(&frame::masked(frame::Opcode::Close, [1, 2, 3, 4], &frame::close_payload(4410, "")));
    assert_eq!(client.hear(), Heard::End);
}

#[test]
fn a_signal_drains_the_node_and_everybody_learns_when_to_come_back() {
    let server = Server::start();
    let mut clients: Vec<Client> = (0..20).map(|user| server.client(&user.to_string())).collect();
    for client in &mut clients {
        client.join("general");
    }
    server.signal(Signal::SIGTERM);
    for client in &mut clients {
        let (code, reason) = client.closed();
        assert_eq!(code, 4412);
        assert!(reason.starts_with("draining, retry after "), "{reason}");
    }
    // A well-behaved client answers; one that hangs up does as well.
    drop(clients);
    assert!(server.wait().success());
}

#[test]
fn a_node_without_clients_ends_at_once() {
    let server = Server::start();
    assert_eq!(server.get("/ready").0, 200);
    assert_eq!(server.get("/live").0, 200);
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}

#[test]
fn out_of_descriptors_the_node_goes_on_serving_those_it_has() {
    let server = Server::logging("warn", &["--shards", "1"]);
    let mut first = server.client("1");
    first.join("general");
    let limit = format!("--nofile={}:{}", 64, 64);
    let lowered = std::process::Command::new("prlimit")
        .args(["--pid", &server.pid().to_string(), &limit])
        .status()
        .expect("prlimit is part of util-linux");
    assert!(lowered.success());
    let since = std::time::Instant::now();
    let flood: Vec<_> =
        (0..100).map(|_| std::net::TcpStream::connect(&server.address).expect("queued")).collect();
    first.say(r#"{"type":"send_message","room":"general","id":"1","payload":{"content":"still here"}}"#);
    assert_eq!(first.next("ack")["id"], "1");
    server.until_log("out of descriptors");
    drop(flood);
    let mut second = server.client("2");
    second.join("general");
    // However often it is tried, it is said once a second.
    let said = server.log().matches("out of descriptors").count() as u64;
    assert!(said <= since.elapsed().as_secs() + 1, "{said} lines in {:?}", since.elapsed());
}

#[test]
fn tokens_carry_what_the_command_line_says_and_rooms_bind() {
    let server = Server::start();
    let token = server.token_with(&["--user", "7", "--rooms", "team-*", "--ttl", "5m", "--role", "agent"]);
    let mut client = Client::open(&server, &format!("/ws?token={token}")).expect("let in");
    client.join("team-1");
    client.say(r#"{"type":"join_room","id":"q","payload":{"room_id":"other"}}"#);
    let error = client.next("error");
    assert_eq!((error["id"].as_str(), error["payload"]["code"].as_str()), (Some("q"), Some("FORBIDDEN")));
    let stats = server.get_json("/stats");
    assert_eq!(stats["total_connections"], 1);
    assert_eq!(stats["connections_by_role"]["agent"], 1);
    assert!(stats["timestamp"].is_string());
}

#[test]
fn the_command_line_fails_with_the_agreed_status_and_says_why() {
    let folder = Folder::new();
    let careful = folder.path().join("careful.toml");
    let text = "secret = \"a secret of thirty-two bytes or more\"\nlisten = \"127.0.0.1:0\"\n\
                operator_listen = \"127.0.0.1:0\"\ndurability = \"power\"\n";
    std::fs::write(&careful, text).expect("written");
    let careful = careful.to_str().expect("UTF-8");
    for (args, status, says) in [
        (&["serve", "--engine", "redis://127.0.0.1"][..], 1, "prove the same tokens"),
        (&["serve", "--config", careful, "--engine", "memory"], 1, "records are to survive a loss of power"),
        (&["serve", "--engine", "postgres"], 2, "memory, disk, redis"),
        (&["serve", "--listen", "0.0.0.0:0", "--data", folder.text()], 1, "secret ="),
        (&["serve", "--config", "/nonexistent/kulkul.toml"], 1, "/nonexistent/kulkul.toml"),
        (&["token"], 2, "--user"),
        (&["token", "--user", "", "--data", folder.text()], 1, "--user"),
        (&["token", "--user", "1", "--ttl", "soon"], 2, "1h"),
        (&["nonsense"], 2, "nonsense"),
    ] {
        let output = kulkul(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {error}");
        assert!(error.contains(says), "{args:?} does not say {says:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?} prints only what was asked for");
    }
}

#[test]
fn a_config_file_has_its_own_secret_and_ends_demo_mode() {
    let folder = Folder::new();
    let config = folder.path().join("kulkul.toml");
    std::fs::write(&config, "secret = \"a secret of thirty-two bytes or more\"\n").expect("written");
    let config = config.to_str().expect("UTF-8");
    let server = Server::with(&["--config", config]);
    let body = r#"{"name":"Ana"}"#;
    let ask = format!(
        "POST /demo/token HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    assert_eq!(server.http(&ask).0, 404, "tokens for whoever asks are for demo mode");
    let output = kulkul(&["token", "--user", "1", "--config", config]);
    let token = String::from_utf8(output.stdout).expect("text");
    Client::open(&server, &format!("/ws?token={}", token.trim())).expect("signed with the config's secret");
    let foreign = server.token("1", "Ana");
    assert_eq!(
        Client::open(&server, &format!("/ws?token={foreign}")).err(),
        Some(401),
        "the folder's secret is not it"
    );
    let demo = Server::start();
    let (status, body) = demo.http(&ask.replace(&server.address, &demo.address));
    assert_eq!(status, 200);
    let given: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(given["user"]["name"], "Ana");
    Client::open(&demo, &format!("/ws?token={}", given["token"].as_str().expect("a token"))).expect("let in");
}
