//! People come and go by the ten thousand, in every way that a socket can end. Afterwards the server holds what it held
//! before: no connection, no user, no descriptor, no room, and no more memory.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::Site;
use crate::front::metric;
use crate::heard::Heard;
use crate::node::Node;
use crate::outcome::Outcome;
use crate::random::Random;
use crate::sockets::{Leave, News, Sockets};

struct Numbers {
    visits: usize,
    per_second: u64,
    rooms: u64,
    /// Visits before the baseline is taken: what a server keeps for ever it has made by then.
    warm_up: usize,
}

/// At once; more than the pace needs.
const SLOTS: usize = 256;
/// A socket that ended counts as present for three seconds more.
const GAUGES_WITHIN: Duration = Duration::from_secs(15);
/// A room is let go a minute after its last member.
const ROOMS_WITHIN: Duration = Duration::from_secs(100);
/// A visit that takes longer is stuck.
const VISIT_WITHIN: Duration = Duration::from_secs(20);
/// Of the resident memory, beside a share of it: what an allocator and a kernel round to.
const RESIDENT_SLACK_BYTES: u64 = 6 << 20;
const SHARE_PERCENT: u64 = 5;
/// Descriptors of those who ask for figures, and of what they opened to answer.
const LOOKING: usize = 2;

#[derive(Clone, Copy, Debug)]
struct Rest {
    resident: u64,
    descriptors: usize,
    rooms: u64,
}

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let full = Numbers { visits: 100_000, per_second: 170, rooms: 1000, warm_up: 10_000 };
    let small = Numbers { visits: 2000, per_second: 700, rooms: 50, warm_up: 1000 };
    let numbers = site.sized(full, small);
    let mut outcome = Outcome::default();
    let launch = site.world.launch("one", &[])?;
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    // A node follows a room or two of its own for as long as it lives.
    let own_rooms = metric(&node.address(), "kulkul_rooms")?;
    let rooms_within = site.is_full().then_some(own_rooms);
    let tokens: Vec<String> =
        (0..SLOTS).map(|slot| signer.token(&format!("u{slot}"))).collect::<Result<_>>()?;
    let mut visits =
        Visits { port: launch.port, sockets: Sockets::new(SLOTS)?, tokens, random: Random::new(site.seed) };
    visits.make(&numbers, numbers.warm_up, site.say)?;
    let before = rest(&node, rooms_within)?;
    let began = Instant::now();
    visits.make(&numbers, numbers.visits, site.say)?;
    outcome.figure("visits", numbers.visits);
    outcome.figure("seconds", began.elapsed().as_secs());
    let after = rest(&node, rooms_within)?;
    outcome.must(node.has_ended()?.is_none(), || "the server ended".to_owned());
    outcome.figure("resident before", format!("{:.1} MiB", mebibytes(before.resident)));
    outcome.figure("resident after", format!("{:.1} MiB", mebibytes(after.resident)));
    outcome.figure("descriptors", format!("{} and {}", before.descriptors, after.descriptors));
    outcome.figure("rooms", format!("{} and {}", before.rooms, after.rooms));
    let most = before.resident + before.resident * SHARE_PERCENT / 100 + RESIDENT_SLACK_BYTES;
    outcome.must(after.resident <= most, || {
        format!(
            "{:.1} MiB are resident, and {:.1} were",
            mebibytes(after.resident),
            mebibytes(before.resident)
        )
    });
    outcome.must(after.descriptors <= before.descriptors + LOOKING, || {
        format!("{} descriptors are open, and {} were", after.descriptors, before.descriptors)
    });
    let most = own_rooms + if site.is_full() { 0 } else { numbers.rooms };
    outcome.must(after.rooms <= most, || {
        format!("{} rooms are still there, {own_rooms} of them the node's own", after.rooms)
    });
    Ok(outcome)
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What the server holds once nobody is there any more; with its rooms let go but for `own_rooms`, where there is time
/// for that.
fn rest(node: &Node, own_rooms: Option<u64>) -> Result<Rest> {
    let address = node.address();
    let falls_to = |least: u64, name: &str, within: Duration| -> Result<()> {
        let until = Instant::now() + within;
        loop {
            match metric(&address, name)? {
                value if value <= least => return Ok(()),
                value if Instant::now() >= until => bail!("{name} is {value} after {} s", within.as_secs()),
                _ => std::thread::sleep(crate::LOOK),
            }
        }
    };
    for name in ["kulkul_connections", "kulkul_users", "kulkul_stale_connections"] {
        falls_to(0, name, GAUGES_WITHIN)?;
    }
    if let Some(own_rooms) = own_rooms {
        falls_to(own_rooms, "kulkul_rooms", ROOMS_WITHIN)?;
    }
    let rooms = metric(&address, "kulkul_rooms")?;
    Ok(Rest { resident: node.resident_bytes()?, descriptors: node.descriptors()?, rooms })
}

struct Visits {
    port: u16,
    sockets: Sockets,
    tokens: Vec<String>,
    random: Random,
}

impl Visits {
    fn make(&mut self, numbers: &Numbers, count: usize, say: &dyn Fn(&str)) -> Result<()> {
        let began = Instant::now();
        let mut since: Vec<Option<Instant>> = vec![None; SLOTS];
        let (mut begun, mut done, mut told) = (0, 0, Instant::now());
        while done < count {
            let due = (began.elapsed().as_millis() as u64 * numbers.per_second / 1000) as usize;
            while begun < count.min(due) {
                let Some(slot) = since.iter().position(Option::is_none) else { break };
                self.sockets.open(slot, self.port, &self.tokens[slot])?;
                (since[slot], begun) = (Some(Instant::now()), begun + 1);
            }
            for (slot, news) in self.sockets.turn(Duration::from_millis(2))? {
                if self.is_over(slot, &news, numbers)? {
                    (since[slot], done) = (None, done + 1);
                }
            }
            let stuck = since.iter().flatten().any(|since| since.elapsed() > VISIT_WITHIN);
            ensure!(!stuck, "a visit takes more than {} s", VISIT_WITHIN.as_secs());
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                say(&format!("{done} of {count} visits"));
            }
        }
        Ok(())
    }

    /// Comes, joins, says something half of the time, and goes in one of the ways there are.
    fn is_over(&mut self, slot: usize, news: &News, numbers: &Numbers) -> Result<bool> {
        match news {
            News::Open => {
                if self.random.below(16) == 0 {
                    // Some leave before they have said a word.
                    return Ok(self.leave(slot));
                }
                let room = self.random.below(numbers.rooms);
                self.sockets.say(
                    slot,
                    &format!(r#"{{"type":"join_room","id":"j","payload":{{"room_id":"r{room}"}}}}"#),
                );
                self.sockets.flush(slot);
                Ok(false)
            }
            News::Text(text) => {
                let heard: Heard<'_> = serde_json::from_str(text)?;
                match (heard.kind, heard.id, heard.room) {
                    ("room_info", Some("j"), Some(room)) => {
                        if self.random.below(2) == 0 {
                            return Ok(self.leave(slot));
                        }
                        let text = format!(r#"{{"type":"typing","room":"{room}","id":"t"}}"#);
                        self.sockets.say(slot, &text);
                        self.sockets.flush(slot);
                        Ok(false)
                    }
                    (_, Some("t"), _) => Ok(self.leave(slot)),
                    ("error", ..) => bail!("a visitor is told {text}"),
                    _ => Ok(false),
                }
            }
            News::Closed { code, words } => bail!("a visitor is sent away: {code} {words}"),
            News::Lost(why) => bail!("a visitor was lost: {why}"),
        }
    }

    fn leave(&mut self, slot: usize) -> bool {
        let how = [Leave::Politely, Leave::Silently, Leave::Rudely][self.random.below(3) as usize];
        self.sockets.leave(slot, how);
        true
    }
}
