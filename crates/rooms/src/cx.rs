//! What a room may know of its surroundings for the length of one call, and where its effects go.

use std::collections::VecDeque;

use app::Panicked;
use engine::{Format, Question, SoftEntry};
use vocabulary::{
    Ack, Command, Delivery, Failed, Failure, Incarnation, Key, Now, Outward, Payload, Person, Position,
    Reference, Refusal, Reply, ReplyTo, RoomId, Said, ShardId, StepId, Wall,
};

use crate::limits::Limits;

/// What leaves `rooms`.
#[derive(Debug)]
pub enum Effect {
    Deliver(ShardId, Delivery),
    Ask(Question),
    /// A saga's step, for another room's home on this node.
    Command(ShardId, Command),
    /// What the room that every node follows says to this one.
    Said(Said),
    /// For brokers.
    Outward(Box<Outward>),
    /// Something is said there that a sink has not got.
    Owes(RoomId),
    /// For the log.
    Failed(Failure),
}

vocabulary::counts! {
    /// What happened, for metrics and for tests. Only grows.
    pub struct Counts {
        records_applied,
        records_unknown,
        records_erased,
        duplicates,
        conflicts,
        app_panics,
        rooms_quarantined,
        epochs_begun,
        unconfirmed,
        snapshots_refused,
        snapshots_too_large,
        rooms_damaged,
        rooms_refused,
        sink_missed,
        /// What rooms had to do by themselves, begun here as their steward.
        duties_begun,
        /// Words from saga to room, those that were said again among them.
        steps_sent,
    }
}

pub(crate) struct Cx<'a> {
    pub now: Now,
    pub limits: &'a Limits,
    pub me: Incarnation,
    pub shards: u16,
    /// Other nodes follow the same engine, so presence and soft values are published.
    pub publish: bool,
    pub news_may_drop: bool,
    pub start_tag: u32,
    /// What is stored is written so.
    pub format: Format,
    /// This node is steward of the room at hand.
    pub steward: bool,
    pub serial: &'a mut u64,
    pub counts: &'a mut Counts,
    pub effects: &'a mut VecDeque<Effect>,
}

impl Cx<'_> {
    pub(crate) fn ask(&mut self, question: Question) {
        self.effects.push_back(Effect::Ask(question));
    }

    pub(crate) fn deliver(&mut self, to: ShardId, delivery: Delivery) {
        self.effects.push_back(Effect::Deliver(to, delivery));
    }

    /// A number that this shard never gives twice: batches, tickets and keys are told apart by it.
    pub(crate) fn number(&mut self) -> u64 {
        *self.serial += 1;
        *self.serial
    }

    fn failed(&mut self, room: &RoomId, what: Failed) -> Reference {
        let (node, shard, number) = (self.me.node, self.me.shard, self.number());
        let reference = Reference { node, shard, number };
        self.effects.push_back(Effect::Failed(Failure { reference, room: room.clone(), what }));
        reference
    }

    /// The room's app panicked. Whoever asked is told no more than the reference.
    pub(crate) fn panicked(&mut self, room: &RoomId, panicked: Panicked) -> Reference {
        self.counts.app_panics += 1;
        self.failed(room, Failed::Panicked { hook: panicked.hook, says: panicked.says })
    }

    /// What the app answered, unless it panicked and nobody is to be told.
    pub(crate) fn unless_panicked<T>(&mut self, room: &RoomId, answer: Result<T, Panicked>) -> Option<T> {
        answer.map_err(|panicked| self.panicked(room, panicked)).ok()
    }

    /// What the app answered to somebody who waits for it.
    pub(crate) fn answered<T>(
        &mut self,
        room: &RoomId,
        answer: Result<Result<T, Refusal>, Panicked>,
    ) -> Result<T, Refusal> {
        answer.unwrap_or_else(|panicked| Err(Refusal::internal(self.panicked(room, panicked))))
    }

    /// The engine found that what it keeps of the room is not what was stored.
    pub(crate) fn damaged(&mut self, room: &RoomId) -> Reference {
        self.counts.rooms_damaged += 1;
        self.failed(room, Failed::Damaged)
    }

    pub(crate) fn too_large(&mut self, room: &RoomId, bytes: usize) {
        self.counts.snapshots_too_large += 1;
        self.failed(room, Failed::SnapshotTooLarge { bytes });
    }

    pub(crate) fn once(&mut self) -> Key {
        // Shards of one node count by themselves; the shard's own number keeps them apart.
        let number = self.number();
        Key::once(self.me.node ^ u64::from(self.me.shard.0).rotate_left(32), number)
    }

    pub(crate) fn reply(&mut self, room: &RoomId, to: ReplyTo, reply: Reply) {
        let at = self.now.wall;
        self.deliver(to.asker.shard(), Delivery::Reply { room: room.clone(), to, reply, at });
    }

    pub(crate) fn acked(&mut self, room: &RoomId, position: Position, at: Wall, to: ReplyTo) {
        self.counts.duplicates += 1;
        let shard = to.asker.shard();
        let ack = Ack { to, reply: None };
        self.deliver(shard, Delivery::Acked { room: room.clone(), position, at, ack });
    }

    /// `unknown` is no outcome: the step is sent again when its time has come.
    pub(crate) fn outcome(&mut self, step: &StepId, result: Result<Payload, Refusal>) {
        if matches!(&result, Err(refusal) if refusal.code == vocabulary::Code::Unconfirmed) {
            return;
        }
        let home = step.saga.slice().home(self.shards);
        self.deliver(home, Delivery::Outcome { step: step.clone(), result });
    }

    pub(crate) fn publish_presence(&mut self, room: &RoomId, person: Person, count: u32) {
        if self.publish {
            self.ask(Question::Present { room: room.clone(), person, count });
        }
    }

    pub(crate) fn publish_soft(&mut self, room: &RoomId, entry: SoftEntry) {
        if self.publish {
            self.ask(Question::Soft { room: room.clone(), entry });
        }
    }
}
