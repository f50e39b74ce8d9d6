//! What happens when the machine gives no more.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::canary::{Canary, SECRET, UNHURRIED, open};
use crate::support::Server;

/// How many descriptors the server may have from now on, besides those that it has.
fn spare_descriptors(server: &Server, spare: usize) {
    let pid = server.pid().to_string();
    let has = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
    let ran = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={}", has + spare)]).status();
    assert!(ran.expect("prlimit is there (apt-get install util-linux)").success());
}

fn figure(server: &Server, name: &str) -> u64 {
    let operator = server.operator.as_ref().expect("it has one");
    let ask = format!("GET /metrics HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    let (_, page) = server.http_at(operator, &ask);
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {page}"))
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
    let looks = figure(&server, "kulkul_out_of_descriptors_total");
    // Each of two shards looks ten times a second; a door that spins looks at each of a thousand messages.
    let most = 2 * (from.elapsed().as_millis() / Duration::from_millis(100).as_millis() + 2);
    assert!(looks >= 1 && u128::from(looks) <= most, "{looks} looks in {:?}", from.elapsed());
    canary.lives();
}
