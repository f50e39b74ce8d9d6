//! Cargo's own subcommands that the chores use: the machine's, or one in the target folder, installed once.

use std::path::{Path, PathBuf};

use crate::child;
use crate::steps::{Steps, cargo_at, run};

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
