//! Actions as payloads write them, in their own names and in those that scorers' pages have used before. What is wrong is named;
//! whether the rules allow an action is the game's affair.

use app::{Fields, wrong};
use serde_json::value::RawValue;
use vocabulary::{Code, Refusal};

use crate::kabaddi::{Action, Card, Choice, Raid, Reason, SelfOut, Team};

/// Of a player, however a federation counts them. A view names everybody several times.
const ID_BYTES_MAX: usize = 64;
/// A reason is a line on a sheet.
const REASON_CHARS_MAX: usize = 200;
/// Nobody names more than a squad, and a squad has 12 in every profile.
pub(super) const IDS_MAX: usize = 16;

pub(super) fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new(Code::InvalidPayload, text.into())
}

/// `Ok(None)`: no sport knows such an action.
pub(crate) fn action(kind: &str, fields: &Fields<'_>) -> Result<Option<Action>, Refusal> {
    Ok(Some(match kind {
        "line_up" => Action::LineUp { team: team(fields, "team")?, player_ids: ids(fields, "playerIds")? },
        "toss" => Action::Toss { winner: team(fields, "winner")?, decision: choice(fields, "decision")? },
        "start_half" => Action::StartHalf,
        "end_half" => Action::EndHalf,
        "start_clock" => Action::StartClock,
        "stop_clock" => Action::StopClock { reason: reason(fields)? },
        "set_clock" => {
            let remaining = fields.number("remainingMs", 0..=u64::from(u32::MAX))?;
            let remaining =
                remaining.ok_or_else(|| invalid("remainingMs is required: what is left of it"))?;
            Action::SetClock { remaining_ms: u32::try_from(remaining).unwrap_or(u32::MAX) }
        }
        "start_raid" => Action::StartRaid { raider_id: optional_id(fields, "raiderId")? },
        "raid" if fields.has("raidType") => Action::Raid(raid_by_type(fields)?),
        "raid" => Action::Raid(raid(fields)?),
        "lobby_touch" => Action::Raid(lobby_touch(fields)?),
        "technical" => Action::Technical {
            team: team(fields, "team")?,
            reason: reason(fields)?,
            turn_lost: fields.truth("turnLost")?.unwrap_or(false),
        },
        "substitute" => Action::Substitute {
            team: team(fields, "team")?,
            out_id: player_id(fields, "outId")?,
            in_id: player_id(fields, "inId")?,
        },
        "time_out" => Action::TimeOut { team: optional_team(fields, "team")? },
        "end_time_out" => Action::EndTimeOut,
        "review" => {
            let raid_number = fields.number("raidNumber", 1..=u64::from(u32::MAX))?;
            Action::Review {
                team: team(fields, "team")?,
                raid_number: raid_number.and_then(|number| u32::try_from(number).ok()),
            }
        }
        "decide_review" => {
            let upheld = fields.truth("upheld")?;
            Action::DecideReview {
                upheld: upheld.ok_or_else(|| invalid("upheld is required: true or false"))?,
            }
        }
        "card" => Action::Card {
            player_id: player_id(fields, "playerId")?,
            card: one_of(
                fields,
                "card",
                &[("green", Card::Green), ("yellow", Card::Yellow), ("red", Card::Red)],
            )?,
        },
        "declare" => Action::Declare { team: team(fields, "team")? },
        "name_tie_raiders" => {
            Action::NameTieRaiders { team: team(fields, "team")?, player_ids: ids(fields, "playerIds")? }
        }
        "start_tie_break" => Action::StartTieBreak,
        "golden_raid" => Action::GoldenRaid { team: team(fields, "team")? },
        "decide_by_toss" => Action::DecideByToss { winner: team(fields, "winner")? },
        "end_match" => Action::EndMatch { reason: ending(fields)?, winner: optional_team(fields, "winner")? },
        _ => return Ok(None),
    }))
}

fn ending(fields: &Fields<'_>) -> Result<Reason, Refusal> {
    let names =
        [("completed", Reason::Completed), ("abandoned", Reason::Abandoned), ("forfeit", Reason::Forfeit)];
    if fields.raw("reason").is_none() { Ok(Reason::Completed) } else { one_of(fields, "reason", &names) }
}

pub(super) fn one_of<T: Copy>(fields: &Fields<'_>, name: &str, of: &[(&str, T)]) -> Result<T, Refusal> {
    let names: Vec<&str> = of.iter().map(|(name, _)| *name).collect();
    let must = names.join(", ");
    let given = fields.required_text(name, &must)?;
    let found = of.iter().find(|(name, _)| *name == given);
    found.map(|(_, value)| *value).ok_or_else(|| wrong(name, &format!("one of {must}"), &given))
}

const TEAMS: &[(&str, Team)] = &[("A", Team::A), ("B", Team::B), ("teamA", Team::A), ("teamB", Team::B)];

pub(super) fn team(fields: &Fields<'_>, name: &str) -> Result<Team, Refusal> {
    one_of(fields, name, TEAMS)
}

pub(super) fn optional_team(fields: &Fields<'_>, name: &str) -> Result<Option<Team>, Refusal> {
    fields.raw(name).map(|_| team(fields, name)).transpose()
}

pub(super) fn choice(fields: &Fields<'_>, name: &str) -> Result<Choice, Refusal> {
    one_of(fields, name, &[("raid", Choice::Raid), ("court", Choice::Court), ("defend", Choice::Court)])
}

fn reason(fields: &Fields<'_>) -> Result<String, Refusal> {
    Ok(fields.short_text("reason", REASON_CHARS_MAX)?.unwrap_or_default().into_owned())
}

pub(crate) fn player_id(fields: &Fields<'_>, name: &str) -> Result<String, Refusal> {
    optional_id(fields, name)?.ok_or_else(|| invalid(format!("{name} is required: the id of a player")))
}

pub(super) fn optional_id(fields: &Fields<'_>, name: &str) -> Result<Option<String>, Refusal> {
    fields.text(name)?.map(|id| checked_id(name, &id)).transpose()
}

pub(super) fn checked_id(name: &str, id: &str) -> Result<String, Refusal> {
    if id.is_empty() || id.len() > ID_BYTES_MAX || id.chars().any(char::is_control) {
        let must = format!("1 to {ID_BYTES_MAX} bytes without control characters");
        return Err(wrong(name, &must, &format!("{id:?}")));
    }
    Ok(id.to_owned())
}

pub(super) fn ids(fields: &Fields<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    fields.list(name, IDS_MAX)?.into_iter().map(|item| of_text(name, item)).collect()
}

fn of_text(name: &str, item: &RawValue) -> Result<String, Refusal> {
    let id: String =
        serde_json::from_str(item.get()).map_err(|_| wrong(name, "a list of ids", item.get()))?;
    checked_id(name, &id)
}

fn raid(fields: &Fields<'_>) -> Result<Raid, Refusal> {
    let ways = [
        ("bounds", SelfOut::Bounds),
        ("lobby", SelfOut::Lobby),
        ("baulk", SelfOut::Baulk),
        ("cant", SelfOut::Cant),
        ("time", SelfOut::Time),
    ];
    let raider_out = fields.raw("raiderOut").map(|_| one_of(fields, "raiderOut", &ways)).transpose()?;
    Ok(Raid {
        raider_id: player_id(fields, "raiderId")?,
        touched_ids: ids(fields, "touchedIds")?,
        bonus: fields.truth("bonus")?.unwrap_or(false),
        tackler_ids: ids(fields, "tacklerIds")?,
        raider_out,
        self_out_ids: ids(fields, "selfOutIds")?,
    })
}

/// `successful`, `defense` or `empty`. Counters of empty raids and the raiding team are nobody's to say and are not read.
fn raid_by_type(fields: &Fields<'_>) -> Result<Raid, Refusal> {
    let raider_id = player_id(fields, "raiderId")?;
    let defenders = ids(fields, "defenderIds")?;
    let bonus = fields.truth("bonusTaken")?.unwrap_or(false);
    let of = Raid { raider_id, bonus, ..Raid::default() };
    match &*fields.required_text("raidType", "successful, defense or empty")? {
        "successful" if defenders.is_empty() && !bonus => {
            Err(invalid("defenderIds must name whom the raider touched, or bonusTaken be true"))
        }
        "successful" => Ok(Raid { touched_ids: defenders, ..of }),
        "defense" if defenders.is_empty() => Err(invalid("defenderIds must name who caught the raider")),
        "defense" => Ok(Raid { tackler_ids: defenders, ..of }),
        "empty" if defenders.is_empty() => Ok(of),
        "empty" => Err(invalid("defenderIds must be empty in an empty raid")),
        other => Err(wrong("raidType", "successful, defense or empty", other)),
    }
}

/// Somebody stepped into a dead lobby, and with that the raid is over. Whose the point is, follows.
fn lobby_touch(fields: &Fields<'_>) -> Result<Raid, Refusal> {
    let touched = player_id(fields, "touchedPlayerId")?;
    let is_raider = fields.truth("isRaider")?.unwrap_or(false);
    let raider_id = optional_id(fields, "raiderId")?;
    if is_raider {
        if raider_id.is_some_and(|raider| raider != touched) {
            return Err(invalid("raiderId must be touchedPlayerId where isRaider is true"));
        }
        return Ok(Raid { raider_id: touched, raider_out: Some(SelfOut::Lobby), ..Raid::default() });
    }
    let raider_id = raider_id.ok_or_else(|| invalid("raiderId is required: the id of a player"))?;
    let mut self_out_ids = ids(fields, "defenderIds")?;
    if !self_out_ids.contains(&touched) {
        self_out_ids.insert(0, touched);
    }
    Ok(Raid { raider_id, self_out_ids, ..Raid::default() })
}
