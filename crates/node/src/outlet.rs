//! The way of stored messages, or of what happens to connections, to a bridge that tells of them: from the shards' threads into one
//! box. Nobody waits for a place in it; what finds none is counted and not told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use vocabulary::Outward;

/// Things that wait for a bridge: some seconds of a busy fleet, while its broker begins again.
const WAITING_MAX: usize = 16_384;

/// The shards' end.
#[derive(Clone)]
pub struct Outlet<T = Outward> {
    places: mpsc::Sender<T>,
    dropped: Arc<AtomicU64>,
}

/// The bridge's end.
pub struct Outflow<T = Outward> {
    waiting: mpsc::Receiver<T>,
    dropped: Arc<AtomicU64>,
}

pub fn outlet<T>() -> (Outlet<T>, Outflow<T>) {
    let (places, waiting) = mpsc::channel(WAITING_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    (Outlet { places, dropped: dropped.clone() }, Outflow { waiting, dropped })
}

impl<T> Outlet<T> {
    pub(crate) fn put(&self, thing: T) {
        if self.places.try_send(thing).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<T> Outflow<T> {
    /// At least one, when there is one, and at most so many. None: no shard is left.
    pub async fn next(&mut self, most: usize) -> Option<Vec<T>> {
        let mut some = Vec::new();
        let count = self.waiting.recv_many(&mut some, most).await;
        (count > 0).then_some(some)
    }

    /// What found no place, ever.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        self.dropped.clone()
    }
}
