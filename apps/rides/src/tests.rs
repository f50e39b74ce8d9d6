//! What the rooms of this app do, as rows and dialogues on a table.

mod bounds;
mod defects;
mod fleet;
mod losses;
mod matching;
mod operators;
mod paying;
mod people;
mod riding;
mod stories;
mod storms;
mod world;
