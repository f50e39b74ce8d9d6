//! How many connections each address and each user has on this node, over all its shards. It decides nothing but whether
//! one more is too many.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};

use vocabulary::UserId;

use crate::addresses::neighbours;

/// Counts by a keyed hash: sixteen bytes each, and nobody outside can find two names with one hash.
#[derive(Default)]
struct Counts(Mutex<HashMap<Key, u32>>);

/// A hash; none is nothing, so that an absent one takes no room.
type Key = NonZeroU64;

fn key(hash: u64) -> Key {
    Key::new(hash).unwrap_or(Key::MIN)
}

impl Counts {
    /// One more, and how many there were; unless there are that many. The lock is held for a look into one table, by
    /// threads that accept.
    fn take(&self, key: Key, most: u32) -> Option<u32> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        let before = *count;
        if before >= most {
            return None;
        }
        *count += 1;
        Some(before)
    }

    fn give_back(&self, key: Key) {
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
    pages: Counts,
    hash: RandomState,
}

/// What is left to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    Free,
    /// One more may stay for as long as it takes to tell it so.
    UsedUp,
    /// And as many as that are being told: the door is not theirs alone.
    Exceeded,
}

/// Sockets of one address that are told that they are too many: enough for honest clients behind one address, and nothing
/// that would fill the door.
const TOLD_MAX: u32 = 16;

/// A page's place among those of its address, if that is counted; given back when dropped.
pub(crate) struct PagePlace(Option<(Arc<Census>, Key)>);

impl Drop for PagePlace {
    fn drop(&mut self) {
        if let Some((census, key)) = &self.0 {
            census.pages.give_back(*key);
        }
    }
}

/// A connection's places in the counts, as far as it is counted; given back when dropped. One for both, because there is one
/// in every socket.
pub(crate) struct Place {
    census: Arc<Census>,
    address: Option<Key>,
    user: Option<Key>,
}

impl Place {
    /// Counted nowhere yet.
    pub(crate) fn nowhere(census: Arc<Census>) -> Place {
        Place { census, address: None, user: None }
    }

    /// Among those of the address, and no more among those of an address it had before.
    pub(crate) fn take_address(&mut self, address: IpAddr, most: u32) -> Share {
        self.leave_address();
        let key = key(self.census.hash.hash_one(neighbours(address)));
        let before = self.census.addresses.take(key, most.saturating_add(TOLD_MAX));
        self.address = before.map(|_| key);
        match before {
            Some(before) if before < most => Share::Free,
            Some(_) => Share::UsedUp,
            None => Share::Exceeded,
        }
    }

    pub(crate) fn leave_address(&mut self) {
        if let Some(key) = self.address.take() {
            self.census.addresses.give_back(key);
        }
    }

    /// Asks for a page. None: its address has that many already.
    pub(crate) fn take_page(&self, most: u32) -> Option<PagePlace> {
        let Some(key) = self.address else { return Some(PagePlace(None)) };
        self.census.pages.take(key, most).map(|_| PagePlace(Some((self.census.clone(), key))))
    }

    /// Among those of the user, for good. False: there are that many.
    pub(crate) fn take_user(&mut self, user: &UserId, most: u32) -> bool {
        if self.user.is_some() {
            return true;
        }
        let key = key(self.census.hash.hash_one(user));
        let taken = self.census.users.take(key, most).is_some();
        self.user = taken.then_some(key);
        taken
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave_address();
        if let Some(key) = self.user.take() {
            self.census.users.give_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(census: &Arc<Census>) -> Place {
        Place::nowhere(census.clone())
    }

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let census = Arc::new(Census::default());
        let user = UserId::new("7");
        let (mut first, mut second) = (place(&census), place(&census));
        assert!(first.take_user(&user, 2) && second.take_user(&user, 2));
        assert!(first.take_user(&user, 2), "it has its place already");
        assert!(!place(&census).take_user(&user, 2));
        assert!(place(&census).take_user(&UserId::new("8"), 2), "another user's");
        drop(first);
        assert!(place(&census).take_user(&user, 2));
        drop(second);
        assert!(census.users.0.lock().expect("whole").is_empty());
    }

    #[test]
    fn an_address_asks_for_so_many_pages_at_a_time_and_who_is_not_counted_for_any_number() {
        let census = Arc::new(Census::default());
        let (mut counted, free) = (place(&census), place(&census));
        assert_eq!(counted.take_address([10, 0, 0, 1].into(), 9), Share::Free);
        let held: Vec<_> = (0..2).map(|_| counted.take_page(2)).collect();
        assert!(held.iter().all(Option::is_some) && counted.take_page(2).is_none());
        let any: Vec<_> = (0..9).map(|_| free.take_page(2)).collect();
        assert!(any.iter().all(Option::is_some));
        drop(held);
        assert!(counted.take_page(2).is_some());
        assert!(census.pages.0.lock().expect("whole").is_empty());
    }

    #[test]
    fn addresses_of_one_network_of_version_6_count_together() {
        let census = Arc::new(Census::default());
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let has_room = |text: &str| place(&census).take_address(address(text), 1) == Share::Free;
        let mut held = place(&census);
        assert_eq!(held.take_address(address("2001:db8::1"), 1), Share::Free);
        assert!(!has_room("2001:db8::ffff") && has_room("2001:db8:0:1::1"));
        assert_eq!(
            held.take_address(address("10.0.0.1"), 1),
            Share::Free,
            "whoever turns out to be elsewhere leaves"
        );
        assert!(has_room("2001:db8::ffff") && has_room("10.0.0.2"));
        assert!(!has_room("::ffff:10.0.0.1"), "the same machine");
    }

    #[test]
    fn an_address_that_has_its_share_is_told_so_and_not_heard_any_longer() {
        let census = Arc::new(Census::default());
        let address = IpAddr::from([10, 0, 0, 1]);
        let mut places: Vec<Place> = (0..2 + TOLD_MAX + 1).map(|_| place(&census)).collect();
        let shares: Vec<Share> = places.iter_mut().map(|place| place.take_address(address, 2)).collect();
        let told = TOLD_MAX as usize;
        assert_eq!(shares[..2], [Share::Free; 2]);
        assert_eq!(shares[2..2 + told], vec![Share::UsedUp; told]);
        assert_eq!(shares[2 + told..], [Share::Exceeded]);
        drop(places);
        assert!(census.addresses.0.lock().expect("whole").is_empty());
    }
}
