//! What a ride costs and who gets it, in whole units of the currency. Integers alone: nothing is lost between what is paid and what is
//! paid out. It knows no rooms.

use serde::{Deserialize, Serialize};

/// Of a whole: 10,000 are all of it.
pub(crate) const BASIS_POINTS: i64 = 10_000;

/// `adjusted = fee + payout`, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bill {
    pub fare: i64,
    pub factor: i64,
    /// What the passenger pays.
    pub adjusted: i64,
    pub fee: i64,
    /// What the driver is paid.
    pub payout: i64,
}

fn clipped(value: i128) -> i64 {
    i64::try_from(value.max(0)).unwrap_or(i64::MAX)
}

/// Millimetres at a rate for a kilometre, half a unit rounded up.
pub(crate) fn fare(millimetres: i64, rate_per_km: i64) -> i64 {
    clipped((i128::from(millimetres) * i128::from(rate_per_km) + 500_000) / 1_000_000)
}

/// A factor from 0 to 1 in basis points; `None`: it is none.
pub(crate) fn factor(given: f64) -> Option<i64> {
    (0.0..=1.0).contains(&given).then(|| (given * BASIS_POINTS as f64).round() as i64)
}

/// The adjusted fare and the fee are rounded down; the driver is paid the rest.
pub(crate) fn bill(fare: i64, factor: i64, fee: i64) -> Bill {
    let share =
        |of: i64, points: i64| clipped(i128::from(of) * i128::from(points) / i128::from(BASIS_POINTS));
    let adjusted = share(fare, factor);
    let fee = share(adjusted, fee);
    Bill { fare, factor, adjusted, fee, payout: adjusted - fee }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_come_out_to_the_unit() {
        assert_eq!(fare(3_200_000, 3000), 9600);
        let points = |given| factor(given).expect("from 0 to 1");
        for (of, given, adjusted, fee, payout) in [
            (9600, 0.9, 8640, 432, 8208),
            (9999, 0.85, 8499, 424, 8075),
            (100, 0.57, 57, 2, 55),
            (9600, 1.0, 9600, 480, 9120),
            (9600, 0.0, 0, 0, 0),
            (0, 1.0, 0, 0, 0),
        ] {
            let expected = Bill { fare: of, factor: points(given), adjusted, fee, payout };
            assert_eq!(bill(of, points(given), 500), expected);
        }
    }

    #[test]
    fn half_a_unit_is_rounded_up_and_less_is_not() {
        for (millimetres, cost) in [(0, 0), (166, 0), (167, 1), (500, 2), (499, 1), (1_000, 3), (1_167, 4)] {
            assert_eq!(fare(millimetres, 3000), cost, "{millimetres} mm");
        }
    }

    #[test]
    fn a_factor_is_from_nothing_to_all_of_it() {
        for (given, points) in [
            (0.0, Some(0)),
            (1.0, Some(10_000)),
            (0.57, Some(5_700)),
            (0.12345, Some(1_235)),
            (1.000_000_1, None),
            (-0.1, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(factor(given), points, "{given}");
        }
    }

    proptest! {
        #[test]
        fn what_is_paid_is_what_is_paid_out(
            millimetres in 0..=i64::MAX, rate in 0..=1_000_000i64, factor in 0..=BASIS_POINTS, fee in 0..=BASIS_POINTS,
        ) {
            let made = bill(fare(millimetres, rate), factor, fee);
            prop_assert_eq!(made.adjusted, made.fee + made.payout);
            prop_assert!(made.adjusted <= made.fare && made.fee >= 0 && made.payout >= 0);
        }

        #[test]
        fn who_goes_further_pays_no_less(a in 0..1_000_000_000i64, b in 0..1_000_000_000i64) {
            let (near, far) = (a.min(b), a.max(b));
            prop_assert!(fare(near, 3000) <= fare(far, 3000));
        }
    }
}
