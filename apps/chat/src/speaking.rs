//! Decides what concerns messages: saying, editing, deleting, reacting, typing. It changes nothing.

use std::sync::Arc;
use std::time::Duration;

use app::{Action, Decision, Fields, SoftDraft};
use serde_json::value::RawValue;
use vocabulary::{Class, Code, Now, Payload, Position, Record, Refusal, UserId};

use crate::changes::{Change, Edit, REACTING_MAX, REACTIONS_MAX, Standing};
use crate::content::{about_message, check_message, edited, reaction};
use crate::people::STEPS_AT_A_TIME;
use crate::records::{self, DELETED, EDITED, MESSAGE, REACTED, UNREACTED, written};
use crate::standing::{Rank, Who, forbidden};
use crate::{REHEARSED, Rules, State};

/// A typing value ends by itself; clients repeat it while somebody types.
const TYPING: Duration = Duration::from_secs(5);

pub(crate) struct Speaking<'a> {
    pub rules: &'a Rules,
    pub now: Now,
    pub state: &'a State,
    pub subject: Option<&'a Record>,
    pub who: Who<'a>,
}

fn not_found() -> Refusal {
    Refusal::new(Code::App("NOT_FOUND"), "no such message")
}

fn too_many_changes(text: String) -> Refusal {
    Refusal::new(Code::App("TOO_MANY_CHANGES"), text)
}

impl Speaking<'_> {
    pub(crate) fn decide(&self, action: Action<'_>) -> Result<Decision, Refusal> {
        match action.kind {
            "send_message" => self.send(action.payload),
            "edit_message" => self.edit(&Fields::of(action.payload)?),
            "delete_message" => self.delete(&Fields::of(action.payload)?),
            "add_reaction" => self.react(&Fields::of(action.payload)?),
            "remove_reaction" => self.unreact(&Fields::of(action.payload)?),
            "typing" => self.typing(true),
            "stop_typing" => self.typing(false),
            kind => Err(Refusal::new(Code::UnknownType, format!("unknown message type: {kind}"))),
        }
    }

    fn paced(&self) -> Result<(), Refusal> {
        let Some(id) = self.who.id().filter(|_| self.who.rank < Rank::Key) else { return Ok(()) };
        self.state.pace.check(self.rules, id, self.now.wall)
    }

    fn may_speak(&self) -> Result<(), Refusal> {
        self.who.may_say(self.rules, self.state)?;
        self.who.unmuted(self.state, self.now.wall)?;
        self.paced()
    }

    fn send(&self, payload: &Payload) -> Result<Decision, Refusal> {
        check_message(payload)?;
        self.may_speak()?;
        let seconds = self.state.settings.slow_mode_seconds;
        if let Some(id) = self.who.id().filter(|_| seconds > 0 && self.who.rank < Rank::Moderator) {
            self.state.slow.check(seconds, id, self.now.wall)?;
        }
        let mut decision = Decision::record(MESSAGE, payload.clone());
        // The next one of the same author is to meet this one's time.
        decision.alone = seconds > 0;
        if cfg!(feature = "rehearsal") && self.state.room.name() == REHEARSED {
            decision.records.extend(Decision::record(REHEARSED, Payload::new()).records);
        }
        // The first words of two list their room in both inboxes.
        decision.wakes = self.state.pair.is_some() && !self.state.listed;
        Ok(decision)
    }

    /// The message that it is about, if it is still there for anybody.
    fn message(&self, fields: &Fields<'_>) -> Result<(&Record, Standing<'_>), Refusal> {
        let position = about_message(fields)?;
        let found = self.subject.filter(|record| {
            record.position == position && record.kind == MESSAGE && position >= self.state.said.from
        });
        let record = found.ok_or_else(not_found)?;
        Ok((record, self.state.changes.of(position, record.author.as_ref().map(|author| &author.id))))
    }

    /// The message and what it has become, if it can become anything else.
    fn changeable(&self, fields: &Fields<'_>) -> Result<(&Record, Change), Refusal> {
        let (record, standing) = self.message(fields)?;
        let author = record.author.as_ref().map(|author| author.id.clone());
        match standing {
            Standing::Plain => Ok((record, Change { author, ..Change::default() })),
            Standing::Changed(change) => Ok((record, change.clone())),
            Standing::Deleted | Standing::Erased => Err(not_found()),
        }
    }

    fn fits(&self, position: Position, change: &Change) -> Result<(), Refusal> {
        match self.state.changes.fits(position, change) {
            true => Ok(()),
            false => Err(too_many_changes(
                "this room holds as many edits and reactions as it can: delete the message and say it anew"
                    .into(),
            )),
        }
    }

    fn edit(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let payload = edited(fields)?;
        let (record, mut change) = self.changeable(fields)?;
        // What nobody wrote is a back end's, and only a back end edits it.
        let own = match &record.author {
            Some(author) => self.who.is(&author.id),
            None => self.who.rank == Rank::Key && self.who.person.is_none(),
        };
        if !own {
            return Err(forbidden("only its author edits a message"));
        }
        self.may_speak()?;
        change.edit = Some(Edit { at: self.now.wall, payload: payload.clone() });
        self.fits(record.position, &change)?;
        let raw: &RawValue = serde_json::from_slice(&payload).map_err(|_| {
            Refusal::new(Code::InvalidPayload, "payload must be an object with a text in content")
        })?;
        let author = record.author.as_ref().map(|author| author.id.to_string());
        let body = records::Edited { message_id: record.position.to_string(), author, payload: raw };
        Ok(Decision::record(EDITED, written(&body)))
    }

    fn delete(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let (record, standing) = self.message(fields)?;
        let own = record.author.as_ref().is_some_and(|author| self.who.is(&author.id));
        // In a room of two there is nobody above the other.
        if !own && self.who.rank < Rank::Moderator {
            return Err(forbidden("only its author, a moderator or above deletes a message"));
        }
        if matches!(standing, Standing::Deleted | Standing::Erased) {
            return Ok(Decision::nothing());
        }
        if !self.state.changes.may_delete() {
            return Err(too_many_changes(
                "this room holds as many deleted messages as it can: chat.retention_days ends the old ones"
                    .into(),
            ));
        }
        self.paced()?;
        let body = records::Named { message_id: record.position.to_string() };
        Ok(Decision::record(DELETED, written(&body)))
    }

    /// Reactions are somebody's.
    fn reacting(&self) -> Result<&UserId, Refusal> {
        self.who.id().ok_or_else(|| forbidden("only a user reacts: an API key has no name for it"))
    }

    fn react(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let reaction = reaction(fields)?;
        let (record, mut change) = self.changeable(fields)?;
        let user = self.reacting()?;
        self.who.unmuted(self.state, self.now.wall)?;
        if change.has(&reaction, user) {
            return Ok(Decision::nothing());
        }
        change.react(&reaction, user);
        if change.reactions.len() > REACTIONS_MAX || change.reacting() > REACTING_MAX {
            let text = "a message has at most 20 different reactions, and 200 in all: remove one first";
            return Err(too_many_changes(text.into()));
        }
        self.fits(record.position, &change)?;
        self.paced()?;
        Ok(self.reaction(REACTED, record, reaction))
    }

    fn unreact(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let reaction = reaction(fields)?;
        let (record, standing) = self.message(fields)?;
        let user = self.reacting()?;
        match standing {
            Standing::Changed(change) if change.has(&reaction, user) => {
                self.paced()?;
                Ok(self.reaction(UNREACTED, record, reaction))
            }
            _ => Ok(Decision::nothing()),
        }
    }

    fn reaction(&self, kind: &'static str, record: &Record, reaction: String) -> Decision {
        let author = record.author.as_ref().map(|author| author.id.to_string());
        let message_id = record.position.to_string();
        Decision::record(kind, written(&records::Reaction { message_id, reaction, author }))
    }

    fn typing(&self, types: bool) -> Result<Decision, Refusal> {
        let Some(person) = self.who.person.filter(|_| self.who.rank < Rank::Key) else {
            return Err(forbidden("only a user types"));
        };
        if types {
            self.who.may_say(self.rules, self.state)?;
            self.who.unmuted(self.state, self.now.wall)?;
        }
        let key: Arc<str> = format!("typing/{}", person.id).into();
        let value = types.then(|| Payload::copy_from_slice(person.name.as_bytes()));
        Ok(Decision::soft(SoftDraft { key, value, time_to_live: TYPING, class: Class::Signal }))
    }
}

/// What an inbox answered closes the step, be it a refusal: it would be refused for ever. What is no answer, or a fault of ours,
/// leaves it open.
pub(crate) fn settled(
    state: &State,
    step: &vocabulary::StepId,
    result: &Result<Payload, Refusal>,
) -> Decision {
    let unanswered = result.as_ref().is_err_and(|refusal| !refusal.code.is_clients_fault());
    let open = state.people.known().filter_map(|(_, someone)| someone.untold);
    let is =
        |untold: &crate::people::Untold| (untold.position, untold.number) == (step.position, step.number);
    let (count, found) = open.fold((0, false), |(count, found), untold| (count + 1, found || is(&untold)));
    if unanswered || !found {
        return Decision::nothing();
    }
    let body = records::Listed { position: step.position.to_string(), number: step.number };
    let decision = Decision::record(records::LISTED, written(&body));
    Decision { wakes: count > STEPS_AT_A_TIME, ..decision }
}
