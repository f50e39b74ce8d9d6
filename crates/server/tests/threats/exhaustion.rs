//! What happens when the machine gives no more.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::canary::{Canary, SECRET, UNHURRIED, figure, memory, open, token};
use crate::support::{Client, PATIENCE, Server};

/// How many descriptors the server may have from now on, besides those that it has.
fn spare_descriptors(server: &Server, spare: usize) {
    let pid = server.pid().to_string();
    let has = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
    let ran = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={}", has + spare)]).status();
    assert!(ran.expect("prlimit is there (apt-get install util-linux)").success());
}

/// T33: those who are in talk on, those outside wait their turn, and the processor rests meanwhile.
#[test]
fn when_descriptors_are_used_up_the_door_waits_and_does_not_spin() {
    let server = Server::configured(&format!("shards = 2\n{SECRET}[limits]\n{UNHURRIED}"));
    let canary = Canary::sing(&server);
    spare_descriptors(&server, 5);
    let from = Instant::now();
    let crowd: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(&server.address).expect("the kernel takes it")).collect();
    server.until_log("out of descriptors");
    canary.sings(1_000);
    drop(crowd);
    open(&server, "newcomer").join("general");
    let looks = figure(&server, "out_of_descriptors_total");
    // Each of two shards looks ten times a second; a door that spins looks at each of a thousand messages.
    let most = 2 * (from.elapsed().as_millis() / Duration::from_millis(100).as_millis() + 2);
    assert!(looks >= 1 && u128::from(looks) <= most, "{looks} looks in {:?}", from.elapsed());
    canary.lives();
}

/// T33: what a flood has filled is empty again when it has gone, and so is the node open again.
#[test]
fn a_node_that_was_short_of_memory_is_open_again_when_the_flood_has_gone() {
    let sizes = "[websocket]\nmax_message_size = \"64KiB\"\n";
    let with = |memory: &str| {
        let limits = format!("memory = \"{memory}\"\nconnections_per_user = 10000\n");
        Server::configured(&format!("{SECRET}{sizes}[limits]\n{limits}{UNHURRIED}"))
    };
    // Messages that are not whole may take a quarter of all, and at four fifths the door is shut: it needs 1.28 times what it has at rest.
    let at_rest = {
        let server = with("80%");
        let canary = Canary::sing(&server);
        canary.sings(10);
        canary.lives();
        memory(&server, "VmRSS:") << 10
    };
    let server = with(&(at_rest * 8 / 5).to_string());
    let canary = Canary::sing(&server);
    let target = format!("/ws?token={}", token(&server, "flood"));
    // The most of a message that may be kept until it is whole.
    let mut begun = vec![0x01, 0xfe, 0xff, 0x00, 0, 0, 0, 0];
    begun.resize(begun.len() + 0xff00 - 1, b'a');
    let mut flood = Vec::new();
    let refused = loop {
        match Client::open(&server, &target) {
            Ok(mut client) => {
                // Of too many that have begun, some are sent away.
                let _ = client.try_send(&begun);
                flood.push(client);
            }
            Err(status) => break status,
        }
        assert!(flood.len() < 5_000, "nothing was shed");
    };
    assert_eq!(refused, 503);
    drop(flood);
    let from = Instant::now();
    while Client::open(&server, &target).is_err() {
        assert!(from.elapsed() < PATIENCE, "it stays shut: {}", server.log());
        canary.sings(1);
    }
    canary.lives();
}
