//! The memory engine: what every engine must do, and what only a machine of our own can be asked, to the nanosecond and to
//! the byte.

mod agenda;
mod contract;
mod epochs;
mod leases;
mod limits;
mod snapshots;
mod soft;
mod table;
