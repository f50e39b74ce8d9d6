//! `kulkul letters`: the dead letters of the bridge to Kafka, listed or produced once more. It asks the brokers, and no server.

use std::io::{IsTerminal, Write};

use anyhow::{Context, Result};
use bridge_kafka::replay::{self, Letter, ReplayError, Which};
use serde_json::json;

use crate::options::{Letters, LettersDo, Serve};
use crate::{config, kafka};

pub(crate) fn run(ask: &Letters) -> Result<()> {
    let served = Serve { config: Some(ask.config.clone()), ..Serve::default() };
    let settings = config::read(&served)?.typed;
    let bridge = settings.kafka_bridge.as_ref();
    let bridge = bridge.with_context(|| format!("{}: it has no [kafka_bridge]", ask.config.display()))?;
    let config = kafka::config(bridge, &settings.engine_prefix)?;
    let which = Which { topic: ask.topic.clone(), most: ask.limit, all: ask.all };
    let mut out = std::io::stdout().lock();
    let done = match ask.what {
        LettersDo::List => replay::list(&config, &which, |letter| match ask.json {
            true => writeln!(out, "{}", in_json(letter)),
            false => writeln!(out, "{}", in_words(letter)),
        }),
        LettersDo::Replay => {
            let shows = std::io::stderr().is_terminal();
            let progress = |done: u64, all: u64| {
                if shows {
                    eprint!("\r{done} of {all}");
                }
            };
            let done = replay::replay(&config, &which, progress);
            if shows {
                eprintln!();
            }
            done.and_then(|done| {
                let told = match ask.json {
                    true => json!({ "produced": done.produced, "left": done.left }).to_string(),
                    false => format!(
                        "{} produced again, {} left: they hold no whole record, or do not say where it stood",
                        done.produced, done.left
                    ),
                };
                writeln!(out, "{told}").map_err(ReplayError::Told)
            })
        }
    };
    done.map_err(|error| match error {
        // As it is, so that one is told apart who has read enough.
        ReplayError::Told(error) => error.into(),
        error => error.into(),
    })
}

fn in_json(letter: &Letter) -> serde_json::Value {
    json!({ "origin": letter.origin, "reason": letter.reason, "attempt": letter.attempts, "bytes": letter.bytes,
        "key": letter.key, "letter": letter.place })
}

fn in_words(letter: &Letter) -> String {
    let key = letter.key.as_deref().map(|key| format!(", key {key:?}")).unwrap_or_default();
    let Letter { origin, reason, attempts, bytes, .. } = letter;
    // Reasons repeat what was given, which may hold anything.
    format!("{origin}  asked {attempts}, {bytes} bytes{key}: {}", reason.escape_debug())
}
