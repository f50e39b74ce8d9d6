//! From a stranger's first bytes to a connection that is let in, or to the one answer that says why not: what is done with
//! the socket. What is decided, the gate decides.

use std::sync::Arc;

use mio::Registry;
use session::Who;
use shard::{Framing, Greeted, Input, Peer, Pressure};
use vocabulary::{ConnectionId, Now, Ruling, User};
use websocket::handshake::{Get, Head, Reader};

use crate::away::Away;
use crate::census::PagePlace;
use crate::doorway::{Hope, Waiting};
use crate::gate::{Admitted, Gate, Welcome};
use crate::http::{self, Page, Unanswered};
use crate::keeper::{Rounds, Sources};
use crate::permission::Held;
use crate::run::Thread;
use crate::sockets::State;
use crate::turned::{Turned, too_many_of_address, too_many_pages, turned};
use crate::visit::{Visit, Wants};

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

/// What was heard of a request so far.
struct Said<'a> {
    reader: Reader,
    head: &'a [u8],
    too_many: bool,
}

/// What is to be done about it.
enum Look {
    /// It has been searched so far.
    Incomplete(Reader),
    Held(Awaits),
    Page(PagePlace),
    Turned(Turned),
    /// By whom, as its program calls itself, and how long its head is.
    LetIn(Box<Admitted>, (String, usize)),
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
        let (reader, head, too_many) = match std::mem::replace(&mut **greeting, Greeting::new(false)) {
            Greeting::Reading { reader, head, too_many } => (reader, head, too_many),
            Greeting::Parked { head, .. } => (Reader::default(), head, false),
        };
        let said = Said { reader, head: &head, too_many };
        match self.look(now, id, said, hope, answer) {
            Look::Incomplete(reader) => self.goes_on(id, Greeting::Reading { reader, head, too_many }),
            Look::Held(awaits) => self.goes_on(id, Greeting::Parked { head, awaits }),
            Look::Page(page) => self.pass_on(now, registry, id, head, page),
            Look::Turned(turned) => self.turn_away(now, registry, id, turned),
            Look::LetIn(admitted, (agent, head_bytes)) => {
                let rest = head[head_bytes..].to_vec();
                self.open(now, registry, id, *admitted, &agent, rest);
            }
        }
    }

    fn goes_on(&mut self, id: ConnectionId, greeting: Greeting) {
        if let Some(State::Greeting(old)) = self.sockets.get(id).map(|socket| &mut socket.state) {
            **old = greeting;
        }
    }

    fn look(
        &mut self,
        now: Now,
        id: ConnectionId,
        said: Said<'_>,
        hope: Hope,
        answer: Option<(Ruling, Arc<User>)>,
    ) -> Look {
        let Said { mut reader, head, too_many } = said;
        match reader.read(head) {
            Head::Incomplete => Look::Incomplete(reader),
            Head::NotAnUpgrade(request) if self.doorway.gate.listens(&request) => match Get::of(&request) {
                Some(Ok(get)) => {
                    let visit = Visit::for_events(get, &request);
                    if too_many {
                        return Look::Turned(too_many_of_address().for_stream(id, &visit.opening()));
                    }
                    self.receive(now, id, &visit, hope, answer)
                }
                Some(Err(refusal)) => Look::Turned(refusal.into()),
                None => Look::Turned(turned(405, "a stream begins with GET", "no GET")),
            },
            _ if too_many => Look::Turned(too_many_of_address()),
            Head::Refused(refusal) => Look::Turned(refusal.into()),
            Head::Upgrade(upgrade) => self.receive(now, id, &Visit::for_socket(&upgrade), hope, answer),
            Head::NotAnUpgrade(request) => {
                let Some(socket) = self.sockets.get(id) else { return Look::Turned(gone()) };
                let located = self.doorway.locate(socket, &request);
                let place = || socket.place.take_page(http::PAGES_PER_ADDRESS_MAX).ok_or_else(too_many_pages);
                located.and_then(|()| place()).map_or_else(Look::Turned, Look::Page)
            }
        }
    }

    /// Whoever wants to stay: a socket or a stream.
    fn receive(
        &mut self,
        now: Now,
        id: ConnectionId,
        visit: &Visit<'_>,
        hope: Hope,
        answer: Option<(Ruling, Arc<User>)>,
    ) -> Look {
        match self.judge(now, id, visit, hope, answer) {
            Look::Turned(turned) if matches!(visit.wants, Wants::Events) => {
                Look::Turned(turned.for_stream(id, &visit.opening()))
            }
            other => other,
        }
    }

    fn judge(
        &mut self,
        now: Now,
        id: ConnectionId,
        visit: &Visit<'_>,
        hope: Hope,
        answer: Option<(Ruling, Arc<User>)>,
    ) -> Look {
        let Some(socket) = self.sockets.get(id) else { return Look::Turned(gone()) };
        let admitted = match shut(self.draining, self.seat.facts.pressure()) {
            Some(refused) => Err(refused),
            None => self.doorway.admit(now, socket, visit),
        };
        let mut admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refused) => {
                let awaits = if refused.unknown_key { self.doorway.asked(hope) } else { Sources::default() };
                return match awaits.is_empty() {
                    true => Look::Turned(refused),
                    false => Look::Held(Awaits::Keys(awaits)),
                };
            }
        };
        match self.doorway.permit(id, socket.address.ip(), &mut admitted, answer) {
            Ok(()) => {
                let agent = visit.request.values("user-agent").next().map(String::from_utf8_lossy);
                let agent = agent.unwrap_or_default().chars().take(200).collect();
                Look::LetIn(Box::new(admitted), (agent, visit.request.head_bytes))
            }
            Err(Held::Turned(refused)) => Look::Turned(refused),
            Err(Held::Asked(user)) => Look::Held(Awaits::Answer(user)),
        }
    }

    /// To whoever answers what is neither an upgrade nor for a stream.
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
        let Admitted { mount, who, room, welcome } = admitted;
        let (greeted, framing) = match welcome {
            Welcome::WebSocket(compression, response) => {
                // A fresh socket takes a head's worth of bytes, or is no socket any more.
                if socket.write(&response).ok() != Some(response.len()) {
                    return self.end(now, registry, id, "write failed");
                }
                (Greeted::WebSocket(compression), Framing::WebSocket(compression))
            }
            Welcome::Events(opening) => {
                // It answers no ping: as long as a pong may take.
                socket.gives_up_after(self.seat.limits.pong);
                (Greeted::Events(opening), Framing::Events)
            }
        };
        self.strangers -= 1;
        let known = match &who {
            Who::Known(who) => Some(who.user.clone()),
            Who::Stranger => None,
        };
        let (user, address) = (known.as_ref().map(|user| &user.person.id), socket.address);
        if let Some(times) = self.doorway.comes(now, known.as_deref()) {
            let user = user.map(tracing::field::display);
            let words = self.doorway.gate.mounts[usize::from(mount)].words.came;
            let role = known.as_ref().and_then(|user| user.role.as_deref());
            tracing::info!(user, role, %address, agent, connection = id.slot, times, "{words}");
        }
        let facts = &self.seat.facts.shards[usize::from(self.seat.id.0)];
        facts.by_mount.came(mount);
        if let Some(user) = &known {
            facts.came(user);
        }
        socket.state = State::Open { user: known, framing, mount };
        self.shard.handle(now, Input::Opened(id, Peer { who, mount, greeted, room }));
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

/// For a socket that is none any more: nobody gets it.
fn gone() -> Turned {
    turned(408, "the connection ended", "the connection ended")
}

/// Why nobody is let in now, whoever it is.
fn shut(draining: bool, pressure: Pressure) -> Option<Turned> {
    if draining {
        return Some(turned(503, "draining", "draining"));
    }
    let pressed = pressure >= Pressure::NoNewcomers;
    pressed.then(|| turned(503, "out of memory for more connections", "overloaded"))
}
