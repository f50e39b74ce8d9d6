//! The `kulkul` binary: reads configuration, and is the only place that names concrete apps, engines and bridges.

mod apps;
mod backend;
mod bridges;
mod check;
mod config;
mod demo;
mod doctor;
mod engines;
mod gate;
mod in_force;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "kafka")]
mod letters;
mod log;
mod manual;
mod matches;
mod memory;
mod moving;
mod nats_addresses;
mod nats_bridge;
mod operator;
mod options;
mod pages;
mod reload;
mod renewal;
mod rides;
mod secret;
mod serve;
mod systemd;
mod token;
mod visitors;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

use options::{Command, Options};

/// What the binary does.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.command {
        Some(Command::Bench(bench)) => return bench::run(bench),
        Some(Command::Check(look)) => check::run(&look),
        Some(Command::Doctor(look)) => doctor::run(&look),
        Some(Command::Token(ask)) => token::print(&ask),
        Some(Command::Publish(ask)) => backend::publish(&ask),
        Some(Command::History(ask)) => backend::history(&ask),
        Some(Command::Tail(ask)) => backend::tail(&ask),
        Some(Command::Rooms(ask)) => backend::rooms(&ask),
        Some(Command::Users(ask)) => backend::users(&ask),
        Some(Command::Connections(ask)) => backend::connections(&ask),
        Some(Command::Explain(ask)) => backend::explain(&ask),
        Some(Command::Console(ask)) => backend::console(&ask),
        Some(Command::Kick(ask)) => backend::kick(&ask),
        Some(Command::Disconnect(ask)) => backend::disconnect(&ask),
        Some(Command::Release(ask)) => backend::release(&ask),
        Some(Command::Drain(ask)) => backend::drain(&ask),
        Some(Command::Letters(ask)) if ask.webhook.is_some() => backend::letters(&ask),
        #[cfg(feature = "kafka")]
        Some(Command::Letters(ask)) => letters::run(&ask),
        #[cfg(not(feature = "kafka"))]
        Some(Command::Letters(_)) => {
            Err(anyhow::anyhow!("this build has no bridge to Kafka: say whose letters with --webhook NAME"))
        }
        Some(Command::Completions { shell }) => manual::completions(shell),
        Some(Command::Man { out }) => manual::pages(out.as_deref()),
        Some(Command::Backup(ask)) => moving::backup(&ask),
        Some(Command::Restore(ask)) => moving::restore(&ask),
        Some(Command::Copy(ask)) => moving::copy(&ask),
        Some(Command::Serve(serve)) => serve::run(&serve),
        None => serve::run(&options.serve),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read along has read enough: `kulkul check | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kulkul: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Whether this text is a sound config file, or all that is wrong with it; for tests that bring hostile ones.
pub fn check_config(text: &str) -> Result<(), String> {
    config::read_text(text).map(|_| ()).map_err(|faults| faults.to_string())
}
