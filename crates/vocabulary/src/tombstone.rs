//! What is left of a record whose content was erased: its hash, so that the room's check stays what it was on whoever reads
//! the log anew. It never holds a byte of what was there.

use crate::{Check, Payload};

/// No format of records begins with it.
const MARK: u8 = 0;

/// The mark and the hash.
pub const TOMBSTONE_BYTES: usize = 5;

/// What takes the place of these bytes; of a tombstone itself.
pub fn tombstone(data: &Payload) -> Payload {
    if is_tombstone(data) {
        return data.clone();
    }
    let [a, b, c, d] = Check::hash(data).to_be_bytes();
    Payload::copy_from_slice(&[MARK, a, b, c, d])
}

pub fn is_tombstone(data: &[u8]) -> bool {
    hash_under(data).is_some()
}

/// Of what was there.
pub(crate) fn hash_under(data: &[u8]) -> Option<u32> {
    match data {
        [MARK, hash @ ..] => hash.try_into().ok().map(u32::from_be_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_rolls_to_the_check_of_what_was_there_and_holds_nothing_of_it() {
        let data = Payload::from_static(b"\x03 what somebody said");
        let left = tombstone(&data);
        assert_eq!(left.len(), TOMBSTONE_BYTES);
        assert_eq!(Check::hash(&left), Check::hash(&data));
        assert_eq!(tombstone(&left), left, "again is harmless");
        assert!(is_tombstone(&left) && !is_tombstone(&data));
    }

    #[test]
    fn what_only_begins_like_one_is_none() {
        for bytes in [&b""[..], b"\0", b"\0abc", b"\0abcde", b"\x02abcd"] {
            assert!(!is_tombstone(bytes), "{bytes:?}");
        }
    }
}
