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

/// Of a server in demo mode, as far as a command wants to know.
fn with_a_key() -> Folder {
    let folder = Folder::new();
    std::fs::write(folder.path().join("api-key"), "a key of this machine").expect("written");
    folder
}

/// A page of a room whose log ends there.
fn page(messages: impl Iterator<Item = Value>, epoch: &str, upto: u64) -> (u16, Value) {
    let messages: Vec<Value> = messages.collect();
    (200, json!({ "messages": messages, "upto": { "epoch": epoch, "offset": upto } }))
}

fn stored(epoch: &str, offset: u64, minute: u64) -> Value {
    let mut message = message(offset);
    message["id"] = format!("{epoch}-{offset}").into();
    message["position"]["epoch"] = epoch.into();
    message["timestamp"] = format!("2026-01-01T10:{minute:02}:00.000Z").into();
    message
}

#[test]
fn history_of_a_room_that_begins_a_new_epoch_meanwhile_is_a_failure() {
    let address = answering(vec![
        page((150..=150).map(message), "7", 150),
        page((51..=150).map(message), "7", 150),
        page([].into_iter(), "8", 3),
    ]);
    let (folder, url) = (with_a_key(), format!("http://{address}"));
    let output = kulkul(&["history", "chat:a", "--limit", "200", "--data", folder.text(), "--url", &url]);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((out.lines().count(), output.status.code()), (100, Some(1)), "{out}{error}");
    for says in ["before 7-51", "a new epoch of chat:a began", "8-3"] {
        assert!(error.contains(says), "{error}");
    }
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
    let (folder, url) = (with_a_key(), format!("http://{address}"));
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

impl Tail {
    /// Of a room of which a server says that, and then no more.
    fn that_is_told(folder: &Folder, answers: Vec<(u16, Value)>) -> Tail {
        let url = format!("http://{}", answering(answers));
        Tail::of("chat:a", &["--data", folder.text(), "--url", &url])
    }

    fn prints(&self, all: impl Iterator<Item = String>) {
        for expected in all {
            let line = self.out.recv_timeout(PATIENCE).expect("a message");
            assert!(line.contains(&expected), "{expected}: {line}");
        }
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
    let none = || [].into_iter();
    let folder = with_a_key();
    let tail = Tail::that_is_told(
        &folder,
        vec![
            page((50..=50).map(message), "7", 50),
            // After 50; then what is kept before 151, in pages of what is not too much; then after that.
            page(none(), "7", 180),
            page((145..=150).map(message), "7", 180),
            page((140..=144).map(message), "7", 180),
            page(none(), "7", 180),
            page((151..=180).map(message), "7", 180),
        ],
    );
    let said = tail.error.recv_timeout(PATIENCE).expect("it says so");
    assert!(said.contains("after 7-50"), "{said}");
    tail.prints((140..=180).map(|offset| format!("7-{offset} ")));
}

#[test]
fn a_tail_goes_on_in_a_new_epoch_with_what_is_new_alone() {
    let none = || [].into_iter();
    let put_back = |offset| stored("8", offset, if offset > 38 { offset + 2 } else { offset });
    let new = |offset| stored("8", offset, 41);
    for (what, upto, pages, expected) in [
        (
            "a log that was put back as it was two records before, and went on",
            45,
            vec![page((43..=45).map(put_back), "8", 45), page((1..=42).map(put_back), "8", 45)],
            39..=46,
        ),
        ("a log that begins in it", 2, vec![page((1..=2).map(new), "8", 2)], 1..=3),
        (
            "a log of which no more is kept",
            507,
            vec![page((507..=507).map(new), "8", 507), page(none(), "8", 507)],
            507..=508,
        ),
    ] {
        let mut answers = vec![page([stored("7", 40, 40)].into_iter(), "7", 40), page(none(), "8", upto)];
        answers.extend(pages);
        answers.push(page([new(upto + 1)].into_iter(), "8", upto + 1));
        let folder = with_a_key();
        let tail = Tail::that_is_told(&folder, answers);
        let said = tail.error.recv_timeout(PATIENCE).expect("it says so");
        assert!(said.contains("chat:a began a new epoch"), "{what}: {said}");
        tail.prints(expected.map(|offset| format!("8-{offset} ")));
    }
}

#[test]
fn a_tail_says_that_the_server_went_and_goes_on_when_another_is_there() {
    let folder = with_a_key();
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
