//! Where things are: points, how far they are apart, and the squares of the map that a circle touches. Only additions,
//! multiplications, divisions and roots are used, which every machine rounds alike: two nodes never disagree by a millimetre. It knows no
//! rooms.

use serde::{Deserialize, Serialize};

/// A point on the earth, in ten-millionths of a degree: a centimetre, and what phones give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Point {
    #[serde(rename = "lat")]
    latitude: i64,
    #[serde(rename = "lon")]
    longitude: i64,
}

const DEGREE: i64 = 10_000_000;
const EARTH_MM: f64 = 6_371_000_000.0;
const PI: f64 = std::f64::consts::PI;

/// A row is as high as this, and a square at least as wide: a circle of a kilometre touches four at most.
const ROW: i64 = DEGREE / 50;
const ROWS: i64 = 180 * DEGREE / ROW;

/// A square of the map. Rows go from south to north, columns from west to east; a row near a pole has fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    row: i64,
    column: i64,
}

/// What a circle is made of here: more, and it would touch a hundred squares.
pub(crate) const RADIUS_MM_MAX: i64 = 5_000_000;

impl Point {
    /// `None`: no place on the earth.
    pub(crate) fn of_degrees(latitude: f64, longitude: f64) -> Option<Point> {
        let known = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        let scaled = |degrees: f64| (degrees * DEGREE as f64).round() as i64;
        known.then(|| Point { latitude: scaled(latitude), longitude: scaled(longitude) })
    }

    /// What was written here is; what a back end asks with may be anything.
    pub(crate) fn is_on_earth(self) -> bool {
        let within = |of: i64, degrees: i64| (-degrees * DEGREE..=degrees * DEGREE).contains(&of);
        within(self.latitude, 90) && within(self.longitude, 180)
    }

    pub(crate) fn latitude(self) -> f64 {
        self.latitude as f64 / DEGREE as f64
    }

    pub(crate) fn longitude(self) -> f64 {
        self.longitude as f64 / DEGREE as f64
    }

    /// Along the ground, by haversine on a sphere.
    pub(crate) fn millimetres_to(self, other: Point) -> i64 {
        let half = |a: i64, b: i64| sine(radians(b - a) / 2.0);
        let (north, east) = (half(self.latitude, other.latitude), half(self.longitude, other.longitude));
        let (here, there) = (cosine(radians(self.latitude)), cosine(radians(other.latitude)));
        let square = (north * north + here * there * east * east).clamp(0.0, 1.0);
        (2.0 * EARTH_MM * arc_sine(square.sqrt())).round() as i64
    }

    pub(crate) fn cell(self) -> Cell {
        let row = row_of(self.latitude);
        let columns = columns(row);
        // The east end of the map is its west end.
        let column = (self.longitude + 180 * DEGREE) * columns / (360 * DEGREE);
        Cell { row, column: column % columns }
    }

    /// Every square that has a point within so far of this one, and few others.
    pub(crate) fn cells_within(self, radius_mm: i64) -> Vec<Cell> {
        let radius = radius_mm.clamp(0, RADIUS_MM_MAX) as f64 / EARTH_MM;
        let reach = degrees_up(radius);
        let (south, north) = (self.latitude - reach, self.latitude + reach);
        let over_a_pole = south <= -90 * DEGREE || north >= 90 * DEGREE;
        let wide = sine(radius) / cosine(radians(self.latitude)).max(f64::MIN_POSITIVE);
        let aside = if over_a_pole || wide >= 1.0 { 180 * DEGREE } else { degrees_up(arc_sine(wide)) };
        let mut cells = Vec::new();
        for row in row_of(south.max(-90 * DEGREE))..=row_of(north.min(90 * DEGREE)) {
            let columns = columns(row);
            let unwrapped = |longitude: i64| ((longitude + 180 * DEGREE) * columns).div_euclid(360 * DEGREE);
            let (west, east) = (unwrapped(self.longitude - aside), unwrapped(self.longitude + aside));
            let all = (east - west + 1).min(columns);
            cells.extend((west..west + all).map(|column| Cell { row, column: column.rem_euclid(columns) }));
        }
        cells.sort_unstable();
        cells
    }
}

impl Cell {
    /// As rooms name it.
    pub(crate) fn name(self) -> String {
        format!("{}.{}", self.row, self.column)
    }

    /// `None`: no square has this name.
    pub(crate) fn of_name(name: &str) -> Option<Cell> {
        let (row, column) = name.split_once('.')?;
        let cell = Cell { row: row.parse().ok()?, column: column.parse().ok()? };
        let known = (0..ROWS).contains(&cell.row) && (0..columns(cell.row)).contains(&cell.column);
        (known && cell.name() == name).then_some(cell)
    }
}

fn row_of(latitude: i64) -> i64 {
    // The north pole is in the last row.
    ((latitude + 90 * DEGREE) / ROW).min(ROWS - 1)
}

/// As many as fit where the row is narrowest, so that none is narrower than a row is high.
fn columns(row: i64) -> i64 {
    let (south, north) = (row * ROW - 90 * DEGREE, (row + 1) * ROW - 90 * DEGREE);
    let narrow = cosine(radians(south.abs().max(north.abs())));
    ((360 * DEGREE / ROW) as f64 * narrow).max(1.0) as i64
}

fn radians(ten_millionths: i64) -> f64 {
    ten_millionths as f64 / DEGREE as f64 * (PI / 180.0)
}

/// One more than it comes to, so that rounding leaves out nothing.
fn degrees_up(radians: f64) -> i64 {
    (radians * (180.0 / PI) * DEGREE as f64) as i64 + 1
}

/// From -π to π.
fn sine(angle: f64) -> f64 {
    let angle = if angle > PI / 2.0 {
        PI - angle
    } else if angle < -PI / 2.0 {
        -PI - angle
    } else {
        angle
    };
    let (mut term, mut sum) = (angle, angle);
    // Within a quarter turn the twelfth term is below what a double holds.
    for n in 1..=12 {
        term *= -angle * angle / f64::from(2 * n * (2 * n + 1));
        sum += term;
    }
    sum
}

/// From -π/2 to π/2.
fn cosine(angle: f64) -> f64 {
    sine(PI / 2.0 - angle.abs())
}

/// From 0 to 1.
fn arc_sine(sine: f64) -> f64 {
    if sine > 0.5 {
        return PI / 2.0 - 2.0 * arc_sine(((1.0 - sine) / 2.0).sqrt());
    }
    let (mut power, mut sum) = (sine, sine);
    // Below a half each term is less than a quarter of the one before.
    for n in 1..=28 {
        let (odd, even) = (f64::from(2 * n - 1), f64::from(2 * n));
        power *= sine * sine * odd / even;
        sum += power / f64::from(2 * n + 1);
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(latitude: f64, longitude: f64) -> Point {
        Point::of_degrees(latitude, longitude).expect("on the earth")
    }

    #[test]
    fn the_vectors_come_out_to_the_unit() {
        let jakarta = at(-6.2088, 106.8456);
        for (other, tenths_of_a_metre) in [
            (at(-6.2200, 106.8300), 21_271),
            (at(-6.2100, 106.8450), 1_490),
            (at(-6.2088, 106.8456 + 0.0090), 9_949),
            (at(-6.2088, 106.8456 + 0.0091), 10_059),
        ] {
            assert_eq!((jakarta.millimetres_to(other) + 50) / 100, tenths_of_a_metre, "{other:?}");
        }
        assert_eq!((jakarta.millimetres_to(at(-6.2097, 106.8456)) + 5) / 10, 10_008, "100.08 m");
        assert_eq!(jakarta.millimetres_to(jakarta), 0);
    }

    #[test]
    fn what_is_not_on_the_earth_is_no_point() {
        for (latitude, longitude, known) in [
            (90.0, 180.0, true),
            (-90.0, -180.0, true),
            (90.1, 0.0, false),
            (0.0, -180.1, false),
            (f64::NAN, 0.0, false),
            (0.0, f64::INFINITY, false),
        ] {
            assert_eq!(Point::of_degrees(latitude, longitude).is_some(), known, "{latitude} {longitude}");
        }
    }

    #[test]
    fn a_circle_of_a_kilometre_touches_four_squares_at_most_and_the_widest_few() {
        for latitude in [-90.0, -89.985, -60.3, -6.2, 0.0, 0.01, 45.0, 77.7, 89.99, 90.0] {
            for longitude in [-180.0, -179.999, 0.0, 0.02, 106.8456, 179.999, 180.0] {
                let place = at(latitude, longitude);
                let (near, far) = (place.cells_within(1_000_000), place.cells_within(RADIUS_MM_MAX));
                let few = if latitude.abs() < 89.9 { 4 } else { 8 };
                assert!(near.len() <= few, "{latitude} {longitude}: {near:?}");
                assert!(far.len() <= 64, "{latitude} {longitude}: {} squares", far.len());
                assert!(near.contains(&place.cell()));
            }
        }
    }

    /// Clients work squares out for themselves, by the cosine that they have.
    #[test]
    fn every_row_has_as_many_squares_by_the_librarys_cosine() {
        for row in 0..ROWS {
            let edge = (row * ROW - 90 * DEGREE).abs().max(((row + 1) * ROW - 90 * DEGREE).abs());
            let narrow = (edge as f64 / DEGREE as f64).to_radians().cos();
            assert_eq!(columns(row), ((18_000.0 * narrow).floor() as i64).max(1), "row {row}");
        }
    }

    #[test]
    fn a_square_is_known_by_its_name_alone() {
        let cell = at(-6.2088, 106.8456).cell();
        assert_eq!(Cell::of_name(&cell.name()), Some(cell));
        for wrong in ["", "1", "9000.0", "-1.0", "0.1", "4189.99999", "04.1", "4.+1", "4.1.1"] {
            assert_eq!(Cell::of_name(wrong), None, "{wrong}");
        }
    }

    fn points() -> impl Strategy<Value = (Point, Point)> {
        let place = (-899_999_999i64..=899_999_999, -1_800_000_000i64..=1_800_000_000);
        (place, -120_000i64..=120_000, -120_000i64..=120_000).prop_map(|((latitude, longitude), n, e)| {
            let stretched = (e as f64 / cosine(radians(latitude)).max(0.01)) as i64;
            let turned = (longitude + stretched + 180 * DEGREE).rem_euclid(360 * DEGREE) - 180 * DEGREE;
            let there =
                Point { latitude: (latitude + n).clamp(-90 * DEGREE, 90 * DEGREE), longitude: turned };
            (Point { latitude, longitude }, there)
        })
    }

    proptest! {
        #[test]
        fn the_sines_are_those_of_the_library(angle in -PI..PI, ratio in 0.0..1.0f64) {
            prop_assert!((sine(angle) - angle.sin()).abs() < 1e-14);
            prop_assert!((cosine(angle / 2.0) - (angle / 2.0).cos()).abs() < 1e-14);
            prop_assert!((arc_sine(ratio) - ratio.asin()).abs() < 1e-14);
        }

        #[test]
        fn whoever_is_within_the_radius_is_in_a_square_that_is_searched((here, there) in points()) {
            let metres = here.millimetres_to(there);
            prop_assert_eq!(metres, there.millimetres_to(here));
            for radius in [100_000, 1_000_000, RADIUS_MM_MAX] {
                let cells = here.cells_within(radius);
                let distinct: std::collections::BTreeSet<_> = cells.iter().collect();
                prop_assert_eq!(distinct.len(), cells.len());
                if metres <= radius {
                    prop_assert!(cells.contains(&there.cell()), "{} mm, {:?} not in {:?}", metres, there.cell(), cells);
                }
            }
        }
    }
}
