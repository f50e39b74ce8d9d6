//! Who somebody is at a match: by their token, and by what its organizer has made of them there. It knows no patterns of rooms.

use serde::{Deserialize, Serialize};
use vocabulary::{Caller, Code, Refusal, RoomId};

/// What an organizer gives to somebody at one match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Office {
    Scorer,
    Timekeeper,
    Umpire,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Official {
    pub user_id: String,
    #[serde(rename = "role")]
    pub office: Office,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Viewer,
    Official(Office),
    /// Also an admin and a back end.
    Organizer,
}

pub(crate) fn forbidden(text: impl Into<String>) -> Refusal {
    Refusal::new(Code::Forbidden, text.into())
}

impl Part {
    /// Where an organizer has named officials, a scorer's token alone is not enough.
    pub(crate) fn of(caller: &Caller, officials: &[Official]) -> Part {
        let Some(user) = caller.user() else { return Part::Organizer };
        let named = officials.iter().find(|official| official.user_id == user.person.id.as_str());
        match (user.role.as_deref(), named) {
            (Some("organizer" | "admin"), _) => Part::Organizer,
            (Some("scorer"), Some(official)) => Part::Official(official.office),
            (Some("scorer"), None) if officials.is_empty() => Part::Official(Office::Scorer),
            _ => Part::Viewer,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Viewer => "viewer",
            Part::Official(Office::Scorer) => "scorer",
            Part::Official(Office::Timekeeper) => "timekeeper",
            Part::Official(Office::Umpire) => "umpire",
            Part::Organizer => "organizer",
        }
    }

    pub(crate) fn may_score(self) -> bool {
        matches!(self, Part::Organizer | Part::Official(Office::Scorer))
    }
}

/// A token that names this very room opens it, public or not. One for all rooms of a kind was not made for this one.
pub(crate) fn is_invited(caller: &Caller, room: &RoomId) -> bool {
    let names = |named: &str| named == room.as_str() || named == room.name();
    let rooms = |rooms: &[std::sync::Arc<str>]| rooms.iter().any(|named| names(named));
    caller.user().is_none_or(|user| user.rooms.as_deref().is_some_and(rooms))
}
