//! An hour of what happened to connections, bounded: so that "why did this client not get that message" has an answer.

mod event;
mod ring;

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use vocabulary::{ConnectionId, Position, RoomId, Traced, UserId, Wall};

use event::{Event, What};
use ring::Ring;

/// Of one shard: some 60 bytes each, so fifty thousand and more. A storm of reconnects shortens the hour.
const BYTES_MAX: usize = 4 << 20;
const KEPT: Duration = Duration::from_secs(3600);

/// Written by a shard's thread, read by an operator; held for a moment by either.
#[derive(Default)]
pub(crate) struct Trace(Mutex<Ring>);

/// One event as whoever explains reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    pub at: Wall,
    pub connection: ConnectionId,
    /// joined, behind, live, left, closed or ended.
    pub what: &'static str,
    pub cursor: Option<Position>,
    /// Of a close.
    pub code: u16,
    /// How it joined, why it left, the words of a close.
    pub why: String,
}

/// What an operator asks for; nothing given means all.
#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    user: Option<String>,
    room: Option<String>,
    limit: Option<usize>,
}

/// Of one user in one room: what a person reads.
const HAPPENED_MAX: usize = 500;
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;

impl Wanted {
    pub(crate) fn most(&self) -> usize {
        self.limit.unwrap_or(LIMIT).min(LIMIT_MAX)
    }

    /// `there`: the connections of which something is told in the room that is asked about. How those ended concerns the room;
    /// what has no room otherwise is of strangers, and they are many.
    fn is_met_by(&self, event: &Event<'_>, there: &HashSet<ConnectionId>) -> bool {
        let of_user = self.user.as_deref().is_none_or(|user| user == event.user);
        let of_room = self.room.as_deref().is_none_or(|room| {
            room == event.room || (event.room.is_empty() && there.contains(&event.connection))
        });
        of_user && of_room
    }
}

impl Trace {
    pub(crate) fn put(&self, traced: &Traced) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.put(&Event::of(traced), BYTES_MAX, KEPT);
    }

    /// What concerns a user's places in a room, the newest so many, and when the newest was that is forgotten.
    pub(crate) fn happened(&self, user: &UserId, room: &RoomId) -> (Vec<Happened>, Option<Wall>) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let forgot = ring.forgot;
        let theirs = |event: &Event<'_>| event.user == user.as_str();
        let in_room = |event: &Event<'_>| theirs(event) && event.room == room.as_str();
        let there: HashSet<ConnectionId> = ring.all().filter(in_room).map(|event| event.connection).collect();
        let wanted = Wanted {
            user: Some(user.as_str().to_owned()),
            room: Some(room.as_str().to_owned()),
            limit: None,
        };
        let mut found = VecDeque::new();
        for event in ring.all().filter(|event| wanted.is_met_by(event, &there)) {
            if found.len() >= HAPPENED_MAX {
                found.pop_front();
            }
            found.push_back(Happened {
                at: event.at,
                connection: event.connection,
                what: event.what.word(),
                cursor: event.cursor,
                code: event.code,
                why: event.why.into_owned(),
            });
        }
        (found.into(), forgot)
    }

    /// The newest that are wanted.
    pub(crate) fn find(&self, wanted: &Wanted) -> Vec<(Wall, Value)> {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = match &wanted.room {
            Some(room) => {
                ring.all().filter(|event| room == event.room).map(|event| event.connection).collect()
            }
            None => HashSet::new(),
        };
        let mut found = VecDeque::new();
        for event in ring.all().filter(|event| wanted.is_met_by(event, &there)) {
            if found.len() >= wanted.most() {
                found.pop_front();
            }
            found.push_back(event);
        }
        // The shard waits meanwhile: only what is asked for is put into words.
        found.iter().map(|event| (event.at, shown(event))).collect()
    }
}

fn shown(event: &Event<'_>) -> Value {
    let Event { at, connection, what, cursor, code, user, room, why } = event;
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut value = json!({
        "at": at.to_string(),
        "connection": format!("{}-{}-{}", connection.shard.0, connection.slot, connection.generation),
        "user": text(user),
        "room": text(room),
        "what": what.word(),
    });
    let more = match what {
        What::Joined => json!({ "how": why, "cursor": cursor.map(|it| it.to_string()) }),
        What::Behind | What::Live => json!({ "cursor": cursor.map(|it| it.to_string()) }),
        What::Left => json!({ "why": why, "cursor": cursor.map(|it| it.to_string()) }),
        What::Closed => json!({ "code": code, "why": why }),
        What::Ended => json!({}),
    };
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{Code, Happening, Position, RoomId, ShardId, UserId, Why};

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
        trace.put(&traced(0, "1", behind("old")));
        let hour = i64::try_from(KEPT.as_millis()).expect("an hour");
        for (user, what) in [
            ("1", behind("a")),
            ("2", behind("a")),
            ("1", behind("b")),
            ("1", Happening::Closed { code: 4410, words: "too slow".into() }),
        ] {
            trace.put(&traced(hour + 1, user, what));
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

    #[test]
    fn a_room_is_told_of_how_its_own_members_ended_and_not_of_strangers() {
        let trace = Trace::default();
        let of = |slot, what| {
            let connection = ConnectionId { slot, ..traced(0, "1", Happening::Ended).connection };
            trace.put(&Traced { connection, ..traced(0, "1", what) });
        };
        of(1, behind("quiet"));
        of(1, Happening::Ended);
        for slot in 2..500 {
            of(slot, behind("loud"));
            of(slot, Happening::Closed { code: 4410, words: "too slow".into() });
        }
        let wanted = Wanted { room: Some("chat:quiet".to_owned()), ..Wanted::default() };
        let told = trace.find(&wanted);
        let words: Vec<_> = told.iter().map(|(_, event)| (&event["connection"], &event["what"])).collect();
        assert_eq!(words, [(&json!("0-1-2"), &json!("behind")), (&json!("0-1-2"), &json!("ended"))]);
    }

    #[test]
    fn everything_that_happened_reads_back_and_the_oldest_goes_first() {
        let room = RoomId::new("chat", "gr\u{fc}n");
        let cursor = Position { epoch: vocabulary::Epoch::new(3, 9), offset: 17 };
        let happenings = [
            Happening::Joined { room: room.clone(), how: "live", cursor },
            Happening::Behind { room: room.clone(), cursor },
            Happening::Live { room: room.clone(), cursor },
            Happening::Left { room: room.clone(), cursor: Some(cursor), why: Why::Asked },
            Happening::Left { room, cursor: None, why: Why::Refused(Code::NotInRoom) },
            Happening::Closed { code: 4410, words: "too slow".into() },
            Happening::Ended,
        ];
        let traced: Vec<Traced> = happenings.into_iter().map(|what| traced(5, "7", what)).collect();
        let events: Vec<Event<'_>> = traced.iter().map(Event::of).collect();
        let mut ring = Ring::default();
        for event in &events {
            ring.put(event, 10_000, KEPT);
        }
        assert_eq!(ring.all().collect::<Vec<_>>(), events);
        let mut small = Ring::default();
        for event in events.iter().cycle().take(1000) {
            small.put(event, 200, KEPT);
        }
        let kept = small.all().collect::<Vec<_>>();
        assert!(!kept.is_empty() && kept.len() < events.len(), "{}", kept.len());
        let newest = events.iter().cycle().take(1000).skip(1000 - kept.len());
        assert!(kept.iter().eq(newest), "the newest, in order");
    }
}
