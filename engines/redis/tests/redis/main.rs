//! The Redis engine against real servers, each test with its own.

mod cluster;
mod contract;
mod erased;
mod node;
mod opening;
mod outages;
mod plant;
mod tls;
