//! What a stored record survives: promised by engines, needed by apps.

use std::fmt;

/// Each holds more than the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing: it is in one process's memory.
    #[default]
    None,
    /// The end of any process, and not that of a machine's power: it is on its way to a disk.
    Process,
    /// That of a machine's power too: it was on a disk before it was answered.
    Power,
}

impl Durability {
    pub const ALL: [Durability; 3] = [Durability::None, Durability::Process, Durability::Power];

    /// As configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Durability::None => "none",
            Durability::Process => "process",
            Durability::Power => "power",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Durability::None => "nothing",
            Durability::Process => "the end of a process",
            Durability::Power => "a loss of power",
        })
    }
}
