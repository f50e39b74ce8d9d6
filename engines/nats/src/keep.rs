//! Snapshots and new epochs. What is large is stored beside, under a name of its own, and counts from the moment in which a
//! message by compare-and-set names it; only what is named no more is purged.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::{Bytes, BytesMut};
use engine::{Answer, Snapshot};
use vocabulary::{Check, Epoch, Incarnation, Position, RoomId, Seen};

use crate::message::{Body, Message};
use crate::node::{Node, count_damaged, lock};
use crate::past::{Place, Standing};
use crate::pointer::{Content, Pointer};
use crate::server::{Fault, Lack, chance};

/// What stands in the pointer itself: a small room's snapshot is one message less.
const INLINE_BYTES_MAX: usize = 64 << 10;
/// Half of what a server takes by default, and beside it our own words.
const PART_BYTES_MAX: usize = 512 << 10;
const RACES_MAX: usize = 8;
/// What cannot be purged stays, and takes place only.
const PURGE_PAUSE: Duration = Duration::from_millis(20);

impl Node {
    pub(crate) async fn store(&self, by: Incarnation, room: RoomId, snapshot: Snapshot, upto: u64) {
        let mut parts = None;
        let mut kept = Err(Fault::Raced.into());
        for _ in 0..RACES_MAX {
            kept = self.try_store(&room, &snapshot, upto, &mut parts).await;
            if kept != Err(Lack::Fault(Fault::Raced)) {
                break;
            }
        }
        match kept {
            Ok(kept) => self.answer(by, Answer::Stored { room, kept }).await,
            Err(_) => crate::server::count(&self.counts.unanswered),
        }
    }

    async fn try_store(
        &self,
        room: &RoomId,
        snapshot: &Snapshot,
        upto: u64,
        written: &mut Option<Content>,
    ) -> Result<Option<Position>, Lack> {
        let standing = self.standing(room).await?;
        let old = standing.pointer.clone();
        let old_at = old.as_ref().map(|pointer| pointer.seen.position);
        let at = snapshot.seen.position;
        let is_newer = old_at.is_none_or(|old| old.offset < at.offset);
        if standing.end.sequence == 0 || !is_newer {
            return Ok(old_at);
        }
        let Some(seen_sequence) = self.sequence_after(room, &standing, snapshot.seen).await? else {
            return Ok(old_at);
        };
        let (base, base_sequence) = self.new_base(room, &standing, snapshot.seen, upto).await?;
        let data = match written {
            Some(data) => data.clone(),
            None => written.insert(self.write(room, &snapshot.data).await?).clone(),
        };
        let hash = Check::hash(&snapshot.data);
        let pointer = Pointer { seen: snapshot.seen, base, base_sequence, seen_sequence, hash, data };
        self.publish_pointer(room, standing.pointer_sequence, &pointer).await?;
        if let Some(old) = old {
            self.forget_parts(room, &old.data).await;
        }
        self.forget_records(room, base_sequence).await;
        if base != standing.base() {
            self.forget_aside(room, base.position).await;
        }
        Ok(Some(at))
    }

    /// Of the message that holds the record after a position, or of the last one; nothing if that is not the room's past.
    async fn sequence_after(
        &self,
        room: &RoomId,
        standing: &Standing,
        seen: Seen,
    ) -> Result<Option<u64>, Lack> {
        match standing.place(seen) {
            Place::Lost | Place::Behind => Ok(None),
            Place::End => Ok(Some(standing.end.sequence)),
            Place::Within => {
                let after = self.after(room, standing, seen.position.offset, 1).await?;
                Ok((after.check == seen.check).then_some(after.sequence))
            }
        }
    }

    /// From where records count, and the message that holds the first of them. The last message always stays: a log
    /// without any is known to be lost.
    async fn new_base(
        &self,
        room: &RoomId,
        standing: &Standing,
        seen: Seen,
        upto: u64,
    ) -> Result<(Seen, u64), Lack> {
        let old = standing.base();
        let offset = upto.min(seen.position.offset);
        if offset <= old.position.offset {
            return Ok((old, standing.pointer.as_ref().map_or(0, |pointer| pointer.base_sequence)));
        }
        if offset == standing.end.seen.position.offset {
            return Ok((standing.end.seen, standing.end.sequence));
        }
        let after = self.after(room, standing, offset, 1).await?;
        let position = Position { offset, ..seen.position };
        Ok((Seen { position, check: after.check }, after.sequence))
    }

    pub(crate) async fn begin_epoch(&self, by: Incarnation, room: RoomId, old: Seen, base: Snapshot) {
        let mut written = None;
        let mut now = Err(Fault::Raced.into());
        for _ in 0..RACES_MAX {
            now = self.try_begin(by, &room, old, &base, &mut written).await;
            if now != Err(Lack::Fault(Fault::Raced)) {
                break;
            }
        }
        match now {
            Ok(epoch) => {
                if epoch != base.seen.position.epoch
                    && let Some(data) = written
                {
                    self.forget_parts(&room, &data).await;
                }
                self.answer(by, Answer::EpochBegan { room, epoch }).await;
            }
            Err(_) => crate::server::count(&self.counts.unanswered),
        }
    }

    async fn try_begin(
        &self,
        by: Incarnation,
        room: &RoomId,
        old: Seen,
        base: &Snapshot,
        written: &mut Option<Content>,
    ) -> Result<Epoch, Lack> {
        let standing = self.standing(room).await?;
        let end = standing.end;
        let (now, new) = (end.seen.position.epoch, base.seen.position.epoch);
        let in_its_own = new == now && end.sequence == 0;
        if old != end.seen || (new <= now && !in_its_own) {
            return Ok(now);
        }
        let data = match written {
            Some(data) => data.clone(),
            None => written.insert(self.write(room, &base.data).await?).clone(),
        };
        let hash = Check::hash(&base.data);
        let pointer =
            Pointer { seen: base.seen, base: base.seen, base_sequence: 0, seen_sequence: 0, hash, data };
        // What was due stays due: somebody looks, perhaps in vain.
        let due = end.due.map(|due| crate::message::Due { said_at: base.seen.position, ..due });
        let body = Body::Epoch(pointer.clone());
        let message = Message { by, before: end.seen, after: base.seen, epoch_sequence: 0, due, body };
        let sequence = self.publish_message(room, end, &message).await?;
        if let Some(book) = lock(&self.rooms).get_mut(room) {
            book.note(sequence, &message);
        }
        // From here on the epoch is there; what follows makes the next reading shorter, and the log.
        let pointer = Pointer { base_sequence: sequence, seen_sequence: sequence, ..pointer };
        if self.publish_pointer(room, standing.pointer_sequence, &pointer).await.is_ok() {
            if let Some(old) = standing.pointer {
                self.forget_parts(room, &old.data).await;
            }
            self.forget_records(room, sequence).await;
            self.forget_aside(room, base.seen.position).await;
        }
        Ok(new)
    }

    async fn publish_pointer(&self, room: &RoomId, last: u64, pointer: &Pointer) -> Result<(), Fault> {
        let subject = self.names.pointer_of(room);
        let stored = self.server.publish(subject, Some(last), HeaderMap::new(), pointer.encode()).await;
        stored.map(|_| ())
    }

    async fn write(&self, room: &RoomId, data: &Bytes) -> Result<Content, Fault> {
        if data.len() <= INLINE_BYTES_MAX {
            return Ok(Content::Inline(data.clone()));
        }
        let generation = chance();
        let part_max = PART_BYTES_MAX.min(self.server.client.max_payload() / 2).max(1);
        let mut parts = 0;
        for start in (0..data.len()).step_by(part_max) {
            let subject = self.names.snapshot_part(room, generation, &parts.to_string());
            let part = data.slice(start..data.len().min(start + part_max));
            self.server.publish(subject, Some(0), HeaderMap::new(), part).await?;
            parts += 1;
        }
        Ok(Content::Parts { generation, parts, bytes: data.len() as u64 })
    }

    pub(crate) async fn snapshot(&self, room: &RoomId, pointer: &Pointer) -> Result<Snapshot, Lack> {
        let data = match &pointer.data {
            Content::Inline(data) => data.clone(),
            Content::Parts { generation, parts, bytes } => {
                let mut whole = BytesMut::new();
                for part in 0..*parts {
                    let subject = self.names.snapshot_part(room, *generation, &part.to_string());
                    let got = self.server.next(&self.names.snapshots, &subject, 1).await?;
                    let Some(got) = got else { return Err(count_damaged(self)) };
                    whole.extend_from_slice(&got.data);
                }
                if whole.len() as u64 != *bytes {
                    return Err(count_damaged(self));
                }
                whole.freeze()
            }
        };
        if Check::hash(&data) != pointer.hash {
            return Err(count_damaged(self));
        }
        Ok(Snapshot { seen: pointer.seen, data })
    }

    async fn forget_parts(&self, room: &RoomId, data: &Content) {
        if let Content::Parts { generation, .. } = data {
            let filter = self.names.snapshot_part(room, *generation, "*");
            self.purge(&self.names.snapshots, &filter, None).await;
        }
    }

    async fn forget_records(&self, room: &RoomId, before: u64) {
        if before > 1 {
            self.purge(&self.names.log, &self.names.log_of(room), Some(before)).await;
        }
    }

    async fn purge(&self, stream: &str, filter: &str, before: Option<u64>) {
        if self.server.purge(stream, filter, before).await.is_err() {
            tokio::time::sleep(PURGE_PAUSE).await;
            // What stays is forgotten with the next snapshot, or takes place only.
            self.server.purge(stream, filter, before).await.ok();
        }
    }
}
