//! The contract for logs, snapshots, followers, leases, claims and soft values: questions and answers as data. Engines
//! never open payloads. The memory engine, a pure machine, lives beside its contract.

mod contract;
mod memory;
mod volatile;

pub use contract::{
    Answer, Appended, Asked, Batch, ERASE_MAX, Erased, Followed, Format, Guarantees, Loaded, News, Nodes,
    Parcel, Placement, Present, Question, Read, Snapshot, SoftEntry, Stored,
};
pub use memory::{MemoryEngine, MemoryLimits};
pub use vocabulary::Durability;
pub use volatile::{Volatile, steward};
