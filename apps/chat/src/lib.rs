//! Chat rooms as an app: a fold over messages. Anybody may join a room and, being in it, speak.

mod messages;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use app::{Action, App, Applied, Decision, Room, SoftChange, SoftDraft, UnknownFormat};
use messages::{Kept, Saved, check_content};
use vocabulary::{
    Audience, Caller, Class, Code, Now, Payload, Person, Record, Refusal, RoomId, Shown, UserId,
};

/// What a joiner after a gap sees of the past; more is had by `get_history`.
const VIEW_MESSAGES: usize = 50;
/// The view is sent in one frame, so its bytes are bounded too.
const VIEW_BYTES_MAX: usize = 64 << 10;
/// A typing value ends by itself; clients repeat it while somebody types.
const TYPING: Duration = Duration::from_secs(5);

/// A type that no other build knows, shown to nobody, and the room in which a build that stands for the next one records it.
const REHEARSED: &str = "rehearsed";

#[derive(Clone, Copy, Debug, Default)]
pub struct Chat;

#[derive(Debug, Default)]
pub struct State {
    /// The newest messages, oldest first.
    recent: VecDeque<Kept>,
    bytes: usize,
}

impl State {
    fn keep(&mut self, kept: Kept) {
        self.bytes += kept.payload.len();
        self.recent.push_back(kept);
        while self.recent.len() > VIEW_MESSAGES || self.bytes > VIEW_BYTES_MAX {
            match self.recent.pop_front() {
                Some(oldest) => self.bytes -= oldest.payload.len(),
                None => break,
            }
        }
    }
}

impl App for Chat {
    type State = State;

    fn start(&self, _room: &RoomId) -> State {
        State::default()
    }

    fn admit(
        &self,
        _now: Now,
        _state: &State,
        _caller: &Caller,
        _join: &Payload,
    ) -> Result<Audience, Refusal> {
        Ok(Audience::default())
    }

    fn decide(
        &self,
        _now: Now,
        room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        match (action.kind, caller.user()) {
            ("send_message", _) => {
                check_content(action.payload)?;
                let mut decision = Decision::record("message", action.payload.clone());
                if cfg!(feature = "rehearsal") && room.id.name() == REHEARSED {
                    decision.records.extend(Decision::record(REHEARSED, Payload::new()).records);
                }
                Ok(decision)
            }
            ("typing", Some(user)) => {
                let name = Payload::copy_from_slice(user.person.name.as_bytes());
                Ok(typing(&user.person.id, Some(name)))
            }
            ("stop_typing", Some(user)) => Ok(typing(&user.person.id, None)),
            (kind, _) => Err(Refusal::new(Code::UnknownType, format!("unknown message type: {kind}"))),
        }
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        match &*record.kind {
            "message" => {
                state.keep(Kept::from_record(record));
                Applied::Done
            }
            REHEARSED if cfg!(feature = "rehearsal") => Applied::Done,
            _ => Applied::Unknown,
        }
    }

    fn show(&self, _state: &State, record: &Record, _audience: Audience) -> Option<Shown> {
        (&*record.kind == "message").then(|| Shown {
            kind: "new_message",
            payload: record.body.clone(),
            sender: record.author.clone(),
            class: Class::Record,
            lasting: true,
        })
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
        messages::view(state.recent.iter())
    }

    fn save(&self, state: &State) -> Payload {
        Saved::write(state.recent.iter())
    }

    fn load(&self, _room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        let mut state = State::default();
        for kept in Saved::read(saved)? {
            state.keep(kept);
        }
        Ok(state)
    }
}

fn typing(user: &UserId, value: Option<Payload>) -> Decision {
    let key: Arc<str> = format!("typing/{user}").into();
    Decision::soft(SoftDraft { key, value, time_to_live: TYPING, class: Class::Signal })
}
