//! A real Kafka of the test's own, as another fleet's brokers are one, and a plain producer and consumer of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use conformance::Server as Broker;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::support::PATIENCE;

const PROPERTIES: &str = include_str!("../../../../xtask/kafka/server.properties");
const CLUSTER: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

/// Where `cargo xtask services` puts it.
fn libs() -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let libs = root.join("target/tools/kafka/libs");
    assert!(libs.exists(), "no Kafka in {}; `cargo xtask services` fetches it", libs.display());
    format!("{}/*", libs.display())
}

/// One that this test may kill.
pub(crate) fn broker() -> Broker {
    broker_with("", &[])
}

/// With lines of its own behind the others, and words for the making of its metadata.
pub(crate) fn broker_with(lines: &str, format_words: &[&str]) -> Broker {
    // It ends with the thread that began it, however that ends.
    Broker::start("setpriv", |port, folder| {
        let controller = conformance::free_address().port();
        let properties = PROPERTIES
            .replace("{port}", &port.to_string())
            .replace("{controller}", &controller.to_string())
            .replace("{folder}", folder.to_str().expect("UTF-8"));
        let lines =
            lines.replace("{port}", &port.to_string()).replace("{controller}", &controller.to_string());
        let properties = properties + &lines;
        let file = folder.join("server.properties");
        std::fs::write(&file, properties).expect("written");
        let java = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"].map(str::to_owned);
        let java: Vec<String> = java.into_iter().chain([libs()]).collect();
        let file = file.to_str().expect("UTF-8");
        let format = ["kafka.tools.StorageTool", "format", "-g", "-t", CLUSTER, "-c", file];
        let output = Command::new("java").args(&java).args(format).args(format_words).output();
        let output =
            output.unwrap_or_else(|error| panic!("java: {error}; `cargo xtask services` installs it"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let ends = ["--pdeathsig", "KILL", "--", "java"].map(str::to_owned);
        let run = ["kafka.Kafka".to_owned(), file.to_owned()];
        ends.into_iter().chain(java).chain(run).map(Into::into).collect()
    })
}

/// The one that tests share: each has topics and groups of its own.
pub(crate) fn shared() -> String {
    static SHARED: OnceLock<String> = OnceLock::new();
    let begin = || {
        let (send, address) = std::sync::mpsc::sync_channel(1);
        // A thread that outlives every test, and ends with the process.
        std::thread::spawn(move || {
            sweep();
            let broker = broker();
            send.send(broker.address.to_string()).expect("somebody waits");
            loop {
                std::thread::park();
            }
        });
        address.recv().expect("a broker")
    };
    SHARED.get_or_init(begin).clone()
}

/// Nobody is left to remove the folder of the one that is shared: the next process does.
fn sweep() {
    let entries = std::fs::read_dir(std::env::temp_dir()).expect("a folder");
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix("kulkul-setpriv-").and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Another process that begins now may have been faster.
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// What one test does at some brokers.
pub(crate) struct Kafka {
    pub(crate) brokers: String,
    producer: BaseProducer,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) key: Option<String>,
    pub(crate) value: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Found {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or_else(|| panic!("no {name} in {:?}", self.headers), |(_, value)| value)
    }
}

impl Kafka {
    pub(crate) fn at(brokers: &str) -> Kafka {
        let mut config = config(brokers);
        config.set("linger.ms", "2").set("enable.idempotence", "true").set("message.max.bytes", "15728640");
        Kafka { brokers: brokers.to_owned(), producer: config.create().expect("a producer") }
    }

    pub(crate) fn shared() -> Kafka {
        Kafka::at(&shared())
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32) {
        self.create_with(topic, partitions, &[]);
    }

    /// With settings of its own.
    pub(crate) fn create_with(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = config(&self.brokers).create().expect("an admin");
        let mut topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let made = admin.create_topics([&topic], &options);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for made in runtime.block_on(made).expect("an answer") {
            made.expect("a topic");
        }
    }

    pub(crate) fn put(&self, topic: &str, key: Option<&str>, value: &str) {
        self.put_with(topic, key, value.as_bytes(), OwnedHeaders::new());
    }

    /// Returns when it is on its way; `flush` waits for all.
    pub(crate) fn put_with(&self, topic: &str, key: Option<&str>, value: &[u8], headers: OwnedHeaders) {
        let mut record: BaseRecord<'_, str, [u8]> = BaseRecord::to(topic).payload(value).headers(headers);
        record.key = key;
        while let Err((error, again)) = self.producer.send(record) {
            assert!(error.to_string().contains("Queue full"), "{error}");
            self.producer.poll(Duration::from_millis(10));
            record = again;
        }
        self.producer.poll(Duration::ZERO);
    }

    pub(crate) fn flush(&self) {
        self.producer.flush(PATIENCE).expect("all is produced");
    }

    /// All that a topic has, as soon as it is at least so much.
    pub(crate) fn all(&self, topic: &str, at_least: usize) -> Vec<Found> {
        let mut config = config(&self.brokers);
        config.set("group.id", "reads all").set("enable.auto.commit", "false");
        config.set("fetch.message.max.bytes", "15728640");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let (since, mut found) = (Instant::now(), Vec::new());
        let mut list = TopicPartitionList::new();
        while list.count() == 0 {
            assert!(since.elapsed() < PATIENCE, "no topic {topic}");
            let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("metadata");
            for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                list.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("a partition");
            }
        }
        consumer.assign(&list).expect("assigned");
        let mut read = BTreeMap::new();
        // What stands behind what is waited for would be one too many.
        let is_at_end = |read: &BTreeMap<i32, i64>| {
            list.elements().iter().all(|element| {
                let (low, high) =
                    consumer.fetch_watermarks(topic, element.partition(), PATIENCE).expect("an end");
                low == high || read.get(&element.partition()).is_some_and(|next| *next >= high)
            })
        };
        while found.len() < at_least || !is_at_end(&read) {
            assert!(since.elapsed() < PATIENCE, "{topic} has {} of {at_least}", found.len());
            let Some(message) = consumer.poll(Duration::from_millis(50)) else { continue };
            let message = message.expect("a record");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = message.headers().map(|headers| {
                let header = |it: rdkafka::message::Header<'_, &[u8]>| {
                    (it.key.to_owned(), text(it.value.unwrap_or_default()))
                };
                headers.iter().map(header).collect()
            });
            read.insert(message.partition(), message.offset() + 1);
            found.push(Found {
                key: message.key().map(text),
                value: text(message.payload().unwrap_or_default()),
                headers: headers.unwrap_or_default(),
            });
        }
        found
    }
}

pub(crate) fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}
