//! What tests begin with: people who come, meet and ride.

use std::collections::BTreeMap;

use serde_json::Value;

use super::world::{World, at, user};

impl World {
    /// A driver who switches the beacon on, so many metres north of the pick-up.
    pub(super) fn beacon(&mut self, id: &str, metres: f64) {
        let room = format!("driver:{id}");
        self.comes(&room, id);
        self.says(&room, "beacon_update", &format!(r#"{{"is_active":true,{}}}"#, at(metres)));
    }

    /// A passenger who looks for a driver.
    pub(super) fn find(&mut self, id: &str) {
        let room = format!("passenger:{id}");
        self.comes(&room, id);
        let to = r#""target_location":{"latitude":-6.22,"longitude":106.83}"#;
        self.says(
            &room,
            "finder_update",
            &format!(r#"{{"is_active":true,"location":{{{}}},{to}}}"#, at(0.0)),
        );
    }

    /// The matches that somebody sees, by the other side's id.
    pub(super) fn offers(&self, room: &str) -> BTreeMap<String, String> {
        let state = self.state(room);
        let other = if room.starts_with("driver:") { "passenger_id" } else { "driver_id" };
        let offers = state["offers"].as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        offers.map(|offer| (text(&offer[other]), text(&offer["match_id"]))).collect()
    }

    pub(super) fn confirm(&mut self, room: &str, match_id: &str) {
        self.says(room, "match_confirm", &format!(r#"{{"match_id":"{match_id}","accepted":true}}"#));
    }

    /// A match that both have confirmed; its ride's room.
    pub(super) fn matched(&mut self, passenger: &str, driver: &str) -> String {
        let (p, d) = (format!("passenger:{passenger}"), format!("driver:{driver}"));
        let id = self.offers(&p)[driver].clone();
        self.confirm(&d, &id);
        self.confirm(&p, &id);
        assert_eq!(self.state(&p)["ride"]["ride_id"], id, "{}", self.state(&p));
        assert_eq!(self.state(&d)["ride"]["ride_id"], id, "{}", self.state(&d));
        format!("ride:{id}")
    }

    /// A driver and a passenger on the way to each other.
    pub(super) fn riding(&mut self) -> String {
        self.beacon("d1", 300.0);
        self.find("p1");
        self.matched("p1", "d1")
    }

    pub(super) fn moves(&mut self, ride: &str, who: &str, metres: f64) {
        self.does(ride, &user(who), "location_update", &format!("{{{}}}", at(metres)));
        self.settle();
    }

    pub(super) fn status(&self, ride: &str) -> String {
        let state = self.state(ride);
        state["status"].as_str().unwrap_or("UNBORN").to_owned()
    }

    /// A ride of so many metres, to its driver's word that it is over.
    pub(super) fn ridden(&mut self, metres: f64, factor: &str) -> String {
        let ride = self.riding();
        self.moves(&ride, "d1", 10.0);
        self.does(&ride, &user("d1"), "ride_start", "{}");
        self.settle();
        let mut gone = 10.0;
        while gone < 10.0 + metres {
            gone = (gone + 100.0).min(10.0 + metres);
            self.wait(10_000);
            self.moves(&ride, "d1", gone);
        }
        self.does(&ride, &user("d1"), "ride_arrived", factor);
        self.settle();
        ride
    }
}
