//! A match, `scores:{matchId}`: the log of its actions, and the truth about it. What is asked of one is sorted here by who asks;
//! what an action is worth, the sport says. No command of it is decided but on the newest state.

mod amending;
mod course;
mod duties;
mod opening;
mod records;
mod told;

use std::cmp::Ordering;

use app::{Action as Asked, Applied, Decision, Fields, Room, wrong};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vocabulary::{Caller, Code, Now, Position, Record, Refusal, RoomId};

use crate::sport::{self, Action, By, Profile};
use crate::standing::{Office, Part, forbidden};
use crate::wire::{Party, place, read, written};
pub(crate) use course::Course;
use course::{ACTIONS_MAX, ACTIONS_SPARE, BYTES_SPARE, LOG_BYTES_MAX};
use records::{self as kinds};

pub(crate) use duties::{due, steps};
pub(crate) use told::{about, enter, shown, view};

/// A name that a client makes for what it says: a UUID, or longer.
const ACTION_ID_BYTES_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contest {
    #[serde(skip, default = "nowhere")]
    pub room: RoomId,
    pub course: Option<Course>,
    /// The record since which the list has something to hear.
    untold: Option<Untold>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Untold {
    #[serde(with = "place")]
    position: Position,
}

/// Until a snapshot's reader says which room it is.
fn nowhere() -> RoomId {
    RoomId::new("scores", "")
}

impl Contest {
    pub(crate) fn new(room: &RoomId) -> Contest {
        Contest { room: room.clone(), course: None, untold: None }
    }

    pub(crate) fn is_public(&self) -> bool {
        self.course.as_ref().is_some_and(|course| course.public)
    }

    pub(crate) fn restore(&mut self, room: &RoomId) {
        self.room = room.clone();
        if let Some(course) = &mut self.course {
            course.restore();
        }
    }

    pub(crate) fn apply(&mut self, record: &Record) -> Applied {
        let before = self.listed();
        let done = match &*record.kind {
            kinds::TOLD => read(&record.body).map(|told: kinds::Told| {
                let is_it = |untold: &Untold| untold.position.to_string() == told.position;
                self.untold = self.untold.filter(|untold| !is_it(untold));
            }),
            kinds::CREATED if self.course.is_none() => {
                read(&record.body).map(|created| self.course = Some(Course::begin(record, created)))
            }
            // A second one folds to nothing: nobody writes one.
            kinds::CREATED => Some(()),
            _ => self.course.as_mut().and_then(|course| folded(course, record)),
        };
        if done.is_none() {
            return Applied::Unknown;
        }
        if self.listed() != before {
            self.untold = Some(Untold { position: record.position });
        }
        Applied::Done
    }
}

fn folded(course: &mut Course, record: &Record) -> Option<()> {
    match &*record.kind {
        kinds::ACTION => read(&record.body).map(|acted| course.act(record, acted)),
        kinds::AMENDED => read(&record.body).map(|amended| course.amend(record, amended)),
        kinds::SQUAD_SET => read(&record.body).map(|set: kinds::SquadSet| {
            if let Some(team) = course.setup.teams.get_mut(set.team) {
                *team = set.sheet;
            }
            course.refold();
            course.last = record.position;
        }),
        kinds::OFFICIALS_SET => {
            read(&record.body).map(|set: kinds::OfficialsSet| course.officials = set.officials)
        }
        _ => None,
    }
}

/// A decision about a match.
struct Asking<'a> {
    profiles: &'a [Profile],
    now: Now,
    room: Room<'a, Contest>,
    part: Part,
    by: Option<Party>,
    /// The same, if nobody is the author of what it says.
    back_end: Option<Party>,
}

fn unborn() -> Refusal {
    Refusal::new(Code::App("NOT_INITIALIZED"), "Match not initialized")
}

fn broken(fault: sport::Fault) -> Refusal {
    Refusal::new(Code::App("RULE"), fault.0)
}

pub(crate) fn part(contest: &Contest, caller: &Caller) -> Part {
    Part::of(caller, contest.course.as_ref().map_or(&[], |course| &course.officials))
}

pub(crate) fn decide(
    profiles: &[Profile],
    now: Now,
    room: Room<'_, Contest>,
    caller: &Caller,
    asked: Asked<'_>,
) -> Result<Decision, Refusal> {
    match caller {
        Caller::Outcome { step, result } => return Ok(duties::settled(room.state, step, result)),
        Caller::Duty { .. } => return Ok(duties::decide(now, room.state)),
        Caller::Step(_) => {
            return Err(Refusal::new(Code::UnknownType, "a match takes nothing from another room"));
        }
        Caller::Source { .. } => {
            return Err(forbidden("a broker does not speak to matches: the HTTP API does"));
        }
        Caller::Connection { .. } | Caller::Visitor { .. } | Caller::Api { .. } => {}
    }
    // Who may not create a match is told that, and not that there is none.
    if !matches!(asked.kind, "create" | "initial_state") {
        told::enter(room.state, caller)?;
    }
    let fields = Fields::of(asked.payload)?;
    let part = part(room.state, caller);
    let back_end = match caller {
        Caller::Api { key } => Some(Party::of_key(key)),
        _ => None,
    };
    let by = caller.author().map(Party::of).or_else(|| back_end.clone());
    let asking = Asking { profiles, now, room, part, by, back_end };
    match asked.kind {
        "create" | "initial_state" | "set_squad" | "set_roles" => asking.opens(asked.kind, &fields),
        "undo" | "redo" | "correct" => asking.amends(asked.kind, &fields),
        "get_match" => Ok(Decision::reply(told::whole(asking.room.state, asking.course()?))),
        "get_sheet" => told::sheet(asking.room.state, asking.course()?, &fields),
        "get_audit" => {
            asking.official("see the audit")?;
            told::audit(asking.course()?, &fields)
        }
        kind => asking.plays(kind, &fields),
    }
}

impl<'a> Asking<'a> {
    fn course(&self) -> Result<&'a Course, Refusal> {
        self.room.state.course.as_ref().ok_or_else(unborn)
    }

    fn scores(&self, what: &str) -> Result<(), Refusal> {
        match self.part.may_score() {
            true => Ok(()),
            false => Err(forbidden(format!(
                "only a scorer of this match or an organizer may {what}, you are {}",
                self.part.name()
            ))),
        }
    }

    fn official(&self, what: &str) -> Result<(), Refusal> {
        match self.part {
            Part::Viewer => Err(forbidden(format!("only officials may {what}"))),
            Part::Official(_) | Part::Organizer => Ok(()),
        }
    }

    fn may_say(&self, kind: &str) -> Result<(), Refusal> {
        let said = sport::ACTIONS.iter().find(|(name, _)| *name == kind).map(|(_, said)| *said);
        let said = said.ok_or_else(|| {
            Refusal::new(Code::UnknownType, format!("unknown message type: {kind} (no match knows it)"))
        })?;
        let by_office = match said {
            By::Scorer => false,
            By::Timekeeper => self.part == Part::Official(Office::Timekeeper),
            By::Umpire => self.part == Part::Official(Office::Umpire),
        };
        if by_office { Ok(()) } else { self.scores(&format!("say {kind}")) }
    }

    /// What was said under this name before is done; the answer says so again.
    fn said_before(&self, course: &Course, action_id: Option<&str>) -> Option<Decision> {
        let number = course.said_before(self.by.as_ref(), action_id?)?;
        let reply = json!({"number": number, "duplicate": true, "raidNumber": course.game().raid_number});
        Some(Decision::reply(reply.to_string().into()))
    }

    fn plays(&self, kind: &str, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.may_say(kind)?;
        let course = self.course()?;
        let action_id = action_id(fields)?;
        if let Some(done) = self.said_before(course, action_id.as_deref()) {
            return Ok(done);
        }
        let action = sport::action(kind, fields)?
            .ok_or_else(|| Refusal::new(Code::UnknownType, format!("unknown message type: {kind}")))?;
        let game = course.game();
        let ends = sport::is_end(&action);
        if course.is_over() {
            return match ends {
                true => Ok(Decision::reply(told::whole(self.room.state, course))),
                false => Err(Refusal::new(Code::App("MATCH_OVER"), "Match ended")),
            };
        }
        if sport::is_numbered(&action) {
            let named = fields.number("raidNumber", 0..=u64::from(u32::MAX))?;
            let next = game.raid_number;
            match named.map(|named| named.cmp(&u64::from(next))) {
                Some(Ordering::Less) => {
                    return Ok(Decision::reply(told::conflict(self.room.state, course)));
                }
                Some(Ordering::Greater) => {
                    let named = named.unwrap_or_default();
                    return Err(broken(sport::Fault(format!(
                        "raidNumber must be {next}, which is next, or one that has been made, got {named}: what is \
                         missing before it comes first"
                    ))));
                }
                Some(Ordering::Equal) | None => {}
            }
        }
        let (next, _) = game.play(self.now.wall.0, &action).map_err(broken)?;
        let body = written(&kinds::Acted { action, action_id, by: self.back_end.clone() });
        let (actions, bytes) = if ends { (0, 0) } else { (ACTIONS_SPARE, BYTES_SPARE) };
        self.has_room(course, body.len() + bytes, course.entries.len() + actions < ACTIONS_MAX)?;
        let reply = json!({"number": course.entries.len() + 1, "raidNumber": next.raid_number});
        Ok(Decision::record(kinds::ACTION, body).with_reply(reply.to_string().into()))
    }

    /// `body`: what it takes, with what must stay free beside it.
    fn has_room(&self, course: &Course, body: usize, fits: bool) -> Result<(), Refusal> {
        let bytes = course.bytes + course::bytes(body, self.by.as_ref());
        match fits && bytes <= LOG_BYTES_MAX {
            true => Ok(()),
            false => Err(Refusal::new(
                Code::App("FULL"),
                format!(
                    "the log of this match is full ({ACTIONS_MAX} actions, {} changes or {} KiB): end_match, \
                     and go on in another",
                    course::AMENDMENTS_MAX,
                    LOG_BYTES_MAX >> 10
                ),
            )),
        }
    }
}

fn action_id(fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let Some(id) = fields.text("actionId")? else { return Ok(None) };
    if id.is_empty() || id.len() > ACTION_ID_BYTES_MAX || id.chars().any(char::is_control) {
        let must = format!("1 to {ACTION_ID_BYTES_MAX} bytes without control characters");
        return Err(wrong("actionId", &must, &format!("{id:?}")));
    }
    Ok(Some(id.into_owned()))
}

/// The clock's own are nobody's to write into the past.
fn is_amendable(action: &Action) -> bool {
    !action.is_of_clock() && !sport::is_end(action)
}
