//! A real server for the tests, and nodes that are opened on it. One server serves a whole test program, with a prefix for
//! each dialogue; what is to be killed has one of its own.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod desk;
pub(crate) mod proxy;

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use conformance::{Plant, Server};
use engine_nats::{Config, OpenError};
use link::{Answers, Deployment, Link, SameKeys};

/// Long enough for a machine that does other things too, short enough to be waited for.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// Of the version that is first on the path.
pub(crate) fn server() -> Server {
    server_with(|_| Vec::new())
}

pub(crate) fn server_with(more: impl Fn(&Path) -> Vec<OsString>) -> Server {
    Server::start("nats-server", |port, folder| {
        let mut arguments: Vec<OsString> =
            ["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"].map(OsString::from).into();
        arguments.push(folder.into());
        arguments.extend(more(folder));
        arguments
    })
}

/// Ended with the test program.
pub(crate) fn shared() -> String {
    static SHARED: OnceLock<String> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            let server = server();
            let url = url(&server);
            let folder = server.folder.clone();
            watch(server.pid().expect("it runs"), &folder);
            std::mem::forget(server);
            url
        })
        .clone()
}

/// Kills the server when this process is gone, however it ended.
fn watch(pid: u32, folder: &Path) {
    let script = "while kill -0 $1 2>/dev/null; do sleep 0.2; done; kill -9 $2; rm -rf \"$3\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh", &std::process::id().to_string(), &pid.to_string()]).arg(folder);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    let child = command.stderr(std::process::Stdio::null()).spawn().expect("a shell");
    // It outlives us.
    std::mem::forget(child);
}

pub(crate) fn url(server: &Server) -> String {
    format!("nats://{}", server.address)
}

pub(crate) fn config(url: &str) -> Config {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Config { prefix: format!("test-{}.{number}", std::process::id()), lease: LEASE, ..Config::new(url) }
}

pub(crate) fn open(config: &Config, answers: Arc<dyn Answers>) -> Result<engine_nats::Nats, OpenError> {
    let deployment = Deployment::of_this_build(7, vec!["key".to_owned()]);
    engine_nats::open(config.clone(), &deployment, SameKeys::Must, answers)
}

pub(crate) struct OnShared(Config);

impl OnShared {
    pub(crate) fn new() -> OnShared {
        OnShared(config(&shared()))
    }
}

impl Plant for OnShared {
    fn open(&mut self, answers: Arc<dyn Answers>) -> Arc<dyn Link> {
        Arc::new(open(&self.0, answers).unwrap_or_else(|error| panic!("{error}")))
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn restart(&mut self) {
        panic!("it is shared");
    }
}

pub(crate) struct OnOwn(Server, Config);

impl OnOwn {
    pub(crate) fn new() -> OnOwn {
        let server = server();
        let config = config(&url(&server));
        OnOwn(server, config)
    }
}

impl Plant for OnOwn {
    fn open(&mut self, answers: Arc<dyn Answers>) -> Arc<dyn Link> {
        Arc::new(open(&self.1, answers).unwrap_or_else(|error| panic!("{error}")))
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn restart(&mut self) {
        self.0.restart();
    }
}
