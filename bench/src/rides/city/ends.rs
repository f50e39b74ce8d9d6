//! The end of the day: every ride ends, and what was accepted is where it must be. Nothing is measured here.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use nix::sys::epoll::EpollTimeout;
use serde_json::Value;

use super::{City, GLANCE_MS, number_of};
use crate::rides::PATIENCE;
use crate::rides::map::Place;
use crate::rides::people::{Driver, Says};

/// Two ways to add up metres, and what is rounded in between.
const SLACK: f64 = 0.002;

impl City {
    /// Every ride ends, and is as long as it was driven; the pool is where it was said to be.
    pub(in crate::rides) fn ends(&mut self) -> Result<()> {
        self.all_are_seen()?;
        for who in 0..self.drivers.len() {
            let Some(room) = self.drivers[who].ride.as_ref().map(|ride| ride.room.clone()) else { continue };
            self.say(who, 'a', &Says::new("ride_arrived", room, "{}".to_owned()))?;
        }
        let began = Instant::now();
        loop {
            let rides = || self.drivers.iter().filter_map(|driver| driver.ride.as_ref());
            let is_told = |number: usize| self.passengers[number].told_metres.is_some();
            let missing = rides().filter(|ride| !ride.ended || !is_told(ride.passenger)).count();
            if missing == 0 {
                break;
            }
            ensure!(began.elapsed() < PATIENCE, "of {missing} rides the end was not told");
            self.hear(EpollTimeout::from(GLANCE_MS), |_| {})?;
        }
        for ride in self.drivers.iter().filter_map(|driver| driver.ride.as_ref()) {
            let told = self.passengers[ride.passenger].told_metres.unwrap_or_default();
            let apart = (told - ride.metres).abs();
            ensure!(apart <= 1.0 + ride.metres * SLACK, "{} m were driven, {told} m were told", ride.metres);
        }
        self.pool_is_right()
    }

    /// Every passenger has seen the last position of the driver.
    fn all_are_seen(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            let is_seen = |driver: &&Driver| {
                let saw = driver.ride.as_ref().and_then(|ride| self.passengers[ride.passenger].saw);
                saw.is_some_and(|saw| saw.metres_to(driver.course.place) < 0.1)
            };
            let rides = self.drivers.iter().filter(|driver| driver.ride.is_some());
            let unseen = rides.filter(|driver| !is_seen(driver)).count();
            if unseen == 0 {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "of {unseen} drivers the last position was not told");
            self.hear(EpollTimeout::from(GLANCE_MS), |_| {})?;
        }
    }

    fn pool_is_right(&mut self) -> Result<()> {
        let asked: Vec<usize> =
            (0..self.drivers.len()).filter(|who| self.drivers[*who].pooled.is_some()).collect();
        for who in &asked {
            let room = self.drivers[*who].room();
            self.say(*who, 'g', &Says::new("get_state", room, "{}".to_owned()))?;
        }
        let mut places: Vec<(String, Place)> = Vec::new();
        let began = Instant::now();
        while places.len() < asked.len() {
            ensure!(
                began.elapsed() < PATIENCE,
                "{} of {} drivers know where they are",
                places.len(),
                asked.len()
            );
            let mut found = Vec::new();
            self.hear(EpollTimeout::from(GLANCE_MS), |frame| {
                if frame.starts_with(br#"{"type":"ack","id":"g"#) {
                    found.push(frame.to_vec());
                }
            })?;
            for frame in found {
                let told: Value = serde_json::from_slice(&frame)?;
                let location = &told["payload"]["beacon"]["location"];
                let degrees = |name: &str| location[name].as_f64().unwrap_or_default();
                let place = Place { latitude: degrees("latitude"), longitude: degrees("longitude") };
                places.push((told["room"].as_str().unwrap_or_default().to_owned(), place));
            }
        }
        for (room, place) in places {
            let who = number_of(room.strip_prefix("rides:driver:").unwrap_or_default(), 'd')?;
            let pooled = self.drivers[who].pooled.context("was asked")?;
            ensure!(
                pooled.metres_to(place) < 25.0,
                "{room} was at {pooled:?} last, and is believed at {place:?}"
            );
        }
        Ok(())
    }
}
