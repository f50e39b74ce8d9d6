//! The thread that reads: it polls the group's consumer, says what each record means, and puts it into its room's lane. It commits what
//! is done, and reads no further where too much waits. It waits for no room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossing::{Poison, Stage, add, set, words_of};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use tokio::sync::watch;

use crate::context::{Reads, commit};
use crate::counts::Counts;
use crate::heard::{Heard, SOURCE};
use crate::lanes::{BYTES_MAX, Errand, Lanes, Task, WAITING_MAX};
use crate::ledger::{Ledger, Part};
use crate::said::{Meant, Reading};

/// How long one look at the brokers takes, where nothing comes.
const LOOK: Duration = Duration::from_millis(20);
/// Records between two looks at what is done.
const AT_ONCE: usize = 256;
/// What is done is committed so often: a node that is killed has it read again, and rooms know it.
const COMMIT_EVERY: Duration = Duration::from_millis(250);
/// What typing said then says nothing now.
const STALE: Duration = Duration::from_secs(5);
/// How long one question takes that is asked before anything is read.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Between two such questions, where nothing else comes.
const LOOK_SELDOM: Duration = Duration::from_millis(250);
/// Brokers that have answered for so long without naming their cluster will not name it: it stands in what they tell of topics.
const NAMELESS_FOR: Duration = Duration::from_secs(10);

pub(crate) struct Source {
    pub(crate) consumer: BaseConsumer<Reads>,
    pub(crate) reading: Arc<Reading>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) stage: watch::Receiver<Stage>,
    pub(crate) origin: String,
    /// What positions are remembered under, with the cluster's own name.
    pub(crate) name: String,
}

/// What found no place in its lane, and what is not read on.
#[derive(Default)]
struct Held {
    stash: BTreeMap<Part, VecDeque<Errand>>,
    paused: BTreeSet<Part>,
}

impl Source {
    /// Until the node stops reading; then what was begun is waited for, and another node goes on from there.
    pub(crate) fn run(self) {
        let topics: Vec<&str> = self.reading.0.keys().map(String::as_str).collect();
        let Some(name) = self.whole_name(topics.first().copied()) else { return };
        if let Err(error) = self.consumer.subscribe(&topics) {
            return tracing::error!(%error, "the bridge to Kafka cannot subscribe");
        }
        let log = |topic: &str| -> Arc<str> { format!("{SOURCE}{name}:{topic}").into() };
        let logs: BTreeMap<Arc<str>, Arc<str>> =
            topics.iter().map(|topic| ((*topic).into(), log(topic))).collect();
        let (mut held, mut committed) = (Held::default(), Instant::now());
        while self.runs() {
            self.put_stashed(&mut held);
            self.hold(&mut held);
            for _ in 0..AT_ONCE {
                match self.consumer.poll(LOOK) {
                    None => break,
                    Some(Ok(message)) => self.take(&message, &logs, &mut held),
                    Some(Err(error)) => self.fails(&error),
                }
                if committed.elapsed() >= COMMIT_EVERY {
                    break;
                }
            }
            if committed.elapsed() >= COMMIT_EVERY {
                committed = Instant::now();
                self.commit();
            }
        }
        // The consumer ends here: its partitions are closed, what is begun is waited for, and the rest is committed.
    }

    fn runs(&self) -> bool {
        *self.stage.borrow() == Stage::Runs
    }

    /// With the cluster's, which is waited for: until it is known nothing is subscribed to, so that nothing that is read is without
    /// it. Brokers that answer and name no cluster are old, and are read under our name alone.
    fn whole_name(&self, topic: Option<&str>) -> Option<String> {
        let mut nameless: Option<Instant> = None;
        while self.runs() {
            if let Some(cluster) = self.consumer.client().fetch_cluster_id(ANSWERS_WITHIN) {
                return Some(format!("{}:{cluster}", self.name));
            }
            let answer = self.consumer.fetch_metadata(topic, ANSWERS_WITHIN);
            nameless = answer.ok().map(|_| nameless.unwrap_or_else(Instant::now));
            if nameless.is_some_and(|since| since.elapsed() >= NAMELESS_FOR) {
                tracing::warn!(
                    name = self.name,
                    "the brokers do not say which cluster they are: positions are remembered under `kafka_bridge.name` alone. \
                     Set it to another word whenever the topics are another cluster's"
                );
                return Some(self.name.clone());
            }
            // Callbacks are served, so that it is said what is wrong; and brokers that name nothing are not asked all the time.
            if let Some(Err(error)) = self.consumer.poll(LOOK_SELDOM) {
                self.fails(&error);
            }
        }
        None
    }

    fn fails(&self, error: &KafkaError) {
        self.consumer.context().fails(error);
    }

    fn take(&self, message: &BorrowedMessage<'_>, logs: &BTreeMap<Arc<str>, Arc<str>>, held: &mut Held) {
        add(&self.counts.read_total, 1);
        let Some((topic, log)) = logs.get_key_value(message.topic()) else { return };
        let heard = Heard::of(message, topic.clone(), log.clone());
        let part = (topic.clone(), heard.partition);
        // It was fetched before the partition went.
        let Some(receipt) = self.ledger.take(&part, heard.offset) else { return };
        let task = if heard.is_of(&self.origin) {
            add(&self.counts.own_skipped_total, 1);
            None
        } else {
            self.task(&heard)
        };
        let Some(task) = task else { return receipt.done() };
        let errand = Errand { heard, receipt, task };
        // What stands behind a record that found no place waits behind it.
        if let Some(stashed) = held.stash.get_mut(&part) {
            stashed.push_back(errand);
        } else if let Err(errand) = self.lanes.put(errand) {
            held.stash.insert(part.clone(), VecDeque::from([*errand]));
            self.pause(held, part);
        }
    }

    /// What is to be done about it, if anything is.
    fn task(&self, heard: &Heard) -> Option<Task> {
        let meant = catch_unwind(AssertUnwindSafe(|| {
            self.reading.meant(&heard.topic, heard.key.as_deref(), heard.value.as_deref())
        }));
        match meant {
            Ok(Ok(Meant::Said(said))) if said.soft && is_stale(heard.at) => {
                add(&self.counts.stale_total, 1);
                None
            }
            Ok(Ok(Meant::Said(said))) => Some(Task::Ask(said)),
            Ok(Ok(Meant::NotForUs)) => {
                add(&self.counts.ignored_total, 1);
                None
            }
            Ok(Err(Poison(why))) => Some(Task::Bury(why)),
            Err(panic) => {
                add(&self.counts.panics_total, 1);
                Some(Task::Bury(format!("the bridge panicked on it: {}", words_of(&*panic))))
            }
        }
    }

    /// What found no place tries again, in its order.
    fn put_stashed(&self, held: &mut Held) {
        held.stash.retain(|part, stashed| {
            if self.ledger.mark(part).is_none() {
                // The partition is another node's.
                return false;
            }
            while let Some(errand) = stashed.pop_front() {
                if let Err(errand) = self.lanes.put(errand) {
                    stashed.push_front(*errand);
                    break;
                }
            }
            !stashed.is_empty()
        });
    }

    /// Partitions are read on, or not, by what waits of them.
    fn hold(&self, held: &mut Held) {
        let (count, bytes) = self.lanes.waits();
        set(&self.counts.waiting, count);
        let parts = self.ledger.all();
        held.paused.retain(|part| parts.contains(part));
        let is_full = count >= WAITING_MAX / 2 || bytes >= BYTES_MAX / 2;
        for part in parts {
            let waits = is_full || held.stash.contains_key(&part) || self.ledger.is_long(&part);
            if waits && !held.paused.contains(&part) {
                self.pause(held, part);
            } else if !waits && held.paused.remove(&part) {
                self.consumer.resume(&list(&part)).unwrap_or_else(|error| self.fails(&error));
            }
        }
        set(&self.counts.partitions_paused, held.paused.len());
    }

    fn pause(&self, held: &mut Held, part: Part) {
        match self.consumer.pause(&list(&part)) {
            Ok(()) => drop(held.paused.insert(part)),
            Err(error) => self.fails(&error),
        }
    }

    fn commit(&self) {
        let news = self.ledger.news();
        if !news.is_empty()
            && let Err(error) = commit(&self.consumer, &news, CommitMode::Async)
        {
            news.iter().for_each(|(part, _)| self.ledger.is_not_committed(part));
            self.fails(&error);
        }
    }
}

fn list((topic, partition): &Part) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(topic, *partition);
    list
}

fn is_stale(at: Option<i64>) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    at.and_then(|at| u64::try_from(at).ok()).is_some_and(|at| now > Duration::from_millis(at) + STALE)
}
