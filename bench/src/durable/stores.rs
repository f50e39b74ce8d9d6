//! What is measured: servers that store what they acknowledge, each as it is started and spoken to. Kulkul by its WebSocket, the
//! others by the shortest way they have.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::adapters::token;
use crate::wire;

/// What an acknowledgement survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Survives {
    Power,
    Process,
    Nothing,
}

impl Survives {
    pub(super) fn words(self) -> &'static str {
        match self {
            Survives::Power => "the loss of power",
            Survives::Process => "the end of its process",
            Survives::Nothing => "nothing",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kulkul,
    Redis,
    Nats,
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) name: &'static str,
    pub(super) survives: Survives,
    kind: Kind,
    /// Of its command line, or of its configuration file.
    settings: &'static [&'static str],
}

pub(super) const STORES: [Store; 8] = [
    Store {
        name: "kulkul-disk",
        survives: Survives::Power,
        kind: Kind::Kulkul,
        settings: &["disk", "always"],
    },
    Store {
        name: "redis-always",
        survives: Survives::Power,
        kind: Kind::Redis,
        settings: &["yes", "always"],
    },
    Store {
        name: "nats-always",
        survives: Survives::Power,
        kind: Kind::Nats,
        settings: &["sync_interval: always"],
    },
    Store {
        name: "kulkul-disk-process",
        survives: Survives::Process,
        kind: Kind::Kulkul,
        settings: &["disk", "process"],
    },
    Store {
        name: "redis-everysec",
        survives: Survives::Process,
        kind: Kind::Redis,
        settings: &["yes", "everysec"],
    },
    Store { name: "nats-default", survives: Survives::Process, kind: Kind::Nats, settings: &[] },
    Store {
        name: "kulkul-memory",
        survives: Survives::Nothing,
        kind: Kind::Kulkul,
        settings: &["memory", "always"],
    },
    Store { name: "redis-memory", survives: Survives::Nothing, kind: Kind::Redis, settings: &["no", "no"] },
];

/// A command line, and what of its environment differs.
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(&'static str, &'static str)>,
}

/// How one connection to a running store speaks.
pub(super) struct Pipe {
    kind: Kind,
    room: String,
    content: String,
    next: u64,
    joins: bool,
    /// Sent first, and answered by so many acknowledgements that do not count.
    pub(super) hello: Vec<u8>,
    pub(super) is_upgrade: bool,
}

impl Store {
    pub(super) fn launch(&self, server: Option<&Path>, port: u16, folder: &Path) -> Result<Launch> {
        let text = |path: &Path| path.display().to_string();
        match self.kind {
            Kind::Kulkul => {
                let program = server.map_or_else(std::env::current_exe, |path| Ok(path.to_owned()))?;
                let made = std::process::Command::new(&program)
                    .args(["token", "--user", "bench", "--data"])
                    .arg(folder)
                    .output()
                    .with_context(|| format!("cannot run {}", program.display()))?;
                ensure!(
                    made.status.success(),
                    "kulkul token: {}",
                    String::from_utf8_lossy(&made.stderr).trim()
                );
                let listen = format!("127.0.0.1:{port}");
                let fixed = ["serve", "--shards", "1", "--profile", "bench", "--listen", &listen, "--data"];
                let mut args: Vec<String> = fixed.map(str::to_owned).to_vec();
                args.extend([text(folder), "--engine".to_owned(), self.settings[0].to_owned()]);
                Ok(Launch { program, args, env: vec![("KULKUL_DISK__SYNC", self.settings[1])] })
            }
            Kind::Redis => {
                let [port, folder] = [port.to_string(), text(folder)];
                let fixed = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir", &folder];
                let args = fixed.into_iter().chain([
                    "--appendonly",
                    self.settings[0],
                    "--appendfsync",
                    self.settings[1],
                ]);
                Ok(Launch {
                    program: "redis-server".into(),
                    args: args.map(str::to_owned).collect(),
                    env: Vec::new(),
                })
            }
            Kind::Nats => {
                let file = folder.join("nats.conf");
                let store = json!(text(folder));
                let mut config =
                    format!("listen: \"127.0.0.1:{port}\"\njetstream {{\n  store_dir: {store}\n");
                for setting in self.settings {
                    writeln!(config, "  {setting}")?;
                }
                std::fs::write(&file, config + "}\n")?;
                Ok(Launch {
                    program: "nats-server".into(),
                    args: vec!["-c".to_owned(), text(&file)],
                    env: Vec::new(),
                })
            }
        }
    }

    /// One of several connections, each with a room, stream or subject of its own.
    pub(super) fn pipe(&self, port: u16, folder: &Path, number: usize, bytes: usize) -> Result<Pipe> {
        let (content, room) = ("x".repeat(bytes), format!("bench-{number}"));
        let mut pipe = Pipe {
            kind: self.kind,
            room,
            content,
            next: 0,
            joins: true,
            hello: Vec::new(),
            is_upgrade: false,
        };
        match self.kind {
            Kind::Kulkul => {
                let secret = std::fs::read_to_string(folder.join("secret"))?;
                let expires = SystemTime::now().duration_since(UNIX_EPOCH)? + Duration::from_secs(3600);
                let claims = json!({ "sub": format!("u{number}"), "exp": expires.as_secs() }).to_string();
                let bearer = token::sign(&token::key_from_hex(&secret)?, &claims)?;
                pipe.hello = wire::upgrade_request(port, "/ws", Some(&bearer), false);
                pipe.is_upgrade = true;
            }
            Kind::Redis => {}
            Kind::Nats => {
                let room = &pipe.room;
                let create = json!({ "name": room, "subjects": [room], "storage": "file" }).to_string();
                pipe.hello = format!(
                    "CONNECT {{\"verbose\":false}}\r\nSUB in.{room}.* 1\r\nPUB $JS.API.STREAM.CREATE.{room} in.{room}.c {}\r\n{create}\r\n",
                    create.len()
                )
                .into_bytes();
            }
        }
        Ok(pipe)
    }
}

impl Pipe {
    /// It is upgraded, and left to whoever holds it.
    pub(super) fn joins_nothing(&mut self) {
        self.joins = false;
    }

    /// Behind the upgrade, where there is one.
    pub(super) fn enter(&self, into: &mut Vec<u8>) -> usize {
        match self.kind {
            Kind::Kulkul if !self.joins => 0,
            Kind::Kulkul => {
                let join = format!(r#"{{"type":"join_room","payload":{{"room_id":"{}"}}}}"#, self.room);
                wire::client_frame(wire::TEXT, join.as_bytes(), into);
                0
            }
            Kind::Redis => 0,
            // The stream's creation is answered like a publish.
            Kind::Nats => 1,
        }
    }

    pub(super) fn publish(&mut self, into: &mut Vec<u8>) {
        self.next += 1;
        let Pipe { room, content, next, .. } = self;
        match self.kind {
            Kind::Kulkul => {
                let message = format!(
                    r#"{{"type":"send_message","room":"{room}","id":"c-{next}","payload":{{"content":"{content}"}}}}"#
                );
                wire::client_frame(wire::TEXT, message.as_bytes(), into);
            }
            Kind::Redis => {
                let parts = ["XADD", room, "*", "k", &format!("c-{next}"), "d", content];
                into.extend_from_slice(format!("*{}\r\n", parts.len()).as_bytes());
                for part in parts {
                    into.extend_from_slice(format!("${}\r\n{part}\r\n", part.len()).as_bytes());
                }
            }
            Kind::Nats => {
                let head = format!("PUB {room} in.{room}.p {}\r\n{content}\r\n", content.len());
                into.extend_from_slice(head.as_bytes());
            }
        }
    }

    /// Takes whole answers off the front, and counts the acknowledgements among them. What no store should say is an error.
    pub(super) fn acknowledged(&self, heard: &mut Vec<u8>) -> Result<usize> {
        let (mut count, mut at) = (0, 0);
        loop {
            let rest = &heard[at..];
            let taken = match self.kind {
                Kind::Kulkul => match wire::server_frame(rest) {
                    wire::Scanned::Frame { payload, bytes, .. } => {
                        count += usize::from(payload.starts_with(br#"{"type":"ack""#));
                        let refused = payload.starts_with(br#"{"type":"error""#);
                        ensure!(!refused, "{}", String::from_utf8_lossy(payload));
                        bytes
                    }
                    wire::Scanned::Incomplete => 0,
                    wire::Scanned::Malformed => anyhow::bail!("no frame"),
                },
                Kind::Redis => match line(rest) {
                    Some(first) if first.starts_with(b"$") => {
                        let length: usize = std::str::from_utf8(&first[1..])?.parse()?;
                        let whole = first.len() + 2 + length + 2;
                        count += usize::from(rest.len() >= whole);
                        if rest.len() >= whole { whole } else { 0 }
                    }
                    Some(other) => anyhow::bail!("{}", String::from_utf8_lossy(other)),
                    None => 0,
                },
                Kind::Nats => match line(rest) {
                    Some(first) if first.starts_with(b"MSG ") => {
                        let length = first.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
                        let length: usize = std::str::from_utf8(length)?.parse()?;
                        let whole = first.len() + 2 + length + 2;
                        if rest.len() >= whole {
                            let body = &rest[first.len() + 2..whole];
                            let refused = body.windows(8).any(|part| part == b"\"error\":");
                            ensure!(!refused, "{}", String::from_utf8_lossy(body).trim());
                            count += 1;
                            whole
                        } else {
                            0
                        }
                    }
                    Some(first) if first.starts_with(b"-ERR") => {
                        anyhow::bail!("{}", String::from_utf8_lossy(first))
                    }
                    Some(first) => first.len() + 2,
                    None => 0,
                },
            };
            if taken == 0 {
                heard.drain(..at);
                return Ok(count);
            }
            at += taken;
        }
    }
}

fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some(&bytes[..end])
}
