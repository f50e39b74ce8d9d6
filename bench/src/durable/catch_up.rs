//! Catching up: clients that were away come back together, each to all that was said meanwhile. How long until the last of them
//! has the last message, whether it comes from the ring, the log on disk or memory.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use serde_json::{Value, json};

use super::stores::STORES;
use super::{Member, PATIENCE, Started};
use crate::interval::Interval;
use crate::machine::{self, Facts};
use crate::wire::{self, Scanned};

#[derive(Debug, Clone, Args)]
pub(crate) struct CatchUp {
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    clients: u32,
    /// What each of them has missed.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    messages: u32,
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

const ENGINES: [&str; 2] = ["kulkul-disk", "kulkul-memory"];
const MESSAGE: &[u8] = br#"{"type":"new_message""#;
/// Of the author, unacknowledged.
const WINDOW: usize = 64;

pub(crate) fn run(asked: &CatchUp, server: Option<&std::path::PathBuf>, as_json: bool) -> Result<bool> {
    machine::raise_descriptors(u64::from(asked.clients) + 100)?;
    let facts = Facts::gather();
    let mut took: Vec<(&str, Vec<f64>)> = ENGINES.iter().map(|name| (*name, Vec::new())).collect();
    for round in 1..=asked.rounds {
        for (name, seconds) in &mut took {
            eprintln!("round {round} of {}: {name}", asked.rounds);
            seconds.push(one(asked, server, name)?);
        }
    }
    let deliveries = f64::from(asked.clients) * f64::from(asked.messages);
    if as_json {
        let rows: Vec<Value> =
            took.iter().map(|(name, seconds)| json!({ "server": name, "seconds": seconds })).collect();
        let load = json!({ "clients": asked.clients, "messages": asked.messages, "bytes": asked.bytes });
        println!("{:#}", json!({ "machine": facts.json(), "load": load, "runs": rows }));
        return Ok(true);
    }
    println!(
        "catching up: {} clients with {} messages of {} B each",
        asked.clients, asked.messages, asked.bytes
    );
    for (name, seconds) in &took {
        let interval = Interval::of(seconds).context("no round")?;
        let rate = deliveries / interval.median / 1e6;
        let (median, low, high) = (interval.median, interval.low, interval.high);
        println!("{name:<16} {median:>6.2} s ({low:.2} to {high:.2}), {rate:.2} million messages/s");
    }
    println!("{}", facts.line());
    Ok(true)
}

fn one(asked: &CatchUp, server: Option<&std::path::PathBuf>, name: &str) -> Result<f64> {
    let store = STORES.iter().find(|store| store.name == name).context("one of ours")?;
    let started = Started::start(store, server, &std::env::temp_dir())?;
    let mut author = Member::enter(store.pipe(started.port, &started.folder, 0, asked.bytes)?, started.port)?;
    let epoch = fill(&mut author, asked.messages as usize)?;
    let mut crowd = (1..=asked.clients as usize)
        .map(|number| {
            let mut pipe = store.pipe(started.port, &started.folder, number, asked.bytes)?;
            pipe.joins_nothing();
            Member::enter(pipe, started.port)
        })
        .collect::<Result<Vec<Member>>>()?;
    let join = json!({ "type": "join_room", "payload": {
        "room_id": "bench-0", "since": { "epoch": epoch, "offset": 0 } } })
    .to_string();
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let began = Instant::now();
    for (number, member) in crowd.iter_mut().enumerate() {
        wire::client_frame(wire::TEXT, join.as_bytes(), &mut member.waiting);
        member.flush()?;
        member.stream.set_nonblocking(true)?;
        epoll.add(&member.stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
    }
    let mut missing = vec![asked.messages as usize; crowd.len()];
    let (mut behind, mut events) = (crowd.len(), [EpollEvent::empty(); 256]);
    while behind > 0 {
        let ready = epoll.wait(&mut events, EpollTimeout::from(1000_u16))?;
        ensure!(began.elapsed() < PATIENCE * 6, "{behind} clients have not caught up");
        for event in &events[..ready] {
            let (member, left) = (&mut crowd[event.data() as usize], &mut missing[event.data() as usize]);
            member.read()?;
            let had = *left;
            *left = left.saturating_sub(messages(&mut member.heard)?);
            behind -= usize::from(had > 0 && *left == 0);
        }
    }
    Ok(began.elapsed().as_secs_f64())
}

/// The room's past, and the epoch that it is of.
fn fill(author: &mut Member, messages: usize) -> Result<String> {
    let (mut sent, mut stored, mut epoch) = (0, 0, None);
    while stored < messages {
        let more = (messages - sent).min(WINDOW - (sent - stored));
        author.publish(more)?;
        sent += more;
        author.read()?;
        if epoch.is_none() {
            let text = String::from_utf8_lossy(&author.heard);
            let rest = text.split_once(r#""epoch":""#).map(|(_, rest)| rest);
            epoch = rest.and_then(|rest| rest.split('"').next()).map(str::to_owned);
        }
        stored += author.pipe.acknowledged(&mut author.heard)?;
    }
    epoch.context("an ack says where it stands")
}

fn messages(heard: &mut Vec<u8>) -> Result<usize> {
    let (mut count, mut at) = (0, 0);
    loop {
        match wire::server_frame(&heard[at..]) {
            Scanned::Frame { payload, bytes, .. } => {
                ensure!(!payload.starts_with(br#"{"type":"error""#), "{}", String::from_utf8_lossy(payload));
                count += usize::from(payload.starts_with(MESSAGE));
                at += bytes;
            }
            Scanned::Incomplete => {
                heard.drain(..at);
                return Ok(count);
            }
            Scanned::Malformed => anyhow::bail!("no frame"),
        }
    }
}
