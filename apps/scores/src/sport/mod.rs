//! The seam between a match room and the sport that is played in it, and the only place outside `kabaddi` that names it. A room
//! knows that there are actions, that a game plays them or says why not, what its clock says next, and how all of it is written.
//! A second sport makes these types enums with an arm for each, and nothing else in the crate changes.

mod reading;
mod starting;
mod telling;

use serde::{Deserialize, Serialize};

pub(crate) use crate::kabaddi::{Action, Alarm, Fault, Game, Outcome, Profile, TeamSheet, profiles};
pub(crate) use reading::action;
pub(crate) use starting::{changed_squad, first_setup, setup};
pub(crate) use telling::{line, raid_line, standing, state, summary, touched};

pub(crate) const NAME: &str = "kabaddi";

/// What officials may say of a game, and who but a scorer may say it.
pub(crate) const ACTIONS: &[(&str, By)] = &[
    ("line_up", By::Scorer),
    ("toss", By::Scorer),
    ("start_half", By::Timekeeper),
    ("end_half", By::Timekeeper),
    ("start_clock", By::Timekeeper),
    ("stop_clock", By::Timekeeper),
    ("set_clock", By::Timekeeper),
    ("start_raid", By::Timekeeper),
    ("raid", By::Scorer),
    ("lobby_touch", By::Scorer),
    ("technical", By::Umpire),
    ("substitute", By::Scorer),
    ("time_out", By::Timekeeper),
    ("end_time_out", By::Timekeeper),
    ("review", By::Umpire),
    ("decide_review", By::Umpire),
    ("card", By::Umpire),
    ("declare", By::Scorer),
    ("name_tie_raiders", By::Scorer),
    ("start_tie_break", By::Scorer),
    ("golden_raid", By::Scorer),
    ("decide_by_toss", By::Scorer),
    ("end_match", By::Scorer),
];

/// Whose word it is. A scorer may say all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Scorer,
    Timekeeper,
    Umpire,
}

/// What a game begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Setup {
    pub profile: Profile,
    /// A winner there must be.
    pub knockout: bool,
    pub teams: [TeamSheet; 2],
}

impl Setup {
    pub(crate) fn game(&self) -> Game {
        Game::new(self.profile.clone(), self.knockout, &self.teams)
    }
}

/// What the clock says, as an action of the log.
pub(crate) fn said_by_clock(alarm: Alarm) -> Action {
    match alarm {
        Alarm::Raid => Action::RaidTime,
        Alarm::Half => Action::HalfOver,
        Alarm::TimeOut => Action::TimeOutOver,
        Alarm::Suspension(player_id) => Action::SuspensionOver { player_id },
    }
}

/// It ends the game: nothing may be said before it that was not there.
pub(crate) fn is_end(action: &Action) -> bool {
    matches!(action, Action::EndMatch { .. })
}

/// It is numbered, and whoever says a number means this turn and no other.
pub(crate) fn is_numbered(action: &Action) -> bool {
    matches!(action, Action::Raid(_) | Action::StartRaid { .. })
}
