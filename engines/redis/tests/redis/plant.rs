//! Real servers: one alone, and three that make a Cluster. Each ends with its test.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::{Plant, Server};
use engine_redis::{Config, OpenError, Redis, open};
use link::{Answers, Deployment, Link, SameKeys};

/// Long enough that a machine with other things to do renews in time.
pub(crate) const LEASE: Duration = Duration::from_secs(3);
/// For whatever a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const START_TAG: u32 = 7;

pub(crate) fn start(more: &[&str]) -> Server {
    let more: Vec<OsString> = more.iter().map(OsString::from).collect();
    Server::start("redis-server", |port, folder: &Path| {
        let port = port.to_string();
        let folder = folder.to_string_lossy().into_owned();
        let always = [
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--dir",
            &folder,
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ];
        always.into_iter().map(OsString::from).chain(more.iter().cloned()).collect()
    })
}

pub(crate) fn config(server: &Server) -> Config {
    Config { url: format!("redis://{}", server.address), lease: LEASE, ..Config::default() }
}

pub(crate) fn deployment() -> Deployment {
    Deployment::of_this_build(START_TAG, Vec::new())
}

pub(crate) fn try_open(config: Config, answers: Arc<dyn Answers>) -> Result<Redis, OpenError> {
    open(config, &deployment(), SameKeys::NeedNot, answers)
}

pub(crate) fn opened(config: &Config, answers: &Arc<dyn Answers>) -> Redis {
    try_open(config.clone(), answers.clone()).unwrap_or_else(|error| panic!("{error}"))
}

/// Asks a server something with its own client.
pub(crate) fn cli(server: &Server, arguments: &[&str]) -> String {
    let port = server.address.port().to_string();
    let output = std::process::Command::new("redis-cli").args(["-p", &port]).args(arguments).output();
    let output = output.expect("redis-cli comes with redis-server");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A server tells nobody of its state: it is asked, and between two askings others get the machine.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    let (_nobody, never) = std::sync::mpsc::sync_channel::<()>(0);
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "in vain: {what}");
        never.recv_timeout(Duration::from_millis(5)).ok();
    }
}

pub(crate) struct Single {
    pub(crate) server: Server,
}

impl Single {
    pub(crate) fn new() -> Single {
        Single { server: start(&[]) }
    }
}

impl Plant for Single {
    fn open(&mut self, answers: Arc<dyn Answers>) -> Arc<dyn Link> {
        Arc::new(opened(&config(&self.server), &answers))
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn restart(&mut self) {
        self.server.restart();
    }
}

pub(crate) struct Three {
    pub(crate) servers: Vec<Server>,
}

impl Three {
    pub(crate) fn new() -> Three {
        let servers: Vec<Server> =
            (0..3).map(|_| start(&["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"])).collect();
        let ranges = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (server, (from, to)) in servers.iter().zip(ranges) {
            assert_eq!(cli(server, &["CLUSTER", "ADDSLOTSRANGE", from, to]), "OK");
        }
        for other in &servers[1..] {
            let port = other.address.port().to_string();
            assert_eq!(cli(&servers[0], &["CLUSTER", "MEET", "127.0.0.1", &port]), "OK");
        }
        for server in &servers {
            until("all know all", || {
                let info = cli(server, &["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            });
        }
        Three { servers }
    }

    pub(crate) fn config(&self) -> Config {
        Config { cluster: true, ..config(&self.servers[0]) }
    }
}

impl Plant for Three {
    fn open(&mut self, answers: Arc<dyn Answers>) -> Arc<dyn Link> {
        Arc::new(opened(&self.config(), &answers))
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn restart(&mut self) {
        self.servers.iter_mut().for_each(Server::restart);
    }
}
