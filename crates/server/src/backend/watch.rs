//! What is new in a room since the last look, each message once. Where a new epoch begins, what was stored within the very millisecond of
//! the last known message is taken for known: only the time tells what was put back from what is new. It prints no message.

use anyhow::Result;
use serde_json::value::RawValue;

use super::ask::Unheard;
use super::pages::{PAGE, Page, Place, Placed, Room};

pub(super) struct Watch<'a> {
    room: Room<'a>,
    pub(super) after: Place,
    /// When the newest was stored that is known.
    known: String,
}

/// What is new; none: the room is quiet.
type News = Option<Vec<Box<RawValue>>>;

impl Watch<'_> {
    /// From now on.
    pub(super) fn begin(room: Room<'_>) -> Result<Watch<'_>, Unheard> {
        let Page { messages, upto } = room.newest(PAGE)?;
        let known = messages.last().map(|newest| Placed::of(newest)).transpose()?;
        Ok(Watch { room, after: upto, known: known.map_or_else(String::new, |it| it.timestamp) })
    }

    pub(super) fn look(&mut self) -> Result<News, Unheard> {
        let Page { messages, upto } = self.room.after(&self.after)?;
        let (news, upto) = if upto.epoch != self.after.epoch {
            (self.of_new_epoch(&upto)?, upto)
        } else if let Some(newest) = messages.last() {
            let upto = Placed::of(newest)?.position;
            (messages, upto)
        } else if upto.offset > self.after.offset {
            // Nothing followed: up to there it is looked at from the other end, for what of it is still kept.
            let end = upto.offset.min(self.after.offset + PAGE);
            (self.still_kept(end)?, Place { offset: end, ..upto })
        } else {
            return Ok(None);
        };
        self.after = upto;
        if let Some(newest) = news.last() {
            self.known = Placed::of(newest)?.timestamp;
        }
        Ok(Some(news))
    }

    fn still_kept(&self, end: u64) -> Result<Vec<Box<RawValue>>, Unheard> {
        let mut before = Place { offset: end + 1, ..self.after.clone() };
        let mut pages = Vec::new();
        while before.offset > self.after.offset + 1 {
            let left = before.offset - self.after.offset - 1;
            pages.push(self.room.before(&mut before, left)?);
        }
        let kept: Vec<_> = pages.into_iter().rev().flatten().collect();
        if !kept.is_empty() {
            eprintln!("not all that came after {} is still kept", self.after);
        }
        Ok(kept)
    }

    /// A log that was put back from a backup goes on in its new epoch with what it had, and one that begins in it has what is
    /// new alone: when a message was stored tells them apart.
    fn of_new_epoch(&self, upto: &Place) -> Result<Vec<Box<RawValue>>, Unheard> {
        let mut before = Place { offset: upto.offset + 1, ..upto.clone() };
        let mut new = Vec::new();
        'pages: while before.offset > 1 {
            let page = self.room.before(&mut before, PAGE)?;
            // What is not kept any more is in none of them.
            if page.is_empty() {
                break;
            }
            for message in page.into_iter().rev() {
                // As the API writes times, the later one is the larger text.
                if Placed::of(&message)?.timestamp <= self.known {
                    break 'pages;
                }
                new.push(message);
            }
        }
        eprintln!(
            "{} began a new epoch: what came last before it may be lost; going on after {upto}",
            self.room.name
        );
        new.reverse();
        Ok(new)
    }
}
