//! Everybody at their connections, the parts of a day, and what must be so at its end.

mod ends;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::epoll::EpollTimeout;
use serde_json::Value;

use super::map::{Chance, Course, Place};
use super::people::{Came, Driver, Passenger, Says};
use super::{PATIENCE, Rides};
use crate::adapters::{Choices, Desk};
use crate::floor::Floor;
use crate::histogram::Histogram;
use crate::process::Server;

/// Passengers who search, one after the other, besides those whose rides are watched.
const SEEKERS: usize = 200;
/// Searches on their way at once while rides are begun.
const AT_ONCE: usize = 25;
const GLANCE_MS: u16 = 20;
/// Who is so far behind what was meant begins anew from there: a position said late is not said twice as fast.
const BEHIND: Duration = Duration::from_millis(500);

/// Of one part of the day.
#[derive(Default)]
pub(super) struct Part {
    pub seconds: f64,
    pub cpu_us: f64,
    pub said: u64,
    /// Positions that passengers saw.
    pub seen: u64,
    pub matched: u64,
    /// Share of the time in which this process had something to do.
    pub busy: f64,
}

pub(super) struct City {
    server: Server,
    floor: Floor,
    drivers: Vec<Driver>,
    /// Those whose rides are watched, then the seekers.
    passengers: Vec<Passenger>,
    /// Passengers who look for nobody.
    idle: Vec<usize>,
    says: Vec<Says>,
    chance: Chance,
    kilometres: f64,
    every: Duration,
    /// Whose turn it is to say where they are.
    turn: usize,
    serial: u64,
    /// Rides that have begun.
    started: usize,
    part: Part,
    pub weight_bytes: f64,
    pub seen: Histogram,
    pub proposal: Histogram,
    pub match_: Histogram,
}

fn number_of(name: &str, letter: char) -> Result<usize> {
    name.strip_prefix(letter).and_then(|digits| digits.parse().ok()).context("nobody of ours")
}

impl City {
    /// Drivers first, who switch on one after the other; then passengers.
    pub(super) fn open(asked: &Rides, choices: &Choices) -> Result<City> {
        let mut desk = Desk::new(choices)?;
        let server = Server::start(desk.adapter())?;
        let (mut chance, mut floor) = (Chance::new(2026), Floor::new()?);
        let metres = asked.kmh / 3.6 * asked.every;
        let course = |_| Course::new(&mut chance, asked.kilometres, metres);
        let courses: Vec<Course> = (0..asked.drivers).map(course).collect();
        let before = server.resident_bytes()?;
        let mut drivers = Vec::new();
        for (number, course) in courses.into_iter().enumerate() {
            let name = format!("d{number}");
            floor.enter(server.port, &desk.token(&name, Some("driver"))?)?;
            drivers.push(Driver { name, course, has: None, ride: None, unacked: 0, pooled: None });
        }
        let name = |number: usize| Passenger { name: format!("p{number}"), ..Passenger::default() };
        let passengers: Vec<Passenger> = (0..asked.tracked as usize + SEEKERS).map(name).collect();
        let (idle, says, part) = ((0..passengers.len()).collect(), Vec::new(), Part::default());
        let mut city = City {
            server,
            floor,
            drivers,
            passengers,
            idle,
            says,
            chance,
            kilometres: asked.kilometres,
            every: Duration::from_secs_f64(asked.every),
            turn: 0,
            serial: 0,
            started: 0,
            part,
            weight_bytes: 0.0,
            seen: Histogram::default(),
            proposal: Histogram::default(),
            match_: Histogram::default(),
        };
        for who in 0..city.drivers.len() {
            let (room, place) = (city.drivers[who].room(), city.drivers[who].course.place);
            city.join(who, &room)?;
            let on = format!(r#"{{"is_active":true,{}}}"#, place.words());
            city.say(who, 'b', &Says::new("beacon_update", room, on))?;
        }
        let all = city.drivers.len();
        city.until("drivers in the pool", all, |frame| frame.starts_with(br#"{"type":"ack","id":"b"#))?;
        city.weight_bytes = city.server.resident_bytes()?.saturating_sub(before) as f64 / all as f64;
        for number in 0..city.passengers.len() {
            let who =
                city.floor.enter(city.server.port, &desk.token(&city.passengers[number].name, None)?)?;
            let room = city.passengers[number].room();
            city.join(who, &room)?;
        }
        let all = city.passengers.len();
        city.until("passengers", all, |frame| frame.starts_with(br#"{"type":"room_info""#))?;
        Ok(city)
    }

    /// Under an id that begins so: the same id would be the same message.
    fn say(&mut self, who: usize, letter: char, says: &Says) -> Result<()> {
        let Says { kind, room, payload } = says;
        self.serial += 1;
        let id = format!("{letter}{}", self.serial);
        self.floor
            .say(who, &format!(r#"{{"type":"{kind}","room":"{room}","id":"{id}","payload":{payload}}}"#))
    }

    fn join(&mut self, who: usize, room: &str) -> Result<()> {
        self.floor.say(who, &format!(r#"{{"type":"join_room","id":"j","payload":{{"room_id":"{room}"}}}}"#))
    }

    /// Hears until so many frames have counted.
    fn until(&mut self, what: &str, wanted: usize, counts: impl Fn(&[u8]) -> bool) -> Result<()> {
        let (mut count, mut newest) = (0, Instant::now());
        while count < wanted {
            ensure!(newest.elapsed() < PATIENCE, "{what}: {count} of {wanted}");
            let before = count;
            self.hear(EpollTimeout::from(GLANCE_MS), |frame| count += usize::from(counts(frame)))?;
            if count > before {
                newest = Instant::now();
            }
        }
        Ok(())
    }

    /// What came, and what everybody says to it. Whether anything came.
    fn hear(&mut self, wait: EpollTimeout, mut sees: impl FnMut(&[u8])) -> Result<bool> {
        let mut heard: Vec<(usize, Vec<u8>)> = Vec::new();
        self.floor.hear(wait, |who, frame| {
            heard.push((who, frame.to_vec()));
            Ok(())
        })?;
        for (who, frame) in &heard {
            sees(frame);
            self.takes(*who, frame).with_context(|| String::from_utf8_lossy(frame).into_owned())?;
        }
        Ok(!heard.is_empty())
    }

    fn takes(&mut self, who: usize, frame: &[u8]) -> Result<()> {
        if frame.starts_with(br#"{"type":"ack","id":"l"#) {
            self.drivers[who].unacked =
                self.drivers[who].unacked.checked_sub(1).context("an ack of nothing")?;
            return Ok(());
        }
        if frame.starts_with(br#"{"type":"ack""#) || frame.starts_with(br#"{"type":"room_info""#) {
            return Ok(());
        }
        let frame: Value = serde_json::from_slice(frame)?;
        // Whoever says yes to what has just come to nothing is told so.
        let is_yes = frame["id"].as_str().is_some_and(|id| id.starts_with('c'));
        let is_late = frame["type"] == "error" && is_yes;
        ensure!(frame["type"] != "error" || is_late, "refused");
        if who < self.drivers.len() {
            return self.driver_takes(who, &frame);
        }
        self.passenger_takes(who - self.drivers.len(), &frame)
    }

    fn driver_takes(&mut self, who: usize, frame: &Value) -> Result<()> {
        let came = self.drivers[who].hears(frame, &mut self.says)?;
        if let (Some(Came::Started), Some(ride)) = (came, &self.drivers[who].ride) {
            let (passenger, room) = (ride.passenger, ride.room.clone());
            self.started += 1;
            self.join(self.drivers.len() + passenger, &room)?;
        }
        let payload = &frame["payload"];
        if frame["type"] == "ride_pickup" && payload["status"] == "ARRIVING" {
            let passenger = number_of(payload["passenger_id"].as_str().unwrap_or_default(), 'p')?;
            if self.passengers[passenger].stays {
                self.passengers[passenger].driver = Some(who);
                self.drivers[who].picks_up(passenger, payload, &mut self.says)?;
            }
        }
        self.speak(who)
    }

    fn passenger_takes(&mut self, number: usize, frame: &Value) -> Result<()> {
        if frame["type"] == "driver_location" {
            return self.sees(number, &frame["payload"]);
        }
        match self.passengers[number].hears(frame, &mut self.says)? {
            Some(Came::Proposed(took)) => self.proposal.record(took.as_micros() as u64),
            Some(Came::Matched(took)) => {
                self.match_.record(took.as_micros() as u64);
                self.part.matched += 1;
            }
            Some(Came::Free) => self.idle.push(number),
            Some(Came::Started) | None => {}
        }
        self.speak(self.drivers.len() + number)
    }

    fn speak(&mut self, who: usize) -> Result<()> {
        for says in std::mem::take(&mut self.says) {
            let letter = match says.kind {
                "location_update" => 'l',
                "match_confirm" => 'c',
                _ => 's',
            };
            self.say(who, letter, &says)?;
        }
        Ok(())
    }

    fn sees(&mut self, number: usize, payload: &Value) -> Result<()> {
        let degrees = |name: &str| payload[name].as_f64().context("a place has two numbers");
        let place = Place { latitude: degrees("latitude")?, longitude: degrees("longitude")? };
        let passenger = &mut self.passengers[number];
        passenger.saw = Some(place);
        self.part.seen += 1;
        let driver = passenger.driver.map(|driver| &self.drivers[driver]);
        let newest = driver.filter(|driver| driver.course.place.metres_to(place) < 0.1);
        if let Some(said_at) = newest.and_then(|driver| driver.ride.as_ref()?.said_at) {
            self.seen.record(said_at.elapsed().as_micros() as u64);
        }
        Ok(())
    }

    fn looks(&mut self, number: usize, now: Instant) -> Result<()> {
        // Not at the very edge, where there may be nobody.
        let place = self.chance.place(self.kilometres * 0.9);
        let says = self.passengers[number].looks(place, now);
        self.say(self.drivers.len() + number, 'f', &says)
    }

    /// Rides that go on until the end, with their passengers in them.
    pub(super) fn begin_rides(&mut self, rides: usize) -> Result<()> {
        self.idle.retain(|number| *number >= rides);
        let (mut begun, mut newest) = (0, Instant::now());
        while self.started < rides {
            ensure!(newest.elapsed() < PATIENCE, "{} of {rides} rides have begun", self.started);
            while begun < rides && begun < self.started + AT_ONCE {
                self.passengers[begun].stays = true;
                self.looks(begun, Instant::now())?;
                (begun, newest) = (begun + 1, Instant::now());
            }
            let before = self.started;
            self.hear(EpollTimeout::from(GLANCE_MS), |_| {})?;
            if self.started > before {
                newest = Instant::now();
            }
        }
        (self.proposal, self.match_) = (Histogram::default(), Histogram::default());
        Ok(())
    }

    /// Where this driver is now: in their ride, if they have one.
    fn drive(&mut self, who: usize) -> Result<()> {
        let driver = &mut self.drivers[who];
        let from = driver.course.place;
        let to = driver.course.drive();
        driver.unacked += 1;
        let room = match &mut driver.ride {
            Some(ride) => {
                (ride.metres, ride.said_at) = (ride.metres + from.metres_to(to), Some(Instant::now()));
                ride.room.clone()
            }
            None => driver.room(),
        };
        driver.pooled = if driver.has.is_none() { Some(to) } else { None };
        self.say(who, 'l', &Says::new("location_update", room, format!("{{{}}}", to.words())))
    }

    /// A part of the day. `searches`: so many begin in a second.
    pub(super) fn lives(&mut self, seconds: f64, drive: bool, searches: f64) -> Result<Part> {
        self.part = Part::default();
        let pause = self.every / self.drivers.len() as u32;
        let span = Duration::from_secs_f64(seconds);
        let (before, began) = (self.server.usage()?, Instant::now());
        let (mut base, mut said, mut searched, mut busy) = (began, 0_u32, 0_u32, Duration::ZERO);
        while began.elapsed() < span {
            let turn = Instant::now();
            let mut worked = false;
            if base + pause * said + BEHIND < turn {
                (base, said) = (turn, 0);
            }
            while drive && base + pause * said <= turn {
                self.drive(self.turn)?;
                self.turn = (self.turn + 1) % self.drivers.len();
                (said, self.part.said, worked) = (said + 1, self.part.said + 1, true);
            }
            if searches * began.elapsed().as_secs_f64() > f64::from(searched) {
                // Everybody looks already: the others wait.
                if let Some(number) = self.idle.pop() {
                    self.looks(number, Instant::now())?;
                }
                (searched, worked) = (searched + 1, true);
            }
            worked |= self.hear(EpollTimeout::ZERO, |_| {})?;
            if worked {
                busy += turn.elapsed();
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        self.settle()?;
        let cpu_us = (self.server.usage()?.cpu_ns - before.cpu_ns) as f64 / 1e3;
        let busy = busy.as_secs_f64() / seconds;
        Ok(Part { seconds, cpu_us, busy, ..std::mem::take(&mut self.part) })
    }

    /// All that was said is answered, and every search and what came of it is over.
    fn settle(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            let open = self.drivers.iter().filter(|driver| driver.unacked > 0).count();
            let searching = self.passengers.iter().filter(|it| it.search.is_some() && !it.stays).count();
            let held = self.drivers.iter().filter(|it| it.has.is_some() && it.ride.is_none()).count();
            if open + searching + held == 0 {
                return Ok(());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{open} drivers wait for an ack, {searching} passengers for a match, {held} drivers for an end"
            );
            self.hear(EpollTimeout::from(GLANCE_MS), |_| {})?;
        }
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.drivers.iter().map(|driver| driver.course.place).collect()
    }
}
