//! The scripts that run in the server, each with what stands in front of it, and how one is called. It never opens an
//! answer.

use redis::{Cmd, Script as Hashed};

/// One script: its text, and the hash by which the server knows it once it has seen it.
pub(crate) struct Script {
    text: String,
    hash: String,
}

impl Script {
    fn new(parts: &[&str]) -> Script {
        let text = parts.concat();
        let hash = Hashed::new(&text).get_hash().to_owned();
        Script { text, hash }
    }

    pub(crate) fn by_hash(&self, call: &Call) -> Cmd {
        call.command("EVALSHA", self.hash.as_bytes())
    }

    /// For a server that has not seen it: one that was restarted, or that took another's place.
    pub(crate) fn by_text(&self, call: &Call) -> Cmd {
        call.command("EVAL", self.text.as_bytes())
    }
}

/// What a script is called with.
#[derive(Default)]
pub(crate) struct Call {
    keys: Vec<String>,
    args: Vec<Argument>,
}

/// Payloads are shared until they are written out.
enum Argument {
    Text(Vec<u8>),
    Payload(vocabulary::Payload),
}

impl Call {
    pub(crate) fn on(keys: impl IntoIterator<Item = String>) -> Call {
        Call { keys: keys.into_iter().collect(), args: Vec::new() }
    }

    pub(crate) fn arg(mut self, text: impl Into<Vec<u8>>) -> Call {
        self.args.push(Argument::Text(text.into()));
        self
    }

    pub(crate) fn number(self, number: impl ToString) -> Call {
        self.arg(number.to_string())
    }

    pub(crate) fn payload(mut self, payload: &vocabulary::Payload) -> Call {
        self.args.push(Argument::Payload(payload.clone()));
        self
    }

    fn command(&self, how: &str, script: &[u8]) -> Cmd {
        let mut command = redis::cmd(how);
        command.arg(script).arg(self.keys.len());
        for key in &self.keys {
            command.arg(key);
        }
        for arg in &self.args {
            match arg {
                Argument::Text(text) => command.arg(&text[..]),
                Argument::Payload(payload) => command.arg(&payload[..]),
            };
        }
        command
    }
}

const ROOM: &str = include_str!("scripts/room.lua");

pub(crate) struct Scripts {
    pub(crate) append: Script,
    pub(crate) read: Script,
    pub(crate) store: Script,
    pub(crate) erase: Script,
    pub(crate) begin: Script,
    pub(crate) settle: Script,
    pub(crate) present: Script,
    pub(crate) soft: Script,
    pub(crate) claim: Script,
    pub(crate) release: Script,
    pub(crate) clean: Script,
    pub(crate) leases: Script,
}

impl Scripts {
    pub(crate) fn new() -> Scripts {
        Scripts {
            append: Script::new(&[ROOM, include_str!("scripts/append.lua")]),
            read: Script::new(&[ROOM, include_str!("scripts/read.lua")]),
            store: Script::new(&[ROOM, include_str!("scripts/store.lua")]),
            erase: Script::new(&[ROOM, include_str!("scripts/erase.lua")]),
            begin: Script::new(&[ROOM, include_str!("scripts/begin.lua")]),
            settle: Script::new(&[ROOM, include_str!("scripts/settle.lua")]),
            present: Script::new(&[include_str!("scripts/present.lua")]),
            soft: Script::new(&[include_str!("scripts/soft.lua")]),
            claim: Script::new(&[include_str!("scripts/claim.lua")]),
            release: Script::new(&[include_str!("scripts/release.lua")]),
            clean: Script::new(&[include_str!("scripts/clean.lua")]),
            leases: Script::new(&[include_str!("scripts/leases.lua")]),
        }
    }
}
