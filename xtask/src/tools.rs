//! Programs that the chores use: the machine's, or what is installed once, in the target folder or where a lock names it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::child;
use crate::steps::{Steps, cargo_at, run};

/// Some twenty times what it takes.
pub(crate) const INSTALL: Duration = Duration::from_secs(600);

/// `name` without its `cargo-`. Where the program is.
pub(crate) fn subcommand(
    steps: &Steps,
    root: &Path,
    folder: &Path,
    name: &'static str,
) -> Result<PathBuf, String> {
    let (home, program) = (folder.join("tools"), format!("cargo-{name}"));
    let ours = home.join("bin").join(&program);
    for candidate in [Path::new(&program), &ours] {
        if child::answer(candidate, &[name, "--version"]).is_some() {
            return Ok(candidate.to_owned());
        }
    }
    steps.say(&format!("  installing {program}, once"));
    let mut command = cargo_at(root, &["install", "--quiet", "--locked", &program, "--root"]);
    // Its own build is of no use to ours, nor ours to it.
    command.arg(&home).env("CARGO_TARGET_DIR", folder.join("tools/build"));
    run(command).map_err(|status| format!("cargo install --locked {program}: {status}"))?;
    Ok(ours)
}

/// The first command that answers, and what it says about itself.
pub(crate) fn found(
    commands: &[&'static str],
    version: &str,
    install: &str,
) -> Result<(&'static str, String), String> {
    let said = |command: &&'static str| child::answer(Path::new(command), &[version]);
    let found = commands.iter().find_map(|command| Some((*command, said(command)?)));
    found.ok_or_else(|| format!("missing; install {install}"))
}

pub(crate) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Does it unless the stamp says that it was done for the same words.
pub(crate) fn once(
    stamp: &Path,
    words: &str,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    if fs::read_to_string(stamp).is_ok_and(|done| done == words) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, words).map_err(|error| format!("{}: {error}", stamp.display()))
}

/// What a folder's `requirements.txt` names, in an environment of its own: where its programs are, and which Python it is.
pub(crate) fn python(
    home: &Path,
    environment: &Path,
    say: &impl Fn(&str),
) -> Result<(PathBuf, String), String> {
    let python = found(&["python3"], "--version", "Python 3: apt-get install python3 python3-venv")?;
    let named = home.join("requirements.txt");
    once(&environment.join("installed"), &read(&named)?, || {
        say(&format!("  installing what {} names, once", named.display()));
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(environment);
        child::quietly_within(command, INSTALL)?;
        let mut command = Command::new(environment.join("bin/pip"));
        command.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&named);
        child::quietly_within(command, INSTALL)
    })?;
    Ok((environment.join("bin"), python.1))
}
