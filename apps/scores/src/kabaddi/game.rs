//! A game as the actions so far have made it, and what one more makes of it. An action that the rules do not allow is a fault, and
//! changes nothing. Time is what the log says, and nothing is judged by it but what the clock itself has said: a game folds alike
//! wherever and whenever.

use super::action::{Action, Choice, Reason, Team};
use super::clock::{Alarm, Clock};
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
    /// Whose cards had waited for the end of the raid.
    pub carded: Vec<String>,
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
            // Who is suspended is not out, and where nobody is out nobody can be taken back in.
            if self.side(team).queued().next().is_none() {
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
            Action::EndHalf => self.end_half(at)?,
            Action::HalfOver => {
                self.clock_says(at, &Alarm::Half)?;
                self.end_half(at)?;
            }
            Action::StartClock => self.start_clock(at)?,
            Action::StopClock { .. } => self.stop_clock(at)?,
            Action::SetClock { remaining_ms } => self.set_clock(at, *remaining_ms)?,
            Action::StartRaid { raider_id } => self.start_raid(at, raider_id.as_deref())?,
            Action::RaidTime => {
                self.clock_says(at, &Alarm::Raid)?;
                self.raid.iter_mut().for_each(|raid| raid.time_up = true);
            }
            Action::Raid(raid) => return self.raided(at, raid),
            Action::Technical { team, turn_lost, .. } => return self.technical(at, *team, *turn_lost),
            Action::Declare { team } => return self.declare(*team),
            Action::Substitute { team, out_id, in_id } => self.substitute(*team, out_id, in_id)?,
            Action::TimeOut { team } => self.take_time_out(at, *team)?,
            Action::TimeOutOver => {
                self.clock_says(at, &Alarm::TimeOut)?;
                self.time_out = None;
            }
            Action::EndTimeOut => {
                self.time_out.take().ok_or_else(|| Fault("no time-out is on".into()))?;
            }
            Action::Review { team, raid_number } => self.review(at, *team, *raid_number)?,
            Action::DecideReview { upheld } => self.decide_review(at, *upheld)?,
            Action::Card { player_id, card } => self.card(at, player_id, *card)?,
            Action::SuspensionOver { player_id } => {
                self.clock_says(at, &Alarm::Suspension(player_id.clone()))?;
                self.suspension_over(player_id)?;
            }
            Action::NameTieRaiders { team, player_ids } => self.name_tie_raiders(*team, player_ids)?,
            Action::StartTieBreak => self.start_tie_break(at)?,
            Action::GoldenRaid { team } => self.golden_raid(*team)?,
            Action::DecideByToss { winner } => self.decide_by_toss(*winner)?,
            Action::EndMatch { reason, winner } => return self.end(at, *reason, *winner),
        }
        Ok(Outcome::default())
    }

    pub(super) fn before_start(&self, what: &str) -> Result<(), Fault> {
        match self.phase {
            Phase::Setup | Phase::Ready => Ok(()),
            _ => fault(format!("the match has begun: {what} stands, and can be corrected")),
        }
    }

    pub(super) fn get_ready(&mut self) {
        let lined_up = self.sides.iter().all(|side| side.on_mat() > 0);
        if lined_up && self.toss.is_some() {
            self.phase = Phase::Ready;
            self.raiding = self.first_raider();
        }
    }

    fn end(&mut self, at: i64, reason: Reason, winner: Option<Team>) -> Result<Outcome, Fault> {
        let leader = self.leader();
        let winner = match reason {
            Reason::Completed => {
                self.none_in_review()?;
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
        let ended = self.raid.take();
        let carded = self.cards_of(at, ended);
        (self.time_out, self.review) = (None, None);
        self.phase = Phase::Ended;
        self.ending = Some(Ending { reason, winner, at });
        Ok(Outcome { carded, ..Outcome::default() })
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
