//! When a certificate ends, read off its DER (RFC 5280, 4.1.2.5). It trusts nothing that it reads: whether a certificate is
//! good is for those to say who are shown it.

use vocabulary::Wall;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version, which stands first if it stands there.
const VERSION: u8 = 0xA0;

/// `Certificate { tbs { version?, serial, algorithm, issuer, validity { from, until }, … }, … }`
pub(crate) fn ends(der: &[u8]) -> Option<Wall> {
    let (certificate, _) = value(der, SEQUENCE)?;
    let (mut rest, _) = value(certificate, SEQUENCE)?;
    if let Some((_, after)) = value(rest, VERSION) {
        rest = after;
    }
    for _ in ["serial", "algorithm", "issuer"] {
        rest = any(rest)?.2;
    }
    let (validity, _) = value(rest, SEQUENCE)?;
    let (_, _, until) = any(validity)?;
    let (tag, text, _) = any(until)?;
    time(tag, text)
}

fn value(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, value, rest) = any(bytes)?;
    (tag == wanted).then_some((value, rest))
}

/// Tag, value, and what follows.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        short @ 0..=127 => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7F))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// `261121100000Z` or `20261121100000Z`; years of two digits are those from 1950 on.
fn time(tag: u8, text: &[u8]) -> Option<Wall> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| rest[at..at + 2].parse::<i64>().ok();
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970 of a proleptic calendar whose year begins in March, so that a leap day is its last.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(Wall((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    #[test]
    fn times_of_both_kinds_are_read() {
        for (tag, text, shown) in [
            (UTC_TIME, "261121100000Z", Some("2026-11-21T10:00:00.000Z")),
            (UTC_TIME, "700101000000Z", Some("1970-01-01T00:00:00.000Z")),
            (UTC_TIME, "240229235959Z", Some("2024-02-29T23:59:59.000Z")),
            (GENERALIZED_TIME, "21261028093000Z", Some("2126-10-28T09:30:00.000Z")),
            (UTC_TIME, "261321100000Z", None),
            (UTC_TIME, "2611211000Z", None),
            (UTC_TIME, "261121100000", None),
            (GENERALIZED_TIME, "", None),
            (0x0C, "261121100000Z", None),
        ] {
            assert_eq!(time(tag, text.as_bytes()).map(|at| at.to_string()).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn the_end_of_a_real_certificate_is_found_and_no_part_of_one_has_one() {
        let pem = include_bytes!("../../server/tests/edge/certs/one.pem");
        let der = CertificateDer::from_pem_slice(pem).expect("a certificate");
        let end = ends(&der).expect("it ends").to_string();
        assert!(end.starts_with("2126-"), "{end}");
        for cut in 0..100 {
            assert_eq!(ends(&der[..cut]), None, "{cut} bytes of it");
        }
    }
}
