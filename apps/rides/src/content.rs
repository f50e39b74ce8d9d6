//! What clients' payloads say, word by word; what is wrong is refused with the field, what it must be and what was given. It decides
//! nothing.

use std::borrow::Cow;

use app::{Fields, wrong};
use vocabulary::{Code, Now, Refusal};

use crate::geo::Point;
use crate::meter::Spot;
use crate::money;

const REASON_CHARS_MAX: usize = 200;

pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::App("VALIDATION_FAILED"), text)
}

/// Of a payload's fields the rides' own code: clients of this app know no other.
pub(crate) fn as_ours(refusal: Refusal) -> Refusal {
    match refusal.code {
        Code::InvalidPayload => Refusal { code: Code::App("VALIDATION_FAILED"), ..refusal },
        _ => refusal,
    }
}

pub(crate) fn required(fields: &Fields<'_>, name: &str) -> Result<String, Refusal> {
    let given = fields.text(name)?.filter(|text| !text.is_empty());
    given.map(Cow::into_owned).ok_or_else(|| invalid(format!("{name} is required")))
}

pub(crate) fn reason(fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let reason = fields.short_text("reason", REASON_CHARS_MAX)?.filter(|reason| !reason.trim().is_empty());
    Ok(reason.map(Cow::into_owned))
}

fn degrees(fields: &Fields<'_>, name: &str, most: f64) -> Result<f64, Refusal> {
    let raw = fields.raw(name).ok_or_else(|| invalid(format!("{name} is required")))?;
    let must = format!("a number of degrees from -{most} to {most}");
    let given: f64 = serde_json::from_str(raw.get()).map_err(|_| wrong(name, &must, raw.get()))?;
    if given.is_finite() && given.abs() <= most { Ok(given) } else { Err(wrong(name, &must, raw.get())) }
}

/// `latitude` and `longitude`, both or neither.
fn maybe_point(fields: &Fields<'_>) -> Result<Option<Point>, Refusal> {
    if fields.raw("latitude").is_none() && fields.raw("longitude").is_none() {
        return Ok(None);
    }
    let (latitude, longitude) = (degrees(fields, "latitude", 90.0)?, degrees(fields, "longitude", 180.0)?);
    Ok(Point::of_degrees(latitude, longitude))
}

/// Beside the other fields, or in one called `location`; in both only if it is the same.
pub(crate) fn point(fields: &Fields<'_>) -> Result<Option<Point>, Refusal> {
    let Some(inner) = within(fields, "location")? else { return maybe_point(fields) };
    match (maybe_point(&inner)?, maybe_point(fields)?) {
        (Some(inner), Some(beside)) if inner != beside => {
            let given = fields.raw("location").map_or("", |raw| raw.get());
            Err(wrong("location", "where latitude and longitude beside it are, or stand there alone", given))
        }
        (inner, beside) => Ok(inner.or(beside)),
    }
}

pub(crate) fn target(fields: &Fields<'_>) -> Result<Option<Point>, Refusal> {
    within(fields, "target_location")?.map_or(Ok(None), |inner| maybe_point(&inner))
}

fn within<'a>(fields: &Fields<'a>, name: &str) -> Result<Option<Fields<'a>>, Refusal> {
    fields.raw(name).map(|raw| Fields::of_item(name, "latitude", raw)).transpose()
}

/// Where the sender is, and when that was: by the phone, and never later than now.
pub(crate) fn spot(now: Now, fields: &Fields<'_>) -> Result<Spot, Refusal> {
    let point = point(fields)?.ok_or_else(|| invalid("latitude is required"))?;
    let inner = within(fields, "location")?;
    let said = match fields.text("timestamp")? {
        None => inner.map(|inner| inner.text("timestamp")).transpose()?.flatten(),
        said => said,
    };
    let at = match said {
        None => now.wall.0,
        Some(text) => millis(&text)
            .ok_or_else(|| wrong("timestamp", "a time such as 2026-01-01T10:00:00.000Z", &text))?
            .min(now.wall.0),
    };
    Ok(Spot { point, at })
}

/// RFC 3339, in any zone.
fn millis(text: &str) -> Option<i64> {
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = text.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let mark = |at: usize, of: &[u8]| text.as_bytes().get(at).is_some_and(|byte| of.contains(byte));
    let shaped = mark(4, b"-") && mark(7, b"-") && mark(10, b"Tt ") && mark(13, b":") && mark(16, b":");
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    let known =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !shaped || !known {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("000", rest),
    };
    if fraction.is_empty() {
        return None;
    }
    let thousandths: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let ahead = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('+') { 1 } else { -1 };
            let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
            let two = |part: &str| part.parse::<i64>().ok().filter(|_| part.len() == 2);
            sign * (two(hours)? * 60 + two(minutes)?)
        }
    };
    // Days since 1970, by years that begin in March.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (month * 153 + 2) / 5
        + day
        - 719_469;
    Some((((days * 24 + hour) * 60 + minute - ahead) * 60 + second) * 1_000 + thousandths)
}

/// `accepted`, or `status` as older clients say it.
pub(crate) fn accepted(fields: &Fields<'_>) -> Result<bool, Refusal> {
    let said = [fields.truth("accepted")?, said_accepted(fields)?];
    said.into_iter().flatten().next().ok_or_else(|| invalid("accepted is required: true or false"))
}

/// `status`. Of two words that differ nobody knows which was meant, and the one is a ride or money.
pub(crate) fn said_accepted(fields: &Fields<'_>) -> Result<Option<bool>, Refusal> {
    let status = match fields.text("status")?.as_deref() {
        None => return Ok(None),
        Some("ACCEPTED") => true,
        Some("REJECTED") => false,
        Some(other) => return Err(wrong("status", "ACCEPTED or REJECTED", other)),
    };
    match fields.truth("accepted")? {
        Some(other) if other != status => {
            let given = if status { "ACCEPTED" } else { "REJECTED" };
            Err(wrong("status", &format!("left out, or what accepted says, {other}"), given))
        }
        _ => Ok(Some(status)),
    }
}

/// `adjustment_factor` in basis points; all of it if nothing is said.
pub(crate) fn factor(fields: &Fields<'_>) -> Result<i64, Refusal> {
    let Some(raw) = fields.raw("adjustment_factor") else { return Ok(money::BASIS_POINTS) };
    let given = serde_json::from_str(raw.get()).ok().and_then(money::factor);
    given.ok_or_else(|| wrong("adjustment_factor", "a number from 0 to 1", raw.get()))
}

#[cfg(test)]
mod tests {
    use vocabulary::Wall;

    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, at) in [
            ("2026-01-01T10:00:00.123Z", Some(1_767_261_600_123)),
            ("2026-01-01T10:00:00Z", Some(1_767_261_600_000)),
            ("2026-01-01T17:00:00.123456789+07:00", Some(1_767_261_600_123)),
            ("2026-01-01T09:30:00.1-00:30", Some(1_767_261_600_100)),
            ("2000-02-29t00:00:00.123z", Some(951_782_400_123)),
            ("2026-01-01", None),
            ("2026-13-01T10:00:00Z", None),
            ("2026-01-01T10:00:00", None),
            ("2026-01-01T10:00:00.Z", None),
            ("2026-01-01T10:00:00+7:00", None),
            ("+026-01-01T10:00:00Z", None),
            ("ü026-01-01T10:00:00Z", None),
        ] {
            assert_eq!(millis(text), at, "{text}");
        }
        for at in (-4_000_000_000_000i64..8_000_000_000_000).step_by(86_399_999_000) {
            assert_eq!(millis(&Wall(at).to_string()), Some(at));
        }
    }
}
