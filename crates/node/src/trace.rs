//! An hour of what happened to connections, bounded: so that "why did this client not get that message" has an answer.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use vocabulary::{Happening, Position, Traced, Wall, Why};

/// Of one shard: one or two hundred bytes each, some megabytes in all. A storm of reconnects shortens the hour.
const EVENTS_MAX: usize = 50_000;
const KEPT: Duration = Duration::from_secs(3600);

/// Written by a shard's thread, read by an operator; held for a moment by either.
#[derive(Default)]
pub(crate) struct Trace(Mutex<VecDeque<Traced>>);

/// What an operator asks for; nothing given means all.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    user: Option<String>,
    room: Option<String>,
    limit: Option<usize>,
}

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;

impl Wanted {
    pub(crate) fn most(&self) -> usize {
        self.limit.unwrap_or(LIMIT).min(LIMIT_MAX)
    }

    fn is_met_by(&self, traced: &Traced) -> bool {
        let of_user = match &self.user {
            Some(user) => traced.user.as_ref().is_some_and(|it| it.as_str() == user),
            None => true,
        };
        let of_room = match (&self.room, room(&traced.what)) {
            (Some(wanted), Some(room)) => room == wanted,
            // How a connection ended concerns all its rooms.
            _ => true,
        };
        of_user && of_room
    }
}

impl Trace {
    pub(crate) fn put(&self, traced: Traced) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |events: &VecDeque<Traced>| events.len() >= EVENTS_MAX;
        while full(&events) || events.front().is_some_and(|oldest| oldest.at + KEPT < traced.at) {
            events.pop_front();
        }
        events.push_back(traced);
    }

    /// The newest that are wanted.
    pub(crate) fn find(&self, wanted: &Wanted) -> Vec<(Wall, Value)> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = events.iter().rev().filter(|traced| wanted.is_met_by(traced));
        let mut found: Vec<_> = found.take(wanted.most()).map(|traced| (traced.at, shown(traced))).collect();
        found.reverse();
        found
    }
}

fn room(what: &Happening) -> Option<&str> {
    match what {
        Happening::Joined { room, .. }
        | Happening::Behind { room, .. }
        | Happening::Live { room, .. }
        | Happening::Left { room, .. } => Some(room.as_str()),
        Happening::Closed { .. } | Happening::Ended => None,
    }
}

fn shown(traced: &Traced) -> Value {
    let Traced { at, connection, user, what } = traced;
    let connection = format!("{}-{}-{}", connection.shard.0, connection.slot, connection.generation);
    let place = |cursor: &Position| Value::from(cursor.to_string());
    let mut value = match what {
        Happening::Joined { how, cursor, .. } => {
            json!({ "what": "joined", "how": how, "cursor": place(cursor) })
        }
        Happening::Behind { cursor, .. } => json!({ "what": "behind", "cursor": place(cursor) }),
        Happening::Live { cursor, .. } => json!({ "what": "live", "cursor": place(cursor) }),
        Happening::Left { cursor, why, .. } => {
            let why = match why {
                Why::Asked => "asked".to_owned(),
                Why::ConnectionEnded => "connection ended".to_owned(),
                Why::Refused(code) => format!("refused: {code:?}"),
            };
            json!({ "what": "left", "why": why, "cursor": cursor.as_ref().map(place) })
        }
        Happening::Closed { code, words } => json!({ "what": "closed", "code": code, "why": words }),
        Happening::Ended => json!({ "what": "ended" }),
    };
    value["at"] = at.to_string().into();
    value["connection"] = connection.into();
    value["user"] = user.as_ref().map(|user| user.as_str()).into();
    value["room"] = room(what).into();
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{ConnectionId, RoomId, ShardId, UserId};

    fn traced(at: i64, user: &str, what: Happening) -> Traced {
        let connection = ConnectionId { shard: ShardId(0), slot: 1, generation: 2 };
        Traced { at: Wall(at), connection, user: Some(UserId::new(user)), what }
    }

    fn behind(room: &str) -> Happening {
        Happening::Behind { room: RoomId::new("chat", room), cursor: Position::default() }
    }

    #[test]
    fn an_hour_is_kept_and_found_by_user_and_by_room() {
        let trace = Trace::default();
        trace.put(traced(0, "1", behind("old")));
        let hour = i64::try_from(KEPT.as_millis()).expect("an hour");
        for (user, what) in [
            ("1", behind("a")),
            ("2", behind("a")),
            ("1", behind("b")),
            ("1", Happening::Closed { code: 4410, words: "too slow".into() }),
        ] {
            trace.put(traced(hour + 1, user, what));
        }
        let found = |user: Option<&str>, room: Option<&str>, limit| {
            let wanted = Wanted { user: user.map(str::to_owned), room: room.map(str::to_owned), limit };
            let word = |(_, value): &(Wall, Value)| value["what"].as_str().unwrap_or_default().to_owned();
            trace.find(&wanted).iter().map(word).collect::<Vec<_>>()
        };
        assert_eq!(found(None, None, None), ["behind", "behind", "behind", "closed"], "the oldest is over");
        assert_eq!(found(Some("1"), Some("chat:a"), None), ["behind", "closed"]);
        assert_eq!(found(Some("1"), None, Some(1)), ["closed"], "the newest");
    }
}
