//! The clock of a game: what has been played, what is left, and when somebody has to look. It is told the time and never asks.

use super::game::{Fault, Game, fault};
use super::mat::{Place, Player};

/// Of the period that is on, or was last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// None: nothing bounds it.
    remaining_ms: Option<i64>,
    running_since: Option<i64>,
    /// Of the whole game, up to `running_since`.
    played_ms: i64,
}

impl Clock {
    pub(crate) fn begin(&mut self, at: i64, length_ms: u32) {
        self.stop(at);
        self.remaining_ms = (length_ms > 0).then_some(i64::from(length_ms));
        self.running_since = Some(at);
    }

    pub(crate) fn start(&mut self, at: i64) {
        self.running_since.get_or_insert(at);
    }

    pub(crate) fn stop(&mut self, at: i64) {
        let played = self.stretch_ms(at);
        self.played_ms += played;
        self.remaining_ms = self.remaining_ms.map(|left| left - played);
        self.running_since = None;
    }

    pub(crate) fn set(&mut self, at: i64, remaining_ms: u32) {
        let running = self.running_since.is_some();
        self.stop(at);
        self.remaining_ms = Some(i64::from(remaining_ms));
        self.running_since = running.then_some(at);
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running_since.is_some()
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.remaining_ms.is_some()
    }

    pub(crate) fn running_since(&self) -> Option<i64> {
        self.running_since
    }

    /// What was left when it was last started or stopped.
    pub(crate) fn marked_ms(&self) -> Option<i64> {
        self.remaining_ms
    }

    pub(crate) fn remaining_ms(&self, at: i64) -> Option<i64> {
        self.remaining_ms.map(|left| left - self.stretch_ms(at))
    }

    /// In the whole game.
    pub(crate) fn played_ms(&self, at: i64) -> i64 {
        self.played_ms + self.stretch_ms(at)
    }

    /// Since it was started, and no more than was left.
    fn stretch_ms(&self, at: i64) -> i64 {
        let since = self.running_since.map_or(0, |since| (at - since).max(0));
        self.remaining_ms.map_or(since, |left| since.min(left.max(0)))
    }

    /// At once where nothing is left: whoever has stopped it at the end has stopped nothing.
    fn runs_out_at(&self) -> Option<i64> {
        match (self.running_since, self.remaining_ms?) {
            (Some(since), left) => Some(since + left.max(0)),
            (None, left) => (left <= 0).then_some(0),
        }
    }

    /// When so much has been played, should nobody stop it.
    fn reaches_at(&self, played_ms: i64) -> Option<i64> {
        let needed = (played_ms - self.played_ms).max(0);
        let in_reach = self.remaining_ms.is_none_or(|left| needed <= left);
        self.running_since.filter(|_| in_reach).map(|since| since + needed)
    }
}

/// What the clock has to say next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    Raid,
    Half,
    TimeOut,
    Suspension(String),
}

impl Game {
    /// The next of them. A raid that is on when the time is up is played to its end.
    pub(crate) fn alarm(&self) -> Option<(i64, Alarm)> {
        let suspended = self.sides.iter().flat_map(|side| &side.players);
        let suspended = suspended.filter_map(|player| Some((self.back_at(player)?, player)));
        let suspended = suspended.min_by_key(|(at, _)| *at);
        let suspended = suspended.map(|(at, player)| (at, Alarm::Suspension(player.id.clone())));
        let raid = self.raid_over_at().map(|at| (at, Alarm::Raid));
        let half = self.half_over_at().map(|at| (at, Alarm::Half));
        let out = self.time_out_over_at().map(|at| (at, Alarm::TimeOut));
        // A suspension that ends with the half ends in it.
        [suspended, raid, half, out].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// What the clock has said is said by nobody else, and only when it is so: in a past that was corrected it may not be.
    pub(super) fn clock_says(&self, at: i64, alarm: &Alarm) -> Result<(), Fault> {
        let due = match alarm {
            Alarm::Raid => self.raid_over_at(),
            Alarm::Half => self.half_over_at(),
            Alarm::TimeOut => self.time_out_over_at(),
            Alarm::Suspension(id) => {
                let player = self.sides.iter().find_map(|side| side.player(id));
                player.and_then(|player| self.back_at(player))
            }
        };
        if due.is_some_and(|due| due <= at) { Ok(()) } else { fault("by the clock it is not time for that") }
    }

    fn raid_over_at(&self) -> Option<i64> {
        let raid = self.raid.as_ref().filter(|raid| !raid.time_up && raid.paused_after_ms().is_none());
        raid.map(|raid| raid.since + i64::from(self.rules.raid_ms))
    }

    fn half_over_at(&self) -> Option<i64> {
        self.clock.runs_out_at().filter(|_| self.phase.is_timed() && self.raid.is_none())
    }

    fn time_out_over_at(&self) -> Option<i64> {
        self.time_out.as_ref().map(|out| out.since + i64::from(self.rules.time_out_ms))
    }

    fn back_at(&self, player: &Player) -> Option<i64> {
        let Place::Suspended { until_ms, .. } = player.place else { return None };
        self.clock.reaches_at(until_ms)
    }
}
