//! Support's rules, as conversations with rooms on a table.

mod bounds;
mod departments;
mod fleet;
mod people;
mod sessions;
mod staying;
mod storms;
mod world;
