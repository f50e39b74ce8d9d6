//! Peers without an envelope: the first message names the room and is answered with `+`, later ones are published as they
//! are. They differ only in what runs.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::{Adapter, Dialect, Launch, Place, Visitor};

pub(super) struct Peer {
    pub(super) name: &'static str,
    /// Below `bench/peers`.
    pub(super) folder: &'static str,
    /// Below its folder; `node` alone is found by the path.
    program: &'static str,
    args: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
    echo: bool,
    remark: &'static str,
}

pub(super) const PEERS: [Peer; 6] = [
    Peer {
        name: "bun",
        folder: "bun",
        program: "node_modules/.bin/bun",
        args: &["server.js"],
        env: &[],
        echo: false,
        remark: "no envelope, no token check; its native publish/subscribe",
    },
    Peer {
        name: "node-ws",
        folder: "node-ws",
        program: "node",
        args: &["server.js"],
        env: &[],
        echo: false,
        remark: "no envelope, no token check",
    },
    Peer {
        name: "tungstenite",
        folder: "rust",
        program: "target/release/tungstenite",
        args: &[],
        env: &[],
        echo: false,
        remark: "no envelope, no token check; a task and a queue of 256 a connection",
    },
    Peer {
        name: "axum",
        folder: "rust",
        program: "target/release/axum",
        args: &[],
        env: &[],
        echo: true,
        remark: "no envelope, no token check; a broadcast channel a room, authors hear themselves, Nagle's algorithm on",
    },
    Peer {
        name: "epoll",
        folder: "rust",
        program: "target/release/epoll",
        args: &[],
        env: &[],
        echo: false,
        remark: "the floor: one write a message and member, nothing else",
    },
    Peer {
        name: "epoll-gather",
        folder: "rust",
        program: "target/release/epoll",
        args: &[],
        env: &[("GATHER", "1")],
        echo: false,
        remark: "the floor with one write a loop turn and member",
    },
];

pub(super) struct Plain {
    pub(super) peer: &'static Peer,
    pub(super) folder: PathBuf,
}

impl Adapter for Plain {
    fn name(&self) -> &'static str {
        self.peer.name
    }

    fn remark(&self) -> &'static str {
        self.peer.remark
    }

    fn launch(&mut self, place: &Place) -> Result<Launch> {
        let Peer { name, program, .. } = self.peer;
        let installed = match *program {
            "node" => self.folder.join("node_modules/ws"),
            program => self.folder.join(program),
        };
        ensure!(installed.exists(), "{name} is not installed: `kulkul bench peers install {name}`");
        let program = if *program == "node" { "node".into() } else { installed.into_os_string() };
        let port = ("PORT", place.port.to_string());
        let env =
            self.peer.env.iter().map(|(key, value)| (*key, (*value).to_owned())).chain([port]).collect();
        let args = self.peer.args.iter().map(Into::into).collect();
        Ok(Launch { program, args, env, within: Some(self.folder.clone()) })
    }

    fn dialect(&self) -> Dialect {
        Dialect { joined: b"+", refused: b"!", several: false, echo: self.peer.echo, acks: false }
    }

    fn visitor(&self, _user: u32) -> Result<Visitor> {
        Ok(Visitor { path: "/ws".to_owned(), bearer: None })
    }

    fn join(&self, room: u32) -> String {
        format!("bench-{room}")
    }

    fn publish(&self, _room: u32, _id: u64, content: &[u8], into: &mut Vec<u8>) {
        into.extend_from_slice(content);
    }
}
