//! A server that is killed in the middle of a match, and consoles that were without a network: what was accepted stays, and what is
//! said again is done once.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt::Linger};
use serde_json::{Value, json};

use crate::bench::{Seat, bonus_by, console};
use crate::support::{Folder, PATIENCE, Server, kulkul};

fn named(number: u64) -> String {
    let mut said = bonus_by(number);
    said["actionId"] = json!(format!("a-{number}"));
    said.to_string()
}

fn log_of(state: &Value) -> Vec<u64> {
    let log = state["raidLog"].as_array().expect("a log");
    log.iter().map(|raid| raid["raidNumber"].as_u64().expect("a number")).collect()
}

#[test]
fn a_kill_in_the_middle_of_a_match_loses_no_accepted_raid_and_consoles_go_on() {
    let data = Folder::new();
    let served = || Server::on(&data, &[]);
    let target = |user: &str| {
        let told = kulkul(&["token", "--data", data.text(), "--user", user, "--role", "scorer"]);
        format!("/ws/scorer?token={}", String::from_utf8(told.stdout).expect("UTF-8").trim())
    };
    let server = served();
    let mut sam = Seat::open(&server.address, &target("sam"));
    sam.begin("m-1");
    let mut vi = Seat::viewer(&server.address);
    vi.say(r#"{"type":"join","matchId":"m-1","mode":"delta"}"#);
    vi.until(|frame| frame["type"] == "initialState");
    let mut accepted = BTreeSet::new();
    for number in 1..=6 {
        sam.say(&named(number));
        sam.until(|frame| frame["actionId"] == format!("a-{number}") && frame["number"].is_u64());
        accepted.insert(number);
    }
    let mut seen = Value::Null;
    for number in 1..=4 {
        let told = vi.until(|frame| frame["type"] == "match_action");
        assert_eq!(told["data"]["line"]["raidNumber"], number);
        seen = told["position"].clone();
    }
    // Said, and whether it was stored nobody knows.
    for number in 7..=10 {
        sam.say(&named(number));
    }
    server.signal(Signal::SIGKILL);
    server.wait();

    let server = served();
    let mut sam = Seat::open(&server.address, &target("sam"));
    sam.say(r#"{"type":"join","matchId":"m-1"}"#);
    let state = sam.until(|frame| frame.get("data").is_some())["data"].clone();
    let kept: BTreeSet<u64> = log_of(&state).into_iter().collect();
    assert!(accepted.is_subset(&kept), "{accepted:?} were accepted, and {kept:?} are there");
    // All that it has kept meanwhile, and once more what was stored.
    for number in 1..=10 {
        sam.say(&named(number));
        sam.until(|frame| frame["actionId"] == format!("a-{number}") && frame.get("error").is_none());
    }
    sam.say(r#"{"type":"get_match","actionId":"g"}"#);
    let state = sam.until(|frame| frame["actionId"] == "g")["data"].clone();
    assert_eq!(log_of(&state), (1..=10).collect::<Vec<_>>());
    assert_eq!((&state["teamA"]["score"], &state["teamB"]["score"]), (&json!(5), &json!(5)));
    // The viewer has all of it, from where it was.
    let mut vi = Seat::viewer(&server.address);
    vi.say(&json!({"type": "join", "matchId": "m-1", "mode": "delta", "since": seen}).to_string());
    assert_eq!(vi.hear()["type"], "resumed");
    for number in 5..=10 {
        assert_eq!(vi.hear()["data"]["line"]["raidNumber"], number);
    }
}

/// A console without a network keeps what was tapped, and sends it when it is back: whatever had come through counts once.
#[test]
fn actions_that_were_kept_offline_are_done_once_however_often_they_are_sent() {
    let server = Server::start();
    let mut sam = Seat::begun(&server, "sam", "m-1");
    for number in 1..=3 {
        sam.say(&named(number));
    }
    sam.until(|frame| frame["actionId"] == "a-3");
    for _ in 0..2 {
        let mut back = Seat::open(&server.address, &console(&server, "sam"));
        back.say(r#"{"type":"join","matchId":"m-1"}"#);
        back.until(|frame| frame["type"] == "initialState");
        for number in 1..=5 {
            back.say(&named(number));
            let told = back.until(|frame| frame["actionId"] == format!("a-{number}"));
            assert!(told["type"] == "ack" || told["type"] == "enhancedStats", "{told}");
        }
    }
    sam.say(r#"{"type":"get_match"}"#);
    let state = sam.until(|frame| frame["type"] == "initialState")["data"].clone();
    assert_eq!(log_of(&state), [1, 2, 3, 4, 5]);
}

/// Nobody is too fast for it.
const FAST: &str = "secret = \"0123456789abcdef0123456789abcdef\"\n\
                    [limits]\nmessages_per_second = 100000\nburst = 100000\n";

fn begun(server: &Server) -> Seat {
    let told = kulkul(&["token", "--config", server.config_path(), "--user", "sam", "--role", "scorer"]);
    let token = String::from_utf8(told.stdout).expect("UTF-8");
    let mut sam = Seat::open(&server.address, &format!("/ws/scorer?token={}", token.trim()));
    sam.begin("m-1");
    sam
}

/// More than ten times as many refusals as a client may have that is not understood.
#[test]
fn whatever_the_rules_refuse_ends_nobodys_connection() {
    let server = Server::configured(FAST);
    let mut sam = begun(&server);
    for _ in 0..20 {
        (0..50).for_each(|_| sam.say(r#"{"raidType":"empty","raiderId":"nobody","defenderIds":[]}"#));
        for _ in 0..50 {
            assert_eq!(sam.hear()["code"], "RULE");
        }
    }
    sam.say(&named(1));
    sam.until(|frame| frame["data"]["raidNumber"] == 2);
}

/// Its end is a reset: no close frame, no last byte.
fn vanishes(seat: &Seat) {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&seat.0.socket().as_fd(), Linger, &linger).expect("a socket");
}

/// With the words that the service's logs had of it.
#[test]
fn a_viewer_who_is_gone_while_a_state_is_on_its_way_is_in_the_log() {
    let server = Server::configured(&format!("{FAST}[log]\nlevel = \"debug\"\n"));
    let mut sam = begun(&server);
    let (since, mut raids) = (Instant::now(), 1..);
    let mut raid =
        |sam: &mut Seat| (0..8).for_each(|_| sam.say(&named(raids.next().expect("numbers go on"))));
    // Sooner or later between two looks at the socket.
    while !server.log().contains("Failed to write to viewer") {
        assert!(since.elapsed() < PATIENCE, "no write fails");
        let gone: Vec<Seat> = (0..6).map(|_| Seat::open(&server.address, "/ws/match/m-1")).collect();
        raid(&mut sam);
        gone.iter().for_each(vanishes);
        drop(gone);
        raid(&mut sam);
        sam.say(r#"{"type":"get_match","actionId":"all"}"#);
        sam.until(|frame| frame["actionId"] == "all");
    }
    assert!(!server.log().contains("Failed to send message to client"), "the scorer's own are other words");
}
