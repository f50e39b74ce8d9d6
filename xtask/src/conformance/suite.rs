//! Autobahn|Testsuite: installed once, run under a time limit, heard while it runs. It judges nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::report::Section;
use crate::child::{answer, quietly_within, run_within};

/// It needs Python 2.7, and so does everything that it needs.
const VERSION: &str = "autobahntestsuite==25.10.1";
/// The last one that runs on Python 2.7 itself.
const VIRTUALENV: &str = "virtualenv==20.15.1";
/// Under this name it keeps what it found out about us.
const AGENT: &str = "kulkul";
/// Two minutes on a slow machine.
const INSTALL: Duration = Duration::from_secs(900);
/// Some forty times what it takes on a quiet machine.
const RUN: Duration = Duration::from_secs(3600);
/// How often a long run says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

pub(crate) struct Suite {
    wstest: PathBuf,
}

/// Why it is not there.
pub(crate) enum Missing {
    Python,
    Broken(String),
}

impl Missing {
    pub(crate) fn told(self) -> String {
        match self {
            Missing::Python => "Autobahn needs Python 2.7, and there is none here; \
                 install it: pyenv install 2.7.18, or build it from python.org, and run python2.7 -m ensurepip"
                .to_owned(),
            Missing::Broken(why) => format!("Autobahn cannot be installed: {why}"),
        }
    }
}

/// The interpreter itself, not what chooses among several.
pub(crate) fn python() -> Option<PathBuf> {
    let mut command = Command::new("python2.7");
    // Where pyenv chooses, it is told; where it is not, nobody reads this.
    command.env("PYENV_VERSION", "2.7.18").args(["-c", "import sys; print(sys.executable)"]);
    let output = command.stdin(Stdio::null()).output().ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    (output.status.success() && path.is_file()).then_some(path)
}

impl Suite {
    /// Installs it into the folder unless it is there.
    pub(crate) fn installed(folder: &Path, say: impl Fn(&str)) -> Result<Suite, Missing> {
        let home = folder.join("autobahn");
        let (wstest, stamp) = (home.join("bin/wstest"), home.join("installed"));
        if fs::read_to_string(&stamp).is_ok_and(|version| version == VERSION) {
            return Ok(Suite { wstest });
        }
        let python = python().ok_or(Missing::Python)?;
        say(&format!("installing {VERSION}, once"));
        install(&python, folder, &home).map_err(Missing::Broken)?;
        let version = answer(&wstest, &["--autobahnversion"]);
        version.ok_or_else(|| Missing::Broken("what was installed does not run".to_owned()))?;
        fs::write(&stamp, VERSION).map_err(|error| Missing::Broken(error.to_string()))?;
        Ok(Suite { wstest })
    }

    /// The suite's own index of what it found, by case.
    pub(crate) fn run(
        &self,
        url: &str,
        sections: &[&'static Section],
        folder: &Path,
        say: &(impl Fn(&str) + ?Sized),
    ) -> Result<Map<String, Value>, String> {
        let parts = in_parts(sections);
        let total: usize = sections.iter().map(|section| section.cases).sum();
        let (sender, begun) = std::sync::mpsc::sync_channel(total.max(1));
        let indexes = thread::scope(|scope| {
            let mut running = Vec::new();
            for (number, part) in parts.iter().enumerate() {
                let (sender, folder) = (sender.clone(), folder.join(format!("part-{number}")));
                running.push(scope.spawn(move || {
                    self.run_part(url, part, &folder, || {
                        // Whoever counts may have stopped to; the run is none the worse.
                        let _ = sender.try_send(());
                    })
                }));
            }
            drop(sender);
            let (mut count, mut told) = (0, Instant::now());
            while begun.recv().is_ok() {
                count += 1;
                if told.elapsed() >= PROGRESS {
                    told = Instant::now();
                    say(&format!("  case {count} of {total}"));
                }
            }
            running
                .into_iter()
                .map(|part| part.join().unwrap_or_else(|_| Err("a part of the run broke".to_owned())))
                .collect::<Result<Vec<_>, String>>()
        })?;
        Ok(indexes.into_iter().flatten().collect())
    }

    fn run_part(
        &self,
        url: &str,
        sections: &[&Section],
        folder: &Path,
        mut begins: impl FnMut(),
    ) -> Result<Map<String, Value>, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let reports = folder.join("reports");
        let cases: Vec<String> = sections.iter().map(|section| format!("{}.*", section.number)).collect();
        let specification = json!({
            "outdir": reports,
            "servers": [{ "agent": AGENT, "url": url }],
            "cases": cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        });
        let file = folder.join("specification.json");
        fs::write(&file, specification.to_string())
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let log = folder.join("log");
        let errors = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = Command::new(&self.wstest);
        command.args(["--mode", "fuzzingclient", "--spec"]).arg(&file).current_dir(folder).stderr(errors);
        let status = run_within(command, RUN, |line| {
            if line.contains("Running test case ID") {
                begins();
            }
        })?;
        if !status.success() {
            return Err(format!("wstest: {status}; its errors are in {}", log.display()));
        }
        let index = reports.join("index.json");
        let text =
            fs::read_to_string(&index).map_err(|error| format!("no report: {}: {error}", index.display()))?;
        let mut index: Value = serde_json::from_str(&text).map_err(|error| format!("the report: {error}"))?;
        match index.get_mut(AGENT).map(Value::take) {
            Some(Value::Object(cases)) => Ok(cases),
            _ => Err("the report says nothing about us: was the server reached?".to_owned()),
        }
    }
}

/// Two, of about the same length, because the suite keeps one core busy: the parameters of compression, and the rest.
fn in_parts<'a>(sections: &[&'a Section]) -> Vec<Vec<&'a Section>> {
    let (long, rest): (Vec<&Section>, Vec<&Section>) =
        sections.iter().partition(|section| section.number == 13);
    [rest, long].into_iter().filter(|part| !part.is_empty()).collect()
}

fn install(python: &Path, folder: &Path, home: &Path) -> Result<(), String> {
    if home.exists() {
        fs::remove_dir_all(home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    let virtualenv = folder.join("virtualenv");
    let pip = |program: &Path, target: &[&str]| {
        let mut command = Command::new(program);
        command.args(target).env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PYTHONWARNINGS", "ignore");
        command
    };
    let mut command = pip(python, &["-m", "pip", "install", "--quiet", "--upgrade", VIRTUALENV, "--target"]);
    command.arg(&virtualenv);
    quietly_within(command, INSTALL)?;
    let mut command = pip(python, &["-m", "virtualenv", "--quiet"]);
    command.arg(home).env("PYTHONPATH", &virtualenv);
    quietly_within(command, INSTALL)?;
    quietly_within(pip(&home.join("bin/pip"), &["install", "--quiet", VERSION]), INSTALL)
}
