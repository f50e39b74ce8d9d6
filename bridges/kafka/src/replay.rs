//! Dead letters, for people: read from their topics, and produced once more to the topics that they come from. How far that has come a
//! group of its own remembers. It asks no room, and runs beside the bridge, of which it knows only what that has written.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::ledger::Part;
use crate::letters::OURS;
use crate::livechat::Livechat;
use crate::{Config, refusal::Refusal};

/// One question, or one letter produced.
const ANSWERS_WITHIN: Duration = Duration::from_secs(40);
/// Brokers that have more letters give the next one by then.
const NEXT_WITHIN: Duration = Duration::from_secs(15);
/// Letters on their way at a time; where they stand is committed behind them. A run that is killed does as many twice at most.
const AT_ONCE: usize = 64;
/// As long as its member may say nothing; it is no member, and asks where it is alone.
const SESSION: Duration = Duration::from_secs(10);

/// Of which letters.
#[derive(Clone, Debug)]
pub struct Which {
    /// The topic of a source; none: of all.
    pub topic: Option<String>,
    pub most: u64,
    /// Those that were produced again before, too.
    pub all: bool,
}

/// What a letter says of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// `orders[3]@1712`
    pub origin: String,
    pub reason: String,
    /// How often a room was asked.
    pub attempts: u64,
    /// Of the record's value, of which a letter holds the beginning.
    pub bytes: u64,
    pub key: Option<String>,
    /// Where the letter itself stands.
    pub place: String,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub produced: u64,
    /// They do not hold all of their record, or do not say where it stood.
    pub left: u64,
}

#[derive(Debug)]
pub enum ReplayError {
    /// This topic has no letters of its own.
    Topic(String),
    Kafka(&'static str, KafkaError),
    /// The brokers have more letters, and give none.
    Silent,
    /// Of this letter, and why.
    NotProduced(String, KafkaError),
    Runtime(std::io::Error),
    /// Whoever is told of letters does not listen.
    Told(std::io::Error),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Topic(topic) => write!(
                f,
                "the topic {topic:?} has no dead letters of its own: it is none of a source, or `kafka_bridge.dead_letters` has no \
                 {{topic}}; leave it out"
            ),
            ReplayError::Kafka(what, why) => write!(f, "{what}: {why}"),
            ReplayError::Silent => {
                write!(f, "there are more letters, and the brokers give none of them: try again")
            }
            ReplayError::NotProduced(place, why) => {
                let remedy = match Refusal::of(why) {
                    Some(_) => "make its topic, or allow it",
                    None => "try again",
                };
                write!(
                    f,
                    "the letter {place} was not produced again, and those before it were: {remedy} ({why})"
                )
            }
            ReplayError::Runtime(why) => write!(f, "no runtime to produce with: {why}"),
            ReplayError::Told(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReplayError::Told(why) | ReplayError::Runtime(why) => Some(why),
            ReplayError::Kafka(_, why) | ReplayError::NotProduced(_, why) => Some(why),
            ReplayError::Topic(_) | ReplayError::Silent => None,
        }
    }
}

/// Tells of each, oldest first within a partition.
pub fn list(
    config: &Config,
    which: &Which,
    mut tell: impl FnMut(&Letter) -> std::io::Result<()>,
) -> Result<(), ReplayError> {
    let mut reader = Reader::open(config, which)?;
    while let Some(message) = reader.next()? {
        tell(&letter(&message)).map_err(ReplayError::Told)?;
    }
    Ok(())
}

/// Produces them with their own key, value and headers to the partition that they come from. `tell`: how many of how many are done.
pub fn replay(
    config: &Config,
    which: &Which,
    mut tell: impl FnMut(u64, u64),
) -> Result<Replayed, ReplayError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ReplayError::Runtime)?;
    let producer: FutureProducer = config.wire.writing().create().map_err(of("the producer"))?;
    let mut reader = Reader::open(config, which)?;
    let mut done = Replayed::default();
    loop {
        let mut page = Vec::new();
        while page.len() < AT_ONCE
            && let Some(message) = reader.next()?
        {
            let part: Part = (message.topic().into(), message.partition());
            page.push((part, message.offset(), letter(&message).place, again(&message)));
        }
        if page.is_empty() {
            return Ok(done);
        }
        let sent: Vec<_> =
            page.iter().map(|(.., again)| again.as_ref().map(|it| it.send(&producer))).collect();
        let arrived = runtime.block_on(async {
            let mut arrived = Vec::new();
            for sent in sent {
                arrived.push(match sent {
                    None => Ok(false),
                    Some(Err(error)) => Err(error),
                    Some(Ok(arrives)) => match tokio::time::timeout(ANSWERS_WITHIN, arrives).await {
                        Ok(Ok(Ok(_))) => Ok(true),
                        Ok(Ok(Err((error, _)))) => Err(error),
                        Ok(Err(_)) | Err(_) => Err(KafkaError::Canceled),
                    },
                });
            }
            arrived
        });
        let (mut marks, mut failed) = (BTreeMap::new(), None);
        for ((part, offset, place, _), arrived) in page.into_iter().zip(arrived) {
            match arrived {
                Ok(true) => done.produced += 1,
                Ok(false) => done.left += 1,
                Err(error) => {
                    failed = Some(ReplayError::NotProduced(place, error));
                    break;
                }
            }
            marks.insert(part, offset + 1);
        }
        reader.commit(&marks).map_err(of("how far this has come is not remembered"))?;
        tell(done.produced + done.left, reader.count);
        if let Some(failed) = failed {
            return Err(failed);
        }
    }
}

fn of(what: &'static str) -> impl Fn(KafkaError) -> ReplayError {
    move |error| ReplayError::Kafka(what, error)
}

/// What is read of letters, from where the last run ended to where their topics end now.
struct Reader {
    consumer: BaseConsumer,
    /// By partition, what is next and where it ends.
    left: BTreeMap<Part, (i64, i64)>,
    most: u64,
    /// As many as there may be.
    count: u64,
}

impl Reader {
    fn open(config: &Config, which: &Which) -> Result<Reader, ReplayError> {
        let group = format!("{}.letters", config.group);
        let consumer: BaseConsumer =
            config.wire.reading(&group, SESSION).create().map_err(of("the consumer"))?;
        let mut list = TopicPartitionList::new();
        for topic in topics(config, which.topic.as_deref())? {
            let told = consumer.fetch_metadata(Some(&topic), ANSWERS_WITHIN).map_err(of("the brokers"))?;
            // One that is not there has no letters.
            for partition in told.topics().iter().flat_map(|topic| topic.partitions()) {
                list.add_partition(&topic, partition.id());
            }
        }
        let mut left: BTreeMap<Part, (i64, i64)> = BTreeMap::new();
        if list.count() > 0 {
            let committed = consumer.committed_offsets(list, ANSWERS_WITHIN);
            for element in committed.map_err(of("how far the last run came"))?.elements() {
                let (topic, partition) = (element.topic(), element.partition());
                let edges = consumer.fetch_watermarks(topic, partition, ANSWERS_WITHIN);
                let (low, high) = edges.map_err(of("where letters begin and end"))?;
                let from = match element.offset() {
                    Offset::Offset(at) if !which.all => at.max(low),
                    _ => low,
                };
                if from < high {
                    left.insert((topic.into(), partition), (from, high));
                }
            }
        }
        let mut assigned = TopicPartitionList::new();
        for ((topic, partition), (from, _)) in &left {
            let added = assigned.add_partition_offset(topic, *partition, Offset::Offset(*from));
            added.map_err(of("a partition of letters"))?;
        }
        consumer.assign(&assigned).map_err(of("a partition of letters"))?;
        let count = left.values().map(|(from, high)| (high - from).unsigned_abs()).sum::<u64>();
        Ok(Reader { consumer, left, most: which.most, count: count.min(which.most) })
    }

    /// None: there are no more, or no more are wanted.
    fn next(&mut self) -> Result<Option<BorrowedMessage<'_>>, ReplayError> {
        let until = Instant::now() + NEXT_WITHIN;
        while self.most > 0 && !self.left.is_empty() {
            let Some(told) = self.consumer.poll(until.saturating_duration_since(Instant::now())) else {
                if Instant::now() >= until {
                    return Err(ReplayError::Silent);
                }
                continue;
            };
            let message = told.map_err(of("the brokers"))?;
            let part: Part = (message.topic().into(), message.partition());
            let Some((next, end)) = self.left.get_mut(&part) else { continue };
            *next = message.offset() + 1;
            let is_last = *next >= *end;
            if is_last {
                self.left.remove(&part);
            }
            self.most -= 1;
            return Ok(Some(message));
        }
        Ok(None)
    }

    fn commit(&self, marks: &BTreeMap<Part, i64>) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), mark) in marks {
            list.add_partition_offset(topic, *partition, Offset::Offset(*mark))?;
        }
        match list.count() {
            0 => Ok(()),
            _ => self.consumer.commit(&list, CommitMode::Sync),
        }
    }
}

/// Those that hold letters of these sources.
fn topics(config: &Config, topic: Option<&str>) -> Result<Vec<String>, ReplayError> {
    let livechat = Livechat::ALL.into_iter().filter(|_| config.livechat).map(|(topic, _)| topic);
    let sources = config.sources.iter().map(|source| &*source.topic).chain(livechat);
    let is_wanted = |source: &&str| topic.is_none_or(|topic| topic == *source);
    let mut all: Vec<String> =
        sources.filter(is_wanted).map(|source| config.dead_letters.replace("{topic}", source)).collect();
    all.sort();
    all.dedup();
    match topic {
        Some(topic) if all.is_empty() || !config.dead_letters.contains("{topic}") => {
            Err(ReplayError::Topic(topic.to_owned()))
        }
        _ => Ok(all),
    }
}

fn header(message: &BorrowedMessage<'_>, name: &str) -> Option<String> {
    let headers = message.headers()?;
    // The last of a name is ours: it was put behind those of the record.
    let found = headers.iter().filter(|header| header.key == name).last()?;
    Some(String::from_utf8_lossy(found.value?).into_owned())
}

fn letter(message: &BorrowedMessage<'_>) -> Letter {
    let [origin, reason, attempt, bytes, _] = OURS;
    let number = |name: &str| header(message, name).and_then(|text| text.parse().ok()).unwrap_or(0);
    Letter {
        origin: header(message, origin).unwrap_or_default(),
        reason: header(message, reason).unwrap_or_default(),
        attempts: number(attempt),
        bytes: number(bytes),
        key: message.key().map(|key| String::from_utf8_lossy(key).into_owned()),
        place: format!("{}[{}]@{}", message.topic(), message.partition(), message.offset()),
    }
}

/// A letter's record, as it was.
struct Again {
    topic: String,
    partition: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: OwnedHeaders,
}

/// None: the letter does not hold all of it, or does not say where it stood.
fn again(message: &BorrowedMessage<'_>) -> Option<Again> {
    let (topic, partition) = place(&letter(message).origin)?;
    let value = message.payload().map(<[u8]>::to_vec);
    if letter(message).bytes != value.as_ref().map_or(0, Vec::len) as u64 {
        return None;
    }
    let mut headers = OwnedHeaders::new();
    for header in message.headers()?.iter().filter(|header| !OURS.contains(&header.key)) {
        headers = headers.insert(Header { key: header.key, value: header.value });
    }
    Some(Again { topic, partition, key: message.key().map(<[u8]>::to_vec), value, headers })
}

/// `orders[3]@1712`
fn place(origin: &str) -> Option<(String, i32)> {
    let (topic, rest) = origin.rsplit_once('[')?;
    let (partition, _) = rest.split_once("]@")?;
    Some((topic.to_owned(), partition.parse().ok()?))
}

impl Again {
    fn send(
        &self,
        producer: &FutureProducer,
    ) -> KafkaResult<rdkafka::producer::future_producer::DeliveryFuture> {
        let mut record: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(&self.topic).partition(self.partition).headers(self.headers.clone());
        record.key = self.key.as_deref();
        record.payload = self.value.as_deref();
        producer.send_result(record).map_err(|(error, _)| error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_names_a_topic_and_a_partition() {
        assert_eq!(place("orders[3]@1712"), Some(("orders".to_owned(), 3)));
        for origin in ["", "orders", "orders[x]@1", "orders[3]", "[3"] {
            assert_eq!(place(origin), None, "{origin}");
        }
    }
}
