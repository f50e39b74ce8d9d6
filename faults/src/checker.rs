//! The judgement: a function of a history. One property a function, each with the sentence that it holds. It knows nothing
//! of processes, sockets or time, and never looks into a server.

mod acks;
mod logs;
#[cfg(test)]
mod mutants;
mod received;
mod senders;

use std::fmt;

use crate::history::History;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    AckedIsStored,
    AckIsAtItsPlace,
    StoredOnce,
    OffsetsAreDense,
    StoredWasSent,
    SendersOrder,
    ReceivedIsStored,
    ReceivedIsContiguous,
    ToldInTheEnd,
}

impl Property {
    pub const ALL: [Property; 9] = [
        Property::AckedIsStored,
        Property::AckIsAtItsPlace,
        Property::StoredOnce,
        Property::OffsetsAreDense,
        Property::StoredWasSent,
        Property::SendersOrder,
        Property::ReceivedIsStored,
        Property::ReceivedIsContiguous,
        Property::ToldInTheEnd,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Property::AckedIsStored => "what was acknowledged is in the log",
            Property::AckIsAtItsPlace => "an acknowledgement names the place that the log has",
            Property::StoredOnce => "an id is stored once",
            Property::OffsetsAreDense => "offsets are dense",
            Property::StoredWasSent => "the log holds only what somebody sent",
            Property::SendersOrder => "a sender's messages keep their order",
            Property::ReceivedIsStored => "what was received is what the log has there",
            Property::ReceivedIsContiguous => "a client receives a contiguous slice, nothing twice",
            Property::ToldInTheEnd => "who is there in the end has heard everything",
        }
    }

    fn broken(self, history: &History, found: &mut Vec<String>) {
        match self {
            Property::AckedIsStored => acks::stored(history, found),
            Property::AckIsAtItsPlace => acks::at_their_place(history, found),
            Property::StoredOnce => logs::once(history, found),
            Property::OffsetsAreDense => logs::dense(history, found),
            Property::StoredWasSent => logs::sent(history, found),
            Property::SendersOrder => senders::order(history, found),
            Property::ReceivedIsStored => received::stored(history, found),
            Property::ReceivedIsContiguous => received::contiguous(history, found),
            Property::ToldInTheEnd => received::told(history, found),
        }
    }
}

/// A property that does not hold: how often, and the first few times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub property: Property,
    pub times: usize,
    pub facts: Vec<String>,
}

/// Told of each property; more of the same says nothing new.
const FACTS_MAX: usize = 3;

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not so that {}: {} times; {}", self.property.words(), self.times, self.facts.join("; "))
    }
}

pub fn judge(history: &History) -> Vec<Violation> {
    let broken = |property: Property| {
        let mut facts = Vec::new();
        property.broken(history, &mut facts);
        let times = facts.len();
        facts.truncate(FACTS_MAX);
        (times > 0).then_some(Violation { property, times, facts })
    };
    Property::ALL.into_iter().filter_map(broken).collect()
}
