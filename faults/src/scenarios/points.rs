//! `kill -9` at named points of a message's way, each as it shows itself from outside. What stands for which point is in the
//! table; the server is not changed and not traced.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::inotify::AddWatchFlags;
use nix::sys::signal::Signal;

use super::{Site, WHOLE_WITHIN, judged};
use crate::crowd::{Crowd, Plan};
use crate::node::{Launch, Node};
use crate::outcome::{Outcome, percentile};
use crate::watch::Watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Before an append: messages were written to sockets a moment ago, and nothing was heard since.
    Sent,
    /// After an append, before its ack: the journal was written to for the first time since messages were sent.
    JournalWritten,
    /// In a batch: the journal was written to, and a time went by that is drawn, as long as a few commits at most.
    JournalInWriting,
    /// After an ack, before what the others are told: the first ack was read, and nothing after it.
    Acked,
    /// While the journal is worked into the file: the file was written to.
    FileWritten,
    /// In a drain: the first goodbye was read.
    Drained,
    /// In a start: the file was opened, and the server has not said that it listens.
    Started,
}

const POINTS: [(Point, &str); 7] = [
    (Point::Sent, "before an append"),
    (Point::JournalWritten, "after an append, before its ack"),
    (Point::JournalInWriting, "in a batch"),
    (Point::Acked, "after an ack"),
    (Point::FileWritten, "while the journal is emptied"),
    (Point::Drained, "in a drain"),
    (Point::Started, "in a start"),
];

/// Longer than any of these points takes to come.
const POINT_WITHIN: Duration = Duration::from_secs(10);
const BURST: u32 = 40;
/// What a few commits take, with their syncs.
const BATCH_MICROS_MAX: u64 = 5000;
const DATABASE: &str = "rooms.db";
const JOURNAL: &str = "rooms.db-wal";

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (50, 2000, site.seed);
    let full = Plan { clients: 300, rooms: 30, rooms_each: 2, pace: 600, seed, base_ms, cap_ms };
    let small = Plan { clients: 60, rooms: 6, rooms_each: 2, pace: 300, seed, base_ms, cap_ms };
    let (plan, times) = (site.sized(full, small), site.sized(20, 2));
    let mut outcome = Outcome::default();
    let launch = site.world.launch("one", &[])?;
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    crowd.arrive(1000);
    let (mut back, mut missed) = (Vec::new(), 0);
    for round in 0..times {
        for (point, words) in POINTS {
            let all = crowd.clients.len();
            crowd.pace = 0;
            ensure!(
                crowd.until(WHOLE_WITHIN, |crowd| crowd.live() == all)?,
                "not all came back before {words}"
            );
            crowd.pace = plan.pace;
            crowd.spend(Duration::from_millis(100))?;
            let came = reach(point, &mut crowd, &node, &launch.data)?;
            missed += usize::from(!came);
            (site.say)(&format!(
                "round {round}: {words}, {} unanswered{}",
                crowd.unacked(),
                if came { "" } else { ", MISSED" }
            ));
            node.kill()?;
            node = if point == Point::Started { killed_in_its_start(&launch)? } else { launch.start()? };
            while !node.is_ready()? {
                crowd.turn(Duration::from_millis(2))?;
            }
            let ready_at = crowd.now();
            let whole = crowd.until(WHOLE_WITHIN, |crowd| crowd.live() == all)?;
            outcome.must(whole, || format!("not all came back after a kill {words}"));
            back.extend(crowd.live_at.iter().flatten().map(|at| at.saturating_sub(ready_at)));
        }
    }
    outcome.figure("points", POINTS.len());
    outcome.figure("kills each", times);
    outcome.figure("live again ms, p99", percentile(&mut back, 99));
    outcome.must(missed == 0, || format!("{missed} kills had to come before their point did"));
    if site.is_full() {
        let p99 = percentile(&mut back, 99);
        outcome.must(p99 <= 5000, || format!("live again after {p99} ms (p99)"));
    }
    judged(crowd, node.port, &signer, plan.rooms, &mut outcome)?;
    Ok(outcome)
}

/// Whether the point came; the server is to be killed when this returns.
fn reach(point: Point, crowd: &mut Crowd, node: &Node, data: &Path) -> Result<bool> {
    let writes = AddWatchFlags::IN_MODIFY;
    match point {
        Point::Sent => {
            crowd.burst(BURST);
            Ok(true)
        }
        Point::JournalWritten | Point::JournalInWriting => {
            let watch = Watch::of(&data.join(JOURNAL), writes)?;
            crowd.burst(BURST);
            let came = watch.wait(POINT_WITHIN)?;
            if point == Point::JournalInWriting {
                // Not for anything to happen: the moment itself is drawn.
                std::thread::sleep(Duration::from_micros(crowd.random().below(BATCH_MICROS_MAX)));
            }
            Ok(came)
        }
        Point::Acked => {
            let acked = crowd.figures.acked;
            crowd.burst(BURST);
            crowd.until(POINT_WITHIN, |crowd| crowd.figures.acked > acked)
        }
        Point::FileWritten => {
            let watch = Watch::of(&data.join(DATABASE), writes)?;
            crowd.pace = 0;
            watch.wait(POINT_WITHIN)
        }
        Point::Drained => {
            let goodbyes = crowd.goodbyes.len();
            node.signal(Signal::SIGTERM)?;
            crowd.until(POINT_WITHIN, |crowd| crowd.goodbyes.len() > goodbyes)
        }
        // The kill itself is what comes before the start.
        Point::Started => Ok(true),
    }
}

/// A start that is killed while it opens its file, and then one that is not.
fn killed_in_its_start(launch: &Launch) -> Result<Node> {
    let watch = Watch::of(&launch.data.join(DATABASE), AddWatchFlags::IN_OPEN)?;
    let node = launch.start()?;
    ensure!(watch.wait(POINT_WITHIN)?, "the file was not opened");
    node.kill()?;
    launch.start()
}
