//! The chore `services`: what this machine has for tests that need real brokers and a real browser. It starts nothing,
//! because no test needs them yet.

use std::process::{Command, ExitCode, Stdio};

struct Program {
    name: &'static str,
    /// The first that answers is taken.
    commands: &'static [&'static str],
    version: &'static str,
    needed_by: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "Redis",
        commands: &["redis-server"],
        version: "--version",
        needed_by: "engines/redis, bridges/redis",
    },
    Program {
        name: "NATS",
        commands: &["nats-server"],
        version: "--version",
        needed_by: "engines/nats, bridges/nats",
    },
    Program {
        name: "Kafka",
        commands: &["kafka-server-start.sh", "nisshi", "tansu"],
        version: "--version",
        needed_by: "bridges/kafka",
    },
    Program {
        name: "Chromium",
        commands: &["chromium", "chromium-browser", "google-chrome"],
        version: "--version",
        needed_by: "web, clients/js",
    },
];

pub(crate) fn chore() -> ExitCode {
    println!("No test needs a service yet, so none is started. What is installed, and what will need it:");
    for Program { name, commands, version, needed_by } in PROGRAMS {
        let found = commands.iter().find_map(|command| Some((*command, answer(command, version)?)));
        let found =
            found.map_or("not installed".to_owned(), |(command, version)| format!("{command}: {version}"));
        println!("  {name:<9} {found:<44} {needed_by}");
    }
    ExitCode::SUCCESS
}

/// The first line that a command says about itself.
fn answer(command: &str, version: &str) -> Option<String> {
    let output =
        Command::new(command).arg(version).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let says = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    (output.status.success() && !says.is_empty()).then_some(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_that_answers_counts_as_installed() {
        for (command, argument, found) in [
            ("echo", "1.2", Some("1.2")),
            ("false", "x", None),
            ("true", "x", None),
            ("no-such-command-anywhere", "x", None),
        ] {
            assert_eq!(answer(command, argument).as_deref(), found, "{command}");
        }
    }
}
