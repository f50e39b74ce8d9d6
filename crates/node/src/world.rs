//! What a shard can touch: its sockets, its siblings' boxes, and where its logs live.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::{Answer, Asked};
use mio::Registry;
use session::Authenticated;
use shard::{Full, World};
use vocabulary::{
    CallId, CloseReason, ConnectionId, Envelope, Failure, Findings, Now, Outward, Petition, Refusal, RoomId,
    Ruling, Said, ShardId, Tag, Told, Traced, Unproven,
};

use crate::authorizer::Asker;
use crate::authorizer::question::Question;
use crate::calls::Calls;
use crate::doorway::{Doorway, Hope};
use crate::facts::ShardFacts;
use crate::gate::Words;
use crate::logs::Logs;
use crate::lookout::Surveys;
use crate::mail::Mailboxes;
use crate::outlet::Outlet;
use crate::owed::Owed;
use crate::sockets::{Sockets, State};
use crate::sparing::Sparing;

/// Whether the log is to say of every broadcast that it was.
pub fn log_wants_broadcasts() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

/// Where nobody is there to ask, which the configuration does not allow.
const NOBODY_MS: u32 = 60_000;

pub(crate) struct Outside<'a> {
    pub now: Now,
    pub registry: &'a Registry,
    pub sockets: &'a mut Sockets,
    pub logs: &'a mut Logs,
    pub unsaid: &'a mut VecDeque<Said>,
    pub mailboxes: &'a Mailboxes,
    pub calls: &'a Calls,
    pub shard: ShardId,
    pub surveys: &'a Surveys,
    pub outlet: Option<&'a Outlet>,
    pub owed: &'a [(String, Arc<Owed>)],
    pub facts: &'a ShardFacts,
    /// Sockets that failed while being written to; their shard learns of it next.
    pub broken: &'a mut Vec<ConnectionId>,
    /// For failures that come as often as an app is asked.
    pub failures: &'a mut Sparing,
    pub door: &'a mut Doorway,
}

impl World for Outside<'_> {
    fn post(&mut self, to: ShardId, envelope: Envelope) -> Result<(), Full> {
        self.mailboxes.post(to, envelope)
    }

    fn ask(&mut self, asked: Asked) {
        self.logs.ask(self.now, asked);
    }

    fn answer(&mut self) -> Option<Answer> {
        self.logs.answer()
    }

    fn write(&mut self, connection: ConnectionId, bytes: &[u8]) -> usize {
        let Some(socket) = self.sockets.get(connection) else { return bytes.len() };
        match socket.write(bytes) {
            Ok(taken) => taken,
            Err(error) => {
                self.facts.failed_sends.fetch_add(1, Ordering::Relaxed);
                let words = match socket.state {
                    State::Open { mount, .. } => self.door.gate.mounts[usize::from(mount)].words,
                    State::Greeting(_) => Words::default(),
                };
                tracing::debug!(connection = connection.slot, %error, "{}", words.unsent);
                self.broken.push(connection);
                0
            }
        }
    }

    fn finish(&mut self, connection: ConnectionId) {
        if let Some(socket) = self.sockets.get(connection) {
            socket.finish();
        }
    }

    fn told(&mut self, call: CallId, told: Told) {
        self.calls.told(call, told);
    }

    fn found(&mut self, survey: u64, findings: Findings) {
        self.surveys.found(self.shard, survey, findings, self.sockets);
    }

    fn traced(&mut self, traced: Traced) {
        self.facts.trace.put(&traced);
        if let Some(outlet) = self.facts.happened.get() {
            outlet.put(traced);
        }
    }

    /// It leaves with the next turn.
    fn said(&mut self, said: Said) {
        self.unsaid.push_back(said);
    }

    fn outward(&mut self, outward: Outward) {
        if let Some(outlet) = self.outlet {
            outlet.put(outward);
        }
    }

    fn owes(&mut self, room: RoomId) {
        if let Some((_, owed)) = self.owed.iter().find(|(app, _)| app == room.app()) {
            owed.put(room);
        }
    }

    fn failed(&mut self, failure: Failure) {
        let times = if failure.is_told() { Some(1) } else { self.failures.happened(self.now.tick) };
        if let Some(times) = times {
            let (reference, room) = (failure.reference, &failure.room);
            tracing::error!(%reference, %room, times, "{failure}");
        }
    }

    fn broadcast(&mut self, room: &RoomId, connections: usize) {
        tracing::debug!(%room, connections, "Broadcasted message to session");
    }

    fn prove(
        &mut self,
        connection: ConnectionId,
        tag: &Tag,
        token: Unproven,
    ) -> Option<Result<Authenticated, Refusal>> {
        let socket = self.sockets.get(connection)?;
        self.door.prove(self.now, socket, (connection, tag, token), Hope::All, self.facts)
    }

    fn authorize(&mut self, connection: ConnectionId, number: u32, petition: &Petition) -> Option<Ruling> {
        let socket = self.sockets.get(connection)?;
        // A shard asks only where there is somebody to ask.
        let Some(authorizer) = &self.door.authorizer else { return Some(Ruling::Unasked(NOBODY_MS)) };
        let question = Question::petition(petition, socket.address.ip());
        authorizer.ask(Asker::Request(connection, number), question)
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        let Some(mut socket) = self.sockets.remove(self.registry, connection) else { return };
        socket.finish();
        let why = (Some(reason.code()), reason.words());
        self.door.goes(self.now, (connection, &socket), why, self.facts);
    }
}
