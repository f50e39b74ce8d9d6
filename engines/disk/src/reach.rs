//! How far the log had got, in a file of its own: a `rooms.db` that reaches less far is an older one, put back from a backup, or one
//! that lost its last writes. It is written behind each commit and not synced then, so it never says more than was stored.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(crate) const FILE: &str = "reach";

pub(crate) struct Reach {
    file: File,
    told: i64,
}

/// What was told when the file was last open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// There was no such file.
    Nothing,
    /// It was written to when the power went.
    Torn,
    Newest(i64),
}

impl Told {
    /// Whether the log whose newest row that is, is not the one that was told of: something of that is missing.
    pub(crate) fn is_of_another(self, newest: i64) -> bool {
        match self {
            Told::Nothing => newest > 0,
            Told::Torn => false,
            Told::Newest(told) => told > newest,
        }
    }
}

impl Reach {
    pub(crate) fn open(folder: &Path) -> io::Result<(Reach, Told)> {
        let file =
            File::options().create(true).truncate(false).read(true).write(true).open(folder.join(FILE))?;
        let mut bytes = [0; 16];
        let told = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => read(bytes).map_or(Told::Torn, Told::Newest),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Told::Nothing,
            Err(error) => return Err(error),
        };
        Ok((Reach { file, told: -1 }, told))
    }

    /// The file is there after a loss of power too, with what was told so far or since.
    pub(crate) fn sync(&self, folder: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        File::open(folder)?.sync_all()
    }

    /// The row that is the log's newest now. A word that is lost is made up for by the next.
    pub(crate) fn tell(&mut self, newest: i64) {
        if newest == self.told {
            return;
        }
        match self.file.write_all_at(&written(newest), 0) {
            Ok(()) => self.told = newest,
            Err(error) => tracing::debug!(%error, "how far the log has got was not put down"),
        }
    }
}

/// Twice, once turned over: half of it is no number.
fn written(newest: i64) -> [u8; 16] {
    let (number, turned) = (newest.to_le_bytes(), (!newest).to_le_bytes());
    std::array::from_fn(|at| if at < 8 { number[at] } else { turned[at - 8] })
}

fn read(bytes: [u8; 16]) -> Option<i64> {
    let [a, b] = [0, 8].map(|at| i64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte])));
    (a == !b && a >= 0).then_some(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_another_where_it_is_shorter_or_nobody_told_of_it() {
        for (told, newest, another) in [
            (Told::Nothing, 0, false),
            (Told::Nothing, 1, true),
            (Told::Torn, 1, false),
            (Told::Newest(7), 6, true),
            (Told::Newest(7), 7, false),
            (Told::Newest(7), 8, false),
        ] {
            assert_eq!(told.is_of_another(newest), another, "{told:?}, {newest}");
        }
    }

    #[test]
    fn a_number_reads_back_and_a_flipped_bit_does_not() {
        for number in [0, 1, 77, i64::MAX] {
            assert_eq!(read(written(number)), Some(number));
            for bit in 0..128 {
                let mut bytes = written(number);
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(read(bytes), None, "{number}, bit {bit}");
            }
        }
        assert_eq!(read([0; 16]), None);
    }
}
