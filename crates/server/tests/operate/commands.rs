//! The commands of operators.

use serde_json::{Value, json};

use super::{open, server, until};
use crate::support::{Folder, Server, kulkul};

/// What a command says, where it must go well.
fn said(server: &Server, args: &[&str]) -> (String, String) {
    let (code, out, error) = ran(server, args);
    assert_eq!(code, Some(0), "{args:?}: {out}{error}");
    (out, error)
}

fn ran(server: &Server, args: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://{}", server.operator.as_deref().expect("it has one"));
    let output = kulkul(&[args, &["--config", server.config_path(), "--url", &url]].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn commands_show_what_there_is_as_tables_and_as_json() {
    let server = server();
    let (out, error) = said(&server, &["rooms", "--app", "chat"]);
    assert!(out.is_empty() && error.contains("kulkul history ROOM"), "{out}{error}");
    let (_, error) = said(&server, &["connections"]);
    assert!(error.contains("no such connection is there"), "{error}");
    let mut ana = open(&server, "ana");
    ana.join("general");
    let (out, _) = said(&server, &["rooms", "--prefix", "chat:"]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("ROOM") && lines[1].starts_with("chat:general"), "{out}");
    assert!(lines[1].contains("live") && !out.contains('\x1b'), "{out}");
    let (out, _) = said(&server, &["rooms", "chat:general"]);
    assert!(out.contains("CONNECTION") && out.contains("on all nodes: ana"), "{out}");
    let (out, _) = said(&server, &["users", "ana"]);
    assert!(
        out.contains("ana online: here") && out.contains("in: ") && out.contains("chat:general"),
        "{out}"
    );
    let (out, _) = said(&server, &["connections", "--json"]);
    let line: Value = serde_json::from_str(out.lines().next().expect("one")).expect("JSON");
    let id = line["id"].as_str().expect("an id");
    let (out, _) = said(&server, &["connections", id]);
    assert!(out.lines().any(|line| line.starts_with("user ") && line.ends_with("ana")), "{out}");
    let (out, _) = said(&server, &["rooms", "--json"]);
    let rooms: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(rooms.iter().all(|room| room["node"] == line["node"]) && rooms.len() >= 2, "{out}");
}

#[test]
fn commands_act_and_say_what_came_of_it() {
    let server = server();
    let mut ana = open(&server, "ana");
    ana.join("general");
    let (out, _) = said(&server, &["kick", "chat:general", "ana", "--why", "a test"]);
    assert!(out.contains("ana leaves chat:general on every node") && out.contains("ban"), "{out}");
    assert_eq!(ana.next("error")["payload"]["code"], "FORBIDDEN");
    let (code, _, error) = ran(&server, &["release", "chat:general"]);
    assert!(code == Some(1) && error.contains("is not quarantined"), "{error}");
    let (out, _) = said(&server, &["disconnect", "ana", "--code", "4503", "--json"]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&told["code"], &told["comes_back"]), (&json!(4503), &json!("no")), "{told}");
    assert_eq!(ana.closed().0, 4503);
    let (code, _, error) = ran(&server, &["disconnect", "ana", "--code", "17"]);
    assert!(code == Some(1) && error.contains("4412, 1001, 4401, 4503"), "{error}");
    let (out, _) = said(&server, &["drain"]);
    assert!(out.contains("drains"), "{out}");
    until("it ends", || ran(&server, &["rooms"]).2.contains("does not answer").then_some(()));
}

#[test]
fn a_command_that_finds_nobody_or_no_key_says_what_to_try() {
    let folder = Folder::new();
    let path = folder.path().join("kulkul.toml");
    let keys = "[[api.keys]]\nname = \"a\"\nsecret = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n";
    std::fs::write(&path, format!("secret = \"0123456789abcdef0123456789abcdef\"\n{keys}")).expect("written");
    let path = path.to_str().expect("UTF-8");
    let output = kulkul(&["rooms", "--config", path]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("no [[api.keys]] whose scopes hold \"inspect\"; add one"), "{error}");
    let output = kulkul(&["rooms", "--data", folder.text()]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("there is no key in") && error.contains("say --data"), "{error}");
    assert!(!folder.path().join("api-key").exists(), "and none is made, which no server would know");
    std::fs::write(folder.path().join("api-key"), "a key of this machine").expect("written");
    let output = kulkul(&[
        "rooms",
        "--data",
        folder.text(),
        "--url",
        "http://127.0.0.1:1",
        "--url",
        "http://127.0.0.1:2",
    ]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    for says in [
        "http://127.0.0.1:1 does not answer",
        "http://127.0.0.1:2 does not answer",
        "2 of 2 servers",
        "--url",
    ] {
        assert!(error.contains(says), "{error}");
    }
}
