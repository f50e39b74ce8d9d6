//! Kabaddi: what an action makes of a game. Pure rules over plain values: it knows no rooms, callers or frames, reads no clock, and
//! keeps no log. `Game::play` is its one verb, and leaves the game alone that it was asked about.

mod action;
mod clock;
mod figures;
mod game;
mod halves;
mod mat;
mod profile;
mod raid;
mod squads;
mod tie;

pub(crate) use action::{Action, Card, Choice, Raid, Reason, SelfOut, Team};
pub(crate) use clock::Alarm;
pub(crate) use figures::{Award, awards};
pub(crate) use game::{Fault, Game, Outcome, Phase, TeamSheet};
#[cfg(test)]
pub(crate) use mat::Figures;
pub(crate) use mat::{Place, Player, PlayerSheet, Side};
pub(crate) use profile::{Profile, profiles};
pub(crate) use raid::RaidLine;
