//! The settings of the bridge to NATS, their rows and what of them fits together.

use super::fault::Faults;
use super::kind::{Form, Kind};
use super::rows::{TEXT, count};
use super::schema::{Group, Row};
use super::settings::{Entry, Section, Settings};
use super::typed::{Hidden, NatsBridge, NatsFrom, NatsSink, NatsSource, NatsTo};
use crate::nats_addresses;

/// Apps whose rooms messages may be said in.
const APPS: &[&str] = &["chat", "support", "rides", "user"];
/// Apps whose messages may leave.
const SINK_APPS: &[&str] = &["chat", "support", "rides"];
/// The app of seed 004's subjects.
const RIDES: &str = "rides";

const URL: &str = "nats_bridge.url";
const PROOFS: [&str; 3] = ["nats_bridge.credentials", "nats_bridge.token", "nats_bridge.nkey"];
const IDENTITY: [&str; 2] = ["nats_bridge.certificate", "nats_bridge.key"];

const ADDRESSES: Form = Form {
    expected: "nats://user:password@one:4222,nats://two:4222, or tls://…",
    holds: |text| nats_addresses::read(text).is_ok() && text.chars().all(|c| c.is_ascii_graphic()),
};
const NAME: Form = Form {
    expected: "a name of 1 to 128 of A-Z a-z 0-9 _ -",
    holds: |text| (1..=128).contains(&text.len()) && text.chars().all(is_of_name),
};
const SUBJECT: Form =
    Form { expected: "a subject such as orders.*.new or orders.>", holds: |text| is_subject(text, true) };
const BEGINNING: Form = Form {
    expected: "a subject without wildcards, such as dead-letters",
    holds: |text| is_subject(text, false) && text.chars().all(|c| is_of_name(c) || c == '.'),
};
const ROOM: Form = Form {
    expected: "an app (chat, support, rides or user), a colon and a name with fields of the message, such as chat:{room_id}, or tokens of its subject, such as chat:{2}",
    holds: |text| is_template(text) && text.split_once(':').is_some_and(|(app, _)| APPS.contains(&app)),
};
const ROOMS: Form = Form {
    expected: "a room's full name, or the beginning of one and *, such as chat:*",
    holds: |text| text.split_once(':').is_some_and(|(app, _)| SINK_APPS.contains(&app)),
};
const FILLED: Form = Form {
    expected: "a text with fields of the message in braces, such as {data.id}; {2} is the second token of its subject, {@subject} all of it",
    holds: is_template,
};
const FIELD: Form =
    Form { expected: "a field's name, with dots for those within others", holds: |text| is_path(text) };

pub(super) const ROWS: &[Row] = &[
    Row::without(
        URL,
        Kind::Text(ADDRESSES),
        "none: no bridge",
        "Some of the servers by which another fleet speaks. They may be the engine's.",
    )
    .secret(),
    Row::without(
        "nats_bridge.credentials",
        Kind::Path,
        "none",
        "The file with a user's token and seed, as `nsc` makes it.",
    ),
    Row::without("nats_bridge.token", Kind::Text(TEXT), "none", "Or a token that the server knows.").secret(),
    Row::without("nats_bridge.nkey", Kind::Text(TEXT), "none", "Or the seed of a user's key pair.").secret(),
    Row::new(
        "nats_bridge.tls",
        Kind::Switch,
        "false",
        "Refuse a server that does not speak TLS; tls:// does so too.",
    ),
    Row::new(
        "nats_bridge.tls_first",
        Kind::Switch,
        "false",
        "Speak TLS from the first byte, as the server's handshake_first has it.",
    ),
    Row::without("nats_bridge.authorities", Kind::Path, "the system's", "Whom to trust with that, PEM."),
    Row::without(
        "nats_bridge.certificate",
        Kind::Path,
        "none",
        "This deployment's own certificate, PEM, where servers want one.",
    ),
    Row::without("nats_bridge.key", Kind::Path, "none", "Its key, PEM."),
    Row::without(
        "nats_bridge.domain",
        Kind::Text(NAME),
        "none",
        "JetStream's domain, where the server is a leaf of another.",
    ),
    Row::new(
        "nats_bridge.group",
        Kind::Text(NAME),
        "kulkul",
        "What durable consumers are called that are not named, and the queue in which nodes share plain subjects.",
    ),
    Row::new(
        "nats_bridge.dead_letters",
        Kind::Text(BEGINNING),
        "dead-letters",
        "What subjects of messages begin with that cannot be taken, with the reason. Their stream is called so, too, in capitals.",
    ),
    Row::new(
        "nats_bridge.rides",
        Kind::Switch,
        "false",
        "Take part in the subjects of ride hailing, user.*, match.*, ride.* and location.*, for rooms of rides, by rides.authority.",
    ),
];

pub(super) const SOURCES: Group = Group {
    key: "nats_bridge.sources",
    rows: &[
        Row::required("subject", Kind::Text(SUBJECT), "The subject. Its messages are objects in JSON."),
        Row::without(
            "stream",
            Kind::Text(NAME),
            "the one that has the subject",
            "The stream that they are read from.",
        ),
        Row::without(
            "durable",
            Kind::Text(NAME),
            "of nats_bridge.group and the subject",
            "The durable consumer. It is made where it is not there; nodes that read one share its messages.",
        ),
        Row::new(
            "from",
            Kind::Choice(&["new", "all"]),
            "new",
            "Where a consumer begins that is made: at what comes from now on, or at the oldest message of the stream.",
        ),
        Row::new(
            "deliver_max",
            count(1, 1000),
            "5",
            "How often a message is given out before it is a dead letter, for a consumer that is made.",
        ),
        Row::new(
            "plain",
            Kind::Switch,
            "false",
            "Of no stream: heard as it is published, at most once, and lost where it comes too fast.",
        ),
        Row::without(
            "room",
            Kind::Text(ROOM),
            "none",
            "The room that a message is for. Either this or users.",
        ),
        Row::without(
            "users",
            Kind::Text(FIELD),
            "none",
            "The field with a user's id, or a list of up to 100: the message is for their inboxes.",
        ),
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
            "its Nats-Msg-Id, else its event_id, else its place",
            "What it names itself by: the same id is one message, however often it comes.",
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
    help: "Subjects whose messages are commands for rooms.",
};

pub(super) const SINKS: Group = Group {
    key: "nats_bridge.sinks",
    rows: &[
        Row::required(
            "rooms",
            Kind::Text(ROOMS),
            "The rooms whose messages leave: a full name, or the beginning of one and `*`.",
        ),
        Row::required(
            "subject",
            Kind::Text(FILLED),
            "The subject that they are stored under, which a stream must have: {name} is the room's name, {room} its full one, {kind} what it is; other fields are the payload's.",
        ),
    ],
    reloads: false,
    entries_max: 64,
    by_default: &[],
    help: "Subjects that messages of rooms are stored under, those that did not come from NATS. The first that fits a room is its own.",
};

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_subject(text: &str, with_wildcards: bool) -> bool {
    let last = text.split('.').count() - 1;
    let is_token = |(place, token): (usize, &str)| match token {
        "" => false,
        "*" => with_wildcards,
        ">" => with_wildcards && place == last,
        token => token.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '*' | '>')),
    };
    text.len() <= 128 && !text.starts_with('$') && text.split('.').enumerate().all(is_token)
}

fn is_path(text: &str) -> bool {
    text.split('.').all(|name| !name.is_empty()) && !text.contains(['{', '}'])
}

/// As `bridge_nats::Template` reads it.
fn is_template(text: &str) -> bool {
    !text.is_empty() && bridge_nats::Template::read(text).is_some()
}

pub(super) fn check(settings: &Settings, faults: &mut Faults) {
    let top = &settings.top;
    let (sources, sinks) = (settings.entries(SOURCES.key), settings.entries(SINKS.key));
    if !top.is_said(URL) {
        let said =
            ROWS.iter().map(|row| row.key).find(|key| top.is_said(key)).map(|key| (key, top.place(key)));
        let group = |key, entries: &[Entry]| entries.first().map(|it| (key, it.place.clone()));
        let said = said.map(|(key, place)| (key, place.clone()));
        if let Some((key, place)) =
            said.or_else(|| group(SOURCES.key, sources)).or_else(|| group(SINKS.key, sinks))
        {
            faults.add(&place, format!("`{key}` without `{URL}`: say which NATS, or leave it out"));
        }
        return;
    }
    let rides = top.maybe("nats_bridge.rides").unwrap_or(false);
    if !rides && sources.is_empty() && sinks.is_empty() {
        let says = "`nats_bridge.url` is given and nothing is to be done there: set nats_bridge.rides to true, write \
                    [[nats_bridge.sources]] or [[nats_bridge.sinks]], or leave the url out";
        faults.add(top.place(URL), says);
    }
    if let Some((said, missing)) =
        IDENTITY.iter().find(|key| top.is_said(key)).zip(IDENTITY.iter().find(|key| !top.is_said(key)))
    {
        faults.add(top.place(said), format!("`{said}` without `{missing}`: write both, or neither"));
    }
    one_proof(top, faults);
    for entry in sources {
        source_fits(entry, faults);
    }
    one_reader(settings, faults);
    one_sink(settings, rides, faults);
}

fn one_proof(top: &Section, faults: &mut Faults) {
    let addresses = top.maybe::<String>(URL).and_then(|text| nats_addresses::read(&text).ok());
    let in_url = addresses.is_some_and(|addresses| addresses.user.is_some()).then_some(URL);
    let mut said = in_url.into_iter().chain(PROOFS.into_iter().filter(|key| top.is_said(key)));
    if let (Some(one), Some(other)) = (said.next(), said.next()) {
        let says = format!("`{one}` and `{other}` both say who this deployment is: leave one of them");
        faults.add(top.place(other), says);
    }
}

fn source_fits(entry: &Entry, faults: &mut Faults) {
    let section = &entry.section;
    if section.is_said("room") == section.is_said("users") {
        faults.add(
            &entry.place,
            "a source says whom its messages are for by `room` or by `users`: write one of them",
        );
    }
    if section.maybe("plain").unwrap_or(false)
        && let Some(key) =
            ["stream", "durable", "from", "deliver_max"].into_iter().find(|key| section.is_said(key))
    {
        faults.add(
            section.place(key),
            format!("`{key}` with `plain = true`: what is of no stream has none, leave one of them"),
        );
    }
}

/// One consumer that is read in two ways would give each of them a part.
fn one_reader(settings: &Settings, faults: &mut Faults) {
    let sources = settings.entries(SOURCES.key);
    for (number, entry) in sources.iter().enumerate() {
        let (Some(ours), stream) =
            (durable(settings, &entry.section), entry.section.maybe::<String>("stream"))
        else {
            continue;
        };
        let same = |other: &&Entry| {
            durable(settings, &other.section).as_ref() == Some(&ours)
                && other.section.maybe::<String>("stream") == stream
        };
        if sources[..number].iter().any(|other| same(&other)) {
            let says = format!(
                "the consumer {ours:?} is read in two ways: name another `durable`, or leave one of them"
            );
            faults.add(&entry.place, says);
        }
    }
}

/// How far a room's messages have left stands in its log once.
fn one_sink(settings: &Settings, rides: bool, faults: &mut Faults) {
    let top = &settings.top;
    let livechat = top.is_said("kafka_bridge.brokers") && top.maybe("kafka_bridge.livechat").unwrap_or(false);
    let apps = |key: &str| {
        let rooms = settings.entries(key).iter().filter_map(|entry| entry.section.maybe::<String>("rooms"));
        rooms.filter_map(|rooms| Some(rooms.split_once(':')?.0.to_owned())).collect::<Vec<_>>()
    };
    let mut kafka = apps("kafka_bridge.sinks");
    kafka.extend(livechat.then(|| "support".to_owned()));
    let mut nats = apps(SINKS.key);
    nats.extend(rides.then(|| RIDES.to_owned()));
    if let Some(app) = nats.iter().find(|app| kafka.contains(app)) {
        let says = format!(
            "rooms of {app} leave by kafka_bridge and by nats_bridge: they can leave by one, leave out the other's sinks"
        );
        faults.add(top.place(URL), says);
    }
}

/// None: it is of no stream.
fn durable(settings: &Settings, section: &Section) -> Option<String> {
    if section.maybe("plain").unwrap_or(false) {
        return None;
    }
    section.maybe("durable").or_else(|| {
        let (group, subject): (String, String) =
            (settings.top.maybe("nats_bridge.group")?, section.maybe("subject")?);
        let token = |token: &str| match token {
            "*" => "any".to_owned(),
            ">" => "all".to_owned(),
            token => token.chars().map(|c| if is_of_name(c) { c } else { '-' }).collect(),
        };
        Some(format!("{group}-{}", subject.split('.').map(token).collect::<Vec<String>>().join("_")))
    })
}

pub(super) fn typed(settings: &Settings) -> Option<NatsBridge> {
    let top = &settings.top;
    let rides: bool = top.get("nats_bridge.rides");
    let sinks: Vec<NatsSink> = settings.entries(SINKS.key).iter().map(sink).collect();
    let mut sink_apps: Vec<String> =
        sinks.iter().filter_map(|sink| Some(sink.rooms.split_once(':')?.0.to_owned())).collect();
    sink_apps.extend(rides.then(|| RIDES.to_owned()));
    Some(NatsBridge {
        url: Hidden(top.maybe(URL)?),
        credentials: top.maybe("nats_bridge.credentials"),
        token: top.maybe("nats_bridge.token").map(Hidden),
        nkey: top.maybe("nats_bridge.nkey").map(Hidden),
        tls: top.get("nats_bridge.tls"),
        tls_first: top.get("nats_bridge.tls_first"),
        authorities: top.maybe("nats_bridge.authorities"),
        identity: top.maybe("nats_bridge.certificate").zip(top.maybe("nats_bridge.key")),
        domain: top.maybe("nats_bridge.domain"),
        group: top.get("nats_bridge.group"),
        dead_letters: top.get("nats_bridge.dead_letters"),
        rides,
        sources: settings.entries(SOURCES.key).iter().filter_map(|entry| source(settings, entry)).collect(),
        sinks,
        sink_apps,
    })
}

fn source(settings: &Settings, entry: &Entry) -> Option<NatsSource> {
    let section = &entry.section;
    let from = match durable(settings, section) {
        None => NatsFrom::Plain,
        Some(durable) => NatsFrom::Stream {
            name: section.maybe("stream"),
            durable,
            all: section.get::<String>("from") == "all",
            deliver_max: section.get("deliver_max"),
        },
    };
    let to = section.maybe("users").map(NatsTo::Users).or_else(|| section.maybe("room").map(NatsTo::Room))?;
    Some(NatsSource {
        subject: section.get("subject"),
        from,
        to,
        kind: section.get("kind"),
        payload: section.maybe("payload"),
        id: section.maybe("id"),
        author: section.maybe("author"),
        author_name: section.maybe("author_name"),
        soft: section.get("soft"),
    })
}

fn sink(entry: &Entry) -> NatsSink {
    NatsSink { rooms: entry.section.get("rooms"), subject: entry.section.get("subject") }
}

#[cfg(test)]
#[path = "nats_bridge/tests.rs"]
mod tests;
