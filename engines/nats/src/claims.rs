//! Claims: the newest wins. A claim's token is the sequence of its message, so that tokens grow and an old one never touches
//! a new one. A claim of one whose lease has ended is nobody's; it stays until the name is claimed again.

use std::sync::Arc;

use async_nats::HeaderMap;
use engine::Answer;
use futures_util::{StreamExt, TryStreamExt};
use vocabulary::Incarnation;

use crate::node::{Node, lock};
use crate::server::{Ask, Fault};
use crate::wire::{Reader, Writer};

const RACES_MAX: usize = 32;
/// Claims that are looked at at once.
const AT_ONCE_MAX: usize = 64;
/// Tokens that were given back a moment ago.
const RELEASED_MAX: usize = 256;

impl Node {
    pub(crate) async fn claim(self: &Arc<Self>, by: Incarnation, name: Arc<str>, ticket: u64) {
        match self.try_claim(by, &name).await {
            Ok(token) => self.answer(by, Answer::Claimed { name, ticket, token }).await,
            Err(_) => crate::server::count(&self.counts.unanswered),
        }
    }

    async fn try_claim(self: &Arc<Self>, by: Incarnation, name: &Arc<str>) -> Result<u64, Fault> {
        self.begin(by).await?;
        self.hear_told(by).await?;
        let subject = self.names.claim_of(name);
        let mut to = Writer::default();
        to.incarnation(by);
        let body = to.done();
        for _ in 0..RACES_MAX {
            let held = self.server.last(&self.names.state, &subject, Ask::Leader).await?;
            let last = held.as_ref().map_or(0, |held| held.sequence);
            let stored =
                self.server.publish(subject.clone(), Some(last), HeaderMap::new(), body.clone()).await;
            let token = match stored {
                Ok(token) => token,
                Err(Fault::Raced) => continue,
                Err(fault) => return Err(fault),
            };
            lock(&self.claims).insert(name.clone(), (by, token));
            let old = held.and_then(|held| Some((Reader(held.data).incarnation()?, held.sequence)));
            if let Some((old, token)) = old
                && lock(&self.living).knows(old)
            {
                let mut to = Writer::default();
                to.bytes(name.as_bytes());
                to.u64(token);
                self.tell(self.names.told_to(old), to.done()).await.ok();
            }
            return Ok(token);
        }
        Err(Fault::Raced)
    }

    pub(crate) async fn release(&self, name: &str, token: u64) {
        lock(&self.claims).retain(|held, (_, its)| &**held != name || *its != token);
        // Up to this token and no further.
        let subject = self.names.claim_of(name);
        if self.server.purge(&self.names.state, &subject, Some(token + 1)).await.is_err() {
            crate::server::count(&self.counts.unanswered);
        }
    }

    /// At once, and not in its turn: a shard that gave a claim back is not told that it lost it.
    pub(crate) fn gives_back(&self, token: u64) {
        let mut released = lock(&self.released);
        if released.len() >= RELEASED_MAX {
            released.pop_front();
        }
        released.push_back(token);
    }

    async fn hear_told(self: &Arc<Self>, by: Incarnation) -> Result<(), Fault> {
        if lock(&self.heard).told.contains_key(&by) {
            return Ok(());
        }
        let told = self.server.client.subscribe(self.names.told_to(by)).await;
        let mut told = told.map_err(|error| Fault::Unanswered(error.to_string()))?;
        let node = self.clone();
        let task = tokio::spawn(async move {
            while let Some(message) = told.next().await {
                let mut from = Reader(message.payload);
                if let (Some(name), Some(token)) = (from.text(), from.u64()) {
                    node.lose_claim(by, name.into(), token).await;
                } else {
                    crate::server::count(&node.counts.unread);
                }
            }
        });
        if let Some(older) = lock(&self.heard).told.insert(by, task.abort_handle()) {
            older.abort();
        }
        Ok(())
    }

    async fn lose_claim(&self, by: Incarnation, name: Arc<str>, token: u64) {
        lock(&self.claims).retain(|held, (_, its)| *held != name || *its != token);
        // Whoever claims while it is released finds it still held.
        if lock(&self.released).contains(&token) {
            return;
        }
        self.answer(by, Answer::ClaimLost { name, token }).await;
    }

    /// After a gap: who lost a claim meanwhile was told in vain.
    pub(crate) async fn look_at_claims(&self) -> Result<(), Fault> {
        let held: Vec<_> = lock(&self.claims).iter().map(|(name, held)| (name.clone(), *held)).collect();
        let looks = held.into_iter().map(|(name, (by, token))| async move {
            let subject = self.names.claim_of(&name);
            let last = self.server.last(&self.names.state, &subject, Ask::Leader).await?;
            if last.is_none_or(|last| last.sequence != token) {
                self.lose_claim(by, name, token).await;
            }
            Ok(())
        });
        futures_util::stream::iter(looks).buffer_unordered(AT_ONCE_MAX).try_collect().await
    }
}
