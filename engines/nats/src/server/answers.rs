//! What the server's answers say. Everything here is a function of them.

use async_nats::{Message, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::times::nanos_of;

/// One stored message.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    /// The server's, in nanoseconds since 1970.
    pub(crate) stored_at: u64,
    pub(crate) data: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing left this node.
    NotSent,
    /// What became of it is not known.
    Unanswered(String),
    /// Another was first: nothing was stored.
    Raced,
    /// The server has no place: nothing was stored, and soon asking again is no use.
    Refused(String),
    /// The stream has no place, and others may.
    StreamFull(String),
    /// It has no place anywhere, and says nothing about what is smaller.
    TooLarge(String),
    /// What was asked for is not there.
    Absent,
    /// Nor is the stream that would hold it.
    NoStream,
    /// The server says no, and nothing was done.
    Denied { code: u64, why: String },
}

impl Fault {
    /// For operators.
    pub(crate) fn words(&self) -> String {
        match self {
            Fault::NotSent => "there is no connection".to_owned(),
            Fault::Unanswered(why) | Fault::Refused(why) | Fault::StreamFull(why) | Fault::TooLarge(why) => {
                why.clone()
            }
            Fault::Raced => "another was first, again and again".to_owned(),
            Fault::NoStream => "there is no such stream".to_owned(),
            Fault::Absent => "it is not there".to_owned(),
            Fault::Denied { code, why } => format!("{why} (error {code})"),
        }
    }
}

/// Why a room cannot be told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    Fault(Fault),
    /// What is kept is not what was stored.
    Damaged,
}

impl From<Fault> for Lack {
    fn from(fault: Fault) -> Lack {
        Lack::Fault(fault)
    }
}

/// JetStream's numbers for the errors that mean something to us. The last of these: a leader that has just begun does not
/// know yet.
const RACED: [u64; 3] = [10_071, 10_164, 10_163];
/// No message, no consumer of that name.
const ABSENT: [u64; 2] = [10_037, 10_014];
const NO_STREAM: u64 = 10_059;
/// Resources, memory, storage, an account's limits.
const FULL: [u64; 5] = [10_002, 10_023, 10_028, 10_047, 10_122];
/// The store says why in words: a stream's own limits, or what the disk said.
const NOT_STORED: u64 = 10_077;
/// A message's size, and that of its headers.
const TOO_LARGE: [u64; 2] = [10_054, 10_097];

pub(super) fn error_of(answer: &Value) -> Option<Fault> {
    let error = answer.get("error")?;
    let code = error["err_code"].as_u64().unwrap_or_default();
    let why = error["description"].as_str().unwrap_or("no reason given").to_owned();
    Some(match code {
        code if RACED.contains(&code) => Fault::Raced,
        code if ABSENT.contains(&code) => Fault::Absent,
        NO_STREAM => Fault::NoStream,
        code if TOO_LARGE.contains(&code) => Fault::TooLarge(why),
        _ if why.starts_with("maximum ") && why.ends_with(" exceeded") => Fault::StreamFull(why),
        code if code == NOT_STORED || FULL.contains(&code) => Fault::Refused(why),
        // Older servers name some errors by their class alone.
        _ if why.contains("wrong last sequence") => Fault::Raced,
        _ if why.contains("insufficient") => Fault::Refused(why),
        code => Fault::Denied { code, why },
    })
}

/// An ack's sequence.
pub(super) fn acked(message: &Message) -> Result<u64, Fault> {
    let unread = || Fault::Unanswered("an ack that cannot be read".to_owned());
    let answer: Value = serde_json::from_slice(&message.payload).map_err(|_| unread())?;
    match error_of(&answer) {
        Some(fault) => Err(fault),
        None => answer["seq"].as_u64().filter(|sequence| *sequence > 0).ok_or_else(unread),
    }
}

pub(super) fn from_direct(message: Message) -> Result<Option<Got>, Fault> {
    match message.status {
        None | Some(StatusCode::OK) => {}
        Some(StatusCode::NOT_FOUND) => return Ok(None),
        Some(status) => {
            let why = message.description.unwrap_or_default();
            return Err(Fault::Denied { code: u64::from(status.as_u16()), why });
        }
    }
    let header = |name: &str| message.headers.as_ref()?.get(name).map(|value| value.as_str().to_owned());
    let got = || {
        Some(Got {
            subject: header("Nats-Subject")?,
            sequence: header("Nats-Sequence")?.parse().ok()?,
            stored_at: nanos_of(&header("Nats-Time-Stamp")?)?,
            data: message.payload.clone(),
        })
    };
    got().map(Some).ok_or_else(|| Fault::Unanswered("a message without its headers".to_owned()))
}

pub(super) fn from_leader(answer: &Value) -> Result<Got, Fault> {
    let message = &answer["message"];
    let got = || {
        Some(Got {
            subject: message["subject"].as_str()?.to_owned(),
            sequence: message["seq"].as_u64()?,
            stored_at: nanos_of(message["time"].as_str()?)?,
            data: STANDARD.decode(message["data"].as_str().unwrap_or_default()).ok()?.into(),
        })
    };
    got().ok_or_else(|| Fault::Unanswered("a message that cannot be read".to_owned()))
}

/// A message that came by a consumer: its sequence and time stand in the subject for its ack.
pub(super) fn from_consumer(message: &Message) -> Option<Got> {
    let ack = message.reply.as_ref()?.as_str();
    // Nine tokens, or more in front and one behind where domains and accounts are named.
    let tokens: Vec<&str> = ack.split('.').collect();
    let at = if tokens.len() >= 11 { 4 } else { 2 };
    let number = |place: usize| tokens.get(at + place)?.parse::<u64>().ok();
    Some(Got {
        subject: message.subject.as_str().to_owned(),
        sequence: number(3)?,
        stored_at: number(5)?,
        data: message.payload.clone(),
    })
}
