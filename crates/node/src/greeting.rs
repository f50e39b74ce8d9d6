//! From a stranger's first bytes to a connection that is let in, or to the one answer that says why not: what is done with
//! the socket. What is decided, the gate decides.

use std::sync::Arc;

use mio::Registry;
use session::Who;
use shard::{Input, Peer, Pressure};
use vocabulary::{ConnectionId, Now, Ruling, User};
use websocket::handshake::{Head, Reader};

use crate::away::Away;
use crate::census::PagePlace;
use crate::doorway::{Hope, Waiting};
use crate::gate::{Admitted, Gate, Turned, too_many_of_address, too_many_pages, turned};
use crate::http::{self, Page, Unanswered};
use crate::keeper::{Rounds, Sources};
use crate::permission::Held;
use crate::run::Thread;
use crate::sockets::State;

/// A head, and what a client may say before it knows that it is let in.
const PARKED_BYTES_MAX: usize = 16 << 10;

/// What has come of a request.
pub(crate) enum Greeting {
    /// A part of its head.
    Reading {
        reader: Reader,
        head: Vec<u8>,
        /// Too many of its address are here: it is heard, so that it can be told.
        too_many: bool,
    },
    /// Its head, and what stands behind it.
    Parked { head: Vec<u8>, awaits: Awaits },
}

/// What somebody waits for who has said all that is to be said.
pub(crate) enum Awaits {
    /// Its token names a key that these may publish.
    Keys(Sources),
    /// Its user is being asked about.
    Answer(Arc<User>),
}

impl Greeting {
    pub(crate) fn new(too_many: bool) -> Greeting {
        Greeting::Reading { reader: Reader::default(), head: Vec::new(), too_many }
    }

    pub(crate) fn was_asked_about(&self) -> Option<Arc<User>> {
        match self {
            Greeting::Parked { awaits: Awaits::Answer(user), .. } => Some(user.clone()),
            Greeting::Parked { .. } | Greeting::Reading { .. } => None,
        }
    }
}

impl Thread {
    pub(crate) fn hear_greeting(&mut self, now: Now, registry: &Registry, id: ConnectionId, bytes: &[u8]) {
        // Who was told that a key is gone is to see it gone, though the letters of this turn are not opened yet.
        self.obey(now, registry);
        let Some(socket) = self.sockets.get(id) else { return };
        let State::Greeting(greeting) = &mut socket.state else { return };
        match &mut **greeting {
            Greeting::Reading { head, .. } => {
                head.extend_from_slice(bytes);
                self.read_head(now, registry, id, Hope::All, None);
            }
            Greeting::Parked { head, .. } => {
                head.extend_from_slice(bytes);
                if head.len() > PARKED_BYTES_MAX {
                    let words = "too much was said before it was let in";
                    self.turn_away(now, registry, id, turned(431, words, words));
                }
            }
        }
    }

    /// `answer`: what was said of the user that it was asked about.
    pub(crate) fn read_head(
        &mut self,
        now: Now,
        registry: &Registry,
        id: ConnectionId,
        hope: Hope,
        answer: Option<(Ruling, Arc<User>)>,
    ) {
        let Some(socket) = self.sockets.get(id) else { return };
        let State::Greeting(greeting) = &mut socket.state else { return };
        let (mut reader, head, too_many) = match std::mem::replace(&mut **greeting, Greeting::new(false)) {
            Greeting::Reading { reader, head, too_many } => (reader, head, too_many),
            Greeting::Parked { head, .. } => (Reader::default(), head, false),
        };
        match reader.read(&head) {
            Head::Incomplete => **greeting = Greeting::Reading { reader, head, too_many },
            _ if too_many => self.turn_away(now, registry, id, too_many_of_address()),
            Head::NotAnUpgrade(request) => {
                let located = self.doorway.locate(socket, &request);
                let place = || socket.place.take_page(http::PAGES_PER_ADDRESS_MAX).ok_or_else(too_many_pages);
                match located.and_then(|()| place()) {
                    Ok(page) => self.pass_on(now, registry, id, head, page),
                    Err(refused) => self.turn_away(now, registry, id, refused),
                }
            }
            Head::Refused(refusal) => self.turn_away(now, registry, id, refusal.into()),
            Head::Upgrade(upgrade) => {
                let admitted = match shut(self.draining, self.seat.facts.pressure()) {
                    Some(refused) => Err(refused),
                    None => self.doorway.admit(now, socket, &upgrade),
                };
                match admitted {
                    Ok(mut admitted) => {
                        let address = socket.address.ip();
                        match self.doorway.permit(id, address, &mut admitted, answer) {
                            Ok(()) => {}
                            Err(Held::Turned(refused)) => {
                                return self.turn_away(now, registry, id, refused);
                            }
                            Err(Held::Asked(user)) => {
                                let awaits = Awaits::Answer(user);
                                socket.state = State::Greeting(Box::new(Greeting::Parked { head, awaits }));
                                return;
                            }
                        }
                        let agent = upgrade.request.values("user-agent").next().map(String::from_utf8_lossy);
                        let agent = agent.unwrap_or_default().chars().take(200).collect::<String>();
                        let rest = head[upgrade.request.head_bytes..].to_vec();
                        self.open(now, registry, id, admitted, &agent, rest);
                    }
                    Err(refused) => {
                        let awaits =
                            if refused.unknown_key { self.doorway.asked(hope) } else { Sources::default() };
                        match &mut socket.state {
                            State::Greeting(greeting) if !awaits.is_empty() => {
                                **greeting = Greeting::Parked { head, awaits: Awaits::Keys(awaits) };
                            }
                            _ => self.turn_away(now, registry, id, refused),
                        }
                    }
                }
            }
        }
    }

    /// To whoever answers what is no upgrade.
    fn pass_on(&mut self, now: Now, registry: &Registry, id: ConnectionId, head: Vec<u8>, page: PagePlace) {
        let Some(socket) = self.sockets.remove(registry, id) else { return };
        self.strangers -= 1;
        let address = socket.address;
        let (stream, secrecy, place) = socket.into_parts();
        let (stream, places) = (std::net::TcpStream::from(stream), (place, page));
        let sent = self.seat.pages.send(Page { stream, secrecy, places, head, address });
        if let Err(Unanswered) = sent {
            self.close_unheard(now, address, Away::Crowded, "too many HTTP connections wait");
        }
    }

    /// Keys, mounts or limits have changed. Whoever waited for news that come with it is looked at once more; all others go
    /// on waiting.
    pub(crate) fn gate_changes(&mut self, now: Now, registry: &Registry, gate: Arc<Gate>, rounds: &Rounds) {
        let news = self.doorway.changes(gate, rounds);
        if news.is_empty() {
            return;
        }
        for Waiting { connection, tag, token, awaits } in self.doorway.waited_for(news) {
            let Some(socket) = self.sockets.get(connection) else { continue };
            let facts = &self.seat.facts.shards[usize::from(self.seat.id.0)];
            let (said, hope) = ((connection, &tag, token), Hope::Left(awaits.without(news)));
            if let Some(proven) = self.doorway.prove(now, socket, said, hope, facts) {
                self.shard.handle(now, Input::Proven(connection, tag, proven));
            }
        }
        let greetings: Vec<ConnectionId> = self.greetings.iter().map(|(_, id)| *id).collect();
        for id in greetings {
            let Some(State::Greeting(greeting)) = self.sockets.get(id).map(|socket| &socket.state) else {
                continue;
            };
            if let Greeting::Parked { awaits: Awaits::Keys(awaits), .. } = **greeting
                && awaits.has_any(news)
            {
                self.read_head(now, registry, id, Hope::Left(awaits.without(news)), None);
            }
        }
    }

    fn open(
        &mut self,
        now: Now,
        registry: &Registry,
        id: ConnectionId,
        admitted: Admitted,
        agent: &str,
        mut rest: Vec<u8>,
    ) {
        let Some(socket) = self.sockets.get(id) else { return };
        let Admitted { mount, who, room, compression, response } = admitted;
        // A fresh socket takes a head's worth of bytes, or is no socket any more.
        if socket.write(&response).ok() != Some(response.len()) {
            return self.end(now, registry, id, "write failed");
        }
        self.strangers -= 1;
        let known = match &who {
            Who::Known(who) => Some(who.user.clone()),
            Who::Stranger => None,
        };
        let (user, address) = (known.as_ref().map(|user| &user.person.id), socket.address);
        if let Some(times) = self.doorway.comes(now, known.as_deref()) {
            let user = user.map(tracing::field::display);
            tracing::info!(user, %address, agent, connection = id.slot, times, "client connected");
        }
        if let Some(user) = &known {
            self.seat.facts.shards[usize::from(self.seat.id.0)].came(user);
        }
        socket.state = State::Open(known);
        self.shard.handle(now, Input::Opened(id, Peer { who, mount, compression, room }));
        if !rest.is_empty() {
            self.shard.handle(now, Input::Received(id, &mut rest));
        }
    }

    pub(crate) fn turn_away(&mut self, now: Now, registry: &Registry, id: ConnectionId, turned: Turned) {
        let Some(mut socket) = self.sockets.remove(registry, id) else { return };
        self.strangers -= 1;
        self.door_counts().away.count(Away::with(turned.status));
        if let Some(times) = self.refusals.happened(now.tick) {
            let (status, why) = (turned.status, turned.why);
            tracing::warn!(address = %socket.address, status, why, times, "upgrade refused");
        }
        // The answer is all there was to say; whether the peer reads it is its own affair.
        socket.write(&turned.response).ok();
        socket.finish();
    }

    /// Heads that took too long.
    pub(crate) fn end_greetings(&mut self, now: Now, registry: &Registry) {
        while let Some((since, id)) = self.greetings.front().copied()
            && since + self.seat.handshake <= now.tick
        {
            self.greetings.pop_front();
            let late = self.sockets.get(id).is_some_and(|socket| matches!(socket.state, State::Greeting(_)));
            if late {
                let words = "the request head took too long";
                self.turn_away(now, registry, id, turned(408, words, words));
            }
        }
    }
}

/// Why nobody is let in now, whoever it is.
fn shut(draining: bool, pressure: Pressure) -> Option<Turned> {
    if draining {
        return Some(turned(503, "draining", "draining"));
    }
    let pressed = pressure >= Pressure::NoNewcomers;
    pressed.then(|| turned(503, "out of memory for more connections", "overloaded"))
}
