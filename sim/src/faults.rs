//! Faults that come at a moment: planned ahead, so that a plan can be read.

use std::time::Duration;

use vocabulary::RoomId;

use crate::engine::{Cut, Damage};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::world::World;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Between a node and the engine.
    Partition(usize, Cut, Duration),
    /// The engine is away from everybody.
    Away(Duration),
    /// The same, and what it held for the living is gone afterwards.
    Restarted(Duration),
    Refuse(Duration),
    /// The room of this number is found damaged until it is mended.
    Damage(usize, Damage),
    Mend(usize),
    LoseTail(usize),
    Kill(usize),
    Restart(usize),
    Pause(usize, Duration),
    WallJump(usize, i64),
    /// A node says goodbye within this time.
    Drain(usize, Duration),
    /// All devices but the watchers close and do not come back.
    Vanish,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The start.
    pub after: Duration,
    pub kind: Kind,
}

pub(crate) fn plan(scenario: &Scenario, random: &mut Random) -> Vec<Fault> {
    let mut plan = Vec::new();
    let chaos = scenario.chaos.as_millis() as u64;
    let mut times = |count: u32, make: &mut dyn FnMut(&mut Random) -> Kind| {
        for _ in 0..count {
            let after = random.millis(1000, chaos.max(1001));
            plan.push(Fault { after, kind: make(random) });
        }
    };
    let nodes = scenario.nodes;
    let (one_way, rooms) = (scenario.one_way, scenario.rooms);
    times(scenario.partitions, &mut |r| {
        let cut = if r.per_mille(one_way) { r.pick(&[Cut::Questions, Cut::Answers]) } else { Cut::Both };
        Kind::Partition(r.index(nodes), cut, r.millis(500, 15_000))
    });
    times(scenario.outages, &mut |r| Kind::Away(r.millis(300, 15_000)));
    times(scenario.restarts, &mut |r| Kind::Restarted(r.millis(300, 15_000)));
    let damages = [Damage::Unnoticed, Damage::Refused, Damage::Lost];
    times(scenario.damages, &mut |r| Kind::Damage(r.index(rooms), r.pick(&damages)));
    times(scenario.refusals, &mut |r| Kind::Refuse(r.millis(300, 4000)));
    times(scenario.lost_tails, &mut |r| Kind::LoseTail(1 + r.index(8)));
    times(scenario.kills, &mut |r| Kind::Kill(r.index(nodes)));
    times(scenario.pauses, &mut |r| Kind::Pause(r.index(nodes), r.millis(100, 14_000)));
    times(scenario.wall_jumps, &mut |r| {
        let jump = r.pick(&[1_000, 60_000, 3_600_000]);
        Kind::WallJump(r.index(nodes), if r.per_mille(500) { jump } else { -jump })
    });
    let kills: Vec<(Duration, usize)> = plan
        .iter()
        .filter_map(|fault| match fault.kind {
            Kind::Kill(node) => Some((fault.after, node)),
            _ => None,
        })
        .collect();
    for (after, node) in kills {
        plan.push(Fault { after: after + random.millis(300, 8000), kind: Kind::Restart(node) });
    }
    let damages: Vec<Fault> =
        plan.iter().filter(|fault| matches!(fault.kind, Kind::Damage(..))).cloned().collect();
    for Fault { after, kind } in damages {
        if let Kind::Damage(room, _) = kind {
            plan.push(Fault { after: after + random.millis(300, 15_000), kind: Kind::Mend(room) });
        }
    }
    plan.extend(scenario.script.iter().cloned());
    plan.sort_by_key(|fault| fault.after);
    plan
}

pub(crate) fn strike(world: &mut World, random: &mut Random, rooms: &[RoomId], kind: &Kind) {
    let now = world.now;
    match *kind {
        Kind::Partition(node, cut, span) => {
            world.tally.fault(if cut == Cut::Both { "partition" } else { "one-way partition" });
            world.cut_off(node, cut, now.tick + span);
        }
        Kind::Away(span) => {
            world.tally.fault("engine away");
            world.leave(span, false);
        }
        Kind::Restarted(span) => {
            world.tally.fault("engine restart");
            world.leave(span, true);
        }
        Kind::Damage(room, damage) => {
            world.tally.fault("room damaged");
            let room = rooms[room].clone();
            world.trace(|| format!("{room} is damaged: {damage:?}"));
            world.engine.damage(room, damage);
        }
        Kind::Mend(room) => world.engine.mend(&rooms[room]),
        Kind::Refuse(span) => world.engine.refuse_until(now.tick + span),
        Kind::LoseTail(count) => {
            let lost = world.engine.lose_tail(now, count);
            world.trace(|| format!("the engine loses {lost} records off its tails"));
            for _ in 0..lost {
                world.tally.fault("record lost");
            }
        }
        Kind::Kill(node) if world.nodes[node].up => {
            world.tally.fault("kill");
            world.kill(node);
        }
        Kind::Restart(node) if !world.nodes[node].up => world.restart(node),
        Kind::Kill(_) | Kind::Restart(_) => {}
        Kind::Drain(node, window) => world.drain(node, window),
        // The play's own.
        Kind::Vanish => {}
        Kind::Pause(node, span) => {
            world.tally.fault("pause");
            world.pause(node, now.tick + span);
        }
        Kind::WallJump(node, millis) => {
            world.tally.fault("wall jump");
            let millis = if random.per_mille(200) { 0 } else { millis };
            world.skew(node, millis);
        }
    }
}

pub(crate) fn heal(world: &mut World) {
    let now = world.now.tick;
    world.engine.heal(now);
    if world.engine.damaged_any() {
        // Whoever mended what was damaged starts the nodes again: a room that was refused for its past stays so until then.
        (0..world.nodes.len()).for_each(|node| world.kill(node));
    }
    for node in 0..world.nodes.len() {
        world.nodes[node].skew_millis = 0;
        if !world.nodes[node].up {
            world.restart(node);
        }
        world.unpause(node);
    }
    let scenario = &mut world.scenario;
    (scenario.split, scenario.cuts, scenario.half_open, scenario.slow_readers, scenario.stalls) =
        (0, 0, 0, 0, 0);
    (scenario.garbage, scenario.resends) = (0, 0);
    world.quicken();
}
