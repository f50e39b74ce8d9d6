//! One of three nodes sleeps longer than its lease, under load, and wakes up. Some of its clients turn away in time, the
//! others wait. What it still believes meanwhile reaches no log; at the others those who wait leave once and come back once,
//! and nobody else is seen to move.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use super::kills::must_be_whole;
use super::{Site, gather, judged};
use crate::broker::Kind;
use crate::crowd::{Crowd, Plan};
use crate::fleet::Fleet;
use crate::outcome::Outcome;
use crate::presence::{Passing, Watched};

/// The one that sleeps.
const NODE: usize = 1;
/// Whoever turns away does it before the lease of ten seconds has ended.
const TURNS_AWAY_AFTER: Duration = Duration::from_secs(2);
/// Of the clients of the node, each so many-th turns away.
const TURNS_AWAY_EVERY: usize = 2;
/// The lease, a look of the others, and a slow machine.
const LEFT_WITHIN: Duration = Duration::from_secs(40);
/// Everybody, by everybody in the room, whatever node they are on.
const SEEN_WITHIN: Duration = Duration::from_secs(15);
const TOLD_WITHIN: Duration = Duration::from_secs(2);
const BACK_WITHIN: Duration = Duration::from_secs(40);
/// Longer than an ended socket counts as present: whoever is wrongly taken for gone is told of by then.
const FLAPS_WITHIN: Duration = Duration::from_secs(5);

pub(crate) fn run(site: &Site<'_>, on: Kind) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    // Below 200 people in a room each is named who comes and goes.
    let full = Plan { clients: 300, rooms: 10, rooms_each: 1, pace: 300, seed, base_ms, cap_ms };
    let small = Plan { clients: 30, rooms: 5, rooms_each: 1, pace: 30, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let sleep = site.sized(Duration::from_secs(45), Duration::from_secs(12));
    let mut outcome = Outcome::default();
    let mut fleet = Fleet::start(site.world, on, "")?;
    let mut crowd = Crowd::new(plan, &fleet.ports(), &fleet.signer)?;
    for client in &mut crowd.clients {
        client.watched = Some(Watched::default());
    }
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    let whole = crowd.until(SEEN_WITHIN, |crowd| unseen(crowd, plan.rooms).is_empty())?;
    outcome.must(whole, || {
        let unseen = unseen(&crowd, plan.rooms);
        let few = &unseen[..unseen.len().min(5)];
        format!("{} times somebody is not seen who is there (by whom, whom): {few:?}", unseen.len())
    });
    let theirs = crowd.clients_at(NODE);
    let (away, waiting): (Vec<usize>, Vec<usize>) =
        theirs.iter().partition(|slot| (*slot / plan.rooms as usize).is_multiple_of(TURNS_AWAY_EVERY));
    let watching: Vec<usize> = (0..crowd.clients.len()).filter(|slot| !theirs.contains(slot)).collect();
    ensure!(!away.is_empty() && !waiting.is_empty(), "nobody is at the node");
    // Who came last is in a list at once, and is told of a window later.
    crowd.spend(TOLD_WITHIN)?;
    for slot in &watching {
        crowd.clients[*slot].watched = Some(Watched::default());
    }

    fleet.nodes[NODE].signal(Signal::SIGSTOP)?;
    let stopped_at = crowd.now();
    crowd.spend(TURNS_AWAY_AFTER)?;
    for slot in &away {
        crowd.turn_away(*slot);
    }
    let ended = crowd.figures.lost;
    let seen = Seen { rooms: plan.rooms, watching: &watching, waiting: &waiting };
    let left = crowd.until(LEFT_WITHIN, |crowd| seen.times(crowd, Passing::Went) == seen.expected())?;
    outcome.must(left, || "those who wait are not seen to leave".to_owned());
    outcome.figure("seen to leave after ms", crowd.now() - stopped_at);
    crowd.spend(sleep.saturating_sub(Duration::from_millis(crowd.now() - stopped_at)))?;
    fleet.nodes[NODE].signal(Signal::SIGCONT)?;
    let woken_at = crowd.now();
    outcome.figure("slept s", (woken_at - stopped_at) / 1000);
    let back = crowd.until(BACK_WITHIN, |crowd| seen.times(crowd, Passing::Came) == seen.expected())?;
    outcome.must(back, || "those who waited are not seen to come back".to_owned());
    outcome.figure("seen to come back after ms", crowd.now() - woken_at);
    crowd.spend(FLAPS_WITHIN)?;

    outcome.figure("turned away", away.len());
    outcome.figure("waited", waiting.len());
    outcome.figure("of these cut off", crowd.figures.lost - ended);
    seen.must_be_once_each(&crowd, &mut outcome);
    outcome.must(fleet.none_has_ended()?, || "a node ended".to_owned());
    // Through another node than the one that slept.
    judged(crowd, fleet.ports()[0], &fleet.signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}

/// What the watching saw of those who wait, room by room.
struct Seen<'a> {
    rooms: u16,
    watching: &'a [usize],
    waiting: &'a [usize],
}

impl Seen<'_> {
    fn share_a_room(&self, one: usize, other: usize) -> bool {
        one % self.rooms as usize == other % self.rooms as usize
    }

    /// Each who waits, by each who watches in the same room.
    fn expected(&self) -> usize {
        let pairs = |slot: &usize| self.waiting.iter().filter(|it| self.share_a_room(**it, *slot)).count();
        self.watching.iter().map(pairs).sum()
    }

    /// How many of these were seen to pass so, however often.
    fn times(&self, crowd: &Crowd, passing: fn(u32) -> Passing) -> usize {
        let seen = |slot: &usize| {
            let watched = crowd.clients[*slot].watched.iter().flat_map(|it| &it.passings);
            let all: BTreeSet<u32> =
                watched.filter(|it| passing(user(**it)) == **it).map(|it| user(*it)).collect();
            self.waiting.iter().filter(|it| all.contains(&(**it as u32))).count()
        };
        self.watching.iter().map(seen).sum()
    }

    fn must_be_once_each(&self, crowd: &Crowd, outcome: &mut Outcome) {
        let (mut others, mut more) = (BTreeSet::new(), BTreeSet::new());
        for slot in self.watching {
            let mut passed: BTreeMap<u32, Vec<Passing>> = BTreeMap::new();
            for passing in crowd.clients[*slot].watched.iter().flat_map(|it| &it.passings) {
                passed.entry(user(*passing)).or_default().push(*passing);
            }
            for (user, passings) in passed {
                if !self.waiting.contains(&(user as usize)) {
                    others.insert((user, passings));
                } else if passings != [Passing::Went(user), Passing::Came(user)] {
                    more.insert((user, passings));
                }
            }
        }
        outcome.figure("others seen to move", others.len());
        outcome.must(others.is_empty(), || format!("others were seen to move: {others:?}"));
        outcome.must(more.is_empty(), || format!("not once and back: {more:?}"));
    }
}

/// Who is in a room and is not seen there: by whom, and whom.
fn unseen(crowd: &Crowd, rooms: u16) -> Vec<(u32, u32)> {
    let all = crowd.clients.len() as u32;
    let mut unseen = Vec::new();
    for client in &crowd.clients {
        let room = (client.number % u32::from(rooms)) as u16;
        let here = client.watched.as_ref().and_then(|it| it.here.get(&room));
        let there = (0..all).filter(|user| user % u32::from(rooms) == u32::from(room));
        let missing = there.filter(|user| !here.is_some_and(|here| here.contains(user)));
        unseen.extend(missing.map(|user| (client.number, user)));
    }
    unseen
}

fn user(passing: Passing) -> u32 {
    match passing {
        Passing::Came(user) | Passing::Went(user) => user,
    }
}
