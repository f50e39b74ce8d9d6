//! What must be true of every run, one property a file. Checkers see what clients ask and hear, and compare it with the
//! ledger; they never look into a node.

mod acked;
mod answers;
mod back;
pub(crate) mod calls;
mod contiguous;
mod converged;
mod damage;
mod drained;
mod erased;
mod flaps;
mod ghosts;
mod guards;
#[cfg(test)]
mod histories;
mod leave;
mod moments;
mod once;
mod order;
mod presence;
mod probe;
mod quiet;
mod sender;
mod states;

use std::fmt;
use std::time::Duration;

use vocabulary::Tick;

use crate::device::{Ask, Device};
use crate::expect::Expect;
use crate::heard::Heard;
use crate::ledger::Ledger;
use crate::play::BackEnds;
use crate::scenario::Scenario;
use crate::world::{BEGIN as START, World};

#[derive(Debug)]
pub(crate) enum Fact<'a> {
    Opened,
    /// The client's side of the connection is over.
    Closed,
    /// The same, and it was not the client's wish: with the close code it was told.
    Ended(Option<u16>),
    Asked(&'a Ask),
    Heard(&'a Heard),
}

#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub at: Tick,
    pub device: usize,
    pub fact: Fact<'a>,
}

/// A run as it stands when something was seen.
pub(crate) struct End<'a> {
    pub at: Tick,
    pub devices: &'a [Device],
    pub back_ends: &'a BackEnds,
    pub world: &'a World,
}

impl End<'_> {
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.world.engine.ledger
    }

    pub(crate) fn since_start(&self) -> Duration {
        self.at.since(START)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub property: &'static str,
    pub facts: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.facts)
    }
}

pub(crate) trait Checker {
    fn property(&self) -> &'static str;
    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String>;
    /// From now on something is to be stored that a moment of the scenario asks for.
    fn begins(&mut self, _expect: &Expect, _so_far: &End<'_>) {}
    /// A moment of the scenario is about to come.
    fn nears(&mut self, _expect: &Expect, _so_far: &End<'_>) {}
    /// It has come.
    fn comes(&mut self, _expect: &Expect, _so_far: &End<'_>) -> Result<(), String> {
        Ok(())
    }
    fn finish(&mut self, _end: &End<'_>) -> Result<(), String> {
        Ok(())
    }
}

pub(crate) struct Checkers(Vec<Box<dyn Checker>>);

impl Checkers {
    pub(crate) fn new(scenario: &Scenario) -> Checkers {
        Checkers(vec![
            Box::new(order::Order::default()),
            Box::new(contiguous::Contiguous::default()),
            Box::new(acked::Acked::default()),
            Box::new(once::Once),
            Box::new(leave::Leave::default()),
            Box::new(answers::Answers),
            Box::new(presence::Presence::new(scenario)),
            Box::new(converged::Converged),
            Box::new(probe::Probe::default()),
            Box::new(states::States::default()),
            Box::new(sender::Sender::default()),
            Box::new(guards::Guards),
            Box::new(damage::Damage),
            Box::new(calls::Calls),
            Box::new(erased::Erased),
            Box::new(quiet::Quiet::new(&scenario.expects)),
            Box::new(back::Back::new(&scenario.expects)),
            Box::new(moments::Moments::default()),
            Box::new(flaps::Flaps::new(&scenario.expects)),
            Box::new(ghosts::Ghosts::new(&scenario.expects)),
            Box::new(drained::Drained::new(&scenario.expects)),
        ])
    }

    pub(crate) fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), Violation> {
        self.each(|checker| checker.see(seen, so_far))
    }

    pub(crate) fn begins(&mut self, expect: &Expect, so_far: &End<'_>) {
        self.0.iter_mut().for_each(|checker| checker.begins(expect, so_far));
    }

    pub(crate) fn nears(&mut self, expect: &Expect, so_far: &End<'_>) {
        self.0.iter_mut().for_each(|checker| checker.nears(expect, so_far));
    }

    pub(crate) fn comes(&mut self, expect: &Expect, so_far: &End<'_>) -> Result<(), Violation> {
        self.each(|checker| checker.comes(expect, so_far))
    }

    pub(crate) fn finish(&mut self, end: &End<'_>) -> Result<(), Violation> {
        self.each(|checker| checker.finish(end))
    }

    fn each(
        &mut self,
        mut ask: impl FnMut(&mut Box<dyn Checker>) -> Result<(), String>,
    ) -> Result<(), Violation> {
        for checker in &mut self.0 {
            let property = checker.property();
            ask(checker).map_err(|facts| Violation { property, facts })?;
        }
        Ok(())
    }
}
