//! A proxy as a process, HAProxy or nginx, in front of several nodes; told to read its configuration again.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::node::free_port;

const BEGINS_WITHIN: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Haproxy,
    Nginx,
}

impl Kind {
    fn program(self) -> (&'static str, &'static str) {
        match self {
            Kind::Haproxy => ("haproxy", "/usr/sbin/haproxy"),
            Kind::Nginx => ("nginx", "/usr/sbin/nginx"),
        }
    }

    fn config(self, folder: &Path, port: u16, nodes: &[u16], idle: Duration) -> String {
        let (folder, idle) = (folder.display(), idle.as_secs());
        match self {
            Kind::Haproxy => {
                let server = |(number, port): (usize, &u16)| {
                    format!("    server node{number} 127.0.0.1:{port} check inter 300ms fall 1 rise 1\n")
                };
                let servers: String = nodes.iter().enumerate().map(server).collect();
                format!(
                    "global\n    maxconn 2000\ndefaults\n    mode http\n    option forwardfor\n    option redispatch\n    \
                     retries 3\n    timeout connect 2s\n    timeout client {idle}s\n    timeout server {idle}s\n    \
                     timeout tunnel {idle}s\nfrontend sockets\n    bind 127.0.0.1:{port}\n    default_backend nodes\n\
                     backend nodes\n    option httpchk GET /live\n{servers}"
                )
            }
            Kind::Nginx => {
                let servers: String =
                    nodes.iter().map(|port| format!("server 127.0.0.1:{port} fail_timeout=1s;")).collect();
                format!(
                    "daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log warn;\nworker_processes 1;\n\
                     events {{ worker_connections 2000; }}\nhttp {{\n    access_log off;\n\
                     client_body_temp_path {folder}/body;\n    proxy_temp_path {folder}/proxy;\n\
                     fastcgi_temp_path {folder}/fastcgi;\n    uwsgi_temp_path {folder}/uwsgi;\n\
                     scgi_temp_path {folder}/scgi;\n    upstream nodes {{ {servers} }}\n    server {{\n\
                     listen 127.0.0.1:{port};\n        location / {{\n            proxy_pass http://nodes;\n\
                     proxy_http_version 1.1;\n            proxy_set_header Host $http_host;\n\
                     proxy_set_header Upgrade $http_upgrade;\n            proxy_set_header Connection upgrade;\n\
                     proxy_set_header X-Forwarded-For $remote_addr;\n            proxy_connect_timeout 2s;\n\
                     proxy_read_timeout {idle}s;\n            proxy_send_timeout {idle}s;\n        }}\n    }}\n}}\n"
                )
            }
        }
    }
}

pub(crate) struct Proxy {
    kind: Kind,
    pub(crate) port: u16,
    child: Child,
}

impl Proxy {
    /// In front of these nodes; a connection on which nothing is said for `idle` ends.
    pub(crate) fn start_and_wait(kind: Kind, folder: &Path, nodes: &[u16], idle: Duration) -> Result<Proxy> {
        fs::create_dir_all(folder)?;
        let (port, file) = (free_port()?, folder.join("config"));
        fs::write(&file, kind.config(folder, port, nodes, idle))?;
        let log = File::options().create(true).append(true).open(folder.join("log"))?;
        let (name, path) = kind.program();
        let program = if Path::new(path).exists() { path } else { name };
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]);
        match kind {
            Kind::Haproxy => command.args(["-W", "-f"]),
            Kind::Nginx => command.arg("-c"),
        };
        command.arg(&file).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("setpriv (util-linux) is needed to start proxies")?;
        let proxy = Proxy { kind, port, child };
        let until = Instant::now() + BEGINS_WITHIN;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(Instant::now() < until, "{name} does not listen; is it installed?");
            std::thread::sleep(crate::LOOK);
        }
        Ok(proxy)
    }

    /// The old one goes on with what it carries, a new one takes what comes.
    pub(crate) fn reload(&self) -> Result<()> {
        let signal = match self.kind {
            Kind::Haproxy => Signal::SIGUSR2,
            Kind::Nginx => Signal::SIGHUP,
        };
        Ok(kill(Pid::from_raw(self.child.id().cast_signed()), signal)?)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both end their workers with themselves by this; it fails only for what has already ended.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let until = Instant::now() + Duration::from_secs(3);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(crate::LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
