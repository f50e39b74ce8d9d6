//! The ways from a client to the server: straight, and through the proxies that sites put before it, on free ports of this
//! machine.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::child::{Owned, answer};

/// A proxy listens within a fraction of a second.
const READY: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(20);

pub(crate) struct Route {
    pub(crate) name: &'static str,
    /// The server itself speaks TLS.
    pub(crate) sealed: bool,
    proxy: Option<Proxy>,
}

struct Proxy {
    /// The first that answers; not everybody's path leads to where administrators' programs are.
    commands: &'static [&'static str],
    version: &'static str,
    install: &'static str,
    template: &'static str,
    /// Behind these comes the file.
    arguments: &'static [&'static str],
}

pub(crate) const ROUTES: &[Route] = &[
    Route { name: "direct", sealed: false, proxy: None },
    Route { name: "tls", sealed: true, proxy: None },
    Route {
        name: "haproxy",
        sealed: false,
        proxy: Some(Proxy {
            commands: &["haproxy", "/usr/sbin/haproxy"],
            version: "-v",
            install: "haproxy is missing; install it: apt-get install haproxy",
            template: "interop/haproxy.cfg",
            arguments: &["-db", "-f"],
        }),
    },
    Route {
        name: "nginx",
        sealed: false,
        proxy: Some(Proxy {
            commands: &["nginx", "/usr/sbin/nginx"],
            version: "-v",
            install: "nginx is missing; install it: apt-get install nginx-light",
            template: "interop/nginx.conf",
            arguments: &["-c"],
        }),
    },
];

/// A route that is open for as long as this is held.
pub(crate) struct Way {
    pub(crate) address: String,
    _proxy: Option<Owned>,
}

impl Route {
    pub(crate) fn open(&self, root: &Path, folder: &Path, server: &str) -> Result<Way, String> {
        let Some(proxy) = &self.proxy else { return Ok(Way { address: server.to_owned(), _proxy: None }) };
        let program = proxy.commands.iter().find(|name| answer(Path::new(name), &[proxy.version]).is_some());
        let program = program.ok_or_else(|| proxy.install.to_owned())?;
        let address = free_address()?;
        let (_, port) = address.rsplit_once(':').unwrap_or(("", &address));
        let template = root.join(proxy.template);
        let text =
            fs::read_to_string(&template).map_err(|error| format!("{}: {error}", template.display()))?;
        let text = text.replace("{port}", port).replace("{server}", server);
        let text = text.replace("{folder}", &folder.display().to_string());
        let file = folder.join(self.name).with_extension("conf");
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        let log = folder.join(self.name).with_extension("log");
        let errors = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = Command::new(program);
        command.args(proxy.arguments).arg(&file).stderr(errors);
        let mut owned = Owned::start(command)?;
        let until = Instant::now() + READY;
        while TcpStream::connect(&address).is_err() {
            if owned.ended(Instant::now()).is_some() || Instant::now() >= until {
                return Err(format!("{} does not listen; {}", self.name, log.display()));
            }
            std::thread::sleep(GLANCE);
        }
        Ok(Way { address, _proxy: Some(owned) })
    }
}

/// Nobody listens there now; that nobody will in a moment is likely enough.
fn free_address() -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.to_string()).map_err(|error| format!("no free port: {error}"))
}
