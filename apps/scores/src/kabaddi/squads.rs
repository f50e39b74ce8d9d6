//! Who plays: line-ups, substitutions, cards. Who goes out and comes back in a raid is the raid's affair.

use super::action::{Card, Team};
use super::game::{Fault, Game, Phase, fault, once_each};
use super::mat::Place;
use super::raid::RaidOn;

impl Game {
    pub(super) fn line_up(&mut self, team: Team, ids: &[String]) -> Result<(), Fault> {
        self.before_start("a line-up")?;
        let mat = usize::from(self.rules.mat);
        if ids.len() != mat {
            return fault(format!("{mat} players begin on the mat, got {}", ids.len()));
        }
        once_each(ids)?;
        if let Some(stranger) = ids.iter().find(|id| self.side(team).player(id).is_none()) {
            return fault(format!("{stranger} is not in the squad of team {team:?}"));
        }
        self.side_mut(team).line_up(ids);
        self.get_ready();
        Ok(())
    }

    fn named(&self, team: Team, id: &str) -> Result<usize, Fault> {
        let index = self.side(team).index(id);
        index.ok_or_else(|| Fault(format!("{id} is not in the squad of team {team:?}")))
    }

    /// Never for a player who is out or suspended.
    pub(super) fn substitute(&mut self, team: Team, out_id: &str, in_id: &str) -> Result<(), Fault> {
        if self.phase == Phase::Setup || self.phase == Phase::Ready {
            return fault("the match has not begun: line_up says who plays");
        }
        if self.raid.is_some() {
            return fault("a raid is on: a substitution waits for its end");
        }
        let (leaves, comes) = (self.named(team, out_id)?, self.named(team, in_id)?);
        let (max, name) = (self.rules.substitutions_max, self.rules.name.clone());
        let side = self.side_mut(team);
        if side.players[leaves].place != Place::Mat {
            return fault(format!("{out_id} is not on the mat: who is out or suspended is not substituted"));
        }
        if side.players[comes].place != Place::Bench {
            return fault(format!("{in_id} is not on the bench"));
        }
        if side.substitutions >= max {
            return fault(format!("team {team:?} has had its substitutions ({max} in profile {name})"));
        }
        side.substitute(leaves, comes);
        Ok(())
    }

    /// While a raid is on it counts at once and keeps nobody off the mat before the raid has ended.
    pub(super) fn card(&mut self, at: i64, id: &str, card: Card) -> Result<(), Fault> {
        let Some(team) = self.team_of(id) else { return fault(format!("{id} is in neither squad")) };
        if self.phase == Phase::Setup || self.phase == Phase::Ready {
            return fault("the match has not begun: leave the player out of the line-up");
        }
        let index = self.named(team, id)?;
        let is_red = |raid: &RaidOn| raid.cards.iter().any(|(of, card)| of == id && *card == Card::Red);
        if self.side(team).players[index].place == Place::Expelled || self.raid.as_ref().is_some_and(is_red) {
            return fault(format!("{id} was expelled"));
        }
        let figures = &mut self.side_mut(team).players[index].figures;
        match card {
            Card::Green => figures.green_cards = figures.green_cards.saturating_add(1),
            Card::Yellow => figures.yellow_cards = figures.yellow_cards.saturating_add(1),
            Card::Red => figures.red_cards = figures.red_cards.saturating_add(1),
        }
        match &mut self.raid {
            Some(raid) => raid.cards.push((id.to_owned(), card)),
            None => self.take_off(at, id, card),
        }
        Ok(())
    }

    fn take_off(&mut self, at: i64, id: &str, card: Card) {
        let (played_ms, length_ms) = (self.clock.played_ms(at), i64::from(self.rules.suspension_ms));
        let Some(side) = self.sides.iter_mut().find(|side| side.player(id).is_some()) else { return };
        let Some(index) = side.index(id) else { return };
        match card {
            Card::Green => {}
            Card::Yellow => side.suspend(index, played_ms, length_ms),
            Card::Red => side.expel(index),
        }
    }

    /// What was held back while the raid was on, and whom it concerns.
    pub(super) fn cards_of(&mut self, at: i64, ended: Option<RaidOn>) -> Vec<String> {
        let cards = ended.map(|raid| raid.cards).unwrap_or_default();
        cards
            .into_iter()
            .map(|(id, card)| {
                self.take_off(at, &id, card);
                id
            })
            .collect()
    }

    pub(super) fn suspension_over(&mut self, id: &str) -> Result<(), Fault> {
        let team = self.team_of(id).ok_or_else(|| Fault(format!("{id} is in neither squad")))?;
        let index = self.named(team, id)?;
        self.side_mut(team).end_suspension(index);
        Ok(())
    }
}
