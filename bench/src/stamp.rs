//! What makes a payload countable: who sent it, its sequence number and when it was meant to leave.
//!
//! A stamp is 15 characters that no JSON encoder touches, so it survives any server's envelope and is found again without
//! parsing: `~k`, author (2), sequence (5), microseconds (6), as base-64 digits. Never looks at frames.

pub(crate) const STAMP_BYTES: usize = 15;
pub(crate) const AUTHORS_MAX: u32 = 1 << 12;

const MARK: [u8; 2] = *b"~k";
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const NO_DIGIT: u8 = 0xff;
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Below [`AUTHORS_MAX`].
    pub author: u32,
    /// Dense per author, from 0; below 2^30.
    pub sequence: u32,
    /// Intended time of sending since the start of the run; below 2^36, which is 19 hours.
    pub at_us: u64,
}

impl Stamp {
    /// A payload of `bytes` bytes that begins with this stamp; never shorter than one.
    pub(crate) fn payload(self, bytes: usize, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&MARK);
        for (value, digits) in [(u64::from(self.author), 2), (u64::from(self.sequence), 5), (self.at_us, 6)] {
            into.extend((0..digits).rev().map(|place| DIGITS[(value >> (6 * place)) as usize & 63]));
        }
        into.resize(bytes.max(STAMP_BYTES), b'x');
    }

    fn read(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(&MARK)?.get(..STAMP_BYTES - MARK.len())?;
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0, |number: u64, digit| match VALUES[*digit as usize] {
                NO_DIGIT => None,
                value => Some(number << 6 | u64::from(value)),
            })
        };
        Some(Self {
            author: number(&digits[..2])? as u32,
            sequence: number(&digits[2..7])? as u32,
            at_us: number(&digits[7..])?,
        })
    }
}

/// Finds stamps in texts of one shape: where the last one stood, the next one stands too, mostly.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    usual: usize,
}

impl Finder {
    /// The first stamp of `text`, and where it ends.
    pub(crate) fn first(&mut self, text: &[u8]) -> Option<(Stamp, usize)> {
        if let Some(stamp) = text.get(self.usual..).and_then(Stamp::read) {
            return Some((stamp, self.usual + STAMP_BYTES));
        }
        let (stamp, end) = Self::next(text, 0)?;
        self.usual = end - STAMP_BYTES;
        Some((stamp, end))
    }

    /// The first stamp at or after `from`, and where it ends.
    pub(crate) fn next(text: &[u8], mut from: usize) -> Option<(Stamp, usize)> {
        loop {
            from += text.get(from..)?.iter().position(|byte| *byte == MARK[0])?;
            match Stamp::read(&text[from..]) {
                Some(stamp) => return Some((stamp, from + STAMP_BYTES)),
                None => from += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_any_envelope() {
        let stamps = [
            Stamp { author: 0, sequence: 0, at_us: 0 },
            Stamp { author: AUTHORS_MAX - 1, sequence: (1 << 30) - 1, at_us: (1 << 36) - 1 },
            Stamp { author: 64, sequence: 4096, at_us: 1_234_567_890 },
        ];
        let envelopes =
            [("", ""), (r#"{"content":""#, r#""}"#), ("~~k~kshort", "~k"), ("MSG ~k0 1\r\n", "\r\n")];
        for stamp in stamps {
            for (before, after) in envelopes {
                let mut payload = Vec::new();
                stamp.payload(40, &mut payload);
                assert_eq!(payload.len(), 40);
                let text = [before.as_bytes(), &payload, after.as_bytes()].concat();
                let end = before.len() + STAMP_BYTES;
                let mut finder = Finder::default();
                assert_eq!(finder.first(&text), Some((stamp, end)), "{before}");
                assert_eq!(finder.first(&text), Some((stamp, end)), "{before}, at the usual place");
            }
        }
    }

    #[test]
    fn texts_without_a_whole_stamp_have_none() {
        for text in ["", "~", "~k", "~k000000000000", "~k00000000000 0", r#"{"type":"ack","id":"c-1"}"#] {
            assert_eq!(Finder::default().first(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_stamp_of_a_frame_that_holds_several_is_found() {
        let mut text = Vec::new();
        for sequence in 0..3 {
            let mut payload = Vec::new();
            Stamp { author: 1, sequence, at_us: 5 }.payload(20, &mut payload);
            text.extend_from_slice(b"{\"content\":\"");
            text.extend_from_slice(&payload);
            text.extend_from_slice(b"\"}\n");
        }
        let mut found = Vec::new();
        let mut from = 0;
        while let Some((stamp, end)) = Finder::next(&text, from) {
            found.push(stamp.sequence);
            from = end;
        }
        assert_eq!(found, [0, 1, 2]);
    }
}
