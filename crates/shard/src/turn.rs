//! The turn law, and the mail between shards. `node` and `sim` are its only two callers, and both run this very code.

use std::collections::VecDeque;

use engine::{Answer, Asked};
use session::Authenticated;
use vocabulary::{
    CallId, CloseReason, ConnectionId, Envelope, Failure, Findings, Now, Outward, Petition, Refusal, RoomId,
    Ruling, Said, ShardId, Tag, Told, Traced, Unproven,
};

use crate::{Input, Output, Shard};

/// A sibling's box is full; the envelope comes back.
#[derive(Debug)]
pub struct Full(pub Envelope);

/// Everything around a shard that it can touch.
pub trait World {
    /// Into a sibling's bounded box of commands or of deliveries.
    fn post(&mut self, to: ShardId, envelope: Envelope) -> Result<(), Full>;
    fn ask(&mut self, asked: Asked);
    /// What an engine in this very thread answers at once; an engine elsewhere answers as an input.
    fn answer(&mut self) -> Option<Answer>;
    /// How many bytes the socket took; less than all means that it will say when it takes more.
    fn write(&mut self, connection: ConnectionId, bytes: &[u8]) -> usize;
    /// Whether the token is good, and whose. None: that is found out, and told as an input.
    fn prove(
        &mut self,
        connection: ConnectionId,
        tag: &Tag,
        token: Unproven,
    ) -> Option<Result<Authenticated, Refusal>>;
    /// Whether the back end allows it. None: it is asked, and its answer told as an input.
    fn authorize(&mut self, connection: ConnectionId, number: u32, petition: &Petition) -> Option<Ruling>;
    fn close(&mut self, connection: ConnectionId, reason: CloseReason);
    /// Nothing more will be written; what comes is still read, so that what was written is not lost with it.
    fn finish(&mut self, connection: ConnectionId);
    /// What a call came to.
    fn told(&mut self, call: CallId, told: Told);
    /// What holds for the whole deployment.
    fn said(&mut self, said: Said);
    /// For brokers.
    fn outward(&mut self, outward: Outward);
    /// To the bridge that is to ask for what it has not got.
    fn owes(&mut self, room: RoomId);
    /// To be kept for a while.
    fn traced(&mut self, traced: Traced);
    /// To be put down in the log.
    fn failed(&mut self, failure: Failure);
    /// To the operator who asked.
    fn found(&mut self, _survey: u64, _findings: Findings) {}
    /// As that; said only where the limits ask for it.
    fn broadcast(&mut self, _room: &RoomId, _connections: usize) {}
}

/// Mail that found a box full. Deliveries and what keeps two shards' books equal wait here, in order; a command that
/// somebody waits for goes back at once.
#[derive(Default)]
pub struct Post {
    waiting: VecDeque<(ShardId, Envelope)>,
}

impl Post {
    /// While a delivery waits the shard takes nothing that could make more of them: only deliveries, and its sockets'
    /// readiness. Two shards that wait for each other both go on taking deliveries, so both get out of it.
    pub fn is_congested(&self) -> bool {
        self.waiting.iter().any(|(_, envelope)| is_delivery(envelope))
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    fn retry(&mut self, world: &mut impl World) {
        let mut full: Vec<(ShardId, bool)> = Vec::new();
        for _ in 0..self.waiting.len() {
            let Some((to, envelope)) = self.waiting.pop_front() else { return };
            let of = (to, is_delivery(&envelope));
            if full.contains(&of) {
                self.waiting.push_back((to, envelope));
            } else if let Err(Full(envelope)) = world.post(to, envelope) {
                full.push(of);
                self.waiting.push_back((to, envelope));
            }
        }
    }

    /// What must not be sent and is not to wait.
    fn send(&mut self, world: &mut impl World, to: ShardId, envelope: Envelope) -> Option<Envelope> {
        let of = is_delivery(&envelope);
        let behind = self.waiting.iter().any(|(other, waits)| *other == to && is_delivery(waits) == of);
        let envelope = if behind {
            envelope
        } else {
            match world.post(to, envelope) {
                Ok(()) => return None,
                Err(Full(envelope)) => envelope,
            }
        };
        match &envelope {
            Envelope::Command(command) if !command.must_arrive() => Some(envelope),
            _ => {
                self.waiting.push_back((to, envelope));
                None
            }
        }
    }
}

/// Commands and deliveries go into boxes of their own, each in its order. A delivery must not wait behind a command: in
/// congestion commands are not taken, and two shards would wait for each other for ever.
fn is_delivery(envelope: &Envelope) -> bool {
    matches!(envelope, Envelope::Delivery(_))
}

/// What a turn left undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: sleep until the deadline.
    Rest,
    /// Sockets wait to be flushed, or mail to be sent: look at inputs without sleeping, and come back.
    More,
}

/// The second half of a turn. The caller has given the shard its inputs.
pub fn turn(shard: &mut Shard, post: &mut Post, now: Now, world: &mut impl World) -> Turn {
    post.retry(world);
    exchange(shard, post, now, world);
    for _ in 0..shard.limits.flush_sockets_max {
        let Some(flush) = shard.next_flush() else { break };
        let (connection, offered) = (flush.connection, flush.bytes.len());
        let taken = world.write(connection, flush.bytes);
        shard.wrote(now, connection, offered, taken);
    }
    shard.end_flush();
    shard.ask_pages(now);
    exchange(shard, post, now, world);
    if shard.has_flush() || shard.asks_more() || !post.is_empty() { Turn::More } else { Turn::Rest }
}

/// What others must do, and what an engine in this thread answers to it. Between two inputs it may be run at any time:
/// it keeps a turn with many inputs from filling rooms that an answer would empty.
pub fn exchange(shard: &mut Shard, post: &mut Post, now: Now, world: &mut impl World) {
    loop {
        while let Some(output) = shard.next_output() {
            match output {
                Output::Ask(asked) => world.ask(asked),
                Output::Prove(connection, tag, token) => {
                    if let Some(proven) = world.prove(connection, &tag, token) {
                        shard.handle(now, Input::Proven(connection, tag, proven));
                    }
                }
                Output::Authorize(connection, number, petition) => {
                    if let Some(ruling) = world.authorize(connection, number, &petition) {
                        shard.handle(now, Input::Authorized(connection, number, ruling));
                    }
                }
                Output::Close(connection, reason) => world.close(connection, reason),
                Output::Finish(connection) => world.finish(connection),
                Output::Told(call, told) => world.told(call, told),
                Output::Said(said) => world.said(said),
                Output::Outward(outward) => world.outward(*outward),
                Output::Owes(room) => world.owes(room),
                Output::Found(survey, findings) => world.found(survey, findings),
                Output::Traced(traced) => world.traced(*traced),
                Output::Failed(failure) => world.failed(failure),
                Output::Broadcast(room, connections) => world.broadcast(&room, connections),
                Output::Post(to, envelope) => {
                    if let Some(Envelope::Command(command)) = post.send(world, to, envelope) {
                        shard.handle(now, Input::Returned(command));
                    }
                }
            }
        }
        if post.is_congested() {
            return;
        }
        let Some(answer) = world.answer() else { return };
        shard.handle(now, Input::Answered(answer));
    }
}
