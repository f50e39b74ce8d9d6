//! Who is here, as `decide` and `due` may ask: this node's view, possibly stale, never part of a guard.

use std::sync::Arc;

use vocabulary::{Tick, UserId, Wall};

/// What a room knows of its users, behind a trait object so that apps cannot reach the books themselves.
pub trait Roll {
    fn count(&self) -> u32;
    /// Sorted, at most 200.
    fn users(&self) -> Vec<UserId>;
    fn is_here(&self, user: &UserId) -> bool;
    /// When the last connection of a user ended that is here no more; for who was never seen, when this node began to
    /// look. `None`: the user is here.
    fn gone_since(&self, user: &UserId) -> Option<Tick>;
    /// Those of `users`, with what `present` may tell of them.
    fn listed(&self) -> Vec<Here> {
        Vec::new()
    }
}

/// Someone who is here, as the room tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    pub id: UserId,
    pub name: Arc<str>,
    /// By this node's view, as everything of presence.
    pub since: Wall,
}

#[derive(Clone, Copy)]
pub struct Presence<'a>(&'a dyn Roll);

impl<'a> Presence<'a> {
    pub fn new(roll: &'a dyn Roll) -> Presence<'a> {
        Presence(roll)
    }

    pub fn count(&self) -> u32 {
        self.0.count()
    }

    pub fn users(&self) -> Vec<UserId> {
        self.0.users()
    }

    pub fn is_here(&self, user: &UserId) -> bool {
        self.0.is_here(user)
    }

    pub fn gone_since(&self, user: &UserId) -> Option<Tick> {
        self.0.gone_since(user)
    }

    pub fn listed(&self) -> Vec<Here> {
        self.0.listed()
    }
}
