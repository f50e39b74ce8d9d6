//! A script that runs in the server, and how it is called. It never opens an answer.

use redis::{Cmd, Script as Hashed};

/// One script: its text, and the hash by which the server knows it once it has seen it.
pub struct Script {
    text: String,
    hash: String,
}

impl Script {
    pub fn new(parts: &[&str]) -> Script {
        let text = parts.concat();
        let hash = Hashed::new(&text).get_hash().to_owned();
        Script { text, hash }
    }

    pub fn by_hash(&self, call: &Call) -> Cmd {
        call.command("EVALSHA", self.hash.as_bytes())
    }

    /// For a server that has not seen it: one that was restarted, or that took another's place.
    pub fn by_text(&self, call: &Call) -> Cmd {
        call.command("EVAL", self.text.as_bytes())
    }
}

/// What a script is called with.
#[derive(Default)]
pub struct Call {
    keys: Vec<String>,
    args: Vec<Argument>,
}

/// Payloads are shared until they are written out.
enum Argument {
    Text(Vec<u8>),
    Payload(vocabulary::Payload),
}

impl Call {
    pub fn on(keys: impl IntoIterator<Item = String>) -> Call {
        Call { keys: keys.into_iter().collect(), args: Vec::new() }
    }

    pub fn arg(mut self, text: impl Into<Vec<u8>>) -> Call {
        self.args.push(Argument::Text(text.into()));
        self
    }

    pub fn number(self, number: impl ToString) -> Call {
        self.arg(number.to_string())
    }

    pub fn payload(mut self, payload: &vocabulary::Payload) -> Call {
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
