//! Pages that are reloaded, over and over: the old connection ends and a new one comes at once, or the new one comes before
//! the old one is gone. Who watches the room sees nobody leave, and in the end everybody, once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Site;
use crate::front::metric;
use crate::heard::{Heard, number};
use crate::outcome::Outcome;
use crate::random::Random;
use crate::sockets::{Leave, News, Sockets};

struct Numbers {
    users: usize,
    reloads: usize,
    /// Of all users together.
    per_second: u64,
}

/// Few enough to be named when they come and go, and to have a watcher of their own.
const USERS_A_ROOM: usize = 50;
/// An old connection is gone for less than this.
const AWAY_MS_MAX: u64 = 100;
const ALL_WITHIN: Duration = Duration::from_secs(60);
/// A socket that ended counts as present for three seconds; then the news is gathered.
const LEFT_WITHIN: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In its room, by the slot of that side.
    In(usize),
    /// The old connection ended; the new one comes then.
    Away { until: u64, side: usize },
    /// The new one is on its way; and the old one, if it is still there, goes when the new one has joined.
    Coming { side: usize, old: Option<usize> },
}

struct Users {
    port: u16,
    sockets: Sockets,
    tokens: Vec<String>,
    states: Vec<State>,
    reloads: Vec<usize>,
    /// By user, how often a watcher was told.
    left: BTreeMap<u32, u32>,
    joined: BTreeMap<u32, u32>,
    watching: usize,
    random: Random,
    began: Instant,
}

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let full = Numbers { users: 1000, reloads: 50, per_second: 500 };
    let small = Numbers { users: 50, reloads: 10, per_second: 150 };
    let numbers = site.sized(full, small);
    let mut outcome = Outcome::default();
    let launch = site.world.launch("one", &[])?;
    let signer = launch.signer()?;
    let node = launch.start_and_wait()?;
    let rooms = numbers.users.div_ceil(USERS_A_ROOM);
    let users = (0..numbers.users).map(|user| signer.token(&format!("u{user}")));
    let watchers = (0..rooms).map(|room| signer.token(&format!("watcher-{room}")));
    let mut users = Users {
        port: launch.port,
        sockets: Sockets::new(numbers.users * 2 + rooms)?,
        tokens: users.chain(watchers).collect::<Result<_>>()?,
        states: vec![State::Coming { side: 0, old: None }; numbers.users],
        reloads: vec![0; numbers.users],
        left: BTreeMap::new(),
        joined: BTreeMap::new(),
        watching: 0,
        random: Random::new(site.seed),
        began: Instant::now(),
    };
    for room in 0..rooms {
        users.open(numbers.users * 2 + room)?;
    }
    users.until(ALL_WITHIN, |users| users.watching == rooms)?;
    for user in 0..numbers.users {
        users.open(user * 2)?;
    }
    users.until(ALL_WITHIN, Users::all_in)?;
    users.until(ALL_WITHIN, |users| users.joined.len() == users.states.len())?;
    let began = Instant::now();
    users.reload(&numbers)?;
    users.until(ALL_WITHIN, Users::all_in)?;
    outcome.figure("users", numbers.users);
    outcome.figure("reloads", users.reloads.iter().sum::<usize>());
    outcome.figure("seconds", began.elapsed().as_secs());
    // Longer than an ended socket counts as present: whoever is taken for gone is told of by then.
    let began = Instant::now();
    users.until_or_later(Duration::from_secs(5), |_| began.elapsed() > Duration::from_secs(4))?;
    let left_meanwhile: u32 = users.left.values().sum();
    outcome.figure("left meanwhile", left_meanwhile);
    outcome
        .must(left_meanwhile == 0, || format!("{left_meanwhile} were said to have left while they reloaded"));
    let again: Vec<u32> =
        users.joined.iter().filter(|(_, times)| **times > 1).map(|(user, _)| *user).collect();
    outcome.figure("joined again", again.len());
    outcome.must(again.is_empty(), || format!("{} were said to have come again", again.len()));
    let (open, expected) = (metric(&node.address(), "kulkul_connections")?, (numbers.users + rooms) as u64);
    outcome.must(open == expected, || format!("{open} connections are open where {expected} are"));

    for user in 0..numbers.users {
        if let State::In(side) = users.states[user] {
            users.sockets.leave(user * 2 + side, Leave::Silently);
        }
    }
    let all_left = users.until_or_later(LEFT_WITHIN, |users| users.left.len() == users.states.len())?;
    let twice = users.left.values().filter(|times| **times > 1).count();
    outcome.figure("left in the end", users.left.len());
    outcome.must(all_left, || format!("{} of {} are said to have left", users.left.len(), numbers.users));
    outcome.must(twice == 0, || format!("{twice} are said to have left more than once"));
    Ok(outcome)
}

impl Users {
    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn all_in(&self) -> bool {
        self.states.iter().all(|state| matches!(state, State::In(_)))
    }

    /// Slots of a user's two sides stand side by side; the watchers' are behind all of them.
    fn user_of(&self, slot: usize) -> Option<usize> {
        Some(slot / 2).filter(|user| *user < self.states.len())
    }

    fn room_of(&self, slot: usize) -> usize {
        match self.user_of(slot) {
            Some(user) => user / USERS_A_ROOM,
            None => slot - self.states.len() * 2,
        }
    }

    fn open(&mut self, slot: usize) -> Result<()> {
        let token = self.user_of(slot).unwrap_or_else(|| slot - self.states.len());
        self.sockets.open(slot, self.port, &self.tokens[token])
    }

    fn until(&mut self, within: Duration, holds: impl FnMut(&Users) -> bool) -> Result<()> {
        if self.until_or_later(within, holds)? {
            return Ok(());
        }
        let away = self.states.iter().filter(|state| !matches!(state, State::In(_))).count();
        bail!(
            "after {} s {away} users are not in their rooms, {} were told of, {} watch",
            within.as_secs(),
            self.joined.len(),
            self.watching
        )
    }

    fn until_or_later(&mut self, within: Duration, mut holds: impl FnMut(&Users) -> bool) -> Result<bool> {
        let until = Instant::now() + within;
        while !holds(self) {
            if Instant::now() >= until {
                return Ok(false);
            }
            self.turn()?;
        }
        Ok(true)
    }

    fn reload(&mut self, numbers: &Numbers) -> Result<()> {
        let began = Instant::now();
        let all = numbers.users * numbers.reloads;
        let mut begun = 0;
        while begun < all {
            let due = (began.elapsed().as_millis() as u64 * numbers.per_second / 1000) as usize;
            while begun < due.min(all) {
                // In turn, so that nobody is reloaded more often than it is asked for.
                let user = begun % numbers.users;
                let State::In(side) = self.states[user] else { break };
                self.begin(user, side)?;
                begun += 1;
            }
            self.turn()?;
        }
        Ok(())
    }

    fn begin(&mut self, user: usize, side: usize) -> Result<()> {
        self.reloads[user] += 1;
        let other = 1 - side;
        if self.random.below(2) == 0 {
            let how = [Leave::Politely, Leave::Silently, Leave::Rudely][self.random.below(3) as usize];
            self.sockets.leave(user * 2 + side, how);
            let until = self.now() + self.random.below(AWAY_MS_MAX);
            self.states[user] = State::Away { until, side: other };
            return Ok(());
        }
        self.states[user] = State::Coming { side: other, old: Some(side) };
        self.open(user * 2 + other)
    }

    fn turn(&mut self) -> Result<()> {
        let now = self.now();
        for user in 0..self.states.len() {
            if let State::Away { until, side } = self.states[user]
                && until <= now
            {
                self.states[user] = State::Coming { side, old: None };
                self.open(user * 2 + side)?;
            }
        }
        for (slot, news) in self.sockets.turn(Duration::from_millis(2))? {
            match news {
                News::Open => {
                    let room = self.room_of(slot);
                    let join =
                        format!(r#"{{"type":"join_room","id":"j","payload":{{"room_id":"r{room}"}}}}"#);
                    self.sockets.say(slot, &join);
                    self.sockets.flush(slot);
                }
                News::Text(text) => self.hear(slot, &text)?,
                News::Closed { code, words } => bail!("slot {slot} was sent away: {code} {words}"),
                News::Lost(why) => bail!("slot {slot} was lost: {why}"),
            }
        }
        Ok(())
    }

    fn hear(&mut self, slot: usize, text: &str) -> Result<()> {
        let heard: Heard<'_> = serde_json::from_str(text)?;
        match (heard.kind, self.user_of(slot)) {
            ("error", _) => bail!("slot {slot} is told {text}"),
            ("room_info", None) => self.watching += 1,
            ("room_info", Some(user)) => {
                if let State::Coming { side, old } = self.states[user] {
                    if let Some(old) = old {
                        self.sockets.leave(user * 2 + old, Leave::Silently);
                    }
                    self.states[user] = State::In(side);
                }
            }
            (kind @ ("user_left" | "user_joined"), None) => {
                let told = if kind == "user_left" { &mut self.left } else { &mut self.joined };
                if let Some(user) = heard.payload.id.and_then(|id| number(id, 'u')) {
                    *told.entry(user).or_default() += 1;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
