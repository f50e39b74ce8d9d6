//! A session, `support:{uuid}`: a customer's conversation with the staff, and the truth about it. What is asked of one is sorted
//! here by who asks; the rules are in the files beside.

mod content;
mod course;
mod duties;
mod records;
mod said;
mod saying;
mod stage;
mod state;
mod telling;
mod told;

use app::{Action, Decision, Fields, Room};
use vocabulary::{Caller, Code, Now, Refusal, RoomId};

use crate::standing::{Role, Who, forbidden};
use crate::{Authority, Rules};

pub(crate) use duties::due;
pub(crate) use state::Session;
pub(crate) use telling::steps;
pub(crate) use told::{about, glimpse, present, shown, view};

/// What a caller is to this session. Each may do what the ones before may, but the customer, who is no staff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Customer,
    /// Of its department.
    Staff,
    /// Whose session it is.
    Agent,
    /// A supervisor or an administrator of its department.
    Lead,
    Backend,
}

/// A decision about a session.
pub(crate) struct Asking<'a> {
    rules: &'a Rules,
    now: Now,
    room: Room<'a, Session>,
    who: Who<'a>,
    part: Part,
}

pub(crate) fn no_session() -> Refusal {
    Refusal::new(Code::App("NOT_FOUND"), "no such session: start begins one")
}

/// What the caller is here, or why they are nothing.
pub(crate) fn part(rules: &Rules, session: &Session, who: &Who<'_>) -> Result<Part, Refusal> {
    if who.role == Role::Backend {
        return Ok(Part::Backend);
    }
    if session.is_unborn() && rules.authority == Authority::Kulkul {
        return Err(no_session());
    }
    let is = |id: &str| who.id().is_some_and(|own| own.as_str() == id);
    // Whoever asks for help is a customer there, whatever they are elsewhere: notes are about them.
    match &session.customer {
        Some(customer) if is(&customer.id) => return Ok(Part::Customer),
        None if !who.is_staff() && who.is_bound_to(&session.room) => return Ok(Part::Customer),
        _ => {}
    }
    let serves = match &session.department {
        Some(department) => who.serves(department),
        None => who.is_staff(),
    };
    let own = who.is_staff() && session.agent().is_some_and(|agent| is(&agent.id));
    match who.role {
        Role::Supervisor | Role::Admin if serves => Ok(Part::Lead),
        _ if own => Ok(Part::Agent),
        _ if serves => Ok(Part::Staff),
        _ => Err(forbidden("a session is open to its customer and to the staff of its department")),
    }
}

pub(crate) fn decide(
    rules: &Rules,
    now: Now,
    room: Room<'_, Session>,
    caller: &Caller,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    match caller {
        Caller::Outcome { step, result } => return Ok(telling::settled(rules, room.state, step, result)),
        Caller::Duty { name, .. } => return Ok(duties::decide(rules, now, &room, name)),
        Caller::Step(step) => return duties::asked_by_room(rules, room.state, &step.saga, action),
        Caller::Source { .. } => return saying::heard(rules, room.state, action),
        Caller::Connection { .. } | Caller::Visitor { .. } | Caller::Api { .. } => {}
    }
    let who = Who::of(caller);
    let fields = Fields::of(action.payload)?;
    if action.kind == "start" {
        ours(rules)?;
        return course::start(rules, room.state, &who, &fields);
    }
    let part = part(rules, room.state, &who)?;
    let asking = Asking { rules, now, room, who, part };
    match action.kind {
        "get_session" => return Ok(Decision::reply(told::session(rules, &asking))),
        "get_transcript" => return Ok(Decision::reply(told::transcript(&asking))),
        "send_message" | "typing" | "stop_typing" | "mark_read" | "add_note" => {
            return asking.says(action.kind, &fields);
        }
        _ => {}
    }
    if COURSE.contains(&action.kind) {
        ours(rules)?;
        if asking.room.state.is_unborn() {
            return Err(no_session());
        }
        return asking.steers(action.kind, &fields);
    }
    Err(Refusal::new(
        Code::UnknownType,
        format!("unknown message type: {} (a department knows it, no session)", action.kind),
    ))
}

pub(crate) const COURSE: &[&str] = &[
    "set_contact",
    "link_user",
    "assign",
    "transfer",
    "close",
    "rate",
    "reopen",
    "still_here",
    "set_priority",
    "request_escalation",
];

/// Refused where another decides.
pub(crate) fn ours(rules: &Rules) -> Result<(), Refusal> {
    match rules.authority {
        Authority::Kulkul => Ok(()),
        Authority::Fleet => {
            Err(forbidden("the fleet's own back end decides this (support.authority = \"fleet\")"))
        }
    }
}

/// `8-4-4-4-12` digits, as they are written nearly everywhere: a name in capitals would be a second room of one session.
pub(crate) fn is_session_name(name: &str) -> bool {
    vocabulary::lower_uuid(name).is_some_and(|lower| lower == name)
}

/// The name of the session that a room is, as departments list it.
pub(crate) fn session_of(room: &RoomId) -> Option<&str> {
    Some(room.name()).filter(|name| is_session_name(name))
}

impl Asking<'_> {
    fn state(&self) -> &Session {
        self.room.state
    }

    fn needs(&self, least: Part, what: &str) -> Result<(), Refusal> {
        match self.part >= least {
            true => Ok(()),
            false => Err(forbidden(match least {
                Part::Customer | Part::Staff => format!("only the staff may {what}"),
                Part::Agent => format!("only the session's agent, a supervisor or an admin may {what}"),
                Part::Lead => format!("only a supervisor or an admin may {what}"),
                Part::Backend => format!("only a back end may {what}"),
            })),
        }
    }

    /// The customer, or who may do it for them.
    fn for_customer(&self, what: &str) -> Result<(), Refusal> {
        match self.part {
            Part::Customer | Part::Backend => Ok(()),
            Part::Staff | Part::Agent | Part::Lead => Err(forbidden(format!("only the customer may {what}"))),
        }
    }
}
