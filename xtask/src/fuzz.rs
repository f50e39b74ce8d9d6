//! The chore `fuzz`: hostile bytes for whatever reads bytes of strangers. What is tried, and what must hold, is in the
//! targets of `fuzz`; this builds them, runs them two at a time, and says how to see again what they found.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::child::{Owned, run_within};
use crate::policy::FUZZ_PACKAGE;
use crate::steps::{Outcome, Steps, Told, run};
use crate::tools;
use crate::workspace::{self, Workspace};

const SECONDS: u64 = 60;
/// A night.
const SECONDS_MAX: u64 = 12 * 3600;
/// One a core on the smallest machine that tests us.
const AT_ONCE: usize = 2;
/// What an input may cost; the sanitizer takes its share of the memory.
const MEMORY: &str = "-rss_limit_mb=512";
const TIME: &str = "-timeout=5";
/// Beyond its seconds a run may need this much for its corpus, and to shrink what it found.
const GRACE: Duration = Duration::from_secs(120);

/// `fuzz [target] [--seconds N]`, or `fuzz target --input file`.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    target: Option<&'a str>,
    what: What<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum What<'a> {
    Seconds(u64),
    /// One input again.
    Input(&'a str),
}

pub(crate) fn chore(root: &Path, args: &[&str]) -> ExitCode {
    let mut steps = Steps::begin("fuzz", Told::People);
    match asked(args) {
        Err(error) => steps.run("fuzz", |_| Err(error)),
        Ok(Asked { target: Some(target), what: What::Input(input) }) => {
            steps.run("input", |steps| Workshop::open(steps, root)?.again(root, target, input));
        }
        Ok(Asked { target, what: What::Seconds(seconds) }) => {
            steps.run("fuzz", |steps| all(steps, root, target, seconds));
        }
        Ok(Asked { target: None, what: What::Input(_) }) => {
            steps.run("input", |_| Err("--input needs the target before it".to_owned()));
        }
    }
    steps.end()
}

/// The step of `test`: every target, for a minute.
pub(crate) fn minute(steps: &Steps, root: &Path) -> Outcome {
    all(steps, root, None, SECONDS)
}

fn asked<'a>(args: &[&'a str]) -> Result<Asked<'a>, String> {
    let (target, rest) = match args {
        [target, rest @ ..] if !target.starts_with("--") => (Some(*target), rest),
        rest => (None, rest),
    };
    let what = match rest {
        [] => What::Seconds(SECONDS),
        ["--input", input] => What::Input(input),
        ["--seconds", seconds] => match seconds.parse() {
            Ok(seconds @ 1..=SECONDS_MAX) => What::Seconds(seconds),
            _ => return Err(format!("--seconds {seconds}: expected 1 to {SECONDS_MAX}")),
        },
        _ => return Err("usage: cargo xtask fuzz [target] [--seconds N | --input FILE]".to_owned()),
    };
    Ok(Asked { target, what })
}

fn all(steps: &Steps, root: &Path, target: Option<&str>, seconds: u64) -> Outcome {
    let workshop = Workshop::open(steps, root)?;
    let targets = workshop.chosen(target)?;
    let (mut told, mut found) = (Vec::new(), Vec::new());
    for pair in targets.chunks(AT_ONCE) {
        steps.say(&format!("  {} for {seconds} s", pair.join(", ")));
        let ran: Vec<Outcome> = std::thread::scope(|scope| {
            let running: Vec<_> =
                pair.iter().map(|target| scope.spawn(|| workshop.run(root, target, seconds))).collect();
            running
                .into_iter()
                .map(|run| run.join().unwrap_or_else(|_| Err("the run broke".to_owned())))
                .collect()
        });
        for (target, outcome) in pair.iter().zip(ran) {
            match outcome {
                Ok(note) => told.push(format!("{target} {note}")),
                Err(note) => {
                    steps.say(&format!("{target}: {note}"));
                    found.push(target.as_str());
                }
            }
        }
    }
    let told = told.join(", ");
    if found.is_empty() { Ok(told) } else { Err(format!("found something in {}; {told}", found.join(", "))) }
}

/// The targets as they were built, and where their files are.
struct Workshop {
    targets: Vec<String>,
    programs: PathBuf,
    /// What earlier runs on this machine came upon; never committed.
    corpora: PathBuf,
}

impl Workshop {
    fn open(steps: &Steps, root: &Path) -> Result<Workshop, String> {
        let folder = workspace::target_folder(root)?;
        let tool = tools::subcommand(steps, root, &folder, "fuzz")?;
        let home = root.join("fuzz");
        let targets = Workspace::read(&home)?;
        let targets: Vec<String> =
            targets.targets(FUZZ_PACKAGE, "bin").into_iter().map(str::to_owned).collect();
        if targets.is_empty() {
            return Err("fuzz/Cargo.toml names no target".to_owned());
        }
        steps.say(&format!("  building {}", targets.join(", ")));
        let built = folder.join("fuzz");
        let mut command = Command::new(&tool);
        command.args(["fuzz", "build", "--fuzz-dir"]).arg(&home).arg("--target-dir").arg(&built);
        // The sanitizer's switches are not stable ones; the compiler is.
        command.env("RUSTC_BOOTSTRAP", "1").current_dir(root);
        run(command).map_err(|status| format!("cargo fuzz build: {status}"))?;
        let host = host(root)?;
        let programs = built.join(host).join("release");
        Ok(Workshop { targets, programs, corpora: folder.join("fuzz-corpus") })
    }

    fn chosen(&self, target: Option<&str>) -> Result<Vec<String>, String> {
        match target {
            None => Ok(self.targets.clone()),
            Some(target) if self.targets.iter().any(|known| known == target) => Ok(vec![target.to_owned()]),
            Some(target) => Err(format!("`{target}` is no target; there are {}", self.targets.join(", "))),
        }
    }

    /// SQLite's one file of C has statics of one name in several functions, which the sanitizer takes for one symbol defined
    /// twice.
    fn program(&self, target: &str) -> Command {
        let mut command = Command::new(self.programs.join(target));
        command.env("ASAN_OPTIONS", "detect_odr_violation=0");
        command
    }

    /// How many inputs were tried; or what was found, and how to see it again.
    fn run(&self, root: &Path, target: &str, seconds: u64) -> Outcome {
        let (kept, seeds) = (self.corpora.join(target), root.join("fuzz/corpus").join(target));
        let artifacts = root.join("fuzz/artifacts").join(target);
        for folder in [&kept, &artifacts] {
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        if !seeds.is_dir() {
            return Err(format!("there is no corpus in fuzz/corpus/{target}: it would begin with nothing"));
        }
        let log = self.corpora.join(format!("{target}.log"));
        let file = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = self.program(target);
        command.arg(&kept).arg(&seeds).args([MEMORY, TIME, "-print_final_stats=1"]).stderr(file);
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        let status = run_within(command, Duration::from_secs(seconds) + GRACE, |_| {});
        let said = fs::read(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        judged(root, target, &status, &String::from_utf8_lossy(&said))
    }

    fn again(&self, root: &Path, target: &str, input: &str) -> Outcome {
        self.chosen(Some(target))?;
        let mut command = self.program(target);
        command.args([MEMORY, TIME]).arg(root.join(input)).stderr(Stdio::inherit());
        let mut program = Owned::start(command)?;
        match program.ended(Instant::now() + GRACE) {
            Some(status) if status.success() => Ok(format!("{target} takes it")),
            Some(status) => Err(format!("{target}: {status}")),
            None => Err(format!("{target}: stopped after {} s", GRACE.as_secs())),
        }
    }
}

/// What the compiler builds for when it is not told.
fn host(root: &Path) -> Result<String, String> {
    let mut command = Command::new("rustc");
    let output = command.arg("-vV").current_dir(root).output();
    let output = output.map_err(|error| format!("rustc did not start: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say what it builds for".to_owned())
}

fn judged(
    root: &Path,
    target: &str,
    status: &Result<std::process::ExitStatus, String>,
    said: &str,
) -> Outcome {
    let inputs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let inputs: u64 = inputs.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    match status {
        Ok(status) if status.success() && inputs > 0 => return Ok(format!("{inputs} inputs")),
        Ok(status) if status.success() => return Err("it tried nothing".to_owned()),
        Ok(_) | Err(_) => {}
    }
    let why = match status {
        Ok(status) => status.to_string(),
        Err(error) => error.clone(),
    };
    let words =
        said.lines().find(|line| line.contains("panicked at") || line.contains("ERROR: ")).unwrap_or("");
    let input = said.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path));
    let Some(input) = input else { return Err(format!("{why}; {words}")) };
    let input = Path::new(input.trim());
    let input = input.strip_prefix(root).unwrap_or(input).display();
    Err(format!("{words}\n  again: cargo xtask fuzz {target} --input {input}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn arguments_are_a_target_and_a_time_or_an_input() {
        let seconds = |target, seconds| Ok(Asked { target, what: What::Seconds(seconds) });
        for (args, expected) in [
            (&[][..], seconds(None, 60)),
            (&["frames"], seconds(Some("frames"), 60)),
            (&["--seconds", "5"], seconds(None, 5)),
            (&["frames", "--input", "a"], Ok(Asked { target: Some("frames"), what: What::Input("a") })),
        ] {
            assert_eq!(asked(args), expected, "{args:?}");
        }
        for args in [&["--seconds", "0"][..], &["--seconds"], &["frames", "x"], &["--quick"]] {
            assert!(asked(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn a_run_passes_only_if_it_tried_something_and_found_nothing() {
        let ended = |code: i32| Ok(ExitStatus::from_raw(code << 8));
        let tried = "stat::number_of_executed_units: 1234\n";
        let found =
            "thread panicked at src/a.rs:1\nTest unit written to /tree/fuzz/artifacts/frames/crash-1\n";
        for (status, said, expected) in [
            (ended(0), tried, Ok("1234 inputs")),
            (ended(0), "", Err("it tried nothing")),
            (ended(77), found, Err("again: cargo xtask fuzz frames --input fuzz/artifacts/frames/crash-1")),
            (Err("stopped after 180 s".to_owned()), tried, Err("stopped after 180 s; ")),
        ] {
            match (judged(Path::new("/tree"), "frames", &status, said), expected) {
                (Ok(note), Ok(expected)) => assert_eq!(note, expected),
                (Err(note), Err(expected)) => assert!(note.ends_with(expected), "{note}"),
                (outcome, expected) => panic!("{outcome:?}, expected {expected:?}"),
            }
        }
    }
}
