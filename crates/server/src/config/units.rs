//! Spans of time, amounts of bytes and shares of memory as operators write them, there and back. Knows nothing of keys.

use std::time::Duration;

/// Longest first where one ends as another does.
const SPANS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const AMOUNTS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

/// `10s`, `500ms`, `1m30s`: numbers and units, the largest unit first as everybody writes it, but no order is asked for.
pub(super) fn span(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (_, milliseconds) = SPANS.iter().find(|(unit, _)| *unit == &after[..letters])?;
        total = total.checked_add(number.checked_mul(*milliseconds)?)?;
        rest = &after[letters..];
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

pub(super) fn shown_span(span: Duration) -> String {
    let milliseconds = span.as_millis() as u64;
    let whole =
        SPANS.iter().rev().find(|(_, unit)| milliseconds >= *unit && milliseconds.is_multiple_of(*unit));
    whole.map_or("0s".to_owned(), |(name, unit)| format!("{}{name}", milliseconds / unit))
}

/// `4096`, `64KiB`, `2 GB`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Some(number);
    }
    AMOUNTS.iter().find(|(name, _)| *name == unit).and_then(|(_, bytes)| number.checked_mul(*bytes))
}

pub(super) fn shown_bytes(bytes: u64) -> String {
    let binary = AMOUNTS[..4].iter().rev();
    let whole = binary.clone().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    whole.map_or(format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

/// Of the memory that the machine or the control group gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    Percent(u8),
    Bytes(u64),
}

/// With less than this nothing can be served.
pub(super) const MEMORY_BYTES_MIN: u64 = 16 << 20;

impl Memory {
    pub(super) fn parse(text: &str) -> Option<Memory> {
        if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.parse().ok().filter(|percent| (1..=95).contains(percent))?;
            return Some(Memory::Percent(percent));
        }
        bytes(text).filter(|bytes| *bytes >= MEMORY_BYTES_MIN).map(Memory::Bytes)
    }

    /// In bytes, where this much is given in all.
    pub(crate) fn of(self, given: u64) -> u64 {
        match self {
            Memory::Percent(percent) => given / 100 * u64::from(percent),
            Memory::Bytes(bytes) => bytes,
        }
    }

    pub(super) fn shown(self) -> String {
        match self {
            Memory::Percent(percent) => format!("{percent}%"),
            Memory::Bytes(bytes) => shown_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units() {
        for (text, milliseconds, shown) in [
            ("10s", Some(10_000), "10s"),
            ("500ms", Some(500), "500ms"),
            ("5m", Some(300_000), "5m"),
            ("1m30s", Some(90_000), "90s"),
            ("24h", Some(86_400_000), "1d"),
            ("0s", Some(0), "0s"),
            ("", None, ""),
            ("10", None, ""),
            ("s", None, ""),
            ("10 s", None, ""),
            ("-1s", None, ""),
            ("1.5s", None, ""),
            ("1é", None, ""),
            ("99999999999999999999s", None, ""),
            ("18446744073709551615d", None, ""),
        ] {
            let read = span(text);
            assert_eq!(read.map(|span| span.as_millis() as u64), milliseconds, "{text}");
            assert_eq!(read.map(shown_span).unwrap_or_default(), shown, "{text}");
        }
    }

    #[test]
    fn amounts_are_bytes_with_or_without_a_unit() {
        for (text, read, shown) in [
            ("4096", Some(4096), "4KiB"),
            ("100", Some(100), "100B"),
            ("2GiB", Some(2 << 30), "2GiB"),
            ("1 MB", Some(1_000_000), "1000000B"),
            ("2gib", None, ""),
            ("KiB", None, ""),
            ("", None, ""),
            ("99999999999TiB", None, ""),
        ] {
            assert_eq!(bytes(text), read, "{text}");
            assert_eq!(read.map(shown_bytes).unwrap_or_default(), shown, "{text}");
        }
    }

    #[test]
    fn memory_is_a_share_or_an_amount() {
        for (text, of_a_thousand) in [
            ("80%", Some(800)),
            ("2GiB", Some(2 << 30)),
            ("0%", None),
            ("100%", None),
            ("1KiB", None),
            ("80", None),
            ("%", None),
        ] {
            assert_eq!(Memory::parse(text).map(|memory| memory.of(1000)), of_a_thousand, "{text}");
        }
    }
}
