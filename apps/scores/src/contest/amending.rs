//! Undo, redo, correct: a word about an action that was recorded. Everything after it is played anew; where the rules would not
//! allow a later action any more, whoever asks is told which before it is done.

use app::{Decision, Fields};
use serde_json::json;
use vocabulary::{Code, Refusal};

use super::course::{AMENDMENTS_MAX, BYTES_SPARE, Course};
use super::records::{self as kinds, Change};
use super::{Asking, action_id, broken, is_amendable, told};
use crate::sport::{self, Action};
use crate::standing::{Part, forbidden};
use crate::wire::written;

const REASON_CHARS_MAX: usize = 200;
/// A refusal is a sentence.
const ASIDE_SAID_MAX: usize = 5;

fn not_found(text: impl Into<String>) -> Refusal {
    Refusal::new(Code::App("NOT_FOUND"), text.into())
}

impl Asking<'_> {
    pub(super) fn amends(&self, kind: &str, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let course = self.course()?;
        self.scores(kind)?;
        let action_id = action_id(fields)?;
        if let Some(done) = self.said_before(course, action_id.as_deref()) {
            return Ok(done);
        }
        if course.is_over() && self.part != Part::Organizer {
            return Err(forbidden("the match is over: only an organizer corrects it"));
        }
        if kind == "undo" && is_behind(course, fields)? {
            return Ok(Decision::reply(told::conflict(self.room.state, course)));
        }
        let number = number(course, kind, fields)?;
        let entry = course.entry(number).ok_or_else(|| {
            let many = course.entries.len();
            not_found(format!("no action {number}: the log has 1 to {many}"))
        })?;
        if sport::is_end(&entry.action) {
            return Err(Refusal::new(
                Code::App("MATCH_OVER"),
                "end_match is final: correct what was before it",
            ));
        }
        if !is_amendable(&entry.action) {
            return Err(Refusal::new(
                Code::InvalidPayload,
                format!(
                    "action {number} is the clock's own: set_clock takes a half back, and what made the clock say it can be undone"
                ),
            ));
        }
        let change = match kind {
            "undo" => Change::Undo,
            "redo" => Change::Redo,
            _ if entry.undone => {
                return Err(not_found(format!("action {number} is undone: redo it before it is corrected")));
            }
            _ => Change::Correct { action: corrected(fields)? },
        };
        let same = match &change {
            Change::Undo => entry.undone,
            Change::Redo => !entry.undone,
            Change::Correct { action } => *action == entry.action,
        };
        if same {
            let reply = json!({"number": number, "unchanged": true});
            return Ok(Decision::reply(reply.to_string().into()));
        }
        let force = fields.truth("force")?.unwrap_or(false);
        let (next, aside) = self.judged(course, number, &change, force)?;
        let reason = fields.short_text("reason", REASON_CHARS_MAX)?.map(std::borrow::Cow::into_owned);
        let body = written(&kinds::Amended { number, change, reason, action_id, by: self.back_end.clone() });
        self.has_room(course, body.len() + BYTES_SPARE, course.audit.len() < AMENDMENTS_MAX)?;
        let reply = json!({"number": number, "aside": aside, "raidNumber": next.game().raid_number});
        Ok(Decision::record(kinds::AMENDED, body).with_reply(reply.to_string().into()))
    }

    /// What stands there instead must be allowed there; what comes after it need not, if that is what they want, and what was
    /// aside when it was undone comes back as it was.
    fn judged(
        &self,
        course: &Course,
        number: u32,
        change: &Change,
        force: bool,
    ) -> Result<(Course, Vec<u32>), Refusal> {
        let missing = || not_found(format!("no action {number}"));
        let (next, aside) = course.with_change(number, change).ok_or_else(missing)?;
        let stands_again = force && *change == Change::Redo;
        if let Some(fault) = next.entry(number).and_then(|entry| entry.fault()).filter(|_| !stands_again) {
            return Err(broken(fault.clone()));
        }
        if !aside.is_empty() && !force {
            return Err(breaks(&next, &aside));
        }
        Ok((next, aside))
    }
}

/// Whoever takes the last action back and names none means the last that they have seen, and somebody may have said more.
fn is_behind(course: &Course, fields: &Fields<'_>) -> Result<bool, Refusal> {
    let Some(seen) = fields.number("actions", 0..=course.entries.len() as u64)? else { return Ok(false) };
    let of_person = |entry: &super::course::Entry| entry.outcome().is_some() && is_amendable(&entry.action);
    let named = fields.has("number") || fields.has("raidNumber");
    let mut since = course.numbered().skip_while(|(number, _)| u64::from(*number) <= seen);
    Ok(!named && since.any(|(_, entry)| of_person(entry)))
}

/// By its own number, by its raid's, or the last one that an official has said.
fn number(course: &Course, kind: &str, fields: &Fields<'_>) -> Result<u32, Refusal> {
    let named = |name: &str| fields.number(name, 1..=u64::from(u32::MAX));
    if let Some(number) = named("number")? {
        return Ok(u32::try_from(number).unwrap_or(u32::MAX));
    }
    if let Some(raid) = named("raidNumber")? {
        let raid = u32::try_from(raid).unwrap_or(u32::MAX);
        return course.of_raid(raid).ok_or_else(|| not_found(format!("no raid {raid} counts")));
    }
    let amendable = |entry: &super::course::Entry| is_amendable(&entry.action);
    let last = match kind {
        // What was undone last comes back first.
        "redo" => course
            .audit
            .iter()
            .rev()
            .map(|amendment| amendment.number)
            .find(|number| course.entry(*number).is_some_and(|entry| entry.undone)),
        _ => {
            let mut standing = course.numbered().rev();
            // What is set aside has nothing that could be taken back.
            let found = standing.find(|(_, entry)| entry.outcome().is_some() && amendable(entry));
            found.map(|(number, _)| number)
        }
    };
    last.ok_or_else(|| not_found(format!("there is nothing to {kind}")))
}

fn corrected(fields: &Fields<'_>) -> Result<Action, Refusal> {
    let invalid = |text: &'static str| Refusal::new(Code::InvalidPayload, text);
    let raw = fields.raw("action").ok_or_else(|| invalid("action is required: {type, …} as it should be"))?;
    let inner = Fields::of_item("action", "type", raw)?;
    let kind = match inner.text("type")? {
        Some(kind) => kind,
        None if inner.has("raidType") => "raid".into(),
        None => return Err(invalid("action.type is required: what the action should have been")),
    };
    let action = sport::action(&kind, &inner)?;
    let action = action.ok_or_else(|| invalid("action.type must be an action of the sport"))?;
    if !is_amendable(&action) {
        return Err(invalid("nothing is corrected into the clock's own actions or the end of a match"));
    }
    Ok(action)
}

fn breaks(next: &Course, aside: &[u32]) -> Refusal {
    let first = aside.iter().take(ASIDE_SAID_MAX).filter_map(|&number| {
        let fault = next.entry(number)?.fault()?;
        Some(format!("{number} ({})", fault.0))
    });
    let first: Vec<String> = first.collect();
    let more = aside.len().saturating_sub(first.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!(
        "the rules would not allow these actions any more: {}{more}; say force to set them aside",
        first.join(", ")
    );
    Refusal::new(Code::App("BREAKS"), text)
}
