//! The order of syncs and acks, from a trace; and the power going at chosen moments of it: a server is started on what a
//! disk would have kept, and everything that anybody was told must be there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{Site, WHOLE_WITHIN};
use crate::crowd::{Crowd, Plan};
use crate::front::{Reading, read_logs, read_rooms};
use crate::history::{History, Id, Log, Room};
use crate::image::{self, Image, Unsynced};
use crate::node::Launch;
use crate::outcome::Outcome;
use crate::random::Random;
use crate::trace::{self, Call, What, holds};

const JOURNAL: &str = "rooms.db-wal";
/// The head of a page in the journal, and where in it the last page of a commit says so.
const FRAME_HEAD_BYTES: usize = 24;
const COMMIT: std::ops::Range<usize> = 4..8;
const ENDS_WITHIN: Duration = Duration::from_secs(30);

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 40, rooms: 8, rooms_each: 2, pace: 120, seed, base_ms, cap_ms };
    let small = Plan { clients: 12, rooms: 4, rooms_each: 2, pace: 60, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let (bursts, burst_ms, moments) = (site.sized(8, 3), site.sized(1500, 600), site.sized(60, 5));
    let mut outcome = Outcome::default();
    let mut launch = site.world.launch("one", &[])?;
    let signer = launch.signer()?;
    // What the trace begins with: a file with its tables, and an empty journal.
    let status = launch.start_and_wait()?.terminate_and_wait(ENDS_WITHIN)?;
    ensure!(status.success(), "the first server ended with {status}");
    let base = files(&launch.data)?;
    let text = site.world.folder.join("trace");
    launch.through = trace::STRACE.iter().map(Into::into).chain([text.clone().into_os_string()]).collect();
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    crowd.arrive(200);
    for _ in 0..bursts {
        crowd.pace = plan.pace;
        crowd.spend(Duration::from_millis(burst_ms))?;
        // Long enough for the journal to be emptied, so that this is in the trace too.
        crowd.pace = 0;
        crowd.spend(Duration::from_millis(400))?;
    }
    crowd.pace = plan.pace;
    crowd.spend(Duration::from_millis(burst_ms))?;
    crowd.settle(WHOLE_WITHIN)?;
    outcome.figure("sent", crowd.figures.sent);
    let history = crowd.history(|epochs| read_logs(node.port, &signer, epochs, plan.rooms))?;
    node.signal(Signal::SIGKILL)?;
    ensure!(node.ended(std::time::Instant::now() + ENDS_WITHIN).is_some(), "strace does not end");
    outcome.judged(&history);

    let calls = trace::read(&text)?;
    let acks = acks(&calls);
    in_order(&calls, &acks, &mut outcome);
    launch.through.clear();
    let recovery =
        Recovery { site, launch: &launch, calls: &calls, base: &base, history: &history, acks: &acks };
    recovery.at_moments(moments, &mut outcome)?;
    Ok(outcome)
}

/// Everything of the data folder that a crash would keep, by path.
pub(crate) fn files(data: &Path) -> Result<Image> {
    let mut image = Image::new();
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        image.insert(path.display().to_string(), fs::read(&path)?);
    }
    Ok(image)
}

/// Where each id was first told to be stored: the line at which its socket was written to.
fn acks(calls: &[Call]) -> BTreeMap<Id, usize> {
    const BEFORE: &[u8] = br#"{"type":"ack","id":""#;
    let mut acks = BTreeMap::new();
    for call in calls {
        let What::Told { bytes } = &call.what else { continue };
        for at in 0..bytes.len().saturating_sub(BEFORE.len()) {
            if !bytes[at..].starts_with(BEFORE) {
                continue;
            }
            let rest = String::from_utf8_lossy(&bytes[at + BEFORE.len()..]);
            if let Some(id) = rest.split('"').next().and_then(Id::read) {
                let line = acks.entry(id).or_insert(call.began);
                *line = call.began.min(*line);
            }
        }
    }
    acks
}

/// Before the first ack of a record its commit was written to the journal, and then a sync began and was done.
fn in_order(calls: &[Call], acks: &BTreeMap<Id, usize>, outcome: &mut Outcome) {
    let journal: Vec<(&Call, &[u8])> = calls
        .iter()
        .filter_map(|call| match &call.what {
            What::Write { file, bytes, .. } if file.ends_with(JOURNAL) => Some((call, bytes.as_slice())),
            _ => None,
        })
        .collect();
    let commits: Vec<usize> = (0..journal.len())
        .filter(|index| {
            let bytes = journal[*index].1;
            bytes.len() == FRAME_HEAD_BYTES && bytes[COMMIT].iter().any(|byte| *byte != 0)
        })
        .collect();
    let syncs: Vec<&Call> = calls
        .iter()
        .filter(|call| matches!(&call.what, What::Sync { file } if file.ends_with(JOURNAL)))
        .collect();
    let mut proven = 0;
    for (id, told) in acks {
        let content = id.content();
        let stored = journal.iter().position(|(_, bytes)| holds(bytes, content.as_bytes()));
        // The page with the record has its head before it; the commit's last page has its own.
        let commit = stored.and_then(|at| commits.iter().find(|index| **index + 1 >= at));
        let written = commit.and_then(|index| Some(journal.get(*index + 1)?.0.ended));
        let synced = written
            .is_some_and(|written| syncs.iter().any(|sync| sync.began > written && sync.ended < *told));
        proven += usize::from(synced);
        outcome.must(synced, || {
            format!("{id} was acknowledged at line {told} of the trace before a sync of its commit")
        });
    }
    outcome.figure("acks behind their sync", format!("{proven} of {}", acks.len()));
    outcome.figure("syncs of the journal", syncs.len());
    outcome.must(!acks.is_empty(), || "the trace has no ack".to_owned());
}

struct Recovery<'a> {
    site: &'a Site<'a>,
    launch: &'a Launch,
    calls: &'a [Call],
    base: &'a Image,
    history: &'a History,
    acks: &'a BTreeMap<Id, usize>,
}

impl Recovery<'_> {
    /// The power goes when an ack is about to leave, or anywhere; what was not synced is gone, or there in pieces.
    fn at_moments(&self, count: usize, outcome: &mut Outcome) -> Result<()> {
        let mut random = Random::new(self.site.seed ^ 3);
        let told: Vec<usize> = self.acks.values().copied().collect();
        let end = self.calls.last().map_or(0, |call| call.ended);
        let (mut recovered, mut cut, mut kept) = (0, 0, 0);
        for number in 0..count * 2 {
            let unsynced = if number % 2 == 0 { Unsynced::Nothing } else { Unsynced::Some };
            let line = match number % 4 {
                // One line further, so that this very ack counts as told.
                0 | 1 => told[random.below(told.len() as u64) as usize] + 1,
                _ => random.below(end as u64) as usize,
            };
            let image = image::at(self.calls, self.base, line, unsynced, &mut random);
            let logs = self.recover(&image, number).with_context(|| {
                format!("the power went at line {line} of the trace, {unsynced:?} unsynced")
            })?;
            let acked: Vec<Id> =
                self.acks.iter().filter(|(_, told)| **told < line).map(|(id, _)| *id).collect();
            kept += self.compare(&logs, &acked, line, outcome);
            recovered += 1;
            cut += usize::from(unsynced == Unsynced::Some);
        }
        outcome.figure("power failures", recovered);
        outcome.figure("with torn writes", cut);
        outcome.figure("acked and there again", kept);
        Ok(())
    }

    fn recover(&self, image: &Image, number: usize) -> Result<BTreeMap<Room, Log>> {
        let copy = Copied::make(self.site, self.launch, image, &format!("power-{number}"))?;
        let node = copy.launch.start_and_wait()?;
        let mut epochs = self.history.epochs.clone();
        let rooms: Vec<Room> = self.history.logs.keys().copied().collect();
        let readings = read_rooms(node.port, &copy.launch.signer()?, &mut epochs, &rooms)?;
        let whole = |(room, reading)| match reading {
            Reading::Whole(log) => Ok((room, log)),
            Reading::Refused { code, .. } => anyhow::bail!("room {room} is refused: {code}"),
        };
        readings.into_iter().map(whole).collect()
    }

    /// Each room is a beginning of what it came to be, and has what was acknowledged.
    fn compare(&self, logs: &BTreeMap<Room, Log>, acked: &[Id], line: usize, outcome: &mut Outcome) -> usize {
        let mut there = 0;
        for (room, log) in logs {
            let whole = &self.history.logs[room];
            let same_epoch = log.epoch == whole.epoch || log.records.is_empty();
            outcome.must(same_epoch && whole.records.starts_with(&log.records), || {
                format!("the power went at line {line}: room {room} is not a beginning of its log")
            });
        }
        for id in acked {
            let found = logs.values().any(|log| log.records.iter().any(|(_, stored)| stored == id));
            there += usize::from(found);
            outcome
                .must(found, || format!("the power went at line {line}: {id} was acknowledged and is lost"));
        }
        there
    }
}

/// A data folder of its own for a server that is started on an image.
pub(crate) struct Copied {
    pub(crate) launch: Launch,
    folder: PathBuf,
}

impl Copied {
    pub(crate) fn make(site: &Site<'_>, launch: &Launch, image: &Image, name: &str) -> Result<Copied> {
        let copied = site.world.launch(name, &[])?;
        for (path, bytes) in image {
            let name = Path::new(path).file_name().context("a path of a file")?;
            // What is shared among processes does not outlive them.
            if !path.ends_with("-shm") && Path::new(path).parent() == Some(&launch.data) {
                fs::write(copied.data.join(name), bytes)?;
            }
        }
        Ok(Copied { launch: copied, folder: site.world.folder.join(name) })
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // The world's folder goes as a whole in the end.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
