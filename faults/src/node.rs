//! A server as a process: started with its argument list, killed, paused, asked what it holds, and gone with its owner. It
//! never talks to it but by signals and the one line that every server prints.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::front::{metric, page};
use crate::token::Signer;

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Below the ephemeral range, so that no client's socket can hold one.
const PORTS: std::ops::Range<u16> = 21_000..32_000;
/// As every Linux counts for `/proc`.
const TICKS_PER_SECOND: u64 = 100;
/// Between two looks at whether a process has ended.
const GLANCE: Duration = Duration::from_millis(5);

/// How a server is started, every time it is.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) port: u16,
    pub(crate) args: Vec<String>,
    /// A program with its arguments that starts the server in turn; none: directly.
    pub(crate) through: Vec<OsString>,
    pub(crate) log: PathBuf,
}

impl Launch {
    pub(crate) fn new(binary: &Path, folder: &Path) -> Result<Launch> {
        let (data, log) = (folder.join("data"), folder.join("log"));
        let (args, through) = (Vec::new(), Vec::new());
        Ok(Launch { binary: binary.to_owned(), data, port: free_port()?, args, through, log })
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whoever makes a token makes the folder's secret.
    pub(crate) fn signer(&self) -> Result<Signer> {
        let mut command = Command::new(&self.binary);
        let made = command.args(["token", "--user", "faults", "--data"]).arg(&self.data).output();
        let made = made.with_context(|| format!("cannot run {}", self.binary.display()))?;
        if !made.status.success() {
            bail!("kulkul token: {}", String::from_utf8_lossy(&made.stderr).trim());
        }
        let secret = fs::read_to_string(self.data.join("secret")).context("no file `secret` was made")?;
        Signer::of_hex(&secret)
    }

    pub(crate) fn start(&self) -> Result<Node> {
        let mut words: Vec<OsString> = ["setpriv", "--pdeathsig", "KILL", "--"].map(Into::into).into();
        if !self.through.is_empty() {
            words.extend(self.through.iter().cloned());
            // It must end with this process too if what starts it is killed.
            words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(Into::into));
        }
        words.push(self.binary.clone().into());
        words.extend(["serve", "--listen"].map(Into::into));
        words.push(self.address().into());
        words.push("--data".into());
        words.push(self.data.clone().into());
        words.extend(self.args.iter().map(Into::into));
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().context("setpriv (util-linux) is needed to start servers")?;
        let output = child.stdout.take().context("its output is not ours")?;
        let flags = OFlag::from_bits_truncate(fcntl(output.as_fd(), FcntlArg::F_GETFL)?);
        fcntl(output.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let traced = !self.through.is_empty();
        let log = self.log.clone();
        Ok(Node { child, output, line: Vec::new(), traced, pid: None, operator: None, log, port: self.port })
    }

    /// Until it listens.
    pub(crate) fn start_and_wait(&self) -> Result<Node> {
        let mut node = self.start()?;
        node.wait_until_ready()?;
        Ok(node)
    }
}

pub(crate) struct Node {
    child: Child,
    output: std::process::ChildStdout,
    line: Vec<u8>,
    traced: bool,
    pid: Option<Pid>,
    pub(crate) operator: Option<String>,
    log: PathBuf,
    pub(crate) port: u16,
}

impl Node {
    /// Whether it has said that it listens; it does not wait.
    pub(crate) fn is_ready(&mut self) -> Result<bool> {
        let mut part = [0; 512];
        match self.output.read(&mut part) {
            Ok(0) => bail!("the server ended before it was ready; {}", self.last_words()),
            Ok(count) => self.line.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if !self.line.contains(&b'\n') {
            return Ok(false);
        }
        let text = String::from_utf8_lossy(&self.line).into_owned();
        let ready: Value = serde_json::from_str(text.trim())
            .with_context(|| format!("the server's first line is {:?}", text.trim()))?;
        self.operator = ready["operator"].as_str().map(|url| url.replace("http://", ""));
        self.pid = Some(self.find_pid()?);
        Ok(true)
    }

    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        while !self.is_ready()? {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("the server did not say that it is ready; {}", self.last_words());
            }
            let mut polled = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            poll(&mut polled, PollTimeout::try_from(left)?)?;
        }
        Ok(())
    }

    /// The server's own, where a program stands between it and us.
    fn find_pid(&self) -> Result<Pid> {
        let own = self.child.id();
        if !self.traced {
            return Ok(Pid::from_raw(own.cast_signed()));
        }
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let first = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        Ok(Pid::from_raw(first.unwrap_or(own.cast_signed())))
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid.unwrap_or(Pid::from_raw(self.child.id().cast_signed()))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).with_context(|| format!("the server is gone; {}", self.last_words()))
    }

    /// At once, and not there any more when this returns.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.ended(Instant::now() + READY_WITHIN).context("it does not end")?;
        Ok(())
    }

    pub(crate) fn terminate_and_wait(mut self, within: Duration) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.ended(Instant::now() + within).context("it does not end")
    }

    pub(crate) fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// How it ended, if it does by then.
    pub(crate) fn ended(&mut self, until: Instant) -> Option<ExitStatus> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(GLANCE),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()))?;
        let kilobytes = rollup.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"));
        Ok(kilobytes.and_then(|count| count.parse::<u64>().ok()).context("no Rss in smaps_rollup")? * 1024)
    }

    /// Of the processor, since it began.
    pub(crate) fn processor_ms(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // Behind the name, which may have spaces in it: state is the first, user and system time the 12th and 13th.
        let rest = stat.rsplit_once(')').context("no name in stat")?.1;
        let ticks: u64 =
            rest.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
        Ok(ticks * 1000 / TICKS_PER_SECOND)
    }

    /// A figure at the operator's door, with its labels if it has some.
    pub(crate) fn figure(&self, name: &str) -> Result<u64> {
        metric(self.operator.as_deref().context("the operator has no door")?, name)
    }

    pub(crate) fn answers(&self, path: &str) -> Result<u16> {
        Ok(page(self.operator.as_deref().context("the operator has no door")?, path)?.0)
    }

    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid()))?.count())
    }

    pub(crate) fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(500)..]).trim().to_owned();
        if text.is_empty() { "it said nothing".to_owned() } else { format!("it said: {text}") }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Each fails only for what has already ended.
        if let Some(pid) = self.pid.filter(|_| self.traced && matches!(self.child.try_wait(), Ok(None))) {
            let _ = kill(pid, Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Another port than the last run's, which may still be held.
pub(crate) fn free_port() -> Result<u16> {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.subsec_micros();
    let span = u32::from(PORTS.end - PORTS.start);
    (0..200)
        .map(|step| PORTS.start + ((clock + step * 37) % span) as u16)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port")
}
