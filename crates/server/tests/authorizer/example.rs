//! The example of docs/authorizer.md, run as it stands there.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::back_end::SECRET;
use crate::support::{Client, Folder, Server};

const PAGE: &str = include_str!("../../../../docs/authorizer.md");

struct Example(Child);

impl Drop for Example {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_example_of_the_page_answers_what_it_is_asked() {
    let (_, rest) = PAGE.split_once("```python\n").expect("the page has it");
    let (code, _) = rest.split_once("```").expect("it has an end");
    let folder = Folder::new();
    let path = folder.path().join("may.py");
    std::fs::write(&path, code).expect("written");
    let mut child = Command::new("python3")
        .arg(&path)
        .env("SECRET", SECRET)
        .env("PORT", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 is there");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("its port");
    let example = Example(child);
    let authorizer = format!("[authorizer]\nurl = \"http://127.0.0.1:{}/may\"\n", line.trim());
    let server = Server::configured(&format!("{authorizer}secret = \"{SECRET}\"\n"));
    let open = |user: &str| Client::open(&server, &format!("/ws?token={}", server.token(user, user)));
    let mut ana = open("ana").unwrap_or_else(|status| panic!("answered {status}"));
    ana.join("general");
    ana.say(r#"{"type":"join_room","payload":{"room_id":"staff"}}"#);
    let refused = ana.next("error");
    assert!(refused.to_string().contains("for staff alone"), "{refused}");
    // Another secret signs what the example does not believe.
    let other = format!("{authorizer}secret = \"{}\"\n", SECRET.to_uppercase());
    let stranger = Server::configured(&other);
    let token = stranger.token("ana", "ana");
    assert_eq!(Client::open(&stranger, &format!("/ws?token={token}")).err(), Some(503));
    drop(example);
}
