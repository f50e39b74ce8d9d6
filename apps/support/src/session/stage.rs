//! What a session is just now: a state has what it may use, and nothing else.

use serde::{Deserialize, Serialize};

use crate::wire::Party;

/// ```text
///            started                    assigned
/// Unborn ──────────────▶ Waiting ◀─────────────────▶ Active
///    │                   ▲  │ ▲  requeued, transferred  │
///    │ a broker's        │  │ └─────────────────────────┤
///    │ message           │  └────────────┐ closed       │ closed
///    └─────────▶ Active  │ reopened      ▼              ▼
///                        └───────────────── Closed ◀────┘
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    #[default]
    Unborn,
    Waiting {
        /// In front of those who were not sent back.
        head: bool,
        /// The agent whom it was to go to.
        wished: Option<String>,
        /// The agent who handed it on: it does not come back to them by itself.
        avoid: Option<String>,
    },
    Active {
        /// None yet: a broker speaks here, and nobody was named.
        agent: Option<Party>,
        /// The agent has left, and nothing was owed to the customer then.
        away: bool,
    },
    Closed {
        at: i64,
        reason: String,
        by: String,
        /// Whose it was.
        agent: Option<Party>,
    },
}

/// Who is to speak next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Turn {
    #[default]
    Staff,
    Customer,
}
