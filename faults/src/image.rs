//! What a disk would hold after the power went: files as of their last finished sync, with as much of what was written since
//! as chance lets through. A function of a trace; it starts nothing.

use std::collections::BTreeMap;

use crate::random::Random;
use crate::trace::{Call, What};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Files by their paths.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// What of the writes that no sync had finished is there all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsynced {
    Nothing,
    /// Each write or not, and some of them only in part, as a disk is free to do: up to the end of one of its sectors.
    Some,
}

/// At the moment before that line. `base` is what the files held when the trace began.
pub(crate) fn at(
    calls: &[Call],
    base: &Image,
    line: usize,
    unsynced: Unsynced,
    random: &mut Random,
) -> Image {
    let mut synced_from: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.ended < line) {
        if let What::Sync { file } = &call.what {
            let from = synced_from.entry(file).or_default();
            *from = call.began.max(*from);
        }
    }
    let mut image = base.clone();
    for call in calls.iter().filter(|call| call.began < line) {
        let (What::Write { file, .. } | What::Truncate { file, .. }) = &call.what else { continue };
        let is_synced = synced_from.get(file.as_str()).is_some_and(|from| call.ended < *from);
        let share = match unsynced {
            _ if is_synced => 100,
            Unsynced::Nothing => continue,
            Unsynced::Some => match random.below(3) {
                0 => continue,
                1 => 100,
                _ => random.below(100) as usize,
            },
        };
        apply(&mut image, &call.what, share);
    }
    image
}

fn apply(image: &mut Image, what: &What, share: usize) {
    match what {
        What::Write { file, offset, bytes } => {
            let offset = *offset as usize;
            let end = match share {
                100 => offset + bytes.len(),
                share => (offset + bytes.len() * share / 100) / SECTOR_BYTES * SECTOR_BYTES,
            };
            if end <= offset {
                return;
            }
            let content = image.entry(file.clone()).or_default();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[offset..end].copy_from_slice(&bytes[..end - offset]);
        }
        What::Truncate { file, length } => {
            image.entry(file.clone()).or_default().resize(*length as usize, 0);
        }
        What::Sync { .. } | What::Told { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(began: usize, ended: usize, offset: u64, bytes: &[u8]) -> Call {
        Call { began, ended, what: What::Write { file: "a".to_owned(), offset, bytes: bytes.to_vec() } }
    }

    #[test]
    fn only_what_was_written_before_a_finished_sync_began_is_sure_to_be_there() {
        let sync = |began, ended| Call { began, ended, what: What::Sync { file: "a".to_owned() } };
        let calls = [
            write(0, 0, 0, b"AB"),
            write(1, 3, 2, b"CD"),
            sync(2, 4),
            write(5, 5, 4, b"EF"),
            sync(6, 8),
            write(7, 7, 0, b"xx"),
        ];
        let random = &mut Random::new(1);
        for (line, expected) in [(2, &b""[..]), (5, b"AB"), (7, b"AB"), (9, b"ABCDEF")] {
            let image = at(&calls, &Image::new(), line, Unsynced::Nothing, random);
            assert_eq!(image.get("a").map_or(&b""[..], Vec::as_slice), expected, "line {line}");
        }
    }

    #[test]
    fn a_write_that_is_torn_ends_with_a_sector() {
        for (offset, length, share, expected) in [
            (0, 2000, 100, 2000),
            (0, 2000, 60, 1024),
            (0, 512, 99, 0),
            (24, 4096, 50, 2048),
            (1000, 32, 50, 0),
            (1000, 32, 90, 1024),
        ] {
            let mut image = Image::new();
            apply(&mut image, &write(0, 0, offset, &vec![1; length]).what, share);
            assert_eq!(
                image.get("a").map_or(0, Vec::len),
                expected,
                "{share} % of {length} bytes at {offset}"
            );
        }
    }
}
