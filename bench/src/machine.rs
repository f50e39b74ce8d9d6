//! The machine: its facts beside every figure, and the core, class and weight that each process gets on it.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;
use serde_json::{Value, json};

pub(crate) const SERVER_CORE: usize = 0;
pub(crate) const GENERATOR_CORE: usize = 1;

/// Priority in the real-time class: above everything that is not in it, below the kernel's own threads.
const REALTIME_PRIORITY: &str = "1";
/// Weight of the whole group against others on the machine; `nice` inside a group changes nothing between groups.
const GROUP_NICE: &str = "-15";
const GROUP_FILE: &str = "/proc/self/autogroup";

#[derive(Debug, Clone)]
pub(crate) struct Facts {
    cpu: String,
    cores: usize,
    kernel: String,
    descriptors: u64,
    commit: Option<String>,
    load_before: String,
    ticks_before: Ticks,
}

/// Clock ticks of all cores together since boot.
#[derive(Debug, Clone, Copy, Default)]
struct Ticks {
    all: u64,
    /// Taken by the host of a virtual machine.
    stolen: u64,
}

impl Ticks {
    /// From the first line of `/proc/stat`: user, nice, system, idle, waiting, interrupts (two), stolen; then parts of those.
    fn read(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let counts: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|count| count.parse().ok()).collect();
        Self { all: counts.iter().sum(), stolen: counts.get(7).copied().unwrap_or(0) }
    }

    fn now() -> Self {
        Self::read(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// Share of all time since `before` that the host took.
    fn stolen_since(self, before: Self) -> f64 {
        (self.stolen - before.stolen) as f64 / (self.all - before.all).max(1) as f64
    }
}

impl Facts {
    pub(crate) fn gather() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
        let words = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let git =
            Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).stderr(Stdio::null()).output();
        let commit = git.ok().filter(|done| done.status.success());
        Self {
            cpu: model.unwrap_or("unknown").trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            kernel: words("/proc/sys/kernel/osrelease"),
            descriptors: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard),
            commit: commit.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()),
            load_before: load(),
            ticks_before: Ticks::now(),
        }
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{}, {} cores, Linux {}, {} descriptors, load {} -> {}, {:.1} % stolen by the host{}",
            self.cpu,
            self.cores,
            self.kernel,
            self.descriptors,
            self.load_before,
            load(),
            Ticks::now().stolen_since(self.ticks_before) * 100.0,
            self.commit.as_ref().map(|commit| format!(", commit {commit}")).unwrap_or_default()
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "kernel": self.kernel, "descriptors_max": self.descriptors,
            "commit": self.commit, "load_before": self.load_before, "load_after": load(),
            "stolen_share": Ticks::now().stolen_since(self.ticks_before),
            "bench": env!("CARGO_PKG_VERSION"),
        })
    }
}

/// The load averages of 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let line = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    line.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// This thread, and what it starts from here on, runs on this core only.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("core {core} is not ours to use"))
}

/// As many descriptors as the system allows; the server under test inherits it.
pub(crate) fn raise_descriptors(needed: u64) -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(hard >= needed, "{needed} descriptors needed, the hard limit is {hard}");
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// Moves all threads of a process into the real-time class, or back.
pub(crate) fn set_realtime(pid: Pid, on: bool) -> Result<()> {
    let (class, priority) = if on { ("--fifo", REALTIME_PRIORITY) } else { ("--other", "0") };
    let done = Command::new("chrt")
        .args(["--all-tasks", class, "--pid", priority, &pid.to_string()])
        .output()
        .context("chrt (util-linux) is needed for the real-time class")?;
    ensure!(done.status.success(), "chrt: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(())
}

/// More weight for this group of processes, taken back when dropped.
#[derive(Debug)]
pub(crate) struct Weight {
    before: Option<String>,
}

impl Weight {
    pub(crate) fn raise() -> Self {
        let group = fs::read_to_string(GROUP_FILE).unwrap_or_default();
        let before = group.rsplit(' ').next().map(|nice| nice.trim().to_owned());
        let before = before.filter(|_| fs::write(GROUP_FILE, GROUP_NICE).is_ok());
        if let Some(before) = before.clone() {
            give_back_on_a_signal(before);
        }
        Self { before }
    }

    pub(crate) fn words(&self) -> &'static str {
        match self.before {
            Some(_) => "raised against other work on this machine",
            None => "not raised (no autogroups, or not allowed)",
        }
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // The group ends with the terminal anyway; a failure leaves it heavier, nothing else.
            let _ = fs::write(GROUP_FILE, before);
        }
    }
}

/// A thread that sleeps until somebody interrupts the bench. Servers end by themselves then; the weight would stay.
fn give_back_on_a_signal(before: String) {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    // Not blocked means not caught: the signal ends the process as it always does.
    if signals.thread_block().is_ok() {
        std::thread::spawn(move || {
            if let Ok(signal) = signals.wait() {
                let _ = fs::write(GROUP_FILE, before);
                std::process::exit(128 + signal as i32);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_share_is_read_from_the_first_line() {
        let before = Ticks::read("cpu  10 0 10 70 0 0 0 10 5 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n");
        let after = Ticks::read("cpu  20 0 20 140 0 0 0 20 9 0\n");
        assert_eq!((before.all, before.stolen), (100, 10));
        assert!((after.stolen_since(before) - 0.1).abs() < 1e-9);
        assert_eq!(Ticks::read("").stolen_since(Ticks::default()), 0.0);
    }
}
