//! Our own binary as the chores start it: on a free port, in a folder of its own, gone with its owner. What it is asked
//! is the chore's business.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::child::{Owned, Said};
use crate::policy::SERVER_PACKAGE;
use crate::steps::cargo_at;

/// A start takes a fraction of a second; on the slowest machine this is enough.
const READY: Duration = Duration::from_secs(60);

/// How the binary is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// As the tests build it: nothing is compiled anew, and the assertions are alive.
    Tested,
    /// As it ships.
    Shipped,
}

/// Cargo's switch for a build that stands for the next one.
const REHEARSAL: [&str; 2] = ["--features", "rehearsal"];

/// Builds the binary and says where it is.
pub(crate) fn binary(root: &Path, build: Build) -> Result<PathBuf, String> {
    built(root, build, &[])
}

/// The same for the next build, at that place: cargo's own is for this one.
pub(crate) fn next_binary(root: &Path, build: Build, place: &Path) -> Result<(), String> {
    let built = built(root, build, &REHEARSAL)?;
    fs::copy(&built, place).map(drop).map_err(|error| format!("{}: {error}", place.display()))
}

fn built(root: &Path, build: Build, switches: &[&str]) -> Result<PathBuf, String> {
    let mut args = vec!["build", "--package", SERVER_PACKAGE, "--message-format=json-render-diagnostics"];
    if build == Build::Shipped {
        args.push("--release");
    }
    args.extend(switches);
    let output = cargo_at(root, &args).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo build did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo build: {}", output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let mut executables = said.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == SERVER_PACKAGE).then_some(())?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executables.next_back().ok_or_else(|| format!("cargo built no binary of `{SERVER_PACKAGE}`"))
}

pub(crate) struct Server {
    _program: Owned,
    /// `http://…`, as it said itself.
    pub(crate) url: String,
    /// The operators', where it has a door of its own.
    pub(crate) operator: Option<String>,
    folder: PathBuf,
    binary: PathBuf,
}

impl Server {
    /// The folder is emptied first; the log is in it.
    pub(crate) fn start(binary: &Path, folder: &Path, args: &[&str]) -> Result<Server, String> {
        empty_folder(folder)?;
        let log = folder.join("log");
        let file = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder).args(args);
        command.env("KULKUL_LOG", "warn").stderr(file);
        let program = Owned::start(command)?;
        let silent = |why: &str| format!("the server {why}; its log is in {}", log.display());
        let line = match program.line(Instant::now() + READY) {
            Said::Line(line) => line,
            Said::Nothing => return Err(silent("ended before it was ready")),
            Said::TooLate => return Err(silent("did not say that it is ready")),
        };
        let ready = serde_json::from_str::<Value>(&line).unwrap_or_default();
        let said = |name: &str| ready[name].as_str().map(str::to_owned);
        let url = said("listening")
            .ok_or_else(|| silent(&format!("said {line:?} where it says that it listens")))?;
        Ok(Server {
            _program: program,
            url,
            operator: said("operator"),
            folder: folder.to_owned(),
            binary: binary.to_owned(),
        })
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").map_or(self.url.as_str(), |(_, address)| address)
    }

    /// A token of its own secret.
    pub(crate) fn token(&self, user: &str) -> Result<String, String> {
        let mut command = Command::new(&self.binary);
        command.args(["token", "--user", user, "--data"]).arg(&self.folder);
        let output = command.output().map_err(|error| format!("kulkul token did not start: {error}"))?;
        if !output.status.success() {
            return Err(format!("kulkul token: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Proves nothing and protects nobody: its key is public. The bench's own.
const CERTIFICATE: &str = include_str!("../../bench/certs/loopback.pem");
const KEY: &str = include_str!("../../bench/certs/loopback.key.pem");

pub(crate) const CERTIFICATE_FILE: &str = "certificate.pem";

/// What `serve` needs to speak TLS; its files go into this folder.
pub(crate) fn sealed(folder: &Path) -> Result<Vec<String>, String> {
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display())).map(|()| path)
    };
    let (certificate, key) = (put(CERTIFICATE_FILE, CERTIFICATE)?, put("key.pem", KEY)?);
    let tls = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    let config = put("kulkul.toml", &format!("operator_listen = \"127.0.0.1:0\"\n{tls}"))?;
    Ok(vec!["--config".to_owned(), config.display().to_string()])
}

/// Whatever was in it is gone.
pub(crate) fn empty_folder(folder: &Path) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
