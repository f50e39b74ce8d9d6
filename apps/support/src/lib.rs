//! Support live chat as an app: sessions, and the departments that give them to agents. A session is one customer's conversation
//! and the truth about it; a department decides whose each session is. They speak to each other by steps alone.

mod department;
mod rules;
mod session;
mod standing;
#[cfg(test)]
mod tests;
mod wire;

use app::{
    Action, App, Applied, Decision, Duties, Duty, Needs, Presence, Room, SoftChange, Step, UnknownFormat,
};
use serde::{Deserialize, Serialize};
use vocabulary::{Audience, Caller, Code, Now, Payload, Record, Refusal, RoomId, Shown, UserId, Wall, Word};

use department::Department;
use session::{Part, Session};
use standing::Who;

pub use rules::{AttachmentRules, Authority, Choice, DepartmentRule, Rules, is_department_name};

/// What leaves for brokers: what the customer sees, and what is asked of a fleet's own back end.
const OUTWARD: Audience = Audience(0);
const CUSTOMER: Audience = Audience(1);
const STAFF: Audience = Audience(2);

const WORDS: &[Word] = &[
    Word::of_members("send_message"),
    Word::of_members("typing"),
    Word::of_members("stop_typing"),
    Word::of_anyone("start"),
    Word::of_anyone("set_contact"),
    Word::of_anyone("link_user"),
    Word::of_anyone("mark_read"),
    Word::of_anyone("add_note"),
    Word::of_anyone("assign"),
    Word::of_anyone("transfer"),
    Word::of_anyone("close"),
    Word::of_anyone("rate"),
    Word::of_anyone("reopen"),
    Word::of_anyone("still_here"),
    Word::of_anyone("set_priority"),
    Word::of_anyone("request_escalation"),
    Word::of_anyone("get_session"),
    Word::of_anyone("get_transcript"),
    Word::of_anyone("set_status"),
    Word::of_anyone("heartbeat"),
    Word::of_anyone("pick"),
    Word::of_anyone("get_department"),
    Word::of_anyone("get_agent"),
    Word::of_anyone("get_queue"),
];

/// The first is what this build writes.
const VERSION: u32 = 1;

#[derive(Clone, Debug, Default)]
pub struct Support {
    rules: Rules,
}

/// What a room of this app is, by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Session(Box<Session>),
    Department(Box<Department>),
    /// A name that means nothing here.
    Nowhere,
}

#[derive(Serialize)]
struct Saving<'a> {
    version: u32,
    state: &'a Kind,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Deserialize)]
struct Saved {
    state: Kind,
}

fn user(id: &str) -> UserId {
    UserId::new(id)
}

fn nowhere() -> Refusal {
    let text = "no such room: a session is support:{uuid} in lower case, a department support:dept:{name}";
    Refusal::new(Code::App("NOT_FOUND"), text)
}

/// What a decision looks at, with the state of the kind that the room is.
fn of_kind<'a, S>(room: &Room<'a, State>, state: &'a S) -> Room<'a, S> {
    Room { id: room.id, state, presence: room.presence, soft: room.soft, subject: room.subject }
}

impl Support {
    pub fn new(rules: Rules) -> Support {
        Support { rules }
    }
}

impl App for Support {
    type State = State;

    fn needs(&self) -> Needs {
        Needs { duties: Duties::Always, presence_duties: true, ..Needs::default() }
    }

    fn words(&self) -> &'static [Word] {
        WORDS
    }

    fn start(&self, room: &RoomId) -> State {
        let kind = match room.name().strip_prefix("dept:") {
            Some(name) if is_department_name(name) => Kind::Department(Department::new(room).into()),
            None if session::is_session_name(room.name()) => Kind::Session(Session::new(room).into()),
            _ => Kind::Nowhere,
        };
        State(kind)
    }

    fn admit(&self, _now: Now, state: &State, caller: &Caller, _join: &Payload) -> Result<Audience, Refusal> {
        let who = Who::of(caller);
        match &state.0 {
            Kind::Session(session) => match session::part(&self.rules, session, &who)? {
                Part::Customer => Ok(CUSTOMER),
                Part::Staff | Part::Agent | Part::Lead | Part::Backend => Ok(STAFF),
            },
            Kind::Department(department) => department::enter(&self.rules, department, &who).map(|()| STAFF),
            Kind::Nowhere => Err(nowhere()),
        }
    }

    fn about(&self, now: Now, state: &State, caller: &Caller, join: &Payload) -> Option<Payload> {
        let audience = self.admit(now, state, caller, join).ok()?;
        match &state.0 {
            Kind::Session(session) => {
                let part = session::part(&self.rules, session, &Who::of(caller)).ok()?;
                Some(session::about(&self.rules, session, part, audience).to_string().into())
            }
            Kind::Department(department) => Some(department::view(&self.rules, department)),
            Kind::Nowhere => None,
        }
    }

    fn present(&self, state: &State, presence: Presence<'_>) -> Option<Payload> {
        match &state.0 {
            Kind::Session(session) => Some(session::present(session, presence)),
            Kind::Department(_) | Kind::Nowhere => None,
        }
    }

    fn guarded(&self, action: Action<'_>) -> bool {
        !matches!(
            action.kind,
            "send_message"
                | "message"
                | "typing"
                | "stop_typing"
                | "mark_read"
                | "add_note"
                | "queue_position"
                | "get_session"
                | "get_transcript"
                | "get_department"
                | "get_agent"
                | "get_queue"
        )
    }

    fn decide(
        &self,
        now: Now,
        room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        match &room.state.0 {
            Kind::Session(session) => {
                session::decide(&self.rules, now, of_kind(&room, &**session), caller, action)
            }
            Kind::Department(department) => {
                department::decide(&self.rules, now, of_kind(&room, &**department), caller, action)
            }
            Kind::Nowhere => Err(nowhere()),
        }
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        match &mut state.0 {
            Kind::Session(session) => session.apply(record),
            Kind::Department(department) => department.apply(record),
            Kind::Nowhere => Applied::Unknown,
        }
    }

    fn show(&self, state: &State, record: &Record, audience: Audience) -> Option<Shown> {
        match &state.0 {
            Kind::Session(session) => session::shown(session, record, audience),
            Kind::Department(department) => department::shown(department, record, audience),
            Kind::Nowhere => None,
        }
    }

    fn is_outward(&self, state: &State) -> bool {
        matches!(state.0, Kind::Session(_))
    }

    fn glimpse(&self, state: &State, change: &SoftChange<'_>, audience: Audience) -> Option<Shown> {
        match &state.0 {
            Kind::Session(session) => session::glimpse(session, change, audience),
            Kind::Department(_) | Kind::Nowhere => None,
        }
    }

    fn view(&self, state: &State, audience: Audience) -> Payload {
        match &state.0 {
            Kind::Session(session) => session::view(session, audience),
            Kind::Department(department) if audience == STAFF => department::view(&self.rules, department),
            Kind::Department(_) | Kind::Nowhere => Payload::from_static(b"{}"),
        }
    }

    fn due(&self, now: Now, room: Room<'_, State>) -> Option<(Wall, Duty)> {
        match &room.state.0 {
            Kind::Session(session) => session::due(&self.rules, now, &of_kind(&room, &**session)),
            Kind::Department(department) => department::due(&self.rules, now, &of_kind(&room, &**department)),
            Kind::Nowhere => None,
        }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        match &state.0 {
            Kind::Session(session) => session::steps(&self.rules, session),
            Kind::Department(department) => department::steps(&self.rules, department),
            Kind::Nowhere => Vec::new(),
        }
    }

    fn save(&self, state: &State) -> Payload {
        wire::written(&Saving { version: VERSION, state: &state.0 })
    }

    fn load(&self, room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        let unreadable = |error| UnknownFormat(format!("support snapshot: {error}"));
        let Versioned { version } = serde_json::from_slice(saved).map_err(unreadable)?;
        if version != VERSION {
            return Err(UnknownFormat(format!("support snapshot of version {version}")));
        }
        let mut saved: Saved = serde_json::from_slice(saved).map_err(unreadable)?;
        match &mut saved.state {
            Kind::Session(session) => session.room = room.clone(),
            Kind::Department(department) => department.room = room.clone(),
            Kind::Nowhere => {}
        }
        Ok(State(saved.state))
    }
}
