//! What a shard's thread needs at its door: the gate in force, who is counted, and the keys that somebody waits for.

use std::sync::Arc;

use identity::Unverified;
use session::Authenticated;
use vocabulary::{ConnectionId, Now, Refusal, Tag, Unproven, Wall};

use crate::census::Census;
use crate::facts::ShardFacts;
use crate::greeting::Gate;
use crate::keeper::Keeper;
use crate::sockets::{Socket, State};

pub(crate) struct Doorway {
    pub gate: Arc<Gate>,
    pub census: Arc<Census>,
    keeper: Arc<Keeper>,
    /// Of the news of keys that have come.
    round: u64,
    /// Tokens that connections sent in band, until news of their keys comes. At most one a connection.
    waiting: Vec<Waiting>,
}

pub(crate) struct Waiting {
    pub connection: ConnectionId,
    pub tag: Tag,
    pub token: Unproven,
}

/// Tokens that wait for keys: more than come in the seconds that a fetch takes.
const WAITING_MAX: usize = 4096;
/// For one more of a user's connections than may be: about as long as a person takes to close a tab.
const CROWDED_MS: u32 = 5_000;

impl Doorway {
    pub(crate) fn new(gate: Arc<Gate>, census: Arc<Census>, keeper: Arc<Keeper>) -> Doorway {
        Doorway { gate, census, keeper, round: 0, waiting: Vec::new() }
    }

    /// A token that came in band. None: its key is being fetched.
    pub(crate) fn prove(
        &mut self,
        now: Now,
        socket: &mut Socket,
        connection: ConnectionId,
        tag: &Tag,
        token: Unproven,
        facts: &ShardFacts,
    ) -> Option<Result<Authenticated, Refusal>> {
        match self.verify(now.wall, &token) {
            Ok(who) => Some(self.take_place(socket, who, facts)),
            Err(Unverified::UnknownKey) if self.waiting.len() < WAITING_MAX && self.hopes() => {
                self.waiting.push(Waiting { connection, tag: tag.clone(), token });
                None
            }
            Err(error) => {
                tracing::warn!(address = %socket.address, why = %error, "a token in band was refused");
                Some(Err(Refusal::unauthorized()))
            }
        }
    }

    /// Whether news of unknown keys is on its way.
    pub(crate) fn hopes(&self) -> bool {
        self.keeper.wants_news(self.round)
    }

    /// After news of keys: what is unknown now is not to be had.
    pub(crate) fn prove_again(
        &self,
        now: Now,
        socket: &mut Socket,
        token: &Unproven,
        facts: &ShardFacts,
    ) -> Result<Authenticated, Refusal> {
        let who = self.verify(now.wall, token).map_err(|_| Refusal::unauthorized())?;
        self.take_place(socket, who, facts)
    }

    fn verify(&self, now: Wall, token: &Unproven) -> Result<Authenticated, Unverified> {
        self.gate.keys.verify(now, &token.0)
    }

    /// A stranger becomes one of its user's connections; whoever was known has a place already.
    fn take_place(
        &self,
        socket: &mut Socket,
        who: Authenticated,
        facts: &ShardFacts,
    ) -> Result<Authenticated, Refusal> {
        if let State::Open(known @ None) = &mut socket.state {
            if !socket.place.take_user(&who.user.person.id, self.gate.crowd.connections_per_user) {
                return Err(Refusal::rate_limit(CROWDED_MS));
            }
            facts.came(&who.user);
            *known = Some(who.user.clone());
        }
        Ok(who)
    }

    /// Whether it brings news of keys, and with them those who waited in band: they are to be looked at anew. Other changes
    /// end nobody's wait.
    pub(crate) fn changes(&mut self, gate: Arc<Gate>, round: u64) -> Option<Vec<Waiting>> {
        self.gate = gate;
        let news = std::mem::replace(&mut self.round, round) != round;
        news.then(|| std::mem::take(&mut self.waiting))
    }
}
