//! `kulkul history` and `kulkul tail` where what they ask fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
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

#[test]
fn history_that_ends_in_damage_is_printed_as_far_as_it_is_whole_and_is_a_failure() {
    let upto = json!({ "epoch": "7", "offset": 150 });
    let message = |offset: u64| {
        json!({
            "type": "new_message", "id": format!("7-{offset}"), "position": { "epoch": "7", "offset": offset },
            "timestamp": "2026-01-01T10:00:00.123Z", "sender": null, "payload": { "content": "whole" },
        })
    };
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

/// A command that runs, and is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_tail_says_that_the_server_went_and_goes_on_when_another_is_there() {
    let folder = Folder::new();
    let server = Server::on(&folder, &[]);
    let (address, url) = (server.address.clone(), format!("http://{}", server.address));
    let here = ["--data", folder.text(), "--url", &url];
    let mut tail = Command::new(env!("CARGO_BIN_EXE_kulkul"));
    tail.args(["tail", "chat:general"]).args(here).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tail = Running(tail.spawn().expect("the binary runs"));
    let lines = |stream: Box<dyn Read + Send>| {
        let (send, lines) = sync_channel(64);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        lines
    };
    let out = lines(Box::new(tail.0.stdout.take().expect("piped")));
    let error = lines(Box::new(tail.0.stderr.take().expect("piped")));
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
