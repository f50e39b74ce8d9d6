//! Of each match, what the other side's room has still to be told: one word at a time, the newest. It changes no match.

use std::collections::BTreeMap;

use app::Decision;
use serde::{Deserialize, Serialize};
use vocabulary::{Payload, Position, Refusal, StepId};

use crate::proposal::Proposal;
use crate::trip::SENT;
use crate::wire::{place, written};

/// Matches that the other sides have not answered about. Above it no new ones are begun: rooms answer within milliseconds, unless
/// they cannot.
pub(crate) const UNTOLD_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tell<W> {
    pub proposal: Proposal,
    pub word: W,
    #[serde(with = "place")]
    pub position: Position,
    pub number: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Telling<W>(BTreeMap<String, Tell<W>>);

/// The step that an answer was about, as a record that settles it says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answered {
    #[serde(with = "place")]
    pub position: Position,
    pub number: u32,
}

impl Answered {
    pub(crate) fn of(step: &StepId) -> Answered {
        Answered { position: step.position, number: step.number }
    }
}

/// Of what another room has heard or will not hear; what it could not hear is said again.
pub(crate) fn sent(step: &StepId, result: &Result<Payload, Refusal>) -> Decision {
    match result {
        Err(refusal) if !refusal.code.is_clients_fault() => Decision::nothing(),
        _ => Decision::record(SENT, written(&Answered::of(step))),
    }
}

impl<W> Default for Telling<W> {
    fn default() -> Telling<W> {
        Telling(BTreeMap::new())
    }
}

impl<W> Telling<W> {
    pub(crate) fn say(&mut self, position: Position, proposal: &Proposal, word: W) {
        let of_record = self.0.values().filter(|tell| tell.position == position);
        let number = of_record.map(|tell| tell.number + 1).max().unwrap_or(0);
        let tell = Tell { proposal: proposal.clone(), word, position, number };
        self.0.insert(tell.proposal.match_id.clone(), tell);
    }

    pub(crate) fn settle(&mut self, answered: &Answered) {
        self.0.retain(|_, tell| (tell.position, tell.number) != (answered.position, answered.number));
    }

    pub(crate) fn find(&self, step: &StepId) -> Option<&Tell<W>> {
        self.0.values().find(|tell| (tell.position, tell.number) == (step.position, step.number))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tell<W>> {
        self.0.values()
    }

    pub(crate) fn room(&self) -> usize {
        UNTOLD_MAX.saturating_sub(self.0.len())
    }
}
