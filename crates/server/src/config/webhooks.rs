//! The settings of webhooks, their rows and what of them fits together.

use std::collections::BTreeSet;

use node::Network;

use super::build::secret_at;
use super::fault::Faults;
use super::kind::{Form, Kind};
use super::rows::{HOUR, MINUTE, SECOND, SECRET, TEXT, URL, count, span};
use super::schema::{Group, Row};
use super::settings::{Entry, Section, Settings};
use super::sound::{exactly_one, long_enough};
use super::typed::Webhook;

/// Apps whose rooms may be told of.
const APPS: &[&str] = &["chat", "poll", "rides", "scores", "support"];

const NAME: Form = Form { expected: "1 to 32 of a-z 0-9 _ -", holds: is_name };
const ROOMS: Form = Form {
    expected: "a room's full name, or the beginning of one and *, such as chat:*; of chat, poll, rides, scores or support",
    holds: |text| text.split_once(':').is_some_and(|(app, _)| APPS.contains(&app)),
};

pub(super) const WEBHOOKS: Group = Group {
    key: "webhooks",
    rows: &[
        Row::required(
            "name",
            Kind::Text(NAME),
            "What it is called: in its calls, in figures, and in the room of its dead letters, `webhooks:NAME`.",
        ),
        Row::required(
            "url",
            Kind::Text(URL),
            "Where it is called. http:// only to networks of `allow`; redirects are not followed.",
        ),
        Row::without("secret", Kind::Text(SECRET), "none", "What signs its calls.").secret(),
        Row::without("secret_file", Kind::File, "none", "The same, in a file of its own."),
        Row::without(
            "old_secret",
            Kind::Text(SECRET),
            "none",
            "What signs them, too, while a receiver goes over to a new secret.",
        )
        .secret(),
        Row::without("old_secret_file", Kind::File, "none", "The same, in a file of its own."),
        Row::new(
            "rooms",
            Kind::Texts(ROOMS),
            "",
            "The rooms that it is told of: full names, or the beginning of one and `*`. The first webhook that fits a room is its own.",
        ),
        Row::new(
            "types",
            Kind::Texts(TEXT),
            "",
            "Of their records only those of these types, such as new_message; without any: all.",
        ),
        Row::new(
            "events",
            Kind::Choices(&["joined", "left", "disconnected"]),
            "",
            "What happens to connections and is told, too: who joined or left these rooms, private ones among them, and whose connection ended.",
        ),
        Row::new("timeout", span(100, MINUTE), "10s", "How long a call may take, its answer included."),
        Row::new("connect_timeout", span(100, MINUTE), "3s", "How long a connection may take, of that."),
        Row::new(
            "batch",
            count(1, 64),
            "32",
            "Events of one room in a call, at most, and 256KiB of them; a room is read 64 records at a time.",
        ),
        Row::new(
            "at_once",
            count(1, 64),
            "16",
            "Calls under way, a thread each; those of one room never two.",
        ),
        Row::new(
            "give_up",
            span(10 * SECOND, 7 * 24 * HOUR),
            "24h",
            "How long an event is tried that the receiver fails to take, before it is a dead letter.",
        ),
        Row::new(
            "allow",
            Kind::Networks,
            "",
            "Networks that are not public, and that it may call all the same, such as 127.0.0.0/8.",
        ),
    ],
    reloads: false,
    entries_max: 16,
    by_default: &[],
    help: "Back ends that are told by HTTP what is said in rooms. Exactly one of secret and secret_file.",
};

fn is_name(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    (1..=32).contains(&text.len()) && text.chars().all(is_of_name)
}

pub(super) fn check(settings: &Settings, faults: &mut Faults) {
    let entries = settings.entries(WEBHOOKS.key);
    let mut names = BTreeSet::new();
    for entry in entries {
        let section = &entry.section;
        exactly_one(WEBHOOKS.key, entry, &["secret", "secret_file"], faults);
        ["secret_file", "old_secret_file"].iter().for_each(|key| long_enough(section, key, faults));
        if section.is_said("old_secret") && section.is_said("old_secret_file") {
            faults.add(section.place("old_secret_file"), "`old_secret` and `old_secret_file`: one of them");
        }
        if let Some(name) = section.maybe::<String>("name").filter(|name| !names.insert(name.clone())) {
            let says =
                format!("`name` = {name:?} is another webhook's, too: their letters go to rooms by it");
            faults.add(section.place("name"), says);
        }
        if texts(section, "rooms").is_empty() {
            faults.add(
                &entry.place,
                "`rooms` is empty: it would be told nothing; name some, such as \"chat:*\"",
            );
        }
        reaches(section, faults);
    }
    one_sink(settings, entries, faults);
}

fn texts(section: &Section, key: &str) -> Vec<String> {
    section.maybe(key).unwrap_or_default()
}

/// What can be told without asking anybody; names are looked at when they are called.
fn reaches(section: &Section, faults: &mut Faults) {
    let Some(url) = section.maybe::<String>("url") else { return };
    let allow: Vec<Network> = section.maybe("allow").unwrap_or_default();
    if url.starts_with("http://") && allow.is_empty() {
        let says = format!(
            "`url` = {url:?} would be spoken to in the open: write https://, or name its network in `allow` if it is one of yours"
        );
        faults.add(section.place("url"), says);
    }
    let (connect, whole) = ("connect_timeout", "timeout");
    let span = |key| section.maybe::<std::time::Duration>(key).unwrap_or_default();
    if section.is_said(connect) && span(connect) > span(whole) {
        faults.add(
            section.place(connect),
            format!("`{connect}` is longer than `{whole}`, of which it is a part"),
        );
    }
}

/// How far a room's messages have left stands in its log once.
fn one_sink(settings: &Settings, entries: &[Entry], faults: &mut Faults) {
    let app = |rooms: &str| rooms.split_once(':').map(|(app, _)| app.to_owned());
    let of = |key: &str| {
        let rooms = settings.entries(key).iter().filter_map(|entry| entry.section.maybe::<String>("rooms"));
        rooms.filter_map(|rooms| app(&rooms)).collect::<Vec<_>>()
    };
    let is_on = |key: &str| settings.top.maybe::<bool>(key).unwrap_or(false);
    let mut taken = of("kafka_bridge.sinks");
    taken.extend(of("nats_bridge.sinks"));
    taken.extend(is_on("kafka_bridge.livechat").then(|| "support".to_owned()));
    taken.extend(is_on("nats_bridge.rides").then(|| "rides".to_owned()));
    for entry in entries {
        let apps: Vec<String> =
            texts(&entry.section, "rooms").iter().filter_map(|rooms| app(rooms)).collect();
        if let Some(app) = apps.iter().find(|app| taken.contains(app)) {
            let says = format!(
                "rooms of {app} leave by a bridge to a broker and by a webhook: they can leave by one, leave out the other's"
            );
            faults.add(entry.section.place("rooms"), says);
        }
    }
}

pub(super) fn typed(settings: &Settings) -> Vec<Webhook> {
    settings.entries(WEBHOOKS.key).iter().map(|entry| webhook(&entry.section)).collect()
}

fn webhook(section: &Section) -> Webhook {
    let new = secret_at(section, "secret", "secret_file");
    let old = secret_at(section, "old_secret", "old_secret_file");
    Webhook {
        name: section.get("name"),
        url: section.get("url"),
        secrets: new.into_iter().chain(old).collect(),
        rooms: section.get("rooms"),
        types: section.get("types"),
        events: section.get("events"),
        timeout: section.get("timeout"),
        connect_timeout: section.get("connect_timeout"),
        batch: section.get("batch"),
        at_once: section.get("at_once"),
        give_up: section.get("give_up"),
        allow: section.get("allow"),
    }
}

impl Webhook {
    /// Apps whose rooms these are.
    pub(crate) fn apps(&self) -> impl Iterator<Item = &str> {
        self.rooms.iter().filter_map(|rooms| Some(rooms.split_once(':')?.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_text;

    const SECRET: &str = "secret = \"0123456789abcdef0123456789abcdef\"\n";

    fn hook(more: &str) -> String {
        format!("[[webhooks]]\nname = \"orders\"\n{SECRET}{more}")
    }

    const ROOMS: &str = "rooms = [\"chat:*\"]\n";
    const URL: &str = "url = \"https://back.example.org/kulkul\"\n";

    #[test]
    fn a_webhook_has_a_name_a_place_a_secret_and_rooms() {
        let text = format!("{SECRET}{}", hook(&format!("{URL}{ROOMS}old_secret = \"{}\"\n", "o".repeat(32))));
        let hooks = match read_text(&text) {
            Ok(config) => config.typed.webhooks,
            Err(faults) => panic!("{faults}"),
        };
        let hook = &hooks[0];
        assert_eq!((hook.name.as_str(), hook.secrets.len(), hook.batch), ("orders", 2, 32));
        assert_eq!(hook.apps().collect::<Vec<_>>(), ["chat"]);
    }

    #[test]
    fn what_does_not_fit_together_is_refused_with_its_line() {
        let kafka = "[kafka_bridge]\nbrokers = [\"one:9092\"]\n[[kafka_bridge.sinks]]\nrooms = \"chat:*\"\ntopic = \"t\"\n";
        for (text, line, says) in [
            (hook(URL), 1, "`rooms` is empty"),
            (hook(&format!("{URL}rooms = [\"user:*\"]\n")), 5, "of chat, poll"),
            (hook(&format!("url = \"http://10.0.0.1/\"\n{ROOMS}")), 4, "in the open"),
            (hook(&format!("{URL}{ROOMS}connect_timeout = \"20s\"\n")), 6, "longer than `timeout`"),
            (hook(&format!("{URL}{ROOMS}batch = 65\n")), 6, "from 1 to 64"),
            (hook(&format!("{URL}{ROOMS}allow = [\"10.0.0.1/8\"]\n")), 6, "a network such as"),
            (
                format!("{}{}", hook(&format!("{URL}{ROOMS}")), hook(&format!("{URL}{ROOMS}"))),
                7,
                "another webhook's",
            ),
            (hook(&format!("{URL}{ROOMS}")).replace(SECRET, ""), 1, "secret"),
            (
                format!("{}{kafka}", hook(&format!("{URL}{ROOMS}"))),
                5,
                "by a bridge to a broker and by a webhook",
            ),
        ] {
            let told = match read_text(&text) {
                Ok(_) => panic!("accepted: {text}"),
                Err(faults) => faults.to_string(),
            };
            assert!(told.contains(&format!("line {line}")) && told.contains(says), "{text}: {told}");
        }
    }
}
