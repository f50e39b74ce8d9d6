//! A room's state, and the fold: how each record changes it. Total; it reads nothing but records.

use app::Applied;
use vocabulary::{Person, Record, RoomId, UserId, Wall};

use crate::changes::{Change, Changes, Edit, Erased};
use crate::pace::{Pace, Slow};
use crate::people::{People, Role, Untold};
use crate::records::{self, Access, Settings, read};
use crate::said::{Kept, Said};
use crate::standing::Rank;
use crate::sweeps::swept;
use crate::{REHEARSED, Rules};

/// A kicked user may not come back before.
const KICKED_MS: i64 = 60_000;

#[derive(Debug)]
pub struct State {
    pub(crate) room: RoomId,
    /// Whose it is, if it is a room of two.
    pub(crate) pair: Option<(UserId, UserId)>,
    pub(crate) settings: Settings,
    pub(crate) created: bool,
    pub(crate) created_by: Option<UserId>,
    pub(crate) deleted: bool,
    /// Of a room of two: their inboxes list it.
    pub(crate) listed: bool,
    pub(crate) people: People,
    pub(crate) said: Said,
    pub(crate) changes: Changes,
    pub(crate) slow: Slow,
    /// In no snapshot: lost with it is at most a burst.
    pub(crate) pace: Pace,
}

impl State {
    pub(crate) fn new(room: &RoomId) -> State {
        let pair = room.direct_pair();
        let access = if pair.is_some() { Access::Direct } else { Access::Open };
        State {
            room: room.clone(),
            pair,
            settings: Settings { access, ..Settings::default() },
            created: false,
            created_by: None,
            deleted: false,
            listed: false,
            people: People::default(),
            said: Said::default(),
            changes: Changes::default(),
            slow: Slow::default(),
            pace: Pace::default(),
        }
    }

    /// By what the room itself knows; wardens and keys are above it.
    pub(crate) fn rank(&self, id: &UserId) -> Rank {
        match &self.pair {
            Some((one, other)) if id == one || id == other => Rank::Member,
            _ => self.people.role(id).map_or(Rank::Guest, Rank::from),
        }
    }

    pub(crate) fn apply(&mut self, rules: &Rules, record: &Record) -> Applied {
        if let Some(from) = self.said.age(rules.retention_days, record.at, record.position) {
            self.changes.forget(from);
        }
        let done = match &*record.kind {
            records::MESSAGE => {
                self.message(rules, record);
                Some(())
            }
            records::EDITED | records::DELETED | records::REACTED | records::UNREACTED => {
                self.changed_message(rules, record)
            }
            records::CREATED | records::CHANGED | records::ROOM_DELETED => self.changed_room(record),
            records::LISTED => self.listed(record),
            records::SWEPT => swept(&record.body).map(|upto| self.changes.swept(upto)),
            REHEARSED if cfg!(feature = "rehearsal") => Some(()),
            _ => self.changed_member(record),
        };
        if done.is_some() { Applied::Done } else { Applied::Unknown }
    }

    fn spoke(&mut self, rules: &Rules, record: &Record) {
        if let Some(author) = &record.author {
            self.pace.spoke(rules, &author.id, record.at);
        }
    }

    fn message(&mut self, rules: &Rules, record: &Record) {
        if self.deleted {
            return;
        }
        let author = record.author.as_ref().map(|author| &author.id);
        self.spoke(rules, record);
        self.said.keep(Kept::from_record(record));
        self.said.count_in(record.position, author);
        self.said.count += 1;
        let seconds = self.settings.slow_mode_seconds;
        if let Some(author) = author.filter(|_| seconds > 0) {
            self.slow.spoke(seconds, author, record.at);
        }
        if let Some(pair) = self.pair.clone().filter(|_| !self.listed) {
            self.listed = true;
            for id in [&pair.0, &pair.1] {
                let known = record.author.as_ref().filter(|author| author.id == *id);
                self.people.put(
                    id,
                    known.map_or(id.as_str(), |author| crate::ruling::clipped(&author.name)),
                    Role::Member,
                );
            }
            self.people.tell(record.position, |_| true);
        }
    }

    fn changed_message(&mut self, rules: &Rules, record: &Record) -> Option<()> {
        self.spoke(rules, record);
        let id = |id: &str| id.parse().ok();
        match &*record.kind {
            records::EDITED => {
                let body: records::Edited<'_> = read(&record.body)?;
                let position = id(&body.message_id)?;
                let payload = record.body.slice_ref(body.payload.get().as_bytes());
                let mut change = self.change(position, body.author)?;
                change.edit = Some(Edit { at: record.at, payload });
                self.changes.put(position, change);
            }
            records::DELETED => {
                let position = id(&read::<records::Named>(&record.body)?.message_id)?;
                self.changes.delete(position);
                self.said.delete(position);
            }
            kind => {
                let body: records::Reaction = read(&record.body)?;
                let position = id(&body.message_id)?;
                let user = &record.author.as_ref()?.id;
                if kind == records::UNREACTED {
                    self.changes.unreact(position, &body.reaction, user);
                } else {
                    let mut change = self.change(position, body.author)?;
                    change.react(&body.reaction, user);
                    self.changes.put(position, change);
                }
            }
        }
        Some(())
    }

    /// What the message has become so far.
    fn change(&self, position: vocabulary::Position, author: Option<String>) -> Option<Change> {
        let author = author.map(|author| UserId::new(&author));
        Some(self.changes.change(position).cloned().unwrap_or(Change { author, ..Change::default() }))
    }

    fn changed_room(&mut self, record: &Record) -> Option<()> {
        match &*record.kind {
            records::CREATED => {
                let body: records::Created = read(&record.body)?;
                self.created = true;
                self.set(body.settings);
                self.created_by = record.author.as_ref().map(|author| author.id.clone());
                for (id, name) in &body.members {
                    let id = UserId::new(id);
                    if self.people.role(&id).is_none() {
                        self.people.put(&id, name, Role::Member);
                    }
                }
                if let Some(Person { id, name }) = &record.author {
                    self.people.put(id, crate::ruling::clipped(name), Role::Owner);
                }
                self.people.tell(record.position, |_| true);
            }
            records::CHANGED => {
                let settings: Settings = read(&record.body)?;
                let listed =
                    (&settings.title, settings.access) != (&self.settings.title, self.settings.access);
                self.set(settings);
                if listed {
                    self.people.tell(record.position, |_| true);
                }
            }
            _ => {
                self.said.empty();
                self.deleted = true;
                self.changes = Changes::default();
                self.slow.end();
                self.people.end_all(record.position);
            }
        }
        Some(())
    }

    fn set(&mut self, settings: Settings) {
        if settings.slow_mode_seconds == 0 {
            self.slow.end();
        }
        self.settings = settings;
    }

    fn listed(&mut self, record: &Record) -> Option<()> {
        let body: records::Listed = read(&record.body)?;
        self.people.told(Untold { position: body.position.parse().ok()?, number: body.number });
        Some(())
    }

    fn changed_member(&mut self, record: &Record) -> Option<()> {
        let body: records::Member = read(&record.body)?;
        let (id, people) = (UserId::new(&body.user_id), &mut self.people);
        match &*record.kind {
            records::MEMBER_ADDED => {
                people.put(&id, &body.name?, Role::of(&body.role?)?);
                people.tell(record.position, |other| *other == id);
            }
            records::MEMBER_REMOVED => people.end_membership(&id, record.position),
            records::ROLE_CHANGED => {
                people.set_role(&id, Role::of(&body.role?)?);
                people.tell(record.position, |other| *other == id);
            }
            records::MUTED => {
                let until = body.seconds.map(|seconds| ends(record.at, seconds));
                people.mute(&id, until, record.at);
            }
            records::UNMUTED => people.unmute(&id),
            records::KICKED => people.kick(&id, Wall(record.at.0.saturating_add(KICKED_MS)), record.at),
            records::BANNED => people.ban(&id, record.position),
            records::UNBANNED => people.unban(&id),
            records::ERASED => {
                self.changes.erase(&id, Erased { upto: record.position, swept: false });
                self.said.erase(&id);
                self.slow.forget(&id);
            }
            _ => return None,
        }
        Some(())
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        self.people.check_bounds();
        self.said.check_bounds();
        self.changes.check_bounds();
        self.slow.check_bounds();
    }
}

/// When a mute of so many seconds ends.
pub(crate) fn ends(at: Wall, seconds: u32) -> Wall {
    Wall(at.0.saturating_add(i64::from(seconds) * 1000))
}
