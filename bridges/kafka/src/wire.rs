//! How the brokers are spoken to: addresses, TLS, who we are, and what librdkafka is told for reading and for writing. It opens
//! nothing.

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

#[derive(Clone)]
pub struct Wire {
    /// Some of the brokers, by host and port.
    pub brokers: Vec<String>,
    pub tls: Option<Tls>,
    pub sasl: Option<Sasl>,
}

#[derive(Clone)]
pub struct Tls {
    /// Authorities to be trusted, PEM; else those of the system.
    pub authorities: Option<PathBuf>,
    /// This deployment's own certificate and key, PEM, where brokers want one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

#[derive(Clone)]
pub struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    pub user: String,
    pub password: String,
}

/// A broker that does not answer a request then is asked again.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
/// A connection that broke is made anew so soon at first, and so seldom at last.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// New topics and partitions are seen so soon; what is produced to a topic that is not there is refused by then.
const LOOK_AROUND: Duration = Duration::from_secs(10);
/// What librdkafka holds of what it fetched and was not asked for yet: the bridge holds as much again.
const FETCHED_KBYTES_MAX: u32 = 16 << 10;
/// One record; a dead letter holds what it is about.
const RECORD_BYTES_MAX: u32 = 1 << 20;
/// How often figures of partitions are looked at.
pub(crate) const LOOK_AT_LAG: Duration = Duration::from_secs(2);

impl Wire {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers.join(","));
        config.set("client.id", "kulkul");
        config.set("socket.timeout.ms", millis(REQUEST_WITHIN));
        config.set("socket.keepalive.enable", "true");
        config.set("reconnect.backoff.ms", millis(RECONNECT.0));
        config.set("reconnect.backoff.max.ms", millis(RECONNECT.1));
        config.set("topic.metadata.refresh.interval.ms", millis(LOOK_AROUND));
        // Lost connections are counted by probes, and logged once.
        config.set("log.connection.close", "false");
        config.set_log_level(RDKafkaLogLevel::Warning);
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            let authorities = tls.authorities.as_ref().map(|path| path.display().to_string());
            config.set("ssl.ca.location", authorities.as_deref().unwrap_or("probe"));
            if let Some((certificate, key)) = &tls.identity {
                config.set("ssl.certificate.location", certificate.display().to_string());
                config.set("ssl.key.location", key.display().to_string());
            }
        }
        if let Some(sasl) = &self.sasl {
            config.set("sasl.mechanism", &sasl.mechanism);
            config.set("sasl.username", &sasl.user);
            config.set("sasl.password", &sasl.password);
        }
        config
    }

    /// Nothing is committed but by us, and what nothing is committed for begins at its end.
    pub(crate) fn reading(&self, group: &str, session: Duration) -> ClientConfig {
        let mut config = self.config();
        config.set("group.id", group);
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "latest");
        config.set("allow.auto.create.topics", "false");
        config.set("enable.partition.eof", "false");
        config.set("session.timeout.ms", millis(session));
        config.set("heartbeat.interval.ms", millis(session / 4));
        config.set("queued.max.messages.kbytes", FETCHED_KBYTES_MAX.to_string());
        config.set("fetch.wait.max.ms", "100");
        config.set("statistics.interval.ms", millis(LOOK_AT_LAG));
        config
    }

    /// To ask about topics, which makes none: a producer's questions would, where brokers make what is asked for.
    pub(crate) fn looking(&self) -> ClientConfig {
        let mut config = self.config();
        config.set("allow.auto.create.topics", "false");
        config
    }

    /// Each record once per producer and in order, on all replicas that are in step.
    pub(crate) fn writing(&self) -> ClientConfig {
        let mut config = self.config();
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config.set("topic.metadata.propagation.max.ms", millis(LOOK_AROUND));
        config.set("linger.ms", "5");
        config.set("message.max.bytes", RECORD_BYTES_MAX.to_string());
        // The bridge itself tries again what did not arrive, and holds little at a time.
        config.set("message.timeout.ms", millis(3 * REQUEST_WITHIN));
        config.set("queue.buffering.max.kbytes", FETCHED_KBYTES_MAX.to_string());
        config
    }
}

fn millis(span: Duration) -> String {
    span.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_produced_is_idempotent_and_nothing_is_committed_by_itself() {
        let wire = Wire { brokers: vec!["a:1".to_owned(), "b:2".to_owned()], tls: None, sasl: None };
        let (reading, writing) = (wire.reading("g", Duration::from_secs(10)), wire.writing());
        for (config, name, value) in [
            (&reading, "bootstrap.servers", "a:1,b:2"),
            (&reading, "enable.auto.commit", "false"),
            (&reading, "enable.auto.offset.store", "false"),
            (&reading, "auto.offset.reset", "latest"),
            (&reading, "heartbeat.interval.ms", "2500"),
            (&writing, "enable.idempotence", "true"),
            (&writing, "acks", "all"),
            (&writing, "security.protocol", "plaintext"),
        ] {
            assert_eq!(config.get(name), Some(value), "{name}");
        }
    }

    /// librdkafka itself refuses what it does not know, so that this holds the names as well.
    #[test]
    fn tls_and_sasl_are_built_in() {
        let sasl = |mechanism: &str| Sasl {
            mechanism: mechanism.to_owned(),
            user: "u".to_owned(),
            password: "p".to_owned(),
        };
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let tls = Some(Tls { authorities: None, identity: None });
            let wire = Wire { brokers: vec!["127.0.0.1:1".to_owned()], tls, sasl: Some(sasl(mechanism)) };
            let config = wire.writing();
            assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
            let made = config.create::<rdkafka::producer::BaseProducer>();
            assert!(made.is_ok(), "{mechanism}: {:?}", made.err());
            let made = wire.reading("g", Duration::from_secs(10)).create::<rdkafka::consumer::BaseConsumer>();
            assert!(made.is_ok(), "{mechanism}: {:?}", made.err());
        }
    }
}
