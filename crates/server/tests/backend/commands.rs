//! `kulkul history` and `kulkul tail` where what they ask fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Folder, PATIENCE, Server, kulkul};

/// Answers one request after the other, each on a connection of its own, and then no more.
fn answering(answers: Vec<(u16, Value)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().expect("asked");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                head.push(byte[0]);
            }
            let answer = answer.to_string();
            let length = answer.len();
            let head =
                format!("HTTP/1.1 {status} It\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(format!("{head}{answer}").as_bytes()).expect("heard");
        }
    });
    address
}

fn message(offset: u64) -> Value {
    json!({
        "type": "new_message", "id": format!("7-{offset}"), "position": { "epoch": "7", "offset": offset },
        "timestamp": "2026-01-01T10:00:00.123Z", "sender": null, "payload": { "content": "whole" },
    })
}

#[test]
fn history_that_ends_in_damage_is_printed_as_far_as_it_is_whole_and_is_a_failure() {
    let upto = json!({ "epoch": "7", "offset": 150 });
    let damaged = json!({ "error": "Internal server error", "code": "INTERNAL_ERROR", "ref": "9f3c-2-17" });
    let address = answering(vec![
        (200, json!({ "messages": [message(150)], "upto": upto })),
        (200, json!({ "messages": (51..=150).map(message).collect::<Vec<_>>(), "upto": upto })),
        (500, damaged),
    ]);
    let (folder, url) = (Folder::new(), format!("http://{address}"));
    let output = kulkul(&["history", "chat:a", "--limit", "200", "--data", folder.text(), "--url", &url]);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out.lines().count(), 100, "{out}");
    assert_eq!(output.status.code(), Some(1), "{error}");
    for says in ["before 7-51", "Internal server error", "9f3c-2-17"] {
        assert!(error.contains(says), "{error}");
    }
}

/// `kulkul tail` of a room, and what it prints; it is ended with the test.
struct Tail {
    child: Child,
    out: Receiver<String>,
    error: Receiver<String>,
}

impl Tail {
    fn of(room: &str, here: &[&str]) -> Tail {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kulkul"));
        command.args(["tail", room]).args(here).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let out = lines(child.stdout.take().expect("piped"));
        let error = lines(child.stderr.take().expect("piped"));
        Tail { child, out, error }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = sync_channel(64);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

#[test]
fn a_tail_that_lost_its_place_says_so_and_goes_on_with_what_is_kept() {
    let page = |messages: Vec<Value>| {
        (200, json!({ "messages": messages, "upto": { "epoch": "7", "offset": 180 } }))
    };
    let address = answering(vec![
        (200, json!({ "messages": [message(50)], "upto": { "epoch": "7", "offset": 50 } })),
        // After 50; then what is kept before 151; then after that.
        page(vec![]),
        page((140..=150).map(message).collect()),
        page((151..=180).map(message).collect()),
    ]);
    let (folder, url) = (Folder::new(), format!("http://{address}"));
    let tail = Tail::of("chat:a", &["--data", folder.text(), "--url", &url]);
    let said = tail.error.recv_timeout(PATIENCE).expect("it says so");
    assert!(said.contains("after 7-50"), "{said}");
    for offset in 140..=180 {
        let line = tail.out.recv_timeout(PATIENCE).expect("a message");
        assert!(line.contains(&format!("7-{offset} ")), "{line}");
    }
}

#[test]
fn a_tail_says_that_the_server_went_and_goes_on_when_another_is_there() {
    let folder = Folder::new();
    let server = Server::on(&folder, &[]);
    let (address, url) = (server.address.clone(), format!("http://{}", server.address));
    let here = ["--data", folder.text(), "--url", &url];
    let Tail { out, error, .. } = &Tail::of("chat:general", &here);
    let publish = |text: &str| {
        let payload = json!({ "content": text }).to_string();
        let told = kulkul(&[&["publish", "--room", "chat:general", &payload], &here[..]].concat());
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    };
    // It begins with what is said from when it looks first.
    let from = Instant::now();
    loop {
        publish("before");
        if out.recv_timeout(Duration::from_secs(1)).is_ok() {
            break;
        }
        assert!(from.elapsed() < PATIENCE, "nothing is heard");
    }
    server.signal(Signal::SIGKILL);
    server.wait();
    let said = error.recv_timeout(PATIENCE).expect("it says so");
    assert!(said.contains("does not answer") && said.ends_with("trying again"), "{said}");
    let _server = Server::on_at(&folder, &address);
    publish("after");
    let said = error.recv_timeout(PATIENCE).expect("it says so");
    assert!(said.contains("answers again"), "{said}");
    let heard = std::iter::from_fn(|| out.recv_timeout(PATIENCE).ok()).find(|line| line.ends_with("after"));
    assert!(heard.is_some(), "what came afterwards is told");
}
