//! The clients: how each is installed and run, and which conversations it must report. One that it does not report is one
//! that failed.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::child::{answer, quietly_within, run_within};
use crate::server;
use crate::tools::{INSTALL, found, once, python, read};

/// Some twenty times what it takes.
const TALK: Duration = Duration::from_secs(240);

pub(crate) struct Client {
    pub(crate) name: &'static str,
    runs: Runs,
    /// Where the token stands, and whether messages are compressed; `own` where the client does not let one choose.
    pub(crate) rounds: &'static [&'static str],
}

enum Runs {
    Node(&'static [&'static str]),
    Python(&'static str),
}

/// A conversation that was asked for, and how it went.
pub(crate) type Round = (&'static str, Result<(), String>);

const EVERY: &[&str] =
    &["query on", "query off", "subprotocol on", "subprotocol off", "header on", "header off"];

pub(crate) const CLIENTS: &[Client] = &[
    Client { name: "ws", runs: Runs::Node(&["node/ws.mjs"]), rounds: EVERY },
    Client {
        name: "node",
        runs: Runs::Node(&["node/builtin.mjs"]),
        rounds: &["query own", "subprotocol own", "header own"],
    },
    Client { name: "websockets", runs: Runs::Python("python/with_websockets.py"), rounds: EVERY },
    Client { name: "aiohttp", runs: Runs::Python("python/with_aiohttp.py"), rounds: EVERY },
    Client {
        name: "chromium",
        runs: Runs::Node(&["node/chromium.mjs"]),
        rounds: &["query on", "subprotocol on"],
    },
];

/// What the clients need of the machine.
pub(crate) struct Tools {
    node: PathBuf,
    python: PathBuf,
    chromium: &'static str,
    versions: Vec<String>,
}

impl Tools {
    pub(crate) fn installed(root: &Path, folder: &Path, say: impl Fn(&str)) -> Result<Tools, String> {
        let home = root.join("interop");
        let chromium = chromium()?;
        let python = python(&home, &folder.join("python"), &say)?;
        let (node, version) = node(root, say)?;
        let versions = vec![format!("Node {version}"), python.1, chromium.1];
        Ok(Tools { node, python: python.0.join("python"), chromium: chromium.0, versions })
    }

    pub(crate) fn chromium(&self) -> &str {
        self.chromium
    }
}

impl fmt::Display for Tools {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.versions.join(", "))
    }
}

impl Client {
    /// All of its rounds.
    pub(crate) fn talk(
        &self,
        root: &Path,
        tools: &Tools,
        asked: &str,
        folder: &Path,
    ) -> Result<Vec<Round>, String> {
        let (program, arguments) = match &self.runs {
            Runs::Node(arguments) => (tools.node.as_path(), *arguments),
            Runs::Python(script) => (tools.python.as_path(), std::slice::from_ref(script)),
        };
        let log = folder.join(format!("{}.log", self.name));
        let errors = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(root.join("interop")).stderr(errors);
        command.env("KULKUL_INTEROP", asked).env("PYTHONDONTWRITEBYTECODE", "1");
        // The server's certificate is its own authority; to Node one more, to Python the only one.
        let authority = folder.join(server::CERTIFICATE_FILE);
        if authority.exists() {
            command.env("NODE_EXTRA_CA_CERTS", &authority).env("SSL_CERT_FILE", &authority);
        }
        let mut lines = Vec::new();
        let status = run_within(command, TALK, |line| lines.push(line.to_owned()))?;
        let told = told(self.rounds, &lines);
        if !status.success() && told.iter().all(|(_, outcome)| outcome.is_ok()) {
            return Err(format!("{status}; {}", log.display()));
        }
        Ok(told)
    }
}

/// What the lines say of each round.
fn told(rounds: &[&'static str], lines: &[String]) -> Vec<Round> {
    let lines: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |round: &str| {
        let line = lines.iter().find(|line| {
            let (place, deflate) = (line["place"].as_str(), line["deflate"].as_str());
            place.zip(deflate).is_some_and(|(place, deflate)| round == format!("{place} {deflate}"))
        });
        match line {
            None => Err("it did not report it".to_owned()),
            Some(line) if line["steps"].as_u64().is_some_and(|steps| steps > 0) => Ok(()),
            Some(line) => Err(line["why"].as_str().unwrap_or("it does not say why").to_owned()),
        }
    };
    rounds.iter().map(|round| (*round, of(round))).collect()
}

/// The Node that interop's lock names, and its version; the machine's is often too old to have a WebSocket of its own.
pub(crate) fn node(root: &Path, say: impl Fn(&str)) -> Result<(PathBuf, String), String> {
    let home = root.join("interop");
    packages(&home, say)?;
    let node = home.join("node_modules/.bin/node");
    let version = answer(&node, &["--version"]);
    let version =
        version.ok_or("npm has no Node for this machine: interop/package.json names those it has")?;
    Ok((node, version))
}

/// A browser, and what it says about itself.
pub(crate) fn chromium() -> Result<(&'static str, String), String> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    found(&names, "--version", "Chromium: apt-get install -y chromium")
}

/// What a folder's lock names, installed once.
pub(crate) fn packages(home: &Path, say: impl Fn(&str)) -> Result<(), String> {
    found(&["npm"], "--version", "npm: apt-get install npm")?;
    let lock = read(&home.join("package-lock.json"))?;
    once(&home.join("node_modules/installed"), &lock, || {
        say(&format!("  installing what {} names, once", home.join("package-lock.json").display()));
        let mut command = Command::new("npm");
        command.args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(home);
        quietly_within(command, INSTALL)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_is_not_reported_has_failed() {
        let lines: Vec<String> = [
            r#"{"place":"query","deflate":"on","steps":14}"#,
            "not JSON",
            r#"{"place":"query","deflate":"off","why":"step 2"}"#,
            r#"{"place":"header","deflate":"on","steps":0}"#,
        ]
        .map(str::to_owned)
        .to_vec();
        let told = told(&["query on", "query off", "header on", "header off"], &lines);
        let outcomes: Vec<Result<(), &str>> =
            told.iter().map(|(_, outcome)| outcome.as_ref().map(|_| ()).map_err(String::as_str)).collect();
        assert_eq!(
            outcomes,
            [Ok(()), Err("step 2"), Err("it does not say why"), Err("it did not report it")]
        );
    }
}
