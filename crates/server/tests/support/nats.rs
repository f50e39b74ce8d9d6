//! A real NATS of the test's own, as another fleet's servers are one, and a plain client of it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use async_nats::{Client, ConnectOptions, HeaderMap, Subscriber};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conformance::Server as Broker;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::support::PATIENCE;

/// One that this test may kill; its streams are in files.
pub(crate) fn broker() -> Broker {
    broker_with(|_| Vec::new())
}

pub(crate) fn broker_with(more: impl Fn(&Path) -> Vec<OsString>) -> Broker {
    Broker::start("nats-server", |port, folder| {
        let mut arguments: Vec<OsString> =
            ["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"].map(OsString::from).into();
        arguments.push(folder.into());
        arguments.extend(more(folder));
        arguments
    })
}

pub(crate) struct Nats {
    pub(crate) runtime: Runtime,
    pub(crate) client: Client,
}

/// A message as a stream keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) subject: String,
    pub(crate) value: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Found {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.value).expect("JSON")
    }
}

impl Nats {
    pub(crate) fn at(broker: &Broker) -> Nats {
        Nats::by(&format!("nats://{}", broker.address), ConnectOptions::new())
    }

    pub(crate) fn by(url: &str, options: ConnectOptions) -> Nats {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(options.connect(url)).expect("let in");
        Nats { runtime, client }
    }

    /// None: JetStream says no.
    pub(crate) fn ask(&self, verb: &str, body: &Value) -> Option<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let since = Instant::now();
        loop {
            let asked = self.client.request(format!("$JS.API.{verb}"), body.clone().into());
            let Ok(answer) = self.runtime.block_on(asked) else {
                assert!(since.elapsed() < PATIENCE, "no answer to {verb}");
                continue;
            };
            let answer: Value = serde_json::from_slice(&answer.payload).expect("JSON");
            return answer.get("error").is_none().then_some(answer);
        }
    }

    pub(crate) fn stream(&self, name: &str, subjects: &[&str], more: &Value) {
        let mut wanted = json!({ "name": name, "subjects": subjects, "storage": "file", "num_replicas": 1 });
        for (setting, value) in more.as_object().into_iter().flatten() {
            wanted[setting] = value.clone();
        }
        self.ask(&format!("STREAM.CREATE.{name}"), &wanted).expect("it is made");
    }

    pub(crate) fn durable(&self, stream: &str, name: &str, more: &Value) {
        let mut config = json!({ "durable_name": name, "ack_policy": "explicit", "deliver_policy": "all" });
        for (setting, value) in more.as_object().into_iter().flatten() {
            config[setting] = value.clone();
        }
        let wanted = json!({ "stream_name": stream, "config": config });
        self.ask(&format!("CONSUMER.DURABLE.CREATE.{stream}.{name}"), &wanted).expect("it is made");
    }

    pub(crate) fn put(&self, subject: &str, value: &str) {
        self.put_with(subject, value, &[]);
    }

    /// Returns when it is stored.
    pub(crate) fn put_with(&self, subject: &str, value: &str, headers: &[(&str, &str)]) {
        let mut map = HeaderMap::new();
        headers.iter().for_each(|(name, value)| map.insert(*name, *value));
        let since = Instant::now();
        loop {
            let sent =
                self.client.request_with_headers(subject.to_owned(), map.clone(), value.to_owned().into());
            match self.runtime.block_on(sent) {
                Ok(ack) if ack.payload.starts_with(br#"{"stream""#) => return,
                other => assert!(since.elapsed() < PATIENCE, "{subject} is not stored: {other:?}"),
            }
        }
    }

    /// Many, in this order; returns when all are stored.
    pub(crate) fn put_all(&self, messages: Vec<(String, String)>) {
        self.runtime.block_on(async {
            let inbox = self.client.new_inbox();
            let mut acks = self.client.subscribe(inbox.clone()).await.expect("let in");
            for some in messages.chunks(500) {
                for (subject, value) in some {
                    let value = value.clone().into();
                    self.client
                        .publish_with_reply(subject.clone(), inbox.clone(), value)
                        .await
                        .expect("taken");
                }
                for _ in some {
                    let ack = acks.next().await.expect("an ack");
                    assert!(ack.payload.starts_with(br#"{"stream""#), "{ack:?}");
                }
            }
        });
    }

    /// To whoever listens.
    pub(crate) fn say(&self, subject: &str, value: &str) {
        self.runtime.block_on(async {
            self.client.publish(subject.to_owned(), value.to_owned().into()).await.expect("taken");
            self.client.flush().await.expect("sent");
        });
    }

    pub(crate) fn listen(&self, subject: &str) -> Subscriber {
        self.runtime.block_on(async {
            let heard = self.client.subscribe(subject.to_owned()).await.expect("let in");
            self.client.flush().await.expect("sent");
            heard
        })
    }

    /// Is given one message of a consumer, and says nothing about it.
    pub(crate) fn take(&self, stream: &str, durable: &str) -> String {
        self.runtime.block_on(async {
            let inbox = self.client.new_inbox();
            let mut heard = self.client.subscribe(inbox.clone()).await.expect("let in");
            let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}");
            self.client.publish_with_reply(subject, inbox, "1".into()).await.expect("asked");
            let message = heard.next().await.expect("a message");
            String::from_utf8(message.payload.to_vec()).expect("UTF-8")
        })
    }

    pub(crate) fn consumer(&self, stream: &str, durable: &str) -> Value {
        self.ask(&format!("CONSUMER.INFO.{stream}.{durable}"), &Value::Null).expect("it is there")
    }

    pub(crate) fn stream_is(&self, stream: &str) -> Option<Value> {
        self.ask(&format!("STREAM.INFO.{stream}"), &Value::Null)
    }

    /// All that a stream has, oldest first; nothing where it is not there.
    pub(crate) fn all(&self, stream: &str) -> Vec<Found> {
        let Some(told) = self.stream_is(stream) else { return Vec::new() };
        let of = |name: &str| told["state"][name].as_u64().expect("a sequence");
        let got = (of("first_seq").max(1)..=of("last_seq")).filter_map(|sequence| {
            self.ask(&format!("STREAM.MSG.GET.{stream}"), &json!({ "seq": sequence }))
        });
        got.map(|got| found(&got["message"])).collect()
    }
}

fn found(message: &Value) -> Found {
    let text = |name: &str| {
        let decoded = STANDARD.decode(message[name].as_str().unwrap_or_default()).expect("base64");
        String::from_utf8(decoded).expect("UTF-8")
    };
    let headers = text("hdrs");
    let headers = headers.lines().skip(1).filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    Found {
        subject: message["subject"].as_str().expect("a subject").to_owned(),
        value: text("data"),
        headers,
    }
}
