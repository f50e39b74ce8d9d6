//! What a match's log holds. It folds nothing.

use serde::{Deserialize, Serialize};

use crate::sport::{Action, Setup, TeamSheet};
use crate::standing::Official;
use crate::wire::Party;

pub(crate) const CREATED: &str = "created";
pub(crate) const SQUAD_SET: &str = "squad_set";
pub(crate) const OFFICIALS_SET: &str = "officials_set";
pub(crate) const ACTION: &str = "action";
pub(crate) const AMENDED: &str = "amended";
/// The list has heard of it.
pub(crate) const TOLD: &str = "told";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created {
    pub title: String,
    /// Whose fixture it is: an organizer's own name for an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    pub public: bool,
    pub setup: Setup,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SquadSet {
    /// 0 or 1.
    pub team: usize,
    pub sheet: TeamSheet,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OfficialsSet {
    pub officials: Vec<Official>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Acted {
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_id: Option<String>,
    /// The back end that said it; a person is the record's author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
}

/// What became of an action that had been recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Change {
    Undo,
    Redo,
    Correct { action: Action },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Amended {
    pub number: u32,
    pub change: Change,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Told {
    pub position: String,
}
