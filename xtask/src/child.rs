//! Programs that a chore starts: each has a time limit or an owner, and is gone when the chore is done with it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Lines that may wait for us; a program that says more waits itself.
const LINES_MAX: usize = 1024;
/// Of one line; what is longer is read in pieces.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// How often a program that no longer says anything is asked whether it has ended.
const GLANCE: Duration = Duration::from_millis(20);

/// A program that ends with its owner.
pub(crate) struct Owned {
    child: Child,
    lines: Receiver<String>,
}

/// What became of a wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Line(String),
    /// It closed its output.
    Nothing,
    TooLate,
}

impl Owned {
    /// Its standard output is ours to read; its standard error goes where the command says.
    pub(crate) fn start(mut command: Command) -> Result<Owned, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|error| format!("{name} did not start: {error}"))?;
        let (sender, lines) = sync_channel(LINES_MAX);
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut output = BufReader::new(output);
                let mut line = Vec::new();
                while output.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    if sender.send(text).is_err() {
                        break;
                    }
                    line.clear();
                }
            });
        }
        Ok(Owned { child, lines })
    }

    pub(crate) fn line(&self, until: Instant) -> Said {
        match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => Said::Line(line),
            Err(RecvTimeoutError::Disconnected) => Said::Nothing,
            Err(RecvTimeoutError::Timeout) => Said::TooLate,
        }
    }

    /// How it ended, if it does before then.
    pub(crate) fn ended(&mut self, until: Instant) -> Option<ExitStatus> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(GLANCE),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end, line by line, for at most so long.
pub(crate) fn run_within(
    command: Command,
    limit: Duration,
    mut read: impl FnMut(&str),
) -> Result<ExitStatus, String> {
    let until = Instant::now() + limit;
    let mut program = Owned::start(command)?;
    let too_long = || format!("stopped after {} s", limit.as_secs());
    loop {
        match program.line(until) {
            Said::Line(line) => read(&line),
            Said::Nothing => return program.ended(until).ok_or_else(too_long),
            Said::TooLate => return Err(too_long()),
        }
    }
}

/// The same where only success matters; what it said is told if it fails.
pub(crate) fn quietly_within(command: Command, limit: Duration) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut said = Vec::new();
    let status = run_within(command, limit, |line| said.push(line.to_owned()))
        .map_err(|error| format!("{name}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{name}: {status}; {}", said[said.len().saturating_sub(20)..].join("\n")))
}

/// The first line that a program says about itself on either output; none if there is no such program.
pub(crate) fn answer(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let all = [output.stdout, output.stderr].concat();
    let says = String::from_utf8_lossy(&all).lines().map(str::trim).find(|line| !line.is_empty())?.to_owned();
    output.status.success().then_some(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_is_read_to_its_end_or_its_limit() {
        let mut lines = Vec::new();
        let status = run_within(shell("echo one; echo two; exit 3"), Duration::from_secs(30), |line| {
            lines.push(line.to_owned());
        });
        assert_eq!(
            (lines.join(" "), status.map(|status| status.code())),
            ("one two".to_owned(), Ok(Some(3)))
        );
        for script in ["exec tail -f /dev/null", "exec tail -f /dev/null >/dev/null"] {
            let result = run_within(shell(script), Duration::from_millis(30), |_| {});
            assert_eq!(result.map(|status| status.code()), Err("stopped after 0 s".to_owned()));
        }
    }

    #[test]
    fn whoever_owns_a_program_ends_it() {
        let program = Owned::start(shell("echo ready; exec tail -f /dev/null")).expect("it starts");
        let until = Instant::now() + Duration::from_secs(30);
        assert_eq!(program.line(until), Said::Line("ready".to_owned()));
        let process = program.child.id();
        drop(program);
        assert!(!Path::new(&format!("/proc/{process}")).exists());
    }
}
