//! How far the log had got, and which one it was, in a file of its own: a `rooms.db` that reaches less far, or begins its epochs with
//! another tag, is not the one that was served here last, or lost its last writes. It is written behind each commit and not
//! synced then, so it never says more than was stored. Where commits are not synced either, it says in whose memory they were.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(crate) const FILE: &str = "reach";

pub(crate) struct Reach {
    file: File,
    word: Word,
    /// The last word was lost, and whoever reads the log knows it.
    unheard: bool,
}

/// A start of the machine: what its memory held, whoever it held it for, is lost with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boot(u128);

impl Boot {
    /// Where the machine does not say: never the one that is.
    const UNKNOWN: Boot = Boot(u128::MAX);

    pub(crate) fn now() -> Boot {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        u128::from_str_radix(&id.trim_end().replace('-', ""), 16).map_or(Boot::UNKNOWN, Boot)
    }

    fn is_over(self, now: Boot) -> bool {
        self == Boot::UNKNOWN || self != now
    }
}

/// What is told of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its newest row.
    pub(crate) newest: i64,
    /// Drawn whenever its rooms begin new epochs: two files with one tag are one log, and the newer one reaches further.
    pub(crate) start_tag: u32,
    /// Whose memory alone may hold the last of what was answered; none: the disk has it.
    pub(crate) memory: Option<Boot>,
}

/// What was told when the file was last open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// There was no such file, or nothing in it.
    Nothing,
    /// Nothing that was ever told. The whole of it is in one sector, which a disk writes whole.
    Torn,
    Word(Word),
}

impl Told {
    /// Whether that log is not known to be the one that was told of, with all that it had: something of that may be missing.
    pub(crate) fn is_of_another(self, newest: i64, start_tag: u32) -> bool {
        match self {
            Told::Nothing | Told::Torn => true,
            Told::Word(told) => told.start_tag != start_tag || told.newest > newest,
        }
    }

    /// Whether what was answered may have gone with the memory that held it.
    pub(crate) fn is_forgotten(self, now: Boot) -> bool {
        self.memory().is_some_and(|boot| boot.is_over(now))
    }

    pub(crate) fn memory(self) -> Option<Boot> {
        match self {
            Told::Nothing | Told::Torn => None,
            Told::Word(told) => told.memory,
        }
    }

    pub(crate) fn held_rooms(self) -> bool {
        match self {
            Told::Nothing => false,
            Told::Torn => true,
            Told::Word(told) => told.newest > 0,
        }
    }
}

/// The file, and what it says from before.
pub(crate) fn before(folder: &Path) -> io::Result<(File, Told)> {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(folder.join(FILE))?;
    let mut bytes = [0; WORD_BYTES];
    let told = match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => read(bytes).map_or(Told::Torn, Told::Word),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            if file.metadata()?.len() == 0 {
                Told::Nothing
            } else {
                Told::Torn
            }
        }
        Err(error) => return Err(error),
    };
    Ok((file, told))
}

impl Reach {
    /// What is said first is there after a loss of power too, or what was said since.
    pub(crate) fn begin(file: File, folder: &Path, word: Word) -> io::Result<Reach> {
        file.write_all_at(&written(word), 0)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(Reach { file, word, unheard: false })
    }

    /// The row that is the log's newest now. A word that is lost is made up for by the next.
    pub(crate) fn tell(&mut self, newest: i64) {
        self.say(Word { newest, ..self.word });
    }

    /// All that was answered is on the disk.
    pub(crate) fn end(mut self) {
        if self.word.memory.is_some() {
            self.say(Word { memory: None, ..self.word });
            if let Err(error) = self.file.sync_all() {
                tracing::warn!(%error, "the file `reach` could not be synced: after a loss of power rooms begin new epochs");
            }
        }
    }

    fn say(&mut self, word: Word) {
        if word == self.word {
            return;
        }
        match self.file.write_all_at(&written(word), 0) {
            Ok(()) => (self.word, self.unheard) = (word, false),
            Err(error) => {
                if !std::mem::replace(&mut self.unheard, true) {
                    tracing::warn!(%error, "the file `reach` takes no writes: an older rooms.db that is put back now may be taken for this one");
                }
            }
        }
    }
}

const WORD_BYTES: usize = 32;
const SUM_AT: usize = WORD_BYTES - 4;

fn written(Word { newest, start_tag, memory }: Word) -> [u8; WORD_BYTES] {
    let mut bytes = [0; WORD_BYTES];
    bytes[..8].copy_from_slice(&newest.to_le_bytes());
    bytes[8..12].copy_from_slice(&start_tag.to_le_bytes());
    // No start of a machine has the id zero.
    bytes[12..SUM_AT].copy_from_slice(&memory.map_or(0, |Boot(id)| id).to_le_bytes());
    let sum = crc32fast::hash(&bytes[..SUM_AT]);
    bytes[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn read(bytes: [u8; WORD_BYTES]) -> Option<Word> {
    let id = u128::from_le_bytes(bytes[12..SUM_AT].try_into().ok()?);
    let word = Word {
        newest: i64::from_le_bytes(bytes[..8].try_into().ok()?),
        start_tag: u32::from_le_bytes(bytes[8..12].try_into().ok()?),
        memory: (id != 0).then_some(Boot(id)),
    };
    (written(word) == bytes).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_another_unless_it_is_known_to_be_the_same_and_no_shorter() {
        let word = |newest, start_tag| Word { newest, start_tag, memory: None };
        for (told, found, another) in [
            (Told::Nothing, (0, 1), true),
            (Told::Torn, (1, 1), true),
            (Told::Word(word(7, 1)), (6, 1), true),
            (Told::Word(word(7, 1)), (7, 1), false),
            (Told::Word(word(7, 1)), (8, 1), false),
            (Told::Word(word(7, 1)), (8, 2), true),
        ] {
            assert_eq!(told.is_of_another(found.0, found.1), another, "{told:?}, {found:?}");
        }
    }

    #[test]
    fn what_a_memory_held_is_forgotten_unless_it_is_known_to_be_the_one_that_is() {
        let told = |memory| Told::Word(Word { newest: 7, start_tag: 1, memory });
        for (told, now, forgotten) in [
            (told(None), Boot(1), false),
            (told(Some(Boot(1))), Boot(1), false),
            (told(Some(Boot(1))), Boot(2), true),
            (told(Some(Boot(1))), Boot::UNKNOWN, true),
            (told(Some(Boot::UNKNOWN)), Boot::UNKNOWN, true),
        ] {
            assert_eq!(told.is_forgotten(now), forgotten, "{told:?}, {now:?}");
        }
    }

    #[test]
    fn a_word_reads_back_and_a_flipped_bit_does_not() {
        for (newest, memory) in
            [(0, None), (1, Some(Boot(1))), (77, Some(Boot::UNKNOWN)), (i64::MAX, Some(Boot::now()))]
        {
            let word = Word { newest, start_tag: 0xfeed, memory };
            assert_eq!(read(written(word)), Some(word));
            for bit in 0..WORD_BYTES * 8 {
                let mut bytes = written(word);
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(read(bytes), None, "{newest}, bit {bit}");
            }
        }
        assert_eq!(read([0; WORD_BYTES]), None);
    }

    #[test]
    fn a_file_that_is_empty_says_nothing_and_one_that_is_cut_off_is_torn() {
        let folder = std::env::temp_dir().join(format!("kulkul-reach-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let told = |bytes: &[u8]| {
            std::fs::write(folder.join(FILE), bytes).expect("written");
            before(&folder).expect("opened").1
        };
        let word = Word { newest: 7, start_tag: 1, memory: None };
        let whole = written(word);
        assert_eq!(told(&whole), Told::Word(word));
        assert_eq!(told(&[]), Told::Nothing);
        for length in 1..WORD_BYTES {
            assert_eq!(told(&whole[..length]), Told::Torn, "{length} bytes");
        }
        std::fs::remove_dir_all(&folder).ok();
    }
}
