//! What rooms owe a receiver, told in calls: those of a room one after the other and in order, those of several rooms at the same time.
//! Which rooms have something, and where each stands, is the crossing's; what a receiver does not take waits in its room.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crossing::{Carried, Carrier, Goes, Stage, add, pause};
use node::Desk;
use tokio::sync::watch;
use vocabulary::{Outward, Position, RoomId};

use crate::call::{Came, Receiver};
use crate::counts::Counts;
use crate::event::{self, Event};
use crate::failing::Failing;
use crate::{Hook, letters};

/// What a call has of events, in bytes: most receivers take a megabyte, and a call that fails is sent whole again.
const BODY_BYTES_MAX: usize = 256 << 10;
/// Tries in a row before a room gives its place to another; it says that it has something a few seconds later.
const TRIES_AT_ONCE: u32 = 3;
/// Rooms of which it is known that records are gone, until the receiver knows it too.
const MISSED_MAX: usize = 10_000;

/// What carries rooms' words to one receiver.
pub(crate) struct Sink {
    pub(crate) hook: Arc<Hook>,
    /// Among all webhooks, the first that fits a room is its own.
    pub(crate) hooks: Arc<[Arc<Hook>]>,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) desk: Desk,
    pub(crate) counts: Arc<Counts>,
    pub(crate) stage: watch::Receiver<Stage>,
    /// Who this deployment is, in what it says.
    pub(crate) origin: Arc<str>,
    pub(crate) failing: RefCell<Failing>,
    pub(crate) missed: RefCell<HashMap<RoomId, u64>>,
    /// The receiver wants to be left alone until then.
    pub(crate) later: Cell<Option<Instant>>,
    /// The circuit is open, and whoever calls next finds out whether it may close.
    pub(crate) probes: Cell<bool>,
}

/// What became of some events.
enum Told {
    Taken,
    /// By what the receiver said, or because it failed for too long; after so many tries.
    Refused(String, u32),
    NotNow,
}

impl Carrier for Sink {
    fn desk(&self) -> &Desk {
        &self.desk
    }

    fn panics(&self) -> &AtomicU64 {
        &self.counts.panics_total
    }

    /// Here what probes is a call like any other: as there is nothing else that a receiver could be asked.
    fn is_away(&self) -> bool {
        if self.later.get().is_some_and(|later| Instant::now() < later) {
            return true;
        }
        if !self.counts.reach.is_away() || self.probes.get() {
            return false;
        }
        self.probes.set(self.counts.reach.may_probe());
        !self.probes.get()
    }

    fn has_ended(&self) -> bool {
        *self.stage.borrow() == Stage::Ends
    }

    async fn rest(&self, time: Duration) {
        let mut stage = self.stage.clone();
        let now = *stage.borrow_and_update();
        // An error: nobody is left to say what comes next, and the time goes by as well.
        tokio::time::timeout(time, stage.wait_for(|stage| *stage != now)).await.ok();
    }

    fn goes(&self, room: &RoomId) -> Goes {
        match crate::whose(&self.hooks, room) {
            Some(hook) if Arc::ptr_eq(hook, &self.hook) => {}
            Some(_) | None => return Goes::Nowhere,
        }
        if self.failing.borrow().rests(room, Instant::now()) { Goes::NotNow } else { Goes::Now }
    }

    fn at_once(&self) -> usize {
        self.hook.at_once
    }

    fn missed(&self, room: &RoomId, count: u64) {
        let mut missed = self.missed.borrow_mut();
        let more = count.saturating_sub(missed.get(room).copied().unwrap_or(0));
        if more > 0 {
            tracing::warn!(webhook = self.hook.name, %room, more, "records were gone before the receiver had them");
            add(&self.counts.missed_total, usize::try_from(more).unwrap_or(usize::MAX));
        }
        if missed.len() < MISSED_MAX || missed.contains_key(room) {
            missed.insert(room.clone(), count);
        }
    }

    async fn carry(&self, room: &RoomId, entries: &[Outward]) -> Carried {
        let events: Vec<Event> = entries.iter().flat_map(|entry| self.events(entry)).collect();
        let (mut left, mut count_max, mut done) = (&events[..], self.hook.batch, None);
        while !left.is_empty() {
            let (some, rest) = left.split_at(event::fits(left, count_max, BODY_BYTES_MAX));
            let is_past = match self.tell(room, some).await {
                Told::Taken => true,
                // One by one it is seen which of them it is.
                Told::Refused(..) if some.len() > 1 => {
                    count_max = 1;
                    continue;
                }
                Told::Refused(why, tries) => self.bury(room, &some[0], &why, tries).await,
                Told::NotNow => false,
            };
            if !is_past {
                return done.map_or(Carried::Nothing, Carried::Upto);
            }
            // A record is done with the last of its events.
            let is_done = |at: &Position| rest.first().is_none_or(|next| next.position != *at);
            done = some.last().map(|last| last.position).filter(is_done).or(done);
            left = rest;
        }
        Carried::All { some: !events.is_empty() }
    }
}

impl Sink {
    /// None of them: it is not meant.
    fn events(&self, entry: &Outward) -> Vec<Event> {
        let types = &self.hook.types;
        match (entry.room.app(), entry.shown.kind) {
            (webhooks::APP, webhooks::HAPPENED) => event::of_happened(entry),
            (webhooks::APP, _) => event::of_letter(entry).into_iter().collect(),
            (_, kind) if types.is_empty() || types.iter().any(|it| it == kind) => {
                event::of_record(entry).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    async fn tell(&self, room: &RoomId, events: &[Event]) -> Told {
        let first = &events[0];
        for tries in 1..=TRIES_AT_ONCE {
            let missed = self.missed.borrow().get(room).copied().unwrap_or(0);
            let why = match self.call(event::body(&self.origin, room, events, missed)).await {
                Came::Taken => {
                    add(&self.counts.calls_total, 1);
                    add(&self.counts.delivered_total, events.len());
                    self.counts.reach.succeeded();
                    self.is_well(room);
                    self.missed.borrow_mut().remove(room);
                    return Told::Taken;
                }
                Came::Refused(why) => {
                    // It is there, and says so.
                    self.counts.reach.succeeded();
                    let tries = self.failing.borrow().tries(room) + tries;
                    self.is_well(room);
                    return Told::Refused(why, tries);
                }
                Came::Later(wait, why) => {
                    self.counts.reach.stumbled();
                    self.later.set(Some(Instant::now() + wait));
                    let (webhook, seconds) = (&*self.hook.name, wait.as_secs());
                    tracing::debug!(webhook, seconds, why, "the receiver wants to be left alone");
                    self.probes.set(false);
                    self.fails(room, first);
                    return Told::NotNow;
                }
                Came::Failed(why) => why,
            };
            self.counts.reach.failed(&why);
            self.probes.set(false);
            if let Some(tries) = self.fails(room, first) {
                // Of several the first is tried alone, and is past its time by then, too.
                if events.len() == 1 {
                    self.is_well(room);
                }
                return Told::Refused(format!("failed for too long: {why}"), tries);
            }
            if self.has_ended() || self.counts.reach.is_away() {
                break;
            }
            add(&self.counts.again_total, 1);
            if tries < TRIES_AT_ONCE {
                self.rest(pause(tries + 4, Duration::from_secs(1))).await;
            }
        }
        Told::NotNow
    }

    /// Some: it fails for longer than is waited, and has been tried so often.
    fn fails(&self, room: &RoomId, first: &Event) -> Option<u32> {
        let mut failing = self.failing.borrow_mut();
        failing.fails(room, first.position, first.at, Instant::now());
        failing.is_over(room, self.hook.give_up, Instant::now()).then(|| failing.tries(room))
    }

    fn is_well(&self, room: &RoomId) {
        self.probes.set(false);
        self.failing.borrow_mut().is_well(room);
    }

    /// Calls wait for sockets, and so they do it in threads that are for waiting.
    async fn call(&self, body: String) -> Came {
        let receiver = self.receiver.clone();
        let came = tokio::task::spawn_blocking(move || receiver.tell(&body)).await;
        came.unwrap_or_else(|error| Came::Failed(format!("the call broke off: {error}")))
    }

    /// Whether it is kept for people to look at, so that the next one may go.
    async fn bury(&self, room: &RoomId, event: &Event, why: &str, tries: u32) -> bool {
        let place = Place { room, position: event.position };
        let is_kept = letters::put(&self.desk, &self.hook.name, place, event, (why, tries)).await;
        if is_kept {
            add(&self.counts.dead_letters_total, 1);
            let (webhook, event) = (&*self.hook.name, &*event.id);
            tracing::warn!(webhook, event, why, tries, "an event is not taken, and is a dead letter");
        }
        is_kept
    }

    /// Now and then, for figures.
    pub(crate) fn look(&self, waiting: usize, now_ms: i64) {
        let failing = self.failing.borrow();
        let oldest = failing.oldest().map_or(0, |at| now_ms.saturating_sub(at).max(0) / 1000);
        crossing::set(&self.counts.waiting, waiting);
        crossing::set(&self.counts.failing, failing.len());
        crossing::set(&self.counts.lag_seconds, usize::try_from(oldest).unwrap_or(0));
    }
}

/// Where an event was read.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) room: &'a RoomId,
    pub(crate) position: Position,
}
