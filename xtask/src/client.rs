//! The chore `client`: the JavaScript client's types, its tests, its tests against our binary, and what `npm pack` would ship.
//! It starts and judges; what is tested is in `clients/js`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use crate::child::{answer, run_within};
use crate::interop;
use crate::server::{self, Build};
use crate::steps::{Outcome, Steps, Told};

/// A folder of tests takes minutes, of which most are waits: for tokens to end, for what a browser shows; so long only where the
/// machine is very busy.
const STEP: Duration = Duration::from_secs(1500);
/// It counts for a whole file, too. A test that waits for what does not come ends sooner, and says for what.
pub(crate) const TEST_TIMEOUT: &str = "--test-timeout=300000";

const FOLDER: &str = "clients/js";

pub(crate) fn chore(root: &Path, args: &[&str]) -> ExitCode {
    let mut steps = Steps::begin("client", Told::People);
    steps.run("client", |steps| match args {
        [] => tested(steps, root, Build::Shipped),
        _ => Err("it takes no arguments".to_owned()),
    });
    steps.end()
}

/// The step of `test`, with the binary that the tests built.
pub(crate) fn all(steps: &Steps, root: &Path) -> Outcome {
    tested(steps, root, Build::Tested)
}

fn tested(steps: &Steps, root: &Path, build: Build) -> Outcome {
    let home = root.join(FOLDER);
    let nodes = nodes(steps, root)?;
    interop::packages(&home, |words| steps.say(words))?;
    let binary = server::binary(root, build)?;
    let typescript = home.join("node_modules/typescript/bin/tsc");
    ran(steps, at(&nodes[0].0, &home).arg(typescript))?;
    let with = |(node, version): &(PathBuf, String), folder: &str| {
        let mut command = at(node, &home);
        command.args(["--test", TEST_TIMEOUT, "--test-reporter=tap"]).args(files(&home.join(folder))?);
        command.env("KULKUL_BINARY", &binary);
        tally(steps, &mut command).map_err(|why| format!("Node {version}: {why}"))
    };
    // One after the other: the package is made in its folder.
    let alone: Vec<u32> = nodes.iter().map(|node| with(node, "tests")).collect::<Result<_, _>>()?;
    let both = |node: &(PathBuf, String), alone: u32| {
        let count = with(node, "tests/server")? + alone;
        Ok(format!("{count} with Node {}", node.1))
    };
    // Both at once: each waits for most of its time.
    let passed: Vec<Outcome> = std::thread::scope(|scope| {
        let both = &both;
        let at_it: Vec<_> =
            nodes.iter().zip(alone).map(|(node, alone)| scope.spawn(move || both(node, alone))).collect();
        let ended = at_it.into_iter().map(|it| it.join().unwrap_or_else(|_| Err("it panicked".to_owned())));
        ended.collect()
    });
    let passed: Vec<String> = passed.into_iter().collect::<Result<_, _>>()?;
    Ok(format!("types are sound; tests: {}", passed.join(", ")))
}

/// The one that `interop` has, with a WebSocket of its own, and the machine's, where it is one that we promise and another.
fn nodes(steps: &Steps, root: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let ours = interop::node(root, |words| steps.say(words))?;
    let mut nodes = vec![ours];
    let machine = PathBuf::from("node");
    if let Some(version) = answer(&machine, &["--version"]) {
        let major = |version: &str| version.trim_start_matches('v').split('.').next()?.parse::<u32>().ok();
        if major(&version).is_some_and(|major| major >= 20) && major(&version) != major(&nodes[0].1) {
            nodes.push((machine, version));
        }
    }
    Ok(nodes)
}

pub(crate) fn at(node: &Path, home: &Path) -> Command {
    let mut command = Command::new(node);
    command.current_dir(home);
    command
}

pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".test.js"));
    files.sort();
    if files.is_empty() { Err(format!("{}: no test", folder.display())) } else { Ok(files) }
}

fn ran(steps: &Steps, command: &mut Command) -> Result<(), String> {
    let command = std::mem::replace(command, Command::new(""));
    let status = run_within(command, STEP, |line| steps.say(&format!("  {line}")))?;
    if status.success() { Ok(()) } else { Err(format!("the types are not sound: {status}")) }
}

/// How many passed; what failed is said. None that passed is a failure, one that was skipped too.
pub(crate) fn tally(steps: &Steps, command: &mut Command) -> Result<u32, String> {
    let command = std::mem::replace(command, Command::new(""));
    let mut lines = Vec::new();
    let ended = run_within(command, STEP, |line| lines.push(line.to_owned()));
    let count = |what: &str| {
        let named = lines.iter().rev().find_map(|line| line.strip_prefix(what)?.trim().parse::<u32>().ok());
        named.unwrap_or(0)
    };
    let (passed, skipped) = (count("# pass "), count("# skipped ") + count("# todo "));
    if ended.as_ref().is_ok_and(ExitStatus::success) && passed > 0 && skipped == 0 {
        return Ok(passed);
    }
    let mut failing = false;
    for line in &lines {
        let outcome = line.trim_start();
        if outcome.starts_with("ok ") || outcome.starts_with("not ok ") || outcome.starts_with("# Subtest") {
            failing = outcome.starts_with("not ok ");
        }
        if failing {
            steps.say(&format!("  {line}"));
        }
    }
    if let Err(why) = ended {
        // What it was at: the runner prints a test when it has ended.
        let last = lines.iter().rev().find(|line| line.trim_start().starts_with("# Subtest"));
        return Err(format!("{why}; the last that ended: {}", last.map_or("none", |line| line.trim())));
    }
    Err(format!("{passed} passed, {} failed, {skipped} skipped", count("# fail ") + count("# cancelled ")))
}
