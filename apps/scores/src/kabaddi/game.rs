//! A game as the actions so far have made it, and what one more makes of it. An action that the rules do not allow is a fault, and
//! changes nothing. Time is what the log says; no rule is judged by it, so that a game folds alike wherever and whenever.

use super::action::{Action, Card, Choice, Reason, Team};
use super::clock::Clock;
use super::mat::{Figures, Place, Player, PlayerSheet, Points, Side};
use super::profile::{Profile, TieBreak};
use super::raid::{RaidLine, RaidOn};

/// Why an action is none, in words for whoever proposed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub String);

pub(super) fn fault<T>(text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault(text.into()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A line-up or the toss is missing.
    Setup,
    Ready,
    FirstHalf,
    HalfTime,
    SecondHalf,
    FullTime,
    ExtraFirst,
    ExtraPause,
    ExtraSecond,
    TieRaids,
    /// The tie-break has decided.
    AfterTie,
    AwaitingGolden,
    GoldenRaid,
    AfterGolden,
    Ended,
}

impl Phase {
    /// The clock bounds it, if the profile does.
    pub(crate) fn is_timed(self) -> bool {
        matches!(self, Phase::FirstHalf | Phase::SecondHalf | Phase::ExtraFirst | Phase::ExtraSecond)
    }

    pub(super) fn is_tie(self) -> bool {
        matches!(self, Phase::TieRaids | Phase::GoldenRaid)
    }
}

/// A team as an organizer names it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TeamSheet {
    pub name: String,
    pub players: Vec<PlayerSheet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captain_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vice_captain_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeOut {
    pub team: Option<Team>,
    pub since: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Review {
    pub team: Team,
    pub raid_number: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub reason: Reason,
    pub winner: Option<Team>,
    pub at: i64,
}

/// What one action has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub points: [Points; 2],
    pub tie_points: [u16; 2],
    pub outs: [Vec<String>; 2],
    pub back: [Vec<String>; 2],
    pub all_out: [bool; 2],
    pub raid: Option<RaidLine>,
    /// Of the period, when it happened.
    pub clock_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Game {
    pub rules: Profile,
    pub knockout: bool,
    pub sides: [Side; 2],
    pub phase: Phase,
    pub toss: Option<(Team, Choice)>,
    /// Who raids next.
    pub raiding: Option<Team>,
    /// Of the next raid.
    pub raid_number: u32,
    pub clock: Clock,
    pub raid: Option<RaidOn>,
    pub time_out: Option<TimeOut>,
    pub review: Option<Review>,
    pub toss_winner_of_tie: Option<Team>,
    pub ending: Option<Ending>,
    /// When the last raid ended.
    pub raided_at: Option<i64>,
    pub scored_at: Option<i64>,
    /// When the phase began.
    pub phase_at: Option<i64>,
}

impl Game {
    pub(crate) fn new(rules: Profile, knockout: bool, teams: &[TeamSheet; 2]) -> Game {
        let side = |team: &TeamSheet| Side {
            name: team.name.clone(),
            captain: team.captain_id.clone(),
            vice_captain: team.vice_captain_id.clone(),
            players: team.players.iter().map(player).collect(),
            ..Side::default()
        };
        let player_at_rest = teams.each_ref().map(side);
        Game {
            rules,
            knockout,
            sides: player_at_rest,
            phase: Phase::Setup,
            toss: None,
            raiding: None,
            raid_number: 1,
            clock: Clock::default(),
            raid: None,
            time_out: None,
            review: None,
            toss_winner_of_tie: None,
            ending: None,
            raided_at: None,
            scored_at: None,
            phase_at: None,
        }
    }

    pub(crate) fn side(&self, team: Team) -> &Side {
        &self.sides[team as usize]
    }

    pub(super) fn side_mut(&mut self, team: Team) -> &mut Side {
        &mut self.sides[team as usize]
    }

    pub(crate) fn first_raider(&self) -> Option<Team> {
        let (winner, choice) = self.toss?;
        Some(if choice == Choice::Raid { winner } else { winner.other() })
    }

    pub(crate) fn team_of(&self, id: &str) -> Option<Team> {
        Team::BOTH.into_iter().find(|&team| self.side(team).player(id).is_some())
    }

    /// By score, then by what broke the tie.
    pub(crate) fn leader(&self) -> Option<Team> {
        let [a, b] = &self.sides;
        let ahead = (a.score(), a.tie_points).cmp(&(b.score(), b.tie_points));
        match ahead {
            std::cmp::Ordering::Greater => Some(Team::A),
            std::cmp::Ordering::Less => Some(Team::B),
            std::cmp::Ordering::Equal => self.toss_winner_of_tie,
        }
    }

    pub(crate) fn is_level(&self) -> bool {
        self.leader().is_none()
    }

    pub(crate) fn play(&self, at: i64, action: &Action) -> Result<(Game, Outcome), Fault> {
        if self.ending.is_some() {
            return fault("the match is over");
        }
        let mut next = self.clone();
        let before = self.sides.each_ref().map(Side::on_mat);
        let mut outcome = next.act(at, action)?;
        next.clear_mats(before, &mut outcome);
        for (side, (points, tie)) in next.sides.iter_mut().zip(outcome.points.iter().zip(outcome.tie_points))
        {
            side.points.add(points);
            side.tie_points += tie;
            if points.sum() + tie > 0 {
                next.scored_at = Some(at);
            }
        }
        outcome.clock_ms = next.clock.remaining_ms(at);
        if next.phase != self.phase {
            next.phase_at = Some(at);
        }
        Ok((next, outcome))
    }

    /// Whoever was the last of his side on the mat takes the others back in with him.
    fn clear_mats(&mut self, before: [u8; 2], outcome: &mut Outcome) {
        for team in Team::BOTH {
            if before[team as usize] == 0 || self.side(team).on_mat() > 0 {
                continue;
            }
            outcome.all_out[team as usize] = true;
            let points = u16::from(self.rules.all_out_points);
            outcome.points[team.other() as usize].all_out += points;
            let back = self.side_mut(team).all_back();
            outcome.back[team as usize].extend(back);
        }
    }

    fn act(&mut self, at: i64, action: &Action) -> Result<Outcome, Fault> {
        match action {
            Action::LineUp { team, player_ids } => self.line_up(*team, player_ids)?,
            Action::Toss { winner, decision } => {
                self.before_start("the toss")?;
                self.toss = Some((*winner, *decision));
                self.get_ready();
            }
            Action::StartHalf => self.begin_half(at)?,
            Action::EndHalf | Action::HalfOver => self.end_half(at)?,
            Action::StartClock => self.start_clock(at)?,
            Action::StopClock { .. } => self.stop_clock(at)?,
            Action::SetClock { remaining_ms } => self.set_clock(at, *remaining_ms)?,
            Action::StartRaid { raider_id } => self.start_raid(at, raider_id.as_deref())?,
            Action::RaidTime => match &mut self.raid {
                Some(raid) => raid.time_up = true,
                None => return fault("no raid is on"),
            },
            Action::Raid(raid) => return self.raided(at, raid),
            Action::Technical { team, turn_lost, .. } => return self.technical(at, *team, *turn_lost),
            Action::Declare { team } => return self.declare(*team),
            Action::Substitute { team, out_id, in_id } => self.substitute(*team, out_id, in_id)?,
            Action::TimeOut { team } => self.take_time_out(at, *team)?,
            Action::EndTimeOut | Action::TimeOutOver => {
                self.time_out.take().ok_or_else(|| Fault("no time-out is on".into()))?;
            }
            Action::Review { team, raid_number } => self.review(at, *team, *raid_number)?,
            Action::DecideReview { upheld } => self.decide_review(*upheld)?,
            Action::Card { player_id, card } => self.card(at, player_id, *card)?,
            Action::SuspensionOver { player_id } => self.suspension_over(player_id)?,
            Action::NameTieRaiders { team, player_ids } => self.name_tie_raiders(*team, player_ids)?,
            Action::StartTieBreak => self.start_tie_break(at)?,
            Action::GoldenRaid { team } => self.golden_raid(*team)?,
            Action::DecideByToss { winner } => self.decide_by_toss(*winner)?,
            Action::EndMatch { reason, winner } => self.end(at, *reason, *winner)?,
        }
        Ok(Outcome::default())
    }

    fn before_start(&self, what: &str) -> Result<(), Fault> {
        match self.phase {
            Phase::Setup | Phase::Ready => Ok(()),
            _ => fault(format!("the match has begun: {what} stands, and can be corrected")),
        }
    }

    fn get_ready(&mut self) {
        let lined_up = self.sides.iter().all(|side| side.on_mat() > 0);
        if lined_up && self.toss.is_some() {
            self.phase = Phase::Ready;
            self.raiding = self.first_raider();
        }
    }

    fn line_up(&mut self, team: Team, ids: &[String]) -> Result<(), Fault> {
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
        (self.phase, self.raiding) = (phase, raiding);
        self.clock.begin(at, length_ms);
        Ok(())
    }

    fn end_half(&mut self, at: i64) -> Result<(), Fault> {
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

    fn start_clock(&mut self, at: i64) -> Result<(), Fault> {
        self.in_half()?;
        if self.clock.is_running() {
            return fault("the clock runs");
        }
        self.time_out = None;
        self.clock.start(at);
        if let Some(raid) = &mut self.raid {
            raid.goes_on(at);
        }
        Ok(())
    }

    fn stop_clock(&mut self, at: i64) -> Result<(), Fault> {
        self.in_half()?;
        if !self.clock.is_running() {
            return fault("the clock stands");
        }
        self.halt(at);
        Ok(())
    }

    fn halt(&mut self, at: i64) {
        self.clock.stop(at);
        if let Some(raid) = &mut self.raid {
            raid.pauses(at);
        }
    }

    /// In the break after a half it takes that half back, with the clock at rest.
    fn set_clock(&mut self, at: i64, remaining_ms: u32) -> Result<(), Fault> {
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

    fn take_time_out(&mut self, at: i64, team: Option<Team>) -> Result<(), Fault> {
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

    fn review(&mut self, at: i64, team: Team, raid_number: Option<u32>) -> Result<(), Fault> {
        if self.phase == Phase::Setup || self.phase == Phase::Ready {
            return fault("the match has not begun: there is nothing to review");
        }
        if self.review.is_some() {
            return fault("a review is pending: decide_review comes first");
        }
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

    /// A review that is upheld is kept.
    fn decide_review(&mut self, upheld: bool) -> Result<(), Fault> {
        let Some(review) = self.review.take() else { return fault("no review is pending") };
        if !upheld {
            self.side_mut(review.team).reviews += 1;
        }
        Ok(())
    }

    fn end(&mut self, at: i64, reason: Reason, winner: Option<Team>) -> Result<(), Fault> {
        let leader = self.leader();
        let winner = match reason {
            Reason::Completed => {
                let open = self.phase.is_timed() && !self.clock.is_timed() && self.raid.is_none();
                let over = matches!(self.phase, Phase::FullTime | Phase::AfterTie | Phase::AfterGolden);
                if !open && !over {
                    return fault("the match is not at its end: give the reason abandoned or forfeit");
                }
                if self.knockout && leader.is_none() {
                    return fault("a knock-out match needs a winner: start_tie_break, or decide_by_toss");
                }
                if winner.is_some() && winner != leader {
                    return fault("the winner is who leads: it follows from the log");
                }
                leader
            }
            Reason::Abandoned => winner,
            Reason::Forfeit if winner.is_none() => return fault("winner is required with reason forfeit"),
            Reason::Forfeit => winner,
        };
        self.halt(at);
        (self.raid, self.time_out, self.review) = (None, None, None);
        self.phase = Phase::Ended;
        self.ending = Some(Ending { reason, winner, at });
        Ok(())
    }

    /// What this profile calls the phase, as feeds do.
    pub(crate) fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Setup => "setup",
            Phase::Ready => "ready",
            Phase::FirstHalf => "first_half",
            Phase::HalfTime => "half_time",
            Phase::SecondHalf => "second_half",
            Phase::FullTime if self.knockout && self.is_level() => match self.rules.tie_break {
                TieBreak::ExtraTime => "awaiting_overtime",
                TieBreak::Raids => "awaiting_tie_raids",
                TieBreak::GoldenRaid => "awaiting_golden_raid",
            },
            Phase::FullTime => "full_time",
            Phase::ExtraFirst => "overtime_first_half",
            Phase::ExtraPause => "overtime_pause",
            Phase::ExtraSecond => "overtime_second_half",
            Phase::TieRaids => "tie_raids",
            Phase::AfterTie => "after_tie_break",
            Phase::AwaitingGolden => "awaiting_golden_raid",
            Phase::GoldenRaid => "golden_raid",
            Phase::AfterGolden => "after_golden_raid",
            Phase::Ended => "ended",
        }
    }
}

fn player(sheet: &PlayerSheet) -> Player {
    Player {
        id: sheet.id.clone(),
        name: sheet.name.clone(),
        number: sheet.number,
        place: Place::Bench,
        figures: Figures::default(),
    }
}

pub(super) fn once_each(ids: &[String]) -> Result<(), Fault> {
    let twice = ids.iter().enumerate().find(|(index, id)| ids[..*index].contains(id));
    twice.map_or(Ok(()), |(_, id)| fault(format!("{id} is named twice")))
}

impl Game {
    fn named(&self, team: Team, id: &str) -> Result<usize, Fault> {
        let index = self.side(team).index(id);
        index.ok_or_else(|| Fault(format!("{id} is not in the squad of team {team:?}")))
    }

    /// Never for a player who is out or suspended.
    fn substitute(&mut self, team: Team, out_id: &str, in_id: &str) -> Result<(), Fault> {
        if self.phase == Phase::Setup || self.phase == Phase::Ready {
            return fault("the match has not begun: line_up says who plays");
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

    fn card(&mut self, at: i64, id: &str, card: Card) -> Result<(), Fault> {
        let Some(team) = self.team_of(id) else { return fault(format!("{id} is in neither squad")) };
        if self.phase == Phase::Setup || self.phase == Phase::Ready {
            return fault("the match has not begun: leave the player out of the line-up");
        }
        let (played_ms, length_ms) = (self.clock.played_ms(at), i64::from(self.rules.suspension_ms));
        let index = self.named(team, id)?;
        let side = self.side_mut(team);
        if side.players[index].place == Place::Expelled {
            return fault(format!("{id} was expelled"));
        }
        let figures = &mut side.players[index].figures;
        match card {
            Card::Green => figures.green_cards = figures.green_cards.saturating_add(1),
            Card::Yellow => {
                figures.yellow_cards = figures.yellow_cards.saturating_add(1);
                side.suspend(index, played_ms, length_ms);
            }
            Card::Red => {
                figures.red_cards = figures.red_cards.saturating_add(1);
                side.expel(index);
            }
        }
        Ok(())
    }

    fn suspension_over(&mut self, id: &str) -> Result<(), Fault> {
        let team = self.team_of(id).ok_or_else(|| Fault(format!("{id} is in neither squad")))?;
        let index = self.named(team, id)?;
        let side = self.side_mut(team);
        if !matches!(side.players[index].place, Place::Suspended { .. }) {
            return fault(format!("{id} is not suspended"));
        }
        side.end_suspension(index);
        Ok(())
    }
}
