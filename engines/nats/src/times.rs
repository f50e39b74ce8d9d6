//! The server's times, which are written for people. It reads no clock.

/// Nanoseconds since 1970 of `2026-01-31T09:05:03.123456789Z`; with fewer digits behind the point, or none.
pub(crate) fn nanos_of(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let nanos = match fraction {
        "" => 0,
        digits if digits.len() <= 9 => format!("{digits:0<9}").parse().ok()?,
        _ => return None,
    };
    u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Days since 1970 in the proleptic Gregorian calendar, by whole 400-year eras that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::nanos_of;

    #[test]
    fn a_servers_time_is_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-02T00:00:01.5Z", Some(86_401_500_000_000)),
            ("2000-02-29T00:00:00.123Z", Some(951_782_400_123_000_000)),
            ("2026-01-01T10:00:00.123456789Z", Some(1_767_261_600_123_456_789)),
            ("2026-01-01 10:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(nanos_of(text), expected, "{text}");
        }
    }
}
