//! The rules that codes differ in, as numbers. A match carries its own copy in its log, so that a later edition of a profile
//! changes no game that was played by an earlier one.

use serde::{Deserialize, Serialize};

/// How a knock-out game that is level at full time goes on; a golden raid and then a toss stand behind all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TieBreak {
    /// Raids by raiders who were named before, everybody on the mat, nobody out.
    Raids,
    ExtraTime,
    GoldenRaid,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    pub name: String,
    pub squad_max: u8,
    /// Players on the mat.
    pub mat: u8,
    pub halves: u8,
    /// 0: a half ends when somebody says so.
    pub half_ms: u32,
    pub interval_ms: u32,
    pub raid_ms: u32,
    /// Within which the next raid begins.
    pub next_raid_ms: u32,
    pub bonus_defenders_min: u8,
    pub super_tackle_defenders_max: u8,
    pub super_tackle_extra: u8,
    pub super_raid_points: u8,
    /// After so many empty raids in a row the next one is do-or-die.
    pub empty_raids_max: u8,
    pub all_out_points: u8,
    /// Whether an opponent's own way out brings one back.
    pub self_out_revives: bool,
    pub declare_players_max: u8,
    pub substitutions_max: u8,
    pub time_outs: u8,
    pub time_out_ms: u32,
    pub reviews: u8,
    /// A yellow card, in playing time.
    pub suspension_ms: u32,
    pub tie_break: TieBreak,
    pub tie_raids: u8,
    pub extra_half_ms: u32,
    pub extra_interval_ms: u32,
}

const SECOND_MS: u32 = 1000;
const MINUTE_MS: u32 = 60 * SECOND_MS;

/// The first is taken where none is named.
pub(crate) fn profiles() -> Vec<Profile> {
    let pkl = Profile {
        name: "pkl".into(),
        squad_max: 12,
        mat: 7,
        halves: 2,
        half_ms: 20 * MINUTE_MS,
        interval_ms: 5 * MINUTE_MS,
        raid_ms: 30 * SECOND_MS,
        next_raid_ms: 5 * SECOND_MS,
        bonus_defenders_min: 6,
        super_tackle_defenders_max: 3,
        super_tackle_extra: 1,
        super_raid_points: 3,
        empty_raids_max: 2,
        all_out_points: 2,
        self_out_revives: true,
        declare_players_max: 2,
        substitutions_max: 5,
        time_outs: 1,
        time_out_ms: 90 * SECOND_MS,
        reviews: 1,
        suspension_ms: 2 * MINUTE_MS,
        tie_break: TieBreak::Raids,
        tie_raids: 5,
        extra_half_ms: 3 * MINUTE_MS,
        extra_interval_ms: MINUTE_MS,
    };
    let akfi = Profile {
        name: "akfi".into(),
        time_outs: 2,
        time_out_ms: 30 * SECOND_MS,
        reviews: 0,
        tie_break: TieBreak::ExtraTime,
        ..pkl.clone()
    };
    let raidx = Profile {
        name: "raidx".into(),
        halves: 1,
        half_ms: 0,
        interval_ms: 0,
        tie_break: TieBreak::GoldenRaid,
        ..pkl.clone()
    };
    vec![pkl, akfi, raidx]
}
