//! The chore `conformance`: Autobahn's fuzzing client against our binary, over every transport that the server has. It
//! judges the report itself, because the suite ends well whatever it found.

mod report;
mod suite;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use report::{Report, SECTIONS, Section};
use suite::{Missing, Suite};

use crate::server::{self, Build, Server};
use crate::steps::{Outcome, Steps, Told};
use crate::workspace;

const PAGE: &str = "docs/conformance.md";
const ENDPOINT: &str = "/conformance/echo";

/// A way to the server.
#[derive(Clone, Copy)]
struct Target {
    name: &'static str,
    scheme: &'static str,
    /// What `serve` needs besides, given a folder for its files.
    arguments: fn(&Path) -> Result<Vec<String>, String>,
}

/// Every transport that the server has.
const TARGETS: &[Target] = &[
    Target { name: "plain", scheme: "ws", arguments: |_| Ok(Vec::new()) },
    Target { name: "tls", scheme: "wss", arguments: server::sealed },
];

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Seconds: what every change must pass.
    Quick,
    /// Minutes: what the page is written from.
    Whole,
}

impl Depth {
    fn sections(self) -> Vec<&'static Section> {
        SECTIONS.iter().filter(|section| self == Depth::Whole || section.quick).collect()
    }
}

pub(crate) fn chore(root: &Path, args: &[&str]) -> ExitCode {
    let mut steps = Steps::begin("conformance", Told::People);
    match asked(args) {
        Err(error) => steps.run("autobahn", |_| Err(error)),
        Ok((depth, targets)) => {
            steps.run("autobahn", |steps| chosen(steps, root, depth, &targets, Build::Shipped));
        }
    }
    steps.end()
}

/// The step of `test`: quick, with the binary that the other tests use. Where Python 2.7 is missing, the last whole run
/// stands, and the step says so.
pub(crate) fn quick(steps: &Steps, root: &Path) -> Outcome {
    if suite::python().is_none() {
        return Ok(format!("nothing was run: there is no Python 2.7 here; the last report in {PAGE} stands"));
    }
    chosen(steps, root, Depth::Quick, TARGETS, Build::Tested)
}

fn asked(args: &[&str]) -> Result<(Depth, Vec<Target>), String> {
    let (mut depth, mut targets) = (Depth::Whole, TARGETS.to_vec());
    for arg in args {
        match *arg {
            "--quick" => depth = Depth::Quick,
            "--tls" => targets.retain(|target| target.scheme == "wss"),
            other => return Err(format!("`{other}` is no option of it; there are --quick and --tls")),
        }
    }
    Ok((depth, targets))
}

fn chosen(steps: &Steps, root: &Path, depth: Depth, targets: &[Target], build: Build) -> Outcome {
    let folder = workspace::target_folder(root)?.join("conformance");
    let suite = Suite::installed(&folder, |words| steps.say(words)).map_err(Missing::told)?;
    // Read before the build: what changes in the tree during the run is not in the binary.
    let commit = commit(root)?;
    let binary = server::binary(root, build)?;
    let sections = depth.sections();
    let mut reports = Vec::new();
    for target in targets {
        let report = against(steps, &suite, &binary, target, &folder.join(target.name), &sections)?;
        for line in report.faults() {
            steps.say(&format!("{}: {line}", target.name));
        }
        reports.push((target.name, report));
    }
    let faults: usize = reports.iter().map(|(_, report)| report.faults().len()).sum();
    let told: Vec<String> = reports.iter().map(|(name, report)| format!("{name}: {report}")).collect();
    let told = told.join("; ");
    if faults > 0 {
        return Err(format!("{told}; {faults} faults, see above"));
    }
    if depth == Depth::Whole && targets.len() == TARGETS.len() {
        let page = report::page(&server_version(&binary)?, &commit, &reports);
        fs::write(root.join(PAGE), page).map_err(|error| format!("{PAGE}: {error}"))?;
        return Ok(format!("{told}; written to {PAGE}"));
    }
    Ok(told)
}

fn against(
    steps: &Steps,
    suite: &Suite,
    binary: &Path,
    target: &Target,
    folder: &Path,
    sections: &[&'static Section],
) -> Result<Report, String> {
    server::empty_folder(folder)?;
    let more = (target.arguments)(folder)?;
    let args: Vec<&str> = std::iter::once("--conformance").chain(more.iter().map(String::as_str)).collect();
    let server = Server::start(binary, &folder.join("server"), &args)?;
    let url = format!("{}://{}{ENDPOINT}", target.scheme, server.address());
    let index = suite.run(&url, sections, folder, &|words| steps.say(words))?;
    Ok(Report::read(&index, sections))
}

fn server_version(binary: &Path) -> Result<String, String> {
    crate::child::answer(binary, &["--version"]).ok_or_else(|| "the binary has no version".to_owned())
}

/// What the binary is built from.
const OF_THE_BINARY: [&str; 4] = ["Cargo.lock", "Cargo.toml", "crates", "apps"];

/// The commit that last changed the binary; with a word more if the tree differs from it.
fn commit(root: &Path) -> Result<String, String> {
    let git = |args: &[&str]| -> Result<String, String> {
        let output = Command::new("git").args(args).current_dir(root).output();
        let output = output.map_err(|error| format!("git did not start: {error}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let of_the_binary = |words: &[&str]| git(&[words, &["--"], &OF_THE_BINARY].concat());
    let commit = of_the_binary(&["log", "-1", "--format=%h", "--abbrev=12"])?;
    let changed = of_the_binary(&["status", "--porcelain"])?;
    Ok(if changed.is_empty() { commit } else { format!("{commit}, with changes") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_choose_depth_and_targets() {
        assert_eq!(
            asked(&[]).map(|(depth, targets)| (depth, targets.len())),
            Ok((Depth::Whole, TARGETS.len()))
        );
        assert_eq!(asked(&["--quick"]).map(|(depth, _)| depth), Ok(Depth::Quick));
        assert_eq!(asked(&["--tls"]).map(|(_, targets)| targets[0].name), Ok("tls"));
        assert!(asked(&["--fast"]).is_err());
    }

    #[test]
    fn the_quick_sections_are_some_and_the_whole_run_is_all() {
        let cases = |depth: Depth| depth.sections().iter().map(|section| section.cases).sum::<usize>();
        assert_eq!((cases(Depth::Quick), cases(Depth::Whole)), (247, 517));
    }
}
