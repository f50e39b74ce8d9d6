//! Why a node cannot begin, in words for an operator: what, which setting, what to do. Never a secret.

use std::fmt;

use link::Disagreement;

#[derive(Debug)]
pub enum OpenError {
    Setting { setting: &'static str, remedy: &'static str },
    CredentialsFile { path: String, why: String },
    Unreachable { servers: String, why: String },
    Unauthorized { servers: String },
    Tls { servers: String, why: String },
    TooOld { version: String },
    TooOldForReplicas { version: String },
    TooOldToSync { version: String },
    NoJetStream { why: String },
    Stream { stream: String, why: String },
    Differs { stream: String, setting: String, is: String, must: String },
    Deployment(Disagreement),
    NoAnswer { what: String, why: String },
    Thread(std::io::Error),
}

impl std::error::Error for OpenError {}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Setting { setting, remedy } => write!(f, "the engine's `{setting}`: {remedy}"),
            OpenError::CredentialsFile { path, why } => write!(
                f,
                "the engine's `credentials` file {path} cannot be used: {why}; give one made by `nsc generate creds`"
            ),
            OpenError::Unreachable { servers, why } => write!(
                f,
                "no NATS server answers at {servers}: {why}; start one, or mend the engine's `servers`"
            ),
            OpenError::Unauthorized { servers } => write!(
                f,
                "the NATS server at {servers} refuses the engine's `credentials`: give a user that it knows, and its \
                 password, token, nkey or credentials file"
            ),
            OpenError::Tls { servers, why } => write!(
                f,
                "no secure connection to the NATS server at {servers}: {why}; see whether it speaks TLS, and mend the \
                 engine's `tls`: authorities that signed its certificate, a name in `servers` that stands in it"
            ),
            OpenError::TooOld { version } => {
                write!(f, "the NATS server is of version {version}; the engine needs 2.9 or later")
            }
            OpenError::TooOldForReplicas { version } => write!(
                f,
                "the NATS server is of version {version}, and before 2.10.23 replicas lose what was acked: use newer \
                 servers, or set the engine's `replicas` to 1"
            ),
            OpenError::TooOldToSync { version } => write!(
                f,
                "the NATS server is of version {version}, and before 2.10 none knows `sync_interval: always`, so that a loss \
                 of power takes what was acked: use a newer server, or set the engine's `keeps` to \"disk\""
            ),
            OpenError::NoJetStream { why } => write!(
                f,
                "the NATS server has no JetStream for this user: {why}; start it with `-js`, or enable it for the account"
            ),
            OpenError::Stream { stream, why } => write!(
                f,
                "the stream {stream} cannot be made: {why}; see the server's limits, the engine's `replicas`, and what \
                 the user may publish to"
            ),
            OpenError::Differs { stream, setting, is, must } => write!(
                f,
                "the stream {stream} is there with {setting} = {is}, and must have {must}: change it with `nats stream \
                 edit`, or choose another `prefix`"
            ),
            OpenError::Deployment(disagreement) => write!(f, "the NATS server's deployment: {disagreement}"),
            OpenError::NoAnswer { what, why } => {
                write!(
                    f,
                    "the NATS server does not answer ({what}): {why}; see whether its JetStream has a leader"
                )
            }
            OpenError::Thread(why) => write!(f, "no thread for the engine: {why}"),
        }
    }
}
