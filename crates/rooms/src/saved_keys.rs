//! The keys of a snapshot as bytes: each is what differs from the one before it. Ten thousand that a few clients counted up
//! take some 80 KB so, and four hundred written out.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use vocabulary::{Epoch, Key, Position, Wall};

use crate::format::Unreadable;
use crate::keys::Remembered;

/// Place, time, and how much text is shared and how much follows: enough for most.
pub(crate) const BYTES_EACH: usize = 16;

pub(crate) fn put<'a>(keys: impl ExactSizeIterator<Item = &'a Remembered>, out: &mut BytesMut) {
    out.put_u32(keys.len() as u32);
    let (mut before, mut text): (_, &[u8]) = ((Wall::default(), Position::default()), b"");
    for Remembered { key, position, at } in keys {
        let this = key.as_str().as_bytes();
        let shared = this.iter().zip(text).take_while(|(a, b)| a == b).count();
        let (at_before, place) = before;
        put_difference(out, at.0.wrapping_sub(at_before.0));
        put_difference(out, position.epoch.0.wrapping_sub(place.epoch.0).cast_signed());
        put_difference(out, position.offset.wrapping_sub(place.offset).cast_signed());
        put_number(out, shared as u64);
        put_number(out, (this.len() - shared) as u64);
        out.put_slice(&this[shared..]);
        (before, text) = ((*at, *position), this);
    }
}

pub(crate) fn take(input: &mut Bytes) -> Result<Vec<Remembered>, Unreadable> {
    let count = input.try_get_u32().map_err(|_| Unreadable)?;
    let (mut keys, mut text) = (Vec::new(), Vec::new());
    let (mut at, mut position) = (Wall::default(), Position::default());
    for _ in 0..count {
        at = Wall(at.0.wrapping_add(take_difference(input)?));
        let epoch = position.epoch.0.wrapping_add_signed(take_difference(input)?);
        let offset = position.offset.wrapping_add_signed(take_difference(input)?);
        position = Position { epoch: Epoch(epoch), offset };
        let (shared, more) = (take_length(input)?, take_length(input)?);
        if shared > text.len() || more > input.len() {
            return Err(Unreadable);
        }
        text.truncate(shared);
        text.extend_from_slice(&input.split_to(more));
        let key = Key::from_text(std::str::from_utf8(&text).map_err(|_| Unreadable)?);
        keys.push(Remembered { key, position, at });
    }
    Ok(keys)
}

/// Small ones of either sign are short.
fn put_difference(out: &mut BytesMut, difference: i64) {
    put_number(out, ((difference << 1) ^ (difference >> 63)).cast_unsigned());
}

fn take_difference(input: &mut Bytes) -> Result<i64, Unreadable> {
    let number = take_number(input)?;
    Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

fn take_length(input: &mut Bytes) -> Result<usize, Unreadable> {
    usize::try_from(take_number(input)?).map_err(|_| Unreadable)
}

/// Seven bits a byte, the lowest first; the last has no mark.
fn put_number(out: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

fn take_number(input: &mut Bytes) -> Result<u64, Unreadable> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = input.try_get_u8().map_err(|_| Unreadable)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vocabulary::UserId;

    fn written(keys: &[Remembered]) -> Bytes {
        let mut out = BytesMut::new();
        put(keys.iter(), &mut out);
        out.freeze()
    }

    fn remembered() -> impl Strategy<Value = Remembered> {
        let text = prop_oneof!["c-[0-9]{1,6}", "\\PC{0,12}"];
        (text, any::<i64>(), prop_oneof![0..9_u64, any::<u64>()], any::<u64>()).prop_map(
            |(id, at, epoch, offset)| Remembered {
                key: Key::client(&UserId::new("7"), &id),
                position: Position { epoch: Epoch(epoch), offset },
                at: Wall(at),
            },
        )
    }

    proptest! {
        #[test]
        fn keys_read_back_as_written(keys in proptest::collection::vec(remembered(), 0..40)) {
            let mut bytes = written(&keys);
            prop_assert_eq!(take(&mut bytes), Ok(keys));
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn whatever_bytes_there_are_they_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            take(&mut Bytes::from(bytes)).ok();
        }
    }

    #[test]
    fn keys_that_a_client_counts_up_take_a_few_bytes_each() {
        let key = |number: u64| Remembered {
            key: Key::client(&UserId::new("ana"), &format!("c-{number}")),
            position: Position { epoch: Epoch::new(1, 7), offset: number },
            at: Wall(1_700_000_000_000 + number.cast_signed()),
        };
        let keys: Vec<Remembered> = (1..=10_000).map(key).collect();
        let bytes = written(&keys).len();
        assert!(bytes < 80_000, "{bytes} bytes");
    }
}
