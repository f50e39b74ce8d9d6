//! The chore `services`: real brokers for the tests and for a person who wants two nodes. It looks for them, installs what is
//! missing where it may, and on demand starts them on free ports for as long as it runs. Tests start their own, because they
//! kill them.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::kafka;
use crate::steps::Outcome;

struct Program {
    name: &'static str,
    command: &'static str,
    version: &'static str,
    package: &'static str,
    /// Its arguments on a port and in a folder.
    arguments: fn(&str, &str) -> Vec<String>,
    scheme: &'static str,
    needed_by: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "Redis",
        command: "redis-server",
        version: "--version",
        package: "redis-server",
        arguments: |port, folder| {
            words(&[
                "--port",
                port,
                "--bind",
                "127.0.0.1",
                "--dir",
                folder,
                "--appendonly",
                "yes",
                "--save",
                "",
            ])
        },
        scheme: "redis",
        needed_by: "engines/redis, crates/server",
    },
    Program {
        name: "NATS",
        command: "nats-server",
        version: "--version",
        package: "nats-server",
        arguments: |port, folder| words(&["-a", "127.0.0.1", "-p", port, "-js", "-sd", folder]),
        scheme: "nats",
        needed_by: "engines/nats, crates/server",
    },
];

/// A server that does not listen then is broken.
const START_WITHIN: Duration = Duration::from_secs(30);

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Looks, and installs what is missing.
pub(crate) fn chore(root: &Path) -> ExitCode {
    match installed(root) {
        Ok(found) => {
            println!("{found}");
            println!("cargo xtask services up   starts them on free ports until it is stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What a test run needs: all of them, or the line that installs them.
pub(crate) fn there(root: &Path) -> Outcome {
    installed(root)
}

fn installed(root: &Path) -> Outcome {
    let missing = missing();
    if !missing.is_empty() {
        install(&missing)?;
    }
    let row = |program: &Program| {
        let found = said(program).unwrap_or_else(|| "still missing".to_owned());
        format!("{}: {found} (for {})", program.name, program.needed_by)
    };
    let rows = PROGRAMS.iter().map(row).chain([kafka::installed(root)?]);
    Ok(rows.collect::<Vec<_>>().join("; "))
}

/// Packages, by Debian's names.
fn missing() -> Vec<&'static str> {
    let lacks = |program: &&Program| said(program).is_none();
    PROGRAMS.iter().filter(lacks).map(|program| program.package).chain(kafka::missing()).collect()
}

/// By Debian's packages, as root; else the line is said.
fn install(packages: &[&str]) -> Result<(), String> {
    let line = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    let asked = || format!("missing: {}; as root: {line}", packages.join(", "));
    println!("installing {}", packages.join(", "));
    let ran = Command::new("apt-get")
        .args(["-qq", "install", "-y", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status();
    match ran {
        Ok(status) if status.success() && missing().is_empty() => Ok(()),
        _ => Err(asked()),
    }
}

/// Starts them, says where, and waits until one of them ends or this program is stopped.
pub(crate) fn up(root: &Path) -> ExitCode {
    if let Err(error) = installed(root) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let mut running = Vec::new();
    for program in PROGRAMS {
        match start(program, &root.join("services")) {
            Ok((child, address)) => {
                println!("{:<6} --engine {}://{address}", program.name, program.scheme);
                running.push(child);
            }
            Err(error) => {
                eprintln!("{}: {error}", program.name);
                running.iter_mut().for_each(end);
                return ExitCode::FAILURE;
            }
        }
    }
    match start_kafka(root) {
        Ok((child, address)) => {
            println!("Kafka  kafka_bridge.brokers = [\"{address}\"]");
            running.push(child);
        }
        Err(error) => {
            eprintln!("Kafka: {error}");
            running.iter_mut().for_each(end);
            return ExitCode::FAILURE;
        }
    }
    println!("each node wants the same config file with a line  secret = \"…\"; stop with Ctrl-C");
    while running.iter_mut().all(|child| child.try_wait().is_ok_and(|ended| ended.is_none())) {
        std::thread::sleep(Duration::from_millis(200));
    }
    running.iter_mut().for_each(end);
    ExitCode::FAILURE
}

fn start(program: &Program, folder: &Path) -> Result<(std::process::Child, String), String> {
    let folder = folder.join(program.command);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    run(program.command, |port| Ok((program.arguments)(port, &folder.to_string_lossy())))
}

/// On data of its own each time: its metadata are made for one port.
fn start_kafka(root: &Path) -> Result<(std::process::Child, String), String> {
    let folder = root.join("services/kafka");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(failed)?;
    }
    std::fs::create_dir_all(&folder).map_err(failed)?;
    run("java", |port| kafka::arguments(root, port, &folder))
}

fn run(
    program: &str,
    arguments: impl FnOnce(&str) -> Result<Vec<String>, String>,
) -> Result<(std::process::Child, String), String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    drop(listener);
    let arguments = arguments(&address.port().to_string())?;
    // It ends with this program, however this program ends.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let since = Instant::now();
    while TcpStream::connect(address).is_err() {
        if child.try_wait().is_ok_and(|ended| ended.is_some()) || since.elapsed() > START_WITHIN {
            end(&mut child);
            return Err("it does not listen".to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok((child, address.to_string()))
}

fn end(child: &mut std::process::Child) {
    // Both fail only for a process that has already ended.
    child.kill().ok();
    child.wait().ok();
}

/// The first line that a program says about itself.
fn said(program: &Program) -> Option<String> {
    answer(program.command, program.version)
}

pub(crate) fn answer(command: &str, version: &str) -> Option<String> {
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
