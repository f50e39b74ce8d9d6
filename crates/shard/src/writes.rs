//! What is to be written to whom: frames into outboxes by their class, and the list of sockets to flush.

use std::collections::VecDeque;

use vocabulary::{Class, ConnectionId};

use crate::Counts;
use crate::connection::Connection;
use crate::hear::is_pong;
use crate::limits::Limits;
use crate::outbox::{Frame, Pushed, Spare};
use crate::pressure::Pressure;

pub(crate) struct Writes {
    pub limits: Limits,
    pub pressure: Pressure,
    pub spare: Spare,
    /// In the order in which they were written to; each at most once.
    dirty: VecDeque<ConnectionId>,
    queued: u64,
    dropped: u64,
    shed: u64,
    behind: u64,
    too_slow: u64,
    /// Not even the reserve had a place for them: they are cut as soon as the delivery at hand is done.
    cut: Vec<ConnectionId>,
}

impl Writes {
    pub(crate) fn new(limits: &Limits) -> Writes {
        let (spare, dirty) = (Spare::default(), VecDeque::new());
        Writes {
            limits: *limits,
            pressure: Pressure::None,
            shed: 0,
            spare,
            dirty,
            queued: 0,
            dropped: 0,
            behind: 0,
            too_slow: 0,
            cut: Vec::new(),
        }
    }

    pub(crate) fn queue(
        &mut self,
        id: ConnectionId,
        to: &mut Connection,
        frame: Frame,
        class: Class,
    ) -> Pushed {
        self.queue_row(id, to, frame, 1, class)
    }

    /// Several messages in a row in one piece, which many outboxes share.
    pub(crate) fn queue_row(
        &mut self,
        id: ConnectionId,
        to: &mut Connection,
        frames: Frame,
        messages: u32,
        class: Class,
    ) -> Pushed {
        if self.pressure.sheds(class) && !is_pong(class) {
            self.shed += 1;
            to.sheds = to.sheds.saturating_add(1);
            return Pushed::Dropped;
        }
        self.queue_kept(id, to, frames, messages, class)
    }

    /// What its member would come back for, at a higher price: the frames of records are shared, and a page is not.
    pub(crate) fn queue_kept(
        &mut self,
        id: ConnectionId,
        to: &mut Connection,
        frames: Frame,
        messages: u32,
        class: Class,
    ) -> Pushed {
        let limits = if self.pressure == Pressure::Tight { self.limits.tight() } else { self.limits };
        let pushed = to.outbox.push(&mut self.spare, frames, messages, class, &limits);
        if pushed != Pushed::Queued {
            to.sheds = to.sheds.saturating_add(1);
        }
        match pushed {
            Pushed::Queued => {
                self.queued += u64::from(messages);
                self.again(id, to);
            }
            Pushed::Dropped => self.dropped += 1,
            Pushed::Behind => self.behind += 1,
            Pushed::TooSlow => {
                self.too_slow += 1;
                self.cut.push(id);
            }
        }
        pushed
    }

    /// There is something to write; a blocked socket says itself when it can take it.
    pub(crate) fn again(&mut self, id: ConnectionId, to: &mut Connection) {
        if !to.outbox.dirty && to.outbox.blocked_since.is_none() {
            to.outbox.dirty = true;
            self.dirty.push_back(id);
        }
    }

    pub(crate) fn next(&mut self) -> Option<ConnectionId> {
        self.dirty.pop_front()
    }

    pub(crate) fn next_too_slow(&mut self) -> Option<ConnectionId> {
        self.cut.pop()
    }

    pub(crate) fn has_next(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub(crate) fn add_to(&self, counts: &mut Counts) {
        counts.frames_sent += self.queued;
        counts.signals_dropped += self.dropped;
        counts.shed += self.shed;
        counts.fell_behind += self.behind;
        counts.too_slow += self.too_slow;
    }
}

#[cfg(test)]
mod tests {
    use session::Who;
    use vocabulary::{Now, ShardId};

    use super::*;
    use crate::framing::{Opening, Stream, Wire};

    #[test]
    fn the_newest_of_a_log_is_kept_where_other_newest_words_are_shed() {
        let (limits, state) = (Limits::default(), Class::Latest(0));
        let mut writes = Writes::new(&limits);
        writes.pressure = Pressure::NoLatest;
        let wire = Wire::Events(Stream::new(Opening::default()));
        let mut to = Connection::new(Now::default(), 1, (Who::Stranger, 0), wire, None, &limits);
        let id = ConnectionId { shard: ShardId(0), slot: 0, generation: 1 };
        let frame = || Frame::from(&b"state"[..]);
        assert_eq!(writes.queue(id, &mut to, frame(), state), Pushed::Dropped);
        assert!(to.outbox.is_empty());
        assert_eq!(writes.queue_kept(id, &mut to, frame(), 1, state), Pushed::Queued);
        assert!(!to.outbox.is_empty());
    }
}
