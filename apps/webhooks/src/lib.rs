//! What webhooks keep in rooms, `webhooks:NAME` for the webhook of that name: calls that its receiver refused, and those of them that
//! an operator has sent again; and in `webhooks:NAME:LANE` what happened to connections, on its way to the receiver. The bridge writes,
//! back ends read and send again, and no client comes here. It keeps no state: what holds is in the log.

use app::{Action, App, Applied, Decision, Fields, Room, UnknownFormat};
use serde_json::Value;
use vocabulary::{Audience, Caller, Class, Code, Now, Payload, Record, Refusal, RoomId, Shown};

/// The app's name in rooms'.
pub const APP: &str = "webhooks";
/// A call that was refused: `{"event":{…},"status":400,"reason":"…","attempts":1}`.
pub const LETTER: &str = "letter";
/// It is to be sent again: `{"event":{…},"letter":"1-17"}`.
pub const RESEND: &str = "resend";
/// What happened: `{"events":[…],"dropped":0}`.
pub const HAPPENED: &str = "happened";

#[derive(Clone, Copy, Debug, Default)]
pub struct Webhooks;

fn forbidden() -> Refusal {
    Refusal::new(Code::Forbidden, "rooms of webhooks are open to no client")
}

/// The fields that a payload must have, so that whoever reads it later finds them.
fn has(payload: &Payload, field: &str, is: impl Fn(&Value) -> bool) -> Result<(), Refusal> {
    Fields::of(payload)?;
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    if is(&value[field]) {
        return Ok(());
    }
    Err(Refusal::new(Code::InvalidPayload, format!("{field} is required: as a letter of this room has it")))
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
            (Caller::Source { .. }, LETTER) => has(action.payload, "event", Value::is_object)?,
            (Caller::Source { .. }, HAPPENED) => has(action.payload, "events", Value::is_array)?,
            (Caller::Api { .. }, RESEND) => has(action.payload, "event", Value::is_object)?,
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
