//! What is told to everybody who is connected, a few at a time: an announcement to a hundred thousand must not hold up what
//! they tell each other.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::Item;
use vocabulary::{Class, Now, Payload, Position, Tick, Wall};

use crate::Shard;
use crate::framing::Framing;
use crate::outbox::Frame;

/// Connections told in one step, and the time between two: five thousand a second and shard.
const STEP: usize = 50;
const PAUSE: Duration = Duration::from_millis(10);
/// Announcements on their way. Whoever sends more is not announcing.
const WAITING_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub payload: Payload,
    pub position: Position,
    pub at: Wall,
}

#[derive(Default)]
pub(crate) struct Announcements {
    /// Each with the slot from which on it is still to be told.
    waiting: VecDeque<(Announcement, u32)>,
    next: Tick,
}

impl Announcements {
    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        (!self.waiting.is_empty()).then_some(self.next)
    }
}

impl Shard {
    pub(crate) fn announced(&mut self, now: Now, announcement: Announcement) {
        if self.announcements.waiting.len() >= WAITING_MAX {
            self.counts.announcements_dropped += 1;
            return;
        }
        self.announcements.waiting.push_back((announcement, 0));
        self.announcements.next = self.announcements.next.max(now.tick);
    }

    /// The oldest goes a step further.
    pub(crate) fn announce(&mut self, now: Now) {
        if self.announcements.next > now.tick {
            return;
        }
        let Some((announcement, from)) = self.announcements.waiting.pop_front() else { return };
        self.announcements.next = now.tick + PAUSE;
        let Announcement { payload, position, at } = &announcement;
        let item = Item::Announced { payload, position: *position, at: *at };
        let Shard { connections, mounts, pen, writes, counts, .. } = self;
        let mut made: Vec<((u8, Framing), Option<Frame>)> = Vec::new();
        let (mut told, mut next) = (0, None);
        for (slot, connection) in connections.iter_from(from) {
            if told == STEP {
                next = Some(slot);
                break;
            }
            told += 1;
            let hears = connection.user.is_some() && !connection.wire.is_opening();
            if connection.session.ended().is_some() || !hears {
                continue;
            }
            let kind = (connection.mount, connection.wire.framing());
            let frame = match made.iter().find(|(other, _)| *other == kind) {
                Some((_, frame)) => frame.clone(),
                None => {
                    let frame = mounts[usize::from(kind.0)].frame(pen, kind.1, &item);
                    counts.frames_encoded += u64::from(frame.is_some());
                    made.push((kind, frame.clone()));
                    frame
                }
            };
            if let Some(frame) = frame {
                let id = vocabulary::ConnectionId { shard: self.id, slot, generation: connection.generation };
                let _ = writes.queue(id, connection, frame, Class::Signal);
            }
        }
        if let Some(next) = next {
            self.announcements.waiting.push_front((announcement, next));
        }
    }
}
