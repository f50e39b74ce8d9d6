//! The rooms as they will be after the commit that is open, and the commit itself. It decides nothing about what is stored.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Asked, Stored};
use rusqlite::Connection;
use vocabulary::{Check, Epoch, Key, Payload, RoomId};

use crate::given_up::GivenUp;
use crate::keep;
use crate::records::{self, Kept};
use crate::rows::{Fault, Room};
use crate::schema;
use crate::writer::Staged;

pub(crate) struct Book {
    pub(crate) connection: Connection,
    /// Of rooms that nobody has written to.
    first: Epoch,
    rooms: BTreeMap<RoomId, Room>,
    /// Looked at since the last commit, and of those the ones whose row is to be written.
    touched: BTreeSet<RoomId>,
    changed: BTreeSet<RoomId>,
    open: bool,
    /// The newest row of all, with those of the commit that is open.
    pub(crate) newest: i64,
    stored_newest: i64,
    pub(crate) given_up: GivenUp,
    /// What the open commit frees is overwritten.
    wipes: bool,
    /// Rooms in which something was erased since their snapshot was stored: the one before the next may hold it too.
    erased: BTreeSet<RoomId>,
}

/// Rooms of which that is remembered; beyond it every snapshot is taken for such a one.
const ERASED_MAX: usize = 10_000;

impl Book {
    pub(crate) fn new(connection: Connection, first: Epoch, newest: i64) -> Book {
        Book {
            connection,
            first,
            rooms: BTreeMap::new(),
            touched: BTreeSet::new(),
            changed: BTreeSet::new(),
            open: false,
            newest,
            stored_newest: newest,
            given_up: GivenUp::default(),
            wipes: false,
            erased: BTreeSet::new(),
        }
    }

    pub(crate) fn room(&mut self, name: &RoomId) -> Result<&mut Room, Fault> {
        if !self.touched.contains(name) {
            self.touched.insert(name.clone());
        }
        if !self.rooms.contains_key(name) {
            let found = Room::find(&self.connection, name)?;
            self.rooms.insert(name.clone(), found.unwrap_or_else(|| Room::untouched(self.first)));
        }
        self.rooms.get_mut(name).ok_or(Fault::Damaged)
    }

    /// To be called before anything is written.
    pub(crate) fn begin(&mut self) -> Result<(), Fault> {
        if !self.open {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            self.open = true;
        }
        Ok(())
    }

    /// From here on what this commit frees is overwritten.
    pub(crate) fn begin_wiping(&mut self) -> Result<(), Fault> {
        self.begin()?;
        if !self.wipes {
            schema::wipe(&self.connection, true)?;
            self.wipes = true;
        }
        Ok(())
    }

    fn end_wiping(&mut self) {
        // Where it fails it costs some writes, and is tried with the next commit.
        if self.wipes && schema::wipe(&self.connection, false).is_ok() {
            self.wipes = false;
        }
    }

    pub(crate) fn erases_in(&mut self, name: &RoomId) {
        if self.erased.len() < ERASED_MAX {
            self.erased.insert(name.clone());
        }
    }

    /// Whether the snapshot that another one takes the place of may hold what was erased.
    pub(crate) fn has_erased_in(&self, name: &RoomId) -> bool {
        self.erased.len() >= ERASED_MAX || self.erased.contains(name)
    }

    pub(crate) fn wiped_snapshot_of(&mut self, name: &RoomId) {
        self.erased.remove(name);
    }

    /// The room's row is written with the commit, once for all that changes it.
    pub(crate) fn changes(&mut self, name: &RoomId) {
        self.changed.insert(name.clone());
    }

    /// A room has a row before it has records.
    pub(crate) fn id_of(&mut self, name: &RoomId) -> Result<i64, Fault> {
        let mut room = self.room(name)?.clone();
        if room.id.is_none() {
            room.write(&self.connection, name)?;
            *self.room(name)? = room.clone();
        }
        room.id.ok_or(Fault::Damaged)
    }

    pub(crate) fn stage(&mut self, stores: &[Asked]) -> Result<Vec<Staged>, Fault> {
        stores.iter().map(|asked| keep::store(self, asked)).collect()
    }

    /// Whether a room that was not there before could be stored now.
    pub(crate) fn takes_new_rooms(&self) -> bool {
        let tried = self.try_new_room();
        self.connection.execute_batch("ROLLBACK").ok();
        !matches!(tried, Err(Fault::Damaged))
    }

    fn try_new_room(&self) -> Result<(), Fault> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut room = Room::untouched(self.first);
        // A name that none has.
        room.write(&self.connection, &RoomId::new("", ""))?;
        let stored = Stored { offset: 1, key: Key::once(0, 0), data: Payload::new() };
        let one = Kept { stored, check: Check::default() };
        records::add(&self.connection, room.id.unwrap_or_default(), &one, std::slice::from_ref(&one))?;
        Ok(())
    }

    /// Deletes some of what was given up: how many rows.
    pub(crate) fn forget(&mut self, most: usize) -> Result<usize, Fault> {
        self.given_up.delete(&self.connection, self.newest, most)
    }

    /// Whether there was anything to be committed.
    pub(crate) fn commit(&mut self) -> Result<bool, Fault> {
        for name in std::mem::take(&mut self.changed) {
            if let Some(room) = self.rooms.get_mut(&name) {
                room.write(&self.connection, &name)?;
            }
        }
        if self.open {
            self.connection.execute_batch("COMMIT")?;
        }
        self.end_wiping();
        self.stored_newest = self.newest;
        Ok(std::mem::take(&mut self.open))
    }

    /// Back to what the file says.
    pub(crate) fn undo(&mut self) {
        if std::mem::take(&mut self.open) {
            // SQLite may have done so itself; then there is nothing to roll back.
            self.connection.execute_batch("ROLLBACK").ok();
        }
        self.end_wiping();
        self.changed.clear();
        self.newest = self.stored_newest;
        for name in std::mem::take(&mut self.touched) {
            self.rooms.remove(&name);
        }
        // What was deleted is there again.
        self.given_up.looks_again();
    }

    /// After a commit: rooms that nobody follows are read from the file when they are needed.
    pub(crate) fn let_go(&mut self, is_followed: impl Fn(&RoomId) -> bool) {
        for name in std::mem::take(&mut self.touched) {
            if !is_followed(&name) {
                self.rooms.remove(&name);
            }
        }
    }

    pub(crate) fn drop_room(&mut self, name: &RoomId) {
        self.rooms.remove(name);
    }
}
