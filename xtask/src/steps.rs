//! Steps of a chore: run in order, timed, all of them even after a failure, and summed up at the end.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Where the lines for people go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// On standard output, between the output of the steps.
    People,
    /// On standard error; standard output belongs to one JSON text.
    Machine,
    #[cfg(test)]
    Nobody,
}

/// What a step came to, in a few words for the summary.
pub(crate) type Outcome = Result<String, String>;

pub(crate) struct Steps {
    chore: &'static str,
    told: Told,
    colour: bool,
    began: Instant,
    done: Vec<Done>,
}

struct Done {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

impl Steps {
    pub(crate) fn begin(chore: &'static str, told: Told) -> Self {
        let terminal = match told {
            Told::People => std::io::stdout().is_terminal(),
            Told::Machine => std::io::stderr().is_terminal(),
            #[cfg(test)]
            Told::Nobody => false,
        };
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        Self { chore, told, colour, began: Instant::now(), done: Vec::new() }
    }

    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    pub(crate) fn run(&mut self, name: &'static str, work: impl FnOnce(&Self) -> Outcome) {
        self.say(&format!("{} {name}", self.paint("1;36", "──")));
        let began = Instant::now();
        let outcome = work(self);
        let done = Done { name, outcome, took: began.elapsed() };
        self.say(&self.line(&done));
        self.done.push(done);
    }

    /// One line a step, then one for the whole; success only if every step passed.
    pub(crate) fn end(self) -> ExitCode {
        if self.done.len() > 1 {
            self.say("");
            self.done.iter().for_each(|done| self.say(&self.line(done)));
        }
        let failed: Vec<&str> =
            self.done.iter().filter(|done| done.outcome.is_err()).map(|done| done.name).collect();
        let took = seconds(self.began.elapsed());
        if failed.is_empty() {
            self.say(&format!("{} {} in {took}", self.paint("1;32", "passed"), self.chore));
            ExitCode::SUCCESS
        } else {
            let (count, of) = (failed.len(), self.done.len());
            let failed = failed.join(", ");
            self.say(&format!(
                "{} {}: {count} of {of} steps ({failed}) in {took}",
                self.paint("1;31", "FAILED"),
                self.chore
            ));
            ExitCode::FAILURE
        }
    }

    pub(crate) fn say(&self, line: &str) {
        // Nobody is left to tell when the terminal is gone; the exit code still says it.
        let _ = match self.told {
            Told::People => writeln!(std::io::stdout(), "{line}"),
            Told::Machine => writeln!(std::io::stderr(), "{line}"),
            #[cfg(test)]
            Told::Nobody => Ok(()),
        };
    }

    pub(crate) fn paint(&self, code: &str, words: &str) -> String {
        if self.colour { format!("\x1b[{code}m{words}\x1b[0m") } else { words.to_owned() }
    }

    fn line(&self, done: &Done) -> String {
        let (mark, note) = match &done.outcome {
            Ok(note) => (self.paint("32", "ok    "), note),
            Err(note) => (self.paint("1;31", "FAILED"), note),
        };
        format!("{mark} {:<12} {:>8}  {note}", done.name, seconds(done.took))
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

/// The cargo that runs us, so that every step uses one toolchain.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A cargo command at the root, without what `cargo run` told us about our own package: build scripts that watch those
/// variables would run again.
pub(crate) fn cargo_at(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(cargo());
    command.current_dir(root).args(args);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command whose output goes straight through.
pub(crate) fn run(mut command: Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{status}")),
        Err(error) => Err(format!("did not start: {error}")),
    }
}

/// Runs a command whose output goes through, line by line, and is read on the way.
pub(crate) fn run_and_read(mut command: Command, mut read: impl FnMut(&str)) -> Result<(), String> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| format!("did not start: {error}"))?;
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let (mut line, mut terminal) = (Vec::new(), std::io::stdout());
        while output.read_until(b'\n', &mut line).map_err(|error| format!("its output broke: {error}"))? > 0 {
            // As in `say`: a terminal that is gone is no failure of the step.
            let _ = terminal.write_all(&line).and_then(|()| terminal.flush());
            read(&without_colour(&String::from_utf8_lossy(&line)));
            line.clear();
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{status}")),
        Err(error) => Err(format!("was lost: {error}")),
    }
}

/// As whoever reads it means it.
pub(crate) fn without_colour(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, escaped)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = escaped.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest.trim_end_matches(['\r', '\n'])
}

/// The folder of the workspace that we were started in.
pub(crate) fn root() -> Result<PathBuf, String> {
    let here = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
    let holds_workspace = |folder: &&Path| {
        std::fs::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|manifest| manifest.contains("[workspace]"))
    };
    here.ancestors()
        .find(holds_workspace)
        .map(Path::to_path_buf)
        .ok_or_else(|| "run it inside the workspace".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_taken_out_before_a_line_is_read() {
        for (line, plain) in [
            ("test result: \x1b[32mok\x1b[m. 3 passed\n", "test result: ok. 3 passed"),
            ("plain\r\n", "plain"),
            ("\x1b[1;31mred\x1b[0m and \x1b[", "red and "),
        ] {
            assert_eq!(without_colour(line), plain);
        }
    }

    #[test]
    fn every_step_runs_and_one_failure_fails_the_chore() {
        for (outcomes, passes) in
            [(&[true, true][..], true), (&[false, true], false), (&[true, false], false)]
        {
            let mut steps = Steps::begin("trial", Told::Nobody);
            for &passes in outcomes {
                steps.run("step", |_| if passes { Ok(String::new()) } else { Err("as planned".to_owned()) });
            }
            assert_eq!(steps.done.len(), outcomes.len());
            assert_eq!(steps.end() == ExitCode::SUCCESS, passes, "{outcomes:?}");
        }
    }

    #[test]
    fn a_command_that_fails_or_does_not_exist_is_a_failure() {
        assert!(run(Command::new("true")).is_ok());
        assert!(run(Command::new("false")).is_err());
        assert!(run(Command::new("no-such-command-anywhere")).is_err());
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; exit 3"]);
        assert!(run_and_read(command, |line| lines.push(line.to_owned())).is_err());
        assert_eq!(lines, ["one", "two"]);
    }
}
