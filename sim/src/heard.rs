//! A message as a client of the native protocol reads it.

use serde_json::Value;
use vocabulary::{Position, RoomId};

#[derive(Clone, Debug)]
pub struct Heard {
    pub kind: String,
    pub room: Option<RoomId>,
    pub id: Option<String>,
    pub position: Option<Position>,
    pub sender: Option<String>,
    pub payload: Value,
}

impl Heard {
    /// # Panics
    /// If the text is no JSON object with a type: a server never says such a thing.
    pub fn read(text: &str) -> Heard {
        let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let field = |name: &str| value[name].as_str().map(str::to_owned);
        let room = field("room").map(|room| {
            if room.starts_with("probe:") || room.starts_with("chat:") {
                RoomId::from_full(&room).expect("a full name")
            } else {
                RoomId::new("chat", &room)
            }
        });
        Heard {
            kind: field("type").expect("every message has a type"),
            room,
            id: field("id"),
            position: position(&value["position"]),
            sender: value["sender"]["id"].as_str().map(str::to_owned),
            payload: value["payload"].clone(),
        }
    }

    pub fn code(&self) -> &str {
        self.payload["code"].as_str().unwrap_or_default()
    }

    pub fn upto(&self) -> Option<Position> {
        position(&self.payload["upto"])
    }

    /// A record of a room, as opposed to an answer or a passing notice.
    pub fn is_record(&self) -> bool {
        self.position.is_some() && !matches!(self.kind.as_str(), "ack" | "room_info")
    }

    pub fn users(&self) -> Vec<String> {
        let users = self.payload["users"].as_array();
        users.into_iter().flatten().filter_map(|user| Some(user["id"].as_str()?.to_owned())).collect()
    }
}

pub(crate) fn position(value: &Value) -> Option<Position> {
    let epoch = value["epoch"].as_str()?.parse().ok()?;
    Some(Position { epoch, offset: value["offset"].as_u64()? })
}
