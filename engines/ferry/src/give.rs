//! Giving: room after room, each from its base to the end that it had when it was opened. What is damaged is named, and left out
//! where that was asked for. It holds no more than one page of a room.

use engine::{Snapshot, Stored};
use vocabulary::{Check, Epoch, Position, RoomId, Seen, Wall};

use crate::{Fault, Item, Room};

/// A log that is trimmed while it is read is begun again; who trims does so once in many records.
const AGAIN_MAX: u32 = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: RoomId,
    pub due: Option<Wall>,
}

/// Where a room stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub epoch: Epoch,
    pub base: u64,
    /// Unknown: it is found from the snapshot, by what lies between.
    pub base_check: Option<Check>,
    pub head: u64,
    /// Unknown: it is what the records make it.
    pub head_check: Option<Check>,
    pub snapshot: Option<Snapshot>,
}

/// A store that can be read from.
pub trait Give {
    /// Of the rooms in it some that were not told yet; none: that were all.
    fn rooms(&mut self) -> Result<Vec<Listed>, Fault>;

    /// None: nobody has touched it.
    fn open(&mut self, room: &RoomId) -> Result<Option<Opened>, Fault>;

    /// Some of what follows an offset, without a hole; none: it is kept no more.
    fn page(&mut self, room: &RoomId, epoch: Epoch, after: u64) -> Result<Option<Vec<Stored>>, Fault>;

    /// It is read no more for now.
    fn close(&mut self, _: &RoomId) {}
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gave {
    pub rooms: u64,
    pub records: u64,
    pub bytes: u64,
    pub damaged: Vec<RoomId>,
}

/// Damaged rooms that are named; a store that has more is beyond leaving some out.
const DAMAGED_MAX: usize = 100_000;

/// All rooms of a store. `out` is told each item, and how far it is.
pub fn give(
    store: &mut dyn Give,
    skip_damaged: bool,
    out: &mut dyn FnMut(Item, &Gave) -> Result<(), Fault>,
) -> Result<Gave, Fault> {
    let mut gave = Gave::default();
    loop {
        let some = store.rooms()?;
        if some.is_empty() {
            return Ok(gave);
        }
        for listed in some {
            // What is to be left out if it is damaged is read to its end before any of it is given.
            let whole = if skip_damaged {
                give_room(store, &listed, &mut Gave::default(), &mut |_, _| Ok(()))
            } else {
                Ok(())
            };
            let given = whole.and_then(|()| give_room(store, &listed, &mut gave, out));
            store.close(&listed.name);
            match given {
                Err(Fault::Damaged { room }) if skip_damaged && gave.damaged.len() < DAMAGED_MAX => {
                    gave.damaged.push(room);
                }
                given => given?,
            }
        }
    }
}

type Out<'a> = dyn FnMut(Item, &Gave) -> Result<(), Fault> + 'a;

fn give_room(store: &mut dyn Give, listed: &Listed, gave: &mut Gave, out: &mut Out<'_>) -> Result<(), Fault> {
    for _ in 0..AGAIN_MAX {
        let Some(opened) = store.open(&listed.name)? else { return Ok(()) };
        let Some(check) = base_check(store, &listed.name, &opened)? else { continue };
        let base = Seen { position: Position { epoch: opened.epoch, offset: opened.base }, check };
        let room = Room {
            name: listed.name.clone(),
            epoch: opened.epoch,
            base,
            snapshot: opened.snapshot.clone(),
            due: listed.due,
        };
        gave.bytes += opened.snapshot.as_ref().map_or(0, |snapshot| snapshot.data.len() as u64);
        out(Item::Room(Box::new(room)), gave)?;
        let before = gave.clone();
        match give_records(store, &listed.name, &opened, base, gave, out)? {
            Some(end) => {
                gave.rooms += 1;
                return out(Item::End(end), gave);
            }
            None => {
                *gave = before;
                out(Item::Void, gave)?;
            }
        }
    }
    let why = "its log is trimmed faster than it is read: try again when there is less to do".to_owned();
    Err(Fault::Engine { what: format!("the room {}", listed.name), why })
}

/// None: what was to be read is kept no more.
fn give_records(
    store: &mut dyn Give,
    name: &RoomId,
    opened: &Opened,
    base: Seen,
    gave: &mut Gave,
    out: &mut Out<'_>,
) -> Result<Option<Seen>, Fault> {
    let (mut at, mut check) = (opened.base, base.check);
    let damaged = || Fault::Damaged { room: name.clone() };
    while at < opened.head {
        let Some(mut records) = store.page(name, opened.epoch, at)? else { return Ok(None) };
        let most = usize::try_from(opened.head - at).unwrap_or(usize::MAX);
        records.truncate(most);
        if records.is_empty() {
            return Err(damaged());
        }
        for record in &records {
            if record.offset != at + 1 {
                return Err(damaged());
            }
            (at, check) = (record.offset, check.roll(Check::hash(&record.data)));
            let of_snapshot = opened.snapshot.as_ref().filter(|it| it.seen.position.offset == at);
            if of_snapshot.is_some_and(|it| it.seen.check != check) {
                return Err(damaged());
            }
            gave.bytes += record.data.len() as u64;
        }
        gave.records += records.len() as u64;
        out(Item::Records(records), gave)?;
    }
    if opened.head_check.is_some_and(|known| known != check) {
        return Err(damaged());
    }
    Ok(Some(Seen { position: Position { epoch: opened.epoch, offset: at }, check }))
}

/// What stands at the base; none: it has moved on. A check rolls back as it rolls on.
fn base_check(store: &mut dyn Give, name: &RoomId, opened: &Opened) -> Result<Option<Check>, Fault> {
    if let Some(check) = opened.base_check {
        return Ok(Some(check));
    }
    if opened.base == 0 {
        return Ok(Some(Check::default()));
    }
    let Some(snapshot) = &opened.snapshot else { return Err(Fault::Damaged { room: name.clone() }) };
    // From nothing, the records alone; and what the check of the snapshot has more comes from the base.
    let (mut at, upto) = (opened.base, snapshot.seen.position.offset);
    let (mut rolled, mut steps) = (Check::default(), 0_u64);
    while at < upto {
        let Some(records) = store.page(name, opened.epoch, at)? else { return Ok(None) };
        let before = at;
        for record in records.iter().take_while(|record| record.offset <= upto) {
            (at, rolled) = (record.offset, rolled.roll(Check::hash(&record.data)));
            steps += 1;
        }
        if at == before {
            return Err(Fault::Damaged { room: name.clone() });
        }
    }
    Ok(Some(snapshot.seen.check.before(rolled, steps)))
}
