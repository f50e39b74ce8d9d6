//! Streams of events: how they begin, what ends them, and what is said last. A stream has one room, which it did not ask for by a
//! message, so that whatever is refused to it ends it.

use protocol::Item;
use vocabulary::{Class, CloseReason, ConnectionId, Now, Refusal};

use crate::Shard;
use crate::framing::told_of;

/// For whoever is turned away because the node ends.
const ELSEWHERE_MS: u32 = 1_000;

impl Shard {
    /// The head goes before the first word, whatever that is.
    pub(crate) fn open_stream(&mut self, id: ConnectionId) {
        let opening = self.connections.get(id).and_then(|connection| connection.wire.opens());
        if let Some(opening) = opening {
            let _ = self.push(id, opening.begins(id), Class::Control);
        }
    }

    pub(crate) fn refuse_stream(&mut self, now: Now, id: ConnectionId, refusal: &Refusal) {
        self.tell_refusal(now, id, refusal);
        let will_pass = !refusal.code.is_clients_fault();
        self.end(now, id, if will_pass { CloseReason::InternalError } else { CloseReason::Forbidden });
    }

    /// What a stream's client is told of its end beyond that it is one.
    pub(crate) fn tell_end(&mut self, now: Now, id: ConnectionId, reason: CloseReason) {
        let Some(connection) = self.connections.get(id) else { return };
        let unanswered = connection.wire.is_opening();
        let wait = || Refusal::busy(reason.retry_after_ms().unwrap_or(ELSEWHERE_MS));
        if let Some(refusal) = told_of(reason).or_else(|| unanswered.then(wait)) {
            self.tell_refusal(now, id, &refusal);
        }
    }

    /// By the answer to its request, or behind what it was told.
    fn tell_refusal(&mut self, now: Now, id: ConnectionId, refusal: &Refusal) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.session.ended().is_some() {
            return;
        }
        let room = connection.own.as_ref().map(|own| own.0.clone());
        let room = room.as_ref().map(vocabulary::RoomId::name);
        let item = Item::Refused { room, id: None, refusal, at: now.wall };
        let Some(opening) = connection.wire.opens() else { return self.send(id, &item) };
        let words = self.mounts[usize::from(connection.mount)].words(&item);
        let _ = self.push(id, opening.refuses(id, refusal, &words), Class::Control);
    }
}
