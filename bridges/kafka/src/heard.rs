//! One record as it was read, with what it needs to become a command or a dead letter. It understands nothing.

use std::sync::Arc;

use crossing::{ORIGIN, POSITION};
use rdkafka::Message;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Header, Headers, OwnedHeaders};

/// What librdkafka holds of a header beside its name and its value.
const HEADER_BYTES: usize = 64;

#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Option<OwnedHeaders>,
    /// In milliseconds, by whoever produced it or by the broker.
    pub(crate) at: Option<i64>,
    /// What positions in the topic are remembered under.
    pub(crate) log: Arc<str>,
}

impl Heard {
    pub(crate) fn of(message: &BorrowedMessage<'_>, topic: Arc<str>, log: Arc<str>) -> Heard {
        Heard {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map(BorrowedHeaders::detach),
            at: message.timestamp().to_millis(),
            log,
        }
    }

    /// In memory, its headers too.
    pub(crate) fn bytes(&self) -> usize {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().flat_map(Headers::iter);
        let header = |it: Header<'_, &[u8]>| HEADER_BYTES + it.key.len() + it.value.map_or(0, <[u8]>::len);
        of(&self.key) + of(&self.value) + headers.map(header).sum::<usize>()
    }

    /// Said in a room of this deployment, and produced from there. A dead letter of ours that somebody mended and produced again
    /// has no position.
    pub(crate) fn is_of(&self, origin: &str) -> bool {
        self.header(ORIGIN) == Some(origin.as_bytes()) && self.header(POSITION).is_some()
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        let headers = self.headers.as_ref()?;
        headers.iter().find(|header| header.key == name).and_then(|header| header.value)
    }

    /// As a room's keys and apps know where it came from; where messages name themselves, the cluster matters not.
    pub(crate) fn source(&self) -> Arc<str> {
        format!("{SOURCE}{}", self.topic).into()
    }

    pub(crate) fn log(&self) -> Arc<str> {
        self.log.clone()
    }

    /// For people.
    pub(crate) fn place(&self) -> String {
        format!("{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}

/// How the names of all sources of this bridge begin.
pub(crate) const SOURCE: &str = "kafka:";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn heard(offset: i64, value: &[u8]) -> Heard {
        let (topic, log) = ("orders".into(), "kafka:c:orders".into());
        let value = Some(value.to_vec());
        Heard { topic, partition: 3, offset, key: None, value, headers: None, at: None, log }
    }

    #[test]
    fn only_what_has_our_origin_and_a_position_is_our_own() {
        let with = |headers: &[(&str, &str)]| {
            let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
                all.insert(Header { key, value: Some(*value) })
            });
            Heard { headers: Some(headers), ..heard(1, b"") }
        };
        assert!(with(&[(ORIGIN, "kulkul"), (POSITION, "1-2")]).is_of("kulkul"));
        assert!(!with(&[(ORIGIN, "another"), (POSITION, "1-2")]).is_of("kulkul"));
        assert!(!with(&[(ORIGIN, "kulkul")]).is_of("kulkul"), "a dead letter produced again");
        assert!(!heard(1, b"").is_of("kulkul"));
    }
}
