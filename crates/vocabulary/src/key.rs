//! What makes a resent command the same command.

use std::fmt;
use std::sync::Arc;

use crate::hash::hash;
use crate::{Position, RoomId, UserId};

/// A room remembers the last 10,000 keys for at most 24 hours, and that is exactly the resend promise.
///
/// One text, in a form that any engine can hold, with its hash in front: keys are looked up many times a message, and
/// a lookup compares numbers until it has found the one it means.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    hash: u64,
    text: Arc<str>,
}

/// In a log that somebody else keeps. What one of its lanes brings comes in the order of its numbers, so that whoever has seen
/// one has seen all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub log: &'a str,
    pub lane: u64,
    pub number: u64,
}

const DUTY: &str = "duty";
const PLACE: &str = "place";

impl Key {
    /// A client's own id for what it sends.
    pub fn client(user: &UserId, id: &str) -> Key {
        Key::of("client", user.as_str(), &[id])
    }

    pub fn api(key: &str, id: &str) -> Key {
        Key::of("api", key, &[id])
    }

    /// The position the duty was decided on, and its name.
    pub fn duty(position: Position, name: &str) -> Key {
        Key::of(DUTY, &position.to_string(), &[name])
    }

    /// The saga's room, the position of the record that opened the step, the step's number.
    pub fn step(saga: &RoomId, position: Position, number: u32) -> Key {
        Key::of("step", saga.as_str(), &[&position.to_string(), &number.to_string()])
    }

    pub fn event(source: &str, id: &str) -> Key {
        Key::of("event", source, &[id])
    }

    /// Where something stands in a log that somebody else keeps: the log, the one of its lanes, the number there.
    pub fn place(log: &str, lane: u64, number: u64) -> Key {
        Key::of(PLACE, log, &[&lane.to_string(), &number.to_string()])
    }

    /// The place that this key names, if it names one.
    pub fn as_place(&self) -> Option<Place<'_>> {
        let rest = self.text.strip_prefix(PLACE)?.strip_prefix(' ')?;
        let (length, rest) = rest.split_once(' ')?;
        let (log, rest) = rest.split_at_checked(length.parse().ok()?)?;
        let (lane, number) = rest.strip_prefix(' ')?.split_once(' ')?;
        Some(Place { log, lane: lane.parse().ok()?, number: number.parse().ok()? })
    }

    /// The source of an event, or of what stands at a place.
    pub fn event_source(&self) -> Option<&str> {
        if let Some(place) = self.as_place() {
            return Some(place.log);
        }
        let (length, rest) = self.text.strip_prefix("event ")?.split_once(' ')?;
        rest.get(..length.parse().ok()?)
    }

    /// A command whose sender gave no id: unique by construction, so that the engine may be asked twice, and useless to
    /// the sender.
    pub fn once(node: u64, number: u64) -> Key {
        let (mut first, mut rest) = (String::with_capacity(20), String::with_capacity(20));
        push_number(&mut first, node);
        push_number(&mut rest, number);
        Key::of("once", &first, &[&rest])
    }

    /// From the form that `as_str` gives.
    pub fn from_text(text: &str) -> Key {
        Key { hash: hash(text.as_bytes()), text: text.into() }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_duty(&self) -> bool {
        self.text.split(' ').next() == Some(DUTY)
    }

    /// The first part is preceded by its length, so that no two keys are written alike.
    fn of(kind: &str, first: &str, rest: &[&str]) -> Key {
        let mut text = String::with_capacity(64);
        text.push_str(kind);
        text.push(' ');
        push_number(&mut text, first.len() as u64);
        text.push(' ');
        text.push_str(first);
        for part in rest {
            text.push(' ');
            text.push_str(part);
        }
        Key::from_text(&text)
    }
}

fn push_number(text: &mut String, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;

    #[test]
    fn parts_that_look_like_others_make_other_keys() {
        let client = |user, id| Key::client(&UserId::new(user), id);
        assert_eq!(client("ana", "17"), client("ana", "17"));
        assert_ne!(client("ana 1", "7"), client("ana", "1 7"));
        assert_ne!(client("ana", "17"), Key::api("ana", "17"));
        assert_ne!(client("duty", "1"), Key::duty(Position::default(), "1"));
        assert!(Key::duty(Position::default(), "close").is_duty());
        assert!(!client("duty", "duty").is_duty());
    }

    #[test]
    fn an_event_says_its_source_and_nothing_else_has_one() {
        assert_eq!(Key::event("redis relay", "7 8").event_source(), Some("redis relay"));
        assert_eq!(Key::event("", "7").event_source(), Some(""));
        for none in
            [Key::api("event", "7"), Key::from_text("event 9 redis 7"), Key::from_text("event x redis")]
        {
            assert_eq!(none.event_source(), None, "{none:?}");
        }
    }

    #[test]
    fn a_place_reads_back_from_its_key_and_nothing_else_is_one() {
        for log in ["kafka:orders 3", "", "é"] {
            let key = Key::place(log, 7, u64::MAX);
            assert_eq!(key.as_place(), Some(Place { log, lane: 7, number: u64::MAX }));
            assert_eq!(Key::from_text(key.as_str()).as_place(), key.as_place());
            assert_eq!(key.event_source(), Some(log));
        }
        let others =
            ["place", "place 9 a 1 2", "place 1 a 1", "place 1 a 1 x", "place 1 é 1 2", "places 1 a 1 2"];
        for other in
            others.map(Key::from_text).into_iter().chain([Key::event("place", "1 2"), client("place")])
        {
            assert_eq!(other.as_place(), None, "{other:?}");
        }
    }

    fn client(user: &str) -> Key {
        Key::client(&UserId::new(user), "1 a 1 2")
    }

    #[test]
    fn a_key_reads_back_from_its_text() {
        let key = Key::step(&RoomId::new("ride", "r 1"), Position { epoch: Epoch::new(1, 7), offset: 4 }, 2);
        assert_eq!(key.as_str(), "step 8 ride:r 1 100000007-4 2");
        assert_eq!(Key::from_text(key.as_str()), key);
    }

    #[test]
    fn a_step_that_a_later_epoch_opens_at_the_same_offset_is_another_step() {
        let old = Epoch::new(1, 7);
        let key = |epoch| Key::step(&RoomId::new("ride", "r"), Position { epoch, offset: 4 }, 0);
        assert_ne!(key(old), key(old.next(7)));
    }
}
