//! Open loop: every message has a time at which it is meant to leave, and latency counts from there, so a server that
//! stalls pays for the messages that had to wait for it too.

use anyhow::Result;

use super::stage::{Span, Stage};
use super::{Conditions, OpenLoop, Scenario};
use crate::adapters::Adapter;
use crate::crowd::Wait;
use crate::outcome::{Behind, Figure, Outcome};
use crate::tally::Cast;

/// With less than this share of the expected messages the server is behind.
const SHARE_MIN: f64 = 0.99;
/// In the real-time class a generator that never sleeps takes its core away from everything else, and the kernel then
/// takes it back by force. It sleeps where nothing is under way, and wakes this long before its next message.
const AWAKE_US: u64 = 1_500;

pub(super) fn run(
    scenario: &Scenario,
    load: &OpenLoop,
    adapter: &mut dyn Adapter,
    conditions: &mut Conditions,
) -> Result<Outcome> {
    let (echo, acks) = (adapter.dialect().echo, adapter.dialect().acks);
    let cast = cast(scenario, load, echo);
    let rooms = load.connections / load.room_members;
    let listeners = u64::from(cast.listeners(0));
    let authors = cast.members.len() as u64;
    let mut stage = Stage::set(adapter, cast, conditions.realtime)?;
    stage.fill(adapter, conditions)?;

    let start_us = stage.crowd.now_us() + 1_000;
    let [from_us, to_us] = [load.warm_seconds, load.warm_seconds + load.seconds]
        .map(|seconds| start_us + (seconds * 1e6) as u64);
    let meant_us = |message: u64| start_us + (message as f64 * 1e6 / load.rate) as u64;
    let (mut next, mut from) = (0_u64, None);
    loop {
        let now_us = stage.crowd.now_us();
        if from.is_none() && now_us >= from_us {
            stage.tally.latency_us.clear();
            from = Some((stage.mark()?, next));
        }
        if now_us >= to_us {
            break;
        }
        let mut author_connection = None;
        while meant_us(next) <= now_us {
            // Round and round the rooms, so that neighbours in time are no neighbours in a room.
            let author = if authors == 1 {
                0
            } else {
                next % u64::from(rooms) * u64::from(load.room_members)
                    + next / u64::from(rooms) % u64::from(load.room_members)
            };
            let connection = stage.publish(adapter, author as u32, meant_us(next), load.bytes);
            if author_connection.is_some_and(|before| before != connection) {
                stage.crowd.flush(author_connection.unwrap_or(connection));
            }
            author_connection = Some(connection);
            next += 1;
        }
        if let Some(connection) = author_connection {
            stage.crowd.flush(connection);
        }
        let quiet = stage.tally.delivered() == next * listeners;
        let pause_us = meant_us(next).min(to_us).saturating_sub(now_us + AWAKE_US);
        let wait = match pause_us / 1000 {
            millis @ 1.. if conditions.realtime && quiet => Wait::Millis(millis.min(100) as u16),
            _ if matches!(scenario, Scenario::Rung(_)) => Wait::Paced,
            _ => Wait::Never,
        };
        stage.crowd.turn(wait, &mut stage.tally)?;
        conditions.progress.show(
            "seconds",
            (now_us.saturating_sub(start_us)) / 1_000_000,
            (load.warm_seconds + load.seconds) as u64,
        );
    }
    let to = stage.mark()?;
    let (from, first) = from.unwrap_or((to, next));
    let faults = stage.drain()?;

    let span = Span::between(&from, &to);
    let share = span.delivered as f64 / ((next - first) * listeners).max(1) as f64;
    let milliseconds = |quantile| stage.tally.latency_us.quantile(quantile) as f64 / 1e3;
    let cpu = Figure::lower("cpu", span.cpu_per_delivery(), "us/delivery");
    // An ack is its author's copy of the delivery, as an echo is.
    let copies = (listeners + u64::from(acks)) as f64 / listeners.max(1) as f64;
    let copy = Figure::lower("cpu a copy", span.cpu_per_delivery() / copies, "us/copy");
    let latencies = [
        Figure::lower("p99", milliseconds(0.99), "ms"),
        Figure::lower("p50", milliseconds(0.5), "ms"),
        Figure::lower("p99.9", milliseconds(0.999), "ms"),
        Figure::lower("max", stage.tally.latency_us.max() as f64 / 1e3, "ms"),
    ];
    let others = [
        Figure::note("share", share.min(1.0), "of expected"),
        Figure::note("deliveries", span.delivered as f64 / span.seconds, "1/s"),
        Figure::note("server core", span.server_core(), "").of_the_server_alone(),
        Figure::note("switches", span.switches_per_thousand(), "1/1000"),
    ];
    let figures = match scenario {
        Scenario::Latency(_) => latencies.into_iter().chain([cpu, copy]).chain(others).collect(),
        _ => [cpu, copy].into_iter().chain(latencies).chain(others).collect(),
    };
    let behind = match scenario {
        Scenario::Rung(_) if share < SHARE_MIN => Behind::IsAResult,
        _ => Behind::IsAnError,
    };
    Ok(stage.outcome(scenario, figures, span.generator, faults, behind))
}

/// In many rooms everybody is an author; in one room there is one, beside those who are counted.
fn cast(scenario: &Scenario, load: &OpenLoop, echo: bool) -> Cast {
    match scenario {
        Scenario::Rooms(_) => Cast {
            rooms: (0..load.connections).map(|member| member / load.room_members).collect(),
            authors_per_room: load.room_members,
            members: (0..load.connections).collect(),
            echo,
        },
        _ => Cast {
            rooms: vec![0; load.connections as usize + 1],
            authors_per_room: 1,
            members: vec![load.connections],
            echo,
        },
    }
}
