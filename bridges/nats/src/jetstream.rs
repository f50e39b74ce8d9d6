//! JetStream's own words: questions in JSON, messages stored with an ack, and acks of messages that were given out. It knows no
//! stream by name.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Message, Request, RequestErrorKind, StatusCode};
use bytes::Bytes;
use serde_json::Value;

use crate::connect::ANSWERS_WITHIN;

/// The whole of a question, with its wait for a place in the queue to the socket.
const WITHIN: Duration = ANSWERS_WITHIN.saturating_mul(2);
/// What is told and not answered waits for a place no longer: it would be out of date.
const TELLS_WITHIN: Duration = Duration::from_secs(2);

/// JetStream's numbers for the errors that mean something to us.
const NO_STREAM: u64 = 10_059;
const NO_CONSUMER: u64 = 10_014;
const TOO_LARGE: [u64; 2] = [10_054, 10_097];

pub(crate) struct JetStream {
    pub(crate) client: Client,
    api: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What became of it is not known, or it was not asked.
    Unanswered(String),
    /// There is no such stream, consumer or message.
    Absent,
    /// No stream has the subject.
    NoStream,
    /// For what it is.
    TooLarge(String),
    /// The server says no.
    Denied(String),
}

impl Fault {
    pub(crate) fn words(&self) -> String {
        match self {
            Fault::Unanswered(why) | Fault::TooLarge(why) | Fault::Denied(why) => why.clone(),
            Fault::Absent => "it is not there".to_owned(),
            Fault::NoStream => "no stream has this subject".to_owned(),
        }
    }
}

impl JetStream {
    pub(crate) fn new(client: Client, domain: Option<&str>) -> JetStream {
        let api = domain.map_or("$JS.API".to_owned(), |domain| format!("$JS.{domain}.API"));
        JetStream { client, api }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    async fn call(&self, subject: String, headers: Option<HeaderMap>, body: Bytes) -> Result<Message, Fault> {
        if !self.is_connected() {
            return Err(Fault::Unanswered("there is no connection".to_owned()));
        }
        let mut request = Request::new().payload(body).timeout(Some(ANSWERS_WITHIN));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        match tokio::time::timeout(WITHIN, self.client.send_request(subject, request)).await {
            Ok(Ok(message)) if message.status == Some(StatusCode::NO_RESPONDERS) => Err(Fault::NoStream),
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) => Err(match error.kind() {
                RequestErrorKind::NoResponders => Fault::NoStream,
                RequestErrorKind::MaxPayloadExceeded => {
                    Fault::TooLarge("it is larger than the server's max_payload".to_owned())
                }
                RequestErrorKind::InvalidSubject => Fault::TooLarge("no such subject can be".to_owned()),
                _ => Fault::Unanswered(error.to_string()),
            }),
            Err(_) => Err(Fault::Unanswered("the queue to the server does not move".to_owned())),
        }
    }

    pub(crate) async fn ask(&self, verb: &str, body: &Value) -> Result<Value, Fault> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let message =
            self.call(format!("{}.{verb}", self.api), None, body).await.map_err(|fault| match fault {
                Fault::NoStream => Fault::Unanswered(
                    "the server has no JetStream for this user: enable it (`-js`)".to_owned(),
                ),
                fault => fault,
            })?;
        read(&message)
    }

    /// Stored; whether it had been before.
    pub(crate) async fn store(&self, subject: &str, headers: HeaderMap, body: Bytes) -> Result<bool, Fault> {
        let message = self.call(subject.to_owned(), Some(headers), body).await?;
        let ack = read(&message)?;
        match ack["seq"].as_u64() {
            Some(_) => Ok(ack["duplicate"].as_bool().unwrap_or(false)),
            None => Err(Fault::Unanswered("an ack that cannot be read".to_owned())),
        }
    }

    /// Told, and not answered: what is lost of it is given out again.
    pub(crate) async fn tell(&self, subject: String, body: Bytes) {
        if self.is_connected() {
            tokio::time::timeout(TELLS_WITHIN, self.client.publish(subject, body)).await.ok();
        }
    }

    /// Asks for messages, which come to the inbox.
    pub(crate) async fn pull(&self, consumer: &str, inbox: &str, ask: &Value) -> bool {
        let subject = format!("{}.CONSUMER.MSG.NEXT.{consumer}", self.api);
        let asked = self.client.publish_with_reply(subject, inbox.to_owned(), Bytes::from(ask.to_string()));
        self.is_connected() && matches!(tokio::time::timeout(TELLS_WITHIN, asked).await, Ok(Ok(())))
    }
}

fn read(message: &Message) -> Result<Value, Fault> {
    let answer: Value = serde_json::from_slice(&message.payload)
        .map_err(|_| Fault::Unanswered("an answer that cannot be read".to_owned()))?;
    let Some(error) = answer.get("error") else { return Ok(answer) };
    let code = error["err_code"].as_u64().unwrap_or_default();
    let why = error["description"].as_str().unwrap_or("no reason given").to_owned();
    Err(match code {
        NO_STREAM | NO_CONSUMER => Fault::Absent,
        code if TOO_LARGE.contains(&code) => Fault::TooLarge(why),
        // A server that has just begun has no leader yet.
        10_008 => Fault::Unanswered(why),
        code => Fault::Denied(format!("{why} (error {code})")),
    })
}
