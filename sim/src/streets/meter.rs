//! How far a ride went, reckoned once more: by another formula than the app's, with the library's sines, and so right to a millimetre or
//! two. What a point is worth must follow from this; what is said of it in the log is believed in no other way.

use serde_json::Value;

/// What the simulated nodes go by.
const JITTER_MM: f64 = 5_000.0;
/// 150 km/h, in millimetres a millisecond.
const FASTEST: f64 = 150.0 / 3.6;
/// Two ways to work out the same distance differ by less.
const SLACK_MM: f64 = 2.0;
const EARTH_MM: f64 = 6_371_000_000.0;

#[derive(Clone, Copy, Debug, Default)]
struct Spot {
    latitude: f64,
    longitude: f64,
    at: i64,
}

impl Spot {
    fn of(value: &Value) -> Result<Spot, String> {
        let number =
            |name: &str| value[name].as_i64().ok_or_else(|| format!("a point without {name}: {value}"));
        let radians = |name: &str| number(name).map(|it| (it as f64 / 1e7).to_radians());
        Ok(Spot { latitude: radians("lat")?, longitude: radians("lon")?, at: number("at")? })
    }

    /// On a sphere, as the chord between the two.
    fn millimetres_to(self, other: Spot) -> f64 {
        let on_sphere = |spot: Spot| {
            let (around, up) = (spot.latitude.cos(), spot.latitude.sin());
            [around * spot.longitude.cos(), around * spot.longitude.sin(), up]
        };
        let (here, there) = (on_sphere(self), on_sphere(other));
        let chord = here.iter().zip(there).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
        2.0 * EARTH_MM * (chord / 2.0).min(1.0).asin()
    }
}

/// The last point that counted, the last one that may be true, and the metres so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    counted: Spot,
    seen: Spot,
    pub millimetres: i64,
    /// Points that were said again, or came too late.
    pub repeated: usize,
}

impl Meter {
    pub(super) fn from(spot: &Value) -> Result<Meter, String> {
        let spot = Spot::of(spot)?;
        Ok(Meter { counted: spot, seen: spot, ..Meter::default() })
    }

    pub(super) fn takes(&mut self, spot: &Value, verdict: &Value) -> Result<(), String> {
        let spot = Spot::of(spot)?;
        let wrong =
            |must: &str| Err(format!("a point is {must}, and counts as {verdict}: {spot:?} after {self:?}"));
        let is = |name: &str| verdict == name;
        let passed = spot.at - self.seen.at;
        if passed <= 0 {
            let must = if passed == 0 { "duplicate" } else { "out_of_order" };
            if !is(must) {
                return wrong(must);
            }
            self.repeated += 1;
            return Ok(());
        }
        let too_far = self.seen.millimetres_to(spot) - FASTEST * passed as f64;
        if is("jump") || too_far > SLACK_MM {
            let agreed = is("jump") && too_far > -SLACK_MM;
            return if agreed { Ok(()) } else { wrong("a jump, or none") };
        }
        let run = self.counted.millimetres_to(spot);
        match verdict["counted"].as_i64() {
            Some(millimetres)
                if run > JITTER_MM - SLACK_MM && (millimetres as f64 - run).abs() < SLACK_MM =>
            {
                (self.counted, self.seen) = (spot, spot);
                self.millimetres += millimetres;
                Ok(())
            }
            None if is("jitter") && run < JITTER_MM + SLACK_MM => {
                self.seen = spot;
                Ok(())
            }
            _ => wrong(&format!("{run} mm away")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// So many ten-millionths of a degree north, each a bit more than 11 mm, so many seconds later.
    fn spot(north: i64, seconds: i64) -> Value {
        json!({"lat": north, "lon": 1_068_456_000, "at": seconds * 1_000})
    }

    #[test]
    fn a_point_is_worth_what_it_is_and_nothing_else() {
        let counted = |millimetres: i64| json!({"counted": millimetres});
        for (given, right, wrong) in [
            (spot(9_000, 10), counted(100_075), counted(100_079)),
            (spot(9_000, 10), counted(100_074), json!("duplicate")),
            (spot(360, 10), json!("jitter"), counted(4_003)),
            (spot(0, 0), json!("duplicate"), json!("jitter")),
            (spot(9_000, 0), json!("duplicate"), counted(100_075)),
            (spot(9_000, -5), json!("out_of_order"), counted(100_075)),
            (spot(90_000, 10), json!("jump"), counted(1_000_754)),
            (spot(36_000, 10), counted(400_302), json!("jump")),
        ] {
            let meter = Meter::from(&spot(0, 0)).expect("a point");
            let takes = |verdict: &Value| {
                let mut meter = meter;
                meter.takes(&given, verdict)
            };
            assert_eq!(takes(&right), Ok(()), "{given}");
            assert!(takes(&wrong).is_err(), "{given} taken for {wrong}");
        }
    }
}
