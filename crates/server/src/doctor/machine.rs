//! The machine: descriptors, kernel settings, memory, clock. Read from `/proc`, `/sys` and `/run`; what is not there is a
//! warning and never a guess.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit};

use super::Finding;
use crate::config::Memory;
use crate::memory;

/// What the listener asks for.
const BACKLOG: u64 = 4096;
/// Ten thousand connections, and what a server has open besides.
const DESCRIPTORS: u64 = 12_000;
/// With fewer nothing but a demonstration runs.
const DESCRIPTORS_MIN: u64 = 256;
/// Connections from this machine to one address, such as a proxy's to us.
const LOCAL_PORTS: u64 = 20_000;
/// Clocks that show less were never set.
const YEAR_2025: u64 = 1_735_689_600;
const YEAR_2100: u64 = 4_102_444_800;

pub(super) fn findings() -> Vec<Finding> {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).ok();
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    vec![
        descriptors(limit),
        queue("somaxconn", read("/proc/sys/net/core/somaxconn"), "net.core.somaxconn"),
        queue("syn backlog", read("/proc/sys/net/ipv4/tcp_max_syn_backlog"), "net.ipv4.tcp_max_syn_backlog"),
        ports(read("/proc/sys/net/ipv4/ip_local_port_range")),
        clock_of(clock, Path::new("/run/systemd/timesync/synchronized").exists()),
    ]
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The server raises the soft limit to the hard one itself.
fn descriptors(limit: Option<(u64, u64)>) -> Finding {
    let about = "descriptors";
    let remedy =
        "raise the hard limit: LimitNOFILE=1048576 in the unit, --ulimit nofile=1048576 of a container";
    match limit {
        None => Finding::warn(about, "cannot tell how many may be open", remedy),
        Some((soft, hard)) => {
            let says =
                format!("soft {soft}, hard {hard}; 10,000 connections need {DESCRIPTORS}, more need more");
            match hard {
                ..DESCRIPTORS_MIN => Finding::fail(about, says, remedy),
                DESCRIPTORS_MIN..DESCRIPTORS => Finding::warn(about, says, remedy),
                DESCRIPTORS.. => Finding::fine(about, says),
            }
        }
    }
}

fn queue(about: &'static str, text: Option<String>, name: &str) -> Finding {
    let remedy = format!("sysctl -w {name}={BACKLOG}");
    match text.and_then(|text| text.trim().parse::<u64>().ok()) {
        None => Finding::warn(about, format!("cannot read {name}"), remedy),
        Some(length) if length < BACKLOG => {
            let says =
                format!("{name} is {length}: when many reconnect at once, some are turned away unseen");
            Finding::warn(about, says, remedy)
        }
        Some(length) => Finding::fine(about, format!("{name} is {length}")),
    }
}

fn ports(text: Option<String>) -> Finding {
    let (about, remedy) = ("local ports", "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
    let range = text.and_then(|text| {
        let mut ends = text.split_whitespace().map(|end| end.parse::<u64>().ok());
        Some((ends.next()??, ends.next()??))
    });
    match range {
        None => Finding::warn(about, "cannot read net.ipv4.ip_local_port_range", remedy),
        Some((first, last)) if last.saturating_sub(first) < LOCAL_PORTS => {
            let says = format!("{first} to {last}: a proxy on this machine runs out of ports before we do");
            Finding::warn(about, says, remedy)
        }
        Some((first, last)) => Finding::fine(about, format!("{first} to {last}")),
    }
}

fn clock_of(seconds: u64, synchronised: bool) -> Finding {
    let remedy = "run a time service, such as systemd-timesyncd or chrony: tokens end by the clock";
    match (seconds, synchronised) {
        (..YEAR_2025 | YEAR_2100.., _) => {
            Finding::fail("clock", "it shows a time that cannot be: no token would be valid", remedy)
        }
        (_, true) => Finding::fine("clock", "synchronised"),
        (_, false) => Finding::warn("clock", "plausible; cannot tell whether it is synchronised", remedy),
    }
}

pub(super) fn memory(wanted: Memory) -> Finding {
    let (given, available) = memory::given().unwrap_or_default();
    judge_memory(wanted, given, available)
}

fn judge_memory(wanted: Memory, given: u64, available: u64) -> Finding {
    let about = "memory";
    if given == 0 {
        return Finding::warn(about, "cannot tell how much there is", "set limits.memory in bytes");
    }
    let most = wanted.of(given);
    let mib = |bytes: u64| bytes >> 20;
    let says = format!(
        "limits.memory comes to {} MiB; {} MiB of {} MiB are available",
        mib(most),
        mib(available),
        mib(given)
    );
    if most > given {
        return Finding::fail(about, says, "lower limits.memory: more than there is cannot be had");
    }
    if most > available {
        return Finding::warn(about, says, "lower limits.memory, or end what else uses the memory");
    }
    Finding::fine(about, says)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{self, Fail, Fine, Warn};
    use super::*;

    fn check(rows: Vec<(Finding, Verdict, &str)>) {
        for (finding, verdict, says) in rows {
            assert_eq!(finding.verdict, verdict, "{finding:?}");
            assert!(finding.says.contains(says), "{finding:?} does not say {says:?}");
            assert_eq!(finding.remedy.is_empty(), verdict == Fine, "{finding:?}");
        }
    }

    #[test]
    fn what_is_too_little_is_told_with_its_remedy() {
        let text = |text: &str| Some(text.to_owned());
        check(vec![
            (descriptors(Some((1024, 1 << 20))), Fine, "soft 1024"),
            (descriptors(Some((1024, 4096))), Warn, "hard 4096"),
            (descriptors(Some((64, 128))), Fail, "hard 128"),
            (descriptors(None), Warn, "cannot tell"),
            (queue("q", text("4096\n"), "n"), Fine, "4096"),
            (queue("q", text("128\n"), "n"), Warn, "n is 128"),
            (queue("q", text("many"), "n"), Warn, "cannot read n"),
            (queue("q", None, "n"), Warn, "cannot read n"),
            (ports(text("32768\t60999\n")), Fine, "32768 to 60999"),
            (ports(text("60000 60999")), Warn, "60000 to 60999"),
            (ports(text("1")), Warn, "cannot read"),
            (clock_of(1_800_000_000, true), Fine, "synchronised"),
            (clock_of(1_800_000_000, false), Warn, "cannot tell"),
            (clock_of(12, true), Fail, "cannot be"),
            (judge_memory(Memory::Percent(80), 1000 << 20, 900 << 20), Fine, "comes to 800 MiB"),
            (judge_memory(Memory::Percent(80), 1000 << 20, 700 << 20), Warn, "700 MiB of 1000 MiB"),
            (judge_memory(Memory::Bytes(2 << 30), 1 << 30, 1 << 30), Fail, "2048 MiB"),
            (judge_memory(Memory::Percent(80), 0, 0), Warn, "cannot tell"),
        ]);
    }
}
