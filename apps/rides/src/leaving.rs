//! The square of the map that somebody was in last and is in no more, until that square has heard so: what it holds of them would end by
//! itself, but half a minute late. It knows one square, the newest; an older one that was not told in time forgets by itself.

use app::Step;
use serde::{Deserialize, Serialize};
use vocabulary::{Payload, Position, StepId};

use crate::area;
use crate::geo::Cell;
use crate::telling::Answered;
use crate::trip::LEFT;
use crate::wire::place;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Leaving(Option<Left>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Left {
    cell: String,
    #[serde(with = "place")]
    position: Position,
}

impl Leaving {
    /// `record` has brought them from the one square to the other; `None`: they are in none.
    pub(crate) fn moved(&mut self, from: Option<Cell>, to: Option<Cell>, record: Position) {
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.0 = Some(Left { cell: from.name(), position: record });
        }
        // Whoever is back has not left.
        self.0.take_if(|left| to.is_some_and(|to| to.name() == left.cell));
    }

    pub(crate) fn step(&self, app: &str) -> Option<Step> {
        let Left { cell, position } = self.0.as_ref()?;
        let room = area::room(app, cell);
        Some(Step {
            position: *position,
            number: LEFT,
            room,
            kind: area::LEFT.into(),
            payload: Payload::from_static(b"{}"),
        })
    }

    pub(crate) fn is(&self, step: &StepId) -> bool {
        step.number == LEFT && self.0.as_ref().is_some_and(|left| left.position == step.position)
    }

    pub(crate) fn settle(&mut self, answered: &Answered) {
        self.0.take_if(|left| answered.number == LEFT && left.position == answered.position);
    }
}
