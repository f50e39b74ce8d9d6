//! The chore `packaging`: what is in `packaging/`, read by the programs that read it where Kulkul runs. It starts nothing of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde_json::{Value, json};

use crate::child::quietly_within;
use crate::server::{self, Build};
use crate::steps::{Outcome, Steps, Told};
use crate::tools::{found, python, read};
use crate::workspace;

/// Some hundred times what each takes.
const LOOK: Duration = Duration::from_secs(120);
const INSTALLED_AT: &str = "/usr/local/bin/kulkul";

pub(crate) fn chore(root: &Path) -> ExitCode {
    let mut steps = Steps::begin("packaging", Told::People);
    steps.run("packaging", |steps| all(steps, root));
    steps.end()
}

pub(crate) fn all(steps: &Steps, root: &Path) -> Outcome {
    let folder = workspace::target_folder(root)?.join("packaging");
    let looks: [(&str, &dyn Fn() -> Outcome); 4] = [
        ("units", &|| units(root, &folder)),
        ("compose file and manifests", &|| containers(steps, root, &folder)),
        ("alerts", &|| alerts(root)),
        ("dashboard", &|| dashboard(root, &folder)),
    ];
    let outcomes = looks.map(|(name, look)| (name, look()));
    let told = outcomes.iter().map(|(name, Ok(note) | Err(note))| format!("{name}: {note}"));
    let told = told.collect::<Vec<_>>().join("; ");
    if outcomes.iter().all(|(_, outcome)| outcome.is_ok()) { Ok(told) } else { Err(told) }
}

fn run(program: impl AsRef<Path>, arguments: &[&str], of: &[PathBuf]) -> Result<(), String> {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).args(of);
    quietly_within(command, LOOK)
}

/// With our binary where the unit says that it is installed: whether it is there is looked at too.
fn units(root: &Path, folder: &Path) -> Outcome {
    found(&["systemd-analyze"], "--version", "systemd: apt-get install systemd")?;
    let binary = server::binary(root, Build::Tested)?;
    server::empty_folder(&folder.join("units"))?;
    let mut units = Vec::new();
    for name in ["kulkul.service", "kulkul.socket"] {
        let unit = read(&root.join("packaging/systemd").join(name))?;
        let path = folder.join("units").join(name);
        written(&path, &unit.replace(INSTALLED_AT, &binary.display().to_string()))?;
        units.push(path);
    }
    run("systemd-analyze", &["verify", "--man=no"], &units)?;
    Ok(format!("{} units", units.len()))
}

fn containers(steps: &Steps, root: &Path, folder: &Path) -> Outcome {
    let home = root.join("packaging");
    let (programs, _) = python(&home, &folder.join("python"), &|words: &str| steps.say(words))?;
    let compose = [home.join("container/compose.yaml")];
    run(programs.join("check-jsonschema"), &["--builtin-schema", "vendor.compose-spec"], &compose)?;
    run(
        programs.join("kubernetes-validate"),
        &["--strict", "--quiet"],
        &[home.join("kubernetes/kulkul.yaml")],
    )?;
    Ok("read".to_owned())
}

fn promtool() -> Result<(), String> {
    found(&["promtool"], "--version", "promtool: apt-get install prometheus").map(|_| ())
}

fn alerts(root: &Path) -> Outcome {
    promtool()?;
    let home = root.join("packaging/prometheus");
    run("promtool", &["check", "rules"], &[home.join("alerts.yaml")])?;
    run("promtool", &["test", "rules"], &[home.join("alerts.test.yaml")])?;
    Ok("read, and tried".to_owned())
}

/// Every question of it, asked of the program that answers them.
fn dashboard(root: &Path, folder: &Path) -> Outcome {
    promtool()?;
    let text = read(&root.join("packaging/grafana/kulkul.json"))?;
    let dashboard: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let asked: Vec<&str> = targets.filter_map(|target| target["expr"].as_str()).collect();
    if asked.is_empty() {
        return Err("it asks nothing".to_owned());
    }
    let rules: Vec<Value> = (0..)
        .zip(&asked)
        .map(|(number, expr)| json!({"record": format!("panel:{number}"), "expr": expr.replace("$__rate_interval", "1m")}))
        .collect();
    let path = folder.join("dashboard.yaml");
    written(&path, &json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string())?;
    run("promtool", &["check", "rules"], &[path])?;
    Ok(format!("{} questions", asked.len()))
}

fn written(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
