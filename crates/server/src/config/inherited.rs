//! Variables that the environment of a ride hailing service has, where they are no setting's second name: one in another unit, and those
//! without effect, each with what there is instead.

use super::kind::Value;
use super::schema::{self, Row};

const RADIUS_KM: &str = "MATCH_SEARCH_RADIUS_KM";

const UNHEEDED: [(&str, &str); 7] = [
    (
        "RIDES_MIN_DISTANCE_KM",
        "metres are added up from point to point without a smallest step; what a phone at rest moves by is `rides.jitter_m`",
    ),
    (
        "LOCATION_AVAILABILITY_TTL_MINUTES",
        "a driver is in the pool while connected, and leaves it `rides.driver_gone` after the connection's end",
    ),
    (
        "MATCH_ACTIVE_RIDE_TTL_HOURS",
        "nobody is held by a ride that has arrived or was cancelled, and no ride ends by itself",
    ),
    (
        "JWT_SECRET",
        "other programs' environments have it too; write what signs your tokens into KULKUL_SECRET",
    ),
    ("JWT_ISSUER", "write what `iss` must say into KULKUL_AUTH__ISSUER"),
    ("JWT_EXPIRATION", "tokens are made by your own login, and hold as long as their `exp` says"),
    ("JWT_EXPIRATION_MINUTES", "tokens are made by your own login, and hold as long as their `exp` says"),
];

pub(super) fn knows(name: &str) -> bool {
    name == RADIUS_KM || UNHEEDED.iter().any(|(known, _)| *known == name)
}

/// The setting that is meant, and its value.
pub(super) fn converted(name: &str, text: &str) -> Option<(&'static Row, Result<Value, String>)> {
    let row = schema::row("rides.radius_m").filter(|_| name == RADIUS_KM)?;
    let metres = metres(text).ok_or_else(|| "must be kilometres such as 1.0, to the metre".to_owned());
    Some((row, metres.and_then(|metres| row.kind.read_text(&metres.to_string()))))
}

fn metres(kilometres: &str) -> Option<u64> {
    let (whole, rest) = kilometres.trim().split_once('.').unwrap_or((kilometres.trim(), "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(rest) || whole.len() > 6 || rest.len() > 3 {
        return None;
    }
    format!("{whole}{rest:0<3}").parse().ok()
}

/// A line for each that somebody has set.
pub(super) fn unheeded(variables: &[(String, String)]) -> impl Iterator<Item = String> {
    UNHEEDED
        .iter()
        .filter(|(name, _)| variables.iter().any(|(set, _)| set == name))
        .map(|(name, why)| format!("{name} has no effect: {why}"))
}

#[cfg(test)]
mod tests {
    use super::super::{Faults, Written, settle};
    use super::*;

    fn written(name: &str, text: &str) -> Written<'static> {
        Written { variables: vec![(name.to_owned(), text.to_owned())], ..Written::default() }
    }

    #[test]
    fn variables_of_the_inherited_are_settings_here() {
        for (name, text, is) in [
            ("MATCH_SEARCH_RADIUS_KM", "5.0", "5000 5 3000 none"),
            ("MATCH_SEARCH_RADIUS_KM", "1", "1000 5 3000 none"),
            ("MATCH_SEARCH_RADIUS_KM", "0.25", "250 5 3000 none"),
            ("BILLING_ADMIN_FEE_PERCENT", "7.5", "1000 7.5 3000 none"),
            ("PRICING_RATE_PER_KM", "4000", "1000 5 4000 none"),
            ("PAYMENT_QR_CODE_BASE_URL", "https://pay.example/qr", "1000 5 3000 https://pay.example/qr"),
        ] {
            let mut faults = Faults::default();
            let config = settle(&written(name, text), &mut faults).unwrap_or_else(|| panic!("{faults}"));
            let rules = &config.typed.rides.rules;
            let (fee, url) =
                (rules.fee_basis_points as f64 / 100.0, rules.payment_url.as_deref().unwrap_or("none"));
            assert_eq!(format!("{} {fee} {} {url}", rules.radius_m, rules.rate_per_km), is, "{name}");
            assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        }
    }

    #[test]
    fn what_the_inherited_had_and_is_not_here_is_answered_with_what_is() {
        for (name, why) in UNHEEDED {
            let mut faults = Faults::default();
            let config = settle(&written(name, "30"), &mut faults).unwrap_or_else(|| panic!("{faults}"));
            assert_eq!(config.warnings, [format!("{name} has no effect: {why}")]);
            for key in why.split('`').skip(1).step_by(2).filter(|key| key.starts_with("rides.")) {
                assert!(schema::row(key).is_some(), "{key}");
            }
        }
    }

    #[test]
    fn a_radius_that_is_none_is_refused_with_what_it_must_be() {
        for (text, says) in [
            (
                "far",
                "MATCH_SEARCH_RADIUS_KM: `rides.radius_m` = \"far\": must be kilometres such as 1.0, to the metre",
            ),
            ("1.2345", "must be kilometres such as 1.0"),
            ("-1", "must be kilometres such as 1.0"),
            ("50", "a count from 100 to 5000"),
        ] {
            let mut faults = Faults::default();
            assert!(settle(&written(RADIUS_KM, text), &mut faults).is_none());
            assert!(faults.to_string().contains(says), "{faults}");
        }
    }
}
