//! Faults in real processes, judged by what clients saw; a client like any other.
//!
//! Servers are started, killed, starved of disk and drained while a crowd of clients sends and listens. What the clients sent
//! and heard is the *history*; with the logs as somebody reads them who comes at the end it goes to the *checker*, which
//! alone says whether the run was sound. Nothing here knows how a server works inside, except for the names of its data
//! files, which two scenarios copy and damage.

mod broker;
pub mod checker;
mod client;
mod crowd;
mod delay;
mod fleet;
mod front;
mod heard;
pub mod history;
mod image;
mod link;
mod node;
mod outcome;
#[cfg(test)]
mod peer;
mod presence;
mod proxy;
mod random;
mod report;
mod scenarios;
mod sockets;
mod token;
mod trace;
mod watch;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use outcome::Outcome;
use report::Report;
use scenarios::{Scenario, Site, Size};
use world::World;

/// Kills, crashes, full disks and drains under load; every run is judged by what its clients saw.
#[derive(Debug, clap::Parser)]
pub struct Faults {
    /// Scenarios by name or row; none: all of them.
    pub names: Vec<String>,
    /// The server to run.
    #[arg(long, value_name = "PATH", required_unless_present = "list")]
    pub server: Option<PathBuf>,
    /// The server's next build, which takes its place in a rolling upgrade: the same with `--features rehearsal`.
    #[arg(long, value_name = "PATH")]
    pub next: Option<PathBuf>,
    /// Which scenarios there are.
    #[arg(long)]
    pub list: bool,
    /// Where the servers' folders are made.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// The short form: counts and bounds, no latencies.
    #[arg(long)]
    pub small: bool,
    /// One JSON document in place of lines.
    #[arg(long)]
    pub json: bool,
    /// What is drawn, drawn again; the processes themselves keep their own time.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Folders of failed scenarios stay.
    #[arg(long)]
    pub keep: bool,
    /// What happens on the way, line by line.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Runs what was asked for. Fails if anything did not hold.
pub fn run(asked: &Faults) -> ExitCode {
    let scenarios = match scenarios::named(&asked.names) {
        Ok(scenarios) => scenarios,
        Err(error) => {
            eprintln!("kulkul-faults: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let Some(server) = asked.server.as_ref().filter(|_| !asked.list) else {
        for Scenario { name, row, about, .. } in scenarios {
            println!("{name:<21} {row:<5} {about}");
        }
        return ExitCode::SUCCESS;
    };
    raise_descriptors();
    let seed = asked.seed.unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()))
    });
    let mut report = Report::begin(asked.json, asked.verbose, asked.small, seed);
    for together in scenarios.chunk_by(|one, next| asked.small && one.waits && next.waits) {
        let outcomes = std::thread::scope(|scope| {
            let run = |scenario: &'static Scenario| {
                let began = Instant::now();
                (one(asked, server, scenario, seed, &report), began.elapsed())
            };
            let running: Vec<_> = together.iter().map(|it| scope.spawn(move || run(it))).collect();
            running.into_iter().map(|it| it.join()).collect::<Vec<_>>()
        });
        for (scenario, joined) in together.iter().zip(outcomes) {
            let (outcome, took) = joined.unwrap_or_else(|_| (Outcome::broken_off(), Duration::ZERO));
            report.add(scenario, outcome, took);
        }
    }
    report.end()
}

fn one(asked: &Faults, server: &Path, scenario: &Scenario, seed: u64, report: &Report) -> Outcome {
    let folder = asked.folder.clone().unwrap_or_else(|| std::env::temp_dir().join("kulkul-faults"));
    let ran = World::new(server, asked.next.as_deref(), &folder.join(scenario.name)).and_then(|mut world| {
        let size = if asked.small { Size::Small } else { Size::Full };
        let site = Site { world: &world, size, seed, say: &|words| report.remark(words) };
        let ran = (scenario.run)(&site);
        world.keep = asked.keep && !ran.as_ref().is_ok_and(|outcome| outcome.broken.is_empty());
        ran
    });
    ran.unwrap_or_else(|error| Outcome { broken: vec![format!("{error:#}")], ..Outcome::default() })
}

/// A crowd is as large as the machine lets it be.
fn raise_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Too few of them show themselves where a socket cannot be made.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The one-minute load average: what else the machine was doing.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// Between two looks at what can only be looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
