//! What breaks a tie in a knock-out match: raids by named raiders, extra time, a golden raid, a toss. None of it happens in a league.

use super::action::Team;
use super::game::{Fault, Game, Outcome, Phase, fault, once_each};
use super::mat::Place;
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

    /// In the order in which they raid. None of them may be suspended.
    pub(super) fn name_tie_raiders(&mut self, team: Team, ids: &[String]) -> Result<(), Fault> {
        if self.phase != Phase::FullTime || self.rules.tie_break != TieBreak::Raids {
            return fault(
                "raiders of a tie-break are named at full time, where the profile has one by raids",
            );
        }
        self.is_tied()?;
        let many = usize::from(self.rules.tie_raids);
        if ids.len() != many {
            return fault(format!("{many} different raiders are named, got {}", ids.len()));
        }
        once_each(ids)?;
        for id in ids {
            match self.side(team).player(id).map(|player| player.place) {
                Some(Place::Mat | Place::Out) => {}
                Some(_) => return fault(format!("{id} is not among those who play")),
                None => return fault(format!("{id} is not in the squad of team {team:?}")),
            }
        }
        self.side_mut(team).tie_raiders = ids.to_vec();
        Ok(())
    }

    pub(super) fn start_tie_break(&mut self, at: i64) -> Result<(), Fault> {
        if self.phase != Phase::FullTime {
            return fault("a tie-break begins at full time");
        }
        self.is_tied()?;
        match self.rules.tie_break {
            TieBreak::Raids => {
                if let Some(team) =
                    Team::BOTH.into_iter().find(|&team| self.side(team).tie_raiders.is_empty())
                {
                    return fault(format!("name_tie_raiders comes first, of team {team:?}"));
                }
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
        if !matches!(self.phase, Phase::AwaitingGolden | Phase::AfterGolden) {
            return fault("a golden raid comes after a tie-break that has not decided");
        }
        self.is_tied()?;
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
            Some(next) => fault(format!("{next} is the next raider of team {team:?}, as they were named")),
            None => fault(format!("team {team:?} has made its raids")),
        }
    }

    pub(super) fn tie_goes_on(&mut self, team: Team, outcome: &Outcome) {
        if self.phase == Phase::GoldenRaid {
            self.phase = Phase::AfterGolden;
            return;
        }
        self.raiding = Some(team.other());
        let raided = self.sides.iter().all(|side| side.tie_raids >= self.rules.tie_raids);
        if raided {
            let points = |team: Team| self.side(team).tie_points + outcome.tie_points[team as usize];
            let level = points(Team::A) == points(Team::B);
            self.phase = if level { Phase::AwaitingGolden } else { Phase::AfterTie };
        }
    }
}
