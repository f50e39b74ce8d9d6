//! Commands to the one server, and the scripts that run in it. It knows what is asked, and never why.

use std::rc::Rc;

use redis::{Cmd, Value};
use redis_wire::{Call, Fault, Outcome, Script, Server};

pub(crate) struct Asks {
    server: Rc<Server>,
    pub(crate) scripts: Scripts,
}

pub(crate) struct Scripts {
    /// Takes or renews the lease: 0, or for how many milliseconds another has it.
    pub(crate) take: Script,
    pub(crate) release: Script,
    pub(crate) publish: Script,
    pub(crate) letter: Script,
    pub(crate) here: Script,
    pub(crate) gone: Script,
    pub(crate) sweep: Script,
    pub(crate) members: Script,
}

impl Asks {
    pub(crate) fn new(server: Rc<Server>) -> Asks {
        let script = |text| Script::new(&[text]);
        let scripts = Scripts {
            take: script(include_str!("scripts/take.lua")),
            release: script(include_str!("scripts/release.lua")),
            publish: script(include_str!("scripts/publish.lua")),
            letter: script(include_str!("scripts/letter.lua")),
            here: script(include_str!("scripts/here.lua")),
            gone: script(include_str!("scripts/gone.lua")),
            sweep: script(include_str!("scripts/sweep.lua")),
            members: script(include_str!("scripts/members.lua")),
        };
        Asks { server, scripts }
    }

    /// Whether only probes go to the server.
    pub(crate) fn is_away(&self) -> bool {
        self.server.is_open()
    }

    pub(crate) async fn ask(&self, command: &Cmd) -> Result<Value, Fault> {
        match self.server.ask(0, command, false).await {
            Outcome::Answer(value) => Ok(value),
            Outcome::Fault(fault) => Err(fault),
            Outcome::Broken(words) => Err(Fault::Doubtful(words)),
            Outcome::NoScript => Err(Fault::Unreadable),
            Outcome::Moved(..) | Outcome::Ask(..) => Err(Fault::Declined(
                "it is part of a Cluster, and a bridge wants a Redis of its own".to_owned(),
            )),
        }
    }

    pub(crate) async fn run(&self, script: &Script, call: &Call) -> Result<Value, Fault> {
        match self.server.ask(0, &script.by_hash(call), false).await {
            // It was restarted, or has never seen it: nothing was carried out.
            Outcome::NoScript => self.ask(&script.by_text(call)).await,
            Outcome::Answer(value) => Ok(value),
            Outcome::Fault(fault) => Err(fault),
            Outcome::Broken(words) => Err(Fault::Doubtful(words)),
            Outcome::Moved(..) | Outcome::Ask(..) => {
                Err(Fault::Declined("it is part of a Cluster".to_owned()))
            }
        }
    }
}
