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

/// `d…` are drivers by their tokens, all others are not.
pub(super) fn user(id: &str) -> Caller {
    let role = id.starts_with('d').then(|| "driver".into());
    let person = Person { id: UserId::new(id), name: id.to_uppercase().into() };
    let connection = ConnectionId { shard: ShardId(0), slot: 0, generation: 0 };
    Caller::Connection { id: connection, user: Arc::new(User { person, role, rooms: None, groups: None }) }
}

/// Somebody with another role than their name says.
pub(super) fn as_role(id: &str, role: Option<&str>) -> Caller {
    let person = Person { id: UserId::new(id), name: id.to_uppercase().into() };
    Caller::Visitor { user: Arc::new(User { person, role: role.map(Arc::from), rooms: None, groups: None }) }
}

pub(super) fn key() -> Caller {
    Caller::Api { key: "backend".into() }
}

pub(super) fn broker() -> Caller {
    Caller::Source { name: "nats".into(), author: None }
}
