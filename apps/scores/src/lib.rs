//! Live scoring as an app: a match is the log of its actions and the score their fold; a list of matches hears how each stands. What
//! an action is worth is the sport's affair, in `kabaddi`, which knows nothing of rooms; the rooms know nothing of the sport.

mod contest;
mod kabaddi;
mod list;
mod sport;
mod standing;
#[cfg(test)]
mod tests;
mod wire;

use app::{Action, App, Applied, Decision, Duties, Duty, Fields, Needs, Room, Step, UnknownFormat, wrong};
use serde::{Deserialize, Serialize};
use vocabulary::{
    Audience, Caller, Code, Now, Payload, Record, Refusal, RoomId, Shown, Wall, Word, check_name,
};

use contest::Contest;
use list::List;

/// What leaves for brokers: action by action.
const OUTWARD: Audience = Audience(0);
/// The whole state with every change, of which the newest is enough.
const WHOLE: Audience = Audience(1);
/// One snapshot, then action by action.
const DELTA: Audience = Audience(2);

/// The room that is no match.
const LIST: &str = "list";

const WORDS: &[Word] = &[
    Word::of_anyone("create"),
    Word::of_anyone("initial_state"),
    Word::of_anyone("set_squad"),
    Word::of_anyone("set_roles"),
    Word::of_anyone("line_up"),
    Word::of_anyone("toss"),
    Word::of_anyone("start_half"),
    Word::of_anyone("end_half"),
    Word::of_anyone("start_clock"),
    Word::of_anyone("stop_clock"),
    Word::of_anyone("set_clock"),
    Word::of_anyone("start_raid"),
    Word::of_anyone("raid"),
    Word::of_anyone("lobby_touch"),
    Word::of_anyone("technical"),
    Word::of_anyone("substitute"),
    Word::of_anyone("time_out"),
    Word::of_anyone("end_time_out"),
    Word::of_anyone("review"),
    Word::of_anyone("decide_review"),
    Word::of_anyone("card"),
    Word::of_anyone("declare"),
    Word::of_anyone("name_tie_raiders"),
    Word::of_anyone("start_tie_break"),
    Word::of_anyone("golden_raid"),
    Word::of_anyone("decide_by_toss"),
    Word::of_anyone("end_match"),
    Word::of_anyone("undo"),
    Word::of_anyone("redo"),
    Word::of_anyone("correct"),
    Word::of_anyone("get_match"),
    Word::of_anyone("get_sheet"),
    Word::of_anyone("get_audit"),
    Word::of_anyone("get_matches"),
];

/// The first is what this build writes.
const VERSION: u32 = 1;

#[derive(Clone, Debug)]
pub struct Scores {
    profiles: Vec<sport::Profile>,
}

/// What a room of this app is, by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Match(Box<Contest>),
    List(Box<List>),
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

impl Default for Scores {
    fn default() -> Scores {
        Scores { profiles: sport::profiles() }
    }
}

fn nowhere() -> Refusal {
    let text =
        "no such room: a match is scores:{matchId}, of A-Z a-z 0-9 _ . : -, and the list is scores:list";
    Refusal::new(Code::App("NOT_FOUND"), text)
}

fn of_kind<'a, S>(room: &Room<'a, State>, state: &'a S) -> Room<'a, S> {
    Room { id: room.id, state, presence: room.presence, soft: room.soft, subject: room.subject }
}

fn audience(join: &Payload) -> Result<Audience, Refusal> {
    match Fields::of(join)?.text("mode")?.as_deref() {
        None | Some("whole") => Ok(WHOLE),
        Some("delta") => Ok(DELTA),
        Some(other) => Err(wrong("mode", "whole or delta", other)),
    }
}

impl App for Scores {
    type State = State;

    fn needs(&self) -> Needs {
        Needs { duties: Duties::Always, ..Needs::default() }
    }

    fn words(&self) -> &'static [Word] {
        WORDS
    }

    fn start(&self, room: &RoomId) -> State {
        State(match room.name() {
            LIST => Kind::List(Box::default()),
            // Paths of HTTP would mean something else by them.
            "." | ".." => Kind::Nowhere,
            name if check_name(name).is_ok() => Kind::Match(Contest::new(room).into()),
            _ => Kind::Nowhere,
        })
    }

    fn admit(&self, _now: Now, state: &State, caller: &Caller, join: &Payload) -> Result<Audience, Refusal> {
        match &state.0 {
            Kind::Match(contest) => contest::enter(contest, caller).and_then(|()| audience(join)),
            Kind::List(_) => Ok(DELTA),
            Kind::Nowhere => Err(nowhere()),
        }
    }

    fn about(&self, now: Now, state: &State, caller: &Caller, join: &Payload) -> Option<Payload> {
        let audience = self.admit(now, state, caller, join).ok()?;
        match &state.0 {
            Kind::Match(contest) => Some(contest::about(contest, caller, audience)),
            Kind::List(list) => Some(list.view()),
            Kind::Nowhere => None,
        }
    }

    fn guarded(&self, action: Action<'_>) -> bool {
        !action.kind.starts_with("get_")
    }

    fn decide(
        &self,
        now: Now,
        room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        match &room.state.0 {
            Kind::Match(contest) => {
                contest::decide(&self.profiles, now, of_kind(&room, &**contest), caller, action)
            }
            Kind::List(list) => list::decide(list, caller, action),
            Kind::Nowhere => Err(nowhere()),
        }
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        match &mut state.0 {
            Kind::Match(contest) => contest.apply(record),
            Kind::List(list) => list.apply(record),
            Kind::Nowhere => Applied::Unknown,
        }
    }

    fn show(&self, state: &State, record: &Record, audience: Audience) -> Option<Shown> {
        match &state.0 {
            Kind::Match(contest) => contest::shown(contest, record, audience),
            Kind::List(list) => list::shown(list, record, audience),
            Kind::Nowhere => None,
        }
    }

    fn is_outward(&self, state: &State) -> bool {
        match &state.0 {
            Kind::Match(contest) => contest.is_public(),
            Kind::List(_) => true,
            Kind::Nowhere => false,
        }
    }

    fn view(&self, state: &State, _audience: Audience) -> Payload {
        match &state.0 {
            Kind::Match(contest) => contest::view(contest),
            Kind::List(list) => list.view(),
            Kind::Nowhere => Payload::from_static(b"{}"),
        }
    }

    fn due(&self, _now: Now, room: Room<'_, State>) -> Option<(Wall, Duty)> {
        match &room.state.0 {
            Kind::Match(contest) => contest::due(contest),
            Kind::List(_) | Kind::Nowhere => None,
        }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        match &state.0 {
            Kind::Match(contest) => contest::steps(contest),
            Kind::List(_) | Kind::Nowhere => Vec::new(),
        }
    }

    fn save(&self, state: &State) -> Payload {
        wire::written(&Saving { version: VERSION, state: &state.0 })
    }

    fn load(&self, room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        let unreadable = |error| UnknownFormat(format!("scores snapshot: {error}"));
        let Versioned { version } = serde_json::from_slice(saved).map_err(unreadable)?;
        if version != VERSION {
            return Err(UnknownFormat(format!("scores snapshot of version {version}")));
        }
        let mut saved: Saved = serde_json::from_slice(saved).map_err(unreadable)?;
        match &mut saved.state {
            Kind::Match(contest) => contest.restore(room),
            Kind::List(list) => list.restore(),
            Kind::Nowhere => {}
        }
        Ok(State(saved.state))
    }
}
