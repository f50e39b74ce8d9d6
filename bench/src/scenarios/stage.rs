//! A server with its crowd, and what both cost between two marks.

use std::time::Duration;

use anyhow::Result;
use nix::time::ClockId;
use nix::unistd::Pid;

use super::{Conditions, Scenario};
use crate::adapters::{Adapter, Travels};
use crate::crowd::{Crowd, Wait};
use crate::link;
use crate::machine;
use crate::opening;
use crate::outcome::{self, Behind, Figure, Generator, Outcome};
use crate::process::{Server, Usage};
use crate::stamp::Stamp;
use crate::tally::{Cast, Faults, Tally};

/// Joins under way at once where the joining itself is not measured.
const OPENING_AT_ONCE: usize = 64;
/// Longest wait for what is still on its way after a run.
const DRAIN_US_MAX: u64 = 3_000_000;

pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) crowd: Crowd,
    pub(super) tally: Tally,
    pub(super) cast: Cast,
    /// Messages sent, per author.
    pub(super) sent: Vec<u32>,
    identity: (&'static str, &'static str),
    realtime: bool,
    content: Vec<u8>,
    text: Vec<u8>,
    messages: u64,
}

#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) at_us: u64,
    pub(super) delivered: u64,
    usage: Usage,
    idle_us: u64,
    slept_us: u64,
    own_ns: u64,
    reads: u64,
}

/// What happened between two marks.
pub(super) struct Span {
    pub(super) seconds: f64,
    pub(super) cpu_us: f64,
    pub(super) switches: u64,
    pub(super) delivered: u64,
    pub(super) reads: u64,
    pub(super) own_us: f64,
    pub(super) generator: Generator,
}

impl Stage {
    /// A fresh server and an empty crowd.
    pub(super) fn set(adapter: &mut dyn Adapter, cast: Cast, realtime: bool) -> Result<Self> {
        let server = Server::start(adapter)?;
        Ok(Self {
            crowd: Crowd::new(adapter.dialect())?,
            tally: Tally::new(cast.clone()),
            sent: vec![0; cast.members.len()],
            identity: (adapter.name(), adapter.remark()),
            realtime,
            content: Vec::new(),
            text: Vec::new(),
            messages: 0,
            server,
            cast,
        })
    }

    /// Lets all members in; then both processes change their class, if they shall.
    pub(super) fn fill(&mut self, adapter: &dyn Adapter, conditions: &mut Conditions) -> Result<()> {
        self.fill_with(adapter, conditions, OPENING_AT_ONCE)?;
        self.settle(Duration::from_millis(300))?;
        if self.realtime {
            machine::set_realtime(self.server.pid(), true)?;
            machine::set_realtime(Pid::this(), true)?;
        }
        Ok(())
    }

    pub(super) fn fill_with(
        &mut self,
        adapter: &dyn Adapter,
        conditions: &mut Conditions,
        at_once: usize,
    ) -> Result<()> {
        let guests = opening::guests(adapter, self.server.port, &self.cast.rooms)?;
        let (crowd, tally) = (&mut self.crowd, &mut self.tally);
        let secrecy = (adapter.travels() == Travels::Sealed).then(link::secrecy).transpose()?;
        let to = (self.server.port, secrecy.as_ref());
        opening::open(crowd, tally, to, guests, at_once, &mut conditions.progress)
    }

    /// Takes what comes without sending anything.
    pub(super) fn settle(&mut self, time: Duration) -> Result<()> {
        let until_us = self.crowd.now_us() + time.as_micros() as u64;
        while self.crowd.now_us() < until_us {
            self.crowd.turn(Wait::Millis(10), &mut self.tally)?;
        }
        Ok(())
    }

    /// Queues an author's next message, meant to leave at `at_us`; returns the connection to flush.
    pub(super) fn publish(&mut self, adapter: &dyn Adapter, author: u32, at_us: u64, bytes: usize) -> u32 {
        let sequence = &mut self.sent[author as usize];
        Stamp { author, sequence: *sequence, at_us }.payload(bytes, &mut self.content);
        *sequence += 1;
        let member = self.cast.members[author as usize];
        self.text.clear();
        adapter.publish(self.cast.rooms[member as usize], self.messages, &self.content, &mut self.text);
        self.messages += 1;
        self.crowd.queue(member, &self.text);
        member
    }

    pub(super) fn faults(&self) -> Faults {
        self.tally.faults(&self.sent)
    }

    /// Waits until everything has come, or for as long as it is worth waiting.
    pub(super) fn drain(&mut self) -> Result<Faults> {
        let until_us = self.crowd.now_us() + DRAIN_US_MAX;
        let mut faults = self.faults();
        while faults.late > 0 && self.crowd.now_us() < until_us {
            let next_us = self.crowd.now_us() + 20_000;
            while self.crowd.now_us() < next_us {
                self.crowd.turn(Wait::Never, &mut self.tally)?;
            }
            faults = self.faults();
        }
        Ok(faults)
    }

    pub(super) fn mark(&self) -> Result<Mark> {
        let own = ClockId::CLOCK_THREAD_CPUTIME_ID.now()?;
        Ok(Mark {
            at_us: self.crowd.now_us(),
            delivered: self.tally.delivered(),
            usage: self.server.usage()?,
            idle_us: self.crowd.idle_us(),
            slept_us: self.crowd.slept_us(),
            own_ns: own.tv_sec() as u64 * 1_000_000_000 + own.tv_nsec() as u64,
            reads: self.crowd.heard.reads,
        })
    }

    pub(super) fn outcome(
        &self,
        scenario: &Scenario,
        figures: Vec<Figure>,
        generator: Generator,
        faults: Faults,
        behind: Behind,
    ) -> Outcome {
        let heard = &self.crowd.heard;
        Outcome {
            scenario: scenario.words(),
            server: self.identity.0,
            version: self.server.version.clone(),
            remark: self.identity.1,
            figures,
            generator,
            verdict: outcome::judge(faults, behind, heard.gone, generator),
            notes: outcome::notes_of(generator, &heard.complaints),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.realtime {
            // Leaves the generator in the class it has, which the next run sets anyway.
            let _ = machine::set_realtime(Pid::this(), false);
        }
    }
}

impl Span {
    pub(super) fn between(start: &Mark, end: &Mark) -> Self {
        let wall_us = (end.at_us - start.at_us).max(1) as f64;
        let own_us = (end.own_ns - start.own_ns) as f64 / 1e3;
        let slept_us = (end.slept_us - start.slept_us) as f64;
        Self {
            seconds: wall_us / 1e6,
            cpu_us: (end.usage.cpu_ns - start.usage.cpu_ns) as f64 / 1e3,
            switches: end.usage.switches.saturating_sub(start.usage.switches),
            delivered: end.delivered - start.delivered,
            reads: end.reads - start.reads,
            own_us,
            generator: Generator {
                busy: 1.0 - (end.idle_us - start.idle_us) as f64 / wall_us,
                own: ((own_us + slept_us) / wall_us).min(1.0),
            },
        }
    }

    pub(super) fn cpu_per_delivery(&self) -> f64 {
        self.cpu_us / self.delivered.max(1) as f64
    }

    pub(super) fn server_core(&self) -> f64 {
        self.cpu_us / 1e6 / self.seconds
    }

    pub(super) fn switches_per_thousand(&self) -> f64 {
        self.switches as f64 * 1e3 / self.delivered.max(1) as f64
    }
}
