//! Single bits of the stored files turned over. Whatever a server makes of such a file, it may serve what was stored or
//! nothing: a room as it was, a room refused, or no start at all, with words in each case.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::power::{Copied, files};
use super::{Site, WHOLE_WITHIN, lines_with};
use crate::crowd::{Crowd, Plan};
use crate::front::{Reading, read_logs, read_rooms};
use crate::history::{History, Room};
use crate::image::Image;
use crate::node::Launch;
use crate::outcome::Outcome;
use crate::random::Random;

const DATABASE: &str = "rooms.db";
const JOURNAL: &str = "rooms.db-wal";
const ENDS_WITHIN: Duration = Duration::from_secs(30);
/// What the server's log says of a room that it refuses.
const REFUSED: &str = "Refused a room whose stored records are damaged";

/// What a server made of a damaged file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Made {
    Same,
    RoomRefused,
    StartRefused,
    /// A beginning of what was stored, and no word of it.
    Shorter,
    /// Never allowed.
    Wrong(String),
}

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 20, rooms: 8, rooms_each: 2, pace: 400, seed, base_ms, cap_ms };
    let small = Plan { clients: 10, rooms: 4, rooms_each: 2, pace: 200, seed, base_ms, cap_ms };
    let (plan, load_ms) = (site.sized(full, small), site.sized(6000, 1000));
    let (of_file, of_journal) = (site.sized(400, 20), site.sized(100, 6));
    let mut outcome = Outcome::default();
    let launch = site.world.launch("one", &[])?;
    let signer = launch.signer()?;
    let node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    crowd.arrive(500);
    crowd.pace = plan.pace;
    crowd.spend(Duration::from_millis(load_ms))?;
    // Before a pause in which the journal is emptied; the page cache survives the kill.
    node.kill()?;
    let with_journal = files(&launch.data)?;
    let node = launch.start_and_wait()?;
    crowd.settle(WHOLE_WITHIN)?;
    let history = crowd.history(|epochs| read_logs(node.port, &signer, epochs, plan.rooms))?;
    let status = node.terminate_and_wait(ENDS_WITHIN)?;
    ensure!(status.success(), "the server ended with {status}");
    outcome.judged(&history);
    let emptied = files(&launch.data)?;

    let mut random = Random::new(seed ^ 5);
    let flips = Flips { site, launch: &launch, history: &history };
    let file = launch.data.join(DATABASE).display().to_string();
    let all = 0..emptied.get(&file).with_context(|| format!("no file {DATABASE}"))?.len();
    let made = flips.make(&emptied, (DATABASE, all), of_file, &mut random, &mut outcome)?;
    tell(&mut outcome, &made, ["file: same", "file: room refused", "file: no start", "file: shorter"]);
    outcome.must(!made.contains_key(&Made::Shorter), || {
        "a flipped bit made a log shorter, and nothing was said".to_owned()
    });
    // A flip in the last commits cannot be told from the loss of power while they were written.
    let journal = launch.data.join(JOURNAL).display().to_string();
    let live = with_journal.get(&journal).and_then(|bytes| live(bytes)).context("no journal")?;
    outcome.figure("journal KiB", live >> 10);
    let early = live / 100..live / 2;
    let made = flips.make(&with_journal, (JOURNAL, early), of_journal, &mut random, &mut outcome)?;
    tell(
        &mut outcome,
        &made,
        ["journal: same", "journal: room refused", "journal: no start", "journal: shorter"],
    );
    outcome.must(!made.contains_key(&Made::Shorter), || {
        "a flipped bit in the journal made a log shorter, and nothing was said".to_owned()
    });
    Ok(outcome)
}

/// A journal is written over from its start each time that it was worked into the file. What stands behind the last frame with
/// its salts is left of the one before.
fn live(journal: &[u8]) -> Option<usize> {
    const HEAD: usize = 32;
    const FRAME_HEAD: usize = 24;
    let page = u32::from_be_bytes(journal.get(8..12)?.try_into().ok()?) as usize;
    let salts = journal.get(16..24)?;
    let frames = journal.get(HEAD..)?.chunks_exact(FRAME_HEAD + page);
    let ours = frames.take_while(|frame| frame.get(8..16) == Some(salts)).count();
    Some(HEAD + ours * (FRAME_HEAD + page))
}

fn tell(outcome: &mut Outcome, made: &BTreeMap<Made, usize>, names: [&'static str; 4]) {
    let kinds = [Made::Same, Made::RoomRefused, Made::StartRefused, Made::Shorter];
    for (kind, name) in kinds.iter().zip(names) {
        outcome.figure(name, made.get(kind).copied().unwrap_or(0));
    }
}

struct Flips<'a> {
    site: &'a Site<'a>,
    launch: &'a Launch,
    history: &'a History,
}

impl Flips<'_> {
    fn make(
        &self,
        image: &Image,
        (name, part): (&str, Range<usize>),
        count: usize,
        random: &mut Random,
        outcome: &mut Outcome,
    ) -> Result<BTreeMap<Made, usize>> {
        let path = self.launch.data.join(name).display().to_string();
        let (from, to) = (part.start as u64, part.end as u64);
        ensure!(from < to, "{name} is empty");
        let mut made: BTreeMap<Made, usize> = BTreeMap::new();
        for number in 0..count {
            let (byte, bit) = (from + random.below(to - from), random.below(8));
            let mut image = image.clone();
            if let Some(content) = image.get_mut(&path) {
                content[byte as usize] ^= 1 << bit;
            }
            let copy = Copied::make(self.site, self.launch, &image, &format!("{name}-{number}"))?;
            let one = self.look(&copy).unwrap_or_else(|error| Made::Wrong(format!("{error:#}")));
            (self.site.say)(&format!("{name} byte {byte} bit {bit}: {one:?}"));
            if let Made::Wrong(why) = &one {
                outcome.broken.push(format!("{name} with bit {bit} of byte {byte} flipped: {why}"));
            }
            *made.entry(one).or_default() += 1;
        }
        Ok(made)
    }

    fn look(&self, copy: &Copied) -> Result<Made> {
        let mut node = copy.launch.start()?;
        if node.wait_until_ready().is_err() {
            let status = node.ended(Instant::now() + ENDS_WITHIN).context("it neither serves nor ends")?;
            let words = fs::read_to_string(&copy.launch.log)?;
            let told = !status.success() && words.contains(DATABASE);
            return Ok(if told { Made::StartRefused } else { Made::Wrong(format!("{status}: {words}")) });
        }
        let mut epochs = self.history.epochs.clone();
        let rooms: Vec<Room> = self.history.logs.keys().copied().collect();
        let readings = read_rooms(node.port, &copy.launch.signer()?, &mut epochs, &rooms)?;
        let mut worst = Made::Same;
        for (room, reading) in readings {
            let whole = &self.history.logs[&room];
            let one = match reading {
                Reading::Whole(log) if log == *whole => Made::Same,
                // Without records there is no epoch to have kept.
                Reading::Whole(log) if log.records.is_empty() => Made::Shorter,
                Reading::Whole(log)
                    if log.epoch == whole.epoch && whole.records.starts_with(&log.records) =>
                {
                    Made::Shorter
                }
                Reading::Whole(_) => return Ok(Made::Wrong(format!("room {room} has another log"))),
                Reading::Refused { code, reference } => {
                    let said = lines_with(&copy.launch.log, REFUSED) > 0;
                    if code == "INTERNAL_ERROR" && reference.is_some() && said {
                        Made::RoomRefused
                    } else {
                        return Ok(Made::Wrong(format!(
                            "room {room} is refused with {code}, ref {reference:?}, line {said}"
                        )));
                    }
                }
            };
            worst = worst.max(one);
        }
        Ok(worst)
    }
}
