//! More messages are begun, and never ended, than the memory could hold: the server lets them have their share of it, ends the rest, stays
//! below what there is, loses nothing that it acknowledged, and has room again when the flood has gone.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::kills::must_be_whole;
use super::{Site, gather, judged, turned};
use crate::crowd::{Crowd, Plan};
use crate::front::Visitor;
use crate::outcome::Outcome;

/// What the machine has, if it had no more; the setting is four fifths of it, as by default.
const MACHINE_BYTES: u64 = 256 << 20;
/// A message without an end is held for as long as the flood lasts.
const CONFIG: &str = "[limits]\nmemory = \"204MiB\"\nmessage_seconds = 3600\nconnections_per_user = 100000\n\
                      [websocket]\nmax_message_size = \"1MiB\"\nread_timeout = \"1h\"\nping_period = \"30m\"\n";
/// Each of them is so large; together they are four times the budget.
const BEGUN_BYTES: usize = 1 << 20;
const BEGUN: usize = 1024;
const OPEN_AGAIN_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at what is resident.
const LOOK_EVERY: usize = 16;

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 2000, site.seed);
    let plan = Plan { clients: 100, rooms: 10, rooms_each: 1, pace: 200, seed, base_ms, cap_ms };
    let lasts = site.sized(Duration::from_secs(1800), Duration::from_secs(2));
    let mut outcome = Outcome::default();
    let launch = site.world.configured("one", CONFIG)?;
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    let token = signer.token("flood")?;
    // What does not fit into the kernel is never written: its owner is short of memory and reads no further.
    let begun = vec![b'a'; BEGUN_BYTES - 1024];
    let (mut flood, mut refused, mut most) = (Vec::new(), 0_u32, 0);
    for number in 0..BEGUN {
        match Visitor::come(launch.port, &token) {
            Ok(visitor) => flood.push(begins(visitor, &begun)?),
            Err(_) => refused += 1,
        }
        if number % LOOK_EVERY == 0 {
            most = most.max(node.resident_bytes()?);
            crowd.turn(Duration::ZERO)?;
        }
    }
    let until = Instant::now() + lasts;
    let mut pressed = 0;
    while Instant::now() < until {
        crowd.spend(crate::LOOK * 5)?;
        most = most.max(node.resident_bytes()?);
        pressed = pressed.max(node.figure("kulkul_memory_pressure")?);
    }
    outcome.figure("offered MiB", (BEGUN * BEGUN_BYTES) >> 20);
    outcome.figure("let in", flood.len());
    outcome.figure("refused", refused);
    outcome.figure("resident MiB, most", most >> 20);
    outcome.figure("kulkul_memory_pressure, most", pressed);
    let ended = node.figure("kulkul_begun_ended_total")?;
    outcome.figure("kulkul_begun_ended_total", ended);
    outcome.must(u64::from(refused) + ended > 0, || "four times the memory was let in".to_owned());
    outcome.must(most <= MACHINE_BYTES, || format!("{most} bytes were resident, of {MACHINE_BYTES}"));
    outcome.must(node.answers("/live")? == 200, || "/live is not 200".to_owned());
    drop(flood);
    let open = turned(&mut crowd, OPEN_AGAIN_WITHIN, || Ok(Visitor::come(launch.port, &token).is_ok()))?;
    outcome.must(open, || "it stays shut when the flood has gone".to_owned());
    outcome.must(node.has_ended()?.is_none(), || "the server ended".to_owned());
    judged(crowd, launch.port, &signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}

/// The beginning of a message that never ends, as much of it as is taken at once.
fn begins(visitor: Visitor, payload: &[u8]) -> Result<TcpStream> {
    let mut stream = visitor.into_stream();
    let length = (payload.len() as u64 + 1).to_be_bytes();
    let head = [&[0x01, 0xff][..], &length, &[0; 4]].concat();
    stream.write_all(&head).context("the server hung up")?;
    stream.set_nonblocking(true)?;
    // Whatever is not taken now is what the server defends itself against.
    let _ = stream.write(payload);
    Ok(stream)
}
