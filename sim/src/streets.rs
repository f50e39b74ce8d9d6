//! A world of rides: drivers and passengers around one place, on nodes that die and an engine that stalls, saying things twice, late,
//! and of matches that are none of theirs. What they do is drawn from the seed. Judged are what the engine truly holds, record by record, by a
//! model that knows none of the app's code, and what people are told in the end. It never looks into a node.

mod hearing;
mod meter;
mod model;
mod party;
mod spoiled;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use vocabulary::Tick;

use crate::faults::{self, Fault};
use crate::mutant::Mutant;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::tally::Tally;
use crate::world::{Happened, SocketId, World};
use hearing::Hearing;
use model::Model;
use party::{Party, Role, Said};

pub(crate) use spoiled::app;

/// How many people there are, and how far around they live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// 10 drivers and 30 passengers within a kilometre.
    Small,
    /// 200 drivers and 1,000 passengers within ten.
    Full,
}

impl Crowd {
    /// Drivers, passengers, and thousandths of a degree to each side.
    fn size(self) -> (usize, usize, u64) {
        match self {
            Crowd::Small => (10, 30, 10),
            Crowd::Full => (200, 1_000, 90),
        }
    }
}

/// Long enough for drivers to count as gone, searches to come to nothing and rides to end.
const CHAOS: Duration = Duration::from_secs(100);
/// Then everybody ends what they are in...
const ENDING: Duration = Duration::from_secs(45);
/// ...and begins anew, which nobody may be kept from...
const ANEW: Duration = Duration::from_secs(20);
/// ...and asks how things are.
const QUESTIONS: Duration = Duration::from_secs(25);

const FAULTS: u64 = 1 << 32;
const HEAL: u64 = u64::MAX;
const OVER: u64 = u64::MAX - 1;
/// One person acts so often, on average.
const PACE: Duration = Duration::from_millis(1500);
/// Matches that a stranger may have heard of.
const HEARD_OF_MAX: usize = 50;

/// What one run did, for whoever wants to know that something happened at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ridden {
    pub tally: Tally,
    pub proposed: usize,
    pub matched: usize,
    pub arrived: usize,
    pub paid: usize,
    pub cancelled: usize,
    /// Points that were said again, or too late.
    pub repeated: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Chaos,
    Ending,
    Anew,
    Questions,
}

struct Streets {
    world: World,
    random: Random,
    parties: Vec<Party>,
    owners: BTreeMap<SocketId, usize>,
    faults: Vec<Fault>,
    healed: Option<Tick>,
    /// Of all people, so that some may meddle.
    matches: Vec<String>,
    hearings: BTreeMap<usize, Hearing>,
    spread: u64,
}

/// One seed to its end, or to what must not be.
pub fn run_rides(seed: u64, crowd: Crowd, tracing: bool) -> Result<Ridden, String> {
    ride(scenario(seed, crowd), crowd, tracing)
}

/// A small one with a mistake in it.
pub fn run_spoiled_rides(seed: u64, mutant: Mutant) -> Result<Ridden, String> {
    let scenario = Scenario { mutant: Some(mutant), ..scenario(seed, Crowd::Small) };
    ride(scenario, Crowd::Small, false)
}

fn ride(scenario: Scenario, crowd: Crowd, tracing: bool) -> Result<Ridden, String> {
    let mut streets = Streets::new(scenario, crowd, tracing);
    streets.run()?;
    streets.judge()
}

/// A world whose engine loses nothing that it acknowledged: what one room knows of another is to be right in the end.
fn scenario(seed: u64, crowd: Crowd) -> Scenario {
    let (drivers, passengers, _) = crowd.size();
    let drawn = Scenario::from_seed(seed);
    Scenario {
        lost_tails: 0,
        damages: 0,
        wall_jumps: 0,
        garbage: 0,
        resends: 0,
        asks: false,
        probes: 0,
        rooms_max: 100_000,
        // As many as there are people: what may wait in front of a full link goes by it.
        rooms: drivers + passengers,
        // Shorter than in production, so that a run sees offers and searches end by themselves.
        rides: rides::Rules { offer_ms: 8_000, search_ms: 40_000, ..rides::Rules::default() },
        chaos: CHAOS,
        calm: ENDING + ANEW + QUESTIONS,
        // There are few of the large ones, and none of them is to go by without.
        kills: if crowd == Crowd::Full { drawn.kills.max(1) } else { drawn.kills },
        many_stewards: seed % 4 == 2,
        ..drawn
    }
}

impl Streets {
    fn new(scenario: Scenario, crowd: Crowd, tracing: bool) -> Streets {
        let (drivers, passengers, spread) = crowd.size();
        let mut random = Random::new(scenario.seed ^ 0x51de5);
        let drivers = (0..drivers).map(|number| Party::new(Role::Driver, number));
        let parties: Vec<Party> =
            drivers.chain((0..passengers).map(|number| Party::new(Role::Passenger, number))).collect();
        let faults = faults::plan(&scenario, &mut random);
        let mut world = World::new(scenario, tracing);
        let start = world.now.tick;
        for index in 0..parties.len() {
            world.remind(start + random.millis(0, 3000), index as u64);
        }
        for (index, fault) in faults.iter().enumerate() {
            world.remind(start + fault.after, FAULTS + index as u64);
        }
        world.remind(start + CHAOS, HEAL);
        world.remind(start + CHAOS + ENDING + ANEW + QUESTIONS, OVER);
        let (owners, matches, hearings) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        Streets { world, random, parties, owners, faults, healed: None, matches, hearings, spread }
    }

    fn run(&mut self) -> Result<(), String> {
        loop {
            let happened = self.world.step();
            if let Some(failure) = self.world.failures.first() {
                return Err(format!("a fault of the server's own: {failure:?}"));
            }
            for happened in happened {
                match happened {
                    Happened::Heard(socket, text) => self.heard(socket, &text)?,
                    Happened::Closed(socket, _) => self.closed(socket),
                    Happened::Reminder(OVER) => return Ok(()),
                    Happened::Reminder(HEAL) => {
                        self.healed = Some(self.world.now.tick);
                        self.world.trace(|| "---- the faults stop".to_owned());
                        faults::heal(&mut self.world);
                    }
                    Happened::Reminder(token) if token >= FAULTS => {
                        let kind = self.faults[(token - FAULTS) as usize].kind.clone();
                        if self.healed.is_none() {
                            faults::strike(&mut self.world, &mut self.random, &[], &kind);
                        }
                    }
                    Happened::Reminder(token) => self.act(token as usize),
                    Happened::Told(..) => {}
                }
            }
        }
    }

    fn phase(&self) -> Phase {
        match self.healed.map(|healed| self.world.now.tick.since(healed)) {
            None => Phase::Chaos,
            Some(since) if since < ENDING => Phase::Ending,
            Some(since) if since < ENDING + ANEW => Phase::Anew,
            Some(_) => Phase::Questions,
        }
    }

    fn closed(&mut self, socket: SocketId) {
        if let Some(party) = self.owners.get(&socket).copied() {
            self.parties[party].hung_up(socket);
        }
    }

    fn heard(&mut self, socket: SocketId, text: &str) -> Result<(), String> {
        let Some(party) = self.owners.get(&socket).copied() else { return Ok(()) };
        if self.parties[party].socket != Some(socket) {
            return Ok(());
        }
        self.world.tally.heard += 1;
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let asks = self.phase() == Phase::Questions;
        self.parties[party].hears(&value, asks);
        if value["room"].as_str() == Some(&self.parties[party].room) {
            let own = |error| format!("{}: {error}", self.parties[party].room);
            self.hearings.entry(party).or_default().hears(&value).map_err(own)?;
        }
        if let Some(id) = value["payload"]["match_id"].as_str().filter(|_| value["type"] == "match_proposal")
        {
            if self.matches.len() >= HEARD_OF_MAX {
                self.matches.remove(0);
            }
            self.matches.push(id.to_owned());
        }
        Ok(())
    }

    fn act(&mut self, party: usize) {
        let next = self.world.now.tick + self.random.between(PACE / 2, PACE * 2);
        self.world.remind(next, party as u64);
        let phase = self.phase();
        if self.parties[party].socket.is_none() {
            return self.connect(party, phase);
        }
        if !self.parties[party].is_in_own_room() {
            let room = self.parties[party].room.clone();
            return self.say(party, &Said::join(&room));
        }
        if phase == Phase::Chaos && self.random.per_mille(300) {
            self.parties[party].confirms_all().iter().for_each(|said| self.say(party, said));
        }
        let said = match phase {
            Phase::Chaos if self.random.per_mille(40) => return self.leave(party),
            Phase::Chaos if self.random.per_mille(50) => self.parties[party].again(&mut self.random),
            Phase::Chaos if self.random.per_mille(30) => self.meddling(party),
            Phase::Chaos => self.parties[party].acts(&mut self.random, self.world.now.wall, self.spread),
            Phase::Ending => self.parties[party].ends(),
            Phase::Anew => self.parties[party].begins_anew(),
            Phase::Questions => None,
        };
        if let Some(said) = said {
            self.say(party, &said);
        }
        if phase != Phase::Questions || self.parties[party].answer.is_none() {
            let room = self.parties[party].room.clone();
            self.say(party, &Said::new("get_state", &room, json!({})));
        }
    }

    fn connect(&mut self, party: usize, phase: Phase) {
        if phase == Phase::Chaos && self.parties[party].away_until > self.world.now.tick {
            return;
        }
        let node = self.random.index(self.world.scenario.nodes);
        let user = self.parties[party].user.clone();
        if let Some(socket) = self.world.connect(node, &user) {
            self.owners.insert(socket, party);
            self.parties[party].socket = Some(socket);
        }
    }

    fn leave(&mut self, party: usize) {
        let Some(socket) = self.parties[party].socket else { return };
        // Some are back at once, some are gone for so long that they are missed.
        let away = self.random.pick(&[200, 3_000, 45_000].map(Duration::from_millis));
        self.parties[party].away_until = self.world.now.tick + away;
        match self.random.index(3) {
            0 => self.world.cut(socket),
            1 => self.world.hang_up(socket, true),
            // The node believes them to be there yet when they are back, by another connection.
            _ => self.world.deaden(socket, Duration::from_secs(4)),
        }
        self.closed(socket);
    }

    /// Somebody speaks of a match that they have only heard of, in their own room or in another one's.
    fn meddling(&mut self, party: usize) -> Option<Said> {
        let id = self.matches.get(self.random.index(self.matches.len().max(1)))?.clone();
        let other = self.random.index(self.parties.len());
        let room = if self.random.per_mille(500) { party } else { other };
        let room = self.parties[room].room.clone();
        let ride = format!("rides:ride:{id}");
        Some(match self.random.index(4) {
            0 => Said::new("ride_start", &ride, json!({})),
            1 => Said::new("ride_cancel", &room, json!({"ride_id": id})),
            _ => Said::new("match_confirm", &room, json!({"match_id": id, "accepted": true})),
        })
    }

    fn say(&mut self, party: usize, said: &Said) {
        let Some(socket) = self.parties[party].socket else { return };
        let frame = self.parties[party].frame(said);
        self.world.say(socket, &frame);
    }

    /// To one as to the other, and as the log has it.
    fn all_agree_on_money(&self, model: &Model) -> Result<(), String> {
        for (ride, people) in model.paid() {
            let of = |room: &String| {
                let party = self.parties.iter().position(|party| party.room == format!("rides:{room}"));
                party.and_then(|party| self.hearings.get(&party))
            };
            let told: Vec<&Hearing> = people.iter().filter_map(of).collect();
            if let [driver, passenger] = told[..] {
                driver.agrees_with(passenger)?;
            }
            let billed = model.costs(ride);
            for hearing in told {
                let cost = hearing.money.get(ride).map(|money| money[0]);
                if cost.is_some() && cost != billed {
                    return Err(format!("{ride} costs {billed:?}, and somebody is told {cost:?}"));
                }
            }
        }
        Ok(())
    }

    /// What the logs hold, and whether people were told that nothing holds them.
    fn judge(&mut self) -> Result<Ridden, String> {
        self.world.engine.hold_still(self.world.now);
        for (room, log) in self.world.engine.ledger.rooms.iter().filter(|(room, _)| room.app() == "rides") {
            for entry in log.epochs.values().flatten() {
                self.world.trace(|| format!("{room} holds {} {:?} {}", entry.kind, entry.key, entry.body));
            }
        }
        let model = Model::of(&self.world.engine.ledger)?;
        model.everything_has_ended()?;
        for party in &self.parties {
            let told =
                party.answer.as_ref().ok_or_else(|| format!("nobody told {} how things are", party.room))?;
            let is_free = told["ride"].is_null();
            let begins = match party.role {
                Role::Driver => told["beacon"]["available"] == true,
                Role::Passenger => told["finder"]["is_active"] == true,
            };
            if !is_free || !begins {
                return Err(format!("{} cannot begin anew: {told}", party.room));
            }
        }
        self.all_agree_on_money(&model)?;
        Ok(Ridden { tally: self.world.tally.clone(), ..model.ridden() })
    }
}
