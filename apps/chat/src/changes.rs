//! What became of messages after they were said: edited, reacted to, deleted, erased. It keeps no message, and decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use vocabulary::{Epoch, Payload, Position, UserId, Wall};

use app::quoted;

/// Edited messages and ones with reactions.
pub(crate) const CHANGED_MAX: usize = 5_000;
/// Their share of the snapshot.
pub(crate) const CHANGED_BYTES_MAX: usize = 384 << 10;
pub(crate) const DELETED_MAX: usize = 10_000;
/// Their share of the snapshot. Offsets are saved in blocks, so this ends before the number does only where deleted messages
/// are further apart than most rooms have messages.
pub(crate) const DELETED_BYTES_MAX: usize = 80 << 10;
pub(crate) const ERASED_MAX: usize = 1_000;
/// Their share of the snapshot: a thousand short ids, some 750 UUIDs.
pub(crate) const ERASED_BYTES_MAX: usize = 64 << 10;
/// Different reactions to one message, and users in all of them: what a client can draw and a frame can carry.
pub(crate) const REACTIONS_MAX: usize = 20;
pub(crate) const REACTING_MAX: usize = 200;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Who wrote the message, so that an erasure finds it.
    pub author: Option<UserId>,
    pub edit: Option<Edit>,
    /// In the order in which they were first used.
    pub reactions: Vec<(String, Vec<UserId>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub at: Wall,
    pub payload: Payload,
}

impl Change {
    /// `[epoch,offset,"author",at,payload,[["reaction",["user"]]]],`
    fn bytes(&self) -> usize {
        let author = self.author.as_ref().map_or(4, |author| quoted(author.as_str()));
        let edit = self.edit.as_ref().map_or(4, |edit| edit.payload.len());
        let reaction = |(reaction, users): &(String, Vec<UserId>)| {
            quoted(reaction) + 6 + users.iter().map(|user| quoted(user.as_str()) + 1).sum::<usize>()
        };
        64 + author + edit + self.reactions.iter().map(reaction).sum::<usize>()
    }

    fn is_empty(&self) -> bool {
        self.edit.is_none() && self.reactions.is_empty()
    }

    pub(crate) fn has(&self, reaction: &str, user: &UserId) -> bool {
        self.reactions.iter().any(|(other, users)| other == reaction && users.contains(user))
    }

    pub(crate) fn react(&mut self, reaction: &str, user: &UserId) {
        match self.reactions.iter_mut().find(|(other, _)| other == reaction) {
            Some((_, users)) if users.contains(user) => {}
            Some((_, users)) => users.push(user.clone()),
            None => self.reactions.push((reaction.to_owned(), vec![user.clone()])),
        }
    }

    fn unreact(&mut self, of: impl Fn(&str, &UserId) -> bool) {
        for (reaction, users) in &mut self.reactions {
            users.retain(|user| !of(reaction, user));
        }
        self.reactions.retain(|(_, users)| !users.is_empty());
    }

    pub(crate) fn reacting(&self) -> usize {
        self.reactions.iter().map(|(_, users)| users.len()).sum()
    }
}

/// How a message stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    Plain,
    Changed(&'a Change),
    Deleted,
    Erased,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    changed: BTreeMap<Position, Change>,
    bytes: usize,
    deleted: Deleted,
    erased: BTreeMap<UserId, Erased>,
    erased_bytes: usize,
    /// Of these, those whose words the log still has.
    unswept: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Erased {
    /// Up to there the user's messages are gone.
    pub upto: Position,
    /// The log has them no more.
    pub swept: bool,
}

/// Deleted messages, by epoch and upper part of the offset; kept so, because that is how they cost least.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    blocks: BTreeMap<(Epoch, u64), BTreeSet<u16>>,
    count: usize,
}

impl Deleted {
    fn split(position: Position) -> ((Epoch, u64), u16) {
        ((position.epoch, position.offset >> 16), (position.offset & 0xffff) as u16)
    }

    fn has(&self, position: Position) -> bool {
        let (block, low) = Deleted::split(position);
        self.blocks.get(&block).is_some_and(|lows| lows.contains(&low))
    }

    /// Five digits and a comma each, and each block's own name.
    fn bytes(&self) -> usize {
        self.count * 6 + self.blocks.len() * 48
    }

    fn insert(&mut self, position: Position) {
        let (block, low) = Deleted::split(position);
        self.count += usize::from(self.blocks.entry(block).or_default().insert(low));
    }

    fn forget(&mut self, before: Position) {
        let (block, low) = Deleted::split(before);
        let later = self.blocks.split_off(&block);
        self.blocks = later;
        if let Some(lows) = self.blocks.get_mut(&block) {
            *lows = lows.split_off(&low);
        }
        self.blocks.retain(|_, lows| !lows.is_empty());
        self.count = self.blocks.values().map(BTreeSet::len).sum();
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = (Epoch, u64, &BTreeSet<u16>)> {
        self.blocks.iter().map(|((epoch, block), lows)| (*epoch, *block, lows))
    }
}

/// `["id",epoch,offset,false],`
fn erased_bytes(user: &UserId) -> usize {
    quoted(user.as_str()) + 48
}

impl Changes {
    pub(crate) fn of(&self, position: Position, author: Option<&UserId>) -> Standing<'_> {
        let upto = author.and_then(|author| self.erased.get(author));
        if upto.is_some_and(|erased| position <= erased.upto) {
            return Standing::Erased;
        }
        if self.deleted.has(position) {
            return Standing::Deleted;
        }
        self.changed.get(&position).map_or(Standing::Plain, Standing::Changed)
    }

    /// Whether the message may stand so.
    pub(crate) fn fits(&self, position: Position, change: &Change) -> bool {
        let before = self.changed.get(&position);
        let bytes = self.bytes + change.bytes() - before.map_or(0, Change::bytes);
        let count = self.changed.len() + usize::from(before.is_none());
        bytes <= CHANGED_BYTES_MAX
            && count <= CHANGED_MAX
            && change.reactions.len() <= REACTIONS_MAX
            && change.reacting() <= REACTING_MAX
    }

    /// What does not fit was refused when it was decided.
    pub(crate) fn put(&mut self, position: Position, change: Change) {
        if change.is_empty() {
            self.drop_change(position);
        } else if self.fits(position, &change) {
            self.drop_change(position);
            self.bytes += change.bytes();
            self.changed.insert(position, change);
        }
    }

    fn drop_change(&mut self, position: Position) {
        self.bytes -= self.changed.remove(&position).as_ref().map_or(0, Change::bytes);
    }

    pub(crate) fn change(&self, position: Position) -> Option<&Change> {
        self.changed.get(&position)
    }

    pub(crate) fn unreact(&mut self, position: Position, reaction: &str, user: &UserId) {
        if let Some(mut change) = self.changed.get(&position).cloned() {
            change.unreact(|other, who| other == reaction && who == user);
            self.put(position, change);
        }
    }

    pub(crate) fn may_delete(&self) -> bool {
        self.deleted.count < DELETED_MAX && self.deleted.bytes() + 54 <= DELETED_BYTES_MAX
    }

    pub(crate) fn delete(&mut self, position: Position) {
        self.drop_change(position);
        if self.may_delete() {
            self.deleted.insert(position);
        }
    }

    pub(crate) fn may_erase(&self, user: &UserId) -> bool {
        self.erased.contains_key(user)
            || self.erased.len() < ERASED_MAX && self.erased_bytes + erased_bytes(user) <= ERASED_BYTES_MAX
    }

    /// Their messages up to there are gone, and so is what they changed.
    pub(crate) fn erase(&mut self, user: &UserId, erased: Erased) {
        if !self.may_erase(user) {
            return;
        }
        let upto = erased.upto;
        match self.erased.insert(user.clone(), erased) {
            None => self.erased_bytes += erased_bytes(user),
            Some(before) => self.unswept -= usize::from(!before.swept),
        }
        self.unswept += usize::from(!erased.swept);
        self.changed.retain(|position, change| {
            change.unreact(|_, who| who == user);
            let own = change.author.as_ref() == Some(user) && *position <= upto;
            !own && !change.is_empty()
        });
        self.bytes = self.changed.values().map(Change::bytes).sum();
    }

    /// Messages before this one are shown no more.
    pub(crate) fn forget(&mut self, before: Position) {
        let later = self.changed.split_off(&before);
        self.changed = later;
        self.bytes = self.changed.values().map(Change::bytes).sum();
        self.deleted.forget(before);
        let bytes = &mut self.erased_bytes;
        self.erased.retain(|user, erased| {
            let stays = erased.upto >= before || !erased.swept;
            *bytes -= if stays { 0 } else { erased_bytes(user) };
            stays
        });
    }

    pub(crate) fn changed(&self) -> impl Iterator<Item = (Position, &Change)> {
        self.changed.iter().map(|(position, change)| (*position, change))
    }

    pub(crate) fn deleted(&self) -> &Deleted {
        &self.deleted
    }

    pub(crate) fn erased(&self) -> impl Iterator<Item = (&UserId, Erased)> {
        self.erased.iter().map(|(user, erased)| (user, *erased))
    }

    /// The oldest erasure whose words the log still has.
    pub(crate) fn unswept(&self) -> Option<Position> {
        let open = self.erased.values().filter(|erased| !erased.swept);
        (self.unswept > 0).then(|| open.map(|erased| erased.upto).min()).flatten()
    }

    /// Whether what this user said there is to leave the log.
    pub(crate) fn is_unswept(&self, user: &UserId, at: Position) -> bool {
        self.unswept > 0 && self.erased.get(user).is_some_and(|erased| !erased.swept && at <= erased.upto)
    }

    pub(crate) fn swept(&mut self, upto: Position) {
        for erased in self.erased.values_mut().filter(|erased| !erased.swept && erased.upto == upto) {
            erased.swept = true;
            self.unswept -= 1;
        }
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        assert_eq!(self.bytes, self.changed.values().map(Change::bytes).sum::<usize>());
        assert_eq!(self.erased_bytes, self.erased.keys().map(erased_bytes).sum::<usize>());
        assert_eq!(self.unswept, self.erased.values().filter(|erased| !erased.swept).count());
        assert_eq!(self.deleted.count, self.deleted.blocks.values().map(BTreeSet::len).sum::<usize>());
        assert!(self.bytes <= CHANGED_BYTES_MAX && self.changed.len() <= CHANGED_MAX);
        assert!(self.deleted.count <= DELETED_MAX && self.deleted.bytes() <= DELETED_BYTES_MAX);
        assert!(self.erased.len() <= ERASED_MAX && self.erased_bytes <= ERASED_BYTES_MAX);
        assert!(self.changed.values().all(|change| !change.is_empty()));
    }
}

/// A message as it is now. `payload` is as it was said: an object that is not empty and has no `changes`.
pub(crate) fn as_now(standing: Standing<'_>, payload: &Payload) -> Payload {
    let change = match standing {
        Standing::Plain => return payload.clone(),
        Standing::Deleted => return Payload::from_static(br#"{"content":"","changes":{"deleted":true}}"#),
        Standing::Erased => return Payload::from_static(br#"{"content":"","changes":{"erased":true}}"#),
        Standing::Changed(change) => change,
    };
    let mut changes = serde_json::Map::new();
    if let Some(edit) = &change.edit {
        changes.insert("edited_at".into(), edit.at.to_string().into());
    }
    if !change.reactions.is_empty() {
        let reaction = |(reaction, users): &(String, Vec<UserId>)| {
            let users: Vec<&str> = users.iter().map(UserId::as_str).collect();
            json!({"reaction": reaction, "users": users})
        };
        changes.insert("reactions".into(), change.reactions.iter().map(reaction).collect());
    }
    with_changes(change.edit.as_ref().map_or(payload, |edit| &edit.payload), &changes)
}

/// The object, with the server's own field at its end.
pub(crate) fn with_changes(
    payload: &Payload,
    changes: &serde_json::Map<String, serde_json::Value>,
) -> Payload {
    let inner = payload.trim_ascii_end();
    let inner = inner.strip_suffix(b"}").unwrap_or(inner);
    let mut whole = Vec::with_capacity(inner.len() + 64);
    whole.extend_from_slice(inner);
    whole.extend_from_slice(b",\"changes\":");
    whole.extend_from_slice(serde_json::Value::from(changes.clone()).to_string().as_bytes());
    whole.push(b'}');
    whole.into()
}
