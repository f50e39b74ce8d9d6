//! The city: where drivers are and how they drive, all out of one number, so that every round is the same city.

const MIDDLE: Place = Place { latitude: -6.2, longitude: 106.8 };
const METRES_A_DEGREE: f64 = 111_194.927;
const EARTH_M: f64 = 6_371_000.0;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Place {
    pub latitude: f64,
    pub longitude: f64,
}

impl Place {
    /// Along the ground, by haversine.
    pub(super) fn metres_to(self, other: Place) -> f64 {
        let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin();
        let (north, east) = (half(self.latitude, other.latitude), half(self.longitude, other.longitude));
        let narrow = self.latitude.to_radians().cos() * other.latitude.to_radians().cos();
        2.0 * EARTH_M * (north * north + narrow * east * east).sqrt().asin()
    }

    /// As if the city were flat.
    pub(super) fn flat_metres_to(self, other: Place) -> f64 {
        let narrow = const { 0.994_152 };
        let (north, east) = (other.latitude - self.latitude, (other.longitude - self.longitude) * narrow);
        (north * north + east * east).sqrt() * METRES_A_DEGREE
    }

    /// As payloads have it, to the centimetre.
    pub(super) fn words(self) -> String {
        format!(r#""latitude":{:.7},"longitude":{:.7}"#, self.latitude, self.longitude)
    }
}

/// splitmix64: a city needs no better chance.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// From 0 to 1.
    pub(super) fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Somewhere in a city so many kilometres wide.
    pub(super) fn place(&mut self, kilometres: f64) -> Place {
        let mut aside = || (self.draw() - 0.5) * kilometres * 1e3 / METRES_A_DEGREE;
        let (north, east) = (aside(), aside());
        Place { latitude: MIDDLE.latitude + north, longitude: MIDDLE.longitude + east }
    }
}

/// One who drives straight on, and turns round at the end of the city.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    pub place: Place,
    /// Degrees a step.
    step: (f64, f64),
    reach: f64,
}

impl Course {
    pub(super) fn new(chance: &mut Chance, kilometres: f64, metres_a_step: f64) -> Course {
        let angle = chance.draw() * std::f64::consts::TAU;
        let degrees = metres_a_step / METRES_A_DEGREE;
        let step = (degrees * angle.sin(), degrees * angle.cos());
        Course { place: chance.place(kilometres), step, reach: kilometres * 500.0 / METRES_A_DEGREE }
    }

    pub(super) fn drive(&mut self) -> Place {
        let (north, east) = (self.place.latitude - MIDDLE.latitude, self.place.longitude - MIDDLE.longitude);
        if north.abs() > self.reach && north * self.step.0 > 0.0 {
            self.step.0 = -self.step.0;
        }
        if east.abs() > self.reach && east * self.step.1 > 0.0 {
            self.step.1 = -self.step.1;
        }
        // What is said is what is meant: to the centimetre.
        let rounded = |degrees: f64| (degrees * 1e7).round() / 1e7;
        self.place = Place {
            latitude: rounded(self.place.latitude + self.step.0),
            longitude: rounded(self.place.longitude + self.step.1),
        };
        self.place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_agree_and_nobody_leaves_the_city() {
        let mut chance = Chance::new(7);
        let near = |place: Place| (place.metres_to(MIDDLE) - place.flat_metres_to(MIDDLE)).abs();
        for _ in 0..100 {
            let place = chance.place(2.0);
            assert!(near(place) < 2.0, "{place:?}: {}", near(place));
            let mut course = Course::new(&mut chance, 10.0, 33.0);
            for _ in 0..2_000 {
                let (from, to) = (course.place, course.drive());
                assert!((from.metres_to(to) - 33.0).abs() < 0.5, "{}", from.metres_to(to));
                assert!(to.metres_to(MIDDLE) < 7_300.0, "{to:?}");
            }
        }
    }
}
