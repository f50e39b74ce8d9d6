//! Reading all of the file from beside whoever serves it: one moment of it, for all rooms. Its journal grows as long as that takes,
//! and what is erased meanwhile is answered when it is over. It never writes.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;

use engine::Stored;
use ferry::{Fault, Give, Listed, Opened};
use link::Deployment;
use rusqlite::{Connection, params};
use vocabulary::{Epoch, RoomId};

use crate::rows::{self, Room};
use crate::{OpenError, arrives, journal, lock, records, schema};

const ROOMS_AT_ONCE: i64 = 500;
const PAGE_RECORDS: usize = 500;
const PAGE_BYTES: usize = 1 << 20;

pub struct Giving {
    connection: Connection,
    deployment: Deployment,
    upto: i64,
    /// Of the room that is read now.
    open: Option<(RoomId, Room)>,
    /// Nobody serves it as long as this is held.
    _lock: Option<File>,
}

/// Whether somebody may serve the folder meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Whoever,
    Nobody,
}

impl Giving {
    pub fn open(folder: &Path, beside: Beside) -> Result<Giving, OpenError> {
        let unusable = |error| OpenError::Folder(folder.to_owned(), error);
        let file = std::fs::metadata(folder.join(schema::FILE)).map_err(unusable)?;
        arrives::must_be_over(folder)?;
        if file.len() == 0 {
            return Err(OpenError::Damaged("it is empty".to_owned()));
        }
        let locked = match (lock(folder), beside) {
            (Err(OpenError::Taken), Beside::Whoever) => None,
            (locked, _) => Some(locked?),
        };
        // Whoever serves it has looked.
        if locked.is_some()
            && journal::end(&schema::journal(folder)).map_err(unusable)? == journal::End::Damaged
        {
            return Err(OpenError::Damaged(schema::JOURNAL_DAMAGED.to_owned()));
        }
        let connection = schema::reader(folder)?;
        let layout: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if layout != schema::LAYOUT {
            return Err(OpenError::Layout(layout));
        }
        // The moment begins with what is read first.
        connection.execute_batch("BEGIN")?;
        let line: String = connection.query_row("SELECT line FROM deployment", [], |row| row.get(0))?;
        let deployment = line.parse()?;
        let lock = locked.filter(|_| beside == Beside::Nobody);
        Ok(Giving { connection, deployment, upto: 0, open: None, _lock: lock })
    }

    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// How many rooms there are.
    pub fn count(&self) -> Result<u64, OpenError> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM room", [], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }
}

impl Give for Giving {
    fn rooms(&mut self) -> Result<Vec<Listed>, Fault> {
        let select = format!("{} WHERE id > ?1 ORDER BY id LIMIT ?2", rows::ROOMS);
        let mut select = self.connection.prepare_cached(&select).map_err(|error| unread(&error))?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(8)?));
        let found = select.query_map(params![self.upto, ROOMS_AT_ONCE], row);
        let found: Result<VecDeque<(i64, String, Option<i64>)>, _> = found.and_then(Iterator::collect);
        let mut listed = Vec::new();
        for (id, name, due) in found.map_err(|error| unread(&error))? {
            self.upto = id;
            let name = RoomId::from_full(&name).ok_or_else(|| Fault::Engine {
                what: schema::FILE.to_owned(),
                why: format!("the list of rooms is damaged: {name:?} is no room. Take an older backup"),
            })?;
            listed.push(Listed { name, due: due.map(vocabulary::Wall) });
        }
        Ok(listed)
    }

    fn open(&mut self, name: &RoomId) -> Result<Option<Opened>, Fault> {
        let room = Room::find(&self.connection, name).map_err(|fault| of_room(name, fault))?;
        let Some(room) = room else { return Ok(None) };
        let snapshot = rows::snapshot(&self.connection, &room).map_err(|fault| of_room(name, fault))?;
        let opened = Opened {
            epoch: room.epoch,
            base: room.base,
            base_check: Some(room.base_check),
            head: room.head,
            head_check: Some(room.head_check),
            snapshot: snapshot.filter(|snapshot| !snapshot.data.is_empty()),
        };
        self.open = Some((name.clone(), room));
        Ok(Some(opened))
    }

    fn page(&mut self, name: &RoomId, _: Epoch, after: u64) -> Result<Option<Vec<Stored>>, Fault> {
        let Some((_, room)) = self.open.as_ref().filter(|(open, _)| open == name) else {
            return Ok(None);
        };
        let kept = records::after(&self.connection, room, after, PAGE_RECORDS, PAGE_BYTES);
        let kept = kept.map_err(|fault| of_room(name, fault))?;
        Ok(Some(kept.into_iter().map(|kept| kept.stored).collect()))
    }
}

fn of_room(name: &RoomId, fault: rows::Fault) -> Fault {
    match fault {
        rows::Fault::Damaged => Fault::Damaged { room: name.clone() },
        rows::Fault::Sqlite(error) => unread(&error),
    }
}

fn unread(error: &rusqlite::Error) -> Fault {
    Fault::Engine { what: format!("{} cannot be read", schema::FILE), why: error.to_string() }
}
