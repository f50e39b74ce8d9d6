//! Streams and durable consumers as they are wanted: made where they are absent, and compared where they are there. What differs is said
//! and left as it is. It reads nothing of a stream.

use std::time::Duration;

use serde_json::{Value, json};

use crate::jetstream::{Fault, JetStream};

/// Within it what is stored twice under one id is stored once.
const DUPLICATES: Duration = Duration::from_secs(300);
/// Who was given a message and says nothing for so long has it no more.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(30);
/// Messages of one consumer that are given out and not done.
pub(crate) const PENDING_MAX: u32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// As long as its limits say.
    Limits,
    /// Until all consumers have it.
    Interest,
}

#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) subjects: Vec<String>,
    pub(crate) retention: Retention,
    pub(crate) in_memory: bool,
    pub(crate) age: Duration,
    pub(crate) bytes_max: u64,
    pub(crate) messages_max: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Durable {
    pub(crate) name: String,
    pub(crate) subject: String,
    /// From the oldest that there is, else from now on.
    pub(crate) all: bool,
    pub(crate) deliver_max: u32,
    /// Messages that are given out and not done, of all nodes together. One: their order holds whatever happens.
    pub(crate) pending_max: u32,
}

fn nanos(span: Duration) -> u64 {
    span.as_nanos() as u64
}

impl Stream {
    fn wanted(&self) -> Value {
        json!({
            "name": self.name, "subjects": self.subjects,
            "retention": if self.retention == Retention::Interest { "interest" } else { "limits" },
            "storage": if self.in_memory { "memory" } else { "file" },
            "max_age": nanos(self.age), "max_bytes": self.bytes_max,
            "max_msgs": self.messages_max.map_or(-1, |most| most as i64),
            "discard": "old", "num_replicas": 1, "duplicate_window": nanos(DUPLICATES.min(self.age)),
        })
    }

    /// None: it is there and takes these subjects. Else what to do about it.
    pub(crate) async fn make(&self, js: &JetStream) -> Result<Option<String>, Fault> {
        let (name, wanted) = (&self.name, self.wanted());
        let is = match js.ask(&format!("STREAM.INFO.{name}"), &Value::Null).await {
            Ok(told) => told["config"].clone(),
            Err(Fault::Absent) => match js.ask(&format!("STREAM.CREATE.{name}"), &wanted).await {
                Ok(_) => {
                    tracing::info!(name, "a stream of NATS was made");
                    return Ok(None);
                }
                Err(Fault::Denied(why)) => {
                    return Ok(Some(format!(
                        "it cannot be made ({why}): make it, permit it to the user, or have its subjects in one stream alone"
                    )));
                }
                Err(fault) => return Err(fault),
            },
            Err(Fault::Denied(why)) => {
                return Ok(Some(format!("it may not be looked at ({why}): permit it to the user")));
            }
            Err(fault) => return Err(fault),
        };
        let lacks: Vec<&str> =
            self.subjects.iter().map(String::as_str).filter(|wanted| !takes(&is, wanted)).collect();
        if !lacks.is_empty() {
            let lacks = lacks.join(", ");
            return Ok(Some(format!(
                "it is there and does not take {lacks}: add that with `nats stream edit {name}`"
            )));
        }
        say(&format!("the stream {name}"), &differences(&wanted, &is));
        Ok(None)
    }
}

/// A durable consumer that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) ack_wait: Duration,
    /// None: as often as need be.
    pub(crate) deliver_max: Option<u64>,
    /// All of the stream is for it.
    pub(crate) whole: bool,
}

impl Durable {
    fn wanted(&self) -> Value {
        json!({
            "durable_name": self.name, "filter_subject": self.subject,
            "deliver_policy": if self.all { "all" } else { "new" }, "ack_policy": "explicit",
            "ack_wait": nanos(ACK_WAIT), "max_deliver": self.deliver_max,
            "max_ack_pending": self.pending_max,
            "replay_policy": "instant",
        })
    }

    /// Within: what to do where it cannot be read.
    pub(crate) async fn make(&self, js: &JetStream, stream: &str) -> Result<Result<Made, String>, Fault> {
        let (name, wanted) = (&self.name, self.wanted());
        let told = match js.ask(&format!("CONSUMER.INFO.{stream}.{name}"), &Value::Null).await {
            Err(Fault::Absent) => {
                let create = json!({ "stream_name": stream, "config": wanted });
                let made = js.ask(&format!("CONSUMER.DURABLE.CREATE.{stream}.{name}"), &create).await;
                made.inspect(|_| tracing::info!(stream, name, "a consumer of NATS was made"))
            }
            told => told,
        };
        let is = match told {
            Ok(told) => told["config"].clone(),
            Err(Fault::Denied(why)) => {
                return Ok(Err(format!(
                    "it cannot be made or looked at ({why}): make it, or permit it to the user"
                )));
            }
            Err(fault) => return Err(fault),
        };
        let subjects = match js.ask(&format!("STREAM.INFO.{stream}"), &Value::Null).await {
            Ok(told) => told["config"]["subjects"].clone(),
            Err(Fault::Denied(_)) => Value::Null,
            Err(fault) => return Err(fault),
        };
        if let Err(why) = self.is_usable(&is, &subjects) {
            return Ok(Err(why));
        }
        say(&format!("the consumer {name} of {stream}"), &differences(&wanted, &is));
        Ok(Ok(Made {
            ack_wait: Duration::from_nanos(is["ack_wait"].as_u64().unwrap_or(nanos(ACK_WAIT))),
            deliver_max: is["max_deliver"].as_u64().filter(|most| *most > 0),
            whole: is_whole(&is, &subjects),
        }))
    }

    fn is_usable(&self, is: &Value, subjects: &Value) -> Result<(), String> {
        let other = "remove it with `nats consumer rm`, or name another durable";
        if let Some(subject) = is["deliver_subject"].as_str().filter(|subject| !subject.is_empty()) {
            return Err(format!("it is pushed to {subject} and cannot be asked: {other}"));
        }
        if is["ack_policy"] != "explicit" {
            return Err(format!("its ack_policy is {}, and must be explicit: {other}", is["ack_policy"]));
        }
        let filter = is["filter_subject"].as_str().unwrap_or_default();
        let only = subjects.as_array().is_some_and(|all| all.len() == 1 && all[0] == self.subject.as_str());
        if filter != self.subject && !(filter.is_empty() && only) {
            return Err(format!("its filter_subject is {filter:?}, and must be {:?}: {other}", self.subject));
        }
        Ok(())
    }
}

fn is_whole(is: &Value, subjects: &Value) -> bool {
    let filter = is["filter_subject"].as_str().unwrap_or_default();
    filter.is_empty() || subjects.as_array().is_some_and(|all| all.len() == 1 && all[0] == filter)
}

fn say(what: &str, differences: &[String]) {
    if !differences.is_empty() {
        let differences = differences.join("; ");
        tracing::warn!("{what} is left as it is, and is not as this bridge would make it: {differences}");
    }
}

/// Replicas are as an operator likes.
const FREE: [&str; 1] = ["num_replicas"];

fn differences(wanted: &Value, is: &Value) -> Vec<String> {
    let wanted = wanted.as_object().into_iter().flatten();
    let differs = wanted.filter(|(name, must)| is[*name] != **must && !FREE.contains(&name.as_str()));
    differs.map(|(name, must)| format!("{name} is {}, not {must}", is[name])).collect()
}

fn takes(is: &Value, subject: &str) -> bool {
    let subjects = is["subjects"].as_array().into_iter().flatten().filter_map(Value::as_str);
    subjects.into_iter().any(|pattern| covers(pattern, subject))
}

/// Whether whatever fits the subject fits the pattern; both may have wildcards.
fn covers(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(one), Some(token)) if one == token => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_fits_it_and_no_more() {
        for (pattern, subject, covered) in [
            ("a.b", "a.b", true),
            ("a.*", "a.b", true),
            ("a.>", "a.b.c", true),
            (">", "a", true),
            ("a.*", "a.*", true),
            ("a.>", "a.>", true),
            ("a.*", "a.>", false),
            ("a.*", "a.b.c", false),
            ("a.>", "a", false),
            ("a.b", "a.*", false),
            ("a.b.c", "a.b", false),
        ] {
            assert_eq!(covers(pattern, subject), covered, "{pattern} {subject}");
        }
    }

    fn durable() -> Durable {
        Durable {
            name: "d".to_owned(),
            subject: "a.b".to_owned(),
            all: true,
            deliver_max: 5,
            pending_max: PENDING_MAX,
        }
    }

    #[test]
    fn what_differs_is_named_and_what_an_operator_may_choose_is_not() {
        let stream = Stream {
            name: "S".to_owned(),
            subjects: vec!["a.b".to_owned()],
            retention: Retention::Interest,
            in_memory: false,
            age: Duration::from_secs(3600),
            bytes_max: 50,
            messages_max: None,
        };
        let mut is = stream.wanted();
        assert_eq!(is["duplicate_window"], 300_000_000_000_u64);
        is["num_replicas"] = 3.into();
        assert_eq!(differences(&stream.wanted(), &is), Vec::<String>::new());
        is["max_bytes"] = 70.into();
        is["retention"] = "limits".into();
        let told = differences(&stream.wanted(), &is);
        assert_eq!(told, ["max_bytes is 70, not 50", "retention is \"limits\", not \"interest\""]);
        let short = Stream { age: Duration::from_secs(60), ..stream };
        assert_eq!(short.wanted()["duplicate_window"], 60_000_000_000_u64, "servers take no longer one");
    }

    #[test]
    fn a_consumer_that_cannot_be_read_says_what_to_do() {
        let wanted = durable().wanted();
        assert_eq!(durable().is_usable(&wanted, &json!(["a.>"])), Ok(()));
        for (name, value, says) in [
            ("deliver_subject", "to.somebody", "pushed"),
            ("ack_policy", "none", "explicit"),
            ("filter_subject", "a.c", "filter_subject"),
            ("filter_subject", "", "filter_subject"),
        ] {
            let mut is = wanted.clone();
            is[name] = value.into();
            let why = durable().is_usable(&is, &json!(["a.>"])).expect_err(name);
            assert!(why.contains(says) && why.contains("durable"), "{why}");
        }
        let mut is = wanted;
        is["filter_subject"] = Value::Null;
        assert_eq!(durable().is_usable(&is, &json!(["a.b"])), Ok(()), "the stream has nothing else");
        assert!(is_whole(&is, &json!(["a.b"])));
    }
}
