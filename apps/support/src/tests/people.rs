//! Who speaks in these tests, and who is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::Roll;
use vocabulary::{Caller, ConnectionId, Person, ShardId, Tick, User, UserId};

#[derive(Default)]
pub(super) struct Crowd {
    /// Who is here, or since when they are gone.
    pub users: BTreeMap<UserId, Option<Tick>>,
}

impl Roll for Crowd {
    fn count(&self) -> u32 {
        self.users().len() as u32
    }
    fn users(&self) -> Vec<UserId> {
        self.users.iter().filter(|(_, gone)| gone.is_none()).map(|(user, _)| user.clone()).collect()
    }
    fn is_here(&self, user: &UserId) -> bool {
        self.users.get(user).is_some_and(Option::is_none)
    }
    fn gone_since(&self, user: &UserId) -> Option<Tick> {
        self.users.get(user).copied().unwrap_or(Some(Tick(0)))
    }
}

/// `c…` are customers, `a…` agents, `s…` supervisors, `m…` administrators; a token names departments, or none.
pub(super) fn user_in(id: &str, groups: Option<&[&str]>) -> Caller {
    let role = match &id[..1] {
        "a" => Some("agent".into()),
        "s" => Some("supervisor".into()),
        "m" => Some("admin".into()),
        _ => None,
    };
    let person = Person { id: UserId::new(id), name: id.to_uppercase().into() };
    let groups = groups.map(|groups| groups.iter().map(|group| Arc::from(*group)).collect());
    let connection = ConnectionId { shard: ShardId(0), slot: 0, generation: 0 };
    Caller::Connection { id: connection, user: Arc::new(User { person, role, rooms: None, groups }) }
}

pub(super) fn user(id: &str) -> Caller {
    let groups: Option<&[&str]> = id.starts_with('a').then_some(&["general", "licences"]);
    user_in(id, groups)
}

/// A guest, with a token for one session alone.
pub(super) fn guest(id: &str, room: &str) -> Caller {
    let person = Person { id: UserId::new(id), name: id.into() };
    let rooms = Some(vec![Arc::from(format!("support:{room}"))]);
    Caller::Visitor { user: Arc::new(User { person, role: None, rooms, groups: None }) }
}

pub(super) fn key() -> Caller {
    Caller::Api { key: "backend".into() }
}

pub(super) fn broker() -> Caller {
    Caller::Source { name: "kafka".into(), author: None }
}
