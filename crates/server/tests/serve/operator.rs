//! What an operator asks before and while the server runs: check, doctor, and the config read again.

use std::path::PathBuf;
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::support::{Client, Folder, Server, kulkul};

const SOUND: &str = "secret = \"a secret of thirty-two bytes or more\"\n";

fn written(folder: &Folder, text: &str) -> PathBuf {
    let path = folder.path().join("kulkul.toml");
    std::fs::write(&path, text).expect("written");
    path
}

fn with(folder: &Folder, text: &str, command: &str, more: &[&str], variables: &[(&str, &str)]) -> Output {
    let path = written(folder, text);
    let mut ask = Command::new(env!("CARGO_BIN_EXE_kulkul"));
    ask.arg(command).arg("--config").arg(path).args(more).envs(variables.iter().copied());
    ask.output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn check_shows_what_is_in_force_and_where_it_came_from() {
    let folder = Folder::new();
    let file = format!("{SOUND}[limits]\nburst = 50\n");
    let variables = [("WS_PING_PERIOD", "20s"), ("WS_READ_BUFFER_SIZE", "1024")];
    let output = with(&folder, &file, "check", &[], &variables);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    for (key, value, place) in [
        ("secret", "(hidden)", "kulkul.toml: line 1"),
        ("limits.burst", "50", "kulkul.toml: line 3"),
        ("websocket.ping_period", "20s", "WS_PING_PERIOD"),
        ("listen", "127.0.0.1:8080", "default"),
        ("mounts[0].path", "/ws", "default"),
    ] {
        let line = shown.lines().find(|line| line.split_whitespace().next() == Some(key)).expect(key);
        assert!(line.contains(value) && line.ends_with(place), "{line}");
    }
    assert!(
        shown.contains("warning: WS_READ_BUFFER_SIZE") && shown.ends_with("the config is sound\n"),
        "{shown}"
    );
    assert!(
        !shown.contains("thirty-two") && !shown.contains('\x1b'),
        "no secret, and no colour in a pipe: {shown}"
    );
    let json = with(&folder, &file, "check", &["--json"], &[]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let settings = json["settings"].as_array().expect("a list");
    assert!(settings.iter().any(|it| it["key"] == "limits.burst" && it["value"] == "50"), "{json}");
}

#[test]
fn an_unsound_config_is_refused_alike_by_all_that_read_it() {
    let folder = Folder::new();
    let file = "listn = \"127.0.0.1:0\"\nsecret = \"hush, this is too short\"\n";
    for (command, more) in [("check", &[][..]), ("serve", &[]), ("token", &["--user", "1"])] {
        let output = with(&folder, file, command, more, &[("KULKUL_LISTN", "x")]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command}: {error}");
        for says in [
            "line 1: unknown key `listn`; did you mean `listen`?",
            "line 2: `secret` = (hidden)",
            "KULKUL_LISTEN?",
        ] {
            assert!(error.contains(says), "{command} does not say {says:?}: {error}");
        }
        assert!(!error.contains("hush"), "{command}: {error}");
        assert!(output.stdout.is_empty(), "{command}");
    }
    let json = with(&folder, file, "check", &["--json"], &[]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((json["sound"].as_bool(), json["errors"].as_array().map(Vec::len)), (Some(false), Some(2)));
}

#[test]
fn the_doctor_says_what_is_there_and_what_to_do() {
    let folder = Folder::new();
    let server = Server::start();
    // Of a server by a config, with its operator's listener beside it.
    let configured = Server::configured(SOUND);
    let operator = configured.operator.clone().expect("it has one");
    let both = format!("{SOUND}listen = \"{}\"\noperator_listen = \"{operator}\"\n", configured.address);
    let set = "[[auth.jwks]]\nalgorithms = [\"RS256\"]\nfile = \"/nowhere/keys.json\"\n";
    let listen = format!(
        "{SOUND}listen = \"{}\"\noperator_listen = \"127.0.0.1:0\"\ndata = {:?}\n",
        server.address,
        folder.text()
    );
    for (file, check, verdict, says) in [
        (listen.as_str(), "listen", "ok", "served by a kulkul already"),
        (&both, "operator_listen", "ok", "served by a kulkul already"),
        (set, "keys", "fail", "/nowhere/keys.json: No such file"),
        (&listen, "data folder", "ok", "writable"),
        (&listen, "engine", "ok", "disk"),
        ("listen = \"192.0.2.1:80\"", "listen", "fail", "192.0.2.1:80"),
        ("listn = 1", "config", "fail", "did you mean `listen`?"),
    ] {
        let output = with(&folder, file, "doctor", &["--json"], &[]);
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let checks = json["checks"].as_array().expect("a list");
        let found =
            checks.iter().find(|it| it["check"] == check).unwrap_or_else(|| panic!("{check} in {json}"));
        assert_eq!(found["verdict"], verdict, "{found}");
        assert!(found["says"].as_str().is_some_and(|text| text.contains(says)), "{found}");
        if verdict == "fail" {
            assert_eq!(output.status.code(), Some(1), "{json}");
            assert!(found["remedy"].is_string(), "{found}");
        }
    }
    let plain = text(&kulkul(&["doctor"]).stdout);
    assert!(plain.contains("descriptors") && plain.contains("clock"), "{plain}");
}

/// Who serves goes on with the folder that it began with, and makes no secret in another.
#[test]
fn another_data_folder_needs_a_restart_and_changes_nothing_until_then() {
    let (first, second) = (Folder::new(), Folder::new());
    let config = |data: &Folder| {
        format!("listen = \"127.0.0.1:0\"\ndata = {:?}\n[log]\nlevel = \"info\"\n", data.text())
    };
    let server = Server::configured_whole(&config(&first));
    let signed = |data: &Folder| {
        let output = kulkul(&["token", "--data", data.text(), "--user", "1"]);
        text(&output.stdout).trim().to_owned()
    };
    let token = signed(&first);
    let open = |token: &str| Client::open(&server, &format!("/ws?token={token}")).map(|_| ());
    let mut held = Client::open(&server, &format!("/ws?token={token}")).expect("let in");
    server.configure(&config(&second));
    server.until_log(&format!("needs a restart: data = {}", second.text()));
    let log = server.log();
    assert!(log.contains("\"applied\":0,\"needs_restart\":1") && !log.contains("applied: "), "{log}");
    assert!(!second.path().join("secret").exists(), "nobody signs with it yet");
    assert_eq!(open(&token), Ok(()));
    assert_eq!(open(&signed(&second)), Err(401));
    held.join("general");
}

#[test]
fn a_hang_up_reads_the_config_again_and_an_unsound_one_changes_nothing() {
    let folder = Folder::new();
    let path = written(&folder, SOUND);
    let server = Server::logging_as_configured(&["--config", path.to_str().expect("UTF-8")]);
    written(
        &folder,
        &format!("{SOUND}[log]\nlevel = \"info,node=debug\"\n[limits]\nburst = 50\nfragments_max = 64\n"),
    );
    server.signal(Signal::SIGHUP);
    server.until_log("applied: log.level = info,node=debug (was info;");
    server.until_log("applied: limits.burst = 50 (was 40;");
    server.until_log("needs a restart: limits.fragments_max = 64 (was 128;");
    written(&folder, "[log]\nlevel = \"inof\"\nlistn = 1\n");
    server.signal(Signal::SIGHUP);
    server.until_log("the old one stays in force");
    let log = server.log();
    assert!(
        log.contains("line 2: `log.level` = ") && log.contains("line 3: unknown key `log.listn`"),
        "{log}"
    );
    assert_eq!(server.get("/live").0, 200);
}
