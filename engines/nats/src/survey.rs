//! What stands in the server, for whoever moves rooms: the deployment's record, who lives, which rooms there are and when they are
//! due. It asks, and writes nothing; it is no node.

use std::sync::Arc;

use ferry::{Fault as Lost, Listed};
use link::Deployment;
use serde_json::json;
use vocabulary::{RoomId, SLICES, Slice};

use crate::agenda::{Known, settlement};
use crate::connect::{self, Signals};
use crate::leases::Document;
use crate::message::Message;
use crate::names::{Names, token_of};
use crate::server::{Ask, Fault, Got, Server};
use crate::{Config, OpenError};

/// Looks in a term at whether somebody renewed: more often than anybody renews.
const LOOKS_A_TERM: u32 = 16;

pub struct Survey {
    runtime: tokio::runtime::Runtime,
    server: Server,
    names: Names,
    term: std::time::Duration,
    /// Whether there ever was a deployment: where there is no stream, nobody answers for it.
    is_there: bool,
    /// The next slice whose rooms are told.
    next: u16,
}

impl Survey {
    pub fn open(config: &Config) -> Result<Survey, OpenError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(OpenError::Thread)?;
        let signals = Arc::new(Signals::new());
        let client = runtime.block_on(connect::connect(config, &signals))?;
        let domain = config.domain.as_deref();
        let server = Server::new(client, domain, config.replicas, config.call_within, signals);
        let (names, term) = (Names::new(&config.prefix), config.lease);
        let asked = runtime.block_on(server.api(&format!("STREAM.INFO.{}", names.state), json!({})));
        let is_there = match asked {
            Ok(_) => true,
            Err(Fault::Absent | Fault::NoStream) => false,
            Err(fault) => {
                let what = format!("the stream {}", names.state);
                return Err(OpenError::NoAnswer { what, why: fault.words() });
            }
        };
        Ok(Survey { runtime, server, names, term, is_there, next: 0 })
    }

    fn last(&self, stream: &str, subject: &str) -> Result<Option<Got>, Lost> {
        if !self.is_there {
            return Ok(None);
        }
        match self.runtime.block_on(self.server.last(stream, subject, Ask::Leader)) {
            // Where nothing ever was there is no stream.
            Err(Fault::Absent | Fault::NoStream) => Ok(None),
            got => got.map_err(|fault| lost(&fault)),
        }
    }

    /// None: there is none.
    pub fn deployment(&self) -> Result<Option<Deployment>, Lost> {
        let Some(got) = self.last(&self.names.log, &self.names.deployment())? else { return Ok(None) };
        let line = String::from_utf8_lossy(&got.data).into_owned();
        let unreadable = |why: link::Disagreement| Lost::Engine {
            what: "the deployment's record in NATS".to_owned(),
            why: why.to_string(),
        };
        line.parse().map(Some).map_err(unreadable)
    }

    /// Nodes that renew their leases, by the names that they have there. One that died left its lease: it is watched for a term.
    pub fn living(&self) -> Result<Vec<String>, Lost> {
        let (before, names) = self.leases()?;
        if names.is_empty() {
            return Ok(names);
        }
        for _ in 0..LOOKS_A_TERM + 2 {
            let pause = self.term / LOOKS_A_TERM;
            self.runtime.block_on(async { tokio::time::sleep(pause).await });
            let (now, names) = self.leases()?;
            if now != before && !names.is_empty() {
                return Ok(names);
            }
        }
        Ok(Vec::new())
    }

    /// Whoever renews writes the document anew. Who has no shards serves nobody.
    fn leases(&self) -> Result<(u64, Vec<String>), Lost> {
        let Some(got) = self.last(&self.names.state, &self.names.leases())? else {
            return Ok((0, Vec::new()));
        };
        let document = Document::decode(&String::from_utf8_lossy(&got.data)).unwrap_or_default();
        let serving = document.held.iter().filter(|(_, lease)| lease.shards > 0);
        Ok((got.sequence, serving.map(|(by, _)| token_of(*by)).collect()))
    }

    /// Some rooms that were not told yet; none: that were all.
    pub fn rooms(&mut self) -> Result<Vec<Listed>, Lost> {
        while self.is_there && self.next < SLICES {
            let filter = self.names.logs_of_slice(Slice(self.next));
            let subjects = self.runtime.block_on(self.server.subjects(&self.names.log, &filter));
            let subjects = subjects.map_err(|fault| lost(&fault))?;
            self.next += 1;
            let rooms = subjects.iter().filter_map(|subject| self.names.room_of(subject));
            let listed: Result<Vec<Listed>, Lost> = rooms.map(|(room, _)| self.listed(room)).collect();
            let listed = listed?;
            if !listed.is_empty() {
                return Ok(listed);
            }
        }
        Ok(Vec::new())
    }

    fn listed(&self, name: RoomId) -> Result<Listed, Lost> {
        let said = self.last(&self.names.log, &self.names.log_of(&name))?;
        let settled = self.last(&self.names.state, &self.names.settled_of(&name))?;
        let known = Known {
            said: said.and_then(|got| Message::decode(got.data)).and_then(|message| message.due),
            settled: settled.and_then(|got| settlement(got.data)),
            ..Known::default()
        };
        Ok(Listed { due: known.due(), name })
    }
}

fn lost(fault: &Fault) -> Lost {
    Lost::Engine { what: "NATS cannot be asked".to_owned(), why: fault.words() }
}
