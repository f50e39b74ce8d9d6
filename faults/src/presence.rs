//! Who is in a room, as one client adds it up from lists and notices. It judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::heard::{Heard, number};
use crate::history::Room;

/// Users by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) passings: Vec<Passing>,
    /// By room, as lists and notices add up.
    pub(crate) here: BTreeMap<Room, BTreeSet<u32>>,
}

impl Watched {
    pub(crate) fn hear(&mut self, heard: &Heard<'_>, room: Room) {
        let here = self.here.entry(room).or_default();
        // A list without anybody is a count alone.
        if let Some(users) = heard.payload.users.as_ref().filter(|users| !users.is_empty()) {
            *here = users.iter().filter_map(|user| number(user.id, 'u')).collect();
        }
        let user = heard.payload.id.and_then(|id| number(id, 'u'));
        match (heard.kind, user) {
            ("user_joined", Some(user)) => {
                here.insert(user);
                self.passings.push(Passing::Came(user));
            }
            ("user_left", Some(user)) => {
                here.remove(&user);
                self.passings.push(Passing::Went(user));
            }
            _ => {}
        }
    }
}

/// What a notice of presence said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Passing {
    Came(u32),
    Went(u32),
}
