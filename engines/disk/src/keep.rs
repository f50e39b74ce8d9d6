//! What each question that stores something does to the rows. Nothing of it counts before the commit.

use engine::{Answer, Appended, Asked, Batch, ERASE_MAX, Erased, Placement, Question, Snapshot, Stored};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet};
use vocabulary::{Check, Incarnation, Position, RoomId, Seen};

use crate::book::Book;
use crate::given_up;
use crate::reader::{Past, past};
use crate::records::{self, Kept};
use crate::rows::{self, Fault, Room};
use crate::writer::Staged;

/// Records that are looked through for the keys of a batch whose asker is behind; whoever is further behind reads first.
const LOOK_BACK_MAX: usize = 4096;

pub(crate) fn store(book: &mut Book, asked: &Asked) -> Result<Staged, Fault> {
    let by = asked.by;
    match &asked.question {
        Question::Append { room, batch } => append(book, by, room, batch),
        Question::Store { room, snapshot, forget_upto } => keep(book, by, room, snapshot, *forget_upto),
        Question::Erase { room, seen, offsets, ticket } => erase(book, by, room, (*seen, *ticket), offsets),
        Question::BeginEpoch { room, old, base } => begin_epoch(book, by, room, *old, base),
        Question::Settle { room, at, due } => {
            let kept = book.room(room)?;
            if kept.id.is_some() && kept.head() == *at && kept.due != *due {
                kept.due = *due;
                book.changes(room);
                book.begin()?;
            }
            Ok(Staged::Nothing)
        }
        _ => Ok(Staged::Nothing),
    }
}

fn append(book: &mut Book, by: Incarnation, name: &RoomId, batch: &Batch) -> Result<Staged, Fault> {
    let number = batch.number;
    let answer =
        |outcome, news, due| Ok(Staged::Appended { by, room: name.clone(), number, outcome, news, due });
    let room = book.room(name)?.clone();
    match past(&book.connection, &room, batch.seen)? {
        Past::Behind => return answer(Appended::Behind, None, false),
        Past::Lost => return answer(Appended::Lost, None, false),
        Past::Mine => {}
    }
    let Some(known) = known(&book.connection, &room, batch)? else {
        return answer(Appended::Behind, None, false);
    };
    // Keys before the guard: a batch that is asked again finds itself, not a conflict with itself.
    if batch.guarded && batch.seen.position != room.head() && known.len() < batch.parcels.len() {
        return answer(Appended::Conflict { head: room.head() }, None, false);
    }
    if known.len() == batch.parcels.len() {
        let placements = known.into_values().map(Placement::Duplicate).collect();
        return answer(Appended::Stored { placements, head: room.head() }, None, false);
    }
    book.begin()?;
    let id = book.id_of(name)?;
    let (mut head, mut check) = (room.head, room.head_check);
    let (mut placements, mut added) = (Vec::with_capacity(batch.parcels.len()), Vec::new());
    for (number, parcel) in batch.parcels.iter().enumerate() {
        if let Some(position) = known.get(&number) {
            placements.push(Placement::Duplicate(*position));
            continue;
        }
        placements.push(Placement::At(head + 1));
        for data in &parcel.records {
            head += 1;
            check = check.roll(Check::hash(data));
            let stored = Stored { offset: head, key: parcel.key.clone(), data: data.clone() };
            added.push(Kept { stored, check });
        }
    }
    if let Some(last) = added.last() {
        book.newest = records::add(&book.connection, id, last, &added)?;
    }
    let room = book.room(name)?;
    (room.head, room.head_check) = (head, check);
    room.due = batch.due.or(room.due);
    let end = room.head();
    book.changes(name);
    let records = added.into_iter().map(|kept| kept.stored).collect();
    let news = Answer::Grown { room: name.clone(), epoch: end.epoch, records };
    answer(Appended::Stored { placements, head: end }, Some(news), batch.due.is_some())
}

/// Which parcels are among what came after what was seen, and where; none if that is too much to look through.
fn known(
    connection: &Connection,
    room: &Room,
    batch: &Batch,
) -> Result<Option<BTreeMap<usize, Position>>, Fault> {
    let mut known = BTreeMap::new();
    let seen = batch.seen.position.offset;
    if seen == room.head {
        return Ok(Some(known));
    }
    let since = records::after(connection, room, seen, LOOK_BACK_MAX + 1, usize::MAX)?;
    if since.len() > LOOK_BACK_MAX {
        return Ok(None);
    }
    for kept in since {
        let position = Position { epoch: room.epoch, offset: kept.stored.offset };
        for (number, _) in batch.parcels.iter().enumerate().filter(|(_, it)| it.key == kept.stored.key) {
            known.entry(number).or_insert(position);
        }
    }
    Ok(Some(known))
}

fn keep(
    book: &mut Book,
    by: Incarnation,
    name: &RoomId,
    snapshot: &Snapshot,
    forget_upto: u64,
) -> Result<Staged, Fault> {
    let mut room = book.room(name)?.clone();
    let offset = snapshot.seen.position.offset;
    let newer = room.snapshot.is_none_or(|kept| kept < offset);
    let id = room.id.filter(|_| newer);
    let mut wiped = false;
    if let Some(id) = id
        && let Past::Mine = past(&book.connection, &room, snapshot.seen)?
    {
        if book.has_erased_in(name) {
            book.begin_wiping()?;
            wiped = true;
        }
        book.begin()?;
        rows::set_snapshot(&book.connection, id, snapshot)?;
        let base = forget_upto.min(offset).max(room.base);
        room.base_check = records::check_at(&book.connection, &room, base)?;
        if base > room.base {
            book.given_up.add(&book.connection, id, base)?;
        }
        (room.snapshot, room.base) = (Some(offset), base);
        *book.room(name)? = room.clone();
        book.changes(name);
    }
    let kept = room.snapshot.map(|offset| Position { epoch: room.epoch, offset });
    let answer = Answer::Stored { room: name.clone(), kept };
    if wiped {
        return Ok(Staged::Wiped { by, answer });
    }
    Ok(Staged::Answered { by, answer, room: name.clone(), news: None })
}

fn erase(
    book: &mut Book,
    by: Incarnation,
    name: &RoomId,
    (seen, ticket): (Seen, u64),
    offsets: &[u64],
) -> Result<Staged, Fault> {
    let room = book.room(name)?.clone();
    let outcome = match past(&book.connection, &room, seen)? {
        Past::Behind => Erased::Behind,
        Past::Lost => Erased::Lost,
        Past::Mine if offsets.len() > ERASE_MAX => Erased::Refused,
        Past::Mine if offsets.iter().any(|offset| *offset > seen.position.offset) => Erased::Lost,
        Past::Mine => Erased::Gone,
    };
    let answer = Answer::Erased { room: name.clone(), ticket, outcome };
    if outcome != Erased::Gone {
        return Ok(Staged::Answered { by, answer, room: name.clone(), news: None });
    }
    book.begin_wiping()?;
    let offsets: BTreeSet<u64> = offsets.iter().copied().collect();
    let offsets: Vec<u64> = offsets.into_iter().collect();
    records::erase(&book.connection, &room, &offsets)?;
    book.erases_in(name);
    Ok(Staged::Wiped { by, answer })
}

fn begin_epoch(
    book: &mut Book,
    by: Incarnation,
    name: &RoomId,
    old: Seen,
    base: &Snapshot,
) -> Result<Staged, Fault> {
    let room = book.room(name)?.clone();
    let (new, is_end) =
        (base.seen.position.epoch, old.position == room.head() && old.check == room.head_check);
    let answer = |epoch, news| {
        let answer = Answer::EpochBegan { room: name.clone(), epoch };
        Ok(Staged::Answered {
            by,
            news: if news { Some(answer.clone()) } else { None },
            answer,
            room: name.clone(),
        })
    };
    let in_its_own = new == room.epoch && room.id.is_none();
    if !is_end || (new <= room.epoch && !in_its_own) {
        return answer(room.epoch, false);
    }
    book.begin()?;
    if let Some(id) = room.id {
        book.connection.prepare_cached("DELETE FROM room WHERE id = ?1")?.execute(params![id])?;
        book.given_up.add(&book.connection, id, given_up::ALL)?;
    }
    let Seen { position: Position { offset, .. }, check } = base.seen;
    let fresh = Room {
        id: None,
        epoch: new,
        head: offset,
        head_check: check,
        base: offset,
        base_check: check,
        snapshot: Some(offset),
        due: room.due,
    };
    *book.room(name)? = fresh;
    let id = book.id_of(name)?;
    rows::set_snapshot(&book.connection, id, base)?;
    book.changes(name);
    answer(new, true)
}
