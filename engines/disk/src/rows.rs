//! Rows of the file as values, each with a sum of what it says: what does not match its sum is not what was written. It
//! reads and writes rows; what they mean is for others.

use engine::Snapshot;
use rusqlite::{Connection, OptionalExtension, Row, params};
use vocabulary::{Check, Epoch, Payload, Position, RoomId, Seen, Wall};

/// What is kept of a room beside its records.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// None: there is no row yet.
    pub(crate) id: Option<i64>,
    pub(crate) epoch: Epoch,
    pub(crate) head: u64,
    pub(crate) head_check: Check,
    /// What stands before the first kept record.
    pub(crate) base: u64,
    pub(crate) base_check: Check,
    /// Where the snapshot stands, if one is kept.
    pub(crate) snapshot: Option<u64>,
    pub(crate) due: Option<Wall>,
}

/// A row that is not what was written, or a file that SQLite cannot make sense of.
#[derive(Debug)]
pub(crate) enum Fault {
    Damaged,
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        if is_damage(&error) { Fault::Damaged } else { Fault::Sqlite(error) }
    }
}

/// A file that SQLite cannot make sense of, or a value that no row of ours was ever given: looking again finds the same.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::{Error, ErrorCode};
    match error {
        Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::FromSqlConversionFailure(..)
        | Error::Utf8Error(..) => true,
        _ => matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)),
    }
}

/// Of what was written nothing is stored, and nothing is in doubt: there was no room for it.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

pub(crate) const ROOMS: &str =
    "SELECT id, name, epoch, head, head_check, base, base_check, snapshot, due, sum FROM room";
const ROOM: &str = "SELECT id, name, epoch, head, head_check, base, base_check, snapshot, due, sum FROM room WHERE name = ?1";
const ADD_ROOM: &str = "INSERT INTO room (name, epoch, head, head_check, base, base_check, snapshot, due, sum) \
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const SET_ROOM: &str = "UPDATE room SET epoch = ?2, head = ?3, head_check = ?4, base = ?5, base_check = ?6, \
                        snapshot = ?7, due = ?8, sum = ?9 WHERE id = ?1";

impl Room {
    pub(crate) fn untouched(epoch: Epoch) -> Room {
        let (head_check, base_check) = (Check::default(), Check::default());
        Room { id: None, epoch, head: 0, head_check, base: 0, base_check, snapshot: None, due: None }
    }

    pub(crate) fn head(&self) -> Position {
        Position { epoch: self.epoch, offset: self.head }
    }

    /// Of a row as `ROOMS` selects it; none: it does not match its sum.
    pub(crate) fn read(row: &Row<'_>) -> Result<Option<Room>, rusqlite::Error> {
        let name: Vec<u8> = row.get_ref(1)?.as_bytes()?.to_vec();
        let room = Room {
            id: Some(row.get(0)?),
            epoch: Epoch(row.get::<_, i64>(2)?.cast_unsigned()),
            head: row.get::<_, i64>(3)?.cast_unsigned(),
            head_check: Check(row.get(4)?),
            base: row.get::<_, i64>(5)?.cast_unsigned(),
            base_check: Check(row.get(6)?),
            snapshot: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
            due: row.get::<_, Option<i64>>(8)?.map(Wall),
        };
        let sum: u32 = row.get(9)?;
        Ok((sum == room.sum(&name)).then_some(room))
    }

    pub(crate) fn find(connection: &Connection, name: &RoomId) -> Result<Option<Room>, Fault> {
        let mut select = connection.prepare_cached(ROOM)?;
        let found = select.query_row(params![name.as_str()], Room::read).optional()?;
        found.map(|room| room.ok_or(Fault::Damaged)).transpose()
    }

    pub(crate) fn write(&mut self, connection: &Connection, name: &RoomId) -> Result<(), Fault> {
        let sum = self.sum(name.as_str().as_bytes());
        let (epoch, head, base) =
            (self.epoch.0.cast_signed(), self.head.cast_signed(), self.base.cast_signed());
        let (snapshot, due) = (self.snapshot.map(u64::cast_signed), self.due.map(|due| due.0));
        let (head_check, base_check) = (self.head_check.0, self.base_check.0);
        match self.id {
            Some(id) => {
                let values = params![id, epoch, head, head_check, base, base_check, snapshot, due, sum];
                let changed = connection.prepare_cached(SET_ROOM)?.execute(values)?;
                if changed == 1 { Ok(()) } else { Err(Fault::Damaged) }
            }
            None => {
                let name = name.as_str();
                let values = params![name, epoch, head, head_check, base, base_check, snapshot, due, sum];
                self.id = Some(connection.prepare_cached(ADD_ROOM)?.insert(values)?);
                Ok(())
            }
        }
    }

    /// The id is not in it: it is given by the insert itself, and the name says whose row it is.
    fn sum(&self, name: &[u8]) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(name);
        for number in
            [self.epoch.0, self.head, u64::from(self.head_check.0), self.base, u64::from(self.base_check.0)]
        {
            sum.update(&number.to_le_bytes());
        }
        for number in [self.snapshot.map(u64::cast_signed), self.due.map(|due| due.0)] {
            sum.update(&[u8::from(number.is_some())]);
            sum.update(&number.unwrap_or_default().to_le_bytes());
        }
        sum.finalize()
    }
}

const SNAPSHOT: &str = "SELECT place, rolled, data, sum FROM snapshot WHERE room = ?1";
const SET_SNAPSHOT: &str = "INSERT INTO snapshot VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (room) DO UPDATE SET \
                            place = ?2, rolled = ?3, data = ?4, sum = ?5";

pub(crate) fn snapshot(connection: &Connection, room: &Room) -> Result<Option<Snapshot>, Fault> {
    let (Some(id), Some(at)) = (room.id, room.snapshot) else { return Ok(None) };
    let mut select = connection.prepare_cached(SNAPSHOT)?;
    let found = select.query_row(params![id], |row| {
        let (place, rolled): (i64, u32) = (row.get(0)?, row.get(1)?);
        let data = Payload::copy_from_slice(row.get_ref(2)?.as_bytes()?);
        let sum: u32 = row.get(3)?;
        let position = Position { epoch: room.epoch, offset: place.cast_unsigned() };
        let snapshot = Snapshot { seen: Seen { position, check: Check(rolled) }, data };
        Ok((sum == sum_of(id, &snapshot)).then_some(snapshot))
    });
    let whole = found.optional()?.flatten().filter(|snapshot| snapshot.seen.position.offset == at);
    whole.map(Some).ok_or(Fault::Damaged)
}

pub(crate) fn set_snapshot(connection: &Connection, room: i64, snapshot: &Snapshot) -> Result<(), Fault> {
    let Seen { position, check } = snapshot.seen;
    let sum = sum_of(room, snapshot);
    let values = params![room, position.offset.cast_signed(), check.0, &snapshot.data[..], sum];
    connection.prepare_cached(SET_SNAPSHOT)?.execute(values)?;
    Ok(())
}

/// The epoch is not in it: the id of a room is of one log alone, and a log that begins a new epoch keeps its snapshot.
fn sum_of(room: i64, snapshot: &Snapshot) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&room.to_le_bytes());
    sum.update(&snapshot.seen.position.offset.to_le_bytes());
    sum.update(&snapshot.seen.check.0.to_le_bytes());
    sum.update(&snapshot.data);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_no_row_was_given_is_damage_and_a_passing_fault_is_not() {
        let connection = Connection::open_in_memory().expect("a database");
        let select = |text: &str| connection.query_row(text, [], |row| row.get::<_, u32>(0));
        for (text, damaged) in [
            ("SELECT x'00'", true),
            ("SELECT 'seventeen'", true),
            ("SELECT 1 << 40", true),
            ("SELECT NULL", true),
            ("SELECT 1 WHERE 0", false),
            ("SELECT nothing", false),
        ] {
            let fault = select(text).map_err(Fault::from).expect_err(text);
            assert_eq!(matches!(fault, Fault::Damaged), damaged, "{text}: {fault:?}");
        }
    }
}
