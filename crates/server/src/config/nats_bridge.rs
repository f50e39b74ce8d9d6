//! The settings of the bridge to NATS: what of them fits together.

#[path = "nats_bridge/rows.rs"]
mod rows;

use super::fault::Faults;
use super::settings::{Entry, Section, Settings};
use super::typed::{Hidden, NatsBridge, NatsFrom, NatsSink, NatsSource, NatsTo};
use crate::nats_addresses;
use rows::is_of_name;

pub(super) use rows::{ROWS, SINKS, SOURCES};

/// Apps whose messages may leave.
const SINK_APPS: &[&str] = &["chat", "support", "rides"];
/// The app of seed 004's subjects.
const RIDES: &str = "rides";

const URL: &str = "nats_bridge.url";
const PROOFS: [&str; 3] = ["nats_bridge.credentials", "nats_bridge.token", "nats_bridge.nkey"];
const IDENTITY: [&str; 2] = ["nats_bridge.certificate", "nats_bridge.key"];

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
        && let Some(key) = ["stream", "durable", "from", "deliver_max", "in_order"]
            .into_iter()
            .find(|key| section.is_said(key))
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
        // Where one does not say which stream, it may be the other's.
        let same = |other: &&Entry| {
            let theirs = other.section.maybe::<String>("stream");
            durable(settings, &other.section).as_ref() == Some(&ours)
                && (theirs == stream || theirs.is_none() || stream.is_none())
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
        hold: top.get("nats_bridge.hold"),
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
            in_order: section.get("in_order"),
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
