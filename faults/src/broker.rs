//! A broker as a process: Redis or NATS, on a port and in a folder of its own, killed and begun again there. It asks it
//! nothing; what a broker keeps, the servers and their clients say.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::node::free_port;

const BEGINS_WITHIN: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Redis,
    Nats,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Kind::Redis => "redis-server",
            Kind::Nats => "nats-server",
        }
    }

    /// What was answered survives the process; with Redis the power too.
    fn args(self, port: u16, folder: &Path) -> Vec<String> {
        let (port, folder) = (port.to_string(), folder.display().to_string());
        let args: &[&str] = match self {
            Kind::Redis => &[
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
            ],
            Kind::Nats => &["-a", "127.0.0.1", "-p", &port, "-js", "-sd", &folder],
        };
        let always: &[&str] = match self {
            Kind::Redis => &["--appendfsync", "always"],
            Kind::Nats => &[],
        };
        args.iter().chain(always).map(|it| (*it).to_owned()).collect()
    }
}

pub(crate) struct Broker {
    kind: Kind,
    port: u16,
    folder: PathBuf,
    /// None while it is away.
    child: Option<Child>,
}

impl Broker {
    pub(crate) fn start_and_wait(kind: Kind, folder: &Path) -> Result<Broker> {
        fs::create_dir_all(folder.join("kept"))?;
        let mut broker = Broker { kind, port: free_port()?, folder: folder.to_owned(), child: None };
        broker.begin()?;
        let until = Instant::now() + BEGINS_WITHIN;
        while !broker.accepts() {
            ensure!(Instant::now() < until, "{} does not listen", kind.program());
            std::thread::sleep(crate::LOOK);
        }
        Ok(broker)
    }

    /// As the nodes are told it.
    pub(crate) fn address(&self) -> String {
        let scheme = match self.kind {
            Kind::Redis => "redis",
            Kind::Nats => "nats",
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// On the port and the folder that it always has; it does not wait.
    pub(crate) fn begin(&mut self) -> Result<()> {
        let program = self.kind.program();
        let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]);
        command.args(self.kind.args(self.port, &self.folder.join("kept")));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().with_context(|| format!("{program} is needed"))?);
        Ok(())
    }

    pub(crate) fn accepts(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// At once, as by `kill -9`, and not there any more when this returns.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill()?;
        child.wait()?;
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It fails only for what has already ended.
        let _ = self.kill();
    }
}
