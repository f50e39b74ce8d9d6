//! What a shard's thread needs at its door: the gate in force, who is counted, and the keys that somebody waits for.

use std::net::IpAddr;
use std::sync::Arc;

use identity::Unverified;
use session::{Authenticated, Who};
use vocabulary::{CloseReason, ConnectionId, Now, Refusal, Tag, Unproven, User};
use websocket::handshake::Request;

use crate::addresses;
use crate::authorizer::Authorizer;
use crate::away::Away;
use crate::census::{Census, Place, Share};
use crate::facts::ShardFacts;
use crate::gate::{Admitted, Gate, is_guest};
use crate::keeper::{Keeper, Rounds, Sources};
use crate::permission::Stranger;
use crate::sockets::{Socket, State};
use crate::sparing::Sparing;
use crate::turned::{Turned, too_many_of_address, turned};
use crate::visit::Visit;

pub(crate) struct Doorway {
    pub gate: Arc<Gate>,
    pub census: Arc<Census>,
    keeper: Arc<Keeper>,
    pub authorizer: Option<Arc<Authorizer>>,
    /// Of the news of keys that have come.
    rounds: Rounds,
    /// Tokens that connections sent in band, until news of their keys comes. At most one a connection.
    waiting: Vec<Waiting>,
    pub strangers: Vec<Stranger>,
    /// Tokens in band that were refused, and strangers who come and go.
    refused: Sparing,
    coming: Sparing,
    going: Sparing,
}

pub(crate) struct Waiting {
    pub connection: ConnectionId,
    pub tag: Tag,
    pub token: Unproven,
    pub awaits: Sources,
}

/// Whose news a token of an unknown key may wait for.
#[derive(Clone, Copy)]
pub(crate) enum Hope {
    /// It comes for the first time: whoever can be asked.
    All,
    /// It has waited, and of those that were asked these have not answered.
    Left(Sources),
}

/// Tokens that wait for keys: more than come in the seconds that a fetch takes.
const WAITING_MAX: usize = 4096;
/// For one more of a user's connections than may be: about as long as a person takes to close a tab.
const CROWDED_MS: u32 = 5_000;

impl Doorway {
    pub(crate) fn new(
        gate: Arc<Gate>,
        census: Arc<Census>,
        keeper: Arc<Keeper>,
        authorizer: Option<Arc<Authorizer>>,
    ) -> Doorway {
        let rounds = keeper.rounds();
        let (refused, coming, going) = Default::default();
        let (waiting, strangers) = Default::default();
        Doorway { gate, census, keeper, authorizer, rounds, waiting, strangers, refused, coming, going }
    }

    /// Whether the gate lets it in, and there is a place for one more of its address and of its user.
    pub(crate) fn admit(&self, now: Now, socket: &mut Socket, visit: &Visit<'_>) -> Result<Admitted, Turned> {
        self.locate(socket, visit.request)?;
        let admitted = self.gate.admit(now.wall, visit)?;
        if let Who::Known(who) = &admitted.who
            && !socket.place.take_user(&who.user.person.id, self.gate.crowd.connections_per_user)
        {
            return Err(turned(429, "too many connections of this user", "too many of its user"));
        }
        Ok(admitted)
    }

    /// Whom a proxy heard is counted from now on, in the proxy's stead.
    pub(crate) fn locate(&self, socket: &mut Socket, request: &Request<'_>) -> Result<(), Turned> {
        let peer = socket.address.ip();
        let client = addresses::of_client(peer, request, &self.gate.trusted);
        if client == peer {
            return Ok(());
        }
        socket.address.set_ip(client);
        match self.take_address(&mut socket.place, client) {
            Share::Free => Ok(()),
            Share::UsedUp | Share::Exceeded => Err(too_many_of_address()),
        }
    }

    /// Among those of the address.
    pub(crate) fn take_address(&self, place: &mut Place, address: IpAddr) -> Share {
        let crowd = &self.gate.crowd;
        // A proxy is many clients; whom it speaks for is known with the head.
        if crowd.exempt.iter().chain(&self.gate.trusted).any(|network| network.has(address)) {
            place.leave_address();
            return Share::Free;
        }
        place.take_address(address, crowd.connections_per_address)
    }

    /// A token that came in band. None: its key is being fetched, or somebody is asked about its bearer.
    pub(crate) fn prove(
        &mut self,
        now: Now,
        socket: &mut Socket,
        (connection, tag, token): (ConnectionId, &Tag, Unproven),
        hope: Hope,
        facts: &ShardFacts,
    ) -> Option<Result<Authenticated, Refusal>> {
        let error = match self.gate.keys.verify(now.wall, &token.0) {
            Ok(who) => return self.welcome(socket, (connection, tag, token), who, facts),
            Err(error) => error,
        };
        if error == Unverified::UnknownKey && self.waiting.len() < WAITING_MAX {
            let awaits = self.asked(hope);
            if !awaits.is_empty() {
                self.waiting.push(Waiting { connection, tag: tag.clone(), token, awaits });
                return None;
            }
        }
        facts.door.away.count(Away::Unproven);
        if let Some(times) = self.refused.happened(now.tick) {
            tracing::warn!(address = %socket.address, why = %error, times, "a token in band was refused");
        }
        Some(Err(Refusal::unauthorized()))
    }

    /// Whose news of unknown keys is on its way.
    pub(crate) fn asked(&self, hope: Hope) -> Sources {
        match hope {
            Hope::All => self.keeper.ask(&self.rounds),
            Hope::Left(sources) => sources,
        }
    }

    /// A stranger becomes one of its user's connections; whoever was known has a place already.
    pub(crate) fn take_place(
        &self,
        socket: &mut Socket,
        who: Authenticated,
        facts: &ShardFacts,
    ) -> Result<Authenticated, Refusal> {
        if let State::Open { user: known @ None, .. } = &mut socket.state {
            if !socket.place.take_user(&who.user.person.id, self.gate.crowd.connections_per_user) {
                facts.door.away.count(Away::TooMany);
                return Err(Refusal::rate_limit(CROWDED_MS));
            }
            facts.came(&who.user);
            *known = Some(who.user.clone());
        }
        Ok(who)
    }

    /// Whether a line is to be written about a connection that comes, and for how many: one each for those who have proven who
    /// they are, and as few as may be for those who can come as often as they like.
    pub(crate) fn comes(&mut self, now: Now, known: Option<&User>) -> Option<u64> {
        if is_stranger(known) { self.coming.happened(now.tick) } else { Some(1) }
    }

    /// One that was let in is over.
    pub(crate) fn goes(
        &mut self,
        now: Now,
        (connection, socket): (ConnectionId, &Socket),
        (code, reason): (Option<u16>, &str),
        facts: &ShardFacts,
    ) {
        let State::Open { user: known, mount, .. } = &socket.state else { return };
        facts.by_mount.went(*mount);
        if let Some(user) = known {
            facts.went(user);
        }
        let times = if is_stranger(known.as_deref()) { self.going.happened(now.tick) } else { Some(1) };
        if let Some(times) = times {
            let (user, address) = (known.as_ref().map(|user| &user.person.id), socket.address);
            let user = user.map(tracing::field::display);
            let connection = connection.slot;
            let words = self.gate.mounts[usize::from(*mount)].words;
            let is_replaced = code == Some(CloseReason::Replaced.code());
            let words = if is_replaced { words.replaced } else { words.gone };
            tracing::info!(user, %address, connection, code, reason, times, "{words}");
        }
    }

    /// Whose keys it brings news of. Other changes end nobody's wait.
    pub(crate) fn changes(&mut self, gate: Arc<Gate>, rounds: &Rounds) -> Sources {
        self.gate = gate;
        let seen = std::mem::replace(&mut self.rounds, rounds.clone());
        let news = seen.iter().zip(&*self.rounds).enumerate().filter(|(_, (seen, now))| seen != now);
        news.fold(Sources::default(), |sources, (index, _)| sources.with(index))
    }

    /// Those who waited in band for one of these: they are to be looked at anew.
    pub(crate) fn waited_for(&mut self, news: Sources) -> Vec<Waiting> {
        let (waited, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|it| it.awaits.has_any(news));
        self.waiting = waiting;
        waited
    }
}

fn is_stranger(known: Option<&User>) -> bool {
    known.is_none_or(is_guest)
}
