//! What holds for the whole deployment, as this node hears of it from the room that all nodes follow: revocations for the
//! gate and the shards, announcements for everybody here. A thread of its own, because it waits until every shard has heard.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde::Deserialize;
use shard::Announcement;
use vocabulary::{Revocation, Said, UserId, Wall};

use crate::Helm;

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

/// Until nobody can say anything any more.
pub(crate) fn listen(said: &Receiver<Said>, helm: &Helm) {
    while let Ok(said) = said.recv() {
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
            Said::Record { kind, .. } => {
                tracing::warn!(kind, "the system's room says what this build does not know")
            }
        }
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
