//! Following and reading: the subscription first, then what is stored, so that nothing falls between.

use std::sync::Arc;

use engine::{Answer, Followed, Loaded, Read};
use vocabulary::{Epoch, Incarnation, RoomId, Seen};

use crate::node::{Node, lock};
use crate::past::{ANSWER_RECORDS_MAX, Place, Standing};
use crate::server::{Fault, Lack};

/// What is trimmed while it is read is read again from its new beginning.
const TRIES_MAX: usize = 3;

impl Node {
    pub(crate) async fn follow(
        self: &Arc<Self>,
        by: Incarnation,
        room: RoomId,
        seen: Option<Seen>,
        ticket: u64,
    ) {
        if self.hear_room(by, &room).await.is_err() {
            return crate::server::count(&self.counts.unanswered);
        }
        let around = async { tokio::join!(self.all_present(&room), self.all_soft(&room)) };
        let (outcome, (present, soft)) = tokio::join!(self.followed(&room, seen), around);
        let mut outcome = match outcome {
            Ok(outcome) => outcome,
            Err(Lack::Damaged) => Followed::Damaged,
            Err(Lack::Fault(_)) => return crate::server::count(&self.counts.unanswered),
        };
        let Ok(here) = present else { return crate::server::count(&self.counts.unanswered) };
        match &mut outcome {
            Followed::Loaded(Loaded { present, soft: values, .. })
            | Followed::Continues { present, soft: values, .. } => {
                *present = here;
                // They may be missing: they end by themselves anyhow.
                *values = soft.unwrap_or_default();
            }
            Followed::Behind | Followed::Lost | Followed::Damaged => {}
        }
        self.answer(by, Answer::Followed { room, ticket, outcome }).await;
    }

    async fn followed(&self, room: &RoomId, seen: Option<Seen>) -> Result<Followed, Lack> {
        let mut before: Option<Standing> = None;
        for _ in 0..TRIES_MAX {
            let standing = self.standing(room).await?;
            let outcome = match seen {
                None => self.loaded(room, &standing).await,
                Some(seen) => self.continued(room, &standing, seen).await,
            };
            let same = before.is_some_and(|before| {
                before.pointer_sequence == standing.pointer_sequence && before.base() == standing.base()
            });
            match outcome {
                Err(Lack::Damaged) if !same => before = Some(standing),
                outcome => return outcome,
            }
        }
        Err(Lack::Damaged)
    }

    async fn loaded(&self, room: &RoomId, standing: &Standing) -> Result<Followed, Lack> {
        let (head, base) = (standing.end.seen.position, standing.base().position.offset);
        let snapshot = match &standing.pointer {
            None => None,
            Some(pointer) => Some(self.snapshot(room, pointer).await?),
        };
        let from = snapshot.as_ref().map_or(base, |snapshot| snapshot.seen.position.offset);
        let records = if from == head.offset {
            Vec::new()
        } else {
            self.after(room, standing, from, ANSWER_RECORDS_MAX).await?.records
        };
        let (present, soft) = (Vec::new(), Vec::new());
        Ok(Followed::Loaded(Loaded { snapshot, base, records, head, present, soft }))
    }

    async fn continued(&self, room: &RoomId, standing: &Standing, seen: Seen) -> Result<Followed, Lack> {
        let records = match standing.place(seen) {
            Place::Lost => return Ok(Followed::Lost),
            Place::Behind => return Ok(Followed::Behind),
            Place::End => Vec::new(),
            Place::Within => {
                let after = self.after(room, standing, seen.position.offset, ANSWER_RECORDS_MAX).await?;
                if after.check != seen.check {
                    return Ok(Followed::Lost);
                }
                after.records
            }
        };
        let head = standing.end.seen.position;
        Ok(Followed::Continues { records, head, present: Vec::new(), soft: Vec::new() })
    }

    pub(crate) fn unfollow(&self, by: Incarnation, room: &RoomId) {
        let nobody_left = {
            let mut rooms = lock(&self.rooms);
            let Some(book) = rooms.get_mut(room) else { return };
            book.followers.remove(&by);
            let nobody_left = book.followers.is_empty();
            if nobody_left {
                rooms.remove(room);
            }
            nobody_left
        };
        if nobody_left {
            self.hear_no_more(room);
        }
    }

    pub(crate) async fn read(
        &self,
        by: Incarnation,
        room: RoomId,
        (epoch, after, limit): (Epoch, u64, u32),
        ticket: u64,
    ) {
        let mut outcome = self.part(&room, epoch, after, limit).await;
        if outcome == Err(Lack::Damaged) {
            // Trimmed while it was read, perhaps.
            outcome = self.part(&room, epoch, after, limit).await;
        }
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(Lack::Damaged) => Read::Damaged,
            Err(Lack::Fault(_)) => return crate::server::count(&self.counts.unanswered),
        };
        self.answer(by, Answer::Read { room, ticket, outcome }).await;
    }

    async fn part(&self, room: &RoomId, epoch: Epoch, after: u64, limit: u32) -> Result<Read, Lack> {
        let standing = self.standing(room).await?;
        let (head, base) = (standing.end.seen.position, standing.base().position.offset);
        if epoch != head.epoch || after > head.offset {
            return Ok(Read::Lost);
        }
        if after < base {
            return Ok(Read::Behind(base));
        }
        let limit = (limit as usize).min(ANSWER_RECORDS_MAX);
        if after == head.offset || limit == 0 {
            return Ok(Read::Records { records: Vec::new(), head });
        }
        let records = self.after(room, &standing, after, limit).await?.records;
        Ok(Read::Records { records, head })
    }

    /// Subscribed before anything is asked: the server hears both in this order.
    async fn hear_room(self: &Arc<Self>, by: Incarnation, room: &RoomId) -> Result<(), Fault> {
        lock(&self.rooms).entry(room.clone()).or_default().followers.insert(by);
        self.hear(room).await
    }
}
