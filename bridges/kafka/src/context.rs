//! What librdkafka says by itself: lines for the log, partitions that come and go, figures. It reads no record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::counts::Counts;
use crate::ledger::{Ledger, Part};
use crate::refusal::Refusal;
use crossing::{add, set};

/// What is on its way to rooms when a partition goes is waited for: what is not done then the next node asks for too, and its
/// room knows.
const GOES_WITHIN: Duration = Duration::from_secs(2);
/// What is looked up when partitions come: three questions.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Reads {
    pub(crate) counts: Arc<Counts>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) group: String,
    /// The brokers refused what was to be read; librdkafka says it once, and of no topic. Which it is, its figures tell.
    pub(crate) denied: AtomicBool,
}

pub(crate) struct Writes;

fn log(level: RDKafkaLogLevel, facility: &str, line: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
    match level {
        // Brokers that are away are said once, by the circuit.
        Emerg | Alert | Critical | Error | Warning => tracing::debug!(facility, "{line}"),
        Notice | Info | Debug => tracing::trace!(facility, "{line}"),
    }
}

impl ClientContext for Writes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "a broker, for what is produced");
    }
}

impl ClientContext for Reads {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "a broker, for what is read");
    }

    fn stats(&self, statistics: Statistics) {
        let (mut lags, mut unread) = (BTreeMap::new(), BTreeSet::new());
        for part in self.ledger.all() {
            let (topic, partition) = &part;
            let figures = statistics.topics.get(&**topic).and_then(|topic| topic.partitions.get(partition));
            let Some(figures) = figures.filter(|figures| figures.hi_offset >= 0) else {
                unread.insert(part.0);
                continue;
            };
            let committed = Some(figures.committed_offset).filter(|offset| *offset >= 0);
            let at = self.ledger.mark(&part).or(committed).unwrap_or(figures.hi_offset);
            lags.insert(part, u64::try_from(figures.hi_offset - at).unwrap_or(0));
        }
        self.counts.lags_are(lags);
        if self.denied.load(Ordering::Relaxed) {
            self.denied.store(!unread.is_empty(), Ordering::Relaxed);
            for topic in statistics.topics.keys() {
                let what = format!("reading {topic}");
                if unread.contains(&**topic) {
                    self.counts.reach.is_amiss(&what, "the brokers give none of it: allow READ");
                } else {
                    self.counts.reach.is_well(&what);
                }
            }
        }
    }
}

impl ConsumerContext for Reads {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        add(&self.counts.rebalances_total, 1);
        match rebalance {
            Rebalance::Assign(list) => {
                self.counts.reach.is_well(&format!("the group {:?}", self.group));
                let those = parts(list);
                self.begin(consumer, list);
                those.into_iter().for_each(|part| self.ledger.open(part));
            }
            Rebalance::Revoke(list) => {
                let marks = self.ledger.close(&parts(list), GOES_WITHIN);
                if !marks.is_empty() && !consumer.assignment_lost() {
                    let committed = commit(consumer, &marks, CommitMode::Sync);
                    self.has_committed(committed);
                }
            }
            Rebalance::Error(error) => tracing::warn!(%error, "partitions could not be given out"),
        }
        set(&self.counts.partitions, self.ledger.count());
    }

    /// librdkafka keeps in mind that a partition is paused, also while it is another node's; whoever paused it here forgot that when
    /// it went, and says anew that too much waits.
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance
            && let Err(error) = consumer.resume(list)
        {
            tracing::warn!(%error, "partitions that were paused may not be read on");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        if result.is_err() {
            parts(offsets).iter().for_each(|part| self.ledger.is_not_committed(part));
        }
        self.has_committed(result);
    }
}

impl Reads {
    /// What came instead of a record. Whether brokers are there is found out by probes; this is about groups and what we may read.
    pub(crate) fn fails(&self, error: &KafkaError) {
        self.counts.reach.stumbled();
        tracing::debug!(%error, "Kafka does not give what is read");
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
            self.denied.store(true, Ordering::Relaxed);
        }
        if Refusal::of(error) == Some(Refusal::Group) {
            let why = format!("we may not be of it: allow READ ({error})");
            self.counts.reach.is_amiss(&format!("the group {:?}", self.group), &why);
        }
    }

    fn has_committed(&self, result: KafkaResult<()>) {
        match result {
            Ok(()) => add(&self.counts.commits_total, 1),
            Err(error) => {
                add(&self.counts.commits_failed_total, 1);
                tracing::debug!(%error, "how far this node has come was not committed");
            }
        }
    }

    /// What nothing is committed for begins at its end, and that is committed before the first record is read: whoever comes
    /// next begins there, too. Each question is for all partitions at once, so that many take no longer than few: a group waits
    /// for its members for a while only.
    fn begin(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let committed = match consumer.committed_offsets(list.clone(), ANSWER_WITHIN) {
            Ok(committed) => committed,
            Err(error) => return tracing::warn!(%error, "cannot tell how far the topics were read"),
        };
        let all = committed.elements();
        let (known, unknown): (Vec<_>, Vec<_>) =
            all.iter().partition(|element| matches!(element.offset(), Offset::Offset(_)));
        let ends = edges(consumer, all.iter(), Offset::End);
        let begins = edges(consumer, known.iter().copied(), Offset::Beginning);
        for element in known {
            let (part, at) = (part(element), element.offset().to_raw().unwrap_or_default());
            let (topic, partition) = (&*part.0, part.1);
            if let Some(end) = ends.get(&part).filter(|end| at > **end) {
                tracing::error!(
                    topic,
                    partition,
                    committed = at,
                    end,
                    "the topic ends before what was committed, and was made anew or lost records: rooms take nothing \
                     of it that stands where they have read already. Set `kafka_bridge.name` to another word, if it was made anew"
                );
            }
            if let Some(begin) = begins.get(&part).filter(|begin| at < **begin) {
                tracing::error!(
                    topic,
                    partition,
                    committed = at,
                    begin,
                    "the topic has forgotten records that were not read: it keeps them for too short a time"
                );
            }
        }
        let mut begun = Vec::new();
        for part in unknown.into_iter().map(part) {
            add(&self.counts.started_at_end_total, 1);
            let (topic, partition, end) = (&*part.0, part.1, ends.get(&part).copied());
            tracing::warn!(
                topic,
                partition,
                end,
                "nothing is committed for the group: the partition is read from its end"
            );
            begun.extend(end.map(|end| (part.clone(), end)));
        }
        if !begun.is_empty() {
            self.has_committed(commit(consumer, &begun, CommitMode::Sync));
        }
    }
}

/// Where partitions begin or end, one question to each of the brokers that lead them. What is not told is not known.
fn edges<'a>(
    consumer: &BaseConsumer<Reads>,
    those: impl Iterator<Item = &'a TopicPartitionListElem<'a>>,
    which: Offset,
) -> BTreeMap<Part, i64> {
    let mut asked = TopicPartitionList::new();
    for element in those {
        // An error: it is neither of the two that are asked for.
        asked.add_partition_offset(element.topic(), element.partition(), which).ok();
    }
    if asked.count() == 0 {
        return BTreeMap::new();
    }
    // As a time, librdkafka hands these two on as they are, and brokers know them so.
    let told = match consumer.offsets_for_times(asked, ANSWER_WITHIN) {
        Ok(told) => told,
        Err(error) => {
            tracing::warn!(%error, ?which, "cannot tell where partitions are");
            return BTreeMap::new();
        }
    };
    let elements = told.elements();
    let told = elements.iter().filter(|element| element.error().is_ok());
    told.filter_map(|it| Some((part(it), it.offset().to_raw().filter(|at| *at >= 0)?))).collect()
}

fn part(element: &TopicPartitionListElem<'_>) -> Part {
    (element.topic().into(), element.partition())
}

fn parts(list: &TopicPartitionList) -> Vec<Part> {
    list.elements().iter().map(part).collect()
}

pub(crate) fn commit(
    consumer: &BaseConsumer<Reads>,
    marks: &[(Part, i64)],
    mode: CommitMode,
) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(marks.len());
    for ((topic, partition), offset) in marks {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    consumer.commit(&list, mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use link::Condition;
    use rdkafka::statistics::{Partition, Topic};

    /// Brokers that refuse a fetch tell no end, and librdkafka's figures have none then.
    #[test]
    fn a_topic_that_we_may_see_and_not_read_is_amiss_until_we_may() {
        let (counts, ledger) = (Arc::new(Counts::new("")), Arc::new(Ledger::default()));
        for topic in ["open", "shut"] {
            ledger.open((topic.into(), 0));
        }
        let reads =
            Reads { counts: counts.clone(), ledger, group: "g".to_owned(), denied: AtomicBool::new(false) };
        let tell = |hi_offset| {
            let topic = |hi_offset| {
                let partition = Partition { hi_offset, ..Partition::default() };
                Topic { partitions: [(0, partition)].into(), ..Topic::default() }
            };
            let topics = [("open".to_owned(), topic(7)), ("shut".to_owned(), topic(hi_offset))];
            reads.stats(Statistics { topics: topics.into(), ..Statistics::default() });
        };
        tell(-1001);
        assert_eq!(counts.reach.condition(), Condition::Serving, "nothing was fetched yet");
        reads.fails(&KafkaError::MessageConsumption(RDKafkaErrorCode::TopicAuthorizationFailed));
        tell(-1);
        let Condition::Partly { why } = counts.reach.condition() else {
            panic!("{:?}", counts.reach.condition())
        };
        assert!(why.contains("reading shut") && !why.contains("open"), "{why}");
        tell(0);
        assert_eq!(counts.reach.condition(), Condition::Serving);
    }
}
