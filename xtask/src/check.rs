//! The chore `check`: edges, tidy, links, formatting, clippy; the quick ones first. Never writes to the tree.

use std::path::Path;
use std::process::{ExitCode, Stdio};

use serde_json::Value;

use crate::files::File;
use crate::finding::{Finding, failures};
use crate::steps::{Outcome, Steps, Told, cargo_at, run};
use crate::workspace::Workspace;
use crate::{edges, files, links, tidy};

/// `cargo xtask check [--json]`
pub(crate) fn chore(root: &Path, told: Told) -> ExitCode {
    let mut steps = Steps::begin("check", told);
    let found = steps_of_check(&mut steps, root, told);
    if told == Told::Machine {
        println!("{}", Value::Array(found.iter().map(Finding::as_json).collect()));
    }
    steps.end()
}

/// The steps alone, so that `test` begins with the same ones.
pub(crate) fn steps_of_check(steps: &mut Steps, root: &Path, told: Told) -> Vec<Finding> {
    let mut all = Vec::new();
    steps.run("edges", |steps| {
        judged(steps, Workspace::read(root).map(|all| edges::findings(&all)), &mut all)
    });
    let files = files::read(root);
    let judge = |findings: &dyn Fn(&[File]) -> Vec<Finding>| match &files {
        Ok(files) => Ok(findings(files)),
        Err(error) => Err(error.clone()),
    };
    steps.run("tidy", |steps| judged(steps, judge(&tidy::findings), &mut all));
    steps.run("links", |steps| judged(steps, judge(&|files| links::findings(root, files)), &mut all));
    steps.run("format", |_| format(root, told, &mut all));
    steps.run("clippy", |steps| clippy(steps, root, told, &mut all));
    all
}

/// Tells every finding and counts those that fail.
fn judged(steps: &Steps, found: Result<Vec<Finding>, String>, all: &mut Vec<Finding>) -> Outcome {
    let found = found?;
    for finding in &found {
        let failing = failures(std::slice::from_ref(finding)) > 0;
        let mark = if failing { steps.paint("1;31", "error  ") } else { steps.paint("33", "warning") };
        steps.say(&format!("{mark} {finding}"));
    }
    let (failing, warning) = (failures(&found), found.len() - failures(&found));
    all.extend(found);
    let note = match (failing, warning) {
        (0, 0) => String::new(),
        (0, warning) => format!("{warning} warnings"),
        (failing, warning) => format!("{failing} errors, {warning} warnings"),
    };
    if failing == 0 { Ok(note) } else { Err(note) }
}

/// The line that installs a part of the toolchain, if that part is missing.
fn installed(root: &Path, subcommand: &str, component: &str) -> Result<(), String> {
    let mut command = cargo_at(root, &[subcommand, "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    run(command).map_err(|_| format!("{component} is missing; install it: rustup component add {component}"))
}

fn format(root: &Path, told: Told, all: &mut Vec<Finding>) -> Outcome {
    let outcome = installed(root, "fmt", "rustfmt").and_then(|()| {
        if told == Told::People {
            return run(cargo_at(root, &["fmt", "--all", "--check"]))
                .map_err(|_| "run: cargo fmt --all".to_owned());
        }
        let output = cargo_at(root, &["fmt", "--all", "--check", "--", "--files-with-diff"]).output();
        let output = output.map_err(|error| format!("rustfmt did not start: {error}"))?;
        let unformatted = String::from_utf8_lossy(&output.stdout);
        for path in unformatted.lines() {
            let path = Path::new(path).strip_prefix(root).unwrap_or(Path::new(path)).display().to_string();
            all.push(Finding::fails("format", &path, 0, "not formatted; run: cargo fmt --all"));
        }
        if output.status.success() { Ok(()) } else { Err("run: cargo fmt --all".to_owned()) }
    });
    outcome.map(|()| String::new())
}

const CLIPPY: &[&str] = &["clippy", "--workspace", "--all-targets"];

fn clippy(steps: &Steps, root: &Path, told: Told, all: &mut Vec<Finding>) -> Outcome {
    installed(root, "clippy", "clippy")?;
    let deny = ["--", "-D", "warnings"];
    if told == Told::People {
        let colour = if steps.colour() { "--color=always" } else { "--color=never" };
        let args = [CLIPPY, &["--quiet", "--keep-going", colour], &deny].concat();
        return run(cargo_at(root, &args)).map(|()| String::new()).map_err(|_| "see above".to_owned());
    }
    let args = [CLIPPY, &["--quiet", "--keep-going", "--message-format=json"], &deny].concat();
    let output = cargo_at(root, &args).output().map_err(|error| format!("clippy did not start: {error}"))?;
    let found: Vec<Finding> =
        String::from_utf8_lossy(&output.stdout).lines().filter_map(diagnostic).collect();
    let count = failures(&found);
    all.extend(found);
    if output.status.success() { Ok(String::new()) } else { Err(format!("{count} errors")) }
}

/// A line of cargo's JSON as a finding, if it is a diagnostic with a place.
fn diagnostic(line: &str) -> Option<Finding> {
    let line: Value = serde_json::from_str(line).ok()?;
    let message = &line["message"];
    let span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    let (path, number) = (span["file_name"].as_str()?, span["line_start"].as_u64()?);
    let code = message["code"]["code"].as_str().unwrap_or("compiler");
    let says = format!("{code}: {}", message["message"].as_str()?);
    let place = usize::try_from(number).ok()?;
    Some(match message["level"].as_str()? {
        "error" => Finding::fails("clippy", path, place, says),
        _ => Finding::warns("clippy", path, place, says),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_fails_on_an_error_and_not_on_a_warning() {
        let steps = Steps::begin("trial", Told::Nobody);
        let (error, warning) = (Finding::fails("a", "b", 1, "c"), Finding::warns("a", "b", 1, "c"));
        for (found, passes) in [
            (Ok(vec![]), true),
            (Ok(vec![warning.clone()]), true),
            (Ok(vec![warning, error]), false),
            (Err("unreadable".to_owned()), false),
        ] {
            assert_eq!(judged(&steps, found.clone(), &mut Vec::new()).is_ok(), passes, "{found:?}");
        }
    }

    #[test]
    fn a_diagnostic_of_clippy_becomes_a_finding() {
        let line = |level: &str| {
            serde_json::json!({ "reason": "compiler-message", "message": {
                "level": level, "message": "this loop never loops", "code": { "code": "clippy::never_loop" },
                "spans": [{ "is_primary": true, "file_name": "a/src/b.rs", "line_start": 7 }],
            } })
            .to_string()
        };
        let says = "clippy::never_loop: this loop never loops";
        for (line, expected) in [
            (line("error"), Some(Finding::fails("clippy", "a/src/b.rs", 7, says))),
            (line("warning"), Some(Finding::warns("clippy", "a/src/b.rs", 7, says))),
            (r#"{"reason":"build-finished","success":true}"#.to_owned(), None),
            ("not JSON".to_owned(), None),
        ] {
            assert_eq!(diagnostic(&line), expected);
        }
    }
}
