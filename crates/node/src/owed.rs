//! Rooms that have something for a bridge's sink: put here by the shards' threads, taken by the bridge, which then asks the rooms
//! themselves. It holds names alone, and nobody waits for a place: a room that found none says it again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use vocabulary::RoomId;

/// As many as a shard has rooms at most; some megabytes of names.
const ROOMS_MAX: usize = 100_000;

#[derive(Default)]
pub struct Owed {
    /// Held for a look-up.
    rooms: Mutex<Rooms>,
    news: Notify,
}

/// Each once, in the order in which they came: one that says it all the time has its turn like the others.
#[derive(Default)]
struct Rooms {
    order: VecDeque<RoomId>,
    here: BTreeSet<RoomId>,
}

impl Owed {
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is here already stays where it is, and one that finds no place says it again.
    pub fn put(&self, room: RoomId) {
        let mut rooms = self.rooms();
        if rooms.here.len() < ROOMS_MAX && rooms.here.insert(room.clone()) {
            rooms.order.push_back(room);
            drop(rooms);
            self.news.notify_one();
        }
    }

    /// One of them, when there is one; it is here no more.
    pub async fn next(&self) -> RoomId {
        loop {
            match self.pop() {
                Some(room) => return room,
                None => self.news.notified().await,
            }
        }
    }

    fn pop(&self) -> Option<RoomId> {
        let mut rooms = self.rooms();
        let room = rooms.order.pop_front()?;
        rooms.here.remove(&room);
        Some(room)
    }

    pub fn count(&self) -> usize {
        self.rooms().here.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_that_says_it_twice_is_there_once_and_who_waits_is_woken() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let owed = Owed::default();
        let (one, two) = (RoomId::new("chat", "1"), RoomId::new("chat", "2"));
        [&one, &two, &one].into_iter().for_each(|room| owed.put(room.clone()));
        assert_eq!(owed.count(), 2);
        let all = runtime.block_on(async { (owed.next().await, owed.next().await) });
        assert_eq!((all, owed.count()), ((one.clone(), two), 0));
        let (next, ()) =
            runtime.block_on(async { tokio::join!(owed.next(), async { owed.put(one.clone()) }) });
        assert_eq!(next, one);
    }
}
