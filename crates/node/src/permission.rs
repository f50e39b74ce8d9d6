//! Who is let in when the team's own back end is asked about connections, and whoever else waits for its answers. What it says
//! is passed on; nothing is judged here.

use std::net::IpAddr;
use std::sync::Arc;

use mio::Registry;
use session::{Authenticated, Who};
use shard::Input;
use vocabulary::{Code, ConnectionId, Now, Refusal, Ruling, Tag, Unproven, User};
use websocket::handshake::refusal_response;

use crate::authorizer::question::Question;
use crate::authorizer::{Asker, Authorizer, Judged};
use crate::away::Away;
use crate::doorway::{Doorway, Hope};
use crate::facts::ShardFacts;
use crate::gate::{Admitted, is_guest};
use crate::run::Thread;
use crate::sockets::{Socket, State};
use crate::turned::Turned;

/// Why somebody whom the gate lets in is not let in yet.
pub(crate) enum Held {
    /// Its user is being asked about.
    Asked(Arc<User>),
    Turned(Turned),
}

/// Strangers whose token was good and who wait to be let in.
pub(crate) struct Stranger {
    connection: ConnectionId,
    tag: Tag,
    token: Unproven,
}

/// More than say who they are in the seconds that an answer takes.
const STRANGERS_MAX: usize = 4096;
/// For one more of them.
const CROWDED_MS: u32 = 1000;

impl Thread {
    pub(crate) fn judged(&mut self, now: Now, registry: &Registry, judged: Judged) {
        let Judged { asker, ruling } = judged;
        match asker {
            Asker::Request(id, number) => self.shard.handle(now, Input::Authorized(id, number, ruling)),
            Asker::Greeting(id) => {
                let Some(socket) = self.sockets.get(id) else { return };
                let State::Greeting(greeting) = &mut socket.state else { return };
                if let Some(who) = greeting.was_asked_about() {
                    self.read_head(now, registry, id, Hope::All, Some((ruling, who)));
                }
            }
            Asker::Stranger(id) => {
                let facts = &self.seat.facts.shards[usize::from(self.seat.id.0)];
                let Some(stranger) = self.doorway.take_stranger(id) else { return };
                let Some(socket) = self.sockets.get(id) else { return };
                // Time has passed: it may have been revoked.
                let who = self.doorway.gate.keys.verify(now.wall, &stranger.token.0);
                let proven = match (who.ok(), refusal(ruling)) {
                    (Some(who), None) => self.doorway.take_place(socket, who, facts),
                    (Some(_), Some(refusal)) => Err(counted(refusal, facts)),
                    (None, _) => Err(Refusal::unauthorized()),
                };
                self.shard.handle(now, Input::Proven(id, stranger.tag, proven));
            }
        }
    }
}

impl Doorway {
    fn asks_who_connects(&self) -> Option<&Arc<Authorizer>> {
        self.authorizer.as_ref().filter(|authorizer| authorizer.asks().connect)
    }

    /// Somebody whom the gate lets in: now, or when the answer is there. Whoever says in band who it is, is asked about then.
    pub(crate) fn permit(
        &self,
        id: ConnectionId,
        address: IpAddr,
        admitted: &mut Admitted,
        answer: Option<(Ruling, Arc<User>)>,
    ) -> Result<(), Held> {
        let (Some(authorizer), Who::Known(who)) = (self.asks_who_connects(), &mut admitted.who) else {
            return Ok(());
        };
        let ruling = match answer {
            Some((ruling, user)) => {
                // A guest is another one each time it is admitted; this is the one that was asked about.
                if is_guest(&user) {
                    who.user = user;
                }
                Some(ruling)
            }
            None => authorizer.ask(Asker::Greeting(id), Question::connect(&who.user, address)),
        };
        match ruling {
            Some(Ruling::Allowed) => Ok(()),
            Some(Ruling::Refused(reason)) => {
                let why = "the authorizer refused it";
                Err(Held::Turned(turned_away(403, &[], &reason, why)))
            }
            Some(Ruling::Unasked(wait)) => {
                let (after, why) = (wait.div_ceil(1000).to_string(), "the authorizer gave no answer");
                let words = "it cannot be told whether you may connect";
                Err(Held::Turned(turned_away(503, &[("Retry-After", &after)], words, why)))
            }
            None => Err(Held::Asked(who.user.clone())),
        }
    }

    /// A token in band was good. None: somebody is asked first.
    pub(crate) fn welcome(
        &mut self,
        socket: &mut Socket,
        (connection, tag, token): (ConnectionId, &Tag, Unproven),
        who: Authenticated,
        facts: &ShardFacts,
    ) -> Option<Result<Authenticated, Refusal>> {
        // Whoever is known was asked about when it came.
        if let (Some(authorizer), State::Open { user: None, .. }) = (self.asks_who_connects(), &socket.state)
        {
            if self.strangers.len() >= STRANGERS_MAX {
                return Some(Err(Refusal::busy(CROWDED_MS)));
            }
            let question = Question::connect(&who.user, socket.address.ip());
            match authorizer.ask(Asker::Stranger(connection), question).map(refusal) {
                Some(None) => {}
                Some(Some(refusal)) => return Some(Err(counted(refusal, facts))),
                None => {
                    self.strangers.push(Stranger { connection, tag: tag.clone(), token });
                    return None;
                }
            }
        }
        Some(self.take_place(socket, who, facts))
    }

    fn take_stranger(&mut self, connection: ConnectionId) -> Option<Stranger> {
        let index = self.strangers.iter().position(|it| it.connection == connection)?;
        Some(self.strangers.swap_remove(index))
    }
}

fn counted(refusal: Refusal, facts: &ShardFacts) -> Refusal {
    facts.door.away.count(if refusal.code == Code::Forbidden { Away::Forbidden } else { Away::Shut });
    refusal
}

fn refusal(ruling: Ruling) -> Option<Refusal> {
    match ruling {
        Ruling::Allowed => None,
        Ruling::Refused(reason) => Some(Refusal::new(Code::Forbidden, reason.to_string())),
        Ruling::Unasked(wait) => Some(Refusal::busy(wait)),
    }
}

fn turned_away(status: u16, fields: &[(&str, &str)], words: &str, why: &str) -> Turned {
    let response = refusal_response(status, fields, words);
    Turned { response, status, why: why.to_owned(), unknown_key: false }
}
