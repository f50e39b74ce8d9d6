//! What is said in rooms, produced to topics, a page at a time and in its order. What is produced twice has the same position both
//! times. Which rooms have something, and where each stands, is the crossing's.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crossing::{
    Carried, Carrier, Fields, Goes, ORIGIN, POSITION, ROOM, Stage, Template, add, envelope, fields_of, pause,
};
use node::{Desk, Owed};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use rdkafka::types::RDKafkaErrorCode;
use vocabulary::{Outward, RoomId};

use crate::livechat;
use crate::parts::Parts;
use crate::refusal::Refusal;
use crate::topics::Topics;

/// One record, with librdkafka's own tries within it.
const WITHIN: Duration = Duration::from_secs(40);
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// Which rooms' messages go to which topic.
#[derive(Clone, Debug)]
pub struct Sink {
    /// A full name, or the beginning of one and `*`.
    pub rooms: String,
    pub topic: String,
    pub key: Template,
}

/// The first that fits a room is its own.
pub(crate) struct Ways {
    sinks: Vec<Sink>,
    livechat: bool,
}

/// A record as it is produced.
#[derive(Debug, PartialEq)]
struct Made {
    topic: String,
    key: String,
    value: String,
    position: String,
}

pub(crate) enum Way<'a> {
    Sink(&'a Sink),
    Livechat,
}

impl Way<'_> {
    pub(crate) fn topics(&self) -> Vec<&str> {
        match self {
            Way::Sink(sink) => vec![&sink.topic],
            Way::Livechat => vec![livechat::MESSAGES, livechat::REQUESTS],
        }
    }
}

impl Ways {
    pub(crate) fn of(sinks: Vec<Sink>, livechat: bool) -> Ways {
        Ways { sinks, livechat }
    }

    fn way(&self, room: &RoomId) -> Option<Way<'_>> {
        let fits = |sink: &&Sink| match sink.rooms.strip_suffix('*') {
            Some(beginning) => room.as_str().starts_with(beginning),
            None => room.as_str() == sink.rooms,
        };
        let livechat = self.livechat && room.app() == livechat::APP;
        self.sinks.iter().find(fits).map(Way::Sink).or(livechat.then_some(Way::Livechat))
    }

    /// None: it has no place there.
    fn made(&self, outward: &Outward) -> Option<Made> {
        let position = outward.position.to_string();
        match self.way(&outward.room)? {
            Way::Livechat => {
                let (topic, value) = livechat::row(outward)?;
                let (topic, key) = (topic.to_owned(), outward.room.name().to_owned());
                Some(Made { topic, key, value: value.to_string(), position })
            }
            Way::Sink(sink) => {
                let key = sink.key.fill(&Fields::of(&fields_of(outward))).ok()?;
                Some(Made { topic: sink.topic.clone(), key, value: envelope(outward)?, position })
            }
        }
    }
}

/// What carries rooms' messages to Kafka.
struct Sinks {
    parts: Rc<Parts>,
    ways: Ways,
    topics: Topics,
}

/// For as long as the thread lives.
pub(crate) async fn go_on(parts: Rc<Parts>, owed: Arc<Owed>, ways: Ways) {
    crossing::go_on(Rc::new(Sinks { parts, ways, topics: Topics::default() }), owed).await;
}

impl Carrier for Sinks {
    fn desk(&self) -> &Desk {
        &self.parts.desk
    }

    fn panics(&self) -> &AtomicU64 {
        &self.parts.counts.panics_total
    }

    fn is_away(&self) -> bool {
        self.parts.counts.reach.is_away()
    }

    fn has_ended(&self) -> bool {
        self.parts.stage() == Stage::Ends
    }

    async fn rest(&self, time: Duration) {
        self.parts.rest(time).await;
    }

    fn goes(&self, room: &RoomId) -> Goes {
        match self.ways.way(room) {
            None => Goes::Nowhere,
            Some(way) if self.topics.may_try(&way) => Goes::Now,
            Some(_) => Goes::NotNow,
        }
    }

    async fn carry(&self, room: &RoomId, entries: &[Outward]) -> Carried {
        let made: Vec<Made> = entries.iter().filter_map(|entry| self.ways.made(entry)).collect();
        add(&self.parts.counts.unmapped_total, entries.len() - made.len());
        match produce(&self.parts, &self.topics, room, &made).await {
            true => Carried::All { some: !made.is_empty() },
            false => Carried::Nothing,
        }
    }
}

/// How it went with one record.
enum Came {
    Arrived,
    Refused(Refusal, String),
    /// Nobody answered, and why.
    Lost(String),
    /// The producer holds all that it may.
    Full,
}

/// Whether all of it has left, but for what brokers do not take for what it is. What failed goes again, and what came behind it
/// as well, so that the order of a room holds for whoever reads the last of each.
async fn produce(parts: &Parts, topics: &Topics, room: &RoomId, made: &[Made]) -> bool {
    let (mut left, mut tries, mut at_once) = (made, 0, made.len());
    while let Some(round) = left.get(..at_once.min(left.len())).filter(|round| !round.is_empty()) {
        let sent: Vec<_> = round.iter().map(|made| send(parts, room, made)).collect();
        let came = futures_util::future::join_all(sent).await;
        let arrived = came.iter().take_while(|came| matches!(came, Came::Arrived)).count();
        if arrived > 0 {
            add(&parts.counts.produced_total, arrived);
            parts.counts.reach.succeeded();
            round[..arrived].iter().for_each(|made| topics.takes(&parts.counts, &made.topic));
        }
        left = &left[arrived..];
        let (Some(failed), Some(made)) = (came.into_iter().nth(arrived), left.first()) else { continue };
        match failed {
            Came::Refused(Refusal::Record, why) if round.len() == 1 => {
                let (room, position, topic) = (room.as_str(), &*made.position, &*made.topic);
                tracing::error!(
                    room,
                    position,
                    topic,
                    why,
                    "a message is left out: the brokers do not take it"
                );
                add(&parts.counts.left_out_total, 1);
                left = &left[1..];
                continue;
            }
            // What is sent in one request is refused together: one by one it is seen which of them it is.
            Came::Refused(Refusal::Record, _) => {
                at_once = 1;
                continue;
            }
            Came::Refused(Refusal::Topic | Refusal::Group, why) => {
                topics.refuses(&parts.counts, &made.topic, &why);
                return false;
            }
            // Of a round each tells the same.
            Came::Lost(why) => parts.counts.reach.failed(&why),
            Came::Full | Came::Arrived => {}
        }
        if parts.stage() == Stage::Ends || parts.counts.reach.is_away() {
            return false;
        }
        tries += 1;
        add(&parts.counts.produced_again_total, 1);
        parts.rest(pause(tries + 4, AGAIN_MAX)).await;
    }
    true
}

/// In the order of the calls: it is in the producer's queue when this returns.
fn send(parts: &Parts, room: &RoomId, made: &Made) -> impl Future<Output = Came> {
    let of = |key, value| Header { key, value: Some(value) };
    let headers = OwnedHeaders::new()
        .insert(of(ORIGIN, parts.origin.as_str()))
        .insert(of(ROOM, room.as_str()))
        .insert(of(POSITION, made.position.as_str()));
    let (topic, key, value) = (made.topic.clone(), made.key.clone(), made.value.clone());
    let record = FutureRecord::to(&topic).key(&key).payload(&value).headers(headers);
    let queued = parts.producer().send_result(record).map_err(|(error, _)| error);
    async move {
        let error = match queued {
            Ok(arrives) => match tokio::time::timeout(WITHIN, arrives).await {
                Ok(Ok(Ok(_))) => return Came::Arrived,
                Ok(Ok(Err((error, _)))) => error,
                Ok(Err(_)) | Err(_) => return Came::Lost("no answer".to_owned()),
            },
            Err(error) => error,
        };
        tracing::debug!(topic, %error, "a message was not produced");
        match Refusal::of(&error) {
            Some(refusal) => Came::Refused(refusal, error.to_string()),
            None if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => Came::Full,
            None => Came::Lost(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{Class, Epoch, Key, Person, Position, Shown, UserId, Wall};

    fn ways() -> Ways {
        let sink = |rooms: &str, topic: &str, key: &str| Sink {
            rooms: rooms.to_owned(),
            topic: topic.to_owned(),
            key: Template::read(key).expect(key),
        };
        Ways::of(vec![sink("chat:vip", "vip", "{order}"), sink("chat:*", "said", "{name}")], true)
    }

    fn outward(room: &str, payload: &str) -> Outward {
        let sender = Some(Person { id: UserId::new("7"), name: "Ana".into() });
        let (class, payload) = (Class::Record, payload.to_owned().into());
        Outward {
            room: RoomId::from_full(room).expect("a room"),
            key: Key::client(&UserId::new("7"), "1"),
            position: Position { epoch: Epoch(1), offset: 4 },
            at: Wall(0),
            shown: Shown { kind: "new_message", payload, sender, class, lasting: true },
            open: true,
        }
    }

    #[test]
    fn the_first_row_that_fits_a_room_says_topic_and_key() {
        let made = |room, payload| ways().made(&outward(room, payload)).map(|it| (it.topic, it.key));
        let of = |topic: &str, key: &str| Some((topic.to_owned(), key.to_owned()));
        assert_eq!(made("chat:general", r#"{"content":"x"}"#), of("said", "general"));
        assert_eq!(made("chat:vip", r#"{"content":"x","order":7}"#), of("vip", "7"));
        assert_eq!(made("chat:vip", r#"{"content":"x"}"#), None, "its key cannot be filled");
        assert_eq!(made("user:7", "{}"), None);
        let session = "support:660e8400-e29b-41d4-a716-446655440000";
        let text = r#"{"sender_type":"agent","message":"Hi"}"#;
        assert_eq!(made(session, text), of("chat-messages", "660e8400-e29b-41d4-a716-446655440000"));
    }

    #[test]
    fn what_is_produced_is_the_message_as_clients_have_it() {
        let made = ways().made(&outward("chat:general", r#"{"z":1.10,"content":"x"}"#)).expect("a record");
        let expected = format!(
            r#"{{"type":"new_message","room":"chat:general","payload":{{"z":1.10,"content":"x"}},"sender":{{"id":"7","name":"Ana"}},"timestamp":"1970-01-01T00:00:00.000Z","id":"{}"}}"#,
            made.position
        );
        assert_eq!(made.value, expected);
    }
}
