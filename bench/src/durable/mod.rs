//! Durable publishes: acknowledgements a second, with the same number of them outstanding, of Kulkul and of stores that are
//! used for the same. Servers take turns, so that what the machine does meanwhile falls on all of them.

mod catch_up;
mod stores;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use serde_json::{Value, json};

use crate::interval::Interval;
use crate::machine::{self, Facts};
use crate::wire;
pub(crate) use catch_up::CatchUp;
use stores::{Pipe, STORES, Store};

#[derive(Debug, Clone, Args)]
pub(crate) struct Durable {
    /// Connections, each to a room of its own.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: u32,
    /// Unacknowledged publishes of each.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    window: u32,
    /// Payload size.
    #[arg(long, default_value_t = 200)]
    bytes: usize,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these.
    #[arg(long, value_delimiter = ',')]
    stores: Vec<String>,
    /// Where their data is put; it should be a real disk.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// A server that does not listen by then, or a publish that is not answered by then, never will.
const PATIENCE: Duration = Duration::from_secs(20);
const WARM: f64 = 0.5;

struct Row {
    store: &'static Store,
    /// Acknowledgements a second, by round; none: it could not be started.
    rates: Vec<f64>,
    latencies_us: Vec<f64>,
    fault: Option<String>,
}

pub(crate) use catch_up::run as catch_up;

pub(crate) fn run(asked: &Durable, server: Option<&PathBuf>, as_json: bool) -> Result<bool> {
    let facts = Facts::gather();
    let known = |name: &String| STORES.iter().any(|store| store.name == name);
    if let Some(unknown) = asked.stores.iter().find(|name| !known(name)) {
        let names: Vec<&str> = STORES.iter().map(|store| store.name).collect();
        bail!("no store {unknown:?}; there are {}", names.join(", "));
    }
    let wanted =
        |store: &&Store| asked.stores.is_empty() || asked.stores.iter().any(|name| name == store.name);
    let row = |store| Row { store, rates: Vec::new(), latencies_us: Vec::new(), fault: None };
    let mut rows: Vec<Row> = STORES.iter().filter(wanted).map(row).collect();
    for round in 1..=asked.rounds {
        for row in &mut rows {
            if row.fault.is_some() {
                continue;
            }
            eprintln!("round {round} of {}: {}", asked.rounds, row.store.name);
            match measure(asked, server, row.store) {
                Ok((rate, latency)) => {
                    row.rates.push(rate);
                    row.latencies_us.push(latency);
                }
                // A server that is too old for a setting is no failure of the others.
                Err(error) => row.fault = Some(format!("{error:#}")),
            }
        }
    }
    report(asked, &rows, &facts, as_json);
    Ok(rows.iter().any(|row| !row.rates.is_empty()))
}

fn measure(asked: &Durable, server: Option<&PathBuf>, store: &Store) -> Result<(f64, f64)> {
    let above = asked.folder.clone().unwrap_or_else(std::env::temp_dir);
    let started = Started::start(store, server, &above)?;
    let (port, folder) = (started.port, &started.folder);
    let mut crowd = (0..asked.connections as usize)
        .map(|number| Member::enter(store.pipe(port, folder, number, asked.bytes)?, port))
        .collect::<Result<Vec<Member>>>()?;
    let rate = load(asked, &mut crowd)?;
    let latency = latency(&mut crowd[0])?;
    Ok((rate, latency))
}

/// A store that serves, on the servers' core, with a folder of its own.
struct Started {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Started {
    fn start(store: &Store, server: Option<&PathBuf>, above: &Path) -> Result<Started> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = above.join(format!("kulkul-durable-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let launch = store.launch(server.map(PathBuf::as_path), port, &folder)?;
        let log = std::fs::File::create(folder.join("log"))?;
        machine::pin(machine::SERVER_CORE)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&launch.program).args(&launch.args).envs(launch.env);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        machine::pin(machine::GENERATOR_CORE)?;
        let child = child.context("setpriv (util-linux) is needed to start servers")?;
        let mut started = Started { child, folder, port };
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if started.child.try_wait()?.is_some() || since.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(started.folder.join("log")).unwrap_or_default();
                let last = said.lines().last().unwrap_or("it said nothing");
                bail!("{} does not serve: {last}", launch.program.display());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(started)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Both fail only for a process that has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Member {
    pipe: Pipe,
    stream: TcpStream,
    heard: Vec<u8>,
    waiting: Vec<u8>,
}

impl Member {
    fn enter(pipe: Pipe, port: u16) -> Result<Member> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut member = Member { pipe, stream, heard: Vec::new(), waiting: Vec::new() };
        member.stream.write_all(&member.pipe.hello)?;
        while member.pipe.is_upgrade {
            match wire::upgrade_answer(&member.heard) {
                wire::Answer::Upgraded(end) => {
                    member.heard.drain(..end);
                    break;
                }
                wire::Answer::Incomplete => member.read()?,
                wire::Answer::Refused(why) => bail!("{why}"),
            }
        }
        let mut bytes = Vec::new();
        let mut left = member.pipe.enter(&mut bytes);
        member.stream.write_all(&bytes)?;
        while left > 0 {
            member.read()?;
            left = left.saturating_sub(member.pipe.acknowledged(&mut member.heard)?);
        }
        Ok(member)
    }

    fn read(&mut self) -> Result<()> {
        let mut part = [0; 64 << 10];
        let count = self.stream.read(&mut part).context("no answer")?;
        ensure!(count > 0, "the server closed the connection");
        self.heard.extend_from_slice(&part[..count]);
        Ok(())
    }

    /// As many more publishes, in one write.
    fn publish(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.pipe.publish(&mut self.waiting);
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        while !self.waiting.is_empty() {
            match self.stream.write(&self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Acknowledgements a second with every window full.
fn load(asked: &Durable, crowd: &mut [Member]) -> Result<f64> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    for (number, member) in crowd.iter_mut().enumerate() {
        member.stream.set_nonblocking(true)?;
        epoll.add(&member.stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
        member.publish(asked.window as usize)?;
    }
    let began = Instant::now();
    let (mut counted, mut from) = (0_u64, None);
    let mut events = [EpollEvent::empty(); 256];
    loop {
        let now = began.elapsed().as_secs_f64();
        if from.is_none() && now >= WARM {
            (counted, from) = (0, Some(now));
        }
        if let Some(from) = from
            && now >= from + asked.seconds
        {
            finish(asked, crowd)?;
            return Ok(counted as f64 / (now - from));
        }
        let ready = epoll.wait(&mut events, EpollTimeout::from(100_u16))?;
        for event in &events[..ready] {
            let member = &mut crowd[event.data() as usize];
            member.read()?;
            let acknowledged = member.pipe.acknowledged(&mut member.heard)?;
            counted += acknowledged as u64;
            member.publish(acknowledged)?;
        }
    }
}

/// What is outstanding is answered too.
fn finish(asked: &Durable, crowd: &mut [Member]) -> Result<()> {
    for member in crowd {
        member.stream.set_nonblocking(false)?;
        member.flush()?;
        let mut left = asked.window as usize;
        left = left.saturating_sub(member.pipe.acknowledged(&mut member.heard)?);
        while left > 0 {
            member.read()?;
            left = left.saturating_sub(member.pipe.acknowledged(&mut member.heard)?);
        }
    }
    Ok(())
}

/// The median time of one publish after another, with nothing else to do.
fn latency(member: &mut Member) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        member.publish(1)?;
        while member.pipe.acknowledged(&mut member.heard)? == 0 {
            member.read()?;
        }
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() / 2])
}

fn report(asked: &Durable, rows: &[Row], facts: &Facts, as_json: bool) {
    let rate = |row: &Row| Interval::of(&row.rates).map_or(0.0, |interval| interval.median);
    // The faster of those that promise the same.
    let bar = |row: &Row| {
        let others = rows
            .iter()
            .filter(|it| it.store.survives == row.store.survives && !it.store.name.starts_with("kulkul"));
        others.map(rate).fold(0.0, f64::max)
    };
    if as_json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "store": row.store.name, "survives": row.store.survives.words(), "per_second": row.rates,
                    "latency_us": row.latencies_us, "fault": row.fault,
                    "ratio": (row.store.name.starts_with("kulkul") && bar(row) > 0.0).then(|| rate(row) / bar(row)),
                })
            })
            .collect();
        let (connections, window, bytes) = (asked.connections, asked.window, asked.bytes);
        let load =
            json!({ "connections": connections, "window": window, "bytes": bytes, "seconds": asked.seconds });
        println!("{:#}", json!({ "machine": facts.json(), "load": load, "stores": rows }));
        return;
    }
    let (connections, window, bytes) = (asked.connections, asked.window, asked.bytes);
    println!("durable publishes: {connections} connections with {window} outstanding each, {bytes} B");
    println!(
        "{:<20} {:>10} {:>21} {:>12}  an acknowledgement survives",
        "", "acks/s", "between", "one alone"
    );
    for row in rows {
        let Some(interval) = Interval::of(&row.rates) else {
            println!("{:<20} {}", row.store.name, row.fault.as_deref().unwrap_or("not measured"));
            continue;
        };
        let latency = Interval::of(&row.latencies_us).map_or(0.0, |interval| interval.median);
        let ratio = match bar(row) {
            bar if row.store.name.starts_with("kulkul") && bar > 0.0 => {
                format!(", {:.2} x the faster of the others", interval.median / bar)
            }
            _ => String::new(),
        };
        println!(
            "{:<20} {:>10.0} {:>10.0} {:>10.0} {:>9.0} us  {}{ratio}",
            row.store.name,
            interval.median,
            interval.low,
            interval.high,
            latency,
            row.store.survives.words()
        );
    }
    println!("{}", facts.line());
}
