//! The memory engine through its questions and answers alone: what the contract says, as dialogues.

mod agenda;
mod epochs;
mod followers;
mod leases;
mod limits;
mod log;
mod snapshots;
mod soft;
mod table;
