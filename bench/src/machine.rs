//! The machine: its facts beside every figure, and the core, class and weight that each process gets on it.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
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
        }
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{}, {} cores, Linux {}, {} descriptors, load {} -> {}{}",
            self.cpu,
            self.cores,
            self.kernel,
            self.descriptors,
            self.load_before,
            load(),
            self.commit.as_ref().map(|commit| format!(", commit {commit}")).unwrap_or_default()
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cores": self.cores, "kernel": self.kernel, "descriptors_max": self.descriptors,
            "commit": self.commit, "load_before": self.load_before, "load_after": load(),
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
        let raised = fs::write(GROUP_FILE, GROUP_NICE).is_ok();
        Self { before: before.filter(|_| raised) }
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
