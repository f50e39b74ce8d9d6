//! How many connections each address and each user has on this node, over all its shards. It decides nothing but whether
//! one more is too many.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use vocabulary::UserId;

/// Counts by a keyed hash: sixteen bytes each, and nobody outside can find two names with one hash.
#[derive(Default)]
struct Counts(Mutex<HashMap<u64, u32>>);

impl Counts {
    /// One more, unless there are that many. The lock is held for a look into one table, by threads that accept.
    fn take(&self, key: u64, most: u32) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= most {
            return false;
        }
        *count += 1;
        true
    }

    fn give_back(&self, key: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&key);
            }
        }
        if counts.len() * 8 < counts.capacity() {
            counts.shrink_to_fit();
        }
    }
}

#[derive(Default)]
pub(crate) struct Census {
    addresses: Counts,
    users: Counts,
    hash: RandomState,
}

/// A connection's place in the counts; given back when dropped.
pub(crate) struct Place {
    census: Arc<Census>,
    key: u64,
    of: Of,
}

#[derive(Clone, Copy)]
enum Of {
    Address,
    User,
}

impl Census {
    /// Neighbours in one network of version 6 count as one: whoever has one such address has them all.
    pub(crate) fn address(self: &Arc<Census>, address: IpAddr, most: u32) -> Option<Place> {
        let key = match address.to_canonical() {
            IpAddr::V4(address) => self.hash.hash_one(address),
            IpAddr::V6(address) => self.hash.hash_one(address.to_bits() >> 64),
        };
        let census = self.clone();
        self.addresses.take(key, most).then_some(Place { census, key, of: Of::Address })
    }

    pub(crate) fn user(self: &Arc<Census>, user: &UserId, most: u32) -> Option<Place> {
        let key = self.hash.hash_one(user);
        let census = self.clone();
        self.users.take(key, most).then_some(Place { census, key, of: Of::User })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match self.of {
            Of::Address => self.census.addresses.give_back(self.key),
            Of::User => self.census.users.give_back(self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let census = Arc::new(Census::default());
        let user = UserId::new("7");
        let first = census.user(&user, 2).expect("free");
        let second = census.user(&user, 2).expect("free");
        assert!(census.user(&user, 2).is_none());
        assert!(census.user(&UserId::new("8"), 2).is_some(), "another user's");
        drop(first);
        assert!(census.user(&user, 2).is_some());
        drop(second);
        assert!(census.users.0.lock().expect("whole").is_empty());
    }

    #[test]
    fn addresses_of_one_network_of_version_6_count_together() {
        let census = Arc::new(Census::default());
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let _held = census.address(address("2001:db8::1"), 1).expect("free");
        assert!(census.address(address("2001:db8::ffff"), 1).is_none());
        assert!(census.address(address("2001:db8:0:1::1"), 1).is_some());
        let _other = census.address(address("10.0.0.1"), 1).expect("free");
        assert!(census.address(address("::ffff:10.0.0.1"), 1).is_none(), "the same machine");
        assert!(census.address(address("10.0.0.2"), 1).is_some());
    }
}
