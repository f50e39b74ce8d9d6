//! What back ends ask, by whatever protocol: handed to the home of the room, and waited for. It knows no HTTP.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use vocabulary::{By, Call, CallId, RoomId, Told, Wish};

use crate::mail::Mailboxes;

/// Calls that wait for their answer. A back end that needs more sends several at once, and is slowed down by that.
const WAITING_MAX: usize = 4096;
/// A room answers within ten seconds, if only with `unknown`; beyond this it is not going to.
const PATIENCE: Duration = Duration::from_secs(12);

/// Why a call was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncalled {
    /// Nothing was asked: too many others wait.
    Busy,
    /// Asked, and not answered: what it was about may have happened.
    Unanswered,
}

#[derive(Default)]
pub(crate) struct Calls {
    next: AtomicU64,
    /// Held for a look-up.
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    calls: BTreeMap<u64, oneshot::Sender<Told>>,
    /// Nobody asks any more: the node ends as soon as those who wait are answered.
    closed: bool,
}

impl Calls {
    fn begin(&self) -> Option<(u64, oneshot::Receiver<Told>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (send, told) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.closed || waiting.calls.len() >= WAITING_MAX {
            return None;
        }
        waiting.calls.insert(number, send);
        Some((number, told))
    }

    fn end(&self, number: u64) -> Option<oneshot::Sender<Told>> {
        self.waiting().calls.remove(&number)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close(&self) {
        self.waiting().closed = true;
    }

    /// Whoever waits is told that nobody knows what became of it.
    pub(crate) fn give_up(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.calls.clear();
    }

    /// Nobody asks any more, and nobody waits.
    pub(crate) fn are_over(&self) -> bool {
        let waiting = self.waiting();
        waiting.closed && waiting.calls.is_empty()
    }

    pub(crate) fn told(&self, call: CallId, told: Told) {
        if let Some(waits) = self.end(call.number) {
            // Whoever waited may have gone.
            waits.send(told).ok();
        }
    }
}

/// Where a back end's calls are taken.
#[derive(Clone)]
pub struct Desk {
    pub(crate) calls: Arc<Calls>,
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) shards: u16,
}

impl Desk {
    /// `key`: the name of what proved who asks.
    pub async fn call(&self, key: Arc<str>, room: RoomId, wish: Wish) -> Result<Told, Uncalled> {
        self.call_by(By::Key(key), room, wish).await
    }

    pub async fn call_by(&self, by: By, room: RoomId, wish: Wish) -> Result<Told, Uncalled> {
        let (number, told) = self.calls.begin().ok_or(Uncalled::Busy)?;
        // Whoever hangs up gives the place back.
        let _place = Place(&self.calls, number);
        let shard = room.slice().home(self.shards);
        let call = Call { id: CallId { shard, number }, by, room, wish };
        if !self.mailboxes.call(call) {
            return Err(Uncalled::Busy);
        }
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(_)) | Err(_) => Err(Uncalled::Unanswered),
        }
    }
}

struct Place<'a>(&'a Calls, u64);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}
