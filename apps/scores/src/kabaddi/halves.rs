//! Halves, time-outs, reviews: when a game is on, and when it is halted. No point is scored here.

use super::action::Team;
use super::game::{Fault, Game, Phase, Review, TimeOut, fault};

impl Game {
    /// The first one, or the next.
    pub(super) fn begin_half(&mut self, at: i64) -> Result<(), Fault> {
        let first = self.first_raider();
        let second = first.map(Team::other);
        let (half, extra) = (self.rules.half_ms, self.rules.extra_half_ms);
        let (phase, raiding, length_ms) = match self.phase {
            Phase::Setup => return fault("the match cannot begin: both line-ups and the toss come first"),
            Phase::Ready => (Phase::FirstHalf, first, half),
            Phase::HalfTime => (Phase::SecondHalf, second, half),
            Phase::ExtraPause => (Phase::ExtraSecond, second, extra),
            _ => return fault("no half is to be begun now"),
        };
        self.none_in_review()?;
        (self.phase, self.raiding) = (phase, raiding);
        self.clock.begin(at, length_ms);
        Ok(())
    }

    pub(super) fn end_half(&mut self, at: i64) -> Result<(), Fault> {
        let phase = match self.phase {
            Phase::FirstHalf if self.rules.halves > 1 => Phase::HalfTime,
            Phase::FirstHalf | Phase::SecondHalf => Phase::FullTime,
            Phase::ExtraFirst => Phase::ExtraPause,
            Phase::ExtraSecond if self.is_level() => Phase::AwaitingGolden,
            Phase::ExtraSecond => Phase::AfterTie,
            _ => return fault("no half is on"),
        };
        if self.raid.is_some() {
            return fault("a raid is on: its result comes first");
        }
        self.clock.stop(at);
        self.time_out = None;
        self.phase = phase;
        Ok(())
    }

    fn in_half(&self) -> Result<(), Fault> {
        if self.phase.is_timed() { Ok(()) } else { fault("no half is on") }
    }

    pub(super) fn start_clock(&mut self, at: i64) -> Result<(), Fault> {
        self.in_half()?;
        if self.clock.is_running() {
            return fault("the clock runs");
        }
        self.none_in_review()?;
        self.time_out = None;
        self.clock.start(at);
        if let Some(raid) = &mut self.raid {
            raid.goes_on(at);
        }
        Ok(())
    }

    pub(super) fn stop_clock(&mut self, at: i64) -> Result<(), Fault> {
        self.in_half()?;
        if !self.clock.is_running() {
            return fault("the clock stands");
        }
        self.halt(at);
        Ok(())
    }

    pub(super) fn halt(&mut self, at: i64) {
        self.clock.stop(at);
        if let Some(raid) = &mut self.raid {
            raid.pauses(at);
        }
    }

    /// In the break after a half it takes that half back, with the clock at rest.
    pub(super) fn set_clock(&mut self, at: i64, remaining_ms: u32) -> Result<(), Fault> {
        if !self.clock.is_timed() {
            return fault(format!("the halves of profile {} have no clock", self.rules.name));
        }
        self.phase = match self.phase {
            Phase::HalfTime => Phase::FirstHalf,
            Phase::FullTime if self.rules.halves > 1 => Phase::SecondHalf,
            Phase::FullTime => Phase::FirstHalf,
            Phase::ExtraPause => Phase::ExtraFirst,
            half if half.is_timed() => half,
            _ => return fault("no half is on"),
        };
        let extra = matches!(self.phase, Phase::ExtraFirst | Phase::ExtraSecond);
        let length_ms = if extra { self.rules.extra_half_ms } else { self.rules.half_ms };
        if remaining_ms > length_ms {
            return fault(format!("a half has {length_ms} ms, got remainingMs {remaining_ms}"));
        }
        self.clock.set(at, remaining_ms);
        Ok(())
    }

    pub(super) fn take_time_out(&mut self, at: i64, team: Option<Team>) -> Result<(), Fault> {
        self.in_half()?;
        if self.time_out.is_some() {
            return fault("a time-out is on");
        }
        if let Some(team) = team {
            if self.raid.is_some() {
                return fault("a raid is on: a team's time-out waits for its end");
            }
            let (max, name) = (self.rules.time_outs, self.rules.name.clone());
            let side = self.side_mut(team);
            if side.time_outs >= max {
                return fault(format!("team {team:?} has had its time-outs ({max} in profile {name})"));
            }
            side.time_outs += 1;
        }
        self.halt(at);
        self.time_out = Some(TimeOut { team, since: at });
        Ok(())
    }

    pub(super) fn review(&mut self, at: i64, team: Team, raid_number: Option<u32>) -> Result<(), Fault> {
        if self.phase == Phase::Setup || self.phase == Phase::Ready {
            return fault("the match has not begun: there is nothing to review");
        }
        self.none_in_review()?;
        let max = self.rules.reviews;
        if self.side(team).reviews >= max {
            let name = &self.rules.name;
            return fault(format!("team {team:?} has no review left ({max} in profile {name})"));
        }
        if let Some(number) = raid_number.filter(|number| !(1..self.raid_number).contains(number)) {
            return fault(format!("raidNumber {number} has not been raided"));
        }
        self.halt(at);
        self.review = Some(Review { team, raid_number });
        Ok(())
    }

    /// What is looked at may change what comes next.
    pub(super) fn none_in_review(&self) -> Result<(), Fault> {
        match self.review {
            Some(_) => fault("a review is pending: decide_review comes first"),
            None => Ok(()),
        }
    }

    /// A review that is upheld is kept. Where no clock of a half has to be started again, a raid goes on with the decision.
    pub(super) fn decide_review(&mut self, at: i64, upheld: bool) -> Result<(), Fault> {
        let Some(review) = self.review.take() else { return fault("no review is pending") };
        if let Some(raid) = self.raid.as_mut().filter(|_| self.phase.is_tie()) {
            raid.goes_on(at);
        }
        if !upheld {
            self.side_mut(review.team).reviews += 1;
        }
        Ok(())
    }
}
