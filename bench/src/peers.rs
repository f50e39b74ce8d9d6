//! Builds and installs the peers from their sources in `bench/peers`: by package name, with npm, go and cargo alone.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::adapters::{self, Choices};

const NPM: &[&str] = &["npm", "install", "--no-fund", "--no-audit", "--no-package-lock"];

/// Folder below `bench/peers`, the servers it makes, the command run in it.
const STEPS: [(&str, &[&str], &[&str]); 4] = [
    ("bun", &["bun"], NPM),
    ("node-ws", &["node-ws"], NPM),
    ("seed-hub", &["seed-hub"], &["go", "build", "-o", "seed-hub", "."]),
    ("rust", &["epoll", "epoll-gather", "tungstenite", "axum"], &["cargo", "build", "--release", "--quiet"]),
];

/// Installs the named peers, or all of them.
pub(crate) fn install(names: &[String], choices: &Choices) -> Result<()> {
    for name in names {
        ensure!(
            STEPS.iter().any(|(_, makes, _)| makes.contains(&name.as_str())),
            "no peer is called `{name}`; there are {}",
            adapters::NAMES[1..].join(", ")
        );
    }
    let peers = adapters::peers_folder(choices)?;
    for (folder, makes, command) in STEPS {
        if names.is_empty() || names.iter().any(|name| makes.contains(&name.as_str())) {
            eprintln!("{folder}: {}", command.join(" "));
            step(&peers.join(folder), command).with_context(|| format!("{folder} is not installed"))?;
        }
    }
    Ok(())
}

fn step(within: &Path, command: &[&str]) -> Result<()> {
    let (program, args) = command.split_first().context("an empty command")?;
    // A cargo that runs this one must not decide where the peers' own workspace builds to.
    let status = Command::new(program).args(args).env_remove("CARGO_TARGET_DIR").current_dir(within).status();
    let status = status.with_context(|| format!("cannot run {program}"))?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(())
}
