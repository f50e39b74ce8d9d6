//! Who somebody is here, by their token alone. It compares rooms by nothing but the id in their name.

use vocabulary::{Caller, Person, Refusal, User};

/// A caller, as these rooms see one. Whoever's token does not say `driver` is a passenger.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who<'a> {
    Driver(&'a Person),
    Passenger(&'a Person),
    /// An API key or a broker: it speaks for whomever the room is about.
    Backend,
}

/// Whoever looks after all: they see squares and rides, and speak for nobody.
pub(crate) fn is_operator(caller: &Caller) -> bool {
    let role = caller.user().and_then(|user| user.role.as_deref());
    matches!(role, Some("operator" | "admin"))
}

/// The two sides of a ride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Driver,
    Passenger,
}

impl Side {
    pub(crate) const BOTH: [Side; 2] = [Side::Driver, Side::Passenger];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::Driver => "driver",
            Side::Passenger => "passenger",
        }
    }

    pub(crate) fn room(self, id: &str) -> String {
        format!("{}:{id}", self.name())
    }
}

/// The name of the room that is a user's own here, by their role.
pub fn own_room(user: &User) -> String {
    let side = if is_driver(user) { Side::Driver } else { Side::Passenger };
    side.room(user.person.id.as_str())
}

fn is_driver(user: &User) -> bool {
    user.role.as_deref() == Some("driver")
}

impl<'a> Who<'a> {
    pub(crate) fn of(caller: &'a Caller) -> Who<'a> {
        match caller.user() {
            None => Who::Backend,
            Some(user) if is_driver(user) => Who::Driver(&user.person),
            Some(user) => Who::Passenger(&user.person),
        }
    }

    pub(crate) fn side(self) -> Option<Side> {
        match self {
            Who::Driver(_) => Some(Side::Driver),
            Who::Passenger(_) => Some(Side::Passenger),
            Who::Backend => None,
        }
    }

    pub(crate) fn person(self) -> Option<&'a Person> {
        match self {
            Who::Driver(person) | Who::Passenger(person) => Some(person),
            Who::Backend => None,
        }
    }

    /// Whose room it is, in the role that it is for; or a back end. Anybody else learns nothing, not even whether there is one.
    pub(crate) fn must_be(self, side: Side, id: &str) -> Result<(), Refusal> {
        let is = match (self, side) {
            (Who::Backend, _) => true,
            (Who::Driver(person), Side::Driver) | (Who::Passenger(person), Side::Passenger) => {
                person.id.as_str() == id
            }
            _ => false,
        };
        if is { Ok(()) } else { Err(Refusal::unauthorized()) }
    }
}
