//! Several scorers of one match at once, near and far, with viewers who read and viewers who do not: what was accepted is there once,
//! and everybody has the same. Counts and order are held, and no time.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use crate::bench::{Seat, bonus, bonus_by, console};
use crate::fleet::Fleet;
use crate::line::Line;
use crate::support::Server;

/// What a console says before it reads again: about as much as one does that sends ten a second and hears back after a while.
const AT_ONCE: u64 = 4;

/// What became of the raids of one console.
struct Told {
    seat: Seat,
    accepted: Vec<u64>,
    refused: u64,
}

/// Says raids for the turn that it believes in, with and without looking at what others have said meanwhile, until it has had its
/// answer to each.
fn score(mut seat: Seat, name: &str, rounds: u64) -> Told {
    seat.say(&json!({"type": "join", "matchId": "m-1"}).to_string());
    let mut next =
        seat.until(|frame| frame.get("data").is_some())["data"]["raidNumber"].as_u64().expect("a number");
    let (mut accepted, mut refused, mut place) = (Vec::new(), 0, 0);
    for round in 0..rounds {
        for number in 0..AT_ONCE {
            let mut said = bonus_by(next + number);
            said["actionId"] = json!(format!("{name}-{round}-{number}"));
            // Every other one is meant for one raid alone.
            if number % 2 == 0 {
                said["raidNumber"] = json!(next + number);
            }
            seat.say(&said.to_string());
        }
        for number in 0..AT_ONCE {
            let id = json!(format!("{name}-{round}-{number}"));
            let mut newest = next;
            let told = loop {
                let frame = seat.hear();
                if let Some(offset) = frame["position"]["offset"].as_u64() {
                    assert!(offset >= place, "{name} was told of {place}, and then: {frame}");
                    place = offset;
                }
                newest = newest.max(frame["data"]["raidNumber"].as_u64().unwrap_or(0));
                if frame["actionId"] == id {
                    break frame;
                }
                assert_eq!(
                    frame.get("actionId"),
                    None,
                    "answers come in the order of what was said: {frame}"
                );
            };
            match told["number"].as_u64() {
                Some(number) if told.get("error").is_none() => accepted.push(number),
                _ => {
                    assert!(told["error"] == "conflict" || told["code"] == "RULE", "{told}");
                    refused += 1;
                }
            }
            next = newest;
        }
    }
    Told { seat, accepted, refused }
}

/// The last state that a seat is told, which is the one of so many raids.
fn last(seat: &mut Seat, raids: u64) -> Value {
    seat.until(|frame| frame["type"] == "enhancedStats" && frame["data"]["raidNumber"] == raids + 1)["data"]
        .clone()
}

/// `consoles` and `screens`: seats at the same match, wherever they sit.
fn raid_together(consoles: Vec<Seat>, mut screens: Vec<Seat>, mut witness: Seat, rounds: u64) {
    let count = consoles.len() as u64;
    let lines = witness.begin("m-1")["actions"].as_u64().expect("line-ups and a toss");
    for screen in &mut screens {
        screen.say(r#"{"type":"join","matchId":"m-1"}"#);
        screen.until(|frame| frame["type"] == "initialState");
    }
    let consoles: Vec<_> = consoles
        .into_iter()
        .enumerate()
        .map(|(index, seat)| thread::spawn(move || score(seat, &format!("console {index}"), rounds)))
        .collect();
    let mut told: Vec<Told> = consoles.into_iter().map(|it| it.join().expect("it has its answers")).collect();
    let accepted: Vec<u64> = told.iter().flat_map(|it| it.accepted.iter().copied()).collect();
    let refused: u64 = told.iter().map(|it| it.refused).sum();
    let raids = accepted.len() as u64;
    assert_eq!(raids + refused, count * rounds * AT_ONCE, "each has an answer");
    assert!(raids >= rounds, "{raids} of them were accepted");
    let numbers: BTreeSet<u64> = accepted.iter().copied().collect();
    assert!(numbers.iter().copied().eq(lines + 1..=lines + raids), "each is in the log once: {numbers:?}");
    for of_one in told.iter().map(|it| &it.accepted) {
        assert!(of_one.is_sorted(), "in the order in which one said them: {of_one:?}");
    }
    witness.say(r#"{"type":"get_match","actionId":"w"}"#);
    let state = witness.until(|frame| frame["actionId"] == "w")["data"].clone();
    assert_eq!((&state["raidNumber"], &state["raidCount"]), (&json!(raids + 1), &json!(raids)));
    let points = |team: &str| state[team]["score"].as_u64().expect("a score");
    assert_eq!((points("teamA"), points("teamB")), (raids.div_ceil(2), raids / 2), "a point each, by turns");
    // One more, so that whoever has had the last state already has one that is later.
    witness.say(&bonus(raids + 1));
    let state = last(&mut witness, raids + 1);
    for seat in told.iter_mut().map(|it| &mut it.seat).chain(&mut screens) {
        assert_eq!(last(seat, raids + 1), state, "everybody sees the same");
    }
}

/// Viewers who take nothing: a phone in a tunnel.
fn stalled(address: &str) -> Vec<Seat> {
    let seat = |mode: &str| {
        let mut seat = Seat::viewer(address);
        socket2::SockRef::from(seat.0.socket()).set_recv_buffer_size(1).expect("a size");
        seat.say(&json!({"type": "join", "matchId": "m-1", "mode": mode}).to_string());
        seat
    };
    ["whole", "delta", "whole"].map(seat).into()
}

#[test]
fn two_consoles_by_turns_and_a_viewer_have_the_same_state() {
    const RAIDS: u64 = 20;
    let server = Server::start();
    let mut consoles = [Seat::begun(&server, "sam", "m-1"), Seat::begun(&server, "sue", "m-1")];
    let mut vi = Seat::open(&server.address, "/ws/match/m-1");
    for number in 1..=RAIDS {
        consoles[(number % 2) as usize].say(&bonus(number));
        for seat in &mut consoles {
            seat.until(|frame| frame["data"]["raidNumber"] == number + 1 && frame.get("error").is_none());
        }
    }
    vi.until(|frame| frame["data"]["raidNumber"] == RAIDS + 1);
    let states: Vec<Value> = consoles
        .iter_mut()
        .map(|seat| {
            seat.say(r#"{"type":"get_match"}"#);
            seat.until(|frame| frame["type"] == "initialState")["data"].clone()
        })
        .collect();
    vi.say(r#"{"type":"join"}"#);
    let seen = vi.until(|frame| frame["type"] == "initialState")["data"].clone();
    assert_eq!((&states[0], &states[1]), (&seen, &seen));
    let log = seen["raidLog"].as_array().expect("a log");
    assert!(log.iter().map(|raid| raid["raidNumber"].as_u64().expect("a number")).eq(1..=RAIDS));
}

#[test]
fn two_scorers_at_once_are_all_answered_and_a_stalled_viewer_holds_up_nobody() {
    let server = Server::start();
    let witness = Seat::begun(&server, "wit", "m-1");
    let stalled = stalled(&server.address);
    let consoles = vec![Seat::scorer(&server, "sam"), Seat::scorer(&server, "sue")];
    raid_together(consoles, vec![Seat::viewer(&server.address)], witness, 8);
    drop(stalled);
}

/// So much that no buffer in between holds it. What becomes of deltas that nobody takes, the simulator's worlds say.
#[test]
fn who_takes_nothing_for_a_while_has_the_newest_afterwards_and_held_up_nobody() {
    const RAIDS: u64 = 300;
    const IN_FLIGHT: u64 = 30;
    // So fast is no console; and who takes nothing for ten seconds would be told to come back.
    let config =
        "[limits]\nmessages_per_second = 10000\nburst = 10000\n[websocket]\nwrite_timeout = \"60s\"\n";
    let server = Server::configured(config);
    let mut sam = Seat::begun(&server, "sam", "m-1");
    let watching = |mode: &str| {
        let mut seat = Seat::viewer(&server.address);
        seat.say(&json!({"type": "join", "matchId": "m-1", "mode": mode}).to_string());
        seat.until(|frame| frame["type"] == "initialState");
        seat
    };
    let (mut vi, mut phone) = (watching("delta"), watching("whole"));
    for number in 1..=RAIDS {
        sam.say(&bonus(number));
        if number % IN_FLIGHT == 0 {
            last(&mut sam, number);
        }
    }
    for number in 1..=RAIDS {
        assert_eq!(vi.hear()["data"]["line"]["raidNumber"], number, "who reads has had all of it");
    }
    let (mut states, mut newest) = (0, 0);
    while newest <= RAIDS {
        let state = phone.hear();
        let next = state["data"]["raidNumber"].as_u64().expect("a state");
        assert!(next > newest, "{next} after {newest}");
        (states, newest) = (states + 1, next);
    }
    assert!(states < RAIDS, "it was told {states} states: nothing was stalled");
}

#[test]
fn eight_scorers_who_are_far_away_lose_no_raid() {
    let server = Server::start();
    let line = Line::to(&server.address);
    let witness = Seat::begun(&server, "wit", "m-1");
    let stalled = stalled(&line.address);
    let consoles = (0..8).map(|number| {
        // Every other one sits in the hall.
        let address = if number % 2 == 0 { &line.address } else { &server.address };
        Seat::open(address, &console(&server, &format!("sam {number}")))
    });
    let screens = vec![Seat::viewer(&line.address), Seat::viewer(&server.address)];
    raid_together(consoles.collect(), screens, witness, 4);
    drop(stalled);
}

/// The same across two nodes.
#[test]
fn scorers_on_two_nodes_with_redis_lose_no_raid() {
    let fleet = Fleet::on_redis();
    let nodes = [fleet.node(), fleet.node()];
    let line = Line::to(&nodes[1].address);
    let target =
        |user: &str| format!("/ws/scorer?token={}", fleet.token_with(&["--user", user, "--role", "scorer"]));
    let mut witness = Seat::open(&nodes[0].address, &target("wit"));
    witness.begin("m-1");
    let addresses = [&nodes[0].address, &nodes[1].address, &line.address, &nodes[0].address];
    let consoles = addresses
        .iter()
        .enumerate()
        .map(|(number, address)| Seat::open(address, &target(&format!("sam {number}"))))
        .collect();
    let screens = addresses.iter().map(|address| Seat::viewer(address)).collect();
    let stalled = stalled(&nodes[1].address);
    raid_together(consoles, screens, witness, 4);
    drop(stalled);
}
