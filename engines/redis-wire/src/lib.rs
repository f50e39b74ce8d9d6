//! A way to a Redis server: how its address is read, how it is connected to, what became of a command, and whether the server
//! is worth asking at all. It knows no keys and no channels, and asks nothing of its own.

mod address;
mod faults;
mod scripts;
mod server;

pub use address::{Address, Plan, Unplanned};
pub use faults::{Fault, Outcome, Refusal};
pub use scripts::{Call, Script};
pub use server::{ANSWER_WITHIN, CONNECT_WITHIN, Manner, Server, Tally, chance, listen, pause};
