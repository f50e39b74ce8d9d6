//! A user's inbox, `user:{id}`: back ends write, rooms say what they are to the user, and the user's devices read, and tell each
//! other how far they have read. Nobody else has anything to do with it. What is written is stored whether a device is there or not.

mod kept;
mod saved;
#[cfg(test)]
mod tests;

use app::{Action, App, Applied, Decision, Fields, Room, UnknownFormat};
use serde_json::{Value, json};
use vocabulary::{
    Audience, Caller, Class, Code, Now, Payload, Position, Record, Refusal, RoomId, Shown, StepId, Word,
    check_name,
};

use kept::{Channel, Lists};

const NOTIFICATION: &str = "notification";
const READ_MARKED: &str = "read_marked";
const CHANNEL_CHANGED: &str = "channel_changed";
const CHANNEL_REMOVED: &str = "channel_removed";

const WORDS: &[Word] = &[Word::of_anyone("mark_read"), Word::of_anyone("get_channels")];

/// The app that a room belongs to whose name says none, and the only one so far whose rooms are read up to somewhere.
const SHORT_NAMES: &str = "chat";
/// A view goes out in one frame.
const VIEW_BYTES_MAX: usize = 64 << 10;
/// What marks may take of it, so that channels have the rest.
const VIEW_MARKS_BYTES_MAX: usize = 32 << 10;
/// The answer to `get_channels`, which is asked for by itself.
const LIST_BYTES_MAX: usize = 256 << 10;
/// As rooms themselves hold it.
const TITLE_CHARS_MAX: usize = 100;
const WORD_CHARS_MAX: usize = 20;

#[derive(Clone, Copy, Debug, Default)]
pub struct Inbox;

/// Whose it is, is its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    room: RoomId,
    lists: Lists,
}

impl State {
    fn owned_by(&self, caller: &Caller) -> Result<(), Refusal> {
        match caller.user() {
            Some(user) if user.person.id.as_str() != self.room.name() => {
                Err(Refusal::new(Code::Forbidden, "an inbox is open to its own user alone"))
            }
            _ => Ok(()),
        }
    }
}

fn position(position: Position) -> Value {
    json!({"epoch": position.epoch.to_string(), "offset": position.offset})
}

fn payload(value: &Value) -> Payload {
    value.to_string().into()
}

/// A room as a payload names it: in full, or short.
fn room_of(fields: &Fields<'_>) -> Result<String, Refusal> {
    let named = fields.required_text("room_id", "the room that was read")?;
    let short = named.strip_prefix(SHORT_NAMES).and_then(|rest| rest.strip_prefix(':')).unwrap_or(&named);
    match check_name(short) {
        Ok(()) => Ok(format!("{SHORT_NAMES}:{short}")),
        Err(error) => Err(Refusal::new(Code::InvalidPayload, format!("room_id {error}, got {named:?}"))),
    }
}

impl Inbox {
    fn mark(state: &State, asked: &Payload) -> Result<Decision, Refusal> {
        let fields = Fields::of(asked)?;
        let room = room_of(&fields)?;
        let missing = || Refusal::new(Code::InvalidPayload, "upto is required: the position that was read");
        let upto = fields.position("upto")?.ok_or_else(missing)?;
        if state.lists.mark(&room).is_some_and(|mark| mark.upto >= upto) {
            return Ok(Decision::nothing());
        }
        let body = json!({"room_id": room, "upto": position(upto)});
        Ok(Decision::record(READ_MARKED, payload(&body)))
    }

    /// What a room is to the user from now on. A room speaks of itself alone, whatever its payload names. A step that was held up on
    /// its way may come behind a newer one, on whatever node: whoever applies a record looks at `as_of` again.
    fn told(state: &State, step: &StepId, action: Action<'_>) -> Result<Decision, Refusal> {
        let (room, as_of) = (step.saga.as_str(), position(step.position));
        let is = state.lists.channel(room);
        if state.lists.is_late(room, step.position) {
            return Ok(Decision::nothing());
        }
        if action.kind == CHANNEL_REMOVED {
            if is.is_none() && state.lists.gone_as_of(room).is_some() {
                return Ok(Decision::nothing());
            }
            let body = json!({"room_id": room, "as_of": as_of});
            return Ok(Decision::record(CHANNEL_REMOVED, payload(&body)));
        }
        let fields = Fields::of(action.payload)?;
        let text = |name, chars_max| Ok(fields.short_text(name, chars_max)?.unwrap_or_default().into_owned());
        let (title, role) = (text("title", TITLE_CHARS_MAX)?, text("role", WORD_CHARS_MAX)?);
        let access = text("access", WORD_CHARS_MAX)?;
        if is.is_some_and(|is| (&is.title, &is.role, &is.access) == (&title, &role, &access)) {
            return Ok(Decision::nothing());
        }
        let body = json!({"room_id": room, "title": title, "role": role, "access": access, "as_of": as_of});
        Ok(Decision::record(CHANNEL_CHANGED, payload(&body)))
    }
}

impl App for Inbox {
    type State = State;

    fn words(&self) -> &'static [Word] {
        WORDS
    }

    fn start(&self, room: &RoomId) -> State {
        State { room: room.clone(), lists: Lists::default() }
    }

    fn admit(&self, _now: Now, state: &State, caller: &Caller, _join: &Payload) -> Result<Audience, Refusal> {
        state.owned_by(caller).map(|()| Audience::default())
    }

    fn about(&self, _now: Now, state: &State, _caller: &Caller, _join: &Payload) -> Option<Payload> {
        Some(view(&state.lists))
    }

    fn decide(
        &self,
        _now: Now,
        room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        let state = room.state;
        state.owned_by(caller)?;
        match (action.kind, caller) {
            ("get_channels", _) => Ok(Decision::reply(channels(&state.lists))),
            ("mark_read", Caller::Connection { .. } | Caller::Visitor { .. }) => {
                Inbox::mark(state, action.payload)
            }
            ("mark_read", _) => Err(Refusal::new(Code::Forbidden, "only its own user marks what is read")),
            (CHANNEL_CHANGED | CHANNEL_REMOVED, Caller::Step(step)) => Inbox::told(state, step, action),
            (_, Caller::Connection { .. } | Caller::Visitor { .. }) => {
                Err(Refusal::new(Code::Forbidden, "back ends write to an inbox, by the HTTP API"))
            }
            _ if action.payload.trim_ascii_start().first() != Some(&b'{') => {
                Err(Refusal::new(Code::InvalidPayload, "payload must be an object"))
            }
            _ => Ok(Decision::record(NOTIFICATION, action.payload.clone())),
        }
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        let lists = &mut state.lists;
        let done = match &*record.kind {
            NOTIFICATION => Some(()),
            READ_MARKED => read_marked(record).map(|(room, upto)| lists.read(&room, upto, record.position)),
            CHANNEL_CHANGED => read_channel(record).map(|(room, channel)| lists.list(&room, channel)),
            CHANNEL_REMOVED => read_room(record).map(|room| lists.unlist(&room, read_as_of(record))),
            _ => None,
        };
        if done.is_some() { Applied::Done } else { Applied::Unknown }
    }

    fn show(&self, state: &State, record: &Record, _audience: Audience) -> Option<Shown> {
        let (lists, at) = (&state.lists, record.position);
        // Of a mark and of a channel only what holds now is told: who was away needs no more.
        let (kind, stands) = match &*record.kind {
            NOTIFICATION => (NOTIFICATION, true),
            READ_MARKED => {
                let (room, _) = read_marked(record)?;
                (READ_MARKED, lists.mark(&room).is_some_and(|mark| mark.changed == at))
            }
            CHANNEL_CHANGED => {
                let (room, _) = read_channel(record)?;
                (CHANNEL_CHANGED, lists.channel(&room).is_some_and(|channel| channel.changed == at))
            }
            CHANNEL_REMOVED => (CHANNEL_REMOVED, lists.channel(&read_room(record)?).is_none()),
            _ => return None,
        };
        stands.then(|| Shown {
            kind,
            payload: record.body.clone(),
            sender: None,
            class: Class::Record,
            lasting: kind == NOTIFICATION,
        })
    }

    fn view(&self, state: &State, _audience: Audience) -> Payload {
        view(&state.lists)
    }

    fn save(&self, state: &State) -> Payload {
        saved::save(&state.lists)
    }

    fn load(&self, room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        Ok(State { room: room.clone(), lists: saved::load(saved)? })
    }
}

fn read_room(record: &Record) -> Option<String> {
    Fields::of(&record.body).ok()?.text("room_id").ok()?.map(String::from)
}

fn read_marked(record: &Record) -> Option<(String, Position)> {
    let upto = Fields::of(&record.body).ok()?.position("upto").ok()??;
    Some((read_room(record)?, upto))
}

fn read_channel(record: &Record) -> Option<(String, Channel)> {
    let fields = Fields::of(&record.body).ok()?;
    let text = |name| Some(fields.text(name).ok()??.into_owned());
    let (title, role, access) = (text("title")?, text("role")?, text("access")?);
    let (changed, as_of) = (record.position, read_as_of(record));
    Some((read_room(record)?, Channel { title, role, access, changed, as_of }))
}

fn read_as_of(record: &Record) -> Position {
    Fields::of(&record.body).and_then(|fields| fields.position("as_of")).ok().flatten().unwrap_or_default()
}

/// A list of items as long as they fit.
fn fitting(items: impl Iterator<Item = Value>, bytes_max: usize) -> String {
    let mut list = String::from("[");
    for item in items {
        let item = item.to_string();
        if list.len() + item.len() + 2 > bytes_max {
            break;
        }
        list.push_str(if list.len() > 1 { "," } else { "" });
        list.push_str(&item);
    }
    list.push(']');
    list
}

fn view(lists: &Lists) -> Payload {
    let mark = |(room, upto): (&str, Position)| json!({"room_id": room, "upto": position(upto)});
    let marks = fitting(lists.newest_marks().map(mark), VIEW_MARKS_BYTES_MAX);
    let channels = fitting(lists.newest_channels().map(listed), VIEW_BYTES_MAX - 64 - marks.len());
    format!("{{\"marks\":{marks},\"channels\":{channels}}}").into()
}

fn listed((room, channel): (&str, &Channel)) -> Value {
    json!({"room_id": room, "title": channel.title, "role": channel.role, "access": channel.access})
}

/// All of them, with how far each was read; beyond what a frame carries, the newest.
fn channels(lists: &Lists) -> Payload {
    let with_mark = |(room, channel): (&str, &Channel)| {
        let mut listed = listed((room, channel));
        if let Some(mark) = lists.mark(room) {
            listed["read_upto"] = position(mark.upto);
        }
        listed
    };
    let channels = fitting(lists.newest_channels().map(with_mark), LIST_BYTES_MAX);
    format!("{{\"channels\":{channels},\"count\":{}}}", lists.channels().count()).into()
}
