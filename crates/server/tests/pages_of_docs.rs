//! The lines of pages that somebody will copy: shell lines are run, and what is typed into a socket is said to the real process.
//! What stands behind them in the page is what must come.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Client, Heard, Server, kulkul};

/// A fenced block of a page.
struct Block<'a> {
    kind: &'a str,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some("") if inside => inside = false,
            Some(kind) => {
                inside = true;
                blocks.push(Block { kind, text: String::new() });
            }
            None if inside => {
                let block = blocks.last_mut().expect("it began");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// Whether all that is wanted is there; more may be.
fn holds(told: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => fields.iter().all(|(key, inner)| holds(&told[key], inner)),
        Value::Array(items) => {
            let told = told.as_array().map_or(&[][..], Vec::as_slice);
            told.len() == items.len() && told.iter().zip(items).all(|(told, wanted)| holds(told, wanted))
        }
        other => told == other,
    }
}

/// Variables that one block sets are there in the next.
struct Shell<'a> {
    server: &'a Server,
    token: &'a str,
    said: String,
}

impl Shell<'_> {
    fn run(&self, lines: &str) -> String {
        // What came before is known already: only its variables are wanted.
        let script = format!("set -eu\n{}{lines}", self.said);
        let ran = Command::new("sh")
            .args(["-c", &script])
            .env("TOKEN", self.token)
            .env("PATH", format!("{}:{}", programs().display(), std::env::var("PATH").unwrap_or_default()))
            .current_dir(Path::new(self.server.config_path()).parent().expect("a folder"))
            .env("BASE", format!("http://{}", self.server.address))
            .env("OPERATOR", format!("http://{}", self.server.operator.as_deref().unwrap_or_default()))
            .output()
            .expect("a shell");
        let (out, error) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{lines}\n{out}{error}");
        out.into_owned()
    }

    /// The commands that a block begins with and that set a variable each, and the values that they set: they are not asked for twice.
    /// What stands behind them is left.
    fn keep<'a>(&mut self, lines: &'a str) -> &'a str {
        let mut rest = lines;
        while let Some((name, value)) = rest.lines().next().and_then(|line| line.split_once('=')) {
            if !name.bytes().all(|byte| byte.is_ascii_uppercase()) {
                break;
            }
            let command = setting(rest);
            // Where the server of the test is, the test knows.
            if value.starts_with("$(") {
                let value = self.run(&format!("{command}\nprintf %s \"${name}\""));
                self.said += &format!("{name}='{value}'\n");
            }
            rest = &rest[command.len()..];
        }
        rest
    }
}

/// The first command of a block, which may go over several lines.
fn setting(lines: &str) -> String {
    let mut command = String::new();
    for line in lines.lines() {
        command.push_str(line);
        command.push('\n');
        if !line.ends_with('\\') {
            break;
        }
    }
    command
}

/// Where `kulkul` is.
fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_kulkul")).parent().expect("a folder")
}

fn opened(shell: &Shell<'_>, command: &str) -> Client {
    let (_, target) = command.rsplit_once("8080").expect("the address of the page");
    let target = shell.run(&format!("printf %s \"{}\"", target.trim_end_matches('"')));
    Client::open(shell.server, &target).expect("let in")
}

/// The frame that has all that is wanted.
fn waited_for(client: &mut Client, wanted: &Value) -> Value {
    let mut others = Vec::new();
    loop {
        let Heard::Text(text) = client.hear() else { panic!("waiting for {wanted}") };
        let told: Value = serde_json::from_str(&text).expect("JSON");
        if holds(&told, wanted) {
            return told;
        }
        // What comes by itself may stand between.
        assert!(
            told["type"] != wanted["type"] && others.len() < 10,
            "{told} instead of {wanted}, after {others:?}"
        );
        others.push(told);
    }
}

/// In one terminal, or in several, whose number stands in front of each line then. `"MATCH"` in what is waited for is whatever came
/// there, and the same wherever it stands behind.
fn converse(shell: &Shell<'_>, lines: &str) {
    let mut clients: BTreeMap<&str, Client> = BTreeMap::new();
    let mut named: Option<String> = None;
    let several = lines.starts_with("1$ ");
    for line in lines.lines() {
        let (terminal, line) = if several { line.split_at(1) } else { ("", line) };
        let whole = named.as_ref().map_or_else(|| line.to_owned(), |id| line.replace(NAMED, id));
        match whole.split_at(2) {
            ("> ", said) => clients.get_mut(terminal).expect("it is open").say(said),
            ("< ", wanted) => {
                let wanted: Value = serde_json::from_str(wanted).expect("JSON");
                let is_new = wanted["data"]["match_id"] == NAMED;
                let mut known = wanted.clone();
                if is_new {
                    known["data"].as_object_mut().expect("an object").remove("match_id");
                }
                let told = waited_for(clients.get_mut(terminal).expect("it is open"), &known);
                if is_new {
                    named = Some(told["data"]["match_id"].as_str().expect("an id").to_owned());
                }
            }
            ("$ ", command) => drop(clients.insert(terminal, opened(shell, command))),
            _ if clients.is_empty() => drop(clients.insert(terminal, opened(shell, line))),
            _ => panic!("neither said nor heard: {line}"),
        }
    }
}

const NAMED: &str = "MATCH";

/// Runs all of a page; how many blocks were run, and how many said.
fn follow(shell: &mut Shell<'_>, page: &str) -> (usize, usize) {
    let blocks = blocks(page);
    let (mut ran, mut said) = (0, 0);
    for (index, block) in blocks.iter().enumerate() {
        match block.kind {
            "sh" => {
                let asked = shell.keep(&block.text);
                let told = shell.run(asked);
                let told: Value =
                    serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
                let wanted = blocks.get(index + 1).filter(|next| next.kind == "json");
                let wanted = wanted.unwrap_or_else(|| panic!("nothing says what comes of\n{}", block.text));
                let wanted: Value = serde_json::from_str(&wanted.text).expect("JSON");
                assert!(holds(&told, &wanted), "{told} instead of {wanted} of\n{}", block.text);
                ran += 1;
            }
            "console" => {
                converse(shell, &block.text);
                said += 1;
            }
            _ => {}
        }
    }
    (ran, said)
}

#[test]
fn the_lines_of_the_hubs_page_do_what_it_says() {
    let server = Server::configured("secret = \"0123456789abcdef0123456789abcdef\"\n");
    let told = kulkul(&["token", "--config", server.config_path(), "--user", "7", "--name", "Ana"]);
    let token = String::from_utf8(told.stdout).expect("UTF-8").trim().to_owned();
    let mut shell = Shell { server: &server, token: &token, said: String::new() };
    let (ran, said) = follow(&mut shell, include_str!("../../../docs/seed-001.md"));
    assert!(ran >= 5 && said == 1, "{ran} blocks were run and {said} said");
}

#[test]
fn the_lines_of_the_page_for_any_hub_do_what_it_says() {
    let page = include_str!("../../../docs/your-own-hub.md");
    let config = blocks(page).into_iter().find(|block| block.kind == "toml").expect("a configuration");
    let server = Server::configured(&config.text);
    let told = kulkul(&["token", "--config", server.config_path(), "--user", "7", "--name", "Ana"]);
    let token = String::from_utf8(told.stdout).expect("UTF-8").trim().to_owned();
    let mut shell = Shell { server: &server, token: &token, said: String::new() };
    let (ran, said) = follow(&mut shell, page);
    assert!(ran == 1 && said == 1, "{ran} blocks were run and {said} said");
}

#[test]
fn the_lines_of_the_livechat_services_page_do_what_it_says() {
    let page = include_str!("../../../docs/seed-000.md");
    let config = blocks(page).into_iter().find(|block| block.kind == "toml").expect("a configuration");
    let config = config
        .text
        .replace("the secret that your login signs tokens with", "0123456789abcdef0123456789abcdef");
    let server = Server::configured(&config.replace("licences", "general"));
    let mut shell = Shell { server: &server, token: "", said: String::new() };
    let (ran, said) = follow(&mut shell, page);
    assert!(ran >= 4 && said == 2, "{ran} blocks were run and {said} said");
}

/// What is said there works without a mount of one's own, and the one that is written there is sound.
#[test]
fn the_lines_of_the_page_of_matches_by_http_do_what_it_says() {
    let page = include_str!("../../../docs/matches-http.md");
    let config = blocks(page).into_iter().find(|block| block.kind == "toml").expect("a configuration");
    let config = config
        .text
        .replace("the secret that your login signs tokens with", "0123456789abcdef0123456789abcdef");
    assert_eq!(Server::configured(&config).get("/api/matches").0, 200);
    let server = Server::configured("secret = \"0123456789abcdef0123456789abcdef\"\n");
    let mut shell = Shell { server: &server, token: "", said: String::new() };
    let (ran, said) = follow(&mut shell, page);
    assert!(ran == 11 && said == 0, "{ran} blocks were run and {said} said");
}

#[test]
fn the_lines_of_the_page_of_rides_by_http_do_what_it_says() {
    let page = include_str!("../../../docs/rides-http.md");
    let config = blocks(page).into_iter().find(|block| block.kind == "toml").expect("a configuration");
    let config = config
        .text
        .replace("the secret that your login signs tokens with", "0123456789abcdef0123456789abcdef");
    let server = Server::configured(&config);
    let mut shell = Shell { server: &server, token: "", said: String::new() };
    let (ran, said) = follow(&mut shell, page);
    assert!(ran == 10 && said == 1, "{ran} blocks were run and {said} said");
}

#[test]
fn the_lines_of_the_operators_page_do_what_it_says() {
    let page = include_str!("../../../docs/operator-api.md");
    let config = blocks(page).into_iter().find(|block| block.kind == "toml").expect("a configuration");
    let config = config
        .text
        .replace("the secret that your login signs tokens with", "0123456789abcdef0123456789abcdef");
    let server = Server::configured(&config);
    let mut shell = Shell { server: &server, token: "", said: String::new() };
    let (ran, said) = follow(&mut shell, page);
    assert!(ran == 11 && said == 0, "{ran} blocks were run and {said} said");
}

#[test]
fn the_lines_of_the_live_scoring_services_page_do_what_it_says() {
    let page = include_str!("../../../docs/seed-003.md");
    let config = blocks(page).into_iter().find(|block| block.kind == "toml").expect("a configuration");
    let config = config
        .text
        .replace("the secret that your login signs tokens with", "0123456789abcdef0123456789abcdef");
    let server = Server::configured(&config);
    let mut shell = Shell { server: &server, token: "", said: String::new() };
    let (ran, said) = follow(&mut shell, page);
    assert!(ran == 1 && said == 4, "{ran} blocks were run and {said} said");
}

#[test]
fn the_lines_of_the_ride_services_page_do_what_it_says() {
    let page = include_str!("../../../docs/seed-004.md");
    let config = blocks(page).into_iter().find(|block| block.kind == "toml").expect("a configuration");
    let config = config
        .text
        .replace("the secret that your login signs tokens with", "0123456789abcdef0123456789abcdef");
    let server = Server::configured(&config);
    let mut shell = Shell { server: &server, token: "", said: String::new() };
    let (ran, said) = follow(&mut shell, page);
    assert!(ran == 1 && said == 2, "{ran} blocks were run and {said} said");
}
