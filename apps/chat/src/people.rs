//! Whom a room knows: its durable members and their roles, who is banned, muted or kicked, and whose inbox has still to be
//! told. It judges nobody; what may be done is `standing`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vocabulary::{Code, Position, Refusal, UserId, Wall};

use app::quoted;

pub(crate) const MEMBERS_MAX: usize = 5_000;
/// Of each: banned, muted, kicked.
pub(crate) const MODERATED_MAX: usize = 1_000;
/// Members, bans and mutes share this part of the snapshot: 5,000 members with short ids and names, some 3,900 with UUIDs.
pub(crate) const PEOPLE_BYTES_MAX: usize = 316 << 10;
/// The oldest kick goes first, so that there is always room for one.
pub(crate) const KICKS_BYTES_MAX: usize = 24 << 10;
/// What the inboxes are sent at a time; the rest follows as these are answered.
pub(crate) const STEPS_AT_A_TIME: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Member,
    Moderator,
    Owner,
}

impl Role {
    pub(crate) const ALL: [Role; 3] = [Role::Member, Role::Moderator, Role::Owner];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Member => "member",
            Role::Moderator => "moderator",
            Role::Owner => "owner",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A member, or one that was: kept until its inbox knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Someone {
    pub name: Arc<str>,
    /// `None`: no member any more.
    pub role: Option<Role>,
    pub untold: Option<Untold>,
}

/// The inbox has not answered yet to what this record changed. One for each user, the newest: an inbox is told how things are,
/// not how they came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Untold {
    pub position: Position,
    pub number: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct People {
    known: BTreeMap<UserId, Someone>,
    banned: BTreeSet<UserId>,
    /// `None`: until somebody unmutes.
    muted: BTreeMap<UserId, Option<Wall>>,
    kicked: BTreeMap<UserId, Wall>,
    bytes: usize,
    kicks_bytes: usize,
}

/// `["id","name",2,[9999,99999999999,4999]],`: with room for the step that may be open.
fn known_bytes(id: &UserId, name: &str) -> usize {
    quoted(id.as_str()) + quoted(name) + 30
}

/// `"id",`
fn ban_bytes(id: &UserId) -> usize {
    quoted(id.as_str()) + 1
}

/// `["id",1767261600123],`
fn timed_bytes(id: &UserId) -> usize {
    quoted(id.as_str()) + 18
}

fn too_many(what: &str) -> Refusal {
    Refusal::new(Code::App("TOO_MANY_MEMBERS"), what.to_owned())
}

impl People {
    pub(crate) fn role(&self, id: &UserId) -> Option<Role> {
        self.known.get(id).and_then(|someone| someone.role)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&UserId, &Someone, Role)> {
        self.known.iter().filter_map(|(id, someone)| Some((id, someone, someone.role?)))
    }

    pub(crate) fn known(&self) -> impl Iterator<Item = (&UserId, &Someone)> {
        self.known.iter()
    }

    pub(crate) fn is_last_owner(&self, id: &UserId) -> bool {
        self.role(id) == Some(Role::Owner)
            && !self.members().any(|(other, _, role)| role == Role::Owner && other != id)
    }

    pub(crate) fn banned(&self) -> impl Iterator<Item = &UserId> {
        self.banned.iter()
    }

    pub(crate) fn is_banned(&self, id: &UserId) -> bool {
        self.banned.contains(id)
    }

    pub(crate) fn mutes(&self) -> impl Iterator<Item = (&UserId, Option<Wall>)> {
        self.muted.iter().map(|(id, until)| (id, *until))
    }

    /// `Some(None)`: until somebody unmutes.
    pub(crate) fn muted(&self, id: &UserId, now: Wall) -> Option<Option<Wall>> {
        self.muted.get(id).copied().filter(|until| until.is_none_or(|until| until > now))
    }

    pub(crate) fn kicks(&self) -> impl Iterator<Item = (&UserId, Wall)> {
        self.kicked.iter().map(|(id, until)| (id, *until))
    }

    pub(crate) fn kicked(&self, id: &UserId, now: Wall) -> Option<Wall> {
        self.kicked.get(id).copied().filter(|until| *until > now)
    }

    /// Whether these could be members too.
    pub(crate) fn fits<'a>(&self, more: impl Iterator<Item = (&'a UserId, &'a str)>) -> Result<(), Refusal> {
        let (mut count, mut bytes) = (self.known.len(), self.bytes);
        for (id, name) in more {
            let known = self.known.get(id);
            count += usize::from(known.is_none());
            bytes += known_bytes(id, name);
            bytes -= known.map_or(0, |someone| known_bytes(id, &someone.name));
        }
        match (count > MEMBERS_MAX, bytes > PEOPLE_BYTES_MAX) {
            (true, _) => {
                Err(too_many("a room has at most 5000 members; remove_member makes room for another"))
            }
            (_, true) => Err(too_many(
                "the ids and names of members, banned and muted users fill the room; remove_member or unban_member makes room for another",
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn may_ban(&self, id: &UserId) -> Result<(), Refusal> {
        let bytes = self.bytes + ban_bytes(id);
        match self.banned.len() >= MODERATED_MAX || bytes > PEOPLE_BYTES_MAX {
            true if !self.banned.contains(id) => Err(too_many(
                "a room has at most 1000 banned users; unban_member makes room for another, or make the room private",
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn may_mute(&self, id: &UserId, now: Wall) -> Result<(), Refusal> {
        let expired = self.muted.values().filter(|until| until.is_some_and(|until| until <= now)).count();
        let full =
            self.muted.len() - expired >= MODERATED_MAX || self.bytes + timed_bytes(id) > PEOPLE_BYTES_MAX;
        match full && !self.muted.contains_key(id) {
            true => Err(too_many(
                "a room has at most 1000 muted users; unmute_member makes room for another, or ban_member",
            )),
            false => Ok(()),
        }
    }

    /// Makes a member, or changes one. What does not fit was refused when it was decided.
    pub(crate) fn put(&mut self, id: &UserId, name: &str, role: Role) {
        if self.fits([(id, name)].into_iter()).is_err() {
            return;
        }
        let untold = self.drop_known(id).and_then(|someone| someone.untold);
        self.bytes += known_bytes(id, name);
        self.known.insert(id.clone(), Someone { name: name.into(), role: Some(role), untold });
    }

    /// As it was saved.
    pub(crate) fn restore(&mut self, id: UserId, someone: Someone) {
        self.drop_known(&id);
        self.bytes += known_bytes(&id, &someone.name);
        self.known.insert(id, someone);
    }

    pub(crate) fn set_role(&mut self, id: &UserId, role: Role) {
        if let Some(someone) = self.known.get_mut(id).filter(|someone| someone.role.is_some()) {
            someone.role = Some(role);
        }
    }

    /// Is no member any more; stays known until its inbox is told.
    pub(crate) fn end_membership(&mut self, id: &UserId, position: Position) {
        if let Some(someone) = self.known.get_mut(id).filter(|someone| someone.role.is_some()) {
            someone.role = None;
            someone.untold = Some(Untold { position, number: 0 });
        }
    }

    pub(crate) fn end_all(&mut self, position: Position) {
        for (someone, number) in self.known.values_mut().zip(0..) {
            *someone =
                Someone { role: None, untold: Some(Untold { position, number }), name: someone.name.clone() };
        }
        *self = People { known: std::mem::take(&mut self.known), ..People::default() };
        self.bytes = self.known.iter().map(|(id, someone)| known_bytes(id, &someone.name)).sum();
    }

    /// These inboxes are to be told of what the record changed: all members', or some.
    pub(crate) fn tell(&mut self, position: Position, whom: impl Fn(&UserId) -> bool) {
        let members = self.known.iter_mut().filter(|(id, someone)| someone.role.is_some() && whom(id));
        for ((_, someone), number) in members.zip(0..) {
            someone.untold = Some(Untold { position, number });
        }
    }

    /// The inbox has answered.
    pub(crate) fn told(&mut self, told: Untold) {
        let found =
            self.known.iter().find(|(_, someone)| someone.untold == Some(told)).map(|(id, _)| id.clone());
        let Some(id) = found else { return };
        match self.known.get_mut(&id) {
            Some(someone) if someone.role.is_some() => someone.untold = None,
            _ => drop(self.drop_known(&id)),
        }
    }

    fn drop_known(&mut self, id: &UserId) -> Option<Someone> {
        let someone = self.known.remove(id)?;
        self.bytes -= known_bytes(id, &someone.name);
        Some(someone)
    }

    pub(crate) fn ban(&mut self, id: &UserId, position: Position) {
        self.end_membership(id, position);
        self.restore_ban(id);
    }

    pub(crate) fn restore_ban(&mut self, id: &UserId) {
        if self.may_ban(id).is_ok() && self.banned.insert(id.clone()) {
            self.bytes += ban_bytes(id);
        }
    }

    pub(crate) fn unban(&mut self, id: &UserId) {
        if self.banned.remove(id) {
            self.bytes -= ban_bytes(id);
        }
    }

    pub(crate) fn mute(&mut self, id: &UserId, until: Option<Wall>, now: Wall) {
        let bytes = &mut self.bytes;
        self.muted.retain(|id, until| {
            let stays = until.is_none_or(|until| until > now);
            *bytes -= if stays { 0 } else { timed_bytes(id) };
            stays
        });
        if self.may_mute(id, now).is_ok() && self.muted.insert(id.clone(), until).is_none() {
            self.bytes += timed_bytes(id);
        }
    }

    pub(crate) fn unmute(&mut self, id: &UserId) {
        if self.muted.remove(id).is_some() {
            self.bytes -= timed_bytes(id);
        }
    }

    pub(crate) fn kick(&mut self, id: &UserId, until: Wall, now: Wall) {
        let bytes = &mut self.kicks_bytes;
        self.kicked.retain(|id, until| {
            let stays = *until > now;
            *bytes -= if stays { 0 } else { timed_bytes(id) };
            stays
        });
        if self.kicked.insert(id.clone(), until).is_none() {
            self.kicks_bytes += timed_bytes(id);
        }
        while self.kicked.len() > MODERATED_MAX || self.kicks_bytes > KICKS_BYTES_MAX {
            let first = self.kicked.iter().min_by_key(|(_, until)| **until).map(|(id, _)| id.clone());
            let Some(first) = first else { break };
            self.kicked.remove(&first);
            self.kicks_bytes -= timed_bytes(&first);
        }
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        let known: usize = self.known.iter().map(|(id, someone)| known_bytes(id, &someone.name)).sum();
        let bans: usize = self.banned.iter().map(ban_bytes).sum();
        let mutes: usize = self.muted.keys().map(timed_bytes).sum();
        let kicks: usize = self.kicked.keys().map(timed_bytes).sum();
        assert_eq!((self.bytes, self.kicks_bytes), (known + bans + mutes, kicks));
        assert!(self.bytes <= PEOPLE_BYTES_MAX && kicks <= KICKS_BYTES_MAX);
        assert!(self.known.len() <= MEMBERS_MAX && self.kicked.len() <= MODERATED_MAX);
        assert!(self.banned.len() <= MODERATED_MAX && self.muted.len() <= MODERATED_MAX);
        assert!(self.known.values().all(|someone| someone.role.is_some() || someone.untold.is_some()));
    }
}
