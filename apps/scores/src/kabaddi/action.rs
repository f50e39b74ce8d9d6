//! What officials and the clock say of a game. The same names in a log, on the wire and in a correction. It judges nothing.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Team {
    A,
    B,
}

impl Team {
    pub(crate) const BOTH: [Team; 2] = [Team::A, Team::B];

    pub(crate) fn other(self) -> Team {
        match self {
            Team::A => Team::B,
            Team::B => Team::A,
        }
    }

    /// As frames have named them ever since.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Team::A => "teamA",
            Team::B => "teamB",
        }
    }
}

/// What the winner of the toss takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Choice {
    Raid,
    Court,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Card {
    Green,
    Yellow,
    Red,
}

/// How a raider goes out without being caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SelfOut {
    Bounds,
    /// Into a lobby that no contact has made live.
    Lobby,
    /// Home without a touch, and without having crossed the baulk line.
    Baulk,
    Cant,
    Time,
}

/// Why a game ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    #[default]
    Completed,
    Abandoned,
    Forfeit,
}

/// A raid as it ended. Neither caught nor out by himself: the raider is home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Raid {
    pub raider_id: String,
    /// They are out if the raider gets home.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched_ids: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub bonus: bool,
    /// Who caught the raider: the first has the point, the others helped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tackler_ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raider_out: Option<SelfOut>,
    /// Defenders who stepped out by themselves, or into a dead lobby.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub self_out_ids: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum Action {
    LineUp {
        team: Team,
        player_ids: Vec<String>,
    },
    Toss {
        winner: Team,
        decision: Choice,
    },
    StartHalf,
    EndHalf,
    StartClock,
    StopClock {
        reason: String,
    },
    SetClock {
        remaining_ms: u32,
    },
    StartRaid {
        raider_id: Option<String>,
    },
    Raid(Raid),
    /// `turn_lost`: the opponent of `team` was to raid, and does not.
    Technical {
        team: Team,
        reason: String,
        turn_lost: bool,
    },
    Substitute {
        team: Team,
        out_id: String,
        in_id: String,
    },
    /// Without a team it is the officials'.
    TimeOut {
        team: Option<Team>,
    },
    EndTimeOut,
    Review {
        team: Team,
        raid_number: Option<u32>,
    },
    DecideReview {
        upheld: bool,
    },
    Card {
        player_id: String,
        card: Card,
    },
    Declare {
        team: Team,
    },
    NameTieRaiders {
        team: Team,
        player_ids: Vec<String>,
    },
    StartTieBreak,
    GoldenRaid {
        team: Team,
    },
    DecideByToss {
        winner: Team,
    },
    EndMatch {
        reason: Reason,
        winner: Option<Team>,
    },
    /// From here on: what the clock says by itself.
    RaidTime,
    HalfOver,
    TimeOutOver,
    SuspensionOver {
        player_id: String,
    },
}

fn is_false(truth: &bool) -> bool {
    !truth
}

impl Action {
    /// Nobody says these but the clock.
    pub(crate) fn is_of_clock(&self) -> bool {
        matches!(
            self,
            Action::RaidTime | Action::HalfOver | Action::TimeOutOver | Action::SuspensionOver { .. }
        )
    }
}
