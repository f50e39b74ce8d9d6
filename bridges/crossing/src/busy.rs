//! Which rooms are being asked for what they have for a sink: each by one task at a time, that goes on for as long as the room says it
//! anew. It asks nobody itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use vocabulary::RoomId;

use crate::words_of;

/// As many as are asked at a time.
#[derive(Default)]
pub(crate) struct Busy(RefCell<HashMap<RoomId, Again>>);

/// Whether a room that is being asked said that it has something once more.
#[derive(Clone, Copy)]
enum Again {
    Yes,
    No,
}

impl Busy {
    /// Whether it is to be asked: if it is being asked now, that is done once more.
    pub(crate) fn begins(&self, room: &RoomId) -> bool {
        let mut rooms = self.0.borrow_mut();
        match rooms.get_mut(room) {
            Some(again) => {
                *again = Again::Yes;
                false
            }
            None => {
                rooms.insert(room.clone(), Again::No);
                true
            }
        }
    }

    /// What panics is said; the room says anew that it has something, and is asked like any other.
    pub(crate) async fn run(&self, panics: &AtomicU64, room: &RoomId, mut asks: impl AsyncFnMut()) {
        loop {
            if let Err(panic) = AssertUnwindSafe(asks()).catch_unwind().await {
                panics.fetch_add(1, Ordering::Relaxed);
                let (room, why) = (room.as_str(), words_of(&*panic));
                tracing::error!(room, why, "the bridge panicked on what a room has for a sink");
                break;
            }
            match self.0.borrow_mut().insert(room.clone(), Again::No) {
                Some(Again::Yes) => {}
                Some(Again::No) | None => break,
            }
        }
        self.0.borrow_mut().remove(room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(busy: &Busy, panics: &AtomicU64, room: &RoomId, asks: impl AsyncFnMut()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(busy.run(panics, room, asks));
    }

    #[test]
    fn a_room_is_asked_by_one_and_once_more_if_it_says_so_meanwhile() {
        let (busy, panics, room) = (Busy::default(), AtomicU64::new(0), RoomId::new("chat", "a"));
        assert!(busy.begins(&room));
        let mut times = 0;
        run(&busy, &panics, &room, async || {
            times += 1;
            assert!(times > 1 || !busy.begins(&room), "it is being asked");
        });
        assert_eq!(times, 2);
        assert!(busy.begins(&room), "it is asked no more");
    }

    #[test]
    fn a_room_on_which_the_bridge_panics_is_asked_again_when_it_says_so() {
        let (busy, panics, room) = (Busy::default(), AtomicU64::new(0), RoomId::new("chat", "a"));
        assert!(busy.begins(&room));
        run(&busy, &panics, &room, async || panic!("on purpose"));
        assert_eq!(panics.load(Ordering::Relaxed), 1);
        assert!(busy.begins(&room));
    }
}
