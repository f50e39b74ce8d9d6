//! What is told of a match: the whole of it to those who follow the state, action by action to those who follow deltas, and to
//! whoever asks. The one way out; who may not see a match gets nothing here.

use app::{Decision, Fields};
use serde_json::{Value, json};
use vocabulary::{Audience, Caller, Class, Payload, Record, Refusal, Shown, Wall};

use super::course::{Amendment, Course, Entry};
use super::records::{self as kinds, Change};
use super::{Contest, part, unborn};
use crate::sport;
use crate::standing::{Part, forbidden, is_invited};
use crate::{DELTA, OUTWARD, WHOLE};

/// A state goes out in one frame.
const VIEW_BYTES_MAX: usize = 64 << 10;
/// A sheet is asked for by itself; beyond this it is asked for again.
const SHEET_BYTES_MAX: usize = 256 << 10;

/// Officials come before there is a match, viewers when there is one.
pub(crate) fn enter(contest: &Contest, caller: &Caller) -> Result<(), Refusal> {
    let part = part(contest, caller);
    match &contest.course {
        None if part == Part::Viewer => Err(unborn()),
        Some(course) if part == Part::Viewer && !course.public && !is_invited(caller, &contest.room) => {
            Err(forbidden("the match is not public: it takes a token for this room, or an official's"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn about(contest: &Contest, caller: &Caller, audience: Audience) -> Payload {
    let mode = if audience == DELTA { "delta" } else { "whole" };
    let part = part(contest, caller);
    let mut told = json!({"matchId": contest.room.name(), "role": part.name(), "mode": mode});
    let Some(course) = &contest.course else {
        told["data"] = Value::Null;
        return told.to_string().into();
    };
    if part != Part::Viewer {
        told["officials"] = json!(course.officials);
    }
    with_state(&told, contest, course)
}

pub(crate) fn view(contest: &Contest) -> Payload {
    match &contest.course {
        Some(course) => whole(contest, course),
        None => Payload::from_static(b"{}"),
    }
}

/// Written when somebody asks first: it has tens of KiB, and all who follow are told the same.
pub(super) fn whole(contest: &Contest, course: &Course) -> Payload {
    course.view.or_written(|| state(contest, course).to_string().into())
}

/// An object, and in it the state as `data`.
fn with_state(told: &Value, contest: &Contest, course: &Course) -> Payload {
    let state = whole(contest, course);
    let mut text = told.to_string().into_bytes();
    let is_empty = text == b"{}";
    text.pop();
    text.reserve(state.len() + 16);
    text.extend_from_slice(if is_empty { b"\"data\":" } else { b",\"data\":" });
    text.extend_from_slice(&state);
    text.push(b'}');
    text.into()
}

/// For who acted on a raid that was taken: nothing was recorded, and this is how it stands.
pub(super) fn conflict(contest: &Contest, course: &Course) -> Payload {
    let told = json!({"error": "conflict", "raidNumber": course.game().raid_number});
    with_state(&told, contest, course)
}

fn raids(course: &Course) -> impl DoubleEndedIterator<Item = Value> {
    course
        .numbered()
        .filter_map(|(number, entry)| sport::raid_line(number, entry.at, &entry.action, entry.outcome()?))
}

/// The newest raids as far as they fit, with how many there are.
fn state(contest: &Contest, course: &Course) -> Value {
    let game = course.game();
    let mut told = sport::state(game);
    told.insert("matchId".into(), contest.room.name().into());
    told.insert("title".into(), course.title.clone().into());
    told.insert("event".into(), json!(course.event));
    told.insert("sport".into(), sport::NAME.into());
    told.insert("actions".into(), course.entries.len().into());
    let last = course.numbered().rev().find_map(|(number, entry)| {
        let told = sport::line(game, number, entry.at, &entry.action, entry.outcome()?);
        told.get("raidDetails").cloned()
    });
    told.insert("raidDetails".into(), last.into());
    let mut room = VIEW_BYTES_MAX.saturating_sub(Value::from(told.clone()).to_string().len() + 256);
    let mut log = Vec::new();
    let mut count = 0usize;
    let mut fits = true;
    for raid in raids(course).rev() {
        count += 1;
        let bytes = raid.to_string().len() + 1;
        fits &= bytes <= room;
        if fits {
            room -= bytes;
            log.push(raid);
        }
    }
    log.reverse();
    told.insert("raidLog".into(), log.into());
    told.insert("raidCount".into(), count.into());
    told.into()
}

fn delta(contest: &Contest, course: &Course, record: &Record) -> Option<(&'static str, Payload)> {
    match &*record.kind {
        kinds::CREATED | kinds::SQUAD_SET => Some(("match_created", with_state(&json!({}), contest, course))),
        kinds::ACTION => {
            let (number, entry) = course.numbered().rev().find(|(_, it)| it.position == record.position)?;
            let game = course.game();
            let told = sport::line(game, number, entry.at, &entry.action, entry.outcome()?);
            let (action, now) = (&entry.action, sport::standing(game));
            let players = sport::touched(game, &entry.action, entry.outcome()?);
            let delta = json!({"number": number, "action": action, "line": told, "now": now,
                "playerStats": players});
            Some(("match_action", delta.to_string().into()))
        }
        kinds::AMENDED => {
            // Each of them makes a past that is the newest one's past, too.
            let amendment = course.audit.last().filter(|last| last.position == record.position)?;
            Some(("match_amended", with_state(&told_amendment(amendment), contest, course)))
        }
        _ => None,
    }
}

pub(crate) fn shown(contest: &Contest, record: &Record, audience: Audience) -> Option<Shown> {
    let course = contest.course.as_ref()?;
    let told = |kind, payload, class, lasting| Some(Shown { kind, payload, sender: None, class, lasting });
    match audience {
        WHOLE if record.position == course.last => {
            told("enhancedStats", whole(contest, course), Class::Latest(0), false)
        }
        DELTA | OUTWARD => {
            let (kind, payload) = delta(contest, course, record)?;
            told(kind, payload, Class::Record, kind == "match_action")
        }
        _ => None,
    }
}

fn told_amendment(amendment: &Amendment) -> Value {
    let (what, before) = match &amendment.change {
        Change::Undo => ("undo", None),
        Change::Redo => ("redo", None),
        Change::Correct { action } => ("correct", Some(action)),
    };
    let mut told = json!({"number": amendment.number, "what": what, "at": Wall(amendment.at).to_string(),
        "reason": amendment.reason, "aside": amendment.aside, "asideCount": amendment.aside_count});
    if let Some(before) = before {
        told["before"] = json!(before);
    }
    told
}

/// As many as fit, from a number on, and where to go on. No others are written.
fn page<T>(
    from: usize,
    of: impl Iterator<Item = T>,
    line: impl Fn(T) -> Value,
) -> (Vec<Value>, Option<usize>) {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for (number, of) in (1..).zip(of).skip(from - 1) {
        let line = line(of);
        bytes += line.to_string().len() + 1;
        if bytes > SHEET_BYTES_MAX {
            return (page, Some(number));
        }
        page.push(line);
    }
    (page, None)
}

fn from(fields: &Fields<'_>) -> Result<usize, Refusal> {
    let from = fields.number("from", 1..=u64::from(u32::MAX))?.unwrap_or(1);
    Ok(usize::try_from(from).unwrap_or(usize::MAX))
}

fn sheet_line(game: &sport::Game, number: u32, entry: &Entry) -> Value {
    let mut told = match entry.outcome() {
        Some(outcome) => sport::line(game, number, entry.at, &entry.action, outcome),
        None => json!({"number": number, "at": Wall(entry.at).to_string()}),
    };
    told["action"] = json!(entry.action);
    if entry.undone {
        told["undone"] = true.into();
    }
    if let Some(fault) = entry.fault() {
        told["aside"] = fault.0.clone().into();
    }
    told
}

/// The score sheet: the state, and every action with what it came to.
pub(super) fn sheet(contest: &Contest, course: &Course, fields: &Fields<'_>) -> Result<Decision, Refusal> {
    let game = course.game();
    let line = |(number, entry)| sheet_line(game, number, entry);
    let (lines, next) = page(from(fields)?, course.numbered(), line);
    let told = json!({"sheet": lines, "next": next, "count": course.entries.len()});
    Ok(Decision::reply(with_state(&told, contest, course)))
}

fn audit_line(entered: &Entered<'_>) -> Value {
    let (mut told, by, position) = match entered {
        Entered::Said(number, entry) => {
            let told = json!({"at": Wall(entry.at).to_string(), "what": "action", "action": entry.action,
                "number": number});
            (told, &entry.by, entry.position)
        }
        Entered::Changed(amendment) => (told_amendment(amendment), &amendment.by, amendment.position),
    };
    told["by"] = json!(by);
    told["position"] = position.to_string().into();
    told
}

enum Entered<'a> {
    Said(u32, &'a Entry),
    Changed(&'a Amendment),
}

/// Who said each action, and who changed which.
pub(super) fn audit(course: &Course, fields: &Fields<'_>) -> Result<Decision, Refusal> {
    let said = course.numbered().map(|(number, entry)| Entered::Said(number, entry));
    let mut all: Vec<Entered<'_>> = said.chain(course.audit.iter().map(Entered::Changed)).collect();
    all.sort_by_key(|entered| match entered {
        Entered::Said(_, entry) => entry.position,
        Entered::Changed(amendment) => amendment.position,
    });
    let (lines, next) = page(from(fields)?, all.iter(), audit_line);
    let told = json!({"audit": lines, "next": next, "count": all.len()});
    Ok(Decision::reply(told.to_string().into()))
}
