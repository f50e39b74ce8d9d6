//! Chat rooms as an app: a fold over messages, what became of them, and who may say them. Anybody may join a room that nobody
//! has made private and, being in it, speak.

mod changes;
mod content;
mod listing;
mod pace;
mod people;
mod records;
mod rules;
mod ruling;
mod said;
mod saved;
mod shown;
mod speaking;
mod standing;
mod state;
mod sweeps;
#[cfg(test)]
mod tests;

use app::{
    Action, App, Applied, Decision, Duties, Fields, Needs, Room, SoftChange, Step, Sweep, UnknownFormat,
};
use records::Access;
use ruling::Ruling;
use speaking::Speaking;
use standing::{Who, forbidden};
use vocabulary::{
    Audience, Caller, Class, Now, Payload, Person, Position, Record, Refusal, RoomId, Shown, UserId, Word,
};

use rules::Deed;
pub use rules::{RoomRule, Rules};
pub use state::State;

/// A type that no other build knows, shown to nobody, and the room in which a build that stands for the next one records it.
const REHEARSED: &str = "rehearsed";

const WORDS: &[Word] = &[
    Word::of_members("send_message"),
    Word::of_members("edit_message"),
    Word::of_members("delete_message"),
    Word::of_members("add_reaction"),
    Word::of_members("remove_reaction"),
    Word::of_members("typing"),
    Word::of_members("stop_typing"),
    Word::of_anyone("create_room"),
    Word::of_anyone("change_room"),
    Word::of_anyone("delete_room"),
    Word::of_anyone("add_member"),
    Word::of_anyone("remove_member"),
    Word::of_anyone("set_role"),
    Word::of_anyone("mute_member"),
    Word::of_anyone("unmute_member"),
    Word::of_anyone("kick_member"),
    Word::of_anyone("ban_member"),
    Word::of_anyone("unban_member"),
    Word::of_anyone("erase_user"),
    Word::of_anyone("get_room"),
    Word::of_anyone("get_members"),
];

#[derive(Clone, Debug, Default)]
pub struct Chat {
    rules: Rules,
}

impl Chat {
    pub fn new(rules: Rules) -> Chat {
        Chat { rules }
    }
}

impl App for Chat {
    type State = State;

    fn needs(&self) -> Needs {
        Needs { duties: Duties::Sometimes, ..Needs::default() }
    }

    fn words(&self) -> &'static [Word] {
        WORDS
    }

    fn start(&self, room: &RoomId) -> State {
        State::new(room)
    }

    fn admit(&self, now: Now, state: &State, caller: &Caller, _join: &Payload) -> Result<Audience, Refusal> {
        Who::of(&self.rules, state, caller).enter(&self.rules, state, now.wall)?;
        Ok(Audience::default())
    }

    fn about(&self, now: Now, state: &State, caller: &Caller, join: &Payload) -> Option<Payload> {
        Some(listing::about(state, now, &Who::of(&self.rules, state, caller), join))
    }

    fn subject(&self, action: Action<'_>) -> Option<Position> {
        match action.kind {
            "edit_message" | "delete_message" | "add_reaction" | "remove_reaction" => {
                Fields::of(action.payload).ok()?.message("message_id").ok()?
            }
            _ => None,
        }
    }

    fn guarded(&self, action: Action<'_>) -> bool {
        !matches!(action.kind, "send_message" | "typing" | "stop_typing" | "get_room" | "get_members")
    }

    fn decide(
        &self,
        now: Now,
        room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        let (rules, state) = (&self.rules, room.state);
        if let Caller::Outcome { step, result } = caller {
            return Ok(speaking::settled(state, step, result));
        }
        if let Caller::Duty { payload, .. } = caller {
            return Ok(sweeps::ended(&state.changes, payload));
        }
        let who = Who::of(rules, state, caller);
        who.enter(rules, state, now.wall)?;
        match action.kind {
            "get_room" => Ok(Decision::reply(listing::about(state, now, &who, action.payload))),
            "get_members" => Ok(Decision::reply(listing::members(state, now, &who, action.payload)?)),
            // A key's words too: whoever is to be forgotten is forgotten everywhere.
            kind if state.deleted && kind != "erase_user" => Err(forbidden("this room was deleted")),
            kind if standing::is_nobodys(state) && kind != "erase_user" => Err(standing::of_nobody()),
            "send_message" | "edit_message" | "delete_message" | "add_reaction" | "remove_reaction"
            | "typing" | "stop_typing" => {
                Speaking { rules, now, state, subject: room.subject, who }.decide(action)
            }
            _ => Ruling { rules, now, state, who }.decide(action),
        }
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        state.apply(&self.rules, record)
    }

    fn show(&self, state: &State, record: &Record, _audience: Audience) -> Option<Shown> {
        shown::shown(state, record)
    }

    fn is_outward(&self, state: &State) -> bool {
        let may_anybody = || self.rules.allow(Deed::Join, &state.room, None);
        !state.room.is_named_direct() && state.settings.access == Access::Open && may_anybody()
    }

    fn glimpse(&self, _state: &State, change: &SoftChange<'_>, _audience: Audience) -> Option<Shown> {
        let id = UserId::new(change.key.strip_prefix("typing/")?);
        let name = change.value.or(change.before).and_then(|name| std::str::from_utf8(name).ok())?;
        let payload: &'static [u8] =
            if change.value.is_some() { b"{\"typing\":true}" } else { b"{\"typing\":false}" };
        Some(Shown {
            kind: "user_typing",
            payload: Payload::from_static(payload),
            sender: Some(Person { id, name: name.into() }),
            class: Class::Signal,
            lasting: false,
        })
    }

    fn view(&self, state: &State, _audience: Audience) -> Payload {
        shown::view(state)
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        listing::steps(state)
    }

    fn sweeps(&self, state: &State) -> Option<Sweep> {
        sweeps::next(&state.changes)
    }

    fn is_erased(&self, state: &State, record: &Record) -> bool {
        sweeps::is_erased(&state.changes, record)
    }

    fn save(&self, state: &State) -> Payload {
        saved::save(state)
    }

    fn load(&self, room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        saved::load(room, saved)
    }
}
