//! Rows that nobody will ask for: which they are stands in a table with the snapshot that took their place, and they are deleted
//! bit by bit. It decides nothing about what is given up.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use crate::rows::Fault;

/// Up to where a room that is no more gives up, its snapshot with it.
pub(crate) const ALL: u64 = i64::MAX.cast_unsigned();

pub(crate) struct GivenUp {
    /// Not all is deleted; a life before this one may have left something.
    some: bool,
    /// Rooms are gone through in the order of their ids, up to this one so far; and once more, because there is something new.
    upto: i64,
    again: bool,
    /// Rooms of whose rows some are damaged: theirs are not looked at any more.
    spoilt: BTreeSet<i64>,
    /// One of them is the newest of all rows, and goes when another one is.
    waits: Option<i64>,
    /// Which rooms there are cannot be read: nothing is deleted as long as we live.
    lost: bool,
}

impl Default for GivenUp {
    fn default() -> GivenUp {
        GivenUp { some: true, upto: 0, again: false, spoilt: BTreeSet::new(), waits: None, lost: false }
    }
}

impl GivenUp {
    pub(crate) fn add(&mut self, connection: &Connection, room: i64, upto: u64) -> Result<(), Fault> {
        let insert = "INSERT INTO given_up VALUES (?1, ?2) ON CONFLICT (room) DO UPDATE SET upto = ?2";
        connection.prepare_cached(insert)?.execute(params![room, upto.cast_signed()])?;
        self.looks_again();
        Ok(())
    }

    pub(crate) fn looks_again(&mut self) {
        (self.some, self.again) = (!self.lost, !self.lost);
    }

    /// Whether there is nothing to be deleted now.
    pub(crate) fn is_gone(&self) -> bool {
        !self.some
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Deletes some, one room after the other: how many rows. The end of a room's counts like one.
    pub(crate) fn delete(
        &mut self,
        connection: &Connection,
        newest: i64,
        most: usize,
    ) -> Result<usize, Fault> {
        if self.waits.take_if(|waits| *waits < newest).is_some() {
            self.looks_again();
        }
        let (mut gone, mut left) = (0, most);
        while self.some && left > 0 {
            let next = next(connection, self.upto);
            if let Err(Fault::Damaged) = next {
                (self.some, self.lost) = (false, true);
            }
            let Some((room, upto)) = next? else {
                self.upto = 0;
                self.some = std::mem::take(&mut self.again);
                continue;
            };
            if self.spoilt.contains(&room) {
                self.upto = room;
                continue;
            }
            let deleted = delete(connection, room, upto, newest, left);
            if let Err(Fault::Damaged) = deleted {
                self.spoilt.insert(room);
            }
            let (rows, rest) = deleted?;
            gone += rows;
            left = left.saturating_sub(rows);
            if let Left::Newest = rest {
                self.waits = Some(newest);
            }
            if let Left::Nothing | Left::Newest = rest {
                self.upto = room;
                left = left.saturating_sub(1);
            }
        }
        Ok(gone)
    }
}

/// What the next room behind one has given up: up to where.
fn next(connection: &Connection, behind: i64) -> Result<Option<(i64, i64)>, Fault> {
    let next = "SELECT room, upto FROM given_up WHERE room > ?1 ORDER BY room LIMIT 1";
    let mut next = connection.prepare_cached(next)?;
    Ok(next.query_row(params![behind], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// What is still there of what a room gave up.
enum Left {
    Nothing,
    Newest,
    More,
}

/// How many rows, and what is left. A row that reaches beyond stays whole, and so does the newest of all rows, whosever
/// it is: by it the log is known to be as far as it had got.
fn delete(
    connection: &Connection,
    room: i64,
    upto: i64,
    newest: i64,
    most: usize,
) -> Result<(usize, Left), Fault> {
    let delete = "DELETE FROM log WHERE id IN \
                  (SELECT id FROM log WHERE room = ?1 AND place <= ?2 AND id < ?4 LIMIT ?3)";
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let gone = connection.prepare_cached(delete)?.execute(params![room, upto, limit, newest])?;
    if gone == most {
        return Ok((gone, Left::More));
    }
    if upto.cast_unsigned() == ALL {
        connection.prepare_cached("DELETE FROM snapshot WHERE room = ?1")?.execute(params![room])?;
    }
    // As long as the newest row is one of them it is still to be deleted.
    let end = "DELETE FROM given_up WHERE room = ?1 \
               AND NOT EXISTS (SELECT 1 FROM log WHERE room = ?1 AND place <= ?2)";
    let is_end = connection.prepare_cached(end)?.execute(params![room, upto])? == 1;
    Ok((gone, if is_end { Left::Nothing } else { Left::Newest }))
}
