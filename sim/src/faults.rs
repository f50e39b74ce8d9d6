//! Faults that come at a moment: planned ahead, so that a plan can be read.

use std::time::Duration;

use crate::random::Random;
use crate::scenario::Scenario;
use crate::world::World;

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Partition(usize, Duration),
    Refuse(Duration),
    LoseTail(usize),
    Kill(usize),
    Restart(usize),
    Pause(usize, Duration),
    WallJump(usize, i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Fault {
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
    times(scenario.partitions, &mut |r| Kind::Partition(r.index(nodes), r.millis(500, 15_000)));
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
    plan.sort_by_key(|fault| fault.after);
    plan
}

pub(crate) fn strike(world: &mut World, random: &mut Random, kind: &Kind) {
    let now = world.now;
    match *kind {
        Kind::Partition(node, span) => {
            world.tally.fault("partition");
            world.partition(node, now.tick + span);
        }
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
