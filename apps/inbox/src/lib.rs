//! A user's inbox, `user:{id}`: back ends write, the user's devices read, and nobody else has anything to do with it. What is
//! written is stored whether a device is there or not.

use app::{Action, App, Applied, Decision, Room, UnknownFormat};
use vocabulary::{Audience, Caller, Class, Code, Now, Payload, Record, Refusal, RoomId, Shown};

const NOTIFICATION: &str = "notification";

#[derive(Clone, Copy, Debug, Default)]
pub struct Inbox;

/// Whose it is, is its name; that is all there is to know.
#[derive(Clone, Debug)]
pub struct State(RoomId);

impl App for Inbox {
    type State = State;

    fn start(&self, room: &RoomId) -> State {
        State(room.clone())
    }

    fn admit(&self, _now: Now, state: &State, caller: &Caller, _join: &Payload) -> Result<Audience, Refusal> {
        match caller {
            Caller::Connection { user, .. } | Caller::Visitor { user }
                if user.person.id.as_str() == state.0.name() =>
            {
                Ok(Audience::default())
            }
            Caller::Connection { .. } | Caller::Visitor { .. } => {
                Err(Refusal::new(Code::Forbidden, "an inbox is open to its own user alone"))
            }
            Caller::Api { .. }
            | Caller::Source { .. }
            | Caller::Duty { .. }
            | Caller::Step(_)
            | Caller::Outcome { .. } => Ok(Audience::default()),
        }
    }

    fn decide(
        &self,
        _now: Now,
        _room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        if let Caller::Connection { .. } = caller {
            return Err(Refusal::new(Code::Forbidden, "back ends write to an inbox, by the HTTP API"));
        }
        if action.payload.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::new(Code::InvalidPayload, "payload must be an object"));
        }
        Ok(Decision::record(NOTIFICATION, action.payload.clone()))
    }

    fn apply(&self, _state: &mut State, record: &Record) -> Applied {
        if &*record.kind == NOTIFICATION { Applied::Done } else { Applied::Unknown }
    }

    fn show(&self, _state: &State, record: &Record, _audience: Audience) -> Option<Shown> {
        (&*record.kind == NOTIFICATION).then(|| Shown {
            kind: NOTIFICATION,
            payload: record.body.clone(),
            sender: None,
            class: Class::Record,
            lasting: true,
        })
    }

    /// What is older than the log is gone; the rest is history.
    fn view(&self, _state: &State, _audience: Audience) -> Payload {
        Payload::from_static(b"{}")
    }

    fn save(&self, _state: &State) -> Payload {
        Payload::new()
    }

    fn load(&self, room: &RoomId, _saved: &Payload) -> Result<State, UnknownFormat> {
        Ok(State(room.clone()))
    }
}
