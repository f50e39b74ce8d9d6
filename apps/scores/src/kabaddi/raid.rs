//! What a raid makes of a game: points, who goes out, who comes back. The one place where touches, bonuses and tackles are worth
//! something. Points that follow for an empty mat are the game's.

use super::action::{Card, Raid, SelfOut, Team};
use super::game::{Fault, Game, Outcome, Phase, fault, once_each};
use super::mat::Place;

/// A raid that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RaidOn {
    pub raider: Option<String>,
    /// Of its clock. What ran before a pause is taken off it.
    pub since: i64,
    paused_at: Option<i64>,
    pub time_up: bool,
    /// Those that keep somebody off the mat, once it has ended: its result names whom it met.
    pub cards: Vec<(String, Card)>,
}

impl RaidOn {
    pub(super) fn pauses(&mut self, at: i64) {
        self.paused_at.get_or_insert(at);
    }

    pub(super) fn goes_on(&mut self, at: i64) {
        if let Some(paused_at) = self.paused_at.take() {
            self.since += at - paused_at;
        }
    }

    /// How long it had been on when it was halted, if it is.
    pub(crate) fn paused_after_ms(&self) -> Option<i64> {
        self.paused_at.map(|at| at - self.since)
    }
}

/// A raid as the log shows it; its points are the outcome's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RaidLine {
    pub number: u32,
    pub team: Team,
    pub phase: Phase,
    pub do_or_die: bool,
    pub is_empty: bool,
    pub super_raid: bool,
    pub super_tackle: bool,
    /// Neither caught nor out by himself, and out all the same.
    pub failed_do_or_die: bool,
}

/// A raid whose players are known, each by their place in their squad.
struct Judged {
    team: Team,
    raider: usize,
    touched: Vec<usize>,
    tacklers: Vec<usize>,
    self_outs: Vec<usize>,
    bonus: bool,
    raider_out: Option<SelfOut>,
    defenders: u8,
}

impl Game {
    /// Begins a half that nobody has begun, and says whose raid it is.
    fn next_to_raid(&mut self, at: i64) -> Result<Team, Fault> {
        match self.phase {
            Phase::Ready | Phase::HalfTime | Phase::ExtraPause => self.begin_half(at)?,
            Phase::Setup => return fault("the match has not begun: both line-ups and the toss come first"),
            phase if phase.is_timed() || phase.is_tie() => {}
            _ => return fault(format!("no raid is to be made now: the match is at {}", self.phase_name())),
        }
        self.none_in_review()?;
        self.raiding.ok_or_else(|| Fault("nobody is to raid".into()))
    }

    /// A raid starts the clock again.
    fn play_on(&mut self, at: i64) {
        self.time_out = None;
        if self.phase.is_timed() {
            self.clock.start(at);
        }
    }

    pub(super) fn start_raid(&mut self, at: i64, raider: Option<&str>) -> Result<(), Fault> {
        if self.raid.is_some() {
            return fault("a raid is on: its result comes first");
        }
        let team = self.next_to_raid(at)?;
        if let Some(id) = raider {
            self.on_mat(team, id)?;
        }
        self.play_on(at);
        let raider = raider.map(str::to_owned);
        self.raid = Some(RaidOn { raider, since: at, paused_at: None, time_up: false, cards: Vec::new() });
        Ok(())
    }

    fn on_mat(&self, team: Team, id: &str) -> Result<usize, Fault> {
        let side = self.side(team);
        match side.index(id) {
            Some(index) if side.players[index].place == Place::Mat => Ok(index),
            Some(_) => fault(format!("{id} is not on the mat")),
            None => fault(format!("{id} is not in the squad of team {team:?}")),
        }
    }

    fn all_on_mat(&self, team: Team, ids: &[String]) -> Result<Vec<usize>, Fault> {
        once_each(ids)?;
        ids.iter().map(|id| self.on_mat(team, id)).collect()
    }

    fn judge(&self, team: Team, raid: &Raid) -> Result<Judged, Fault> {
        let defence = team.other();
        if self.side(defence).player(&raid.raider_id).is_some() {
            return fault(format!("it is team {team:?}'s raid: {} is of the other side", raid.raider_id));
        }
        let judged = Judged {
            team,
            raider: self.on_mat(team, &raid.raider_id)?,
            touched: self.all_on_mat(defence, &raid.touched_ids)?,
            tacklers: self.all_on_mat(defence, &raid.tackler_ids)?,
            self_outs: self.all_on_mat(defence, &raid.self_out_ids)?,
            bonus: raid.bonus,
            raider_out: raid.raider_out,
            defenders: self.side(defence).on_mat(),
        };
        let caught = !judged.tacklers.is_empty();
        if caught && judged.raider_out.is_some() {
            return fault("a raider is caught, or goes out by himself: not both");
        }
        if (caught || judged.raider_out.is_some()) && !judged.touched.is_empty() {
            return fault("touches count when the raider gets home, and this one does not");
        }
        let falls_out = |index: &usize| judged.self_outs.contains(index);
        if judged.touched.iter().chain(&judged.tacklers).any(falls_out) {
            return fault("a defender who steps out is neither touched nor a tackler");
        }
        let (least, there) = (self.rules.bonus_defenders_min, judged.defenders);
        if judged.bonus && there < least && !self.phase.is_tie() {
            return fault(format!("a bonus needs {least} defenders on the mat, there are {there}"));
        }
        Ok(judged)
    }

    /// The result of a raid.
    pub(super) fn raided(&mut self, at: i64, raid: &Raid) -> Result<Outcome, Fault> {
        // It may be that of the raid that was on when the time was up.
        if matches!(self.phase, Phase::HalfTime | Phase::ExtraPause) && self.clock.is_timed() {
            return fault(
                "the half is over: start_half or start_raid begins the next one, set_clock takes this one back",
            );
        }
        let team = self.next_to_raid(at)?;
        let judged = self.judge(team, raid)?;
        // A raid that was begun has started the clock then; who stopped it since had a reason.
        let ended = self.raid.take();
        if ended.is_none() {
            self.play_on(at);
        }
        let mut outcome = match self.phase.is_tie() {
            true => self.tie_raid(&judged, raid)?,
            false => self.score(&judged),
        };
        outcome.carded = self.cards_of(at, ended);
        self.raided_at = Some(at);
        self.raid_number += 1;
        if self.phase.is_timed() {
            self.raiding = Some(team.other());
        }
        Ok(outcome)
    }

    fn score(&mut self, raid: &Judged) -> Outcome {
        let (team, defence) = (raid.team, raid.team.other());
        let mut outcome = Outcome::default();
        let caught = !raid.tacklers.is_empty();
        let do_or_die = self.side(team).empty_raids >= self.rules.empty_raids_max;
        let super_tackle = caught && raid.defenders <= self.rules.super_tackle_defenders_max;

        let ours = &mut outcome.points[team as usize];
        ours.touch = length(&raid.touched);
        ours.bonus = u16::from(raid.bonus);
        ours.technical = length(&raid.self_outs);
        let gained = ours.sum();
        let is_empty = gained == 0 && !caught && raid.raider_out.is_none();
        let failed = is_empty && do_or_die;

        let theirs = &mut outcome.points[defence as usize];
        if caught {
            theirs.tackle = 1 + if super_tackle { u16::from(self.rules.super_tackle_extra) } else { 0 };
        } else if raid.raider_out.is_some() || failed {
            theirs.technical = 1;
        }
        let super_raid = gained >= u16::from(self.rules.super_raid_points);

        // Who comes back was out before this raid; who goes out in it stands behind them.
        let by_self_outs = if self.rules.self_out_revives { raid.self_outs.len() } else { 0 };
        outcome.back[team as usize] = self.side_mut(team).revive(raid.touched.len() + by_self_outs);
        let revives = caught || failed || (raid.raider_out.is_some() && self.rules.self_out_revives);
        outcome.back[defence as usize] = self.side_mut(defence).revive(usize::from(revives));
        for &index in raid.touched.iter().chain(&raid.self_outs) {
            self.leaves(&mut outcome, defence, index);
        }
        if caught || failed || raid.raider_out.is_some() {
            self.leaves(&mut outcome, team, raid.raider);
        }

        let side = self.side_mut(team);
        side.empty_raids = if is_empty && !failed { side.empty_raids + 1 } else { 0 };
        side.super_raids += u16::from(super_raid);
        self.side_mut(defence).super_tackles += u16::from(super_tackle);
        outcome.raid = Some(RaidLine {
            number: self.raid_number,
            team,
            phase: self.phase,
            do_or_die,
            is_empty,
            super_raid,
            super_tackle,
            failed_do_or_die: failed,
        });
        self.count(raid, &outcome);
        outcome
    }

    fn leaves(&mut self, outcome: &mut Outcome, team: Team, index: usize) {
        self.side_mut(team).put_out(index);
        outcome.outs[team as usize].push(self.side(team).players[index].id.clone());
    }

    fn count(&mut self, raid: &Judged, outcome: &Outcome) {
        let Some(line) = &outcome.raid else { return };
        let raider = &mut self.sides[raid.team as usize].players[raid.raider].figures;
        raider.raids += 1;
        raider.touch_points += length(&raid.touched);
        raider.bonus_points += u16::from(raid.bonus);
        raider.successful_raids += u16::from(outcome.points[raid.team as usize].sum() > 0);
        raider.empty_raids += u16::from(line.is_empty);
        raider.do_or_die_raids += u16::from(line.do_or_die);
        raider.super_raids += u16::from(line.super_raid);
        let defence = &mut self.sides[raid.team.other() as usize];
        for (place, &index) in raid.tacklers.iter().enumerate() {
            let tackler = &mut defence.players[index].figures;
            tackler.tackles += 1;
            if place == 0 {
                tackler.successful_tackles += 1;
                tackler.tackle_points += outcome.points[raid.team.other() as usize].tackle;
                tackler.super_tackles += u16::from(line.super_tackle);
            }
        }
    }

    /// Everybody stays on the mat, and what is scored decides and is no score.
    fn tie_raid(&mut self, raid: &Judged, named: &Raid) -> Result<Outcome, Fault> {
        self.takes_tie_turn(raid.team, &named.raider_id)?;
        let mut outcome = Outcome::default();
        let home = raid.tacklers.is_empty() && raid.raider_out.is_none();
        let touched = if home { length(&raid.touched) } else { 0 };
        let gained = touched + u16::from(raid.bonus) + length(&raid.self_outs);
        outcome.tie_points[raid.team as usize] = gained;
        outcome.tie_points[raid.team.other() as usize] = u16::from(!home);
        outcome.raid = Some(RaidLine {
            number: self.raid_number,
            team: raid.team,
            phase: self.phase,
            do_or_die: false,
            is_empty: gained == 0 && home,
            super_raid: false,
            super_tackle: false,
            failed_do_or_die: false,
        });
        self.tie_goes_on(raid.team, &outcome);
        Ok(outcome)
    }

    /// A point for the side and for nobody in it.
    pub(super) fn technical(&mut self, at: i64, team: Team, turn_lost: bool) -> Result<Outcome, Fault> {
        if !self.phase.is_timed() {
            return fault("no half is on: a technical point is given in one");
        }
        let mut outcome = Outcome::default();
        if turn_lost {
            if self.raiding != Some(team.other()) {
                return fault(format!("turnLost: it is not team {:?}'s turn to raid", team.other()));
            }
            let ended = self.raid.take();
            if ended.is_none() {
                self.play_on(at);
            }
            outcome.carded = self.cards_of(at, ended);
            self.raided_at = Some(at);
            self.raid_number += 1;
            self.raiding = Some(team);
        }
        outcome.points[team as usize].technical = 1;
        Ok(outcome)
    }

    /// The last of a side give themselves up.
    pub(super) fn declare(&mut self, team: Team) -> Result<Outcome, Fault> {
        let (max, there) = (self.rules.declare_players_max, self.side(team).on_mat());
        if !self.phase.is_timed() || !(1..=max).contains(&there) {
            return fault(format!(
                "a captain declares with 1 to {max} players on the mat, there are {there}"
            ));
        }
        if self.raid.is_some() {
            return fault("a raid is on: its result comes first");
        }
        let mut outcome = Outcome::default();
        outcome.points[team.other() as usize].technical = u16::from(there);
        for index in 0..self.side(team).players.len() {
            if self.side(team).players[index].place == Place::Mat {
                self.leaves(&mut outcome, team, index);
            }
        }
        Ok(outcome)
    }
}

fn length(ids: &[usize]) -> u16 {
    u16::try_from(ids.len()).unwrap_or(u16::MAX)
}
