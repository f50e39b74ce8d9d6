//! The newest events, one behind the other in one piece of memory, each with its length in front.

use std::collections::VecDeque;
use std::time::Duration;

use vocabulary::Wall;

use super::event::Event;

const LENGTH: usize = 2;
const AT: usize = 8;

#[derive(Default)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    /// The one that is written, so that writing takes no memory.
    fresh: Vec<u8>,
    /// When the newest was that is forgotten.
    pub forgot: Option<Wall>,
}

impl Ring {
    /// The oldest go that are too old, and as many as it takes to stay that small.
    pub(super) fn put(&mut self, event: &Event<'_>, bytes_max: usize, kept: Duration) {
        self.fresh.clear();
        event.write(&mut self.fresh);
        let more = LENGTH + self.fresh.len();
        while let Some((at, length)) = self.oldest() {
            if self.bytes.len() + more <= bytes_max && at + kept >= event.at {
                break;
            }
            self.forgot = Some(at);
            self.bytes.drain(..LENGTH + length);
        }
        // Doubled as it grows, and never to more than it may hold.
        let most = self.bytes.capacity().saturating_mul(2).min(bytes_max);
        if self.bytes.len() + more > self.bytes.capacity() && most >= self.bytes.len() + more {
            self.bytes.reserve_exact(most - self.bytes.len());
        }
        self.bytes.extend((self.fresh.len() as u16).to_le_bytes());
        self.bytes.extend(&self.fresh);
    }

    /// When it was, and how long it is without its length.
    fn oldest(&self) -> Option<(Wall, usize)> {
        let mut front = self.bytes.iter().copied();
        let mut next = || front.next();
        let length = u16::from_le_bytes([next()?, next()?]);
        let mut at = [0; AT];
        for byte in &mut at {
            *byte = next()?;
        }
        Some((Event::at(at), length.into()))
    }

    /// The oldest first.
    pub(super) fn all(&mut self) -> impl Iterator<Item = Event<'_>> {
        let mut rest: &[u8] = self.bytes.make_contiguous();
        std::iter::from_fn(move || {
            rest.split_off(..LENGTH)?;
            Event::read(&mut rest)
        })
    }
}
