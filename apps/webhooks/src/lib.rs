//! What webhooks keep in rooms, `webhooks:NAME` for the webhook of that name: events that its receiver did not take, and those of them
//! that an operator has sent again; and in `webhooks:NAME:LANE` what happened to connections, on its way to the receiver. The bridge writes, back ends read and send again, and no client comes here. It keeps no state: what
//! holds is in the log.

use app::{Action, App, Applied, Decision, Fields, Room, UnknownFormat};
use serde_json::Value;
use vocabulary::{Audience, Caller, Class, Code, Now, Payload, Record, Refusal, RoomId, Shown};

/// The app's name in rooms'.
pub const APP: &str = "webhooks";
/// An event that was not taken: `{"event":{…},"status":400,"reason":"…","attempts":1}`.
pub const LETTER: &str = "letter";
/// It is to be sent again: `{"event":{…},"letter":"1-17"}`.
pub const RESEND: &str = "resend";
/// What happened to connections: `{"events":[…]}`.
pub const HAPPENED: &str = "happened";

#[derive(Clone, Copy, Debug, Default)]
pub struct Webhooks;

fn forbidden() -> Refusal {
    Refusal::new(Code::Forbidden, "rooms of webhooks are open to no client")
}

/// Whoever reads it later finds an event in it.
fn has_event(payload: &Payload) -> Result<(), Refusal> {
    Fields::of(payload)?;
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    if value["event"]["id"].is_string() {
        return Ok(());
    }
    let says = "event is required, with its id: as a letter of this room has it";
    Err(Refusal::new(Code::InvalidPayload, says))
}

impl App for Webhooks {
    type State = ();

    fn start(&self, _: &RoomId) {}

    fn admit(&self, _: Now, (): &(), caller: &Caller, _: &Payload) -> Result<Audience, Refusal> {
        match caller.user() {
            Some(_) => Err(forbidden()),
            None => Ok(Audience::default()),
        }
    }

    fn decide(
        &self,
        _: Now,
        _: Room<'_, ()>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        match (caller, action.kind) {
            (Caller::Source { .. }, LETTER) | (Caller::Api { .. }, RESEND) => has_event(action.payload)?,
            (Caller::Source { .. }, HAPPENED) => {}
            (Caller::Api { .. } | Caller::Source { .. }, kind) => {
                return Err(Refusal::new(Code::UnknownType, format!("unknown message type: {kind}")));
            }
            _ => return Err(forbidden()),
        }
        let kind = [LETTER, HAPPENED, RESEND].into_iter().find(|kind| *kind == action.kind);
        Ok(Decision::record(kind.unwrap_or(LETTER), action.payload.clone()))
    }

    fn apply(&self, (): &mut (), record: &Record) -> Applied {
        match &*record.kind {
            LETTER | RESEND | HAPPENED => Applied::Done,
            _ => Applied::Unknown,
        }
    }

    fn show(&self, (): &(), record: &Record, _: Audience) -> Option<Shown> {
        let kind = [LETTER, HAPPENED, RESEND].into_iter().find(|kind| *kind == record.kind)?;
        Some(Shown { kind, payload: record.body.clone(), sender: None, class: Class::Record, lasting: true })
    }

    /// A letter was there already.
    fn show_outward(&self, state: &(), record: &Record) -> Option<Shown> {
        self.show(state, record, Audience::default()).filter(|shown| shown.kind != LETTER)
    }

    fn view(&self, (): &(), _: Audience) -> Payload {
        "{}".into()
    }

    fn save(&self, (): &()) -> Payload {
        Payload::new()
    }

    fn load(&self, _: &RoomId, _: &Payload) -> Result<(), UnknownFormat> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
