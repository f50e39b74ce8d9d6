//! One call to a receiver: signed, to an address that was looked at, for so long and no longer, and what its answer means. It retries
//! nothing but a connection that was kept and had ended.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use node::signature;
use ureq::unversioned::resolver::{DefaultResolver, Resolver};
use ureq::unversioned::transport::DefaultConnector;

use crate::Hook;
use crate::targets::Targets;

/// Nothing is read of an answer but its status; so much is taken off the wire so that the connection can be used again.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// A receiver that asks for more is asked again all the same: it may have meant another caller.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Taken,
    /// It is not going to be taken, whoever asks and how often.
    Refused(String),
    /// The receiver wants to be left alone for so long.
    Later(Duration, String),
    Failed(String),
}

/// A receiver, as far as a call needs it.
pub(crate) struct Receiver {
    agent: ureq::Agent,
    name: String,
    url: String,
    secrets: Vec<String>,
}

impl Receiver {
    pub(crate) fn of(hook: &Hook) -> Receiver {
        Receiver::by(hook, DefaultResolver::default())
    }

    pub(crate) fn by(hook: &Hook, names: impl Resolver) -> Receiver {
        // Named here, because a library may not choose one for the process, and without one it would panic.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider).build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            // Of the environment nothing holds: a proxy would connect to addresses that nobody looked at.
            .proxy(None)
            .timeout_global(Some(hook.timeout))
            .timeout_connect(Some(hook.connect_timeout))
            .max_idle_connections(hook.at_once)
            .max_idle_connections_per_host(hook.at_once)
            .user_agent("kulkul")
            .build();
        let targets = Targets { allow: hook.allow.clone(), names };
        Receiver {
            agent: ureq::Agent::with_parts(config, DefaultConnector::default(), targets),
            name: hook.name.clone(),
            url: hook.url.clone(),
            secrets: hook.secrets.clone(),
        }
    }

    /// Waits for the answer.
    pub(crate) fn tell(&self, body: &str) -> Came {
        let told = match self.tell_once(body) {
            // Whoever gets it twice knows it by its events' ids.
            Err(ureq::Error::Io(error)) if is_stale(&error) => self.tell_once(body),
            told => told,
        };
        match told {
            Ok((status, after)) => came(status, after),
            Err(error) => Came::Failed(error.to_string()),
        }
    }

    fn tell_once(&self, body: &str) -> Result<(u16, Option<u64>), ureq::Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let mut response = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header("Kulkul-Webhook", &self.name)
            .header("Kulkul-Timestamp", &now)
            .header("Kulkul-Signature", signatures(&self.secrets, &now, body))
            .send(body)?;
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        // What it says beside the status is nobody's; too long or cut short, the connection is not used again.
        response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().ok();
        Ok((response.status().as_u16(), after))
    }
}

/// Each secret's own, so that a receiver that knows one of them finds it while they change.
fn signatures(secrets: &[String], time: &str, body: &str) -> String {
    let signed = format!("{time}.{body}");
    let all: Vec<String> =
        secrets.iter().map(|secret| signature(secret.as_bytes(), signed.as_bytes())).collect();
    all.join(",")
}

fn came(status: u16, after: Option<u64>) -> Came {
    let says = || format!("answered {status}");
    match (status, after) {
        (200..=299, _) => Came::Taken,
        (429 | 503, Some(seconds)) => Came::Later(Duration::from_secs(seconds).min(RETRY_AFTER_MAX), says()),
        (408 | 425 | 429, _) => Came::Failed(says()),
        (400..=499, _) => Came::Refused(says()),
        (300..=399, _) => {
            Came::Failed(format!("{}: redirects are not followed, name the place itself", says()))
        }
        _ => Came::Failed(says()),
    }
}

fn is_stale(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_status_and_a_wait_has_a_maximum() {
        let refused = |status| Came::Refused(format!("answered {status}"));
        let failed = |status| Came::Failed(format!("answered {status}"));
        for (status, after, is) in [
            (200, None, Came::Taken),
            (204, Some(9), Came::Taken),
            (400, None, refused(400)),
            (404, Some(9), refused(404)),
            (410, None, refused(410)),
            (408, None, failed(408)),
            (425, None, failed(425)),
            (429, None, failed(429)),
            (429, Some(7), Came::Later(Duration::from_secs(7), "answered 429".to_owned())),
            (503, Some(u64::MAX), Came::Later(RETRY_AFTER_MAX, "answered 503".to_owned())),
            (503, None, failed(503)),
            (500, Some(7), failed(500)),
        ] {
            assert_eq!(came(status, after), is, "{status} {after:?}");
        }
        assert!(matches!(came(302, None), Came::Failed(why) if why.contains("redirects")));
    }

    #[test]
    fn each_secret_signs_time_and_body() {
        let secrets = ["one".to_owned(), "two".to_owned()];
        let signed = signatures(&secrets, "1767261600", "{}");
        let each: Vec<&str> = signed.split(',').collect();
        let of = |secret: &str| signature(secret.as_bytes(), b"1767261600.{}");
        assert_eq!(each, [of("one"), of("two")]);
    }
}
