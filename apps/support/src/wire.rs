//! How what rooms keep is written: bodies of records and parts of snapshots alike. What was written here reads back; what cannot
//! be read is of another version, and never an error.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocabulary::{Payload, Person, Position};

/// Texts, numbers and JSON that was parsed before: there is nothing in it that could fail to be written.
pub(crate) fn written<T: Serialize>(value: &T) -> Payload {
    serde_json::to_vec(value).map(Payload::from).unwrap_or_default()
}

pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a Payload) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// As frames give it.
pub(crate) fn position(at: Position) -> Value {
    json!({"epoch": at.epoch.to_string(), "offset": at.offset})
}

/// Somebody as a record names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Party {
    pub id: String,
    pub name: String,
}

impl Party {
    pub(crate) fn of(person: &Person) -> Party {
        Party { id: person.id.to_string(), name: crate::rules::clipped(&person.name, NAME_CHARS_MAX) }
    }
}

/// As tokens' names are cut.
pub(crate) const NAME_CHARS_MAX: usize = 100;

/// More than a person's wish to be next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Priority {
    Low,
    #[default]
    Normal,
    High,
    Urgent,
}

impl Priority {
    pub(crate) const NAMES: &str = "low, normal, high or urgent";

    pub(crate) fn name(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
            Priority::Urgent => "urgent",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Priority> {
        [Priority::Low, Priority::Normal, Priority::High, Priority::Urgent]
            .into_iter()
            .find(|priority| priority.name() == name)
    }
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

/// JSON that stays as it was written.
pub(crate) mod raw {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};
    use serde_json::value::RawValue;
    use vocabulary::Payload;

    pub(crate) fn serialize<S: Serializer>(body: &Payload, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(body).map_err(|_| S::Error::custom("no JSON"))?;
        raw.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Payload, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Payload::copy_from_slice(raw.get().as_bytes()))
    }
}
