//! The receiver of docs/webhooks.md, run as it stands there.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::receiver::SECRET;
use crate::{Place, say, until};

const PAGE: &str = include_str!("../../../../docs/webhooks.md");

struct Example(Child);

impl Drop for Example {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn the_example_of_the_page_believes_what_is_signed_and_nothing_else() {
    let (_, rest) = PAGE.split_once("```python\n").expect("the page has it");
    let (code, _) = rest.split_once("```").expect("it has an end");
    let place = |port: &str, secret: &str| {
        Place::new(&format!(
            "[[webhooks]]\nname = \"orders\"\nurl = \"http://127.0.0.1:{port}/told\"\nsecret = \"{secret}\"\n\
             rooms = [\"chat:*\"]\nallow = [\"127.0.0.0/8\"]\n"
        ))
    };
    let folder = crate::Folder::new();
    let path = folder.path().join("told.py");
    std::fs::write(&path, code).expect("written");
    let mut child = Command::new("python3")
        .arg(&path)
        .env("SECRET", SECRET)
        .env("PORT", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 is there");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = || {
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    };
    let example = Example(child);
    let port = line();
    let believed = place(&port, SECRET);
    let node = believed.node();
    let mut ana = believed.client(&node, "ana");
    ana.join("a");
    say(&mut ana, "a", "Hello");
    let event: Value = serde_json::from_str(&line()).expect("it prints events");
    assert_eq!((&event["room"], &event["payload"]["content"]), (&"chat:a".into(), &"Hello".into()));
    // Another secret signs what the example does not believe.
    let stranger = place(&port, &SECRET.to_uppercase());
    let node = stranger.node();
    let mut ana = stranger.client(&node, "ana");
    ana.join("a");
    say(&mut ana, "a", "Hello");
    until("it is refused", || crate::figure(&node, "dead_letters_total") == 1);
    drop(example);
}
