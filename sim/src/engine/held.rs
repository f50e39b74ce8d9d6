//! All that the engine holds of a room, as whoever reads it from its beginning is given it.

use engine::{Answer, Asked, Followed, Loaded, Question, Read, Stored};
use vocabulary::{Check, Now, Position, RoomId, Seen};

use super::{Engine, OBSERVER};

#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// Of the snapshot, and of every record's data.
    pub bytes: Vec<u8>,
    /// What is read rolls to what the engine takes for its own past.
    pub proves_itself: bool,
}

impl Engine {
    /// Nothing is asked of it any more after that.
    pub(crate) fn hold_still(&mut self, now: Now) {
        let probes: Vec<RoomId> =
            self.ledger.rooms.keys().filter(|room| room.app() == "probe").cloned().collect();
        for room in probes {
            let held = self.all_of(now, &room);
            self.held.insert(room, held);
        }
    }

    fn observe(&mut self, now: Now, question: Question) -> Vec<Answer> {
        self.memory.handle(now, Asked { by: OBSERVER, question });
        std::iter::from_fn(|| self.memory.next_answer())
            .filter(|(to, _)| *to == OBSERVER)
            .map(|(_, answer)| answer)
            .collect()
    }

    fn all_of(&mut self, now: Now, room: &RoomId) -> Held {
        let follow = |seen| Question::Follow { room: room.clone(), seen, ticket: 0 };
        let followed = |answer| match answer {
            Answer::Followed { outcome, .. } => Some(outcome),
            _ => None,
        };
        let loaded = self.observe(now, follow(None)).into_iter().find_map(followed);
        let Some(Followed::Loaded(Loaded { snapshot, base, head, .. })) = loaded else {
            return Held::default();
        };
        let from = snapshot.as_ref().map_or(Position { offset: 0, ..head }, |it| it.seen.position);
        let check = snapshot.as_ref().map_or(Check::default(), |it| it.seen.check);
        let mut held =
            Held { bytes: snapshot.map_or(Vec::new(), |it| it.data.to_vec()), proves_itself: false };
        let (mut after, mut seen) = (base, Seen { position: from, check });
        while after < head.offset {
            let read = Question::Read { room: room.clone(), epoch: head.epoch, after, limit: 500, ticket: 0 };
            let records = self.observe(now, read).into_iter().find_map(|answer| match answer {
                Answer::Read { outcome: Read::Records { records, .. }, .. } => Some(records),
                _ => None,
            });
            let Some(records) = records.filter(|records| !records.is_empty()) else { return held };
            for Stored { offset, data, .. } in records {
                after = offset;
                held.bytes.extend_from_slice(&data);
                if offset > seen.position.offset {
                    seen.position.offset = offset;
                    seen.check = seen.check.roll(Check::hash(&data));
                }
            }
        }
        let outcome = self.observe(now, follow(Some(seen))).into_iter().find_map(followed);
        held.proves_itself = matches!(outcome, Some(Followed::Continues { .. }));
        held
    }
}
