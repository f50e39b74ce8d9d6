//! A room's log on this node, folded: the app's state, the position and check it stands at, the keys it has seen, and
//! the ring of its newest records. Only grows in order, one record at a time.

use std::collections::VecDeque;
use std::time::Duration;

use app::{Applied, Fold, Host, Panicked};
use engine::{Format, Snapshot, Stored};
use vocabulary::{Check, Epoch, Payload, Position, Record, RoomId, Seen, Wall};

use crate::format::{self, Written};
use crate::keys::Keys;
use crate::limits::Limits;
use crate::marks::Marks;
use crate::sunk;

/// However large a snapshot is, it is written when this many times the records or bytes for one have come: more would take longer
/// to fold again than anybody should wait for a room.
const LATE: u64 = 4;

pub(crate) struct Log {
    pub fold: Box<dyn Fold>,
    head: Seen,
    at: Wall,
    keys: Keys,
    ring: VecDeque<Record>,
    ring_bytes: usize,
    fresh: Fresh,
    /// What the last snapshot took.
    saved_bytes: usize,
    marks: Marks,
    /// How long records are kept, if not for as long as there is place.
    span: Option<Duration>,
    /// Where what is said leaves for, and the last record that may be for it.
    sink: Option<&'static str>,
    owed: u64,
}

/// Recorded since the last snapshot.
#[derive(Clone, Copy, Debug, Default)]
struct Fresh {
    records: u64,
    bytes: usize,
}

impl Fresh {
    /// When enough was recorded: as much as the last snapshot took, and a record for every four keys. So snapshots are no more
    /// to write than records are, and little more to put together.
    fn is_snapshot_due(self, saved_bytes: usize, keys: u64, limits: &Limits) -> bool {
        let Fresh { records, bytes } = self;
        let enough = records >= limits.snapshot_records || bytes >= limits.snapshot_bytes;
        let worth_it = bytes >= saved_bytes && records >= keys / 4;
        let late = records >= limits.snapshot_records * LATE
            || bytes >= limits.snapshot_bytes.max(saved_bytes) * LATE as usize;
        (enough && worth_it) || late
    }
}

/// Why there is no log to be had of what the engine holds.
pub(crate) enum Unopened {
    Unreadable,
    Panicked(Panicked),
}

/// Why what was read is folded no further.
pub(crate) enum Unfolded {
    Panicked(Panicked),
    /// What comes next was erased.
    Erased,
}

/// Why there is no snapshot.
pub(crate) enum Unsaved {
    Panicked(Panicked),
    TooLarge(usize),
}

/// What one more record was.
pub(crate) enum Grown {
    Record(Record, Applied),
    /// Of a version that this build cannot read: kept, skipped, counted.
    Foreign,
    /// How far a sink has come.
    Sunk,
}

impl Log {
    /// From a snapshot, or from the start of an epoch.
    pub(crate) fn open(
        host: &dyn Host,
        room: &RoomId,
        snapshot: Option<&Snapshot>,
        epoch: Epoch,
        span: Option<Duration>,
        sink: Option<&'static str>,
    ) -> Result<Log, Unopened> {
        let (fold, head, at, keys, marks) = match snapshot {
            None => {
                let start = Seen { position: Position { epoch, offset: 0 }, check: Check::default() };
                let fold = host.start(room).map_err(Unopened::Panicked)?;
                (fold, start, Wall::default(), Keys::default(), Marks::default())
            }
            Some(snapshot) => {
                let saved = format::read_snapshot(&snapshot.data).map_err(|_| Unopened::Unreadable)?;
                let loaded = host.load(room, &saved.app).map_err(Unopened::Panicked)?;
                let fold = loaded.map_err(|_| Unopened::Unreadable)?;
                (fold, snapshot.seen, saved.at, Keys::of(saved.keys), saved.marks)
            }
        };
        Ok(Log {
            fold,
            head,
            at,
            keys,
            ring: VecDeque::new(),
            ring_bytes: 0,
            fresh: Fresh::default(),
            saved_bytes: snapshot.map_or(0, |snapshot| snapshot.data.len()),
            marks,
            span,
            sink,
            // What came before is known record by record no more.
            owed: head.position.offset,
        })
    }

    pub(crate) fn seen(&self) -> Seen {
        self.head
    }

    pub(crate) fn head(&self) -> Position {
        self.head.position
    }

    /// The time of the last record; the next one's is not before it.
    pub(crate) fn at(&self) -> Wall {
        self.at
    }

    /// How far the sink has come by what is kept, and up to where there may be something for it.
    pub(crate) fn sunk(&self) -> Option<(u64, u64)> {
        let epoch = self.head.position.epoch;
        let sunk = self.keys.highest(&sunk::log(self.sink?), epoch.0).unwrap_or(0);
        Some((sunk, self.owed))
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The next record of the log. `stored` must be the one after the head; the caller keeps order. `written`: what its
    /// bytes say, if that is known.
    pub(crate) fn grow(
        &mut self,
        stored: Stored,
        written: Option<Written>,
        limits: &Limits,
    ) -> Result<Grown, Panicked> {
        debug_assert_eq!(stored.offset, self.head.position.offset + 1, "a log grows in order");
        let position = Position { epoch: self.head.position.epoch, offset: stored.offset };
        self.head = Seen { position, check: self.head.check.roll(Check::hash(&stored.data)) };
        self.fresh.records += 1;
        self.fresh.bytes += stored.key.as_str().len() + stored.data.len();
        if self.sink.is_some_and(|sink| sunk::is_owed(sink, &stored.key)) {
            self.owed = stored.offset;
        }
        let Ok(written) = written.map_or_else(|| format::read_record(&stored.data), Ok) else {
            self.keys.remember(self.at, stored.key, position, limits.keys_max, limits.key_age_max);
            return Ok(Grown::Foreign);
        };
        self.at = self.at.max(written.at);
        if let Some(span) = self.span {
            self.marks.note(self.at, stored.offset, span);
        }
        let is_sunk = sunk::is_cursor(&stored.key);
        self.keys.remember(self.at, stored.key, position, limits.keys_max, limits.key_age_max);
        if is_sunk {
            return Ok(Grown::Sunk);
        }
        let record = Record {
            position,
            at: self.at,
            kind: written.kind,
            author: written.author,
            touches: written.touches,
            body: written.body,
        };
        let applied = self.fold.apply(&record)?;
        self.keep(record.clone(), limits);
        Ok(Grown::Record(record, applied))
    }

    fn keep(&mut self, record: Record, limits: &Limits) {
        self.ring_bytes += record.body.len();
        self.ring.push_back(record);
        while self.ring.len() > limits.ring_records_max || self.ring_bytes > limits.ring_bytes_max {
            if let Some(oldest) = self.ring.pop_front() {
                self.ring_bytes -= oldest.body.len();
            }
        }
    }

    /// What the app says is erased is not kept in front of the log either.
    pub(crate) fn erase_in_ring(&mut self) -> Result<(), Panicked> {
        let (fold, mut panicked) = (&self.fold, Ok(()));
        self.ring.retain(|record| match fold.is_erased(record) {
            Ok(erased) => !erased,
            Err(why) => {
                panicked = Err(why);
                true
            }
        });
        self.ring_bytes = self.ring.iter().map(|record| record.body.len()).sum();
        panicked
    }

    /// The records after an offset, if the ring still reaches back that far. Foreign and erased records are not in the ring, so
    /// the offsets in it may have holes.
    pub(crate) fn ring_after(&self, offset: u64) -> Option<impl Iterator<Item = &Record>> {
        let reaches = self.head.position.offset == offset
            || self.ring.front().is_some_and(|oldest| oldest.position.offset <= offset + 1);
        reaches.then(|| {
            let from = self.ring.partition_point(|record| record.position.offset <= offset);
            self.ring.range(from..)
        })
    }

    /// Whether another record stands at that place here. As far back as the ring reaches; a loss is found at its end.
    pub(crate) fn contradicts(&self, stored: &Stored) -> bool {
        let at = self.ring.partition_point(|record| record.position.offset < stored.offset);
        let mine = self.ring.get(at).filter(|record| record.position.offset == stored.offset);
        let Some((mine, theirs)) = mine.zip(format::read_record(&stored.data).ok()) else { return false };
        (&mine.kind, &mine.author, &mine.body) != (&theirs.kind, &theirs.author, &theirs.body)
    }

    /// Up to which offset all is older than what is kept.
    pub(crate) fn passed(&self, now: Wall) -> u64 {
        self.span.map_or(0, |span| self.marks.passed(now, span))
    }

    pub(crate) fn forgets(&mut self, upto: u64) {
        self.marks.forget(upto);
    }

    pub(crate) fn wants_snapshot(&self, limits: &Limits) -> bool {
        self.fresh.is_snapshot_due(self.saved_bytes, self.keys.len(), limits)
    }

    /// An app that cannot be saved is tried again when as much again was recorded.
    pub(crate) fn snapshot(&mut self, format: Format, limits: &Limits) -> Result<Snapshot, Unsaved> {
        self.fresh = Fresh::default();
        let app = self.fold.save().map_err(Unsaved::Panicked)?;
        if app.len() > limits.save_bytes_max {
            return Err(Unsaved::TooLarge(app.len()));
        }
        let snapshot = self.snapshot_of(format, &app, self.head);
        self.saved_bytes = snapshot.data.len();
        Ok(snapshot)
    }

    fn snapshot_of(&self, format: Format, app: &Payload, seen: Seen) -> Snapshot {
        let data =
            format::write_snapshot(format, seen, self.at, self.keys.all().into_iter(), &self.marks, app);
        Snapshot { seen, data }
    }

    /// What a new epoch would start from: this state, before the first record. However large it is, without it the room
    /// could not go on.
    pub(crate) fn base_of(&self, format: Format, epoch: Epoch) -> Result<Snapshot, Panicked> {
        let seen = Seen { position: Position { epoch, offset: 0 }, check: Check::default() };
        // What it marks is of the epoch that ends.
        let (marks, app) = (Marks::default(), self.fold.save()?);
        let data = format::write_snapshot(format, seen, self.at, self.keys.all().into_iter(), &marks, &app);
        Ok(Snapshot { seen, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_when_it_is_worth_it_and_at_the_latest_when_reading_would_take_long() {
        let limits = Limits::default();
        let (k, many) = (1 << 10, 10_000);
        for (what, records, bytes, saved_bytes, keys, due) in [
            ("too little", 399, 255 * k, 0, 0, false),
            ("enough records", 400, 50 * k, 0, 0, true),
            ("few, and large", 4, 256 * k, 0, 0, true),
            ("less than the last one took", 400, 90 * k, 91 * k, 0, false),
            ("as much", 400, 91 * k, 91 * k, 0, true),
            ("many keys to put together", 1599, 250 * k, 90 * k, many, false),
            ("a record for every four", 1500, 250 * k, 90 * k, 6000, true),
            ("late by records", 1600, 50 * k, 800 * k, many, true),
            ("late by bytes", 32, 1024 * k, 90 * k, many, true),
            ("late beside a large one", 32, 2048 * k, 512 * k, many, true),
            ("not yet", 32, 2047 * k, 512 * k, many, false),
        ] {
            let fresh = Fresh { records, bytes };
            assert_eq!(fresh.is_snapshot_due(saved_bytes, keys, &limits), due, "{what}");
        }
    }
}
