//! Servers under test: how each is started, joined, published to, and how its deliveries are recognised.
//!
//! An adapter describes; it never opens a socket and never runs while something is measured, except for
//! [`Adapter::publish`].

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

mod kulkul;
mod plain;
mod seed_hub;
pub(crate) mod token;

pub use kulkul::{LIFTED, Lifted};

/// What a run gives a server: a port and a folder of its own.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub port: u16,
    pub folder: PathBuf,
}

#[derive(Debug, Default)]
pub(crate) struct Launch {
    pub program: OsString,
    pub args: Vec<OsString>,
    pub env: Vec<(&'static str, String)>,
    pub within: Option<PathBuf>,
}

/// How a client of this server comes in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub path: String,
    pub bearer: Option<String>,
}

/// How to read what this server sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// A frame that contains this answers a join.
    pub joined: &'static [u8],
    /// A frame that contains this near its start is a refusal.
    pub refused: &'static [u8],
    /// A frame may hold several messages.
    pub several: bool,
    /// An author receives its own messages.
    pub echo: bool,
    /// An author is told of each of its messages that it stands in the room, and where.
    pub acks: bool,
}

/// What a server's bytes travel in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Travels {
    #[default]
    Plain,
    /// By TLS.
    Sealed,
    /// Compressed, where that makes them shorter.
    Packed,
}

pub(crate) trait Adapter {
    fn travels(&self) -> Travels {
        Travels::Plain
    }
    fn name(&self) -> &'static str;
    /// What a reader of its figures has to know.
    fn remark(&self) -> &'static str;
    /// Prepares the folder and says what to run; it prints one line, `{"listening":"http://…"}`, when it is ready.
    fn launch(&mut self, place: &Place) -> Result<Launch>;
    fn dialect(&self) -> Dialect;
    fn visitor(&self, user: u32) -> Result<Visitor>;
    fn join(&self, room: u32) -> String;
    /// Appends the text that publishes `content`; `id` differs for every message of a run.
    fn publish(&self, room: u32, id: u64, content: &[u8], into: &mut Vec<u8>);
}

/// What adapters need to know of the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choices {
    /// The `kulkul` binary; this one if absent.
    pub server: Option<PathBuf>,
    /// Another build of it, to hold this one against.
    pub before: Option<PathBuf>,
    /// More arguments for `kulkul serve`.
    pub server_args: Vec<String>,
    /// Whether joins are told to the room, where the server can leave that out.
    pub notices: bool,
    /// The folder of the peers' sources.
    pub peers: Option<PathBuf>,
}

/// Kulkul where people have roles.
pub(crate) struct Desk(kulkul::Kulkul);

impl Desk {
    pub(crate) fn new(choices: &Choices) -> Result<Desk> {
        kulkul::Kulkul::new(choices, &kulkul::KINDS[0]).map(Desk)
    }

    pub(crate) fn adapter(&mut self) -> &mut dyn Adapter {
        &mut self.0
    }

    /// Once it was launched. Staff serve every department.
    pub(crate) fn token(&self, user: &str, role: Option<&str>) -> Result<String> {
        self.0.token(user, role)
    }
}

pub(crate) const NAMES: [&str; 11] = [
    "kulkul",
    "kulkul-tls",
    "kulkul-deflate",
    "kulkul-before",
    "bun",
    "epoll",
    "epoll-gather",
    "seed-hub",
    "node-ws",
    "tungstenite",
    "axum",
];

pub(crate) fn named(name: &str, choices: &Choices) -> Result<Box<dyn Adapter>> {
    if let Some(kind) = kulkul::KINDS.iter().find(|kind| kind.name == name) {
        return Ok(Box::new(kulkul::Kulkul::new(choices, kind)?));
    }
    let peers = peers_folder(choices)?;
    if name == "seed-hub" {
        return Ok(Box::new(seed_hub::SeedHub { folder: peers.join(name) }));
    }
    match plain::PEERS.iter().find(|peer| peer.name == name) {
        Some(peer) => Ok(Box::new(plain::Plain { peer, folder: peers.join(peer.folder) })),
        None => bail!("no server is called `{name}`; there are {}", NAMES.join(", ")),
    }
}

/// `bench/peers`, here or in a folder above.
pub(crate) fn peers_folder(choices: &Choices) -> Result<PathBuf> {
    if let Some(folder) = &choices.peers {
        return Ok(folder.canonicalize()?);
    }
    let here = std::env::current_dir()?;
    let found = here.ancestors().map(|folder| folder.join("bench/peers")).find(|folder| folder.is_dir());
    found.context("no folder bench/peers here or above; name it with --peers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_an_adapter_and_no_other_has() {
        let here = Some(std::env::temp_dir());
        let choices = Choices { peers: here.clone(), before: here, ..Choices::default() };
        for name in NAMES {
            assert_eq!(named(name, &choices).map(|adapter| adapter.name()).ok(), Some(name));
        }
        assert!(named("apache", &choices).is_err());
        let unnamed = Choices { before: None, ..choices };
        assert!(named("kulkul-before", &unnamed).is_err_and(|error| error.to_string().contains("--before")));
    }

    #[test]
    fn frames_of_each_adapter() {
        let choices = Choices { peers: Some(std::env::temp_dir()), ..Choices::default() };
        let seed = (
            r#"{"type":"join_room","payload":{"room_id":"bench-3"}}"#,
            r#"{"type":"send_message","room":"bench-3","id":"c-9","payload":{"content":"hi"}}"#,
        );
        let rows =
            [("kulkul", seed), ("seed-hub", seed), ("bun", ("bench-3", "hi")), ("axum", ("bench-3", "hi"))];
        for (name, (join, publish)) in rows {
            let Ok(adapter) = named(name, &choices) else { panic!("{name} has no adapter") };
            let mut text = Vec::new();
            adapter.publish(3, 9, b"hi", &mut text);
            assert_eq!(
                (adapter.join(3).as_str(), String::from_utf8_lossy(&text).as_ref()),
                (join, publish),
                "{name}"
            );
        }
    }
}
