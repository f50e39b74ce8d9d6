//! `kulkul doctor`: is this machine fit to serve with this config? It looks, says what to do, and changes nothing.

mod files;
mod machine;
mod network;

use std::io::Write;

use anyhow::{Result, bail};
use network::Asks;
use serde_json::json;

use crate::config::{self, Config, Faults, NatsBridge, Typed};
use crate::nats_bridge;
use crate::options::{Engine, Look};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Fine,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Fine => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Verdict::Fine => "\x1b[32m",
            Verdict::Warn => "\x1b[33m",
            Verdict::Fail => "\x1b[31m",
        }
    }
}

/// What was looked at, and what to do about it.
#[derive(Debug)]
struct Finding {
    about: &'static str,
    verdict: Verdict,
    says: String,
    /// Empty where there is nothing to do.
    remedy: String,
}

impl Finding {
    fn fine(about: &'static str, says: impl Into<String>) -> Finding {
        Finding { about, verdict: Verdict::Fine, says: says.into(), remedy: String::new() }
    }

    fn warn(about: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { about, verdict: Verdict::Warn, says: says.into(), remedy: remedy.into() }
    }

    fn fail(about: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { about, verdict: Verdict::Fail, says: says.into(), remedy: remedy.into() }
    }
}

pub(crate) fn run(look: &Look) -> Result<()> {
    let read = config::read(&look.as_served());
    let findings = findings(&read);
    let mut out = std::io::stdout().lock();
    if look.json {
        writeln!(out, "{:#}", as_json(&findings))?;
    } else {
        print(&findings, crate::check::is_coloured(), &mut out)?;
    }
    let failed = findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count();
    if failed > 0 {
        bail!("{failed} of {} checks failed", findings.len());
    }
    Ok(())
}

/// What needs a config is looked at where there is a sound one.
fn findings(read: &std::result::Result<Config, Faults>) -> Vec<Finding> {
    let mut findings = vec![soundness(read)];
    findings.extend(machine::findings());
    if let Ok(config) = read {
        let settings = &config.typed;
        findings.push(machine::memory(settings.limits.memory));
        let clients = if settings.tls.is_some() { Asks::Nobody } else { Asks::Clients };
        findings.push(network::address("listen", settings.listen, clients));
        let operators = |address| network::address("operator_listen", address, Asks::Operators);
        findings.extend(settings.operator_listen.map(operators));
        findings.push(files::folder(&settings.data));
        findings.extend(settings.tls.as_ref().map(files::certificate));
        findings.extend(crate::gate::sources(settings).iter().map(keys));
        findings.push(engine(&settings.engine));
        findings.extend(settings.nats_bridge.as_ref().map(|bridge| nats(settings, bridge)));
    }
    findings
}

fn soundness(read: &std::result::Result<Config, Faults>) -> Finding {
    match read {
        Ok(config) if config.warnings.is_empty() => Finding::fine("config", "sound"),
        Ok(config) => Finding::warn("config", config.warnings.join("; "), "take these settings out"),
        Err(faults) => {
            Finding::fail("config", faults.to_string(), "mend these; kulkul check says when it is sound")
        }
    }
}

/// Asked as the server will ask, from this machine and by its rules.
fn keys(source: &node::KeySource) -> Finding {
    let (about, from) = ("keys", &source.from);
    match source.look() {
        Ok(0) => Finding::warn(
            about,
            format!("{from}: no key of the algorithms that are wanted"),
            "compare its `alg` and `use` with auth.jwks.algorithms",
        ),
        Ok(count) => Finding::fine(about, format!("{from}: {count} keys")),
        Err(error) => Finding::fail(
            about,
            format!("{from}: {error}"),
            "mend auth.jwks or its publisher: until it can be read, tokens of its keys are refused",
        ),
    }
}

fn engine(engine: &Engine) -> Finding {
    match engine {
        Engine::Memory => Finding::fine("engine", "memory: always there, and empty after a restart"),
        Engine::Disk => Finding::fine(
            "engine",
            "disk: lives in the data folder, and outlives the process; its file is tried when the server starts, and not here",
        ),
        Engine::Redis(_) | Engine::Nats(_) => {
            Finding::warn("engine", "cannot tell whether it answers", "start it before this server")
        }
    }
}

/// Asked as the bridge will ask. A node serves without it, so that its absence is no failure.
fn nats(settings: &Typed, bridge: &NatsBridge) -> Finding {
    let about = "nats_bridge";
    let looked = nats_bridge::config(bridge, &settings.engine_prefix, settings.rides.rules.authority)
        .map_err(|error| error.to_string())
        .and_then(|config| bridge_nats::look(&config));
    match looked {
        Ok(version) => {
            Finding::fine(about, format!("NATS {version} answers, and has JetStream for this user"))
        }
        Err(why) => Finding::warn(
            about,
            why,
            "start it with JetStream, or mend nats_bridge.url and who it says this is: until it answers, nothing comes in or goes out",
        ),
    }
}

fn print(findings: &[Finding], coloured: bool, out: &mut impl Write) -> std::io::Result<()> {
    let widest = findings.iter().map(|finding| finding.about.len()).max().unwrap_or(0);
    for finding in findings {
        let (on, off) = if coloured { (finding.verdict.colour(), "\x1b[0m") } else { ("", "") };
        let (word, about, says) = (finding.verdict.word(), finding.about, &finding.says);
        writeln!(out, "{on}{word:4}{off}  {about:widest$}  {says}")?;
        if !finding.remedy.is_empty() {
            writeln!(out, "      {:widest$}  → {}", "", finding.remedy)?;
        }
    }
    Ok(())
}

fn as_json(findings: &[Finding]) -> serde_json::Value {
    let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Fine);
    let checks: Vec<_> = findings
        .iter()
        .map(|finding| {
            let remedy = Some(&finding.remedy).filter(|remedy| !remedy.is_empty());
            let (check, verdict) = (finding.about, finding.verdict.word());
            json!({ "check": check, "verdict": verdict, "says": finding.says, "remedy": remedy })
        })
        .collect();
    json!({ "verdict": worst.word(), "checks": checks })
}
