//! The command line of `kulkul bench`, and the loads it stands for. The defaults are the scenarios that peers are
//! compared in.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::durable::{CatchUp, Durable};
use crate::rides::Rides;
use crate::scenarios::{ClosedLoop, Joins, OpenLoop, Scenario};
use crate::scores::Scores;
use crate::support::Support;

/// Measure a server: what a delivery, a join and an idle connection cost it.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    pub(crate) what: What,
    #[command(flatten)]
    pub(crate) common: Settings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// One author to one room, open loop: CPU of the server per delivery.
    FanOut(FanOut),
    /// The same at several rates, up to where servers fall behind.
    Ladder(Ladder),
    /// One author, a fixed number of messages in flight: deliveries a second.
    Saturation(Saturation),
    /// Many small rooms in which everybody speaks.
    Rooms(Rooms),
    /// Memory per joined, idle connection.
    Idle(Idle),
    /// Handshakes and joins as fast as they are answered: CPU per join.
    Storm(Storm),
    /// All joins to one room.
    Joins(OneRoom),
    /// Latency from the intended time of sending; with --realtime for tails that are the server's.
    Latency(FanOut),
    /// All of the above with their defaults.
    All,
    /// Clients that come back together, each to all that it missed.
    CatchUp(CatchUp),
    /// A department of support: sessions begun, given to agents, and talked in.
    Support(Support),
    /// A match and its crowd: whole states or actions, by WebSocket or server-sent events.
    Scores(Scores),
    /// A city of drivers: their positions, rides that are followed, searches; beside a scan of everybody for every position.
    Rides(Rides),
    /// Durable publishes a second, beside Redis and JetStream at the same durability.
    Durable(Durable),
    /// The servers to compare with.
    #[command(subcommand)]
    Peers(Peers),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Peers {
    /// Build and install them with npm, go and cargo; all, or those named.
    Install { names: Vec<String> },
    /// Their names and what to know about each.
    List,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// Servers to measure, one after the other.
    #[arg(long = "of", value_delimiter = ',', default_value = "kulkul", global = true)]
    pub(crate) servers: Vec<String>,
    /// Compare the first server with each of these, in interleaved pairs.
    #[arg(long, value_delimiter = ',', global = true)]
    pub(crate) against: Vec<String>,
    #[arg(long, default_value_t = 7, global = true)]
    pub(crate) pairs: usize,
    /// Runs of each server when nothing is compared.
    #[arg(long, default_value_t = 1, global = true)]
    pub(crate) runs: usize,
    /// The ratio to reach, `1.05` or `bun=1.05,epoll=1.3`; at most or at least, as the figure has it.
    #[arg(long = "bar", value_delimiter = ',', global = true)]
    pub(crate) bars: Vec<String>,
    /// The figure that the bar is for, instead of the first one.
    #[arg(long, global = true)]
    pub(crate) figure: Option<String>,
    /// Both processes in the real-time class while measuring.
    #[arg(long, global = true)]
    pub(crate) realtime: bool,
    /// Do not ask for more weight than other work on this machine.
    #[arg(long, global = true)]
    pub(crate) gentle: bool,
    /// One JSON document on standard output instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The kulkul binary to measure, if not this one.
    #[arg(long, global = true)]
    pub(crate) server: Option<PathBuf>,
    /// Another build of it, measured as `kulkul-before`.
    #[arg(long, global = true)]
    pub(crate) before: Option<PathBuf>,
    /// One more argument for `kulkul serve`; may be repeated.
    #[arg(long = "server-arg", allow_hyphen_values = true, global = true)]
    pub(crate) server_args: Vec<String>,
    /// Kulkul does not tell rooms of joins (profile `bench-quiet`).
    #[arg(long, global = true)]
    pub(crate) no_notices: bool,
    /// The folder of the peers' sources, if not bench/peers here or above.
    #[arg(long = "peers", global = true)]
    pub(crate) peers_folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct FanOut {
    #[arg(long, default_value_t = 1_000)]
    subscribers: u32,
    /// Messages a second; 50 for the fan-out, 100 for the latency unless given.
    #[arg(long)]
    rate: Option<f64>,
    /// Payload size.
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    #[command(flatten)]
    time: Time,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Time {
    /// Measured time.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Time before that.
    #[arg(long, default_value_t = 1.0)]
    warm_seconds: f64,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Ladder {
    #[arg(long, default_value_t = 1_000)]
    subscribers: u32,
    /// Deliveries a second of each rung.
    #[arg(long, value_delimiter = ',', default_values_t = [100_000.0, 400_000.0, 1_600_000.0])]
    rungs: Vec<f64>,
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    #[command(flatten)]
    time: Time,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Saturation {
    #[arg(long, default_value_t = 1_000)]
    subscribers: u32,
    /// Messages in flight.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..1_024))]
    window: u32,
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    #[command(flatten)]
    time: Time,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Rooms {
    /// At most 4,096, and a multiple of the room's members.
    #[arg(long, default_value_t = 2_000)]
    connections: u32,
    #[arg(long, default_value_t = 10)]
    room_members: u32,
    /// Messages a second of each connection.
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    #[command(flatten)]
    time: Time,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Idle {
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    #[arg(long, default_value_t = 10)]
    room_members: u32,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Storm {
    #[arg(long, default_value_t = 5_000)]
    connections: u32,
    #[arg(long, default_value_t = 10)]
    room_members: u32,
    /// Handshakes and joins under way at any time.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct OneRoom {
    #[arg(long, default_value_t = 1_000)]
    connections: u32,
    #[arg(long, default_value_t = 64)]
    at_once: usize,
}

impl FanOut {
    fn load(&self, rate: f64) -> OpenLoop {
        OpenLoop {
            connections: self.subscribers,
            room_members: self.subscribers,
            rate: self.rate.unwrap_or(rate),
            bytes: self.bytes,
            warm_seconds: self.time.warm_seconds,
            seconds: self.time.seconds,
        }
    }
}

impl What {
    /// The loads this stands for; none for what does not measure.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        match self {
            Self::FanOut(options) => vec![Scenario::FanOut(options.load(50.0))],
            Self::Latency(options) => vec![Scenario::Latency(options.load(100.0))],
            Self::Ladder(options) => options
                .rungs
                .iter()
                .map(|rung| {
                    let Ladder { subscribers, bytes, time, .. } = options.clone();
                    let rate = Some(rung / f64::from(subscribers));
                    Scenario::Rung(FanOut { subscribers, rate, bytes, time }.load(0.0))
                })
                .collect(),
            Self::Saturation(options) => vec![Scenario::Saturation(ClosedLoop {
                connections: options.subscribers,
                window: options.window,
                bytes: options.bytes,
                warm_seconds: options.time.warm_seconds,
                seconds: options.time.seconds,
            })],
            Self::Rooms(options) => vec![Scenario::Rooms(OpenLoop {
                connections: options.connections,
                room_members: options.room_members,
                rate: options.rate * f64::from(options.connections),
                bytes: options.bytes,
                warm_seconds: options.time.warm_seconds,
                seconds: options.time.seconds,
            })],
            Self::Idle(Idle { connections, room_members }) => {
                vec![Scenario::Idle(Joins {
                    connections: *connections,
                    room_members: *room_members,
                    at_once: 64,
                })]
            }
            Self::Storm(Storm { connections, room_members, at_once }) => {
                vec![Scenario::Storm(Joins {
                    connections: *connections,
                    room_members: *room_members,
                    at_once: *at_once,
                })]
            }
            Self::Joins(OneRoom { connections, at_once }) => {
                vec![Scenario::Storm(Joins {
                    connections: *connections,
                    room_members: *connections,
                    at_once: *at_once,
                })]
            }
            Self::All => ["fan-out", "ladder", "saturation", "rooms", "idle", "storm", "joins", "latency"]
                .into_iter()
                .flat_map(|name| Self::with_defaults(name).map(|what| what.scenarios()).unwrap_or_default())
                .collect(),
            Self::Peers(_)
            | Self::Durable(_)
            | Self::CatchUp(_)
            | Self::Scores(_)
            | Self::Rides(_)
            | Self::Support(_) => Vec::new(),
        }
    }

    fn with_defaults(name: &str) -> Option<Self> {
        let command = Self::augment_subcommands(clap::Command::new("bench"));
        let matches = command.try_get_matches_from(["bench", name]).ok()?;
        clap::FromArgMatches::from_arg_matches(&matches).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_every_scenario_once() {
        let words: Vec<_> = What::All.scenarios().iter().map(Scenario::words).collect();
        assert_eq!(
            words,
            [
                "fan-out: 50 msg/s to 1000 members, 100 B",
                "ladder at 100000 deliveries/s: 100 msg/s to 1000 members, 100 B",
                "ladder at 400000 deliveries/s: 400 msg/s to 1000 members, 100 B",
                "ladder at 1600000 deliveries/s: 1600 msg/s to 1000 members, 100 B",
                "saturation: 16 in flight to 1000 members, 100 B",
                "rooms: 2000 connections, rooms of 10, 2000 msg/s in all, 100 B",
                "idle: 10000 connections, rooms of 10",
                "storm: 5000 joins, rooms of 10, 64 at once",
                "storm: 1000 joins, rooms of 1000, 64 at once",
                "latency: 100 msg/s to 1000 members, 100 B",
            ]
        );
    }
}
