//! A message of the native protocol as a client reads it, as far as the judgement needs it.

use serde::Deserialize;

use crate::history::{Epochs, Position};

#[derive(Debug, Deserialize)]
pub(crate) struct Heard<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) room: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    #[serde(borrow)]
    pub(crate) position: Option<Place<'a>>,
    #[serde(borrow, default)]
    pub(crate) payload: Payload<'a>,
    #[serde(borrow)]
    pub(crate) sender: Option<Person<'a>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Place<'a> {
    pub(crate) epoch: &'a str,
    pub(crate) offset: u64,
}

impl Place<'_> {
    pub(crate) fn known(self, epochs: &mut Epochs) -> Position {
        Position { epoch: epochs.named(self.epoch), offset: self.offset }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Payload<'a> {
    /// Owned where an escape is in it, which no content of ours has.
    #[serde(borrow)]
    pub(crate) content: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) upto: Option<Place<'a>>,
    pub(crate) code: Option<&'a str>,
    pub(crate) retry_after_ms: Option<u64>,
    #[serde(rename = "ref")]
    pub(crate) reference: Option<&'a str>,
    /// Of somebody who came or went.
    pub(crate) id: Option<&'a str>,
    /// Who is in a room.
    #[serde(borrow)]
    pub(crate) users: Option<Vec<Person<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Person<'a> {
    pub(crate) id: &'a str,
}

/// The number that stands behind a letter: rooms, joins and users of ours are named so.
pub(crate) fn number(text: &str, letter: char) -> Option<u32> {
    text.strip_prefix(letter)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_the_protocol_has_them() {
        let text = r#"{"type":"new_message","room":"r7","payload":{"content":"c1-2 aaa"},"sender":{"id":"u1","name":"Ana"},"timestamp":"t","id":"1a-17","position":{"epoch":"1a","offset":17}}"#;
        let heard: Heard<'_> = serde_json::from_str(text).expect("read");
        assert_eq!(
            (heard.kind, heard.room, heard.position.map(|at| at.offset)),
            ("new_message", Some("r7"), Some(17))
        );
        assert_eq!(heard.payload.content.as_deref(), Some("c1-2 aaa"));
        let text =
            r#"{"type":"error","id":"j3","payload":{"code":"BUSY","message":"x","retry_after_ms":500}}"#;
        let heard: Heard<'_> = serde_json::from_str(text).expect("read");
        assert_eq!((heard.payload.code, heard.payload.retry_after_ms), (Some("BUSY"), Some(500)));
        assert_eq!(number("r7", 'r'), Some(7));
    }
}
