//! The chore `supply`: is anything that we build in known to be broken, given up, of a licence that we may not pass on, or
//! from somewhere else than the registry? cargo-deny judges, by `deny.toml`; this brings it the advisories.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crate::child::{quietly_within, run_within};
use crate::steps::{Outcome, Steps, Told};
use crate::tools;
use crate::workspace;

/// Where the advisories come from, if it can be reached.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";
/// The advisories of some day, for machines that reach nothing but a registry.
const SNAPSHOT: &str = "supply/advisory-db.tar.gz";
const SNAPSHOT_OF: &str = "supply/README.md";
/// Whoever does not answer by then is not there.
const REACHED: Duration = Duration::from_secs(15);
/// Some twenty times what it takes.
const JUDGED: Duration = Duration::from_secs(300);
/// Both workspaces: what ships, and what runs on our machines for the tests.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

pub(crate) fn chore(root: &Path, args: &[&str]) -> ExitCode {
    let mut steps = Steps::begin("supply", Told::People);
    steps.run("supply", |steps| match args {
        [] => judged(steps, root),
        _ => Err("it takes no arguments".to_owned()),
    });
    steps.end()
}

/// The step of `test`.
pub(crate) fn judged(steps: &Steps, root: &Path) -> Outcome {
    let target = workspace::target_folder(root)?;
    let tool = tools::subcommand(steps, root, &target, "deny")?;
    let folder = target.join("supply");
    let advisories = Advisories::found(root, &folder)?;
    let rules = folder.join("deny.toml");
    // Unpacked anew, a snapshot has a past of its own.
    let copy = folder.join(advisories.copy());
    if matches!(advisories, Advisories::Snapshot { .. }) && copy.exists() {
        fs::remove_dir_all(&copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    }
    let own = read(&root.join("deny.toml"))?;
    write(&rules, &with_copy(&own, &copy)?)?;
    for manifest in MANIFESTS {
        let mut command = Command::new(&tool);
        command.args(["--log-level", "error", "--manifest-path"]).arg(root.join(manifest));
        command.arg("--config").arg(&rules).arg("check").current_dir(root);
        if let Advisories::Snapshot { at, .. } = &advisories {
            // It reads them from no other than their own address: git finds the snapshot there.
            command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_VALUE_0", DATABASE);
            command.env("GIT_CONFIG_KEY_0", format!("url.file://{}.insteadOf", at.display()));
        }
        let mut said = Vec::new();
        command.stderr(fs::File::create(folder.join("said")).map_err(|error| error.to_string())?);
        let status = run_within(command, JUDGED, |line| said.push(line.to_owned()))?;
        if !status.success() {
            let said = format!("{}\n{}", said.join("\n"), read(&folder.join("said"))?);
            return Err(format!("{manifest}: {status}\n{said}"));
        }
    }
    Ok(advisories.to_string())
}

enum Advisories {
    Today,
    Snapshot { at: PathBuf, day: String },
}

impl Advisories {
    fn found(root: &Path, folder: &Path) -> Result<Advisories, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut ask = Command::new("git");
        // Nobody is there to type a password.
        ask.args(["ls-remote", "--quiet", DATABASE, "HEAD"]).env("GIT_TERMINAL_PROMPT", "0");
        ask.stderr(Stdio::null());
        if quietly_within(ask, REACHED).is_ok() {
            return Ok(Advisories::Today);
        }
        let at = folder.join("snapshot");
        unpacked(root, &at)?;
        let page = read(&root.join(SNAPSHOT_OF))?;
        let day = page.lines().find_map(|line| line.strip_prefix("- of: "));
        let day = day.ok_or_else(|| format!("{SNAPSHOT_OF} does not say of which day it is"))?.to_owned();
        Ok(Advisories::Snapshot { at, day })
    }

    /// Where cargo-deny keeps what it read: the two have no past in common.
    fn copy(&self) -> &'static str {
        match self {
            Advisories::Today => "copy-of-today",
            Advisories::Snapshot { .. } => "copy-of-snapshot",
        }
    }
}

impl fmt::Display for Advisories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Advisories::Today => f.write_str("by the advisories of today"),
            Advisories::Snapshot { day, .. } => {
                write!(f, "by the advisories of {day}: {DATABASE} is out of reach")
            }
        }
    }
}

/// As a repository, which is how they are read.
fn unpacked(root: &Path, snapshot: &Path) -> Result<(), String> {
    if snapshot.exists() {
        fs::remove_dir_all(snapshot).map_err(|error| format!("{}: {error}", snapshot.display()))?;
    }
    fs::create_dir_all(snapshot).map_err(|error| format!("{}: {error}", snapshot.display()))?;
    let mut unpack = Command::new("tar");
    unpack.arg("-xzf").arg(root.join(SNAPSHOT)).arg("-C").arg(snapshot);
    quietly_within(unpack, JUDGED)?;
    let name = ["-c", "user.name=supply", "-c", "user.email=supply@localhost", "-c", "commit.gpgsign=false"];
    for arguments in [
        &["init", "--quiet", "--initial-branch", "main"][..],
        &["add", "--all"],
        &["commit", "--quiet", "--no-verify", "--message", "the snapshot"],
    ] {
        let mut command = Command::new("git");
        command.arg("-C").arg(snapshot).args(name).args(arguments);
        quietly_within(command, JUDGED)?;
    }
    Ok(())
}

/// The rules, and where the advisories are kept.
fn with_copy(rules: &str, copy: &Path) -> Result<String, String> {
    let section = "[advisories]\n";
    if !rules.contains(section) {
        return Err("deny.toml has no [advisories]".to_owned());
    }
    Ok(rules.replacen(section, &format!("{section}db-path = {copy:?}\n"), 1))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
