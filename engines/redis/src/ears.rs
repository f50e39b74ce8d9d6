//! The connections that only listen: one to each server of whose slots something is wanted. They carry no command besides
//! those about channels and a sign of life, because an unasked word about a channel is taken for the answer to whatever
//! command waits on such a connection.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ProtocolVersion, PushInfo, PushKind, Value};
use redis_wire::{ANSWER_WITHIN, Address, Outcome, pause};
use tokio::sync::mpsc;

use crate::counts::add;
use crate::parts::Parts;

/// What has come and is not looked at. Beyond it news are dropped and every shard is told that it missed some.
const EVENTS_MAX: usize = 16_384;
/// Looked at in one go, so that questions get their turn.
const EVENTS_AT_ONCE: usize = 256;
/// Channels in one command: some 30 KB.
const CHANNELS_AT_ONCE: usize = 500;
/// Signs of life, and a look at what is overdue.
const PULSE: Duration = Duration::from_secs(1);
/// The same while something is wanted that could not be asked for.
const SOON: Duration = Duration::from_millis(50);

enum Event {
    Pushed(u64, PushInfo),
    Connected(Address, Result<MultiplexedConnection, String>, u64),
    /// The server said no to a command about channels.
    Refused(u64, String),
    /// No sign of life.
    Dead(u64),
}

struct Ear {
    number: u64,
    open: Option<MultiplexedConnection>,
    is_connecting: bool,
    tries: u32,
    not_before: Instant,
    /// Channels that we asked to leave, and whose end is not confirmed.
    leaving: BTreeMap<String, u32>,
}

pub(crate) struct Ears {
    parts: Rc<Parts>,
    ears: BTreeMap<Address, Ear>,
    numbers: u64,
    events: mpsc::Sender<Event>,
    overflowed: Arc<AtomicBool>,
}

pub(crate) async fn listen(parts: Rc<Parts>) {
    let (events, mut heard) = mpsc::channel(EVENTS_MAX);
    let overflowed = Arc::default();
    let mut ears = Ears { parts: parts.clone(), ears: BTreeMap::new(), numbers: 0, events, overflowed };
    let mut pulse = Instant::now();
    loop {
        let wait = if parts.subscriptions.is_settled() { PULSE } else { SOON };
        tokio::select! {
            event = heard.recv() => {
                let mut next = event;
                for _ in 0..EVENTS_AT_ONCE {
                    let Some(event) = next else { break };
                    ears.handle(event);
                    next = heard.try_recv().ok();
                }
                if let Some(event) = next {
                    ears.handle(event);
                }
            }
            () = parts.subscriptions.changed.notified() => {}
            () = parts.wires.moved.notified() => ears.moved(),
            () = tokio::time::sleep(wait) => {}
        }
        if pulse.elapsed() >= PULSE {
            pulse = Instant::now();
            ears.beat();
        }
        ears.catch_up();
        parts.subscriptions.count(&parts.counts);
        // What is waiting elsewhere on this thread gets its turn.
        tokio::task::yield_now().await;
    }
}

impl Ears {
    fn handle(&mut self, event: Event) {
        match event {
            Event::Pushed(number, info) => self.pushed(number, info),
            Event::Connected(address, connected, number) => self.connected(&address, connected, number),
            Event::Refused(number, words) => {
                let Some(address) = self.address(number) else { return };
                tracing::warn!(server = %address, why = words, "Redis refuses a subscription");
                self.parts.subscriptions.refused(&address);
                self.wait(&address);
                let parts = self.parts.clone();
                tokio::task::spawn_local(async move {
                    parts.wires.look(&address).await;
                    parts.wires.moved.notify_one();
                });
            }
            Event::Dead(number) => self.ended(number),
        }
        if self.overflowed.swap(false, Ordering::Relaxed) {
            self.parts.missed();
        }
    }

    fn address(&self, number: u64) -> Option<Address> {
        self.ears.iter().find(|(_, ear)| ear.number == number).map(|(address, _)| address.clone())
    }

    fn wait(&mut self, address: &Address) {
        if let Some(ear) = self.ears.get_mut(address) {
            ear.not_before = Instant::now() + SOON + pause(ear.tries);
            ear.tries = ear.tries.saturating_add(1);
        }
    }

    fn pushed(&mut self, number: u64, info: PushInfo) {
        let PushInfo { kind, data } = info;
        if kind == PushKind::Disconnection {
            return self.ended(number);
        }
        let mut data = data.into_iter();
        let (Some(Value::BulkString(channel)), about) = (data.next(), data.next()) else { return };
        let Ok(channel) = String::from_utf8(channel) else { return };
        match (kind, about) {
            (PushKind::Message | PushKind::SMessage, Some(Value::BulkString(bytes))) => {
                if let Some(room) = self.parts.subscriptions.room_of(&channel) {
                    self.parts.heard(room.as_ref(), &bytes);
                }
            }
            (PushKind::Subscribe | PushKind::SSubscribe, _) => {
                let Some(address) = self.address(number) else { return };
                let Some(ear) = self.ears.get_mut(&address) else { return };
                ear.tries = 0;
                // It was left since, and asked for again: what counts is the word that follows.
                if ear.leaving.contains_key(&channel) {
                    return;
                }
                if self.parts.subscriptions.confirmed(&address, &channel) {
                    add(&self.parts.counts.resubscribed_total);
                    self.parts.missed();
                }
            }
            (PushKind::Unsubscribe | PushKind::SUnsubscribe, _) => self.unsubscribed(number, &channel),
            _ => {}
        }
    }

    fn unsubscribed(&mut self, number: u64, channel: &str) {
        let Some(address) = self.address(number) else { return };
        let Some(ear) = self.ears.get_mut(&address) else { return };
        if let Some(times) = ear.leaving.get_mut(channel) {
            *times -= 1;
            if *times == 0 {
                ear.leaving.remove(channel);
            }
            return;
        }
        if self.parts.subscriptions.taken_away(&address, channel) {
            let parts = self.parts.clone();
            tokio::task::spawn_local(async move {
                parts.wires.look(&address).await;
                parts.wires.moved.notify_one();
            });
        }
    }

    fn connected(
        &mut self,
        address: &Address,
        connected: Result<MultiplexedConnection, String>,
        number: u64,
    ) {
        let Some(ear) = self.ears.get_mut(address).filter(|ear| ear.number == number) else { return };
        ear.is_connecting = false;
        match connected {
            Ok(open) => {
                ear.open = Some(open);
                add(&self.parts.counts.connections);
            }
            Err(why) => {
                tracing::debug!(server = %address, why, "no connection to listen on");
                self.wait(address);
            }
        }
    }

    fn ended(&mut self, number: u64) {
        let Some(address) = self.address(number) else { return };
        let Some(ear) = self.ears.get_mut(&address) else { return };
        ear.leaving.clear();
        ear.is_connecting = false;
        // What is still said under this number is about a connection that is over.
        self.numbers += 1;
        ear.number = self.numbers;
        if ear.open.take().is_some() {
            self.parts.counts.connections.fetch_sub(1, Ordering::Relaxed);
        }
        self.wait(&address);
        self.parts.subscriptions.ended(&address);
    }

    fn moved(&mut self) {
        self.parts.subscriptions.moved(|slot| self.parts.wires.owner(slot));
        let owners = self.parts.wires.owners();
        let gone: Vec<Address> = self.ears.keys().filter(|at| !owners.contains(at)).cloned().collect();
        for address in gone {
            self.parts.subscriptions.ended(&address);
            if self.ears.remove(&address).is_some_and(|ear| ear.open.is_some()) {
                self.parts.counts.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Whoever does not answer has gone without a word.
    fn beat(&mut self) {
        self.parts.subscriptions.overdue(ANSWER_WITHIN);
        for ear in self.ears.values() {
            let Some(open) = &ear.open else { continue };
            self.send(open, ear.number, redis::cmd("PING"), Event::Dead);
        }
    }

    fn send(
        &self,
        open: &MultiplexedConnection,
        number: u64,
        command: Cmd,
        failed: impl FnOnce(u64) -> Event + 'static,
    ) {
        let (mut open, events) = (open.clone(), self.events.clone());
        tokio::task::spawn_local(async move {
            let answer = tokio::time::timeout(ANSWER_WITHIN, open.send_packed_command(&command)).await;
            let event = match answer.map(Outcome::of) {
                Ok(Outcome::Answer(_)) => return,
                Ok(Outcome::Broken(_)) | Err(_) => failed(number),
                Ok(Outcome::Fault(fault)) => Event::Refused(number, fault.words().to_owned()),
                Ok(Outcome::Moved(..) | Outcome::Ask(..) | Outcome::NoScript) => {
                    Event::Refused(number, "another server owns the slot".to_owned())
                }
            };
            // Nobody listens any more where the engine ends.
            drop(events.send(event).await);
        });
    }

    /// Asks for what is wanted and not heard, and leaves what is not.
    fn catch_up(&mut self) {
        let cluster = self.parts.wires.way.cluster;
        let mut leaving: BTreeMap<(Address, u16), Vec<String>> = BTreeMap::new();
        for (address, name) in self.parts.subscriptions.leaving() {
            // Names of one slot share what stands in braces.
            let slot = if cluster { tag_of(&name) } else { 0 };
            leaving.entry((address, slot)).or_default().push(name);
        }
        for ((address, _), names) in leaving {
            let Some(ear) = self.ears.get_mut(&address) else { continue };
            let Some(open) = ear.open.clone() else { continue };
            for name in &names {
                *ear.leaving.entry(name.clone()).or_default() += 1;
            }
            let number = ear.number;
            for some in names.chunks(CHANNELS_AT_ONCE) {
                let mut command = redis::cmd(if cluster { "SUNSUBSCRIBE" } else { "UNSUBSCRIBE" });
                command.arg(some);
                self.send(&open, number, command, Event::Dead);
            }
        }
        let mut wanted: BTreeMap<(Address, u16), Vec<String>> = BTreeMap::new();
        for (slot, name) in self.parts.subscriptions.pending() {
            let owner = self.parts.wires.owner(slot);
            wanted.entry((owner, if cluster { slot } else { 0 })).or_default().push(name);
        }
        for ((address, _), names) in wanted {
            let Some((open, number)) = self.open(&address) else { continue };
            for some in names.chunks(CHANNELS_AT_ONCE) {
                self.parts.subscriptions.asked(&address, some);
                let mut command = redis::cmd(if cluster { "SSUBSCRIBE" } else { "SUBSCRIBE" });
                command.arg(some);
                self.send(&open, number, command, Event::Dead);
            }
        }
    }

    /// The connection, if there is one now; else one is made.
    fn open(&mut self, address: &Address) -> Option<(MultiplexedConnection, u64)> {
        let numbers = &mut self.numbers;
        let ear = self.ears.entry(address.clone()).or_insert_with(|| {
            *numbers += 1;
            let (open, leaving) = (None, BTreeMap::new());
            let not_before = Instant::now();
            Ear { number: *numbers, open, is_connecting: false, tries: 0, not_before, leaving }
        });
        if Instant::now() < ear.not_before {
            return None;
        }
        if let Some(open) = &ear.open {
            return Some((open.clone(), ear.number));
        }
        if !ear.is_connecting {
            ear.is_connecting = true;
            *numbers += 1;
            ear.number = *numbers;
            let (number, events) = (ear.number, self.events.clone());
            let (pushes, overflowed) = (self.events.clone(), self.overflowed.clone());
            let hears = move |info: PushInfo| {
                pushes
                    .try_send(Event::Pushed(number, info))
                    .map_err(|_| overflowed.store(true, Ordering::Relaxed))
            };
            let (parts, address) = (self.parts.clone(), address.clone());
            tokio::task::spawn_local(async move {
                let connected = match parts.wires.way.plan.client(&address, ProtocolVersion::RESP3) {
                    Ok(client) => redis_wire::listen(&client, hears).await,
                    Err(error) => Err(error.to_string()),
                };
                drop(events.send(Event::Connected(address, connected, number)).await);
            });
        }
        None
    }
}

/// Tells names with different tags apart; which slot they belong to does not matter.
fn tag_of(name: &str) -> u16 {
    let tag = name.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or(name, |(tag, _)| tag);
    crate::keys::slot(tag.as_bytes())
}
