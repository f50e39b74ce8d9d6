//! What holds for the whole deployment, as this node hears of it from the room that all nodes follow: revocations for the
//! gate and the shards, announcements for everybody here, and what other nodes say of who is connected to them. A thread of its own, because it waits until every shard has heard.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use shard::Announcement;
use vocabulary::{
    By, Call, CallId, CloseReason, Inquiry, Payload, Revocation, RoomId, Said, ShardId, Survey, UserId, Wall,
    Whom, Wish,
};

use crate::Helm;
use crate::facts::Facts;
use crate::online::{Fleet, Sketch};

/// What a shard has said and this thread has not taken. It comes as often as an operator acts; while it finds no place the shard
/// keeps it.
pub(crate) const SAID_MAX: usize = 1024;
/// A shard reads what it is told in each of its turns.
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Deserialize)]
struct View {
    #[serde(default)]
    users: std::collections::BTreeMap<String, i64>,
    #[serde(default)]
    tokens: std::collections::BTreeMap<String, i64>,
}

#[derive(Deserialize)]
struct Revoked {
    user: Option<String>,
    token: Option<String>,
    at: i64,
}

#[derive(Deserialize)]
struct Disconnected {
    user: String,
    code: u16,
}

#[derive(Deserialize)]
struct Kicked {
    room: String,
    user: String,
}

/// Who was to go longer ago than this may have been let in again since.
const GOES_WITHIN: Duration = Duration::from_secs(30);

/// Between two sketches of who is connected here.
const SKETCH_EVERY: Duration = Duration::from_secs(2);

pub(crate) struct System {
    helm: Helm,
    facts: Arc<Facts>,
    /// Under which this node says what it says.
    name: Arc<str>,
    shards: u16,
    fleet: Fleet,
}

impl System {
    pub(crate) fn new(helm: Helm, facts: Arc<Facts>, tag: u64, shards: u16) -> System {
        System { helm, facts, name: format!("{tag:x}").into(), shards, fleet: Fleet::default() }
    }

    /// Until nobody can say anything any more.
    pub(crate) fn listen(mut self, said: &Receiver<Said>) {
        let mut next = Instant::now() + SKETCH_EVERY;
        loop {
            match said.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(said) => self.hear(said),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    next = Instant::now() + SKETCH_EVERY;
                    if self.facts.has_siblings() {
                        self.tell_who_is_here();
                    }
                }
            }
        }
    }

    fn hear(&mut self, said: Said) {
        let helm = &self.helm;
        match said {
            Said::View(view) => match serde_json::from_slice::<View>(&view) {
                Ok(View { users, tokens }) => {
                    let user = |(user, at)| Revoked { user: Some(user), token: None, at };
                    let token = |(token, at)| Revoked { user: None, token: Some(token), at };
                    let all = users.into_iter().map(user).chain(tokens.into_iter().map(token));
                    all.for_each(|revoked| revoke(helm, revoked));
                }
                Err(error) => unreadable(&error),
            },
            Said::Record { kind: "revoked", payload, .. } => match serde_json::from_slice(&payload) {
                Ok(revoked) => revoke(helm, revoked),
                Err(error) => unreadable(&error),
            },
            Said::Record { kind: "announced", payload, position, at } => {
                helm.announce(Arc::new(Announcement { payload, position, at }));
            }
            Said::Record { kind: "disconnected" | "kicked", at, .. } if at + GOES_WITHIN < Facts::now() => {}
            Said::Record { kind: "disconnected", payload, .. } => match serde_json::from_slice(&payload) {
                Ok(Disconnected { user, code }) => {
                    let reason = CloseReason::by_operator(code).unwrap_or(CloseReason::GoingAway);
                    let asks = Inquiry::End(Whom::User(UserId::new(&user)), reason);
                    (0..self.shards).for_each(|shard| self.have_done(ShardId(shard), &asks));
                }
                Err(error) => unreadable(&error),
            },
            Said::Record { kind: "kicked", payload, .. } => match serde_json::from_slice(&payload) {
                Ok(Kicked { room, user }) => {
                    let Some(room) = RoomId::from_full(&room) else { return };
                    let home = room.slice().home(self.shards);
                    self.have_done(home, &Inquiry::Kick(room, UserId::new(&user)));
                }
                Err(error) => unreadable(&error),
            },
            Said::Record { kind, .. } => {
                tracing::warn!(kind, "the system's room says what this build does not know");
            }
            Said::Soft { key, value } => {
                if let Some(node) = key.strip_prefix("online/") {
                    self.fleet.hear(node.into(), value.and_then(|value| Sketch::read(&value)));
                    self.facts.fleet_is(self.fleet.all());
                }
            }
        }
    }

    /// Nobody waits for the answer, and it must arrive.
    fn have_done(&self, shard: ShardId, asks: &Inquiry) {
        while !self.helm.mailboxes.survey(shard, Survey { number: u64::MAX, asks: asks.clone() }) {
            std::thread::sleep(PAUSE);
        }
    }

    /// Nobody waits for the answer: it is said again in a moment.
    fn tell_who_is_here(&self) {
        let room = RoomId::system();
        let id = CallId { shard: room.slice().home(self.shards), number: u64::MAX };
        let payload = Payload::copy_from_slice(self.facts.sketch().bytes());
        let wish = Wish::Publish { kind: "online".into(), payload, id: None };
        self.helm.mailboxes.call(Call { id, by: By::Key(self.name.clone()), room, wish });
    }
}

fn unreadable(error: &serde_json::Error) {
    tracing::error!(%error, "the system's room says what cannot be read");
}

fn revoke(helm: &Helm, Revoked { user, token, at }: Revoked) {
    let user = user.map(|user| Revocation::User { id: UserId::new(&user), until: Wall(at) });
    let token = token.map(|token| Revocation::Token(token.as_str().into()));
    for revocation in user.into_iter().chain(token) {
        while helm.revoke(&revocation).is_err() {
            std::thread::sleep(PAUSE);
        }
    }
}
