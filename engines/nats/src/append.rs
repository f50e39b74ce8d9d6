//! Appending: one message a batch, stored only where the subject's last sequence is the one that was looked at. Nothing is
//! acked that the server has not acked.

use std::collections::BTreeMap;

use async_nats::HeaderMap;
use engine::{Answer, Appended, Batch, Parcel, Placement};
use vocabulary::{Incarnation, Key, Position, RoomId, Seen};

use crate::book::End;
use crate::message::{Due, Message};
use crate::node::{Node, lock};
use crate::past::{ANSWER_RECORDS_MAX, Place};
use crate::server::{Fault, Lack, chance};

/// Races that one asking runs; who loses more is not answered, and asks again.
const RACES_MAX: u32 = 32;
/// Records between what was seen and the end that are looked through for keys. Who is further behind reads first.
const BEHIND_RECORDS_MAX: u64 = 10_000;
/// Rooms with a batch of which it is not known whether it was stored: one a room and shard.
const DOUBTS_MAX: usize = 100_000;

/// What came after the asker's past: keys and their offsets.
enum Since {
    Known(End, Vec<(Key, u64)>),
    Outcome(Appended),
}

impl Node {
    pub(crate) async fn append(&self, by: Incarnation, room: RoomId, batch: Batch) {
        let number = batch.number;
        let outcome = self.stored(by, &room, &batch).await;
        let in_doubt = {
            let mut doubts = lock(&self.doubts);
            match &outcome {
                Ok(_) | Err(Lack::Damaged) => {
                    doubts.remove(&(room.clone(), by));
                }
                Err(_) => {}
            }
            doubts.len() >= DOUBTS_MAX || doubts.contains_key(&(room.clone(), by))
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            // It reads the room again, and hears then what is the matter.
            Err(Lack::Damaged) => Appended::Lost,
            Err(Lack::Fault(Fault::Refused(_) | Fault::StreamFull(_) | Fault::TooLarge(_))) if !in_doubt => {
                Appended::Refused
            }
            Err(Lack::Fault(Fault::NotSent)) if !in_doubt && self.server.is_shut() => Appended::Refused,
            Err(Lack::Fault(_)) => return crate::server::count(&self.counts.unanswered),
        };
        self.answer(by, Answer::Appended { room, number, outcome }).await;
    }

    async fn stored(&self, by: Incarnation, room: &RoomId, batch: &Batch) -> Result<Appended, Lack> {
        let mut known = lock(&self.rooms).get(room).and_then(|book| book.since(batch.seen));
        let mut lost: Option<(End, Vec<(Key, u64)>)> = None;
        for race in 0..RACES_MAX {
            let was_known = known.is_some();
            let (end, since) = match known.take() {
                Some(known) => known,
                None => match self.since_race(room, batch.seen, lost.take()).await? {
                    Since::Known(end, since) => (end, since),
                    Since::Outcome(outcome) => return Ok(outcome),
                },
            };
            let head = end.seen.position;
            let duplicates = duplicates(&batch.parcels, &since, head);
            let all_known = duplicates.len() == batch.parcels.len();
            if was_known && (all_known || (batch.guarded && batch.seen != end.seen)) {
                // What is remembered decides nothing alone: no write would find that it is old.
                continue;
            }
            // Keys before the guard: a batch that is asked again finds itself, not a conflict with itself.
            if all_known {
                let placements = duplicates.into_values().map(Placement::Duplicate).collect();
                return Ok(Appended::Stored { placements, head });
            }
            if batch.guarded && batch.seen != end.seen {
                return Ok(Appended::Conflict { head });
            }
            let message = fresh(by, batch, end, &duplicates);
            match self.publish_message(room, end, &message).await {
                Ok(sequence) => {
                    if let Some(book) = lock(&self.rooms).get_mut(room) {
                        book.note(sequence, &message);
                    }
                    let placements = placements(batch, &duplicates, end.seen);
                    return Ok(Appended::Stored { placements, head: message.after.position });
                }
                Err(Fault::Raced) => {
                    if let Some(book) = lock(&self.rooms).get_mut(room) {
                        book.forget();
                    }
                    lost = Some((end, since));
                    // Rivals that lose together must not come back together.
                    let most = 1 << race.min(5);
                    tokio::time::sleep(std::time::Duration::from_micros(chance() % (200 * most))).await;
                }
                Err(fault) => {
                    if let Some(book) = lock(&self.rooms).get_mut(room) {
                        book.forget();
                    }
                    let mut doubts = lock(&self.doubts);
                    if matches!(fault, Fault::Unanswered(_)) && doubts.len() < DOUBTS_MAX {
                        doubts.insert((room.clone(), by), batch.number);
                    }
                    return Err(fault.into());
                }
            }
        }
        // All of them said that nothing was stored.
        Err(Fault::Raced.into())
    }

    /// Where due, it says so outside too: who looks for duties reads no bodies.
    pub(crate) async fn publish_message(
        &self,
        room: &RoomId,
        end: End,
        message: &Message,
    ) -> Result<u64, Fault> {
        let mut headers = HeaderMap::new();
        if let Some(due) = message.due {
            headers.insert(DUE, header_of(due));
        }
        let (subject, body) = (self.names.log_of(room), message.encode());
        let bytes = body.len();
        let stored = self.server.publish(subject, Some(end.sequence), headers, body).await;
        self.server.appended(bytes, &stored);
        stored
    }

    /// Who lost a race has read all up to there, and reads on.
    async fn since_race(
        &self,
        room: &RoomId,
        seen: Seen,
        lost: Option<(End, Vec<(Key, u64)>)>,
    ) -> Result<Since, Lack> {
        if let Some((end, mut since)) = lost
            && let Since::Known(now, more) = self.since(room, end.seen, end.sequence + 1).await?
        {
            since.extend(more);
            return Ok(Since::Known(now, since));
        }
        self.since(room, seen, 0).await
    }

    /// `sequence`: at or before the message that comes next, if that is known.
    async fn since(&self, room: &RoomId, seen: Seen, sequence: u64) -> Result<Since, Lack> {
        let mut standing = self.standing(room).await?;
        standing.hint = (seen.position.offset, sequence);
        let end = standing.end;
        let outcome = |outcome| Ok(Since::Outcome(outcome));
        match standing.place(seen) {
            Place::End => return Ok(Since::Known(end, Vec::new())),
            Place::Lost => return outcome(Appended::Lost),
            Place::Behind => return outcome(Appended::Behind),
            Place::Within => {}
        }
        if end.seen.position.offset - seen.position.offset > BEHIND_RECORDS_MAX {
            return outcome(Appended::Behind);
        }
        let (mut at, mut since) = (seen.position.offset, Vec::new());
        while at < end.seen.position.offset {
            let after = match self.after(room, &standing, at, ANSWER_RECORDS_MAX).await {
                Ok(after) => after,
                // Trimmed meanwhile, perhaps: then the base has moved.
                Err(Lack::Damaged) if self.standing(room).await?.base() != standing.base() => {
                    return outcome(Appended::Behind);
                }
                Err(lack) => return Err(lack),
            };
            if at == seen.position.offset && after.check != seen.check {
                return outcome(Appended::Lost);
            }
            since.extend(after.records.iter().map(|stored| (stored.key.clone(), stored.offset)));
            at = since.last().map_or(u64::MAX, |(_, offset)| *offset);
        }
        Ok(Since::Known(end, since))
    }
}

pub(crate) const DUE: &str = "Kulkul-Due";

fn header_of(due: Due) -> String {
    format!("{} {} {}", due.wall.0, due.said_at.epoch, due.said_at.offset)
}

pub(crate) fn due_of_header(text: &str) -> Option<Due> {
    let mut words = text.split(' ');
    let wall = vocabulary::Wall(words.next()?.parse().ok()?);
    let (epoch, offset) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Due { wall, said_at: Position { epoch, offset } })
}

/// Which of the parcels are there, by their number, and where their first records are.
fn duplicates(parcels: &[Parcel], since: &[(Key, u64)], head: Position) -> BTreeMap<usize, Position> {
    let mut known = BTreeMap::new();
    for (key, offset) in since {
        for (number, _) in parcels.iter().enumerate().filter(|(_, parcel)| parcel.key == *key) {
            known.entry(number).or_insert(Position { offset: *offset, ..head });
        }
    }
    known
}

fn fresh(by: Incarnation, batch: &Batch, end: End, duplicates: &BTreeMap<usize, Position>) -> Message {
    let new = batch.parcels.iter().enumerate().filter(|(number, _)| !duplicates.contains_key(number));
    let parcels = new.map(|(_, parcel)| parcel.clone()).collect();
    Message::batch(by, end.seen, end.epoch_sequence, end.due, batch.due, parcels)
}

fn placements(batch: &Batch, duplicates: &BTreeMap<usize, Position>, end: Seen) -> Vec<Placement> {
    let mut next = end.position.offset + 1;
    let place = |(number, parcel): (usize, &Parcel)| match duplicates.get(&number) {
        Some(position) => Placement::Duplicate(*position),
        None => {
            let first = next;
            next += parcel.records.len() as u64;
            Placement::At(first)
        }
    };
    batch.parcels.iter().enumerate().map(place).collect()
}
