//! Back ends that publish by API key: each message under an id of its own, asked again, at any node, until it is known to
//! be stored; and now and then a look at history and members.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use vocabulary::{Code, HistoryFrom, Payload, Position, Reply, RoomId, Tick, Told, Wish};

use crate::mutant::Mutant;
use crate::random::Random;
use crate::world::World;

#[derive(Clone, Debug)]
pub(crate) struct Publish {
    pub room: RoomId,
    pub id: String,
    pub tries: u32,
    pub since: Tick,
    pub outcome: Outcome,
    next: Tick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Open,
    Stored(Position),
    /// Its room was refused for damage: it may be stored or not.
    GivenUp,
}

struct Call {
    /// Of a publish; a look at something has none.
    publish: Option<usize>,
    node: usize,
    boot: u32,
    at: Tick,
}

#[derive(Default)]
pub(crate) struct BackEnds {
    pub published: Vec<Publish>,
    waiting: BTreeMap<u64, Call>,
    serial: u64,
}

/// As long as the node's own desk waits.
const PATIENCE: Duration = Duration::from_secs(12);
/// A back end has so many messages under way, and starts no new one beyond.
const OPEN_MAX: usize = 12;

impl BackEnds {
    /// A back end's turn. `calm`: it only finishes what it began.
    pub(crate) fn act(
        &mut self,
        world: &mut World,
        random: &mut Random,
        rooms: &[RoomId],
        calm: bool,
    ) -> Result<(), String> {
        self.lose_patience(world)?;
        let now = world.now.tick;
        let open = self.published.iter().filter(|publish| publish.outcome == Outcome::Open).count();
        if !calm && open < OPEN_MAX && random.per_mille(600) {
            let id = format!("call.{}", self.published.len());
            let room = rooms[random.index(rooms.len())].clone();
            let outcome = Outcome::Open;
            self.published.push(Publish { room, id, tries: 0, since: now, outcome, next: now });
        } else if random.per_mille(400) {
            let room = rooms[random.index(rooms.len())].clone();
            let wish = match random.per_mille(500) {
                true => Wish::Members,
                false => Wish::History { limit: 20, from: HistoryFrom::Latest },
            };
            let node = random.index(world.nodes.len());
            self.call(world, node, "looks", None, room, wish);
        }
        let waits: Vec<usize> = self.waiting.values().filter_map(|call| call.publish).collect();
        for index in 0..self.published.len() {
            let publish = &self.published[index];
            if publish.outcome == Outcome::Open && publish.next <= now && !waits.contains(&index) {
                self.publish(world, random, index);
            }
        }
        Ok(())
    }

    fn publish(&mut self, world: &mut World, random: &mut Random, index: usize) {
        let publish = &mut self.published[index];
        publish.tries += 1;
        let mut key = "orders".to_owned();
        if world.scenario.mutant == Some(Mutant::CallTwice) && publish.tries > 1 {
            key = format!("orders{}", publish.tries);
        }
        let payload = Payload::from(json!({"content": publish.id}).to_string());
        let wish =
            Wish::Publish { kind: "send_message".into(), payload, id: Some(publish.id.as_str().into()) };
        let (room, node) = (publish.room.clone(), random.index(world.nodes.len()));
        publish.next = world.now.tick + random.millis(200, 2000);
        self.call(world, node, &key, Some(index), room, wish);
    }

    fn call(
        &mut self,
        world: &mut World,
        node: usize,
        key: &str,
        publish: Option<usize>,
        room: RoomId,
        wish: Wish,
    ) {
        self.serial += 1;
        let number = self.serial;
        world.trace(|| format!("call {number} of a back end asks n{node} about {room}: {wish:?}"));
        if world.call(node, number, key, room, wish) {
            world.tally.calls += 1;
            let boot = world.nodes[node].boot;
            self.waiting.insert(number, Call { publish, node, boot, at: world.now.tick });
        }
    }

    /// What was asked of a node that is gone is never answered; of one that is there it must be.
    fn lose_patience(&mut self, world: &World) -> Result<(), String> {
        let now = world.now.tick;
        let late: Vec<u64> =
            self.waiting.iter().filter(|(_, call)| call.at + PATIENCE <= now).map(|(id, _)| *id).collect();
        for number in late {
            let Some(call) = self.waiting.remove(&number) else { continue };
            let node = &world.nodes[call.node];
            let slept = node.slept_until > call.at;
            if node.up && node.boot == call.boot && !slept {
                let waited = now.since(call.at).as_secs_f64();
                return Err(format!(
                    "call {number} of n{} (publishes: {:?}) has no answer after {waited:.1} s, not even that none is known",
                    call.node, call.publish
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn told(&mut self, world: &World, number: u64, told: &Told) -> Result<(), String> {
        world.trace(|| format!("call {number} is told {told:?}"));
        // Whoever lost patience listens no more.
        let Some(call) = self.waiting.remove(&number) else { return Ok(()) };
        let Some(publish) = call.publish.map(|index| &mut self.published[index]) else {
            return match told {
                Told::Stored { position, .. } => Err(format!("a look was stored at {position}")),
                Told::Reply { .. } => Ok(()),
            };
        };
        let refused = match told {
            Told::Stored { position, .. } => {
                publish.outcome = Outcome::Stored(*position);
                let entry = world.engine.ledger.get(&publish.room, position.epoch, position.offset);
                let known = entry.is_some_and(|entry| entry.body.contains(&format!("\"{}\"", publish.id)));
                if !known && !world.engine.ledger.was_ever_torn(&publish.room) {
                    return Err(format!(
                        "{} is said to be stored at {} {position}, where the log has {entry:?}",
                        publish.id, publish.room
                    ));
                }
                return Ok(());
            }
            Told::Reply { reply: Reply::Refused(refusal), .. } => refusal,
            Told::Reply { reply, .. } => return Err(format!("{} is answered {reply:?}", publish.id)),
        };
        match refused.code {
            Code::Busy | Code::Unconfirmed => Ok(()),
            Code::Internal if world.engine.was_damaged(&publish.room) => {
                publish.outcome = Outcome::GivenUp;
                Ok(())
            }
            _ => Err(format!("{} is refused: {refused:?}", publish.id)),
        }
    }
}
