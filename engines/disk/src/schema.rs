//! The file: its tables, how a connection to it is set up, and whether what is in it can be gone on with. It never touches a
//! room.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use link::{Deployment, SameKeys};
use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use vocabulary::RoomId;

use crate::OpenError;
use crate::facts::Facts;
use crate::reach::Told;
use crate::rows::{self, Room};

pub(crate) const FILE: &str = "rooms.db";

/// A log is appended to by row, so that commits write where the last one ended; the index alone is scattered, and its entries
/// are small. Ids of rooms are never used again: the rows of a log that was given up can be deleted at leisure.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS deployment (id INTEGER PRIMARY KEY CHECK (id = 1), line TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS room (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    head INTEGER NOT NULL,
    head_check INTEGER NOT NULL,
    base INTEGER NOT NULL,
    base_check INTEGER NOT NULL,
    snapshot INTEGER,
    due INTEGER,
    sum INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS room_due ON room (due) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY,
    room INTEGER NOT NULL,
    place INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS log_place ON log (room, place);
CREATE TABLE IF NOT EXISTS snapshot (
    room INTEGER PRIMARY KEY,
    place INTEGER NOT NULL,
    rolled INTEGER NOT NULL,
    data BLOB NOT NULL,
    sum INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS given_up (room INTEGER PRIMARY KEY, upto INTEGER NOT NULL);
";

/// Of the tables, kept as the file's `user_version`. The first had a row for each record, the second the epoch in the sums of
/// snapshots.
pub(crate) const LAYOUT: i64 = 3;

/// What was committed and is not worked into the file yet.
pub(crate) fn journal(folder: &Path) -> PathBuf {
    folder.join(format!("{FILE}-wal"))
}

pub(crate) const JOURNAL_DAMAGED: &str =
    "its journal, rooms.db-wal, breaks off in front of commits that were answered";

/// When an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Once the disk says that it has the record: what was answered survives the loss of power.
    Always,
    /// Once the operating system has it: what was answered survives the end of the process.
    Process,
}

/// A reader may hold the file for a moment while the writer empties the journal.
pub(crate) const BUSY_WITHIN: Duration = Duration::from_secs(2);
/// Pages kept in memory, in KiB: the upper levels of the index of any file that fits one machine.
const WRITER_CACHE_KIB: i64 = 32 << 10;
const READER_CACHE_KIB: i64 = 8 << 10;
/// The journal is cut back to this when it begins anew, so that one burst does not keep its place for ever.
const JOURNAL_BYTES: i64 = 16 << 20;
/// In front of each page in the journal.
const FRAME_HEAD_BYTES: u64 = 24;

pub(crate) fn writer(folder: &Path, sync: Sync, facts: &Arc<Facts>) -> Result<Connection, rusqlite::Error> {
    let mut connection = Connection::open(folder.join(FILE))?;
    connection.busy_timeout(BUSY_WITHIN)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let level = match sync {
        Sync::Always => "full",
        Sync::Process => "normal",
    };
    connection.pragma_update(None, "synchronous", level)?;
    // The journal is emptied when there is time for it, not in the middle of a commit.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", JOURNAL_BYTES, |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    wipe(&connection, false)?;
    let page: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?.into();
    let facts = facts.clone();
    connection.wal_hook(Some(move |_: &mut Wal, pages: i32| {
        facts.journal_bytes.set(u64::from(pages.unsigned_abs()) * (page + FRAME_HEAD_BYTES));
        Ok(())
    }))?;
    Ok(connection)
}

/// Whether freed pages are overwritten, which is a write each. Within a page that is written anyway it costs nothing, and is
/// always done: what was moved or deleted leaves no copy there.
pub(crate) fn wipe(connection: &Connection, freed_pages: bool) -> Result<(), rusqlite::Error> {
    let level = if freed_pages { "ON" } else { "FAST" };
    connection.pragma_update_and_check(None, "secure_delete", level, |_| Ok(()))
}

pub(crate) fn reader(folder: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(folder.join(FILE), flags)?;
    connection.busy_timeout(BUSY_WITHIN)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// Makes what is missing, and compares what is there with what this build can go on with. The deployment as it is now.
pub(crate) fn prepare(connection: &Connection, mine: &Deployment) -> Result<Deployment, OpenError> {
    let layout: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let is_new = !connection.table_exists(None, "room")?;
    if !is_new && layout != LAYOUT {
        return Err(OpenError::Layout(layout));
    }
    connection.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version = {LAYOUT}; COMMIT"))?;
    let kept: Option<String> =
        connection.query_row("SELECT line FROM deployment", [], |row| row.get(0)).optional()?;
    let now = match kept {
        None => mine.clone(),
        Some(line) => mine.joins(&line.parse()?, SameKeys::NeedNot)?,
    };
    let keep = "INSERT INTO deployment VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET line = ?1";
    connection.execute(keep, params![now.to_string()])?;
    look_through_rooms(connection)?;
    Ok(now)
}

/// What was there before is not begun anew in silence.
pub(crate) fn must_be_there(folder: &Path, reach: Told) -> Result<(), OpenError> {
    let bytes = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
    if bytes(folder.join(FILE)) > 0 {
        return Ok(());
    }
    let what = if bytes(journal(folder)) > 0 {
        "it is empty or gone, and its journal rooms.db-wal is not"
    } else if reach.held_rooms() {
        "it is empty or gone, and held rooms before; if they are to begin anew, remove the file `reach` beside it too"
    } else {
        return Ok(());
    };
    Err(OpenError::Damaged(what.to_owned()))
}

/// A new epoch for every room, with the log that it has: who knows more of the old one is told, and nobody is told that two
/// records have one place. Nothing but the list of rooms is read for it: other damage is found when its room is.
pub(crate) fn begin_epochs(connection: &Connection, now: &Deployment) -> Result<(), OpenError> {
    let mut rooms = connection.prepare(rows::ROOMS)?;
    let all = rooms.query_map([], |row| Ok((row.get::<_, String>(1)?, Room::read(row)?)))?;
    let all = all.collect::<Result<Vec<_>, _>>()?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for (name, room) in all {
        // They were looked through a moment ago.
        let Some((name, mut room)) = RoomId::from_full(&name).zip(room) else { continue };
        room.epoch = room.epoch.next(now.start_tag);
        room.write(connection, &name)?;
    }
    connection.execute("UPDATE deployment SET line = ?1", params![now.to_string()])?;
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// Every other row is looked at when its room is read. A room that is not found would be taken for one that never was, so
/// the list of rooms must be whole before anybody asks for one.
fn look_through_rooms(connection: &Connection) -> Result<(), OpenError> {
    let verdict: String = connection.query_row("PRAGMA integrity_check('room')", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(OpenError::Damaged(verdict));
    }
    let mut rooms = connection.prepare(rows::ROOMS)?;
    let mut found = rooms.query([])?;
    while let Some(row) = found.next()? {
        if Room::read(row)?.is_none() {
            let id: i64 = row.get(0)?;
            return Err(OpenError::Damaged(format!("row {id} of the list of rooms does not match its sum")));
        }
    }
    Ok(())
}
