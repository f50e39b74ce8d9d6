//! What a match begins with, as payloads write it: teams and rules, or the initial state of a scorer's page, of which line-ups and
//! toss are taken and points are not.

use std::borrow::Cow;

use app::{Fields, wrong};
use serde_json::value::RawValue;
use vocabulary::Refusal;

use super::reading::{self, checked_id, choice, ids, invalid, optional_id, optional_team};
use super::{Action, NAME, Profile, Setup, TeamSheet};
use crate::kabaddi::{Choice, PlayerSheet, Team};

const NAME_CHARS_MAX: usize = 60;
/// Longer halves than any code has, by far.
const HALF_MINUTES_MAX: u64 = 60;
const MINUTE_MS: u64 = 60_000;
/// A page knows both squads.
const STATS_MAX: usize = 64;

fn inner<'a>(name: &'static str, raw: &'a RawValue) -> Result<Fields<'a>, Refusal> {
    if raw.get().starts_with('"') {
        return Err(wrong(name, "an object", raw.get()));
    }
    Fields::of_item(name, "id", raw)
}

fn required<'a>(fields: &Fields<'a>, name: &'static str) -> Result<Fields<'a>, Refusal> {
    let raw = fields.raw(name).ok_or_else(|| invalid(format!("{name} is required: an object")))?;
    inner(name, raw)
}

fn name(fields: &Fields<'_>, field: &str) -> Result<Option<String>, Refusal> {
    let text = fields.short_text(field, NAME_CHARS_MAX)?.map(|text| text.trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()))
}

fn profile(fields: &Fields<'_>, known: &[Profile]) -> Result<Profile, Refusal> {
    let sport = fields.text("sport")?.unwrap_or(Cow::Borrowed(NAME));
    if sport != NAME {
        return Err(wrong("sport", NAME, &sport));
    }
    let named = fields.text("profile")?;
    let found = match &named {
        Some(named) => known.iter().find(|profile| profile.name == **named),
        None => known.first(),
    };
    let names: Vec<&str> = known.iter().map(|profile| profile.name.as_str()).collect();
    let must = format!("one of {}", names.join(", "));
    let mut profile =
        found.cloned().ok_or_else(|| wrong("profile", &must, named.as_deref().unwrap_or("")))?;
    if let Some(minutes) = fields.number("halfMinutes", 1..=HALF_MINUTES_MAX)? {
        profile.half_ms = u32::try_from(minutes * MINUTE_MS).unwrap_or(u32::MAX);
    }
    Ok(profile)
}

pub(crate) fn setup(fields: &Fields<'_>, known: &[Profile]) -> Result<Setup, Refusal> {
    let profile = profile(fields, known)?;
    let teams = [
        squad(&required(fields, "teamA")?, &profile, Team::A)?,
        squad(&required(fields, "teamB")?, &profile, Team::B)?,
    ];
    apart(&teams)?;
    Ok(Setup { profile, knockout: fields.truth("knockout")?.unwrap_or(false), teams })
}

/// Of one team.
pub(crate) fn squad(fields: &Fields<'_>, profile: &Profile, team: Team) -> Result<TeamSheet, Refusal> {
    let of = team.key();
    let players = fields.list("players", usize::from(profile.squad_max))?;
    let players: Vec<PlayerSheet> = players.into_iter().map(player).collect::<Result<_, Refusal>>()?;
    let sheet = TeamSheet {
        name: name(fields, "name")?.ok_or_else(|| invalid(format!("{of}: name is required")))?,
        players,
        captain_id: optional_id(fields, "captainId")?,
        vice_captain_id: optional_id(fields, "viceCaptainId")?,
    };
    whole(sheet, profile, of)
}

fn whole(sheet: TeamSheet, profile: &Profile, of: &str) -> Result<TeamSheet, Refusal> {
    let (least, most, many) = (usize::from(profile.mat), usize::from(profile.squad_max), sheet.players.len());
    if !(least..=most).contains(&many) {
        return Err(invalid(format!("{of}: a squad has {least} to {most} players, got {many}")));
    }
    let known = |id: &String| sheet.players.iter().any(|player| player.id == *id);
    if let Some(id) = sheet.captain_id.iter().chain(&sheet.vice_captain_id).find(|id| !known(id)) {
        return Err(invalid(format!("{of}: {id} is not among its players")));
    }
    Ok(sheet)
}

/// A player is one player, of one team.
pub(super) fn apart(teams: &[TeamSheet; 2]) -> Result<(), Refusal> {
    let mut seen = std::collections::BTreeSet::new();
    let twice = teams.iter().flat_map(|team| &team.players).find(|player| !seen.insert(&player.id));
    twice.map_or(Ok(()), |player| Err(invalid(format!("player {} stands twice in the squads", player.id))))
}

fn player(item: &RawValue) -> Result<PlayerSheet, Refusal> {
    let fields = Fields::of_item("players", "id", item)?;
    let id = reading::player_id(&fields, "id")?;
    let number = fields.number("number", 0..=99)?.and_then(|number| u8::try_from(number).ok());
    Ok(PlayerSheet { name: name(&fields, "name")?.unwrap_or_else(|| id.clone()), number, id })
}

/// The state that a scorer's page begins with. Points are not taken from a client, and a page that has some is refused.
pub(crate) fn first_setup(fields: &Fields<'_>, known: &[Profile]) -> Result<(Setup, Vec<Action>), Refusal> {
    let profile = profile(fields, known)?;
    if fields.number("raidNumber", 0..=u64::from(u32::MAX))?.is_some_and(|number| number > 1) {
        return Err(invalid("raidNumber must be 1: a match begins at its first raid"));
    }
    let stats = stats(fields)?;
    let mut teams = Vec::new();
    let mut actions = Vec::new();
    for team in Team::BOTH {
        let (sheet, first) = paged(fields, &stats, &profile, team)?;
        teams.push(sheet);
        actions.push(Action::LineUp { team, player_ids: first });
    }
    let teams: [TeamSheet; 2] = teams.try_into().map_err(|_| invalid("teamA and teamB are required"))?;
    apart(&teams)?;
    let winner = optional_team(fields, "tossWinner")?;
    if let Some(winner) = winner {
        let decision = choice(fields, "tossDecision")?;
        let first = if decision == Choice::Raid { winner } else { winner.other() };
        if optional_team(fields, "firstRaidingTeam")?.is_some_and(|named| named != first) {
            return Err(invalid("firstRaidingTeam must follow from tossWinner and tossDecision"));
        }
        actions.push(Action::Toss { winner, decision });
    }
    Ok((Setup { profile, knockout: fields.truth("knockout")?.unwrap_or(false), teams }, actions))
}

/// Names of players, and whether one is to begin.
fn stats<'a>(fields: &Fields<'a>) -> Result<Vec<(String, Option<String>, bool)>, Refusal> {
    let Some(raw) = fields.raw("playerStats") else { return Ok(Vec::new()) };
    let all = inner("playerStats", raw)?;
    if all.iter().count() > STATS_MAX {
        return Err(invalid(format!("playerStats has at most {STATS_MAX} players")));
    }
    let one = |(id, raw): (&str, &'a RawValue)| {
        let player = inner("playerStats", raw)?;
        if player.number("totalPoints", 0..=u64::MAX)?.is_some_and(|points| points > 0) {
            return Err(invalid(format!("playerStats of {id} must have no points: they come of the log")));
        }
        let begins = player.text("status")?.is_none_or(|status| status == "in");
        Ok((checked_id("playerStats", id)?, name(&player, "name")?, begins))
    };
    all.iter().map(one).collect()
}

/// One side of such a state: its squad, and who begins.
fn paged(
    fields: &Fields<'_>,
    stats: &[(String, Option<String>, bool)],
    profile: &Profile,
    team: Team,
) -> Result<(TeamSheet, Vec<String>), Refusal> {
    let of = team.key();
    let (side, list, captain, vice) = match team {
        Team::A => ("teamA", "teamAPlayerIds", "teamACaptainId", "teamAViceCaptainId"),
        Team::B => ("teamB", "teamBPlayerIds", "teamBCaptainId", "teamBViceCaptainId"),
    };
    let side = required(fields, side)?;
    if side.number("score", 0..=u64::from(u32::MAX))?.is_some_and(|score| score > 0) {
        return Err(invalid(format!("{of}.score must be 0: points come of the log")));
    }
    let known = |id: &str| stats.iter().find(|(known, ..)| known == id);
    let ids = ids(fields, list)?;
    let begin = ids.iter().filter(|id| known(id).is_none_or(|(_, _, begins)| *begins));
    let first: Vec<String> = begin.take(usize::from(profile.mat)).cloned().collect();
    let players = ids.into_iter().map(|id| {
        let name = known(&id).and_then(|(_, name, _)| name.clone()).unwrap_or_else(|| id.clone());
        PlayerSheet { id, name, number: None }
    });
    // A page that has no captain yet says so by an empty text.
    let named = |field: &str| match fields.text(field)? {
        Some(id) if !id.is_empty() => checked_id(field, &id).map(Some),
        _ => Ok(None),
    };
    let sheet = TeamSheet {
        name: name(&side, "name")?.ok_or_else(|| invalid(format!("{of}.name is required")))?,
        players: players.collect(),
        captain_id: named(captain)?,
        vice_captain_id: named(vice)?,
    };
    Ok((whole(sheet, profile, of)?, first))
}

/// A squad in the place of another: which team's, and both as they then are.
pub(crate) fn changed_squad(
    setup: &Setup,
    fields: &Fields<'_>,
) -> Result<(usize, TeamSheet, [TeamSheet; 2]), Refusal> {
    let team = reading::team(fields, "team")?;
    let sheet = squad(fields, &setup.profile, team)?;
    let mut teams = setup.teams.clone();
    teams[team as usize] = sheet.clone();
    apart(&teams)?;
    Ok((team as usize, sheet, teams))
}
