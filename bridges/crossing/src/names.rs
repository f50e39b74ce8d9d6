//! Names and texts in what brokers say: rooms that may be written to, users, ids. What cannot be understood says so, field by field.

use serde_json::Value;
use vocabulary::{
    EVENT_ID_BYTES_MAX, Person, RoomId, UserId, check_name, check_user, is_built_in, is_event_id, lower_uuid,
};

/// What a back end may publish by HTTP, too.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// The app whose rooms are named by UUIDs.
const SESSIONS: &str = "support";

/// Why a message is not understood.
#[derive(Debug, PartialEq)]
pub struct Poison(pub String);

pub fn poison<T>(says: impl Into<String>) -> Result<T, Poison> {
    Err(Poison(says.into()))
}

/// What messages are: an object in JSON, and no longer than rooms take.
pub fn object(bytes: &[u8]) -> Result<Value, Poison> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        let length = bytes.len();
        return poison(format!("its value has {length} bytes; at most {MESSAGE_BYTES_MAX} are taken"));
    }
    match serde_json::from_slice(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => poison("its value must be an object in JSON"),
        Err(error) => poison(format!("its value is no JSON: {error}")),
    }
}

/// What two say to each other alone, no third one says for them; of what is built in, inboxes may be written to.
pub fn room(full: &str) -> Result<RoomId, Poison> {
    let Some((app, name)) = full.split_once(':') else {
        return poison(format!("{full:?} names no room: an app, a colon and a name"));
    };
    let is_name = match app {
        "user" => check_user(name).is_ok(),
        _ => check_name(name).is_ok(),
    };
    if !is_name {
        return poison(format!("{name:?} is no room's name: 1 to 128 of A-Z a-z 0-9 _ . : -"));
    }
    if is_built_in(app) && app != "user" {
        return poison(format!("{full:?}: rooms of {app} are not written to from here"));
    }
    // Sessions are named by UUIDs, which people write as they like.
    let lower = (app == SESSIONS).then(|| lower_uuid(name)).flatten();
    let room = RoomId::new(app, lower.as_deref().unwrap_or(name));
    match room.direct_pair() {
        Some(_) => poison(format!("{full:?}: rooms of two are not written to from here")),
        None => Ok(room),
    }
}

pub fn id(id: String) -> Result<String, Poison> {
    match id.len() {
        _ if is_event_id(&id) => Ok(id),
        length @ 1..=EVENT_ID_BYTES_MAX => {
            poison(format!("its id has control characters in its {length} bytes; it may have none"))
        }
        length => poison(format!("its id has {length} bytes; 1 to {EVENT_ID_BYTES_MAX} are taken")),
    }
}

pub fn person(id: &str, name: Option<String>) -> Result<Person, Poison> {
    if check_user(id).is_err() {
        return poison(format!("{id:?} names no user: 1 to 128 bytes without control characters"));
    }
    let name = name.filter(|name| check_user(name).is_ok());
    Ok(Person { name: name.as_deref().unwrap_or(id).into(), id: UserId::new(id) })
}

/// A text that is not empty, or a whole number as text.
pub fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_one_room_however_its_name_is_written() {
        let written = "support:660E8400-E29B-41D4-A716-446655440000";
        assert_eq!(room(written).map(|room| room.as_str().to_owned()), Ok(written.to_ascii_lowercase()));
        assert_eq!(room("chat:AB").map(|room| room.as_str().to_owned()), Ok("chat:AB".to_owned()));
    }

    #[test]
    fn rooms_that_are_none_or_not_to_be_written_to_are_refused() {
        for full in ["system:x", "area:1", "nowhere", "chat:", "chat:direct:1:2"] {
            assert!(room(full).is_err(), "{full}");
        }
    }
}
