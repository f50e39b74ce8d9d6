//! The members of a room as its home knows them, with the two counts that every delivery needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use vocabulary::{Audience, ConnectionId, Payload, ShardId, User};

pub(crate) struct Seat {
    pub user: Arc<User>,
    pub audience: Audience,
    pub ticket: u32,
    pub join: Payload,
}

#[derive(Default)]
pub(crate) struct Seats {
    seats: BTreeMap<ConnectionId, Seat>,
    /// Members per shard and per audience, without zeros: who a delivery goes to, and what has to be shown.
    shards: BTreeMap<ShardId, u32>,
    audiences: BTreeMap<Audience, u32>,
}

impl Seats {
    pub(crate) fn get(&self, connection: ConnectionId) -> Option<&Seat> {
        self.seats.get(&connection)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Seat)> {
        self.seats.iter().map(|(connection, seat)| (*connection, seat))
    }

    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = ShardId> + Clone {
        self.shards.keys().copied()
    }

    pub(crate) fn audiences(&self) -> impl Iterator<Item = Audience> {
        self.audiences.keys().copied()
    }

    /// The seat that the connection had before, if it had one.
    pub(crate) fn insert(&mut self, connection: ConnectionId, seat: Seat) -> Option<Seat> {
        let before = self.remove(connection);
        *self.shards.entry(connection.shard).or_default() += 1;
        *self.audiences.entry(seat.audience).or_default() += 1;
        self.seats.insert(connection, seat);
        before
    }

    pub(crate) fn remove(&mut self, connection: ConnectionId) -> Option<Seat> {
        let seat = self.seats.remove(&connection)?;
        less(&mut self.shards, connection.shard);
        less(&mut self.audiences, seat.audience);
        Some(seat)
    }

    /// Whether the connection has a seat.
    pub(crate) fn renew(&mut self, connection: ConnectionId, user: &Arc<User>) -> bool {
        let seat = self.seats.get_mut(&connection);
        seat.map(|seat| seat.user = user.clone()).is_some()
    }

    pub(crate) fn retag(&mut self, connection: ConnectionId, audience: Audience) {
        if let Some(seat) = self.seats.get_mut(&connection) {
            less(&mut self.audiences, seat.audience);
            *self.audiences.entry(audience).or_default() += 1;
            seat.audience = audience;
        }
    }

    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_invariants(&self) {
        let mut shards = BTreeMap::new();
        let mut audiences = BTreeMap::new();
        for (connection, seat) in &self.seats {
            *shards.entry(connection.shard).or_default() += 1;
            *audiences.entry(seat.audience).or_default() += 1;
        }
        assert_eq!(shards, self.shards);
        assert_eq!(audiences, self.audiences);
    }
}

fn less<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}
