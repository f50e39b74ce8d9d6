//! How far a ride went: metres from point to point, without those that phones make up. A point is judged once, by whoever
//! records it; what is kept are millimetres. It knows no rooms and no money.

use serde::{Deserialize, Serialize};

use crate::geo::Point;

/// Somebody was here then. The time is the phone's, and never later than ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spot {
    #[serde(flatten)]
    pub point: Point,
    pub at: i64,
}

/// The same, and when we heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub spot: Spot,
    pub heard: i64,
}

/// What a ride's meter goes by, from its beginning to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scale {
    /// A phone at rest moves by less.
    pub jitter_mm: i64,
    /// Nobody drives faster.
    pub speed_kmh_max: i64,
}

/// What a point is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// So much further than the last that counted.
    Counted(i64),
    Duplicate,
    OutOfOrder,
    Jitter,
    Jump,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meter {
    pub millimetres: i64,
    /// From here the next metres count. A phone that creeps is not at rest: what is too little adds up.
    counted: Option<Spot>,
    /// The last point that may be true: speed is measured from here.
    pub seen: Option<Spot>,
    pub points: u32,
    pub duplicates: u32,
    pub out_of_order: u32,
    pub jitter: u32,
    pub jumps: u32,
}

impl Meter {
    /// Where a ride begins.
    pub(crate) fn from(spot: Spot) -> Meter {
        Meter { counted: Some(spot), seen: Some(spot), ..Meter::default() }
    }

    /// `most_ms`: more cannot have passed since the ride began, whatever a phone says: by one that was set right on the way anybody
    /// would have had the time to be anywhere. That holds for one step and for all of them together: else a phone that lives in another
    /// year would pay its driver for so much with each point.
    pub(crate) fn judge(&self, scale: Scale, spot: Spot, most_ms: i64) -> Verdict {
        let (Some(counted), Some(seen)) = (self.counted, self.seen) else { return Verdict::Counted(0) };
        let passed = spot.at - seen.at;
        if passed <= 0 {
            return if passed == 0 { Verdict::Duplicate } else { Verdict::OutOfOrder };
        }
        // In millimetres and milliseconds: a kilometre per hour is 10/36 of the one per the other.
        let is_too_fast = |millimetres: i128, millis: i64| {
            millimetres * 36 > i128::from(scale.speed_kmh_max) * 10 * i128::from(millis)
        };
        let run = i128::from(seen.point.millimetres_to(spot.point));
        let further = counted.point.millimetres_to(spot.point);
        let all = i128::from(self.millimetres) + i128::from(further);
        if is_too_fast(run, passed.min(most_ms)) || is_too_fast(all, most_ms) {
            return Verdict::Jump;
        }
        match further {
            millimetres if millimetres < scale.jitter_mm => Verdict::Jitter,
            millimetres => Verdict::Counted(millimetres),
        }
    }

    pub(crate) fn take(&mut self, spot: Spot, verdict: Verdict) {
        self.points = self.points.saturating_add(1);
        let tally = match verdict {
            Verdict::Counted(millimetres) => {
                self.millimetres = self.millimetres.saturating_add(millimetres);
                (self.counted, self.seen) = (Some(spot), Some(spot));
                return;
            }
            Verdict::Jitter => {
                self.seen = Some(spot);
                &mut self.jitter
            }
            Verdict::Duplicate => &mut self.duplicates,
            Verdict::OutOfOrder => &mut self.out_of_order,
            Verdict::Jump => &mut self.jumps,
        };
        *tally = tally.saturating_add(1);
    }

    pub(crate) fn dropped(&self) -> u32 {
        self.duplicates + self.out_of_order + self.jitter + self.jumps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCALE: Scale = Scale { jitter_mm: 5_000, speed_kmh_max: 150 };
    const LONG: i64 = i64::MAX;

    /// So many metres north of a place in Jakarta.
    fn spot(metres: f64, seconds: i64) -> Spot {
        let point = Point::of_degrees(-6.2 + metres / 111_194.927, 106.8).expect("on the earth");
        Spot { point, at: seconds * 1_000 }
    }

    fn run(spots: &[Spot]) -> Meter {
        let mut meter = Meter::from(spots[0]);
        for spot in &spots[1..] {
            let verdict = meter.judge(SCALE, *spot, LONG);
            meter.take(*spot, verdict);
        }
        meter
    }

    #[test]
    fn every_point_has_its_worth() {
        let meter = Meter::from(spot(0.0, 100));
        for (given, verdict) in [
            (spot(125.0, 115), "counted"),
            (spot(4.9, 115), "jitter"),
            (spot(5.1, 115), "counted"),
            (spot(0.0, 115), "jitter"),
            (spot(0.0, 100), "duplicate"),
            (spot(50.0, 100), "duplicate"),
            (spot(50.0, 99), "out_of_order"),
            (spot(416.0, 110), "counted"),
            (spot(417.0, 110), "jump"),
            (spot(5_000.0, 110), "jump"),
        ] {
            let judged = serde_json::to_string(&meter.judge(SCALE, given, LONG)).expect("it is written");
            assert!(judged.contains(verdict), "{given:?}: {judged}");
        }
    }

    #[test]
    fn steps_of_125_metres_add_up_where_each_alone_is_far_below_a_kilometre() {
        let spots: Vec<Spot> =
            (0..=40).map(|step| spot(125.0 * f64::from(step), i64::from(step) * 15)).collect();
        let meter = run(&spots);
        assert!((meter.millimetres - 5_000_000).abs() < 40, "{meter:?}");
        assert_eq!(meter.dropped(), 0);
    }

    #[test]
    fn who_creeps_gets_on_and_who_stands_does_not() {
        let creeping: Vec<Spot> =
            (0..=100).map(|step| spot(3.0 * f64::from(step), i64::from(step))).collect();
        assert!((run(&creeping).millimetres - 300_000).abs() < 200, "{:?}", run(&creeping));
        let standing: Vec<Spot> =
            (0..=100).map(|step| spot(f64::from(step % 2) * 4.0, i64::from(step))).collect();
        assert_eq!(run(&standing).millimetres, 0);
    }

    #[test]
    fn a_clock_that_is_set_right_makes_no_jump_true() {
        let meter = Meter::from(spot(0.0, 0));
        // Ten seconds and two minutes on the road, by our clock: 5.4 km.
        for (metres, verdict) in [(5_400.0, Verdict::Counted(5_400_000)), (5_500.0, Verdict::Jump)] {
            let judged = meter.judge(SCALE, spot(metres, 50 * 365 * 86_400), 130_000);
            let rounded = match judged {
                Verdict::Counted(millimetres) => Verdict::Counted((millimetres + 500) / 1_000 * 1_000),
                other => other,
            };
            assert_eq!(rounded, verdict, "{metres} m");
        }
    }

    #[test]
    fn a_clock_that_runs_ahead_takes_nobody_further_than_they_can_have_come() {
        let mut meter = Meter::from(spot(0.0, 0));
        // Ten minutes with each point, by the phone; ten seconds and two minutes in all, by our clock.
        for step in 1..=50 {
            let given = spot(4_000.0 * f64::from(step), i64::from(step) * 600);
            meter.take(given, meter.judge(SCALE, given, 130_000));
        }
        assert_eq!(((meter.millimetres + 500) / 1_000, meter.jumps), (4_000, 49));
    }

    #[test]
    fn a_rest_does_not_hide_a_jump() {
        let mut spots: Vec<Spot> = (0..=60).map(|step| spot(1.0, i64::from(step) * 10)).collect();
        spots.push(spot(10_000.0, 610));
        assert_eq!((run(&spots).millimetres, run(&spots).jumps), (0, 1));
    }

    proptest! {
        #[test]
        fn nothing_that_is_dropped_costs_anything(
            steps in proptest::collection::vec((-3_000.0..3_000.0f64, -50i64..200), 1..60),
        ) {
            let mut meter = Meter::from(spot(0.0, 0));
            for (metres, seconds) in steps {
                let (before, given) = (meter.clone(), spot(metres, seconds));
                let verdict = meter.judge(SCALE, given, LONG);
                meter.take(given, verdict);
                let more = meter.millimetres - before.millimetres;
                match verdict {
                    Verdict::Counted(millimetres) => prop_assert_eq!(more, millimetres),
                    _ => {
                        prop_assert_eq!(more, 0);
                        prop_assert_eq!(meter.dropped(), before.dropped() + 1);
                    }
                }
                prop_assert!(meter.seen.expect("it began") .at >= before.seen.expect("it began").at);
                // No faster than anybody drives, from the first point to the last that is believed.
                let passed = meter.seen.expect("it began").at;
                prop_assert!(meter.millimetres * 36 <= 1_500 * passed + 36 * 5_000);
            }
        }

        #[test]
        fn a_track_that_comes_twice_or_shuffled_costs_no_more_than_once(order in Just((1..30i64).collect::<Vec<_>>()).prop_shuffle()) {
            let once = run(&(0..30).map(|step| spot(100.0 * step as f64, step * 10)).collect::<Vec<_>>());
            let shuffled: Vec<Spot> = [0].into_iter().chain(order.iter().copied()).chain(order.iter().copied())
                .map(|step| spot(100.0 * step as f64, step * 10)).collect();
            prop_assert!(run(&shuffled).millimetres <= once.millimetres + 30);
        }
    }
}
