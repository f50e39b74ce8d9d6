//! The journal as it lies there before SQLite reads it. SQLite takes a journal up to the first frame that does not match its
//! sum: behind a write that the power cut short that is right, and behind a bit that flipped it cuts off commits that were
//! answered. What stands behind the end tells the two apart. It changes nothing.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// Its last bit says in which order the words of a sum are read.
const MAGIC: u32 = 0x377f_0682;
const PAGE_BYTES_MAX: usize = 64 << 10;
/// What a file is made with, where a journal does not say it.
const PAGE_BYTES: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn over(self, bytes: &[u8], big: bool) -> Sum {
        let word = |four: &[u8]| {
            let four = four.try_into().unwrap_or_default();
            if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
        };
        bytes.chunks_exact(8).fold(self, |Sum(a, b), eight| {
            let a = a.wrapping_add(word(&eight[..4])).wrapping_add(b);
            Sum(a, b.wrapping_add(word(&eight[4..])).wrapping_add(a))
        })
    }

    fn written(bytes: &[u8]) -> Sum {
        Sum(big(bytes, 0), big(bytes, 4))
    }
}

fn big(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// How the journal ends, by where SQLite will stop reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    /// What was on its way to the disk when the power went: nobody was answered for it.
    Torn,
    /// Behind it stand commits. One may, if it is torn: its pieces need not have come in order. A second one was begun when
    /// the first had been synced.
    Damaged,
}

pub(crate) fn end(path: &Path) -> io::Result<End> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(End::Whole),
        Err(error) => return Err(error),
    };
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER_BYTES];
    // Of a journal that was never begun nothing was answered.
    if filled(&mut file, &mut header)? < HEADER_BYTES {
        return Ok(End::Whole);
    }
    let big_words = big(&header, 0) & 1 == 1;
    let begins = Sum(0, 0).over(&header[..24], big_words);
    let page = big(&header, 8) as usize;
    let is_page = page.is_power_of_two() && page <= PAGE_BYTES_MAX;
    let sound = big(&header, 0) & !1 == MAGIC && begins == Sum::written(&header[24..]) && is_page;
    // It was written and synced before the first frame: if it does not match, SQLite passes over all of them.
    let order = if sound { big_words } else { cfg!(target_endian = "big") };
    let mut frame = vec![0; FRAME_HEADER_BYTES + if is_page { page } else { PAGE_BYTES }];
    let mut salts = sound.then(|| header[16..24].to_vec());
    let (mut before, mut ended, mut torn, mut commits_behind) = (begins, !sound, !sound, 0);
    loop {
        let read = filled(&mut file, &mut frame)?;
        let salts: &[u8] = salts.get_or_insert_with(|| frame[8..16].to_vec());
        let of_this_journal = frame[8..16] == *salts;
        if read < frame.len() {
            // A journal that began anew where a longer one was ends in a piece of that.
            torn |= read > 0 && (read < 16 || of_this_journal);
            break;
        }
        let whole = of_this_journal
            && before.over(&frame[..8], order).over(&frame[FRAME_HEADER_BYTES..], order)
                == Sum::written(&frame[16..24]);
        let commits = big(&frame, 4) != 0;
        ended |= !whole;
        // A commit may be many frames. And what an older journal left behind was never part of this one.
        torn = if whole && !ended { !commits } else { torn || (of_this_journal && !whole) };
        // Behind the end each frame is judged by what the one before it says of itself.
        commits_behind += u32::from(ended && whole && commits);
        before = Sum::written(&frame[16..24]);
    }
    Ok(match (commits_behind > 1, torn) {
        (true, _) => End::Damaged,
        (false, true) => End::Torn,
        (false, false) => End::Whole,
    })
}

/// How much there was.
fn filled(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    /// A database with a journal of ten commits, as a kill leaves it.
    fn journal(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("kulkul-journal-{name}-{}", std::process::id()));
        // Left by a process that was killed and had the same number.
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("a.db");
        let connection = Connection::open(&path).expect("opened");
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).expect("a journal");
        connection.execute_batch("CREATE TABLE t (x)").expect("a table");
        for number in 0..9 {
            connection.execute("INSERT INTO t VALUES (?1)", [number]).expect("a row");
        }
        let copy = folder.join("copy-wal");
        std::fs::copy(folder.join("a.db-wal"), &copy).expect("copied");
        copy
    }

    #[test]
    fn a_bit_of_the_header_is_damage_and_a_journal_that_begins_anew_is_whole() {
        let path = journal("header");
        let whole = std::fs::read(&path).expect("read");
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &flipped).expect("written");
            assert_eq!(end(&path).expect("readable"), End::Damaged, "bit {bit}");
        }
        let mut zeros = whole.clone();
        zeros[..HEADER_BYTES].fill(0);
        std::fs::write(&path, &zeros).expect("written");
        assert_eq!(end(&path).expect("readable"), End::Damaged, "zeros in front of commits");
        let file = path.with_file_name("a.db");
        let connection = Connection::open(&file).expect("opened");
        let insert = |number: u32| {
            connection.execute("INSERT INTO t VALUES (?1)", [number]).expect("a row");
        };
        let journal = || std::fs::read(path.with_file_name("a.db-wal")).expect("read");
        (10..20).for_each(insert);
        let first = journal();
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("worked in");
        insert(20);
        let anew = journal();
        assert!(anew.len() == first.len() && anew != first, "in the place that it had");
        // As long as the limit lets it be, which is no whole number of frames.
        for length in [anew.len(), anew.len() - 100, anew.len() - FRAME_HEADER_BYTES - 4096 + 20] {
            std::fs::write(&path, &anew[..length]).expect("written");
            assert_eq!(end(&path).expect("readable"), End::Whole, "{length} bytes");
        }
        drop(connection);
        std::fs::remove_dir_all(path.parent().expect("a folder")).ok();
    }

    #[test]
    fn a_bit_in_the_middle_is_damage_and_a_torn_end_is_not() {
        let path = journal("bits");
        let whole = std::fs::read(&path).expect("read");
        assert_eq!(end(&path).expect("readable"), End::Whole);
        let frames = (whole.len() - HEADER_BYTES) / (FRAME_HEADER_BYTES + 4096);
        let start = |frame: usize| HEADER_BYTES + frame * (FRAME_HEADER_BYTES + 4096);
        for frame in 0..frames {
            for at in [start(frame) + 6, start(frame) + 18, start(frame) + 2000] {
                let mut flipped = whole.clone();
                flipped[at] ^= 4;
                std::fs::write(&path, &flipped).expect("written");
                // Of the last two the second is the one that may have been on its way.
                let expected: &[End] =
                    if frame + 3 >= frames { &[End::Torn, End::Damaged] } else { &[End::Damaged] };
                let found = end(&path).expect("readable");
                assert!(expected.contains(&found), "frame {frame} of {frames}, byte {at}: {found:?}");
            }
        }
        for (cut, expected) in [
            (whole.len() - 1, End::Torn),
            (whole.len() - 5000, End::Torn),
            (start(2) + 17, End::Torn),
            (HEADER_BYTES + 8, End::Torn),
            (HEADER_BYTES, End::Whole),
            (5, End::Whole),
            (0, End::Whole),
        ] {
            std::fs::write(&path, &whole[..cut]).expect("written");
            assert_eq!(end(&path).expect("readable"), expected, "cut at {cut}");
        }
        let mut torn = whole.clone();
        let page = start(frames - 1) + FRAME_HEADER_BYTES;
        torn[page..page + 512].fill(0);
        std::fs::write(&path, &torn).expect("written");
        assert_eq!(end(&path).expect("readable"), End::Torn, "the last commit was on its way");
        std::fs::remove_dir_all(path.parent().expect("a folder")).ok();
    }
}
