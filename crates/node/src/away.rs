//! Why somebody who came was turned away: the few words under which that is counted. It turns nobody away.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Away {
    /// There was no place to hear it, or to answer it.
    Crowded,
    /// We could not make what it takes to hear it.
    Failed,
    Late,
    Malformed,
    NotFound,
    Unproven,
    Forbidden,
    /// Too many of its address or user.
    TooMany,
    /// The node drains, or is short of memory.
    Shut,
}

impl Away {
    pub(crate) const ALL: [Away; 9] = [
        Away::Crowded,
        Away::Failed,
        Away::Late,
        Away::Malformed,
        Away::NotFound,
        Away::Unproven,
        Away::Forbidden,
        Away::TooMany,
        Away::Shut,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Away::Crowded => "crowded",
            Away::Failed => "failed",
            Away::Late => "late",
            Away::Malformed => "malformed",
            Away::NotFound => "not_found",
            Away::Unproven => "unproven",
            Away::Forbidden => "forbidden",
            Away::TooMany => "too_many",
            Away::Shut => "shut",
        }
    }

    /// Of whoever is answered so.
    pub(crate) fn with(status: u16) -> Away {
        match status {
            401 => Away::Unproven,
            403 => Away::Forbidden,
            404 => Away::NotFound,
            408 => Away::Late,
            429 => Away::TooMany,
            503 => Away::Shut,
            _ => Away::Malformed,
        }
    }
}

/// How many, by why.
#[derive(Default)]
pub(crate) struct Aways([AtomicU64; Away::ALL.len()]);

impl Aways {
    pub(crate) fn count(&self, why: Away) {
        self.0[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, why: Away) -> u64 {
        self.0[why as usize].load(Ordering::Relaxed)
    }
}
