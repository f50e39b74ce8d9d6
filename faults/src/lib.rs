//! Faults in real processes, judged by what clients saw; a client like any other.

pub mod checker;
pub mod history;
mod random;
