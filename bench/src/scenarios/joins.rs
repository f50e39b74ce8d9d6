//! What a connection costs: to come in, and to stay. Afterwards one message in each room proves that all are there.

use std::time::Duration;

use anyhow::Result;

use super::stage::{Span, Stage};
use super::{Conditions, Joins, Scenario};
use crate::adapters::Adapter;
use crate::outcome::{Behind, Figure, Outcome};
use crate::stamp::STAMP_BYTES;
use crate::tally::{Cast, Faults};

/// Before the first look at a server's memory: runtimes that have just started are still growing.
const WARM: Duration = Duration::from_millis(500);
/// After the last join: what is still being done for it belongs to it.
const AFTER_JOINS: Duration = Duration::from_millis(300);
/// Before the last look at its memory.
const REST: Duration = Duration::from_secs(3);

pub(super) fn idle(
    scenario: &Scenario,
    load: &Joins,
    adapter: &mut dyn Adapter,
    conditions: &mut Conditions,
) -> Result<Outcome> {
    let cast = cast(load, adapter.dialect().echo);
    let mut stage = Stage::set(adapter, cast, conditions.realtime)?;
    stage.settle(WARM)?;
    let before = stage.server.resident_bytes()?;
    let start = stage.mark()?;
    stage.fill_with(adapter, conditions, load.at_once)?;
    stage.settle(REST)?;
    let after = stage.server.resident_bytes()?;
    let span = Span::between(&start, &stage.mark()?);
    let faults = prove(&mut stage, adapter)?;

    let growth = after.saturating_sub(before) as f64;
    let figures = vec![
        Figure::lower("memory", growth / f64::from(load.connections), "B/connection").of_the_server_alone(),
        Figure::lower("rss before", before as f64 / 1e6, "MB").of_the_server_alone(),
        Figure::lower("rss after", after as f64 / 1e6, "MB").of_the_server_alone(),
    ];
    Ok(stage.outcome(scenario, figures, span.generator, faults, Behind::IsAnError))
}

pub(super) fn storm(
    scenario: &Scenario,
    load: &Joins,
    adapter: &mut dyn Adapter,
    conditions: &mut Conditions,
) -> Result<Outcome> {
    let cast = cast(load, adapter.dialect().echo);
    let mut stage = Stage::set(adapter, cast, conditions.realtime)?;
    stage.settle(WARM)?;
    let start = stage.mark()?;
    stage.fill_with(adapter, conditions, load.at_once)?;
    let joined = stage.mark()?;
    stage.settle(AFTER_JOINS)?;
    let settled = stage.mark()?;
    let faults = prove(&mut stage, adapter)?;

    let connections = f64::from(load.connections);
    let storm = Span::between(&start, &joined);
    let figures = vec![
        Figure::lower("cpu", Span::between(&start, &settled).cpu_us / connections, "us/join")
            .of_the_server_alone(),
        Figure::higher("joins", connections / storm.seconds, "1/s"),
        Figure::note("notices", f64::from(stage.crowd.heard.others as u32) / connections, "1/join"),
        Figure::note("generator cpu", storm.own_us / connections, "us/join"),
        Figure::note("server core", storm.server_core(), "").of_the_server_alone(),
    ];
    Ok(stage.outcome(scenario, figures, storm.generator, faults, Behind::IsAnError))
}

/// The first member of each room says one thing, and all others of that room must hear it.
fn prove(stage: &mut Stage, adapter: &dyn Adapter) -> Result<Faults> {
    for author in 0..stage.cast.members.len() as u32 {
        let now_us = stage.crowd.now_us();
        let connection = stage.publish(adapter, author, now_us, STAMP_BYTES);
        stage.crowd.flush(connection);
    }
    stage.drain()
}

fn cast(load: &Joins, echo: bool) -> Cast {
    let rooms = load.connections / load.room_members;
    Cast {
        rooms: (0..load.connections).map(|member| member / load.room_members).collect(),
        authors_per_room: 1,
        members: (0..rooms).map(|room| room * load.room_members).collect(),
        echo,
    }
}
