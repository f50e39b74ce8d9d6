//! What no single setting can be blamed for: settings that contradict one another. It looks at what was written, so that
//! each fault names its places; a setting that is itself at fault is not judged again.

use std::net::SocketAddr;
use std::time::Duration;

use engine::Durability;
use identity::{Algorithm, ProvingKey};

use super::Tls;
use super::build::algorithm;
use super::fault::{Faults, Place};
use super::rows::SECRET_BYTES_MIN;
use super::schema::Standing;
use super::settings::{Entry, Section, Settings};
use super::{bridges, kafka, mounts, nats_bridge, rides, support, webhooks};
use crate::{nats_addresses, options};

/// What the command line alone says.
#[derive(Clone, Copy)]
pub(super) struct Mode {
    /// Without a file: tokens for whoever asks.
    pub demo: bool,
    pub conformance: bool,
}

pub(super) fn check(settings: &Settings, mode: Mode, faults: &mut Faults) {
    let top = &settings.top;
    addresses(top, mode, faults);
    times(top, faults);
    one_secret(top, ("secret", "secret_file"), faults);
    authorizer(top, faults);
    somebody(top, faults);
    whole_tls(top, faults);
    durable(&settings.top, faults);
    shared_engine(settings, mode, faults);
    nats_servers(top, faults);
    bridges::check(top, faults);
    support::check(settings, faults);
    rides::check(settings, faults);
    kafka::check(settings, faults);
    nats_bridge::check(settings, faults);
    webhooks::check(settings, faults);
    for entry in settings.entries("auth.keys") {
        key(entry, faults);
    }
    for entry in settings.entries("api.keys") {
        exactly_one("api.keys", entry, &["secret", "secret_file"], faults);
        long_enough(&entry.section, "secret_file", faults);
    }
    for entry in settings.entries("auth.jwks") {
        key_set(entry, faults);
    }
    mounts::check(settings, mode, faults);
}

/// The listen address, if others can reach it and nobody accepted that.
pub(super) fn exposed(top: &Section) -> Option<SocketAddr> {
    let listen: SocketAddr = top.maybe("listen")?;
    let accepted = top.maybe("accept_insecure").unwrap_or(false);
    (!listen.ip().is_loopback() && !accepted).then_some(listen)
}

fn addresses(top: &Section, mode: Mode, faults: &mut Faults) {
    if let Some(listen) = exposed(top).filter(|_| mode.demo) {
        faults.add(
            top.place("listen"),
            format!(
                "{listen} can be reached from other machines, and in demo mode anybody who reaches it gets a token.\n  \
                 Write a config file with a line  secret = \"…\"  (32 bytes or more) and start with --config FILE,\n  \
                 or listen on 127.0.0.1, or accept this with --accept-insecure"
            ),
        );
    }
    let (listen, operator) = (top.maybe::<SocketAddr>("listen"), top.maybe("operator_listen"));
    if let Some((listen, operator)) = listen.zip(operator).filter(|(one, other)| overlap(*one, *other)) {
        let others = top.place("listen");
        let says = format!(
            "`operator_listen` = {operator}: `listen` = {listen} is there already ({others}); give it another port"
        );
        faults.add(top.place("operator_listen"), says);
    }
}

/// Whether two sockets cannot listen there at once: all addresses of a machine hold each of them.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let all = |address: SocketAddr| address.ip().is_unspecified();
    // All of version 6 are all of version 4, too.
    let of_kind = one.is_ipv4() == other.is_ipv4() || [one, other].iter().any(|it| it.is_ipv6() && all(*it));
    let meets = one.ip() == other.ip() || ((all(one) || all(other)) && of_kind);
    one.port() == other.port() && one.port() != 0 && meets
}

/// Several nodes on one engine must prove the same tokens, and a folder's secret is one node's own.
fn shared_engine(settings: &Settings, mode: Mode, faults: &mut Faults) {
    let top = &settings.top;
    let engine: String = top.maybe("engine").unwrap_or_default();
    let shared = !matches!(engine.split(':').next().unwrap_or_default(), "memory" | "disk" | "");
    let said = ["secret", "secret_file"].iter().any(|key| top.is_said(key));
    let others = ["auth.keys", "auth.jwks"].iter().any(|group| !settings.entries(group).is_empty());
    if shared && (mode.demo || !(said || others)) {
        let says = "nodes that share an engine prove the same tokens: write a config file with a line  \
                    secret = \"…\"  (32 bytes or more, the same on every node) and start with --config FILE";
        faults.add(top.place("engine"), says);
    }
}

/// Where the config alone says what records survive. What other engines give, they say when they are opened.
fn durable(top: &Section, faults: &mut Faults) {
    let text = |key: &str| top.maybe::<String>(key).unwrap_or_default();
    let given = match (text("engine").as_str(), text("disk.sync").as_str()) {
        ("memory", _) => Durability::None,
        ("disk", "process") => Durability::Process,
        _ => return,
    };
    let needed = Durability::ALL.into_iter().find(|it| it.name() == text("durability"));
    if let Some(needed) = needed.filter(|needed| *needed > given) {
        let name = needed.name();
        let says = format!(
            "`durability` = {name}: records are to survive {needed}, and here they survive {given}; keep them on disk, with disk.sync = \"always\" for a loss of power"
        );
        faults.add(top.place("durability"), says);
    }
}

fn nats_servers(top: &Section, faults: &mut Faults) {
    let engine: String = top.maybe("engine").unwrap_or_default();
    if let Ok(options::Engine::Nats(text)) = options::engine(&engine)
        && let Err(why) = nats_addresses::read(&text)
    {
        faults.add(top.place("engine"), format!("`engine`: {why}"));
    }
}

/// One address that keeps its connections at the door must not keep everybody out.
fn crowds(top: &Section) -> Option<String> {
    let (address, greetings) = ("limits.connections_per_address", "limits.greetings_max");
    let (each, all) = (top.maybe::<u32>(address)?, top.maybe::<usize>(greetings)?);
    let said = |key: &&str| top.is_said(key) && !matches!(top.place(key), Place::Flag(_));
    let said = [address, greetings].into_iter().find(said)?;
    (each as usize >= all).then(|| {
        format!(
            "{}: `{address}` = {each} is not below `{greetings}` = {all}: one address alone can keep the door shut",
            top.place(said)
        )
    })
}

/// What only the files themselves can tell.
pub(super) fn files(settings: &Settings, tls: Option<&Tls>, faults: &mut Faults) {
    if let Some(Err(error)) = tls.map(|tls| node::Tls::read(&tls.certificate, &tls.key)) {
        let place = settings.top.place("tls.certificate");
        faults.add(place, format!("`tls.certificate` and `tls.key`: {error}"));
    }
}

fn times(top: &Section, faults: &mut Faults) {
    let span = |key| top.maybe::<Duration>(key);
    let (ping, read) = ("websocket.ping_period", "websocket.read_timeout");
    let (Some(period), Some(timeout)) = (span(ping), span(read)) else { return };
    if period >= timeout {
        let blamed = if top.is_said(ping) { ping } else { read };
        let (period, timeout) = (super::units::shown_span(period), super::units::shown_span(timeout));
        let (said_ping, said_read) = (top.place(ping), top.place(read));
        faults.add(
            top.place(blamed),
            format!(
                "`{ping}` = {period} ({said_ping}) must be below `{read}` = {timeout} ({said_read}), or every quiet \
                 client would be taken for gone"
            ),
        );
    }
}

fn one_secret(top: &Section, (written, file): (&str, &str), faults: &mut Faults) {
    if top.is_said(written) && top.is_said(file) {
        let says = format!("`{written}` and `{file}` ({}): one of them", top.place(written));
        faults.add(top.place(file), says);
    }
    long_enough(top, file, faults);
}

fn authorizer(top: &Section, faults: &mut Faults) {
    let [url, written, file] = ["authorizer.url", "authorizer.secret", "authorizer.secret_file"];
    one_secret(top, (written, file), faults);
    let said = [written, file].into_iter().find(|key| top.is_said(key));
    match (top.is_said(url), said) {
        (true, None) => faults.add(
            top.place(url),
            format!("`{url}` without `{written}` or `{file}`: the back end could not know who asks"),
        ),
        (false, Some(key)) => faults.add(top.place(key), format!("`{key}` without `{url}`: nobody is asked")),
        _ => {}
    }
    let (asks, rooms) = ("authorizer.asks", "authorizer.rooms");
    for (key, of) in [(asks, "connect, join or publish"), (rooms, "a room, or *")] {
        if top.maybe::<Vec<String>>(key).is_some_and(|it| it.is_empty()) {
            faults.add(top.place(key), format!("`{key}` is empty: nothing would be asked; name {of}"));
        }
    }
    let (timeout, handshake) = ("authorizer.timeout", "websocket.handshake_timeout");
    let spans = top.maybe::<Duration>(timeout).zip(top.maybe::<Duration>(handshake));
    if let Some((answer, head)) = spans.filter(|(answer, head)| top.is_said(url) && answer >= head) {
        let blamed = if top.is_said(timeout) { timeout } else { handshake };
        let (answer, head) = (super::units::shown_span(answer), super::units::shown_span(head));
        let says = format!(
            "`{timeout}` = {answer} must be below `{handshake}` = {head}, or who connects is sent away before the answer"
        );
        faults.add(top.place(blamed), says);
    }
}

fn somebody(top: &Section, faults: &mut Faults) {
    let claims = "auth.user_claims";
    if top.maybe::<Vec<String>>(claims).is_some_and(|claims| claims.is_empty()) {
        let says = format!(
            "`{claims}` is empty: no token would say who its bearer is; name a claim such as \"sub\""
        );
        faults.add(top.place(claims), says);
    }
}

pub(super) fn long_enough(section: &Section, key: &str, faults: &mut Faults) {
    let read: Option<super::kind::File> = section.maybe(key);
    if read.is_some_and(|file| file.text.trim().len() < SECRET_BYTES_MIN) {
        faults.add(section.place(key), format!("`{key}` holds less than {SECRET_BYTES_MIN} bytes"));
    }
}

fn whole_tls(top: &Section, faults: &mut Faults) {
    for (there, missing) in [("tls.certificate", "tls.key"), ("tls.key", "tls.certificate")] {
        if top.is_said(there) && !top.is_said(missing) {
            faults.add(top.place(there), format!("`{there}` without `{missing}`: both or none"));
        }
    }
}

fn key(entry: &Entry, faults: &mut Faults) {
    let section = &entry.section;
    let sources = ["secret", "secret_file", "public_key", "public_key_file"];
    exactly_one("auth.keys", entry, &sources, faults);
    long_enough(section, "secret_file", faults);
    let Some(name) = section.maybe::<String>("algorithm") else { return };
    let shared = algorithm(&name).is_some_and(Algorithm::is_secret);
    let (wrong, needs) = if shared {
        (&sources[2..], "secret or secret_file")
    } else {
        (&sources[..2], "public_key or public_key_file")
    };
    for key in wrong.iter().filter(|key| section.is_said(key)) {
        faults
            .add(section.place(key), format!("`{key}` does not go with algorithm {name}: it needs {needs}"));
    }
    if shared {
        return;
    }
    let file: Option<super::kind::File> = section.maybe(sources[3]);
    let written = [(sources[2], section.maybe(sources[2])), (sources[3], file.map(|file| file.text))];
    for (key, pem) in written {
        let proving =
            algorithm(&name).zip(pem).map(|(algorithm, pem)| ProvingKey::public(None, algorithm, &pem));
        if let Some(Err(error)) = proving {
            faults.add(section.place(key), format!("`{key}`: {error}"));
        }
    }
}

fn key_set(entry: &Entry, faults: &mut Faults) {
    let section = &entry.section;
    exactly_one("auth.jwks", entry, &["file", "url"], faults);
    let algorithms: Option<Vec<String>> = section.maybe("algorithms");
    let Some(algorithms) = algorithms else { return };
    let place = section.place("algorithms");
    if algorithms.is_empty() {
        faults.add(place, "`algorithms` is empty: nothing would be proven");
    }
    let shared = algorithms.iter().find(|name| algorithm(name).is_some_and(Algorithm::is_secret));
    if let Some(name) = shared.filter(|_| section.is_said("url")) {
        faults.add(place, format!("`algorithms` with {name}: a shared secret is not published at a URL"));
    }
}

pub(super) fn exactly_one(group: &str, entry: &Entry, keys: &[&str], faults: &mut Faults) {
    let said: Vec<&str> = keys.iter().copied().filter(|key| entry.section.is_said(key)).collect();
    let all = keys.join(", ");
    match said[..] {
        [_] => {}
        [] => faults.add(&entry.place, format!("[[{group}]] needs one of {all}")),
        [.., last] => faults.add(
            entry.section.place(last),
            format!("[[{group}]] has {}: only one of {all}", said.join(", ")),
        ),
    }
}

/// What is accepted and changes nothing, where somebody said it.
pub(super) fn warnings(settings: &Settings) -> Vec<String> {
    let idle = |(key, setting): (String, &super::settings::Setting)| match setting.row.standing {
        Standing::Idle(why) if !matches!(setting.place, Place::Default | Place::Flag(_)) => {
            Some(format!("{}: `{key}` has no effect: {why}", setting.place))
        }
        Standing::Idle(_) | Standing::InForce => None,
    };
    settings.all().into_iter().filter_map(idle).chain(crowds(&settings.top)).collect()
}
