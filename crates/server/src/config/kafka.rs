//! The settings of the bridge to Kafka, their rows and what of them fits together.

use super::fault::Faults;
use super::kind::{Form, Kind};
use super::rows::{MINUTE, SECOND, TEXT, span};
use super::schema::{Group, Row};
use super::settings::{Entry, Section, Settings};
use super::typed::{Hidden, KafkaBridge, KafkaSink, KafkaSource};

/// Apps whose rooms records may be said in.
const APPS: &[&str] = &["chat", "support", "user"];
/// Apps whose messages may leave.
const SINK_APPS: &[&str] = &["chat", "support"];
/// The app of seed 000's topics.
const SUPPORT: &str = "support";

const BROKER: Form = Form { expected: "host:port", holds: is_broker };
const TOPIC: Form =
    Form { expected: "a topic's name of 1 to 249 of A-Z a-z 0-9 _ . -", holds: |text| is_topic(text) };
const LETTERS: Form = Form {
    expected: "a topic's name, with {topic} in it for the one that a record comes from",
    holds: |text| is_topic(&text.replace("{topic}", "t")),
};
const ROOM: Form = Form {
    expected: "an app (chat, support or user), a colon and a name with fields of the record, such as chat:{room_id}",
    holds: is_room,
};
const ROOMS: Form = Form {
    expected: "a room's full name, or the beginning of one and *, such as chat:*",
    holds: |text| text.split_once(':').is_some_and(|(app, _)| SINK_APPS.contains(&app)),
};
const FILLED: Form = Form {
    expected: "a text with fields of the record in braces, such as {data.id}; {@key} is the record's key",
    holds: is_template,
};
const FIELD: Form =
    Form { expected: "a field's name, with dots for those within others", holds: |text| is_path(text) };

pub(super) const ROWS: &[Row] = &[
    Row::without(
        "kafka_bridge.brokers",
        Kind::Texts(BROKER),
        "none: no bridge",
        "Some of the brokers of the cluster by which another fleet speaks.",
    ),
    Row::new(
        "kafka_bridge.group",
        Kind::Text(TEXT),
        "livechat-ws-group",
        "Nodes of one group share the partitions. Whoever else is in it takes records away from them.",
    ),
    Row::new(
        "kafka_bridge.name",
        Kind::Text(TEXT),
        "kafka",
        "What positions are remembered under in rooms. A topic that was deleted and made anew counts from 0 again: then another name.",
    ),
    Row::new(
        "kafka_bridge.session",
        span(6 * SECOND, 5 * MINUTE),
        "10s",
        "How long a node may say nothing before its partitions are another node's; brokers may want at least 6s.",
    ),
    Row::new(
        "kafka_bridge.dead_letters",
        Kind::Text(LETTERS),
        "{topic}.dead-letters",
        "Where records go that cannot be taken, with the reason.",
    ),
    Row::new(
        "kafka_bridge.livechat",
        Kind::Switch,
        "false",
        "Take in chat-messages, typing-indicators and connection-status, for rooms of support.",
    ),
    Row::new("kafka_bridge.tls", Kind::Switch, "false", "Speak to the brokers by TLS."),
    Row::without("kafka_bridge.authorities", Kind::Path, "the system's", "Whom to trust with that, PEM."),
    Row::without(
        "kafka_bridge.certificate",
        Kind::Path,
        "none",
        "This deployment's own certificate, PEM, where brokers want one.",
    ),
    Row::without("kafka_bridge.key", Kind::Path, "none", "Its key, PEM."),
    Row::without(
        "kafka_bridge.sasl",
        Kind::Choice(&["plain", "scram-sha-256", "scram-sha-512"]),
        "none",
        "How this deployment says who it is.",
    ),
    Row::without("kafka_bridge.user", Kind::Text(TEXT), "none", "And by what name."),
    Row::without("kafka_bridge.password", Kind::Text(TEXT), "none", "And by what password.").secret(),
];

pub(super) const SOURCES: Group = Group {
    key: "kafka_bridge.sources",
    rows: &[
        Row::required("topic", Kind::Text(TOPIC), "The topic. Its values are objects in JSON."),
        Row::required("room", Kind::Text(ROOM), "The room that a record is for."),
        Row::required(
            "kind",
            Kind::Text(FILLED),
            "What it asks of the room, as a back end would: send_message, or a field that says so.",
        ),
        Row::without(
            "payload",
            Kind::Text(FIELD),
            "the whole value",
            "The field that is what it asks it with.",
        ),
        Row::without(
            "id",
            Kind::Text(FILLED),
            "its place in the topic",
            "What it names itself by: the same id is one record, wherever it stands.",
        ),
        Row::without("author", Kind::Text(FILLED), "nobody", "The user who said it."),
        Row::without(
            "author_name",
            Kind::Text(FILLED),
            "as author",
            "And by what name others see that user.",
        ),
        Row::new(
            "soft",
            Kind::Switch,
            "false",
            "Worth saying now or never, such as typing: asked once, and older than 5 s not at all.",
        ),
    ],
    reloads: false,
    entries_max: 64,
    by_default: &[],
    help: "Topics whose records are commands for rooms.",
};

pub(super) const SINKS: Group = Group {
    key: "kafka_bridge.sinks",
    rows: &[
        Row::required(
            "rooms",
            Kind::Text(ROOMS),
            "The rooms whose messages leave: a full name, or the beginning of one and `*`.",
        ),
        Row::required("topic", Kind::Text(TOPIC), "The topic that they are produced to."),
        Row::new(
            "key",
            Kind::Text(FILLED),
            "{name}",
            "A record's key, which says its partition: {name} is the room's name, {room} its full one; other fields are the payload's.",
        ),
    ],
    reloads: false,
    entries_max: 64,
    by_default: &[],
    help: "Topics that messages of rooms are produced to, those that did not come from Kafka. The first that fits a room is its own.",
};

fn is_broker(text: &str) -> bool {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, ',' | '/'))
}

fn is_topic(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (1..=249).contains(&text.len()) && text.chars().all(allowed) && !matches!(text, "." | "..")
}

fn is_path(text: &str) -> bool {
    text.split('.').all(|name| !name.is_empty()) && !text.contains(['{', '}'])
}

/// As `bridge_kafka::Template` reads it.
fn is_template(text: &str) -> bool {
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((field, behind)) = behind.split_once('}') else { return false };
        if before.contains('}') || !is_path(field) {
            return false;
        }
        rest = behind;
    }
    !text.is_empty() && !rest.contains('}')
}

fn is_room(text: &str) -> bool {
    let app = text.split_once(':').map(|(app, _)| app);
    is_template(text) && app.is_some_and(|app| APPS.contains(&app))
}

pub(super) fn check(settings: &Settings, faults: &mut Faults) {
    let top = &settings.top;
    let sources = settings.entries(SOURCES.key);
    if !top.is_said("kafka_bridge.brokers") {
        let said =
            ROWS.iter().map(|row| row.key).find(|key| top.is_said(key)).map(|key| (key, top.place(key)));
        let group =
            |group: &'static Group| settings.entries(group.key).first().map(|it| (group.key, &it.place));
        if let Some((key, place)) = said.or_else(|| group(&SOURCES)).or_else(|| group(&SINKS)) {
            let says = format!("`{key}` without `kafka_bridge.brokers`: say which Kafka, or leave it out");
            faults.add(place, says);
        }
        return;
    }
    let sinks = settings.entries(SINKS.key);
    let livechat = top.maybe("kafka_bridge.livechat").unwrap_or(false);
    if !livechat && sources.is_empty() && sinks.is_empty() {
        let says = "`kafka_bridge.brokers` is given and nothing is to be done there: set kafka_bridge.livechat to true, \
                    write [[kafka_bridge.sources]] or [[kafka_bridge.sinks]], or leave the brokers out";
        faults.add(top.place("kafka_bridge.brokers"), says);
    }
    together(top, &["kafka_bridge.certificate", "kafka_bridge.key"], faults);
    together(top, &["kafka_bridge.sasl", "kafka_bridge.user", "kafka_bridge.password"], faults);
    for key in ["kafka_bridge.authorities", "kafka_bridge.certificate"] {
        if top.is_said(key) && !top.maybe("kafka_bridge.tls").unwrap_or(false) {
            faults.add(top.place(key), format!("`{key}` without `kafka_bridge.tls = true`: it is of no use"));
        }
    }
}

/// All of them, or none.
fn together(top: &Section, keys: &[&str], faults: &mut Faults) {
    let said = keys.iter().find(|key| top.is_said(key));
    let missing = keys.iter().find(|key| !top.is_said(key));
    if let Some((said, missing)) = said.zip(missing) {
        faults.add(top.place(said), format!("`{said}` without `{missing}`: write both, or neither"));
    }
}

pub(super) fn typed(settings: &Settings) -> Option<KafkaBridge> {
    let top = &settings.top;
    let livechat: bool = top.get("kafka_bridge.livechat");
    let sinks: Vec<KafkaSink> = settings.entries(SINKS.key).iter().map(sink).collect();
    let mut sink_apps: Vec<String> =
        sinks.iter().filter_map(|sink| Some(sink.rooms.split_once(':')?.0.to_owned())).collect();
    sink_apps.extend(livechat.then(|| SUPPORT.to_owned()));
    let sasl = |mechanism: String| {
        let user: String = top.maybe("kafka_bridge.user")?;
        Some((mechanism.to_uppercase(), user, Hidden(top.maybe("kafka_bridge.password")?)))
    };
    Some(KafkaBridge {
        brokers: top.maybe("kafka_bridge.brokers")?,
        group: top.get("kafka_bridge.group"),
        name: top.get("kafka_bridge.name"),
        session: top.get("kafka_bridge.session"),
        dead_letters: top.get("kafka_bridge.dead_letters"),
        livechat,
        sinks,
        sink_apps,
        tls: top.get("kafka_bridge.tls"),
        authorities: top.maybe("kafka_bridge.authorities"),
        identity: top.maybe("kafka_bridge.certificate").zip(top.maybe("kafka_bridge.key")),
        sasl: top.maybe("kafka_bridge.sasl").and_then(sasl),
        sources: settings.entries(SOURCES.key).iter().map(source).collect(),
    })
}

fn source(entry: &Entry) -> KafkaSource {
    let section = &entry.section;
    KafkaSource {
        topic: section.get("topic"),
        room: section.get("room"),
        kind: section.get("kind"),
        payload: section.maybe("payload"),
        id: section.maybe("id"),
        author: section.maybe("author"),
        author_name: section.maybe("author_name"),
        soft: section.get("soft"),
    }
}

fn sink(entry: &Entry) -> KafkaSink {
    let section = &entry.section;
    KafkaSink { rooms: section.get("rooms"), topic: section.get("topic"), key: section.get("key") }
}

#[cfg(test)]
mod tests {
    use super::super::read_text;

    const SOURCE: &str =
        "[[kafka_bridge.sources]]\ntopic = \"orders\"\nroom = \"chat:{room}\"\nkind = \"send_message\"\n";

    #[test]
    fn a_bridge_is_there_with_its_brokers_and_not_without() {
        let secret = "secret = \"0123456789abcdef0123456789abcdef\"\n";
        let of = |text: &str| match read_text(&format!("{secret}{text}")) {
            Ok(config) => config.typed.kafka_bridge,
            Err(faults) => panic!("{text}: {faults}"),
        };
        assert!(of("").is_none());
        let bridge = of(&format!(
            "[kafka_bridge]\nbrokers = [\"one:9092\", \"[::1]:9093\"]\nsasl = \"scram-sha-256\"\nuser = \"u\"\npassword = \"p\"\n{SOURCE}"
        ));
        let bridge = bridge.expect("a bridge");
        assert_eq!((bridge.brokers.len(), bridge.group.as_str()), (2, "livechat-ws-group"));
        assert_eq!(bridge.sasl.expect("SASL").0, "SCRAM-SHA-256");
        assert_eq!((bridge.sources[0].room.as_str(), bridge.sources[0].soft), ("chat:{room}", false));
    }

    #[test]
    fn what_does_not_fit_together_is_refused_with_its_line() {
        let brokers = "[kafka_bridge]\nbrokers = [\"one:9092\"]\n";
        for (text, line, says) in [
            ("[kafka_bridge]\ngroup = \"g\"\n".to_owned(), 2, "without `kafka_bridge.brokers`"),
            (SOURCE.to_owned(), 1, "without `kafka_bridge.brokers`"),
            (brokers.to_owned(), 2, "nothing is to be done there"),
            (
                format!("{brokers}sasl = \"plain\"\n{SOURCE}"),
                3,
                "`kafka_bridge.sasl` without `kafka_bridge.user`",
            ),
            (format!("{brokers}authorities = \"/ca.pem\"\n{SOURCE}"), 3, "without `kafka_bridge.tls = true`"),
            (
                format!("{brokers}tls = true\ncertificate = \"/c.pem\"\n{SOURCE}"),
                4,
                "without `kafka_bridge.key`",
            ),
            ("[kafka_bridge]\nbrokers = [\"one\"]\n".to_owned(), 2, "host:port"),
            (format!("{brokers}dead_letters = \"a b\"\n{SOURCE}"), 3, "a topic's name"),
            (
                format!("{brokers}{}", SOURCE.replace("chat:{room}", "rides:{room}")),
                5,
                "an app (chat, support or user)",
            ),
            (format!("{brokers}{}", SOURCE.replace("{room}", "{room")), 5, "fields of the record"),
            (format!("{brokers}{}", SOURCE.replace("kind", "soft = 7\nkind")), 6, "true or false"),
        ] {
            let told = match read_text(&text) {
                Ok(_) => panic!("accepted: {text}"),
                Err(faults) => faults.to_string(),
            };
            assert!(told.contains(&format!("line {line}")) && told.contains(says), "{text}: {told}");
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let text = format!(
            "[kafka_bridge]\nbrokers = [\"one:9092\"]\nsasl = \"plain\"\nuser = \"u\"\npassword = \"hush\"\n{SOURCE}"
        );
        let Ok(config) = read_text(&text) else { panic!("it is sound") };
        let all = config.settings();
        let (_, shown) = all.iter().find(|(key, _)| key == "kafka_bridge.password").expect("a row");
        assert!(!shown.shown().contains("hush"), "{}", shown.shown());
    }
}
