//! A room's past as the API gives it, page by page. It prints nothing.

use std::fmt;

use anyhow::{Result, anyhow};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::ask::{Server, Unheard};

/// As large as the API gives them.
pub(super) const PAGE: u64 = 100;

/// Messages, oldest first, each as the server wrote it; and where the log ended.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) messages: Vec<Box<RawValue>>,
    pub(super) upto: Place,
}

#[derive(Clone, Deserialize, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) epoch: String,
    pub(super) offset: u64,
}

/// What orders messages: within an epoch by their places, across epochs by when they were stored.
#[derive(Deserialize)]
pub(super) struct Placed {
    pub(super) position: Place,
    pub(super) timestamp: String,
}

impl Placed {
    pub(super) fn of(message: &RawValue) -> Result<Placed, Unheard> {
        serde_json::from_str(message.get()).map_err(|error| Unheard::Refused(error.into()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

pub(super) struct Room<'a> {
    pub(super) server: &'a Server,
    pub(super) name: &'a str,
}

impl Room<'_> {
    pub(super) fn newest(&self, limit: u64) -> Result<Page, Unheard> {
        self.page(&[("limit", &limit.to_string())])
    }

    pub(super) fn after(&self, place: &Place) -> Result<Page, Unheard> {
        self.page(&[("limit", &PAGE.to_string()), ("after", &place.to_string())])
    }

    /// The page in front of a place, which moves to where that begins.
    pub(super) fn before(&self, place: &mut Place, limit: u64) -> Result<Vec<Box<RawValue>>, Unheard> {
        let limit = limit.min(PAGE);
        let page = self.page(&[("limit", &limit.to_string()), ("before", &place.to_string())])?;
        if page.upto.epoch != place.epoch {
            // Nothing comes for a place of another epoch, and that is not because nothing was there.
            let says = format!("a new epoch of {} began meanwhile; it ends at {}", self.name, page.upto);
            return Err(Unheard::NotNow(anyhow!(says)));
        }
        // A page is of so many places, and of fewer where it would be too large; records that are shown to nobody are in none.
        place.offset = match page.messages.first() {
            Some(oldest) => Placed::of(oldest)?.position.offset,
            None => place.offset.saturating_sub(limit),
        };
        Ok(page.messages)
    }

    fn page(&self, query: &[(&str, &str)]) -> Result<Page, Unheard> {
        let query: Vec<_> = [("room", self.name)].into_iter().chain(query.iter().copied()).collect();
        self.server.get("/api/history", &query)
    }
}
