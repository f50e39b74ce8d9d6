//! The loads. Each takes an adapter, runs once against a fresh server, and returns an outcome.

use anyhow::{Result, ensure};

use crate::adapters::Adapter;
use crate::machine;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::stamp::AUTHORS_MAX;

mod closed_loop;
mod joins;
mod open_loop;
mod stage;

/// The author, and what a process has open anyway.
const DESCRIPTORS_BESIDES: u64 = 100;

#[derive(Debug, Clone)]
pub(crate) enum Scenario {
    /// One author, one room, at a fixed rate whatever the server does.
    FanOut(OpenLoop),
    /// The same above what some servers can do; falling behind is a result.
    Rung(OpenLoop),
    /// The same, looked at from the other side: its headline is a latency.
    Latency(OpenLoop),
    /// Every member of many rooms speaks, at a fixed rate.
    Rooms(OpenLoop),
    /// One author, one room, a fixed number of messages in flight.
    Saturation(ClosedLoop),
    /// Joined connections that do nothing; what they weigh.
    Idle(Joins),
    /// Handshakes and joins as fast as they are answered.
    Storm(Joins),
}

#[derive(Debug, Clone)]
pub(crate) struct OpenLoop {
    pub connections: u32,
    /// Members of a room; all connections in one for a fan-out.
    pub room_members: u32,
    /// Messages a second of all authors together.
    pub rate: f64,
    pub bytes: usize,
    pub warm_seconds: f64,
    pub seconds: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct ClosedLoop {
    pub connections: u32,
    /// Messages in flight; below [`crate::tally::Tally::WINDOW_MAX`].
    pub window: u32,
    pub bytes: usize,
    pub warm_seconds: f64,
    pub seconds: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Joins {
    pub connections: u32,
    pub room_members: u32,
    pub at_once: usize,
}

impl Scenario {
    pub(crate) fn words(&self) -> String {
        let fan_out = |load: &OpenLoop| {
            format!("{} msg/s to {} members, {} B", load.rate, load.connections, load.bytes)
        };
        match self {
            Self::FanOut(load) => format!("fan-out: {}", fan_out(load)),
            Self::Rung(load) => {
                format!(
                    "ladder at {} deliveries/s: {}",
                    load.rate * f64::from(load.connections),
                    fan_out(load)
                )
            }
            Self::Latency(load) => format!("latency: {}", fan_out(load)),
            Self::Rooms(load) => format!(
                "rooms: {} connections, rooms of {}, {} msg/s in all, {} B",
                load.connections, load.room_members, load.rate, load.bytes
            ),
            Self::Saturation(load) => {
                format!(
                    "saturation: {} in flight to {} members, {} B",
                    load.window, load.connections, load.bytes
                )
            }
            Self::Idle(load) => {
                format!("idle: {} connections, rooms of {}", load.connections, load.room_members)
            }
            Self::Storm(load) => format!(
                "storm: {} joins, rooms of {}, {} at once",
                load.connections, load.room_members, load.at_once
            ),
        }
    }

    fn connections_and_members(&self) -> (u32, u32) {
        match self {
            Self::FanOut(load) | Self::Rung(load) | Self::Latency(load) | Self::Rooms(load) => {
                (load.connections, load.room_members)
            }
            Self::Saturation(load) => (load.connections, load.connections),
            Self::Idle(load) | Self::Storm(load) => (load.connections, load.room_members),
        }
    }

    /// Whether this load can be put on a server here at all; lifts the limit of descriptors as far as it goes.
    pub(crate) fn prepare(&self) -> Result<()> {
        let (connections, members) = self.connections_and_members();
        let whole = connections > 0 && members > 0 && connections % members == 0;
        ensure!(whole, "{connections} connections do not fill rooms of {members}");
        let authors = if matches!(self, Self::Rooms(_)) { connections } else { connections / members };
        ensure!(authors <= AUTHORS_MAX, "{authors} authors; a stamp tells {AUTHORS_MAX} apart");
        machine::raise_descriptors(u64::from(connections) + DESCRIPTORS_BESIDES)
    }

    pub(crate) fn run(&self, adapter: &mut dyn Adapter, conditions: &mut Conditions) -> Result<Outcome> {
        match self {
            Self::FanOut(load) | Self::Rung(load) | Self::Latency(load) | Self::Rooms(load) => {
                open_loop::run(self, load, adapter, conditions)
            }
            Self::Saturation(load) => closed_loop::run(self, load, adapter, conditions),
            Self::Idle(load) => joins::idle(self, load, adapter, conditions),
            Self::Storm(load) => joins::storm(self, load, adapter, conditions),
        }
    }
}

/// What is the same for all runs of one call.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// Both processes in the real-time class while measuring.
    pub realtime: bool,
    pub progress: Progress,
}
