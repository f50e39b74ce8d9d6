//! A game as frames tell it: the whole of it under the names that viewers' pages know, the raids one by one, the little that a list
//! shows. It decides nothing and counts nothing that the game has not counted.

use serde_json::{Map, Value, json};
use vocabulary::Wall;

use super::{Action, Game, Outcome};
use crate::kabaddi::{
    self, Award, Card, Choice, Phase, Place, Player, Raid, RaidLine, Reason, SelfOut, Side, Team,
};

/// Ten raid points in a match, five tackle points: badges that every code gives alike.
const SUPER_TEN: u16 = 10;
const HIGH_FIVE: u16 = 5;

fn time(at: i64) -> Value {
    Wall(at).to_string().into()
}

/// Everything but the raids, of which there are too many.
pub(crate) fn state(game: &Game) -> Map<String, Value> {
    let mut told = Map::new();
    for team in Team::BOTH {
        let (key, side) = (team.key(), game.side(team));
        told.insert(key.into(), told_side(game, side));
        let playing = side.ids(|player| player.place != Place::Bench);
        told.insert(format!("{key}PlayerIds"), playing.into());
        told.insert(format!("{key}CaptainId"), json!(side.captain));
        told.insert(format!("{key}ViceCaptainId"), json!(side.vice_captain));
    }
    let stats: Map<String, Value> = Team::BOTH
        .into_iter()
        .flat_map(|team| game.side(team).players.iter().map(move |player| (team, player)))
        .map(|(team, player)| (player.id.clone(), told_player(game.side(team), team, player)))
        .collect();
    told.insert("playerStats".into(), stats.into());
    let (winner, decision) = match game.toss {
        Some((winner, Choice::Raid)) => (Some(winner.key()), Some("raid")),
        Some((winner, Choice::Court)) => (Some(winner.key()), Some("court")),
        None => (None, None),
    };
    told.insert("tossWinner".into(), json!(winner));
    told.insert("tossDecision".into(), json!(decision));
    told.insert("firstRaidingTeam".into(), json!(game.first_raider().map(Team::key)));
    told.insert("lastScoreChangeAt".into(), json!(game.scored_at.map(|at| at.div_euclid(1000))));
    let awards = kabaddi::awards(game);
    let award = |award: Option<Award>| {
        award.map(|award| json!({"playerId": award.player_id, "name": award.name, "points": award.points}))
    };
    let awards = json!({"mvp": award(awards.mvp), "bestRaider": award(awards.best_raider),
        "bestDefender": award(awards.best_defender)});
    told.insert("awards".into(), awards);
    told.insert("pendingLobby".into(), Value::Null);
    told.insert("profile".into(), game.rules.name.clone().into());
    told.insert("knockout".into(), game.knockout.into());
    told.extend(standing(game));
    told
}

fn told_side(game: &Game, side: &Side) -> Value {
    let points = &side.points;
    let left = |max: u8, used: u8| max.saturating_sub(used);
    json!({
        "name": side.name, "score": side.score(), "onMat": side.on_mat(),
        "points": {"touch": points.touch, "bonus": points.bonus, "tackle": points.tackle,
            "allOut": points.all_out, "technical": points.technical},
        "superRaids": side.super_raids, "superTackles": side.super_tackles,
        "tiePoints": side.tie_points, "tieRaiderIds": side.tie_raiders, "tieRaids": side.tie_raids,
        "substitutionsLeft": left(game.rules.substitutions_max, side.substitutions),
        "timeOutsLeft": left(game.rules.time_outs, side.time_outs),
        "reviewsLeft": left(game.rules.reviews, side.reviews),
    })
}

fn status(place: Place) -> &'static str {
    match place {
        Place::Bench => "bench",
        Place::Mat => "in",
        Place::Out => "out",
        Place::Suspended { .. } => "suspended",
        Place::Expelled => "expelled",
    }
}

fn told_player(side: &Side, team: Team, player: &Player) -> Value {
    let done = &player.figures;
    let mut told = json!({
        "id": player.id, "name": player.name, "team": team.key(), "status": status(player.place),
        "raidPoints": done.raid_points(), "defencePoints": done.tackle_points,
        "totalPoints": done.total_points(), "superRaids": done.super_raids,
        "superTackles": done.super_tackles, "totalRaids": done.raids,
        "successfulRaids": done.successful_raids, "totalTackles": done.tackles,
        "successfulTackles": done.successful_tackles,
        "touchPoints": done.touch_points, "bonusPoints": done.bonus_points,
        "emptyRaids": done.empty_raids, "doOrDieRaids": done.do_or_die_raids, "outs": done.outs,
    });
    let cards = [("green", done.green_cards), ("yellow", done.yellow_cards), ("red", done.red_cards)];
    let cards: Map<String, Value> = cards
        .into_iter()
        .filter(|(_, many)| *many > 0)
        .map(|(card, many)| (card.into(), many.into()))
        .collect();
    if !cards.is_empty() {
        told["cards"] = cards.into();
    }
    if let Some(number) = player.number {
        told["number"] = number.into();
    }
    for (name, is) in [
        ("isCaptain", side.captain.as_ref() == Some(&player.id)),
        ("isViceCaptain", side.vice_captain.as_ref() == Some(&player.id)),
        ("superTen", done.raid_points() >= SUPER_TEN),
        ("highFive", done.tackle_points >= HIGH_FIVE),
    ] {
        if is {
            told[name] = true.into();
        }
    }
    if let Place::Suspended { until_ms, .. } = player.place {
        told["suspendedUntilMs"] = until_ms.into();
    }
    told
}

/// What changes with every action, and what to look out for in the next raid.
pub(crate) fn standing(game: &Game) -> Map<String, Value> {
    let both =
        |of: &dyn Fn(&Side) -> Value| json!({"teamA": of(&game.sides[0]), "teamB": of(&game.sides[1])});
    let raiding = game.raiding.filter(|_| game.ending.is_none());
    let on_mat = |player: &Player| player.place == Place::Mat;
    let queued = |side: &Side| side.queued().map(str::to_owned).collect::<Vec<String>>();
    let side = |team: Team| game.side(team);
    let defenders = raiding.map(|team| side(team.other()).on_mat());
    let told = json!({
        "score": both(&|side| side.score().into()),
        "raidNumber": game.raid_number,
        "raidingTeam": raiding.map(Team::key),
        "emptyRaidCounts": both(&|side| side.empty_raids.into()),
        "doOrDie": raiding.is_some_and(|team| side(team).empty_raids >= game.rules.empty_raids_max),
        "bonusOpen": defenders.is_some_and(|there| there >= game.rules.bonus_defenders_min),
        "superTackleOpen": defenders.is_some_and(|there| there <= game.rules.super_tackle_defenders_max),
        "mat": both(&|side| side.ids(on_mat).into()),
        "revival": both(&|side| queued(side).into()),
        "phase": game.phase_name(),
        "phaseSince": game.phase_at.map(time),
        "tieRaidsEach": game.raids_of_tie(),
        "clock": clock(game),
        "timeOut": game.time_out.as_ref().map(|out| {
            let ends_at = out.since + i64::from(game.rules.time_out_ms);
            json!({"team": out.team.map(Team::key), "since": time(out.since), "endsAt": time(ends_at)})
        }),
        "review": game.review.as_ref().map(|review| {
            json!({"team": review.team.key(), "raidNumber": review.raid_number, "status": "pending"})
        }),
        "result": result(game),
    });
    if let Value::Object(told) = told { told } else { Map::new() }
}

/// Where the clock is, for whoever runs it on by itself: what is left at `since`, or while it stands.
fn clock(game: &Game) -> Value {
    let clock = &game.clock;
    let cards = |cards: &[(String, Card)]| -> Vec<Value> {
        cards.iter().map(|(id, card)| json!({"playerId": id, "card": card})).collect()
    };
    let raid = game.raid.as_ref().map(|raid| {
        json!({"raiderId": raid.raider, "since": time(raid.since), "lengthMs": game.rules.raid_ms,
            "pausedAfterMs": raid.paused_after_ms(), "timeUp": raid.time_up, "cards": cards(&raid.cards)})
    });
    let next_by = game.raided_at.filter(|_| clock.is_running() && game.raid.is_none());
    json!({
        "running": clock.is_running(), "remainingMs": clock.marked_ms(),
        "since": clock.running_since().map(time), "raid": raid,
        "nextRaidBy": next_by.map(|at| time(at + i64::from(game.rules.next_raid_ms))),
    })
}

fn result(game: &Game) -> Option<Value> {
    let ending = game.ending?;
    let [a, b] = &game.sides;
    let by = if ending.reason == Reason::Forfeit {
        "forfeit"
    } else if ending.reason == Reason::Abandoned {
        "abandoned"
    } else if a.score() != b.score() {
        "score"
    } else if a.tie_points != b.tie_points {
        "tie_break"
    } else if game.toss_winner_of_tie.is_some() {
        "toss"
    } else {
        "tie"
    };
    Some(json!({"winner": ending.winner.map(Team::key), "reason": ending.reason, "by": by,
        "endedAt": time(ending.at)}))
}

/// What a list shows of a match.
pub(crate) fn summary(game: &Game) -> Value {
    let [a, b] = &game.sides;
    json!({"phase": game.phase_name(), "teamA": {"name": a.name, "score": a.score()},
        "teamB": {"name": b.name, "score": b.score()}, "result": result(game)})
}

fn result_of(raid: &Raid, line: &RaidLine) -> &'static str {
    let home = raid.tackler_ids.is_empty() && raid.raider_out.is_none();
    if raid.raider_out == Some(SelfOut::Lobby) {
        "lobbyTouch"
    } else if !home {
        "defenseSuccess"
    } else if line.failed_do_or_die {
        "doOrDieRaid"
    } else if line.is_empty {
        "emptyRaid"
    } else if raid.touched_ids.is_empty() && !raid.bonus {
        "lobbyTouch"
    } else {
        "raidSuccess"
    }
}

/// What the side has gained that the result is named for.
fn gained(raid: &Raid, line: &RaidLine, outcome: &Outcome) -> u16 {
    let away = !raid.tackler_ids.is_empty() || raid.raider_out.is_some() || line.failed_do_or_die;
    let team = if away { line.team.other() } else { line.team };
    let points = &outcome.points[team as usize];
    points.sum() - points.all_out + outcome.tie_points[team as usize]
}

fn defenders(raid: &Raid) -> &[String] {
    [&raid.touched_ids, &raid.tackler_ids]
        .into_iter()
        .find(|ids| !ids.is_empty())
        .map_or(&raid.self_out_ids, |ids| ids)
}

fn all_out_team(outcome: &Outcome) -> Option<&'static str> {
    Team::BOTH.into_iter().find(|&team| outcome.all_out[team as usize]).map(Team::key)
}

/// An entry of `raidLog`.
pub(crate) fn raid_line(number: u32, at: i64, action: &Action, outcome: &Outcome) -> Option<Value> {
    let (Action::Raid(raid), Some(line)) = (action, &outcome.raid) else { return None };
    let mut told = json!({
        "number": number, "raidNumber": line.number, "raidingTeam": line.team,
        "raiderId": raid.raider_id, "defenderIds": defenders(raid), "result": result_of(raid, line),
        "points": gained(raid, line, outcome), "bonusTaken": raid.bonus,
        "superRaid": line.super_raid, "superTackle": line.super_tackle, "doOrDie": line.do_or_die,
        "lobbyEvents": raid.self_out_ids, "at": time(at), "clockMs": outcome.clock_ms,
    });
    if let Some(way) = raid.raider_out {
        told["raiderOut"] = json!(way);
    }
    if matches!(line.phase, Phase::TieRaids | Phase::GoldenRaid) {
        told["tieBreak"] = true.into();
    }
    told_points(&mut told, outcome);
    Some(told)
}

fn told_points(told: &mut Value, outcome: &Outcome) {
    let sum = |team: Team| outcome.points[team as usize].sum() + outcome.tie_points[team as usize];
    if sum(Team::A) + sum(Team::B) > 0 {
        told["gained"] = json!({"teamA": sum(Team::A), "teamB": sum(Team::B)});
    }
    let [a, b] = &outcome.outs;
    if !a.is_empty() || !b.is_empty() {
        told["outIds"] = a.iter().chain(b).cloned().collect::<Vec<String>>().into();
    }
    let [a, b] = &outcome.back;
    if !a.is_empty() || !b.is_empty() {
        told["backIds"] = a.iter().chain(b).cloned().collect::<Vec<String>>().into();
    }
    if let Some(team) = all_out_team(outcome) {
        told["allOutTeam"] = team.into();
    }
}

/// What an action has come to: a raid as above, with `raidDetails` for pages that show the last one; of the others the points.
pub(crate) fn line(game: &Game, number: u32, at: i64, action: &Action, outcome: &Outcome) -> Value {
    let (Action::Raid(raid), Some(of)) = (action, &outcome.raid) else {
        let mut told = json!({"number": number, "at": time(at), "clockMs": outcome.clock_ms});
        told_points(&mut told, outcome);
        return told;
    };
    let named = |id: &String| {
        let player = Team::BOTH.into_iter().find_map(|team| game.side(team).player(id));
        player.map_or_else(|| id.clone(), |player| player.name.clone())
    };
    let names = |ids: &[String]| ids.iter().map(named).collect::<Vec<String>>();
    let raider_in_lobby = raid.raider_out == Some(SelfOut::Lobby);
    let details = json!({
        "type": result_of(raid, of), "raider": named(&raid.raider_id), "defenders": names(defenders(raid)),
        "pointsGained": gained(raid, of, outcome), "bonusTaken": raid.bonus, "superRaid": of.super_raid,
        "superTackle": of.super_tackle, "doOrDie": of.do_or_die,
        "allOut": outcome.all_out.contains(&true), "allOutTeam": all_out_team(outcome),
        "lobbyRaider": raider_in_lobby.then(|| named(&raid.raider_id)),
        "lobbyDefenders": names(&raid.self_out_ids),
    });
    let mut told = raid_line(number, at, action, outcome).unwrap_or_default();
    told["raidDetails"] = details;
    told
}

/// The players whom an action has something to do with, as they now are.
pub(crate) fn touched(game: &Game, action: &Action, outcome: &Outcome) -> Map<String, Value> {
    let mut ids: Vec<&String> =
        outcome.outs.iter().chain(&outcome.back).flatten().chain(&outcome.carded).collect();
    match action {
        Action::Raid(raid) => {
            ids.push(&raid.raider_id);
            ids.extend(raid.touched_ids.iter().chain(&raid.tackler_ids).chain(&raid.self_out_ids));
        }
        Action::Substitute { out_id, in_id, .. } => ids.extend([out_id, in_id]),
        Action::Card { player_id, .. } | Action::SuspensionOver { player_id } => ids.push(player_id),
        Action::LineUp { player_ids, .. } => ids.extend(player_ids),
        _ => {}
    }
    let told = |team: Team| {
        let side = game.side(team);
        side.players.iter().map(move |player| (player, told_player(side, team, player)))
    };
    let players = Team::BOTH.into_iter().flat_map(told);
    players
        .filter(|(player, _)| ids.contains(&&player.id))
        .map(|(player, told)| (player.id.clone(), told))
        .collect()
}
