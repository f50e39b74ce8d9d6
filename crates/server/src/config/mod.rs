//! From what the operator typed and wrote to what the program needs: flag, then variable, then file, then default. It can be
//! read again at any time; what it says is applied by others.

mod bridges;
mod build;
mod changes;
mod chat;
mod environment;
mod fault;
mod file;
mod groups;
mod inherited;
mod kafka;
mod kind;
mod mounts;
mod nats_bridge;
mod nearest;
#[cfg(test)]
mod page;
mod rides;
mod rows;
pub(crate) mod schema;
mod settings;
mod sound;
mod support;
#[cfg(test)]
mod tests;
mod typed;
mod units;
mod webhooks;

use std::path::Path;

use crate::options::{Profile, Serve};
use kind::Value;

pub(crate) use changes::Changes;
pub(crate) use fault::{Faults, Place};
pub(crate) use rides::Rides;
pub(crate) use settings::{Setting, Settings};
pub(crate) use support::Support;
pub(crate) use typed::Webhook;
pub(crate) use typed::{
    ApiKey, Chat, Compression, Framing, Hidden, Key, KeySet, KeysAt, Log, LogFormat, Mount, MountAuth,
    NatsBridge, NatsFrom, NatsSink, NatsSource, NatsTo, Proof, Side, Signing, Speaks, Tls, Typed,
};
#[cfg(feature = "kafka")]
pub(crate) use typed::{KafkaBridge, KafkaSink, KafkaSource};
pub(crate) use units::Memory;

/// All that the operator decided.
pub(crate) struct Config {
    pub typed: Typed,
    /// Tokens for whoever asks, because only this machine can.
    pub demo: bool,
    pub conformance: bool,
    pub profile: Profile,
    /// What is accepted and has no effect.
    pub warnings: Vec<String>,
    settings: Settings,
}

impl Config {
    /// Every setting with its value and place, in the order of the schema.
    pub(crate) fn settings(&self) -> Vec<(String, &Setting)> {
        self.settings.all()
    }

    /// `began`: what the server was started with, and still runs by where a restart is needed; `last`: what was read last.
    pub(crate) fn changes_since(&self, began: &Config, last: &Config) -> Changes {
        let applied = changes::between(&last.settings, &self.settings).applied;
        let needs_restart = changes::between(&began.settings, &self.settings).needs_restart;
        Changes { applied, needs_restart }
    }
}

/// Everything outside that is looked at, as it was found.
#[derive(Default)]
struct Written<'a> {
    /// Key, flag and text.
    flags: Vec<(&'static str, &'static str, String)>,
    variables: Vec<(String, String)>,
    /// Name and content.
    file: Option<(&'a str, &'a str)>,
    profile: Profile,
    conformance: bool,
}

/// Reads everything anew, or says everything that is wrong with it.
pub(crate) fn read(typed: &Serve) -> Result<Config, Faults> {
    let mut faults = Faults::default();
    let name = typed.config.as_deref().map(|path| path.display().to_string());
    let text = typed.config.as_deref().and_then(|path| content(path, &mut faults));
    if !faults.is_empty() {
        return Err(faults);
    }
    let written = Written {
        flags: flags(typed),
        variables: variables(&mut faults),
        file: name.as_deref().zip(text.as_deref()),
        profile: typed.profile,
        conformance: typed.conformance,
    };
    let config = settle(&written, &mut faults);
    config.filter(|_| faults.is_empty()).ok_or(faults)
}

/// The same, and whether the files that it names can be used; `serve` finds that out for itself.
pub(crate) fn read_with_files(typed: &Serve) -> Result<Config, Faults> {
    let config = read(typed)?;
    let mut faults = Faults::default();
    sound::files(&config.settings, config.typed.tls.as_ref(), &mut faults);
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

/// A file by itself, as if it were the only place that says anything.
pub(crate) fn read_text(text: &str) -> Result<Config, Faults> {
    let mut faults = Faults::default();
    let written = Written { file: Some(("kulkul.toml", text)), ..Written::default() };
    let config = settle(&written, &mut faults);
    config.filter(|_| faults.is_empty()).ok_or(faults)
}

/// Far more than anybody writes by hand.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

fn content(path: &Path, faults: &mut Faults) -> Option<String> {
    let read = kind::read_at_most(path, CONFIG_BYTES_MAX);
    read.map_err(|error| faults.add(&Place::File(path.display().to_string().into()), error)).ok()
}

/// Those that could be meant for us; one that is not text is a fault of its own.
fn variables(faults: &mut Faults) -> Vec<(String, String)> {
    let second = |name: &str| schema::rows().any(|row| row.variable == Some(name)) || inherited::knows(name);
    let ours = |name: &str| name.starts_with("KULKUL_") || name.starts_with("WS_") || second(name);
    let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let mut variables = Vec::new();
    for (name, value) in named.filter(|(name, _)| ours(name)) {
        match value.into_string() {
            Ok(value) => variables.push((name, value)),
            Err(_) => faults.add(&Place::Variable(name), "its value is not text"),
        }
    }
    variables
}

fn flags(typed: &Serve) -> Vec<(&'static str, &'static str, String)> {
    let data = typed.data.as_ref().map(|data| data.display().to_string());
    [
        ("listen", "--listen", typed.listen.map(|listen| listen.to_string())),
        ("data", "--data", data),
        ("shards", "--shards", typed.shards.map(|shards| shards.to_string())),
        ("engine", "--engine", typed.engine.clone()),
        ("accept_insecure", "--accept-insecure", typed.accept_insecure.then(|| "true".into())),
    ]
    .into_iter()
    .filter_map(|(key, flag, text)| Some((key, flag, text?)))
    .collect()
}

/// What a load generator needs lifted; the level only where nobody asked for one.
const LIFTED: [(&str, &str); 8] = [
    ("limits.messages_per_second", "1000000"),
    ("limits.burst", "1000000"),
    ("chat.messages_per_second", "1000000"),
    ("chat.burst", "1000000"),
    ("limits.unacked_max", "1048576"),
    ("limits.accepts_per_second", "0"),
    ("limits.connections_per_user", "1000000"),
    ("limits.connections_per_address", "10000000"),
];

/// Layer over layer, the weakest first, and then what all of them together come to.
fn settle(written: &Written<'_>, faults: &mut Faults) -> Option<Config> {
    let mut settings = Settings::defaults();
    let mode = sound::Mode { demo: written.file.is_none(), conformance: written.conformance };
    settings.top.suppose("shards", Some(Value::Count(cores())));
    if mode.demo {
        settings.top.suppose("operator_listen", None);
    }
    if let Some((name, text)) = written.file {
        file::read(name, text, &mut settings, faults);
    }
    environment::read(&written.variables, &mut settings, faults);
    let given = written.flags.iter().map(|(key, flag, text)| (*key, *flag, text.as_str()));
    for (key, flag, text) in given.chain(of_profile(written.profile, &settings)) {
        if let Some(row) = schema::row(key) {
            let place = Place::Flag(flag);
            settings.top.set(row, place, &format!("{text:?}"), row.kind.read_text(text), faults);
        }
    }
    sound::check(&settings, mode, faults);
    if !faults.is_empty() {
        return None;
    }
    Some(Config {
        typed: build::typed(&settings),
        demo: mode.demo,
        conformance: mode.conformance,
        profile: written.profile,
        warnings: sound::warnings(&settings)
            .into_iter()
            .chain(inherited::unheeded(&written.variables))
            .collect(),
        settings,
    })
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(256) as u64)
}

fn of_profile(profile: Profile, settings: &Settings) -> Vec<(&'static str, &'static str, &'static str)> {
    let quiet = (profile == Profile::BenchQuiet).then_some(("presence_notices", "false"));
    let level = (!settings.top.is_said("log.level")).then_some(("log.level", "warn"));
    let lifted = LIFTED.into_iter().chain(quiet).chain(level);
    match profile {
        Profile::Standard => Vec::new(),
        Profile::Bench | Profile::BenchQuiet => lifted.map(|(key, text)| (key, "--profile", text)).collect(),
    }
}
