//! The workspace's tests, suite by suite: built once by cargo, and run two at a time, because the longest of them mostly wait for
//! brokers. Cargo would run one after the other. It starts and reads; what a closing line means, others know.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::child::run_within;
use crate::steps::{Steps, cargo_at, without_colour};

const AT_ONCE: usize = 2;
/// The longest take minutes; whoever takes this long hangs, and is named.
const SUITE: Duration = Duration::from_secs(1200);
/// The longest, in their order: what begins first is not waited for at the end.
const FIRST: [&str; 4] = ["server/kafka_bridge", "redis/redis", "server/redis_bridge", "server/threats"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    name: String,
    program: PathBuf,
    /// Where cargo would run it.
    home: PathBuf,
}

/// All but the documentation's, which cargo alone can run.
pub(crate) fn built(steps: &Steps, root: &Path) -> Result<Vec<Suite>, String> {
    let colour = if steps.colour() { "always" } else { "never" };
    let shape = ["--message-format", "json-render-diagnostics", "--color", colour];
    let args = [&["test", "--workspace", "--no-run", "--lib", "--bins", "--tests", "--examples"][..], &shape]
        .concat();
    let output = cargo_at(root, &args).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo test did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("the tests do not build: {}", output.status));
    }
    let mut suites: Vec<Suite> = String::from_utf8_lossy(&output.stdout).lines().filter_map(suite).collect();
    let place = |suite: &Suite| FIRST.iter().position(|name| suite.name == *name);
    suites.sort_by_key(|suite| place(suite).unwrap_or(FIRST.len()));
    Ok(suites)
}

/// Of what cargo says of each thing that it built, the tests.
fn suite(line: &str) -> Option<Suite> {
    let said: Value = serde_json::from_str(line).ok()?;
    let is_test = said["reason"] == "compiler-artifact" && said["profile"]["test"] == true;
    let program = said["executable"].as_str().filter(|_| is_test)?;
    let home = Path::new(said["manifest_path"].as_str()?).parent()?;
    let package = home.file_name()?.to_string_lossy();
    let name = format!("{package}/{}", said["target"]["name"].as_str()?);
    Some(Suite { name, program: program.into(), home: home.into() })
}

/// Each suite's lines in one piece, when it has ended. The names of those that failed.
pub(crate) fn run(steps: &Steps, suites: Vec<Suite>, read: impl FnMut(&str) + Send) -> Result<(), String> {
    let waiting = Mutex::new(VecDeque::from(suites));
    let told = Mutex::new((read, Vec::new()));
    let one_after_the_other = || {
        loop {
            let next = locked(&waiting).pop_front();
            let Some(suite) = next else { return };
            let mut lines = Vec::new();
            let ended = run_within(suite.command(steps), SUITE, |line| lines.push(line.to_owned()));
            let mut told = locked(&told);
            steps.say(&format!("     Running {}", suite.name));
            for line in lines {
                steps.say(&line);
                (told.0)(&without_colour(&line));
            }
            match ended {
                Ok(status) if status.success() => {}
                Ok(status) => told.1.push(format!("{} ({status})", suite.name)),
                Err(why) => told.1.push(format!("{} ({why})", suite.name)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(one_after_the_other);
        }
    });
    let failed = std::mem::take(&mut locked(&told).1);
    if failed.is_empty() { Ok(()) } else { Err(failed.join(", ")) }
}

/// Whoever panicked had it for a line; what is in it is whole.
fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Suite {
    /// What it says on either output comes in one stream, in its order.
    fn command(&self, steps: &Steps) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(&self.program);
        command.args(["--color", if steps.colour() { "always" } else { "never" }]);
        command.current_dir(&self.home).env("CARGO_MANIFEST_DIR", &self.home);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::Told;

    #[test]
    fn of_what_cargo_has_built_the_tests_are_run() {
        let artifact = |test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/crates/rooms/Cargo.toml","target":{{"name":"homes"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let rooms = Suite {
            name: "rooms/homes".to_owned(),
            program: "/w/target/debug/deps/homes-1".into(),
            home: "/w/crates/rooms".into(),
        };
        for (line, expected) in [
            (artifact(true, r#""/w/target/debug/deps/homes-1""#), Some(rooms)),
            (artifact(false, r#""/w/target/debug/kulkul""#), None),
            (artifact(true, "null"), None),
            (r#"{"reason":"build-finished","success":true}"#.to_owned(), None),
            ("   Compiling".to_owned(), None),
        ] {
            assert_eq!(suite(&line), expected, "{line}");
        }
    }

    #[test]
    fn every_suite_is_read_whole_and_one_that_fails_is_named() {
        let suite = |name: &str, program: &str| Suite {
            name: name.to_owned(),
            program: program.into(),
            home: std::env::temp_dir(),
        };
        let steps = Steps::begin("test", Told::Nobody);
        let mut lines = Vec::new();
        let suites = vec![suite("a", "echo"), suite("b", "false"), suite("c", "echo")];
        let ran = run(&steps, suites, |line| lines.push(line.to_owned()));
        assert_eq!(lines, ["--color never", "--color never"]);
        assert_eq!(ran, Err("b (exit status: 1)".to_owned()));
    }
}
