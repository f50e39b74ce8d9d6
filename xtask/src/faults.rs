//! The chore `faults`: real processes of our own binary, killed, starved and drained under load. What is done and what must
//! hold is in the package `faults`; here it is built and started.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::child::answer;
use crate::policy::FAULTS_PACKAGE;
use crate::rows::{self, Kept};
use crate::server::{Build, binary, next_binary};
use crate::steps::{Outcome, cargo_at, run, run_and_read};
use crate::workspace;

/// What the scenarios start besides the server, and what installs it.
const PROGRAMS: [(&str, &str); 9] = [
    ("strace", "strace"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("redis-server", "redis-server"),
    ("nats-server", "nats-server"),
    ("prlimit", "util-linux"),
    ("haproxy", "haproxy"),
    ("nginx", "nginx-light"),
    // Its library gives one process a clock of its own.
    ("faketime", "faketime"),
];

/// `cargo xtask faults [--small] [--json] [NAME…]`, against the binary as it ships.
pub(crate) fn chore(root: &Path, args: &[&str]) -> ExitCode {
    match scenarios_and_tests(root, args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => {
            eprintln!("faults: {status}");
            ExitCode::FAILURE
        }
    }
}

/// Scenarios and rows by their names; none: everything. A row may be kept by scenarios, by tests, or by both.
fn scenarios_and_tests(root: &Path, args: &[&str]) -> Result<(), String> {
    let kept = rows::kept(root)?;
    let (options, names): (Vec<&str>, Vec<&str>) = {
        let mut value_follows = false;
        args.iter().copied().partition(|arg| {
            let is_option = arg.starts_with('-') || value_follows;
            value_follows = *arg == "--seed";
            is_option
        })
    };
    let by_row = |name: &str| -> Vec<Kept> {
        kept.iter().filter(|it| it.row.eq_ignore_ascii_case(name)).cloned().collect()
    };
    let tests: Vec<Kept> = if !names.is_empty() {
        names.iter().flat_map(|name| by_row(name)).collect()
    } else if options.contains(&"--small") {
        Vec::new()
    } else {
        kept.clone()
    };
    // A row that tests alone keep is no scenario's; what is neither, the scenarios refuse.
    let table = root.join("faults/src/scenarios/table.rs");
    let table = fs::read_to_string(&table).map_err(|error| format!("{}: {error}", table.display()))?;
    let is_scenario =
        |name: &str| by_row(name).is_empty() || table.contains(&format!("row: \"{}\"", name.to_uppercase()));
    let scenarios: Vec<&str> = names.iter().copied().filter(|name| is_scenario(name)).collect();
    if names.is_empty() || !scenarios.is_empty() {
        let args = [options.clone(), scenarios].concat();
        run(command(root, Build::Shipped, &["--profile", "sim"], &args)?)?;
    }
    if options.contains(&"--list") {
        for Kept { row, test, folder } in tests {
            println!("{test:<21} {row:<5} a test of {folder}");
        }
        return Ok(());
    }
    rows::run(root, &tests)
}

/// The step of `test`: the small form of all, with the binary that the tests built.
pub(crate) fn small(root: &Path) -> Outcome {
    let mut last = String::new();
    run_and_read(command(root, Build::Tested, &[], &["--small"])?, |line| {
        if !line.trim().is_empty() {
            last = line.trim().to_owned();
        }
    })
    .map_err(|status| format!("{status}; {last}"))?;
    Ok(last)
}

fn command(
    root: &Path,
    build: Build,
    profile: &[&str],
    args: &[&str],
) -> Result<std::process::Command, String> {
    for (program, package) in PROGRAMS {
        // Debian keeps some of them where only root looks.
        answer(Path::new("sh"), &["-c", &format!("PATH=$PATH:/usr/sbin command -v {program}")])
            .ok_or_else(|| format!("{program} is missing; install it: apt-get install {package}"))?;
    }
    let folder = workspace::target_folder(root)?.join("faults");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let next = folder.join("kulkul-next");
    next_binary(root, build, &next)?;
    // Behind it, so that what cargo leaves at the binary's place is this build.
    let server = binary(root, build)?;
    let mut command = cargo_at(root, &["run", "--quiet", "--package", FAULTS_PACKAGE]);
    command
        .args(profile)
        .args(["--", "--server"])
        .arg(server)
        .arg("--next")
        .arg(next)
        .arg("--folder")
        .arg(folder)
        .args(args);
    Ok(command)
}
