//! Presence and soft values: the last word about each, where who begins to follow finds it, and news of it for who follows.
//! Nothing here is in a log, and nothing waits for a disk.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use engine::{Present, SoftEntry};
use vocabulary::{Class, Incarnation, Person, RoomId, UserId, Wall};

use crate::names::{incarnation_of, unescape};
use crate::node::{Node, lock};
use crate::register::Entry;
use crate::server::{Ask, Fault};
use crate::wire::{Reader, Writer};

/// Soft values whose last sequence is remembered, so that the next is one call.
const SOFTS_MAX: usize = 10_000;
const RACES_MAX: usize = 8;

impl Node {
    pub(crate) async fn present(&self, by: Incarnation, room: RoomId, person: Person, count: u32) {
        if self.try_present(by, &room, &person, count).await.is_err() {
            self.owes();
        }
    }

    async fn try_present(
        &self,
        by: Incarnation,
        room: &RoomId,
        person: &Person,
        count: u32,
    ) -> Result<(), Fault> {
        self.begin(by).await?;
        let subject = self.names.here_of(room, by, person.id.as_str());
        let mut to = Writer::default();
        to.u32(count);
        to.bytes(person.name.as_bytes());
        let body = to.done();
        if count > 0 {
            return self.server.publish(subject, None, HeaderMap::new(), body).await.map(|_| ());
        }
        // What nobody is present in any more leaves nothing behind, so that its news are told by us.
        self.server.purge(&self.names.here, &subject, None).await?;
        self.tell(self.names.news_of(&subject), body).await
    }

    /// To whoever hears it now.
    pub(crate) async fn tell(&self, subject: String, body: Bytes) -> Result<(), Fault> {
        if !self.server.is_connected() {
            return Err(Fault::NotSent);
        }
        let told = self.server.client.publish(subject, body);
        match tokio::time::timeout(self.config.call_within, told).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Fault::Unanswered(error.to_string())),
            Err(_) => Err(Fault::NotSent),
        }
    }

    pub(crate) async fn all_present(&self, room: &RoomId) -> Result<Vec<Present>, Fault> {
        let filter = self.names.all_here_of(room);
        let mut all: Vec<Present> = Vec::new();
        for got in self.server.lasts(&self.names.here, &filter).await? {
            let rest = self.names.room_of(&got.subject);
            all.extend(rest.and_then(|(_, rest)| present(rest, got.data)));
        }
        let stranger = |present: &Present| !lock(&self.living).knows(present.by);
        if all.iter().any(stranger) {
            // It began a moment ago, or has ended and is not purged yet.
            self.enter(|done| Entry::Look { done }).await?;
            all.retain(|present| !stranger(present));
        }
        all.sort_by(|a, b| (&a.person.id, a.by).cmp(&(&b.person.id, b.by)));
        Ok(all)
    }

    /// Followers hear it even where it cannot be kept.
    pub(crate) async fn soft(&self, by: Incarnation, room: RoomId, entry: SoftEntry) {
        let subject = self.names.soft_of(&room, &entry.key);
        let body = encode(by, &entry);
        if self.keep_soft(&subject, &entry, body.clone()).await.is_err() {
            self.tell(self.names.news_of(&subject), body).await.ok();
        }
    }

    /// The newest stamp stays, whoever comes last. News come with it.
    async fn keep_soft(&self, subject: &str, entry: &SoftEntry, body: Bytes) -> Result<(), Fault> {
        let stamp = |entry: &SoftEntry| (entry.at, entry.value.is_none());
        let known = lock(&self.softs).get(subject).copied();
        let mut last = known.filter(|(kept, _)| *kept <= stamp(entry)).map(|(_, sequence)| sequence);
        for _ in 0..RACES_MAX {
            let expected = match last.take() {
                Some(sequence) => sequence,
                None => match self.server.last(&self.names.soft, subject, Ask::Leader).await? {
                    Some(got) => {
                        let kept = decode(&entry.key, got.data);
                        if kept.is_some_and(|(_, kept)| stamp(&kept) > stamp(entry)) {
                            return Ok(());
                        }
                        got.sequence
                    }
                    None => 0,
                },
            };
            let stored =
                self.server.publish(subject.to_owned(), Some(expected), HeaderMap::new(), body.clone()).await;
            match stored {
                Ok(sequence) => {
                    let mut softs = lock(&self.softs);
                    if softs.len() >= SOFTS_MAX {
                        softs.clear();
                    }
                    softs.insert(subject.to_owned(), (stamp(entry), sequence));
                    return Ok(());
                }
                Err(Fault::Raced) => {
                    lock(&self.softs).remove(subject);
                }
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::Raced)
    }

    pub(crate) async fn all_soft(&self, room: &RoomId) -> Result<Vec<SoftEntry>, Fault> {
        let filter = self.names.all_soft_of(room);
        let now = self.wall();
        let mut all = Vec::new();
        for got in self.server.lasts(&self.names.soft, &filter).await? {
            let key = self.names.room_of(&got.subject).and_then(|(_, rest)| soft_key(rest));
            let Some((_, mut entry)) = key.and_then(|key| decode(&key, got.data)) else { continue };
            let since = now.0.saturating_sub(i64::try_from(got.stored_at / 1_000_000).unwrap_or(i64::MAX));
            let lived = Duration::from_millis(u64::try_from(since).unwrap_or(0));
            entry.time_to_live = entry.time_to_live.saturating_sub(lived);
            if entry.value.is_some() && !entry.time_to_live.is_zero() {
                all.push(entry);
            }
        }
        Ok(all)
    }
}

/// From `here.<incarnation>.<user>`.
pub(crate) fn present(rest: &str, data: Bytes) -> Option<Present> {
    let (by, user) = rest.strip_prefix("here.")?.split_once('.')?;
    let mut from = Reader(data);
    let count = from.u32()?;
    let person = Person { id: UserId::new(&unescape(user)?), name: Arc::from(from.text()?) };
    Some(Present { by: incarnation_of(by)?, person, count })
}

/// From `soft.<key>`.
pub(crate) fn soft_key(rest: &str) -> Option<String> {
    unescape(rest.strip_prefix("soft.")?)
}

fn encode(by: Incarnation, entry: &SoftEntry) -> Bytes {
    let mut to = Writer::default();
    to.incarnation(by);
    to.i64(entry.at.0);
    to.u64(u64::try_from(entry.time_to_live.as_nanos()).unwrap_or(u64::MAX));
    let (class, key) = match entry.class {
        Class::Record => (0, 0),
        Class::Latest(key) => (1, key),
        Class::Signal => (2, 0),
        Class::Control => (3, 0),
    };
    to.u8(class);
    to.u64(key);
    to.u8(u8::from(entry.value.is_some()));
    to.bytes(entry.value.as_deref().unwrap_or_default());
    to.done()
}

pub(crate) fn decode(key: &str, data: Bytes) -> Option<(Incarnation, SoftEntry)> {
    let mut from = Reader(data);
    let by = from.incarnation()?;
    let (at, lives) = (Wall(from.i64()?), Duration::from_nanos(from.u64()?));
    let class = match (from.u8()?, from.u64()?) {
        (0, _) => Class::Record,
        (1, key) => Class::Latest(key),
        (2, _) => Class::Signal,
        (3, _) => Class::Control,
        _ => return None,
    };
    let (is_some, value) = (from.u8()? == 1, from.bytes()?);
    let value = is_some.then_some(value);
    Some((by, SoftEntry { key: key.into(), value, at, time_to_live: lives, class }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::ShardId;

    #[test]
    fn a_soft_value_reads_back() {
        let by = Incarnation { node: 1, shard: ShardId(2), life: 3 };
        for (value, class) in
            [(Some("here"), Class::Latest(7)), (None, Class::Signal), (Some(""), Class::Record)]
        {
            let value = value.map(|text| Bytes::from_static(text.as_bytes()));
            let time_to_live = Duration::from_millis(1500);
            let entry = SoftEntry { key: "k".into(), value, at: Wall(-5), time_to_live, class };
            assert_eq!(decode("k", encode(by, &entry)), Some((by, entry)));
        }
    }
}
