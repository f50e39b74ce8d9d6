//! Where a record stands in its room, and how a node proves that it has seen the same past.

use std::fmt;
use std::str::FromStr;

/// A stretch of a room's history without loss: a counter above, the engine's start tag below. A higher epoch is a later
/// one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    pub const FIRST_COUNTER: u32 = 1;

    pub fn new(counter: u32, start_tag: u32) -> Epoch {
        Epoch(u64::from(counter) << 32 | u64::from(start_tag))
    }

    pub fn counter(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub fn next(self, start_tag: u32) -> Epoch {
        Epoch::new(self.counter().wrapping_add(1), start_tag)
    }
}

/// The wire form: opaque to clients, at most 16 characters.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Epoch, Self::Err> {
        u64::from_str_radix(text, 16).map(Epoch)
    }
}

/// A record's place: offsets are dense from 1 within an epoch; 0 is "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub epoch: Epoch,
    pub offset: u64,
}

/// A record's own name for clients: unique in its room, and made without randomness.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

/// What is no record's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;
    fn from_str(text: &str) -> Result<Position, NoPosition> {
        let (epoch, offset) = text.split_once('-').ok_or(NoPosition)?;
        let position = Position {
            epoch: epoch.parse().map_err(|_| NoPosition)?,
            offset: offset.parse().map_err(|_| NoPosition)?,
        };
        // One record has one name: no sign, no zeros in front, no capitals.
        if position.to_string() == text { Ok(position) } else { Err(NoPosition) }
    }
}

/// The rolling check after a record: two nodes with the same position and check have seen the same records.
///
/// A polynomial over per-record hashes, modulo a prime below 2^32 with a factor below 2^20: a store can roll it in
/// whatever arithmetic it has, a Lua script's doubles included, without opening a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Check(pub u32);

impl Check {
    const PRIME: u64 = 4_294_967_291;
    const FACTOR: u64 = 1_000_003;
    /// Of the factor, modulo the prime.
    const INVERSE: u64 = 1262566272;

    #[must_use]
    pub fn roll(self, record_hash: u32) -> Check {
        Check(((u64::from(self.0) * Self::FACTOR + u64::from(record_hash)) % Self::PRIME) as u32)
    }

    /// The check that this one was so many records ago, if these alone roll from nothing to `rolled`: rolling is linear, and goes
    /// back as it goes on.
    #[must_use]
    pub fn before(self, rolled: Check, records: u64) -> Check {
        let mut rest = (u64::from(self.0) + Self::PRIME - u64::from(rolled.0)) % Self::PRIME;
        let (mut factor, mut left) = (Self::INVERSE, records);
        while left > 0 {
            if left & 1 == 1 {
                rest = rest * factor % Self::PRIME;
            }
            (factor, left) = (factor * factor % Self::PRIME, left >> 1);
        }
        Check(rest as u32)
    }

    /// The hash of one stored record, as rolled in: FNV-1a in eight-byte steps, folded to 32 bits. Of a tombstone it is that
    /// of what was there.
    pub fn hash(data: &[u8]) -> u32 {
        if let Some(hash) = crate::tombstone::hash_under(data) {
            return hash;
        }
        let hash = crate::hash::hash(data);
        (hash ^ (hash >> 32)) as u32
    }
}

/// How far a node has read a room, and proof of what it read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub position: Position,
    pub check: Check,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_goes_back_as_it_went_on() {
        for start in [0, 1, 77, 4_294_967_290] {
            let hashes = [0, 1, u32::MAX, 4_294_967_291, 12_345].repeat(30);
            let roll = |check: Check| hashes.iter().fold(check, |check, hash| check.roll(*hash));
            let end = roll(Check(start));
            assert_eq!(end.before(roll(Check::default()), hashes.len() as u64), Check(start));
        }
    }
}
