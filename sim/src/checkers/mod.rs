//! What must be true of every run, one property a file. Checkers see what clients ask and hear, and compare it with the
//! ledger; they never look into a node.

mod acked;
mod answers;
mod contiguous;
mod converged;
mod leave;
mod once;
mod order;
mod presence;
mod probe;

use std::fmt;

use vocabulary::Tick;

use crate::device::{Ask, Device};
use crate::heard::Heard;
use crate::ledger::Ledger;
use crate::scenario::Scenario;
use crate::world::World;

#[derive(Debug)]
pub(crate) enum Fact<'a> {
    Opened,
    /// The client's side of the connection is over.
    Closed,
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
    pub world: &'a World,
}

impl End<'_> {
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.world.engine.ledger
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
        ])
    }

    pub(crate) fn see(
        &mut self,
        seen: &Seen<'_>,
        devices: &[Device],
        world: &World,
    ) -> Result<(), Violation> {
        let so_far = End { at: seen.at, devices, world };
        for checker in &mut self.0 {
            let property = checker.property();
            checker.see(seen, &so_far).map_err(|facts| Violation { property, facts })?;
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self, end: &End<'_>) -> Result<(), Violation> {
        for checker in &mut self.0 {
            let property = checker.property();
            checker.finish(end).map_err(|facts| Violation { property, facts })?;
        }
        Ok(())
    }
}
