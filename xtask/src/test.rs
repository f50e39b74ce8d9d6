//! The chore `test`: `check`, every test, the simulator. What is missing or skipped fails; nothing is left out silently.

use std::path::Path;
use std::process::{ExitCode, Stdio};

use crate::check::steps_of_check;
use crate::client;
use crate::conformance;
use crate::faults;
use crate::fuzz;
use crate::interop;
use crate::packaging;
use crate::pages;
use crate::policy::{
    SERVER_PACKAGE, SIM_FULL_RIDES_SEEDS, SIM_PACKAGE, SIM_RIDES_SEEDS, SIM_SCENARIO_SEEDS, SIM_SEEDS,
};
use crate::schema;
use crate::services;
use crate::steps::{Outcome, Steps, Told, cargo_at, run_and_read};
use crate::suites;
use crate::supply;
use crate::workspace::Workspace;

pub(crate) fn chore(root: &Path) -> ExitCode {
    let mut steps = Steps::begin("test", Told::People);
    steps_of_check(&mut steps, root, Told::People);
    steps.run("supply", |steps| supply::judged(steps, root));
    steps.run("services", |_| services::there(root));
    steps.run("tests", |steps| tests(steps, root));
    steps.run("end to end", |_| end_to_end_is_among_them(root));
    steps.run("conformance", |steps| conformance::quick(steps, root));
    steps.run("interop", |steps| interop::all(steps, root));
    steps.run("client", |steps| client::all(steps, root));
    steps.run("pages", |steps| pages::all(steps, root));
    steps.run("packaging", |steps| packaging::all(steps, root));
    steps.run("schema", |steps| schema::all(steps, root));
    steps.run("faults", |_| faults::small(root));
    steps.run("fuzz", |steps| fuzz::minute(steps, root));
    steps.run("simulator", |_| simulator(root, &["--seeds", &SIM_SEEDS.to_string()]));
    steps.run("scenarios", |_| {
        simulator(root, &["--scenario", "all", "--seeds", &SIM_SCENARIO_SEEDS.to_string()])
    });
    rides(&mut steps, root, SIM_RIDES_SEEDS, SIM_FULL_RIDES_SEEDS);
    steps.end()
}

/// Worlds of rides, small ones and full ones.
pub(crate) fn rides(steps: &mut Steps, root: &Path, small: u32, full: u32) {
    steps.run("rides", |_| simulator(root, &["--rides", "--seeds", &small.to_string()]));
    steps.run("rides in full", |_| simulator(root, &["--rides", "--full", "--seeds", &full.to_string()]));
}

/// What cargo's closing lines add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    suites: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Tally {
    fn read(&mut self, line: &str) {
        let Some(result) = line.trim_start().strip_prefix("test result: ") else { return };
        let count = |what: &str| -> u32 {
            let before = result.split(what).next().filter(|before| before.len() < result.len());
            before
                .and_then(|before| before.split([' ', ';']).rfind(|word| !word.is_empty())?.parse().ok())
                .unwrap_or(0)
        };
        self.suites += 1;
        self.passed += count(" passed");
        self.failed += count(" failed");
        self.ignored += count(" ignored") + count(" filtered out");
    }

    fn outcome(&self, ran: Result<(), String>) -> Outcome {
        let Self { suites, passed, failed, ignored } = self;
        let note = format!("{passed} passed, {failed} failed, {ignored} skipped, in {suites} suites");
        match ran {
            Ok(()) if *ignored == 0 && *failed == 0 && *passed > 0 => Ok(note),
            Ok(()) => Err(note),
            Err(status) => Err(format!("{note}; cargo test: {status}")),
        }
    }
}

/// Unit, integration, end-to-end and documentation tests, in the debug profile: there the assertions and the overflow
/// checks are alive, and one build serves them all. An optimised server would be built a second time for the same code.
fn tests(steps: &Steps, root: &Path) -> Outcome {
    let mut tally = Tally::default();
    let ran = suites::run(steps, suites::built(steps, root)?, |line| tally.read(line));
    let colour = if steps.colour() { "always" } else { "never" };
    let args = ["test", "--workspace", "--doc", "--no-fail-fast", "--color", colour, "--", "--color", colour];
    let docs = run_and_read(cargo_at(root, &args), |line| tally.read(line));
    tally.outcome(ran.and(docs))
}

/// They ran with the others; here they are only missed. The same packages are named, so nothing is built again.
fn end_to_end_is_among_them(root: &Path) -> Outcome {
    let workspace = Workspace::read(root)?;
    let targets = workspace.targets(SERVER_PACKAGE, "test");
    if targets.is_empty() {
        return Err(format!(
            "package `{SERVER_PACKAGE}` has no integration test: nobody asks the binary anything"
        ));
    }
    let mut args = vec!["test", "--quiet", "--workspace"];
    targets.iter().for_each(|target| args.extend(["--test", target]));
    args.extend(["--", "--list", "--format", "terse"]);
    let output = cargo_at(root, &args).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo test did not start: {error}"))?;
    let count =
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.ends_with(": test")).count();
    let note = format!("{count} tests of the binary `{SERVER_PACKAGE}` are among them");
    if output.status.success() && count > 0 { Ok(note) } else { Err(note) }
}

/// The simulator's own profile is optimised and keeps every assertion; the reason is beside it in Cargo.toml.
pub(crate) fn simulator(root: &Path, args: &[&str]) -> Outcome {
    if !Workspace::read(root)?.targets(SIM_PACKAGE, "bin").contains(&SIM_PACKAGE) {
        return Err(format!("package `{SIM_PACKAGE}` has no binary `{SIM_PACKAGE}`: nothing was simulated"));
    }
    let cargo = ["run", "--quiet", "--profile", "sim", "--package", SIM_PACKAGE, "--bin", SIM_PACKAGE, "--"];
    let mut last = String::new();
    run_and_read(cargo_at(root, &[&cargo, args].concat()), |line| {
        if !line.trim().is_empty() {
            last = line.trim().to_owned();
        }
    })
    .map_err(|status| format!("{status}; {last}"))?;
    if last.is_empty() {
        return Err("it said nothing, so nothing is known to have been simulated".to_owned());
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally
    }

    const GOOD: &str =
        "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s";

    #[test]
    fn closing_lines_add_up() {
        for (lines, expected) in [
            (&[GOOD, "running 3 tests", GOOD][..], Tally { suites: 2, passed: 24, failed: 0, ignored: 0 }),
            (
                &[
                    "test result: FAILED. 1 passed; 2 failed; 3 ignored; 0 measured; 4 filtered out; finished in 0.02s",
                ],
                Tally { suites: 1, passed: 1, failed: 2, ignored: 7 },
            ),
            (&["test rooms::ok ... ok", "1 passed"], Tally::default()),
        ] {
            assert_eq!(tally(lines), expected);
        }
    }

    #[test]
    fn a_skipped_test_or_none_at_all_fails() {
        let skipped = GOOD.replace("0 ignored", "1 ignored");
        let filtered = GOOD.replace("0 filtered", "1 filtered");
        for (lines, ran, passes) in [
            (&[GOOD][..], Ok(()), true),
            (&[GOOD, &skipped], Ok(()), false),
            (&[GOOD, &filtered], Ok(()), false),
            (&[], Ok(()), false),
            (&[GOOD], Err("exit status: 101".to_owned()), false),
        ] {
            assert_eq!(tally(lines).outcome(ran).is_ok(), passes, "{lines:?}");
        }
    }
}
