//! The settings of the rides app: a row each, what they may not contradict, and what becomes of them.

use std::time::Duration;

use rides::{Authority, Rules};

use super::fault::Faults;
use super::kind::{Form, Kind};
use super::rows::{HOUR, MINUTE, SECOND, URL, count, span};
use super::schema::Row;
use super::settings::{Section, Settings};

const PERCENT: Form = Form {
    expected: "a percentage from 0 to 100, with at most two decimals, such as \"5\" or \"7.5\"",
    holds: |text| basis_points(text).is_some(),
};

const OFFER: &str = "rides.offer";
const SEARCH: &str = "rides.search";

pub(super) const ROWS: &[Row] = &[
    Row::new(
        "rides.authority",
        Kind::Choice(&["kulkul", "fleet"]),
        "kulkul",
        "Who matches and bills: this server; or the team's own back end, by a broker, and then clients' words are handed to it.",
    ),
    Row::new(
        "rides.radius_m",
        count(100, 5_000),
        "1000",
        "How far from the pick-up drivers are looked for, in metres.",
    ),
    Row::new("rides.offers_at_once", count(1, 20), "5", "Drivers who are asked for one passenger at a time."),
    Row::new(
        OFFER,
        span(5 * SECOND, 10 * MINUTE),
        "30s",
        "How long a driver and a passenger have to agree to a match.",
    ),
    Row::new(SEARCH, span(10 * SECOND, HOUR), "5m", "How long a driver is looked for."),
    Row::new(
        "rides.gate_m",
        count(10, 1_000),
        "100",
        "A ride begins where driver and passenger are no further apart, in metres.",
    ),
    Row::new(
        "rides.gate_fresh",
        span(10 * SECOND, HOUR),
        "2m",
        "A position that is older than this says nothing of where somebody is.",
    ),
    Row::new(
        "rides.driver_gone",
        span(5 * SECOND, HOUR),
        "30s",
        "A driver whose connection has been gone for so long is offered nobody.",
    ),
    Row::new("rides.rate_per_km", count(1, 1_000_000), "3000", "What a kilometre costs, in whole units.")
        .also("PRICING_RATE_PER_KM"),
    Row::new("rides.fee_percent", Kind::Text(PERCENT), "5", "What is kept of what a passenger pays.")
        .also("BILLING_ADMIN_FEE_PERCENT"),
    Row::new(
        "rides.cancellation_fee",
        count(0, 100_000_000),
        "2000",
        "What it costs a passenger to cancel when the driver has come.",
    ),
    Row::new("rides.jitter_m", count(0, 100), "5", "A phone that moved by less is at rest, in metres."),
    Row::new(
        "rides.speed_kmh_max",
        count(20, 500),
        "150",
        "Nobody drives faster: a point that says so is not counted.",
    ),
    Row::without(
        "rides.payment_url",
        Kind::Text(URL),
        "none",
        "Where passengers pay; `?ride_id=…&amount=…&passenger_id=…` is put behind it.",
    )
    .also("PAYMENT_QR_CODE_BASE_URL"),
    Row::new(
        "rides.retention_records",
        count(50_000, 1_000_000_000),
        "100000",
        "Records kept of one ride, and of one driver or passenger; a ride has up to 43,200 points.",
    ),
];

#[derive(Clone)]
pub(crate) struct Rides {
    pub rules: Rules,
    pub retention_records: u64,
}

fn basis_points(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || whole.len() > 3 || decimals.len() > 2 {
        return None;
    }
    let points: i64 = format!("{whole}{decimals:0<2}").parse().ok()?;
    (points <= 10_000).then_some(points)
}

pub(super) fn check(settings: &Settings, faults: &mut Faults) {
    let top = &settings.top;
    let spans = top.maybe::<Duration>(OFFER).zip(top.maybe::<Duration>(SEARCH));
    if let Some((offer, search)) = spans.filter(|(offer, search)| offer > search) {
        let blamed = if top.is_said(OFFER) { OFFER } else { SEARCH };
        let (offer, search) = (super::units::shown_span(offer), super::units::shown_span(search));
        let says = format!(
            "`{OFFER}` = {offer} must be at most `{SEARCH}` = {search}, or a search ends before its first offer"
        );
        faults.add(top.place(blamed), says);
    }
}

pub(super) fn rides(settings: &Settings) -> Rides {
    let top = &settings.top;
    let number = |key: &str| i64::try_from(top.get::<usize>(key)).unwrap_or(i64::MAX);
    let rules = Rules {
        authority: match top.get::<String>("rides.authority").as_str() {
            "fleet" => Authority::Fleet,
            _ => Authority::Kulkul,
        },
        radius_m: number("rides.radius_m"),
        offers_at_once: top.get("rides.offers_at_once"),
        offer_ms: millis(top, OFFER),
        search_ms: millis(top, SEARCH),
        gate_m: number("rides.gate_m"),
        gate_fresh_ms: millis(top, "rides.gate_fresh"),
        driver_gone_ms: millis(top, "rides.driver_gone"),
        rate_per_km: number("rides.rate_per_km"),
        fee_basis_points: basis_points(&top.get::<String>("rides.fee_percent")).unwrap_or_default(),
        cancellation_fee: number("rides.cancellation_fee"),
        jitter_m: number("rides.jitter_m"),
        speed_kmh_max: number("rides.speed_kmh_max"),
        payment_url: top.maybe("rides.payment_url"),
    };
    Rides { rules, retention_records: top.get::<usize>("rides.retention_records") as u64 }
}

fn millis(top: &Section, key: &str) -> i64 {
    i64::try_from(top.get::<Duration>(key).as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rides::Rules;

    use super::super::read_text;
    use super::basis_points;

    #[test]
    fn what_holds_without_a_word_is_what_the_app_holds_by_itself() {
        let config = read_text("").expect("a config");
        assert_eq!(config.typed.rides.rules, Rules::default());
    }

    #[test]
    fn percentages_are_read_to_the_hundredth() {
        for (text, points) in [
            ("5", Some(500)),
            ("7.5", Some(750)),
            ("0.05", Some(5)),
            ("100", Some(10_000)),
            ("100.01", None),
            ("5.", None),
            (".5", None),
            ("-1", None),
            ("1.234", None),
            ("5%", None),
        ] {
            assert_eq!(basis_points(text), points, "{text}");
        }
    }

    #[test]
    fn settings_are_what_was_written() {
        let text = "[rides]\nauthority = \"fleet\"\nradius_m = 2000\noffers_at_once = 3\noffer = \"15s\"\nsearch = \"2m\"\n\
                    gate_m = 50\ngate_fresh = \"1m\"\ndriver_gone = \"10s\"\nrate_per_km = 4000\nfee_percent = \"7.25\"\n\
                    cancellation_fee = 0\njitter_m = 8\nspeed_kmh_max = 120\npayment_url = \"https://pay.example/qr\"";
        let rules = read_text(text).expect("a config").typed.rides.rules;
        let expected = Rules {
            authority: rides::Authority::Fleet,
            radius_m: 2_000,
            offers_at_once: 3,
            offer_ms: 15_000,
            search_ms: 120_000,
            gate_m: 50,
            gate_fresh_ms: 60_000,
            driver_gone_ms: 10_000,
            rate_per_km: 4_000,
            fee_basis_points: 725,
            cancellation_fee: 0,
            jitter_m: 8,
            speed_kmh_max: 120,
            payment_url: Some("https://pay.example/qr".into()),
        };
        assert_eq!(rules, expected);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_line_and_what_fits() {
        for (text, says) in [
            ("radius_m = 6000", "a count from 100 to 5000"),
            ("offers_at_once = 0", "a count from 1 to 20"),
            ("offer = \"1s\"", "a span from 5s to 10m"),
            ("fee_percent = \"101\"", "a percentage from 0 to 100"),
            ("fee_percent = 5", "a percentage from 0 to 100"),
            ("payment_url = \"ftp://x\"", "an http or https URL"),
            ("search = \"20s\"", "`rides.offer` = 30s must be at most `rides.search` = 20s"),
            ("authority = \"both\"", "one of kulkul, fleet"),
        ] {
            let faults = read_text(&format!("[rides]\n{text}\n")).err().map(|faults| faults.to_string());
            let told = faults.unwrap_or_else(|| panic!("accepted: {text}"));
            assert!(told.contains(": line 2: ") && told.contains(says), "{text}: {told}");
        }
    }
}
