//! What a department knows of one session: where it stands in the queue, or whose it is and what it has been told of that.

use app::quoted;
use serde::{Deserialize, Serialize};
use vocabulary::Position;

use crate::wire::{Priority, place};

/// Two thousand of these are saved, so their fields have short names there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(rename = "f", with = "place")]
    pub from: Position,
    #[serde(rename = "o", with = "place")]
    pub as_of: Position,
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub priority: Priority,
    #[serde(rename = "s")]
    pub since: i64,
    #[serde(rename = "h", default, skip_serializing_if = "is_default")]
    pub head: bool,
    #[serde(rename = "w", default, skip_serializing_if = "is_default")]
    pub wished: Option<String>,
    #[serde(rename = "v", default, skip_serializing_if = "is_default")]
    pub avoid: Option<String>,
    #[serde(rename = "c")]
    pub customer_id: String,
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "t")]
    pub topic: String,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    pub stand: Stand,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stand {
    #[default]
    Waiting,
    #[serde(rename = "g")]
    Given {
        #[serde(rename = "a")]
        agent: String,
        #[serde(rename = "h")]
        how: String,
        #[serde(rename = "t")]
        at: i64,
        /// The record that gave it.
        #[serde(rename = "g", with = "place")]
        given: Position,
        /// What the session knows of it, or is being told.
        #[serde(rename = "l")]
        tells: Tells,
    },
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A session is told one thing after another: whose it is, then whether that agent is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tells {
    #[serde(rename = "w")]
    pub what: Word,
    /// Not answered yet: the record that opened the step, and which of its steps this is.
    #[serde(rename = "o")]
    pub open: Option<(PositionText, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Word {
    Assign,
    Lost,
    Back,
}

/// A position inside a tuple, which has no field to say how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PositionText(#[serde(with = "place")] pub Position);

impl Entry {
    pub(crate) fn agent(&self) -> Option<&str> {
        match &self.stand {
            Stand::Given { agent, .. } => Some(agent),
            Stand::Waiting => None,
        }
    }

    pub(crate) fn waits(&self) -> bool {
        self.stand == Stand::Waiting
    }

    /// What is in front: who was sent back, then who is urgent, then who came first.
    pub(crate) fn rank<'a>(&self, session: &'a str) -> (bool, std::cmp::Reverse<Priority>, i64, &'a str) {
        (!self.head, std::cmp::Reverse(self.priority), self.since, session)
    }

    /// What its texts take in a snapshot.
    pub(super) fn texts_bytes(&self) -> usize {
        let own = [&self.customer_id, &self.name, &self.topic];
        let texts = own.into_iter().map(Some).chain([self.wished.as_ref(), self.avoid.as_ref()]);
        texts.flatten().map(|text| quoted(text)).sum()
    }
}

impl Tells {
    /// The next word, once the one before is answered and if there is something to say.
    pub(super) fn go_on(&mut self, is_gone: bool, at: Position, number: u32) {
        let next = match (self.what, is_gone) {
            (Word::Assign | Word::Back, true) => Word::Lost,
            (Word::Lost, false) => Word::Back,
            _ => return,
        };
        if self.open.is_none() {
            (self.what, self.open) = (next, Some((PositionText(at), number)));
        }
    }
}
