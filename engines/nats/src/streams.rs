//! The deployment's streams and its record, made where they are absent and compared where they are there. It stores nothing
//! of a room.

use async_nats::HeaderMap;
use bytes::Bytes;
use link::{Deployment, Disagreement, SameKeys};
use serde_json::{Value, json};

use crate::config::{Config, Keeps};
use crate::error::OpenError;
use crate::names::Names;
use crate::server::{Ask, Fault, Server, chance};

/// Soft values live seconds; who comes later than this does not see one.
const SOFT_LIVES_NANOS: u64 = 3_600_000_000_000;
/// What typing and positions of a large deployment take. The oldest go first.
const SOFT_BYTES_MAX: u64 = 256 << 20;
/// Rivals for one small message, all of whom want the same.
const ROUNDS_MAX: usize = 16;

/// `made`: is told the name of each stream that was not there.
pub(crate) async fn prepare(
    server: &Server,
    names: &Names,
    config: &Config,
    mut made: impl FnMut(&str),
) -> Result<(), OpenError> {
    server.api("INFO", Value::Null).await.map_err(|fault| match fault {
        Fault::Denied { .. } => OpenError::NoJetStream { why: fault.words() },
        Fault::Unanswered(why) if why.contains("no responders") => OpenError::NoJetStream { why },
        fault => OpenError::NoAnswer { what: "JetStream".to_owned(), why: fault.words() },
    })?;
    for stream in wanted(names, config) {
        if make(server, &stream).await? {
            made(stream["name"].as_str().unwrap_or_default());
        }
    }
    Ok(())
}

/// Each with the settings on which the engine relies.
fn wanted(names: &Names, config: &Config) -> Vec<Value> {
    let prefix = &names.prefix;
    let storage = if config.keeps == Keeps::InMemory { "memory" } else { "file" };
    let stream = |name: &str, subjects: &[String], storage: &str| {
        json!({
            "name": name, "subjects": subjects, "storage": storage, "retention": "limits", "discard": "new",
            "num_replicas": config.replicas, "allow_direct": true, "max_age": 0, "max_msgs": -1, "max_bytes": -1,
            "max_msgs_per_subject": -1, "deny_delete": false, "deny_purge": false,
        })
    };
    let news = |source: String, destination: String| json!({ "src": source, "dest": destination });
    let of_rooms = |kind: &str| format!("{prefix}.rooms.*.*.{kind}");
    let all_rooms = || news(format!("{prefix}.rooms.>"), format!("{prefix}.news.>"));

    let mut log = stream(&names.log, &[of_rooms("log"), names.deployment()], storage);
    log["republish"] = all_rooms();
    if let Some(most) = config.log_bytes_max {
        log["max_bytes"] = most.into();
    }
    let snapshots = stream(&names.snapshots, &[format!("{prefix}.snapshots.>")], storage);
    let mut state = stream(&names.state, &[format!("{prefix}.state.>")], storage);
    state["max_msgs_per_subject"] = 1.into();
    state["discard"] = "old".into();
    state["republish"] = news(names.leases(), names.leases_news());
    let mut here = stream(&names.here, &[of_rooms("here.*.*")], "memory");
    here["max_msgs_per_subject"] = 1.into();
    here["discard"] = "old".into();
    here["republish"] = all_rooms();
    let mut soft = stream(&names.soft, &[of_rooms("soft.*")], "memory");
    soft["max_msgs_per_subject"] = 1.into();
    soft["discard"] = "old".into();
    soft["max_age"] = SOFT_LIVES_NANOS.into();
    soft["max_bytes"] = SOFT_BYTES_MAX.into();
    soft["republish"] = all_rooms();
    vec![log, snapshots, state, here, soft]
}

/// What an operator may set as they like.
const FREE: [&str; 1] = ["num_replicas"];

/// Whether it was not there.
async fn make(server: &Server, wanted: &Value) -> Result<bool, OpenError> {
    let name = wanted["name"].as_str().unwrap_or_default().to_owned();
    let refused = |fault: Fault| OpenError::Stream { stream: name.clone(), why: fault.words() };
    let mut made = false;
    let is = match server.api(&format!("STREAM.INFO.{name}"), Value::Null).await {
        Ok(told) => told["config"].clone(),
        Err(Fault::NoStream) => match server.api(&format!("STREAM.CREATE.{name}"), wanted.clone()).await {
            Ok(told) => {
                made = true;
                told["config"].clone()
            }
            // Another node was first.
            Err(Fault::Denied { .. }) => {
                let told = server.api(&format!("STREAM.INFO.{name}"), Value::Null).await;
                told.map_err(refused)?["config"].clone()
            }
            Err(fault) => return Err(refused(fault)),
        },
        Err(fault) => return Err(refused(fault)),
    };
    let nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64().is_some_and(|number| number <= 0),
        _ => false,
    };
    for (setting, must) in wanted.as_object().into_iter().flatten() {
        let is = &is[setting];
        let same = is == must || (nothing(is) && nothing(must)) || FREE.contains(&setting.as_str());
        if !same {
            let (setting, is, must) = (setting.clone(), is.to_string(), must.to_string());
            return Err(OpenError::Differs { stream: name, setting, is, must });
        }
    }
    Ok(made)
}

/// Joins the deployment, or begins it.
pub(crate) async fn join(
    server: &Server,
    names: &Names,
    mine: &Deployment,
    keys: SameKeys,
) -> Result<Deployment, OpenError> {
    let no_answer =
        |fault: Fault| OpenError::NoAnswer { what: "the deployment's record".to_owned(), why: fault.words() };
    for _ in 0..ROUNDS_MAX {
        let kept = server.last(&names.log, &names.deployment(), Ask::Leader).await.map_err(no_answer)?;
        let (last, next) = match &kept {
            None => (0, mine.clone()),
            Some(got) => {
                let line = str::from_utf8(&got.data);
                let line = line.map_err(|_| OpenError::Deployment(Disagreement::Unreadable))?;
                let kept: Deployment = line.parse().map_err(OpenError::Deployment)?;
                let joined = mine.joins(&kept, keys).map_err(OpenError::Deployment)?;
                if joined == kept {
                    return Ok(kept);
                }
                (got.sequence, joined)
            }
        };
        let line = Bytes::from(next.to_string());
        match server.publish(names.deployment(), Some(last), HeaderMap::new(), line).await {
            Ok(_) => return Ok(next),
            Err(Fault::Raced) => {}
            Err(fault) => return Err(no_answer(fault)),
        }
    }
    Err(no_answer(Fault::Raced))
}

/// The start tag that now is. Where the record is gone the logs are gone with it, and what begins is another past.
pub(crate) async fn start_tag(server: &Server, names: &Names, mine: &Deployment) -> Result<u32, Fault> {
    for _ in 0..ROUNDS_MAX {
        if let Some(got) = server.last(&names.log, &names.deployment(), Ask::Leader).await? {
            let line = str::from_utf8(&got.data).ok().and_then(|line| line.parse::<Deployment>().ok());
            return line.map(|kept| kept.start_tag).ok_or(Fault::Absent);
        }
        let anew = Deployment { start_tag: (chance() >> 32) as u32, ..mine.clone() };
        let line = Bytes::from(anew.to_string());
        match server.publish(names.deployment(), Some(0), HeaderMap::new(), line).await {
            Ok(_) => return Ok(anew.start_tag),
            Err(Fault::Raced) => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Raced)
}
