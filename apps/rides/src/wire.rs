//! How what rooms keep is written: bodies of records and parts of snapshots alike. What was written here reads back; what cannot
//! be read is of another version, and never an error.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocabulary::{Payload, Position, RoomId};

use crate::geo::Point;

/// Texts, numbers and JSON that was parsed before: there is nothing in it that could fail to be written.
pub(crate) fn written<T: Serialize>(value: &T) -> Payload {
    serde_json::to_vec(value).map(Payload::from).unwrap_or_default()
}

pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a Payload) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// As tokens' names are cut.
pub(crate) const NAME_CHARS_MAX: usize = 100;

/// Somebody as a record names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Party {
    pub id: String,
    pub name: String,
}

/// Until a state that was read knows its room.
pub(crate) fn nowhere() -> RoomId {
    RoomId::new("rides", "")
}

/// What a text begins with, on one line.
pub(crate) fn clipped(text: &str, chars_max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(chars_max).collect()
}

/// As clients read it.
pub(crate) fn told_point(point: Point) -> Value {
    json!({"latitude": point.latitude(), "longitude": point.longitude()})
}

/// Metres with centimetres.
pub(crate) fn told_metres(millimetres: i64) -> Value {
    json!(((millimetres + 5) / 10) as f64 / 100.0)
}

/// The name of something that a room made: the same whoever works it out, and no other room's by more than chance. Whoever relies on
/// it looks at whose it is.
pub(crate) fn uuid(room: &RoomId, made_by: Position, number: u32) -> String {
    let text = format!("{room} {made_by} {number}");
    let half = |basis: u64| {
        let hash = text
            .bytes()
            .fold(basis, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        // What FNV leaves alike of texts that differ at their end is spread over all bits.
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^ (hash >> 33)
    };
    let (high, low) = (half(0xcbf2_9ce4_8422_2325), half(0x9ae1_6a3b_2f90_404f));
    // Version 8, "as somebody likes", of RFC 9562.
    let (third, fourth) = (0x8000 | high & 0x0fff, 0x8000 | low >> 48 & 0x3fff);
    format!(
        "{:08x}-{:04x}-{third:04x}-{fourth:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        low & 0xffff_ffff_ffff
    )
}

pub(crate) fn is_uuid(name: &str) -> bool {
    vocabulary::lower_uuid(name).is_some_and(|lower| lower == name)
}

/// A place, as the text that names its record.
pub(crate) mod place {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use vocabulary::Position;

    pub(crate) fn serialize<S: Serializer>(at: &Position, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("no position"))
    }
}

#[cfg(test)]
mod tests {
    use vocabulary::Epoch;

    use super::*;

    #[test]
    fn whatever_differs_in_one_thing_has_another_name() {
        let mut names = std::collections::BTreeSet::new();
        for room in ["passenger:1", "passenger:2", "passenger:11"] {
            for offset in 1..40 {
                for number in 0..20 {
                    let made_by = Position { epoch: Epoch::new(1, 7), offset };
                    let name = uuid(&RoomId::new("rides", room), made_by, number);
                    assert!(is_uuid(&name), "{name}");
                    assert!(names.insert(name));
                }
            }
        }
    }
}
