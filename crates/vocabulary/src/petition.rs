//! What the team's own back end is asked before it is done, and what it says. Nothing here asks anybody.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{RoomId, User};

/// May this user do that in this room?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Petition {
    pub user: Arc<User>,
    pub room: RoomId,
    pub deed: Deed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Join,
    /// `id`: the client's own, of the message that made us ask.
    Publish {
        kind: Cow<'static, str>,
        id: Option<Arc<str>>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    Allowed,
    /// The reason is the back end's, bounded and without controls.
    Refused(Arc<str>),
    /// Nobody could be asked, and without an answer nothing is done. Worth another try after so many milliseconds.
    Unasked(u32),
}

/// What is asked, and of which rooms; of others nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    pub connect: bool,
    pub join: bool,
    pub publish: bool,
    /// Full names; a `*` at the end stands for any rest.
    pub rooms: Vec<Arc<str>>,
}

impl Asks {
    pub fn about(&self, room: &RoomId) -> bool {
        self.rooms.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => room.as_str().starts_with(start),
            None => **pattern == *room.as_str(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_full_name_or_the_beginning_of_one() {
        let asks =
            |rooms: &[&str]| Asks { rooms: rooms.iter().map(|&it| it.into()).collect(), ..Asks::default() };
        let room = RoomId::new("chat", "team-1");
        for (rooms, about) in [
            (&["*"][..], true),
            (&["chat:*"], true),
            (&["chat:team-1"], true),
            (&["user:*", "chat:team-*"], true),
            (&["team-1"], false),
            (&["chat:team"], false),
            (&["user:*"], false),
            (&[], false),
        ] {
            assert_eq!(asks(rooms).about(&room), about, "{rooms:?}");
        }
    }
}
