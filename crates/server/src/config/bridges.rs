//! The settings of bridges to brokers, their rows and what of them fits together.

use std::path::PathBuf;
use std::time::Duration;

use super::fault::Faults;
use super::kind::{Form, Kind};
use super::rows::{MINUTE, SECOND, span};
use super::schema::Row;
use super::settings::Section;
use super::typed::{Hidden, RedisBridge};

const URL: Form =
    Form { expected: "redis://user:password@host:port/database or rediss://…, one server", holds: is_url };
const CHANNEL: Form = Form {
    expected: "a channel's name of 1 to 128 bytes, none of chat:channel:…, channel:…:events and user:…:notifications",
    holds: is_channel,
};

pub(super) const ROWS: &[Row] = &[
    Row::without(
        "redis_bridge.url",
        Kind::Text(URL),
        "none: no bridge",
        "The Redis by which another fleet speaks. It may be the engine's, and is no Cluster.",
    )
    .secret(),
    Row::without(
        "redis_bridge.authorities",
        Kind::Path,
        "the system's",
        "Whom to trust with rediss://, PEM.",
    ),
    Row::new(
        "redis_bridge.channels",
        Kind::Switch,
        "true",
        "Take in what is published as chat:channel:*, channel:*:events and user:*:notifications.",
    ),
    Row::without(
        "redis_bridge.relay",
        Kind::Text(CHANNEL),
        "none",
        "The channel of whole envelopes, ws:broadcast in most fleets: what is published there is taken in, and messages of rooms are published there.",
    ),
    Row::new("redis_bridge.app", Kind::Choice(&["chat"]), "chat", "The app whose rooms are spoken of."),
    Row::new(
        "redis_bridge.presence",
        Kind::Switch,
        "false",
        "Write who is online: online_users and user:{id}:status.",
    ),
    Row::new(
        "redis_bridge.members",
        Kind::Switch,
        "false",
        "Write who belongs to rooms: channel:{id}:members and user:{id}:channels, which nobody else may write then.",
    ),
    Row::new(
        "redis_bridge.lease",
        span(SECOND, MINUTE),
        "10s",
        "How long the node that takes in may say nothing before another does.",
    ),
];

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
    rest.is_some_and(|rest| !rest.is_empty()) && text.chars().all(|c| c.is_ascii_graphic() && c != ',')
}

fn is_channel(text: &str) -> bool {
    let between = |before, after| text.starts_with(before) && text.ends_with(after);
    let is_taken = text.starts_with("chat:channel:")
        || between("channel:", ":events")
        || between("user:", ":notifications");
    (1..=128).contains(&text.len()) && !text.chars().any(char::is_control) && !is_taken
}

pub(super) fn check(top: &Section, faults: &mut Faults) {
    let is_on = |key: &str| top.maybe::<bool>(key).unwrap_or(true);
    if top.is_said("redis_bridge.url") {
        let has_relay = top.is_said("redis_bridge.relay");
        let switches = ["redis_bridge.channels", "redis_bridge.presence", "redis_bridge.members"];
        if !switches.into_iter().any(is_on) && !has_relay {
            let says = "`redis_bridge.url` is given and nothing is to be done there: set redis_bridge.channels, \
                        redis_bridge.presence or redis_bridge.members to true, or redis_bridge.relay to a channel, or leave the url out";
            faults.add(top.place("redis_bridge.url"), says);
        }
        return;
    }
    let of_bridge = ROWS.iter().map(|row| row.key).find(|key| top.is_said(key));
    if let Some(key) = of_bridge {
        let says = format!("`{key}` without `redis_bridge.url`: say which Redis, or leave it out");
        faults.add(top.place(key), says);
    }
}

pub(super) fn redis(top: &Section) -> Option<RedisBridge> {
    Some(RedisBridge {
        url: Hidden(top.maybe::<String>("redis_bridge.url")?),
        authorities: top.maybe::<PathBuf>("redis_bridge.authorities"),
        channels: top.get("redis_bridge.channels"),
        relay: top.maybe("redis_bridge.relay"),
        app: top.get("redis_bridge.app"),
        presence: top.get("redis_bridge.presence"),
        members: top.get("redis_bridge.members"),
        lease: top.get::<Duration>("redis_bridge.lease"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::read_text;

    fn refused(text: &str) -> String {
        let says = read_text(text).err().map(|faults| faults.to_string());
        says.unwrap_or_else(|| panic!("accepted: {text}"))
    }

    #[test]
    fn a_bridge_is_there_with_its_url_and_not_without() {
        let secret = "secret = \"0123456789abcdef0123456789abcdef\"\n";
        let of =
            |text: &str| read_text(&format!("{secret}{text}")).ok().map(|config| config.typed.redis_bridge);
        assert!(of("").is_some_and(|bridge| bridge.is_none()));
        let bridge = of("[redis_bridge]\nurl = \"redis://:pass@one:6379/2\"\nrelay = \"ws:broadcast\"");
        let bridge = bridge.flatten().expect("a bridge");
        assert_eq!((bridge.relay.as_deref(), bridge.app.as_str()), (Some("ws:broadcast"), "chat"));
        assert!(bridge.channels && !bridge.presence && !bridge.members);
    }

    #[test]
    fn what_does_not_fit_together_is_refused_with_its_line() {
        for (text, line, says) in [
            ("relay = \"ws:broadcast\"", 2, "`redis_bridge.relay` without `redis_bridge.url`"),
            ("channels = false", 2, "`redis_bridge.channels` without `redis_bridge.url`"),
            ("url = \"redis://one\"\nchannels = false", 2, "nothing is to be done there"),
            ("url = \"redis://one,redis://two\"", 2, "one server"),
            ("url = \"http://one\"", 2, "redis://user:password@host"),
            ("url = \"redis://one\"\nrelay = \"chat:channel:12\"", 3, "a channel's name"),
            ("url = \"redis://one\"\nlease = \"100ms\"", 3, "a span from 1s"),
        ] {
            let told = refused(&format!("[redis_bridge]\n{text}\n"));
            assert!(told.contains(&format!(": line {line}: ")) && told.contains(says), "{text}: {told}");
        }
    }

    #[test]
    fn the_password_of_the_url_is_not_shown() {
        let config = read_text("[redis_bridge]\nurl = \"redis://:hush@one\"\n").expect("a config");
        let all = config.settings();
        let (_, url) = all.iter().find(|(key, _)| key == "redis_bridge.url").expect("a row");
        assert!(!url.shown().contains("hush"), "{}", url.shown());
    }
}
