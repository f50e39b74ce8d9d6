//! The chore `hostile`: slow clients by the thousand against our binary, from a tool that others wrote. The server must stay
//! there for everybody else, and must end what never ends by itself.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crate::child::{answer, run_within};
use crate::server::{self, Build, Server};
use crate::steps::{Outcome, Steps, Told};
use crate::workspace;

const TOOL: &str = "slowhttptest";
/// Above the server's own times for a head and for an idle connection, which a run has to outlast.
const SECONDS: &str = "45";
const LIMIT: Duration = Duration::from_secs(180);
/// What its status says while a stranger who asks for a page gets one.
const AVAILABLE: &str = "service available:";
/// How it ends when the server has closed every connection.
const ALL_CLOSED: &str = "No open connections left";

struct Attack {
    name: &'static str,
    path: &'static str,
    arguments: &'static [&'static str],
    must: Must,
}

/// What is asked of the server besides being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    /// Whoever does not come to an end is sent away.
    LetGo,
    /// A page fits into the kernel's buffers, so to the server its reader is done; when it has read is its own affair.
    Stay,
}

const ATTACKS: &[Attack] = &[
    Attack {
        name: "slow head",
        path: "/",
        arguments: &["-H", "-c", "1000", "-r", "200", "-i", "5"],
        must: Must::LetGo,
    },
    Attack {
        name: "slow upgrade",
        path: "/ws",
        arguments: &["-H", "-c", "1000", "-r", "200", "-i", "5", "-x", "8"],
        must: Must::LetGo,
    },
    Attack {
        name: "slow body",
        path: "/demo/token",
        arguments: &["-B", "-c", "1000", "-r", "200", "-i", "5"],
        must: Must::LetGo,
    },
    Attack {
        name: "slow reader",
        path: "/",
        arguments: &["-X", "-c", "1000", "-r", "200", "-w", "1", "-y", "2", "-n", "5", "-z", "32", "-k", "3"],
        must: Must::Stay,
    },
];

/// Protocols, ciphers, headers and the known holes of TLS.
const EXAMINER: &str = "testssl";
const EXAMINED: &[&str] = &["--quiet", "--color", "0", "--ip", "one", "-p", "-s", "-h", "-U"];
/// What the examiner says of itself: the OpenSSL that it looks through lacks ciphers that nobody offers here.
const OF_ITSELF: [&str; 1] = ["engine_problem"];

pub(crate) fn chore(root: &Path, args: &[&str]) -> ExitCode {
    let mut steps = Steps::begin("hostile", Told::People);
    let mut ready = None;
    steps.run("server", |_| {
        if !args.is_empty() {
            return Err("it takes no arguments".to_owned());
        }
        answer(Path::new("sh"), &["-c", "command -v slowhttptest"])
            .ok_or_else(|| format!("{TOOL} is missing; install it: apt-get install {TOOL}"))?;
        let folder = workspace::target_folder(root)?.join("hostile");
        ready = Some(Server::start(&server::binary(root, Build::Shipped)?, &folder, &[])?);
        Ok(String::new())
    });
    if let Some(server) = ready {
        for attack in ATTACKS {
            steps.run(attack.name, |_| attacked(&server, attack));
        }
    }
    steps.run("tls", |_| examined(root));
    steps.end()
}

fn examined(root: &Path) -> Outcome {
    answer(Path::new("sh"), &["-c", &format!("command -v {EXAMINER}")])
        .ok_or_else(|| format!("{EXAMINER} is missing; install it: apt-get install testssl.sh"))?;
    let folder = workspace::target_folder(root)?.join("hostile-tls");
    crate::server::empty_folder(&folder)?;
    let args = crate::server::sealed(&folder)?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let server = Server::start(&server::binary(root, Build::Shipped)?, &folder.join("server"), &args)?;
    let report = folder.join("report.json");
    let mut command = Command::new(EXAMINER);
    command.args(EXAMINED).arg("--jsonfile").arg(&report).arg(server.address());
    // It ends with the number of its findings.
    run_within(command, LIMIT, |_| {})?;
    let text = std::fs::read_to_string(&report).map_err(|error| format!("{}: {error}", report.display()))?;
    found(&serde_json::from_str(&text).map_err(|error| format!("{}: {error}", report.display()))?)
}

/// Nothing that is worse than a remark.
fn found(report: &serde_json::Value) -> Outcome {
    let findings = report.as_array().ok_or("its report is no list")?;
    let fine = |finding: &serde_json::Value| {
        let (severity, id) = (finding["severity"].as_str(), finding["id"].as_str());
        matches!(severity, Some("OK" | "INFO")) || id.is_some_and(|id| OF_ITSELF.contains(&id))
    };
    let worse: Vec<String> = findings
        .iter()
        .filter(|finding| !fine(finding))
        .map(|finding| format!("{} {}: {}", finding["severity"], finding["id"], finding["finding"]))
        .collect();
    match (findings.len(), worse.is_empty()) {
        (0..20, _) => Err(format!("only {} findings: it looked at little", findings.len())),
        (looked, true) => Ok(format!("{looked} findings, none worse than a remark")),
        (_, false) => Err(worse.join("; ")),
    }
}

fn attacked(server: &Server, attack: &Attack) -> Outcome {
    let mut command = Command::new(TOOL);
    command.args(attack.arguments).args(["-p", "3", "-l", SECONDS]);
    command.args(["-u", &format!("http://{}{}", server.address(), attack.path)]).stderr(Stdio::inherit());
    let mut said = Vec::new();
    let status = run_within(command, LIMIT, |line| said.push(line.to_owned()))?;
    if !status.success() {
        return Err(format!("{TOOL}: {status}"));
    }
    judged(&said, attack.must)
}

/// There for others each time that it was looked, and nobody is left at the end who must not be.
fn judged(said: &[String], must: Must) -> Outcome {
    let looks: Vec<bool> =
        said.iter().filter(|line| line.contains(AVAILABLE)).map(|line| line.contains("YES")).collect();
    let away = looks.iter().filter(|there| !**there).count();
    match (looks.len(), away) {
        (0, _) => Err("nobody looked whether the server was there".to_owned()),
        (looks, 0) if said.iter().any(|line| line.contains(ALL_CLOSED)) => {
            Ok(format!("there each of {looks} times, and every connection was closed"))
        }
        (looks, 0) if must == Must::Stay => Ok(format!("there each of {looks} times")),
        (looks, 0) => Err(format!("there each of {looks} times, but connections stayed open to the end")),
        (looks, away) => Err(format!("not there {away} of {looks} times")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_must_be_there_and_let_go() {
        let there = "service available:   \u{1b}[1;32mYES\u{1b}[0m";
        let away = "service available:   \u{1b}[1;31mNO\u{1b}[0m";
        let closed = "Exit status: No open connections left";
        let limit = "Exit status: Hit test time limit";
        for (said, must, passes) in [
            (&[there, there, closed][..], Must::LetGo, true),
            (&[there, limit], Must::LetGo, false),
            (&[there, limit], Must::Stay, true),
            (&[there, away, closed], Must::Stay, false),
            (&[closed], Must::LetGo, false),
        ] {
            let said: Vec<String> = said.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(judged(&said, must).is_ok(), passes, "{said:?}");
        }
    }
}
