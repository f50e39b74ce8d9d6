//! Many shards on several nodes, their clients, a network and an engine with faults, all out of one seed. Nothing here
//! reads a clock, waits or draws from anywhere but the seed; the product's code runs as it does in production.
//!
//! A run is a [`Scenario`] (what the seed chose), a [`World`] (virtual time, nodes, sockets, engine), devices that act,
//! and checkers that see what clients see. The first violated property ends it.

mod checkers;
#[cfg(test)]
mod contract;
mod desks;
mod device;
mod engine;
mod expect;
mod faults;
mod fragile;
mod heard;
mod ledger;
mod mutant;
mod named;
mod network;
mod node;
mod play;
pub mod probe;
mod random;
mod replay;

mod scenario;
pub mod script;
mod streets;
mod tally;
pub mod transcript;
mod world;

pub use checkers::Violation;
pub use desks::{Served, run_desks};
pub use engine::{Cut, Damage};
pub use expect::Expect;
pub use faults::{Fault, Kind};
pub use heard::Heard;
pub use mutant::Mutant;
pub use named::{NAMED, Named, find};
pub use replay::{Outcome, run_scenario, run_seed};
pub use scenario::{Habits, News, Place, Scenario};
pub use streets::{Crowd, Ridden, run_rides, run_spoiled_rides};
pub use tally::Tally;
pub use world::{Happened, SocketId, World, user};
