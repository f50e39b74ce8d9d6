//! Taking: an engine is asked what a node would ask it, room after room, so that what it holds afterwards is what its own rules made.
//! Each room is proven when it is there: by its end, position and check. What was taken before is not taken twice.

use engine::{Answer, Appended, Batch, Followed, Parcel, Question, Snapshot, Stored};
use vocabulary::{Check, Epoch, Payload, Position, Seen};

use crate::linked::load;
use crate::{Asker, Fault, Item, Room};

/// In one append: what rooms append at most at once.
const BATCH_RECORDS_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 64 << 10;

/// In which epochs rooms go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epochs {
    /// Nothing was stored since elsewhere: who comes back goes on.
    Same,
    /// What was stored since is lost: each begins its next one, under this tag, and who comes back is told so.
    Next(u32),
}

pub struct Taker {
    asker: Asker,
    epochs: Epochs,
    first: Epoch,
    room: Option<Taking>,
    number: u64,
    pub rooms: u64,
    pub records: u64,
}

struct Taking {
    room: Room,
    /// In this room's epoch here: where the given records stand, and how far the store has them.
    at: Seen,
    has: u64,
    /// What the store has from a time before is not proven yet.
    unproven: bool,
    waiting: Vec<Parcel>,
    waiting_records: usize,
    waiting_bytes: usize,
}

impl Taker {
    /// `start_tag`: of the store's deployment.
    pub fn new(asker: Asker, start_tag: u32, epochs: Epochs) -> Taker {
        let first = Epoch::new(Epoch::FIRST_COUNTER, start_tag);
        Taker { asker, epochs, first, room: None, number: 0, rooms: 0, records: 0 }
    }

    pub fn take(&mut self, item: Item) -> Result<(), Fault> {
        match item {
            Item::Room(room) => self.begin(*room),
            Item::Records(records) => records.into_iter().try_for_each(|record| self.record(record)),
            Item::End(end) => self.end(end),
            // A room that comes again is gone on with; one that does not is not whole, and named by who gives.
            Item::Void => {
                self.room = None;
                Ok(())
            }
        }
    }

    fn begin(&mut self, mut room: Room) -> Result<(), Fault> {
        if let Epochs::Next(tag) = self.epochs {
            room.epoch = room.epoch.next(tag);
            room.base.position.epoch = room.epoch;
            if let Some(snapshot) = &mut room.snapshot {
                snapshot.seen.position.epoch = room.epoch;
            }
        }
        let name = room.name.clone();
        let occupied = || Fault::Occupied { room: name.clone() };
        let Some(loaded) = load(&mut self.asker, &room.name)? else {
            return Err(Fault::Damaged { room: name });
        };
        let untouched =
            loaded.head.epoch == self.first && loaded.head.offset == 0 && loaded.snapshot.is_none();
        let goes_on = loaded.head.epoch == room.epoch && loaded.head.offset >= room.base.position.offset;
        if !untouched && !goes_on {
            return Err(occupied());
        }
        if untouched {
            self.begin_epoch(&room)?;
        }
        let has = if untouched { room.base.position.offset } else { loaded.head.offset };
        let at = room.base;
        self.room = Some(Taking {
            room,
            at,
            has,
            unproven: !untouched,
            waiting: Vec::new(),
            waiting_records: 0,
            waiting_bytes: 0,
        });
        Ok(())
    }

    /// Not for a log that begins where an untouched room's does anyway.
    fn begin_epoch(&mut self, room: &Room) -> Result<(), Fault> {
        let base = room.base;
        let snapshot_at_base =
            room.snapshot.as_ref().is_some_and(|it| it.seen.position.offset == base.position.offset);
        if room.epoch == self.first && base.position.offset == 0 && !snapshot_at_base {
            return Ok(());
        }
        // Where the snapshot is newer than the base, it is stored in its place once its records are there.
        let data = room.snapshot.as_ref().map_or_else(Payload::new, |snapshot| snapshot.data.clone());
        let old = Seen { position: Position { epoch: self.first, offset: 0 }, check: Check::default() };
        let (name, base) = (room.name.clone(), Snapshot { seen: base, data });
        let began =
            self.asker.ask(
                &Question::BeginEpoch { room: name.clone(), old, base },
                |answer| match answer {
                    Answer::EpochBegan { room, epoch } if room == name => Some(epoch),
                    _ => None,
                },
            )?;
        if began == room.epoch { Ok(()) } else { Err(Fault::Occupied { room: name }) }
    }

    fn record(&mut self, record: Stored) -> Result<(), Fault> {
        let Some(taking) = &mut self.room else { return Ok(()) };
        if taking.is_at_what_it_has() {
            self.prove()?;
        }
        let Some(taking) = &mut self.room else { return Ok(()) };
        if record.offset <= taking.has {
            taking.at.position.offset = record.offset;
            taking.at.check = taking.at.check.roll(Check::hash(&record.data));
            return Ok(());
        }
        let bytes = record.data.len();
        let full = taking.waiting_records >= BATCH_RECORDS_MAX
            || (taking.waiting_records > 0 && taking.waiting_bytes + bytes > BATCH_BYTES_MAX);
        // What was stored together has one key; the same key once more is another parcel, of another time.
        let follows = taking.waiting.last().is_some_and(|parcel| parcel.key == record.key);
        let again = !follows && taking.waiting.iter().any(|parcel| parcel.key == record.key);
        if full || again {
            self.flush()?;
        }
        let Some(taking) = &mut self.room else { return Ok(()) };
        taking.waiting_records += 1;
        taking.waiting_bytes += bytes;
        match taking.waiting.last_mut().filter(|parcel| parcel.key == record.key) {
            Some(parcel) => parcel.records.push(record.data),
            None => taking.waiting.push(Parcel { key: record.key, records: vec![record.data] }),
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let Some(taking) = &mut self.room else { return Ok(()) };
        if taking.waiting.is_empty() {
            return Ok(());
        }
        self.number += 1;
        let (seen, mine) = (taking.at, self.number);
        let parcels = std::mem::take(&mut taking.waiting);
        let records = std::mem::take(&mut taking.waiting_records) as u64;
        taking.waiting_bytes = 0;
        let check = parcels.iter().flat_map(|parcel| &parcel.records);
        let check = check.fold(seen.check, |check, data| check.roll(Check::hash(data)));
        let head = Position { offset: seen.position.offset + records, ..seen.position };
        let batch = Batch { number: mine, seen, guarded: false, parcels, due: None };
        let name = taking.room.name.clone();
        let outcome =
            self.asker.ask(&Question::Append { room: name.clone(), batch }, |answer| match answer {
                Answer::Appended { number, outcome, .. } if number == mine => Some(outcome),
                _ => None,
            })?;
        match outcome {
            Appended::Stored { head: stored, .. } if stored == head => {}
            Appended::Refused => {
                let why = "it takes no more: give it room, and run this once more".to_owned();
                return Err(Fault::Engine { what: format!("the room {name}"), why });
            }
            _ => return Err(Fault::Differs { room: name }),
        }
        if let Some(taking) = &mut self.room {
            taking.at = Seen { position: head, check };
            taking.has = head.offset;
        }
        self.records += records;
        Ok(())
    }

    /// What the store has of the room is what was given, up to there: it goes on from it, and has nothing more.
    fn prove(&mut self) -> Result<(), Fault> {
        let Some(taking) = &mut self.room else { return Ok(()) };
        taking.unproven = false;
        let (name, seen) = (taking.room.name.clone(), taking.at);
        let asked = self.asker.next_ticket();
        let follow = Question::Follow { room: name.clone(), seen: Some(seen), ticket: asked };
        let outcome = self.asker.ask(&follow, |answer| match answer {
            Answer::Followed { ticket, outcome, .. } if ticket == asked => Some(outcome),
            _ => None,
        })?;
        match outcome {
            Followed::Continues { head, records, .. } if head == seen.position && records.is_empty() => {
                Ok(())
            }
            _ => Err(Fault::Differs { room: name }),
        }
    }

    fn end(&mut self, end: Seen) -> Result<(), Fault> {
        self.flush()?;
        let Some(taking) = &self.room else { return Ok(()) };
        let name = taking.room.name.clone();
        if (end.position.offset, end.check) != (taking.at.position.offset, taking.at.check)
            || taking.has != end.position.offset
        {
            return Err(Fault::Differs { room: name });
        }
        let (head, base, due) = (taking.at.position, taking.room.base.position.offset, taking.room.due);
        if let Some(snapshot) = taking.room.snapshot.clone().filter(|it| it.seen.position.offset > base) {
            let at = snapshot.seen.position;
            let store = Question::Store { room: name.clone(), snapshot, forget_upto: base };
            let kept = self.asker.ask(&store, |answer| match answer {
                Answer::Stored { room, kept } if room == name => Some(kept),
                _ => None,
            })?;
            if kept != Some(at) {
                return Err(Fault::Differs { room: name });
            }
        }
        if due.is_some() {
            self.asker.tell(Question::Settle { room: name.clone(), at: head, due })?;
        }
        self.prove()?;
        self.asker.tell(Question::Unfollow { room: name })?;
        self.room = None;
        self.rooms += 1;
        Ok(())
    }
}

impl Taking {
    fn is_at_what_it_has(&self) -> bool {
        self.unproven && self.at.position.offset == self.has
    }
}
