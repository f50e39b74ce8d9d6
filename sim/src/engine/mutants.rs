//! The mistakes of an engine, made on purpose.

use engine::{Answer, Appended, Asked, Erased, Followed, Placement, Question, Read, Stored};
use vocabulary::{Incarnation, Key, Payload, Position, SLICES, Slice};

use super::{Engine, Way};
use crate::mutant::Mutant;

impl Engine {
    /// What is done to a question; an answer, if it gets no further.
    pub(super) fn mutate(&mut self, asked: &mut Asked, way: &mut Way<'_>) -> Option<Answer> {
        if self.mutant == Some(Mutant::AckBeforeAppend) && way.random.per_mille(100) {
            return stored(&asked.question);
        }
        if let (Some(Mutant::ErasedKept), Question::Erase { room, ticket, .. }) =
            (self.mutant, &asked.question)
        {
            let (room, ticket) = (room.clone(), *ticket);
            return Some(Answer::Erased { room, ticket, outcome: Erased::Gone });
        }
        let Question::Append { batch, .. } = &mut asked.question else { return None };
        match self.mutant? {
            Mutant::NoKey => {
                for parcel in &mut batch.parcels {
                    parcel.key = invented(&mut self.invented);
                }
            }
            Mutant::TwoStewards => {
                batch.guarded = false;
                for parcel in batch.parcels.iter_mut().filter(|parcel| parcel.key.is_duty()) {
                    parcel.key = invented(&mut self.invented);
                }
            }
            Mutant::StaleGuard => batch.guarded = false,
            _ => {}
        }
        None
    }

    /// What is done to an answer; whether it is said at all.
    pub(super) fn spoil(&mut self, to: Incarnation, answer: &mut Answer, way: &mut Way<'_>) -> bool {
        if self.mutant == Some(Mutant::LivingEnded)
            && let Answer::Present { present, .. } = &*answer
            && way.random.per_mille(100)
        {
            *answer = Answer::Ended { incarnation: present.by };
        }
        match (self.mutant, answer) {
            (Some(Mutant::TwoStewards), Answer::Attending { slices, .. }) => {
                *slices = (0..SLICES).map(Slice).collect();
            }
            // No mistake: leases end late for whoever was paused or cut off.
            (_, Answer::Attending { slices, .. }) if way.scenario.many_stewards => {
                let is_at_home = |slice: &Slice| slice.home(way.scenario.shards) == to.shard;
                *slices = (0..SLICES).map(Slice).filter(is_at_home).collect();
            }
            (Some(Mutant::MissedSwallowed), Answer::Missed) => return false,
            (Some(Mutant::DeadForEver), Answer::Ended { .. }) => return false,
            _ => {}
        }
        true
    }

    /// A damaged room is served all the same, with other bytes than were stored.
    pub(super) fn serve_damaged(answer: &mut Answer) {
        match answer {
            Answer::Followed { outcome: Followed::Loaded(loaded), .. } => garble(&mut loaded.records),
            Answer::Followed { outcome: Followed::Continues { records, .. }, .. }
            | Answer::Read { outcome: Read::Records { records, .. }, .. } => garble(records),
            _ => {}
        }
    }
}

/// What the engine would say of an append if it stored it, and nobody came first.
fn stored(question: &Question) -> Option<Answer> {
    let Question::Append { room, batch } = question else { return None };
    let (number, count) = (batch.number, batch.parcels.len() as u64);
    let head = batch.seen.position;
    let placements = (1..=count).map(|n| Placement::At(head.offset + n)).collect();
    let head = Position { offset: head.offset + count, ..head };
    Some(Answer::Appended { room: room.clone(), number, outcome: Appended::Stored { placements, head } })
}

fn invented(serial: &mut u64) -> Key {
    *serial += 1;
    Key::once(0, *serial)
}

/// A letter of a message's id is another one.
fn garble(records: &mut [Stored]) {
    for stored in records {
        let mut bytes = stored.data.to_vec();
        if let Some(dot) = bytes.iter().rposition(|byte| *byte == b'.')
            && let Some(next) = bytes.get_mut(dot + 1)
        {
            *next = b'x';
            stored.data = Payload::from(bytes);
        }
    }
}
