//! Why a command brought no answer, and what that says about whether it was carried out. It decides nothing.

use redis::{ErrorKind, RedisError, ServerErrorKind, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server is not asked at present: nothing was sent.
    Away,
    /// Nothing was sent: no connection could be made.
    Unsent(String),
    /// It may have been carried out.
    Doubtful(String),
    /// The server carried out nothing, and says that it stores nothing now.
    Refused(Refusal, String),
    /// The server carried out nothing.
    Declined(String),
    /// The server reads its files after a start, and answers when it has.
    Loading(String),
    /// The keys are on their way to another server of the cluster: nothing was carried out, and nothing is wrong.
    Moving,
    /// What came back is not what such a question is answered with.
    Unreadable,
}

/// Kinds of refusals, for figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Memory,
    ReadOnly,
    Replicas,
    Disk,
}

/// What one command led to, before anything is done about it.
pub enum Outcome {
    Answer(Value),
    NoScript,
    /// To the slot's owner from now on; absent: the server's own host.
    Moved(String, u16),
    /// This once.
    Ask(String, u16),
    /// The connection is over.
    Broken(String),
    Fault(Fault),
}

impl Outcome {
    pub fn of(result: Result<Value, RedisError>) -> Outcome {
        let error = match result {
            Ok(Value::ServerError(error)) => RedisError::from(error),
            Ok(value) => return Outcome::Answer(value),
            Err(error) => error,
        };
        let words = error.to_string();
        match error.kind() {
            ErrorKind::Server(kind) => match kind {
                ServerErrorKind::NoScript => Outcome::NoScript,
                ServerErrorKind::Moved => redirect(&error).map_or_else(
                    || Outcome::Fault(Fault::Declined(words)),
                    |(host, port)| Outcome::Moved(host, port),
                ),
                ServerErrorKind::Ask => redirect(&error).map_or_else(
                    || Outcome::Fault(Fault::Declined(words)),
                    |(host, port)| Outcome::Ask(host, port),
                ),
                ServerErrorKind::TryAgain => Outcome::Fault(Fault::Moving),
                ServerErrorKind::BusyLoading => Outcome::Fault(Fault::Loading(words)),
                ServerErrorKind::ReadOnly => Outcome::Fault(Fault::Refused(Refusal::ReadOnly, words)),
                _ => Outcome::Fault(Fault::Declined(words)),
            },
            ErrorKind::Extension => Outcome::Fault(match error.code() {
                Some("OOM") => Fault::Refused(Refusal::Memory, words),
                Some("NOREPLICAS") => Fault::Refused(Refusal::Replicas, words),
                Some("MISCONF") => Fault::Refused(Refusal::Disk, words),
                _ => Fault::Declined(words),
            }),
            ErrorKind::AuthenticationFailed => Outcome::Fault(Fault::Declined(words)),
            // The stream's place is not known any more, or nobody answers on it.
            _ => Outcome::Broken(words),
        }
    }
}

fn redirect(error: &RedisError) -> Option<(String, u16)> {
    error.redirect_node().and_then(|(address, _)| {
        let (host, port) = address.rsplit_once(':')?;
        Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
    })
}

impl Fault {
    pub fn words(&self) -> &str {
        match self {
            Fault::Away => "it is not asked, after failures in a row",
            Fault::Moving => "its slot is on its way to another server",
            Fault::Unreadable => "it answered what such a question is not answered with",
            Fault::Unsent(words)
            | Fault::Doubtful(words)
            | Fault::Refused(_, words)
            | Fault::Loading(words)
            | Fault::Declined(words) => words,
        }
    }
}
