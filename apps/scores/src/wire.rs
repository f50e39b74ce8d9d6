//! How what rooms keep is written: bodies of records and parts of snapshots alike. What was written here reads back; what cannot
//! be read is of another version, and never an error.

use serde::{Deserialize, Serialize};
use vocabulary::{Payload, Person};

/// Texts, numbers and lists of them: there is nothing in it that could fail to be written.
pub(crate) fn written<T: Serialize>(value: &T) -> Payload {
    serde_json::to_vec(value).map(Payload::from).unwrap_or_default()
}

pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a Payload) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// As tokens' names are cut.
const NAME_CHARS_MAX: usize = 100;

/// Somebody as a log names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Party {
    pub id: String,
    pub name: String,
}

impl Party {
    pub(crate) fn of(person: &Person) -> Party {
        let name = person.name.chars().map(|c| if c.is_control() { ' ' } else { c });
        Party { id: person.id.to_string(), name: name.take(NAME_CHARS_MAX).collect() }
    }

    /// A back end, by the name of its key. No user's id has such a beginning by chance.
    pub(crate) fn of_key(key: &str) -> Party {
        Party { id: format!("api:{key}"), name: key.to_owned() }
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
