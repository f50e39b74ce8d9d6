//! Records as the file holds them: what a room stored together is one row, each record in it with a sum of its own. One row and
//! one entry of the index for sixty records cost what they cost for one. It reads and writes rows; what they mean is for others.

use engine::Stored;
use rusqlite::{Connection, OptionalExtension, Row, params};
use vocabulary::{Check, Key, Payload, is_tombstone, tombstone};

use crate::rows::{Fault, Room};

pub(crate) struct Kept {
    pub(crate) stored: Stored,
    pub(crate) check: Check,
}

/// A row's place is that of its last record: what comes after a place begins in the first row beyond it, and what goes up to
/// a place are the rows up to it.
const ADD: &str = "INSERT INTO log (room, place, data) VALUES (?1, ?2, ?3)";
const AFTER: &str = "SELECT place, data FROM log WHERE room = ?1 AND place > ?2 ORDER BY place LIMIT ?3";
const AT: &str = "SELECT place, data FROM log WHERE room = ?1 AND place >= ?2 ORDER BY place LIMIT 1";

/// Of the sum, the rolled check, and how long key and data are.
const HEAD_BYTES: usize = 16;

/// The newest of all rows; zero: there is none.
pub(crate) fn newest(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("SELECT coalesce(max(id), 0) FROM log", [], |row| row.get(0))
}

/// As one row; they follow each other. Which row it is.
pub(crate) fn add(connection: &Connection, room: i64, last: &Kept, records: &[Kept]) -> Result<i64, Fault> {
    let mut data = Vec::with_capacity(records.iter().map(Kept::bytes).sum());
    for record in records {
        record.put(room, &mut data);
    }
    Ok(connection.prepare_cached(ADD)?.insert(params![room, last.stored.offset.cast_signed(), data])?)
}

/// Records after an offset without a hole: as many as the limits allow and the log has, up to its end. Each is proven by the one
/// before it, the first by what stands at the offset.
pub(crate) fn after(
    connection: &Connection,
    room: &Room,
    after: u64,
    limit: usize,
    bytes_max: usize,
) -> Result<Vec<Kept>, Fault> {
    let expected = limit.min(usize::try_from(room.head.saturating_sub(after)).unwrap_or(usize::MAX));
    let Some(id) = room.id.filter(|_| expected > 0) else { return Ok(Vec::new()) };
    let (mut at, mut check) = (after, check_at(connection, room, after)?);
    let (mut found, mut bytes): (Vec<Kept>, usize) = (Vec::new(), 0);
    let mut select = connection.prepare_cached(AFTER)?;
    // No row is empty.
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = select.query(params![id, after.cast_signed(), most])?;
    while let Some(row) = rows.next()? {
        for record in read(row, id)?.ok_or(Fault::Damaged)?.into_iter().filter(|it| it.stored.offset > after)
        {
            if record.stored.offset != at + 1 || check.roll(Check::hash(&record.stored.data)) != record.check
            {
                return Err(Fault::Damaged);
            }
            (at, check) = (record.stored.offset, record.check);
            bytes += record.stored.data.len();
            found.push(record);
            if bytes >= bytes_max || found.len() == limit {
                return Ok(found);
            }
        }
    }
    if found.len() < expected { Err(Fault::Damaged) } else { Ok(found) }
}

/// The rolling check after a record. Only for offsets from the base to the end.
pub(crate) fn check_at(connection: &Connection, room: &Room, offset: u64) -> Result<Check, Fault> {
    if offset == room.head {
        return Ok(room.head_check);
    }
    if offset == room.base {
        return Ok(room.base_check);
    }
    let id = room.id.ok_or(Fault::Damaged)?;
    let mut select = connection.prepare_cached(AT)?;
    let row = select.query_row(params![id, offset.cast_signed()], |row| read(row, id)).optional()?;
    let mut records = row.flatten().ok_or(Fault::Damaged)?.into_iter();
    Ok(records.find(|it| it.stored.offset == offset).ok_or(Fault::Damaged)?.check)
}

const ROW_OF: &str = "SELECT place, data, id FROM log WHERE room = ?1 AND place >= ?2 ORDER BY place LIMIT 1";
const SET_DATA: &str = "UPDATE log SET data = ?2 WHERE id = ?1";

/// Tombstones in the place of these, which are in order, and of whatever else nobody asks for any more in the same rows.
pub(crate) fn erase(connection: &Connection, room: &Room, offsets: &[u64]) -> Result<(), Fault> {
    let Some(id) = room.id else { return Ok(()) };
    let mut left = offsets;
    while let [first, ..] = left {
        let mut select = connection.prepare_cached(ROW_OF)?;
        let found =
            select.query_row(params![id, first.cast_signed()], |row| Ok((read(row, id)?, row.get(2)?)));
        let found: Option<(Option<Vec<Kept>>, i64)> = found.optional()?;
        let Some((records, row)) = found else { return Ok(()) };
        let mut records = records.ok_or(Fault::Damaged)?;
        let last = records.last().map_or(*first, |it| it.stored.offset);
        let (here, rest) = left.split_at(left.partition_point(|offset| *offset <= last));
        let goes = |offset: u64| offset <= room.base || here.binary_search(&offset).is_ok();
        let mut changed = false;
        for Kept { stored, .. } in records.iter_mut().filter(|it| goes(it.stored.offset)) {
            changed |= !is_tombstone(&stored.data);
            stored.data = tombstone(&stored.data);
        }
        if changed {
            let mut data = Vec::with_capacity(records.iter().map(Kept::bytes).sum());
            records.iter().for_each(|record| record.put(id, &mut data));
            connection.prepare_cached(SET_DATA)?.execute(params![row, data])?;
        }
        left = rest;
    }
    Ok(())
}

/// None: the row is not what was written.
fn read(row: &Row<'_>, room: i64) -> Result<Option<Vec<Kept>>, rusqlite::Error> {
    let last = row.get::<_, i64>(0)?.cast_unsigned();
    let data = Payload::copy_from_slice(row.get_ref(1)?.as_blob()?);
    Ok(take_all(&data, room, last))
}

fn take_all(data: &Payload, room: i64, last: u64) -> Option<Vec<Kept>> {
    let (mut parts, mut rest) = (Vec::new(), data.clone());
    while !rest.is_empty() {
        parts.push(Part::take(&mut rest)?);
    }
    let first = last.checked_add(1)?.checked_sub(parts.len() as u64)?;
    let whole = |(part, offset): (Part, u64)| part.at(room, offset);
    parts.into_iter().zip(first..).map(whole).collect()
}

/// A record of a row, whose place is not known yet.
struct Part {
    sum: u32,
    check: Check,
    key: Payload,
    data: Payload,
}

impl Part {
    fn take(rest: &mut Payload) -> Option<Part> {
        let head = (rest.len() >= HEAD_BYTES).then(|| rest.split_to(HEAD_BYTES))?;
        let number = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let (sum, check, key, data) =
            (number(0)?, Check(number(4)?), number(8)? as usize, number(12)? as usize);
        if rest.len() < key.checked_add(data)? {
            return None;
        }
        Some(Part { sum, check, key: rest.split_to(key), data: rest.split_to(data) })
    }

    /// What it is at that place of that room, if its sum says so.
    fn at(self, room: i64, offset: u64) -> Option<Kept> {
        let key = Key::from_text(std::str::from_utf8(&self.key).ok()?);
        let kept = Kept { stored: Stored { offset, key, data: self.data }, check: self.check };
        (kept.sum(room) == self.sum).then_some(kept)
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        HEAD_BYTES + self.stored.key.as_str().len() + self.stored.data.len()
    }

    fn put(&self, room: i64, out: &mut Vec<u8>) {
        let Stored { key, data, .. } = &self.stored;
        // Keys and records are bounded far below 4 GiB where they enter.
        for number in [self.sum(room), self.check.0, key.as_str().len() as u32, data.len() as u32] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(key.as_str().as_bytes());
        out.extend_from_slice(data);
    }

    fn sum(&self, room: i64) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&room.to_le_bytes());
        sum.update(&self.stored.offset.to_le_bytes());
        sum.update(&self.check.0.to_le_bytes());
        sum.update(&self.stored.key.as_str().len().to_le_bytes());
        sum.update(self.stored.key.as_str().as_bytes());
        sum.update(&self.stored.data);
        sum.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Vec<u8> {
        let mut data = Vec::new();
        for (offset, text) in [(8, "one"), (9, ""), (10, "three")] {
            let stored =
                Stored { offset, key: Key::once(1, offset), data: Payload::from_static(text.as_bytes()) };
            Kept { stored, check: Check(offset as u32) }.put(7, &mut data);
        }
        data
    }

    fn read(data: &[u8], room: i64, last: u64) -> Option<Vec<(u64, String)>> {
        let records = take_all(&Payload::copy_from_slice(data), room, last)?;
        let text = |it: Kept| (it.stored.offset, String::from_utf8_lossy(&it.stored.data).into_owned());
        Some(records.into_iter().map(text).collect())
    }

    #[test]
    fn a_row_reads_back_as_written_at_its_place_alone() {
        let records = [(8, "one".to_owned()), (9, String::new()), (10, "three".to_owned())];
        assert_eq!(read(&row(), 7, 10), Some(records.to_vec()));
        assert_eq!(read(&row(), 6, 10), None, "another room's");
        assert_eq!(read(&row(), 7, 11), None, "another place's");
        assert_eq!(read(&row(), 7, 1), None, "a place that so many do not fit in front of");
    }

    #[test]
    fn every_flipped_bit_of_a_row_is_found() {
        for at in 0..row().len() * 8 {
            let mut data = row();
            data[at / 8] ^= 1 << (at % 8);
            assert_eq!(read(&data, 7, 10), None, "bit {at}");
        }
    }

    #[test]
    fn a_row_that_breaks_off_is_found() {
        for end in 1..row().len() {
            assert_eq!(read(&row()[..end], 7, 10), None, "after {end} bytes");
        }
    }
}
