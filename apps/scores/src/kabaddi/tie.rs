//! What breaks a tie in a knock-out match: raids by named raiders, extra time, a golden raid, a toss. None of it happens in a league.

use super::action::Team;
use super::game::{Fault, Game, Outcome, Phase, fault, once_each};
use super::mat::{Place, Player};
use super::profile::TieBreak;

impl Game {
    fn is_tied(&self) -> Result<(), Fault> {
        if !self.knockout {
            return fault("in a league a tie stands: end_match");
        }
        if !self.is_level() {
            return fault("the match is not level");
        }
        Ok(())
    }

    /// Of a side: those who play at full time, whoever may be out.
    fn able(&self, team: Team) -> impl Iterator<Item = &str> {
        let plays = |player: &&Player| matches!(player.place, Place::Mat | Place::Out);
        self.side(team).players.iter().filter(plays).map(|player| player.id.as_str())
    }

    /// How many raids each side has in a tie-break by raids: no more than either has raiders, at full time or as it began.
    /// None: there is no such tie-break to come, and none is on.
    pub(crate) fn raids_of_tie(&self) -> Option<u8> {
        match (self.phase, self.rules.tie_break) {
            (Phase::TieRaids, _) => Some(count(self.sides[0].tie_raiders.len())),
            (Phase::FullTime, TieBreak::Raids) if self.knockout && self.is_level() => {
                let able = Team::BOTH.map(|team| count(self.able(team).count()));
                able.into_iter().chain([self.rules.tie_raids]).min()
            }
            _ => None,
        }
    }

    /// In the order in which they raid. Those who have raided stay at their places; whoever is to come may become another, as
    /// long as the tie-break is on, so that nobody who is carded holds it up.
    pub(super) fn name_tie_raiders(&mut self, team: Team, ids: &[String]) -> Result<(), Fault> {
        let on = self.phase == Phase::TieRaids;
        if !on && (self.phase != Phase::FullTime || self.rules.tie_break != TieBreak::Raids) {
            return fault(
                "raiders of a tie-break are named at full time and in it, where the profile has one by raids",
            );
        }
        if !on {
            self.is_tied()?;
        }
        let many = usize::from(self.raids_of_tie().unwrap_or_default());
        if ids.len() != many {
            return fault(format!("{many} raiders are named, as many as both sides have, got {}", ids.len()));
        }
        let side = self.side(team);
        let raided = if on { usize::from(side.tie_raids) } else { 0 };
        let stands = side.tie_raiders.get(..raided).unwrap_or_default();
        if let Some(change) = ids.iter().zip(stands).find(|(named, stands)| named != stands) {
            return fault(format!("{} has raided in the place of {}: he stays in it", change.1, change.0));
        }
        for id in &ids[raided..] {
            self.is_able(team, id)?;
        }
        // With fewer left than raids somebody raids again.
        let left_out = self.able(team).find(|id| !ids.iter().any(|named| named == id));
        match (once_each(ids), left_out) {
            (Err(twice), Some(free)) => fault(format!("{}, and {free} is free to raid", twice.0)),
            _ => {
                self.side_mut(team).tie_raiders = ids.to_vec();
                Ok(())
            }
        }
    }

    fn is_able(&self, team: Team, id: &str) -> Result<(), Fault> {
        if self.able(team).any(|able| able == id) {
            return Ok(());
        }
        match self.side(team).player(id) {
            Some(_) => fault(format!("{id} is not among those who play")),
            None => fault(format!("{id} is not in the squad of team {team:?}")),
        }
    }

    /// Of both sides as many as there are raids, and all of them able to.
    fn has_tie_raiders(&self) -> Result<(), Fault> {
        let many = self.raids_of_tie().unwrap_or_default();
        if many == 0 {
            return fault("a side has nobody left who raids: end_match with reason forfeit");
        }
        for team in Team::BOTH {
            let named = &self.side(team).tie_raiders;
            let able = named.iter().all(|id| self.is_able(team, id).is_ok());
            if count(named.len()) != many || !able {
                return fault(format!(
                    "name_tie_raiders comes first, of team {team:?}: {many} who play, in their order"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn start_tie_break(&mut self, at: i64) -> Result<(), Fault> {
        if self.phase != Phase::FullTime {
            return fault("a tie-break begins at full time");
        }
        self.is_tied()?;
        self.none_in_review()?;
        match self.rules.tie_break {
            TieBreak::Raids => {
                self.has_tie_raiders()?;
                self.everybody_plays();
                self.phase = Phase::TieRaids;
                self.raiding = self.first_raider();
            }
            TieBreak::ExtraTime => {
                self.phase = Phase::ExtraFirst;
                self.raiding = self.first_raider();
                self.clock.begin(at, self.rules.extra_half_ms);
            }
            TieBreak::GoldenRaid => self.phase = Phase::AwaitingGolden,
        }
        Ok(())
    }

    /// Who is suspended sits it out.
    fn everybody_plays(&mut self) {
        for side in &mut self.sides {
            side.all_back();
        }
    }

    pub(super) fn golden_raid(&mut self, team: Team) -> Result<(), Fault> {
        // Where there is no tie-break before it, it is the tie-break.
        let first = self.phase == Phase::FullTime && self.rules.tie_break == TieBreak::GoldenRaid;
        if !first && !matches!(self.phase, Phase::AwaitingGolden | Phase::AfterGolden) {
            return fault("a golden raid comes after a tie-break that has not decided");
        }
        self.is_tied()?;
        self.none_in_review()?;
        self.everybody_plays();
        self.phase = Phase::GoldenRaid;
        self.raiding = Some(team);
        Ok(())
    }

    pub(super) fn decide_by_toss(&mut self, winner: Team) -> Result<(), Fault> {
        if self.phase != Phase::AfterGolden {
            return fault("a toss decides after a golden raid that has not");
        }
        self.is_tied()?;
        self.toss_winner_of_tie = Some(winner);
        Ok(())
    }

    /// Raiders come as they were named.
    pub(super) fn takes_tie_turn(&mut self, team: Team, raider: &str) -> Result<(), Fault> {
        if self.phase == Phase::GoldenRaid {
            return Ok(());
        }
        let side = self.side_mut(team);
        let next = side.tie_raiders.get(usize::from(side.tie_raids));
        match next {
            Some(next) if next == raider => {
                side.tie_raids += 1;
                Ok(())
            }
            Some(next) => fault(format!(
                "{next} is the next raider of team {team:?}, as they were named: name_tie_raiders names others"
            )),
            None => fault(format!("team {team:?} has made its raids")),
        }
    }

    pub(super) fn tie_goes_on(&mut self, team: Team, outcome: &Outcome) {
        if self.phase == Phase::GoldenRaid {
            self.phase = Phase::AfterGolden;
            return;
        }
        self.raiding = Some(team.other());
        let raided = self.sides.iter().all(|side| usize::from(side.tie_raids) >= side.tie_raiders.len());
        if raided {
            let points = |team: Team| self.side(team).tie_points + outcome.tie_points[team as usize];
            let level = points(Team::A) == points(Team::B);
            self.phase = if level { Phase::AwaitingGolden } else { Phase::AfterTie };
        }
    }
}

fn count(many: usize) -> u8 {
    u8::try_from(many).unwrap_or(u8::MAX)
}
