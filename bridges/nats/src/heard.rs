//! One message as it was read, with what it needs to become a command or a dead letter. It understands nothing.

use std::rc::Rc;

use async_nats::header::HeaderMap;
use async_nats::{HeaderValue, Message};
use bytes::Bytes;
use crossing::{ORIGIN, POSITION};

/// What is held of a header beside its name and its value.
const HEADER_BYTES: usize = 64;
/// How the names of all sources of this bridge begin.
const SOURCE: &str = "nats:";
/// What whoever publishes names a message by.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";

#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// None: of no stream.
    pub(crate) place: Option<Place>,
    pub(crate) subject: String,
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) payload: Bytes,
}

/// Where a message stands in its stream, and how often it was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stream: Rc<str>,
    pub(crate) sequence: u64,
    /// When it was stored, in nanoseconds since 1970.
    pub(crate) stored_at: u64,
    pub(crate) delivered: u64,
    /// Where to say what became of it.
    pub(crate) ack: Option<String>,
}

impl Heard {
    /// Of a consumer. None: it has not come from one.
    pub(crate) fn of(message: Message) -> Option<Heard> {
        let place = Place::of(message.reply.as_ref()?.as_str())?;
        Some(Heard { place: Some(place), ..Heard::plain(message) })
    }

    pub(crate) fn plain(message: Message) -> Heard {
        let Message { subject, headers, payload, .. } = message;
        Heard { place: None, subject: subject.to_string(), headers, payload }
    }

    pub(crate) fn bytes(&self) -> usize {
        let header = |(name, values): (&async_nats::HeaderName, &Vec<HeaderValue>)| {
            let of = |value: &HeaderValue| HEADER_BYTES + value.as_str().len();
            AsRef::<str>::as_ref(name).len() + values.iter().map(of).sum::<usize>()
        };
        let headers = self.headers.as_ref().map_or(0, |headers| headers.iter().map(header).sum::<usize>());
        self.payload.len() + self.subject.len() + headers
    }

    /// Said in a room of this deployment, and produced from there. A dead letter of ours that somebody mended and published again
    /// has no position.
    pub(crate) fn is_of(&self, origin: &str) -> bool {
        self.header(ORIGIN) == Some(origin) && self.header(POSITION).is_some()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.as_ref()?.get(name)?.as_str())
    }

    /// As a room's keys and apps know where it came from.
    pub(crate) fn source(&self) -> String {
        let stream = self.place.as_ref().map_or("", |place| &*place.stream);
        format!("{SOURCE}{stream}")
    }

    /// By where it stands. A stream that was made anew counts from one again, at other times.
    pub(crate) fn place_id(&self) -> Option<String> {
        let place = self.place.as_ref()?;
        Some(format!("{}.{}", place.sequence, place.stored_at))
    }

    pub(crate) fn at_millis(&self) -> Option<i64> {
        self.place.as_ref().map(|place| (place.stored_at / 1_000_000) as i64)
    }

    /// For people.
    pub(crate) fn stands(&self) -> String {
        match &self.place {
            Some(place) => format!("{}@{}", place.stream, place.sequence),
            None => self.subject.clone(),
        }
    }
}

impl Place {
    /// As the subject for its ack says: nine tokens, or more in front and one behind where domains and accounts are named.
    fn of(ack: &str) -> Option<Place> {
        let tokens: Vec<&str> = ack.split('.').collect();
        let at = if tokens.len() >= 11 { 4 } else { 2 };
        let number = |token: usize| tokens.get(at + token)?.parse::<u64>().ok();
        if !ack.starts_with("$JS.ACK.") {
            return None;
        }
        Some(Place {
            stream: (*tokens.get(at)?).into(),
            delivered: number(2)?,
            sequence: number(3)?,
            stored_at: number(5)?,
            ack: Some(ack.to_owned()),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn heard(sequence: u64, payload: &str) -> Heard {
        let place = Place { stream: "ORDERS".into(), sequence, stored_at: 7, delivered: 1, ack: None };
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        Heard { place: Some(place), subject: "orders.new.eu".to_owned(), headers: None, payload }
    }

    pub(crate) fn with(heard: Heard, headers: &[(&str, &str)]) -> Heard {
        let mut map = HeaderMap::new();
        headers.iter().for_each(|(name, value)| map.insert(*name, *value));
        Heard { headers: Some(map), ..heard }
    }

    #[test]
    fn an_ack_says_where_a_message_stands_with_and_without_domains() {
        let place = |ack: &str| {
            Place::of(ack).map(|it| (it.stream.to_string(), it.delivered, it.sequence, it.stored_at))
        };
        let expected = Some(("ORDERS".to_owned(), 2, 17, 1_700_000_000_000_000_000));
        assert_eq!(place("$JS.ACK.ORDERS.worker.2.17.5.1700000000000000000.3"), expected);
        assert_eq!(place("$JS.ACK.hub.A1.ORDERS.worker.2.17.5.1700000000000000000.3.tok"), expected);
        for ack in ["_INBOX.abc", "$JS.ACK.ORDERS.worker", "$JS.ACK.a.b.c.d.e.f.g"] {
            assert_eq!(place(ack), None, "{ack}");
        }
    }

    #[test]
    fn only_what_has_our_origin_and_a_position_is_our_own() {
        assert!(with(heard(1, ""), &[(ORIGIN, "kulkul"), (POSITION, "1-2")]).is_of("kulkul"));
        assert!(!with(heard(1, ""), &[(ORIGIN, "another"), (POSITION, "1-2")]).is_of("kulkul"));
        assert!(!with(heard(1, ""), &[(ORIGIN, "kulkul")]).is_of("kulkul"), "a dead letter published again");
        assert!(!heard(1, "").is_of("kulkul"));
    }
}
