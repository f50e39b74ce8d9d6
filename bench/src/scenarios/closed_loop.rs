//! Closed loop: so many messages in flight, and the next one leaves when all members have one of them. Finds how much a
//! server can do; says nothing about latency.

use anyhow::Result;

use super::stage::{Span, Stage};
use super::{ClosedLoop, Conditions, Scenario};
use crate::adapters::Adapter;
use crate::crowd::Wait;
use crate::outcome::{Behind, Figure, Outcome};
use crate::tally::Cast;

pub(super) fn run(
    scenario: &Scenario,
    load: &ClosedLoop,
    adapter: &mut dyn Adapter,
    conditions: &mut Conditions,
) -> Result<Outcome> {
    let cast = Cast {
        rooms: vec![0; load.connections as usize + 1],
        authors_per_room: 1,
        members: vec![load.connections],
        echo: adapter.dialect().echo,
    };
    let listeners = cast.listeners(0);
    let mut stage = Stage::set(adapter, cast, conditions.realtime)?;
    stage.fill(adapter, conditions)?;

    let start_us = stage.crowd.now_us();
    let [from_us, to_us] = [load.warm_seconds, load.warm_seconds + load.seconds]
        .map(|seconds| start_us + (seconds * 1e6) as u64);
    let mut from = None;
    loop {
        let now_us = stage.crowd.now_us();
        if from.is_none() && now_us >= from_us {
            from = Some(stage.mark()?);
        }
        if now_us >= to_us {
            break;
        }
        let mut author_connection = None;
        while stage.sent[0] - stage.tally.completed() < load.window {
            stage.tally.launch(stage.sent[0], listeners);
            author_connection = Some(stage.publish(adapter, 0, now_us, load.bytes));
        }
        if let Some(connection) = author_connection {
            stage.crowd.flush(connection);
        }
        stage.crowd.turn(Wait::PacedUntimed, &mut stage.tally)?;
        conditions.progress.show(
            "seconds",
            (now_us - start_us) / 1_000_000,
            (load.warm_seconds + load.seconds) as u64,
        );
    }
    let to = stage.mark()?;
    let from = from.unwrap_or(to);
    let faults = stage.drain()?;

    let span = Span::between(&from, &to);
    let figures = vec![
        Figure::higher("deliveries", span.delivered as f64 / span.seconds, "1/s"),
        Figure::lower("cpu", span.cpu_per_delivery(), "us/delivery"),
        Figure::note("in a row", span.delivered as f64 / span.reads.max(1) as f64, "messages/read"),
        Figure::note("server core", span.server_core(), "").of_the_server_alone(),
        Figure::note("switches", span.switches_per_thousand(), "1/1000"),
    ];
    Ok(stage.outcome(scenario, figures, span.generator, faults, Behind::IsAnError))
}
