//! Ride hailing as an app: drivers, passengers, rides, and the squares of the map in which drivers are found. Each person's room is the
//! truth about that person alone; two people come together by steps between their rooms, and only if both have said yes.

mod area;
mod consent;
mod content;
mod driver;
mod fixes;
mod fleet;
mod geo;
mod leaving;
mod meter;
mod money;
mod passenger;
mod proposal;
mod ride;
mod rules;
mod standing;
mod telling;
#[cfg(test)]
mod tests;
mod trip;
mod vehicle;
mod wire;

use app::{Action, App, Applied, Decision, Duties, Duty, Needs, Room, SoftChange, Step, UnknownFormat};
use serde::{Deserialize, Serialize};
use vocabulary::{
    Audience, Caller, Code, Now, Payload, Record, Refusal, RoomId, Shown, Wall, Word, check_name,
};

use driver::Driver;
use fleet::Mirror;
use passenger::Passenger;
use ride::Ride;
use standing::{Side, Who, is_operator};

pub use area::{around, nearest};
pub use rules::{Authority, Rules};
pub use standing::own_room;

/// What leaves for brokers: what becomes of matches and what happens in rides, and where a fleet's own back end decides, what it is asked.
const OUTWARD: Audience = Audience(0);
/// Whose room it is, and the two of a ride.
const THEIRS: Audience = Audience(1);
/// Those who look after all, in a square.
const OPERATORS: Audience = Audience(2);

const WORDS: &[Word] = &[
    Word::of_anyone("beacon_update"),
    Word::of_anyone("finder_update"),
    Word::of_anyone("location_update"),
    Word::of_anyone("match_confirm"),
    Word::of_anyone("match_cancel"),
    Word::of_anyone("pickup_arrived"),
    Word::of_anyone("ride_start"),
    Word::of_anyone("ride_started"),
    Word::of_anyone("ride_arrived"),
    Word::of_anyone("ride_cancel"),
    Word::of_anyone("payment_process"),
    Word::of_anyone("payment_processed"),
    Word::of_anyone("get_state"),
];

/// Of snapshots, as this build writes and reads them.
const VERSION: u32 = 1;

#[derive(Clone, Debug, Default)]
pub struct Rides {
    rules: Rules,
}

/// What a room of this app is, by its name alone; and what a fleet's back end has said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    kind: Kind,
    mirror: Box<Mirror>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Driver(Box<Driver>),
    Passenger(Box<Passenger>),
    Ride(Box<Ride>),
    Area,
    /// A name that means nothing here.
    Nowhere,
}

#[derive(Serialize)]
struct Saving<'a> {
    version: u32,
    state: &'a Kind,
    mirror: &'a Mirror,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Deserialize)]
struct Saved {
    state: Kind,
    mirror: Box<Mirror>,
}

fn nowhere() -> Refusal {
    let text = "no such room: there are rides:driver:{user}, rides:passenger:{user} and rides:ride:{uuid in lower case}";
    Refusal::new(Code::App("NOT_FOUND"), text)
}

/// What a decision looks at, with the state of the kind that the room is.
fn of_kind<'a, S>(room: &Room<'a, State>, state: &'a S) -> Room<'a, S> {
    Room { id: room.id, state, presence: room.presence, soft: room.soft, subject: room.subject }
}

impl Rides {
    pub fn new(rules: Rules) -> Rides {
        Rides { rules }
    }

    fn is_fleet(&self) -> bool {
        self.rules.authority == Authority::Fleet
    }

    /// Who may be here: whose room it is, and those who look after all where they may look.
    fn enter(&self, state: &State, caller: &Caller) -> Result<(), Refusal> {
        match &state.kind {
            Kind::Area if self.is_fleet() => Err(fleet::own()),
            Kind::Area if is_operator(caller) => Ok(()),
            Kind::Ride(ride) if is_operator(caller) && !self.is_fleet() => ride::exists(ride),
            Kind::Ride(_) if is_operator(caller) => Ok(()),
            _ => self.speak(state, caller),
        }
    }

    /// Who may do something here. Nobody does who may not be here.
    fn speak(&self, state: &State, caller: &Caller) -> Result<(), Refusal> {
        let who = Who::of(caller);
        match &state.kind {
            Kind::Driver(driver) => who.must_be(Side::Driver, driver.id()),
            Kind::Passenger(passenger) => who.must_be(Side::Passenger, passenger.id()),
            Kind::Ride(ride) if !self.is_fleet() => ride::enter(ride, caller),
            Kind::Ride(_) => {
                let is_theirs = match who {
                    Who::Backend => true,
                    Who::Driver(person) => state.mirror.is_of(Side::Driver, person.id.as_str()),
                    Who::Passenger(person) => state.mirror.is_of(Side::Passenger, person.id.as_str()),
                };
                if is_theirs { Ok(()) } else { Err(Refusal::unauthorized()) }
            }
            Kind::Area if who.person().is_none() => Ok(()),
            Kind::Area => Err(Refusal::unauthorized()),
            Kind::Nowhere => Err(nowhere()),
        }
    }
}

impl App for Rides {
    type State = State;

    fn needs(&self) -> Needs {
        Needs { duties: Duties::Always, presence_duties: true, ..Needs::default() }
    }

    fn words(&self) -> &'static [Word] {
        WORDS
    }

    fn start(&self, room: &RoomId) -> State {
        // One's own room comes of a token's user id, which may be longer than a room's name, and anything.
        let is_name = |id: &str| check_name(id).is_ok() && check_name(room.name()).is_ok();
        let kind = match room.name().split_once(':') {
            Some(("driver", id)) if is_name(id) => Kind::Driver(Driver::new(room).into()),
            Some(("passenger", id)) if is_name(id) => Kind::Passenger(Passenger::new(room).into()),
            Some(("ride", id)) if wire::is_uuid(id) => Kind::Ride(Ride::new(room).into()),
            Some(("area", cell)) if area::is_area(cell) => Kind::Area,
            _ => Kind::Nowhere,
        };
        State { kind, mirror: Box::default() }
    }

    fn admit(&self, _now: Now, state: &State, caller: &Caller, _join: &Payload) -> Result<Audience, Refusal> {
        let sees = if matches!(state.kind, Kind::Area) { OPERATORS } else { THEIRS };
        self.enter(state, caller).map(|()| sees)
    }

    fn about(&self, _now: Now, state: &State, caller: &Caller, _join: &Payload) -> Option<Payload> {
        self.enter(state, caller).ok().map(|()| self.view(state, THEIRS))
    }

    fn guarded(&self, action: Action<'_>) -> bool {
        let unguarded = ["get_state", area::HERE, area::SEARCHING, area::RIDING, area::LEFT, area::NEARBY];
        !unguarded.contains(&action.kind)
    }

    fn decide(
        &self,
        now: Now,
        room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        let rules = &self.rules;
        let decided = match &room.state.kind {
            Kind::Nowhere => Err(nowhere()),
            _ if self.is_fleet() => {
                let heard = match caller.user() {
                    _ if matches!(room.state.kind, Kind::Area) => Err(fleet::own()),
                    None => Ok(()),
                    Some(_) if action.kind == "get_state" => self.enter(room.state, caller),
                    Some(_) => self.speak(room.state, caller),
                };
                heard.and_then(|()| fleet::decide(&room.state.mirror, caller, action))
            }
            Kind::Driver(driver) => driver::decide(rules, now, of_kind(&room, &**driver), caller, action),
            Kind::Passenger(passenger) => {
                passenger::decide(rules, now, of_kind(&room, &**passenger), caller, action)
            }
            Kind::Ride(ride) => ride::decide(rules, now, of_kind(&room, &**ride), caller, action),
            Kind::Area => area::decide(&room, caller, action),
        };
        decided.map_err(content::as_ours)
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        if let Some(applied) = state.mirror.apply(record) {
            return applied;
        }
        match &mut state.kind {
            Kind::Driver(driver) => driver.apply(record),
            Kind::Passenger(passenger) => passenger.apply(record),
            Kind::Ride(ride) => ride.apply(record),
            Kind::Area | Kind::Nowhere => Applied::Unknown,
        }
    }

    fn show(&self, state: &State, record: &Record, audience: Audience) -> Option<Shown> {
        if let Some(shown) = fleet::shown(record, audience) {
            return Some(shown);
        }
        match &state.kind {
            Kind::Driver(_) if audience == THEIRS => driver::shown(record),
            Kind::Passenger(_) if audience == THEIRS => passenger::shown(record),
            // A match is told of by the room that makes it, and once.
            Kind::Passenger(_) if audience == OUTWARD => passenger::left(record),
            Kind::Ride(ride) => ride::shown(ride, record, audience),
            Kind::Driver(_) | Kind::Passenger(_) | Kind::Area | Kind::Nowhere => None,
        }
    }

    fn is_outward(&self, state: &State) -> bool {
        match &state.kind {
            Kind::Ride(_) | Kind::Passenger(_) => true,
            Kind::Driver(_) => self.is_fleet(),
            Kind::Area | Kind::Nowhere => false,
        }
    }

    fn glimpse(&self, state: &State, change: &SoftChange<'_>, audience: Audience) -> Option<Shown> {
        match &state.kind {
            Kind::Ride(ride) if audience == THEIRS => ride::glimpse(ride, change),
            Kind::Area if audience == OPERATORS => area::glimpse(change),
            _ => None,
        }
    }

    fn view(&self, state: &State, _audience: Audience) -> Payload {
        match &state.kind {
            _ if self.is_fleet() => state.mirror.told(),
            Kind::Driver(driver) => driver::view(driver),
            Kind::Passenger(passenger) => passenger::view(passenger),
            Kind::Ride(ride) => ride::view(ride),
            Kind::Area | Kind::Nowhere => Payload::from_static(b"{}"),
        }
    }

    fn due(&self, now: Now, room: Room<'_, State>) -> Option<(Wall, Duty)> {
        match &room.state.kind {
            _ if self.is_fleet() => None,
            Kind::Driver(driver) => driver::due(&self.rules, now, &of_kind(&room, &**driver)),
            Kind::Passenger(passenger) => passenger::due(passenger),
            Kind::Ride(_) | Kind::Area | Kind::Nowhere => None,
        }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        match &state.kind {
            _ if self.is_fleet() => Vec::new(),
            Kind::Driver(driver) => driver::steps(driver),
            Kind::Passenger(passenger) => passenger::steps(passenger),
            Kind::Ride(ride) => ride::steps(ride),
            Kind::Area | Kind::Nowhere => Vec::new(),
        }
    }

    fn save(&self, state: &State) -> Payload {
        wire::written(&Saving { version: VERSION, state: &state.kind, mirror: &state.mirror })
    }

    fn load(&self, room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        let unreadable = |error| UnknownFormat(format!("rides snapshot: {error}"));
        let Versioned { version } = serde_json::from_slice(saved).map_err(unreadable)?;
        if version != VERSION {
            return Err(UnknownFormat(format!("rides snapshot of version {version}")));
        }
        let Saved { state: mut kind, mirror } = serde_json::from_slice(saved).map_err(unreadable)?;
        match &mut kind {
            Kind::Driver(driver) => driver.room = room.clone(),
            Kind::Passenger(passenger) => passenger.room = room.clone(),
            Kind::Ride(ride) => ride.room = room.clone(),
            Kind::Area | Kind::Nowhere => {}
        }
        Ok(State { kind, mirror })
    }
}
