//! The rooms as they will be after the commit that is open, and the commit itself. It decides nothing about what is stored.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use vocabulary::{Epoch, RoomId};

use crate::rows::{Fault, Room};

pub(crate) struct Book {
    pub(crate) connection: Connection,
    /// Of rooms that nobody has written to.
    first: Epoch,
    rooms: BTreeMap<RoomId, Room>,
    /// Looked at since the last commit, and of those the ones whose row is to be written.
    touched: BTreeSet<RoomId>,
    changed: BTreeSet<RoomId>,
    open: bool,
    /// Something was given up and is not all deleted; a life before this one may have left something.
    pub(crate) forgets: bool,
}

impl Book {
    pub(crate) fn new(connection: Connection, first: Epoch) -> Book {
        let (rooms, touched, changed) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Book { connection, first, rooms, touched, changed, open: false, forgets: true }
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
        Ok(std::mem::take(&mut self.open))
    }

    /// Back to what the file says.
    pub(crate) fn undo(&mut self) {
        if std::mem::take(&mut self.open) {
            // SQLite may have done so itself; then there is nothing to roll back.
            self.connection.execute_batch("ROLLBACK").ok();
        }
        self.changed.clear();
        for name in std::mem::take(&mut self.touched) {
            self.rooms.remove(&name);
        }
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
