//! The server under test as a process: started on its core, asked what it costs, and surely ended.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::adapters::{Adapter, Place};
use crate::machine;

const READY_SECONDS_MAX: u64 = 20;
const READY_BYTES_MAX: usize = 4096;
/// Ports below the ephemeral range, so that no client socket can hold one.
const PORTS: std::ops::Range<u16> = 21_000..32_000;

/// What a server has used since it was started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub cpu_ns: u64,
    pub switches: u64,
}

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    cpu: ClockId,
    folder: PathBuf,
    pub port: u16,
    pub version: String,
}

impl Server {
    /// Starts the server on its core and returns when it says that it listens.
    pub(crate) fn start(adapter: &mut dyn Adapter) -> Result<Self> {
        let port = free_port()?;
        let folder = std::env::temp_dir().join(format!("kulkul-bench-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let place = Place { port, folder: folder.clone() };
        let launch = adapter.launch(&place).inspect_err(|_| remove(&folder))?;

        let mut command = Command::new("setpriv");
        // Ends with this process, however this process ends.
        command.args(["--pdeathsig", "KILL", "--"]).arg(&launch.program).args(&launch.args).envs(launch.env);
        if let Some(within) = launch.within {
            command.current_dir(within);
        }
        let stderr = File::create(folder.join("stderr"))?;
        machine::pin(machine::SERVER_CORE)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn();
        machine::pin(machine::GENERATOR_CORE)?;
        let child = child.context("setpriv (util-linux) is needed to start servers")?;

        let cpu = clock_getcpuclockid(Pid::from_raw(child.id().cast_signed()))?;
        let mut server = Self { child, cpu, folder, port, version: String::new() };
        let ready = server.ready().with_context(|| format!("{} did not start", adapter.name()))?;
        server.version = ready["version"].as_str().unwrap_or_default().to_owned();
        if let Some(port) = ready["listening"].as_str().and_then(|url| url.rsplit(':').next()?.parse().ok()) {
            server.port = port;
        }
        Ok(server)
    }

    /// The one line that every server prints: `{"listening":"http://…"}`.
    fn ready(&mut self) -> Result<Value> {
        let stdout = self.child.stdout.as_mut().context("its output is not ours")?;
        let deadline = Instant::now() + Duration::from_secs(READY_SECONDS_MAX);
        let mut line = Vec::new();
        while !line.contains(&b'\n') && line.len() < READY_BYTES_MAX {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
            if poll(&mut polled, PollTimeout::try_from(left)?)? == 0 {
                bail!("no word within {READY_SECONDS_MAX} s; {}", self.last_words());
            }
            let mut part = [0; 512];
            match stdout.read(&mut part)? {
                0 => bail!("it ended; {}", self.last_words()),
                count => line.extend_from_slice(&part[..count]),
            }
        }
        let text = String::from_utf8_lossy(&line);
        serde_json::from_str(text.trim()).with_context(|| format!("its first line is `{}`", text.trim()))
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        let spent = self.cpu.now().with_context(|| format!("the server is gone; {}", self.last_words()))?;
        let cpu_ns = spent.tv_sec() as u64 * 1_000_000_000 + spent.tv_nsec() as u64;
        Ok(Usage { cpu_ns, switches: self.switches() })
    }

    /// Context switches of all threads, wanted and unwanted.
    fn switches(&self) -> u64 {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.child.id())) else { return 0 };
        let status =
            threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
        status
            .flat_map(|status| {
                let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
                counts.filter_map(|line| line.rsplit('\t').next()?.parse::<u64>().ok()).collect::<Vec<_>>()
            })
            .sum()
    }

    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let kilobytes = rollup.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"));
        Ok(kilobytes.and_then(|count| count.parse::<u64>().ok()).context("no Rss in smaps_rollup")? * 1024)
    }

    pub(crate) fn last_words(&self) -> String {
        let text = fs::read(self.folder.join("stderr")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(600)..]).trim().to_owned();
        if text.is_empty() { "it said nothing".to_owned() } else { format!("it said: {text}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for a process that has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        remove(&self.folder);
    }
}

/// A folder that cannot be removed is left to whoever empties the temporary ones.
fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}

/// Another port than the last run's, which may still be held.
fn free_port() -> Result<u16> {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.subsec_micros();
    let span = PORTS.end - PORTS.start;
    (0..200)
        .map(|step| PORTS.start + ((clock + step * 37) % u32::from(span)) as u16)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port")
}
