//! When rooms are due: said by the log's messages, settled beside it, known here for the slices that a shard of this node is
//! steward of. What is kept here is a copy, read anew with every slice that comes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use async_nats::HeaderMap;
use bytes::Bytes;
use engine::Answer;
use serde_json::json;
use vocabulary::{Incarnation, Position, RoomId, Slice, Wall};

use crate::append::{DUE, due_of_header};
use crate::message::Due;
use crate::node::{Node, lock};
use crate::server::{Fault, Got, Lack};
use crate::wire::{Reader, Writer};

/// More slices than that are read at once, with all others.
const SLICES_ONE_BY_ONE_MAX: usize = 16;

#[derive(Default)]
pub(crate) struct Known {
    pub(crate) said: Option<Due>,
    pub(crate) settled: Option<(Position, Option<Wall>)>,
    /// The index by time agrees with this.
    pub(crate) listed: Option<Wall>,
}

impl Known {
    pub(crate) fn due(&self) -> Option<Wall> {
        match (self.said, self.settled) {
            (Some(said), Some((at, due))) if at >= said.said_at => due,
            (Some(said), _) => Some(said.wall),
            (None, settled) => settled.and_then(|(_, due)| due),
        }
    }
}

#[derive(Default)]
pub(crate) struct Agenda {
    held: BTreeSet<Slice>,
    /// Something may have been missed.
    pub(crate) stale: bool,
    /// When what was read is read once more, because the replica that was asked may have lagged behind.
    again: Option<Instant>,
    rooms: BTreeMap<RoomId, Known>,
    times: BTreeSet<(Wall, RoomId)>,
}

impl Agenda {
    pub(crate) fn said(&mut self, room: &RoomId, due: Due) {
        self.change(room, |known| {
            if known.said.is_none_or(|old| old.said_at <= due.said_at) {
                known.said = Some(due);
            }
        });
    }

    fn settled(&mut self, room: &RoomId, at: Position, due: Option<Wall>) {
        self.change(room, |known| {
            if known.settled.is_none_or(|(old, _)| old <= at) {
                known.settled = Some((at, due));
            }
        });
    }

    fn change(&mut self, room: &RoomId, change: impl FnOnce(&mut Known)) {
        if !self.held.contains(&room.slice()) {
            return;
        }
        let known = self.rooms.entry(room.clone()).or_default();
        change(known);
        let due = known.due();
        if let Some(old) = std::mem::replace(&mut known.listed, due) {
            self.times.remove(&(old, room.clone()));
        }
        if let Some(due) = due {
            self.times.insert((due, room.clone()));
        }
    }

    fn drop_slices(&mut self, slices: &BTreeSet<Slice>) {
        self.rooms.retain(|room, _| !slices.contains(&room.slice()));
        self.times.retain(|(_, room)| !slices.contains(&room.slice()));
        self.held.retain(|slice| !slices.contains(slice));
    }

    fn due(&self, slices: &BTreeSet<Slice>, horizon: Wall) -> Vec<RoomId> {
        let due = self.times.iter().take_while(|(at, _)| *at <= horizon);
        due.filter(|(_, room)| slices.contains(&room.slice())).map(|(_, room)| room.clone()).collect()
    }
}

impl Node {
    pub(crate) async fn settle(&self, room: RoomId, at: Position, due: Option<Wall>) {
        if self.try_settle(&room, at, due).await.is_err() {
            // It stays due: somebody looks once more.
            crate::server::count(&self.counts.unanswered);
        }
    }

    async fn try_settle(&self, room: &RoomId, at: Position, due: Option<Wall>) -> Result<(), Lack> {
        let known = lock(&self.rooms).get(room).and_then(|book| book.end);
        let end = match known {
            Some(end) if end.seen.position == at => end,
            _ => self.end(room).await?,
        };
        if end.seen.position != at || end.sequence == 0 {
            return Ok(());
        }
        let mut to = Writer::default();
        to.position(at);
        to.u8(u8::from(due.is_some()));
        to.i64(due.unwrap_or_default().0);
        self.server.publish(self.names.settled_of(room), None, HeaderMap::new(), to.done()).await?;
        lock(&self.agenda).settled(room, at, due);
        Ok(())
    }

    /// A message of a room's log was heard.
    pub(crate) async fn hear_due(&self, room: &RoomId, due: Due, is_new: bool) {
        let holds = {
            let mut agenda = lock(&self.agenda);
            agenda.said(room, due);
            agenda.held.contains(&room.slice())
        };
        let steward = lock(&self.living).steward(room.slice());
        if is_new
            && holds
            && let Some(steward) = steward
            && self.is_local(steward)
        {
            self.answer(steward, Answer::Due { room: room.clone() }).await;
        }
    }

    pub(crate) fn is_local(&self, id: Incarnation) -> bool {
        lock(&self.locals).get(&(id.node, id.shard)) == Some(&id)
    }

    /// The slices of an asker, and its rooms that are due within the lease.
    pub(crate) fn attending(&self, by: Incarnation) -> (Vec<Slice>, Vec<RoomId>) {
        let slices = lock(&self.living).slices(|steward| steward == by);
        let horizon = self.wall() + self.config.lease;
        let due = lock(&self.agenda).due(&slices.iter().copied().collect(), horizon);
        (slices, due)
    }

    /// Hears and reads what the shards here are steward of now.
    pub(crate) async fn cover(self: &Arc<Self>) -> Result<(), Fault> {
        let _one_at_a_time = self.covering.lock().await;
        let locals: BTreeSet<Incarnation> = lock(&self.locals).values().copied().collect();
        let mine: BTreeSet<Slice> =
            lock(&self.living).slices(|steward| locals.contains(&steward)).into_iter().collect();
        let (gained, lost, stale) = {
            let mut agenda = lock(&self.agenda);
            let again = agenda.again.take_if(|again| *again <= Instant::now()).is_some();
            let stale = std::mem::take(&mut agenda.stale) || again;
            let gained: BTreeSet<Slice> =
                if stale { mine.clone() } else { mine.difference(&agenda.held).copied().collect() };
            let lost: BTreeSet<Slice> = agenda.held.difference(&mine).copied().collect();
            agenda.drop_slices(&lost);
            if self.config.replicas > 1 && !gained.is_empty() && !again {
                agenda.again = Some(Instant::now() + self.config.lease);
            }
            (gained, lost, stale)
        };
        if !lost.is_empty() {
            self.leave_slices(&lost).await;
        }
        if gained.is_empty() {
            return Ok(());
        }
        let read = self.read_slices(&gained).await;
        if read.is_err() {
            let mut agenda = lock(&self.agenda);
            agenda.drop_slices(&gained);
            agenda.stale |= stale;
        }
        read
    }

    async fn read_slices(self: &Arc<Self>, slices: &BTreeSet<Slice>) -> Result<(), Fault> {
        self.hear_slices(slices).await?;
        // From here on what is heard is kept.
        lock(&self.agenda).held.extend(slices.iter().copied());
        if slices.len() > SLICES_ONE_BY_ONE_MAX {
            return self.read_agenda(&self.names.all_logs(), &self.names.all_settled()).await;
        }
        for slice in slices {
            self.read_agenda(&self.names.logs_of_slice(*slice), &self.names.settled_of_slice(*slice)).await?;
        }
        Ok(())
    }

    async fn read_agenda(&self, logs: &str, settled: &str) -> Result<(), Fault> {
        let said = |got: Got, headers: Option<&HeaderMap>| {
            let due =
                headers.and_then(|headers| headers.get(DUE)).and_then(|due| due_of_header(due.as_str()));
            if let (Some((room, _)), Some(due)) = (self.names.room_of(&got.subject), due) {
                lock(&self.agenda).said(&room, due);
            }
            true
        };
        let lasts = json!({
            "deliver_policy": "last_per_subject", "filter_subject": logs, "headers_only": true,
        });
        self.server.consume(&self.names.log, lasts, u64::MAX, said).await?;
        let known = |got: Got, _: Option<&HeaderMap>| {
            if let (Some((room, _)), Some((at, due))) =
                (self.names.room_of(&got.subject), settlement(got.data))
            {
                lock(&self.agenda).settled(&room, at, due);
            }
            true
        };
        let lasts = json!({ "deliver_policy": "last_per_subject", "filter_subject": settled });
        self.server.consume(&self.names.state, lasts, u64::MAX, known).await
    }
}

pub(crate) fn settlement(data: Bytes) -> Option<(Position, Option<Wall>)> {
    let mut from = Reader(data);
    let (at, is_due, due) = (from.position()?, from.u8()?, from.i64()?);
    Some((at, (is_due == 1).then_some(Wall(due))))
}
