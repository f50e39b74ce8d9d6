//! Two healthy clients that talk while somebody else attacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::support::{Client, PATIENCE, Server, kulkul};

/// The head of every configuration here. The canary may talk in its room as fast as it can.
pub(crate) const SECRET: &str = "secret = \"a secret of thirty-two bytes, or more\"\n\
     chat.messages_per_second = 100000\nchat.burst = 100000\n";
/// And as fast as it can over its connection.
pub(crate) const UNHURRIED: &str = "messages_per_second = 100000\nburst = 100000\n";

pub(crate) fn token(server: &Server, user: &str) -> String {
    let output = kulkul(&["token", "--config", server.config_path(), "--user", user, "--name", user]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

pub(crate) fn open(server: &Server, user: &str) -> Client {
    Client::open(server, &format!("/ws?token={}", token(server, user))).expect("let in")
}

pub(crate) struct Canary {
    ends: Arc<AtomicBool>,
    sung: Arc<AtomicU32>,
    talk: JoinHandle<()>,
}

impl Canary {
    /// One says a number, the other hears it, and only then comes the next.
    pub(crate) fn sing(server: &Server) -> Canary {
        let (mut says, mut hears) = (open(server, "canary-1"), open(server, "canary-2"));
        says.join("mine");
        hears.join("mine");
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let sung = Arc::new(AtomicU32::new(0));
        let count = sung.clone();
        let talk = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let sung = count.load(Ordering::Relaxed);
                says.say(&format!(
                    r#"{{"type":"send_message","room":"mine","id":"{sung}","payload":{{"content":"{sung}"}}}}"#
                ));
                assert_eq!(says.next("ack")["id"], sung.to_string());
                let heard = hears.next("new_message");
                assert_eq!(heard["payload"]["content"], sung.to_string(), "each once, and in order");
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Canary { ends, sung, talk }
    }

    /// Comes back when it has sung so much more.
    pub(crate) fn sings(&self, more: u32) {
        let (wanted, from) = (self.sung.load(Ordering::Relaxed) + more, Instant::now());
        while self.sung.load(Ordering::Relaxed) < wanted {
            assert!(from.elapsed() < PATIENCE && !self.talk.is_finished(), "it has fallen silent");
            std::thread::yield_now();
        }
    }

    /// It lives, and has lost nothing.
    pub(crate) fn lives(self) {
        self.ends.store(true, Ordering::Relaxed);
        self.talk.join().expect("nothing was lost");
        assert!(self.sung.load(Ordering::Relaxed) > 0);
    }
}

/// One of the operator's figures, by its name behind `kulkul_`.
pub(crate) fn figure(server: &Server, name: &str) -> u64 {
    let operator = server.operator.as_ref().expect("it has one");
    let ask = format!("GET /metrics HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    let (_, page) = server.http_at(operator, &ask);
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("kulkul_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().expect("a number")
}

/// What the process holds now, or held at most, in KiB.
pub(crate) fn memory(server: &Server, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Attacks twice; what the first costs for good the second does not cost again. Of the second the highest moment counts, and
/// not what is left when it is over.
pub(crate) fn holds_no_more_than(server: &Server, kib: u64, mut attack: impl FnMut()) {
    attack();
    // From here on the highest moment is counted anew.
    std::fs::write(format!("/proc/{}/clear_refs", server.pid()), "5").expect("ours to ask");
    let before = memory(server, "VmRSS:");
    attack();
    let most = memory(server, "VmHWM:");
    assert!(most <= before + kib, "it grew from {before} to {most} KiB, {kib} more were allowed");
}
