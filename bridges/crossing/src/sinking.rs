//! What rooms owe, carried to a broker: a room says that it has something, and is asked for it a page at a time until it has no more;
//! the page leaves, and the room is told so. Where it stands the room itself puts down, so that nothing here is to be kept. How a
//! page is sent is the bridge's.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use node::{Desk, Owed};
use tokio::sync::Semaphore;
use vocabulary::{By, Outward, Position, Reply, RoomId, SinkAsks, Told, Wish};

use crate::busy::Busy;

/// Rooms that are asked at a time. Each has a page of at most 64 messages on its way; the others wait at their homes.
const ROOMS_AT_ONCE: usize = 64;
/// While the broker is away.
const LOOK: Duration = Duration::from_millis(250);

/// Where a room's messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    Now,
    /// What is to take them does not, for a while.
    NotNow,
    Nowhere,
}

/// A bridge, as far as what leaves by it is concerned.
pub trait Carrier {
    fn desk(&self) -> &Desk;
    /// Counts rooms on which it panicked.
    fn panics(&self) -> &AtomicU64;
    fn is_away(&self) -> bool;
    fn has_ended(&self) -> bool;
    fn rest(&self, time: Duration) -> impl Future<Output = ()>;
    fn goes(&self, room: &RoomId) -> Goes;

    /// Rooms that are asked at a time; at least one.
    fn at_once(&self) -> usize {
        ROOMS_AT_ONCE
    }

    /// So many records of the room were no longer kept when they were asked for: told again until what stands behind them is sunk.
    fn missed(&self, _room: &RoomId, _count: u64) {}

    /// In their order.
    fn carry(&self, room: &RoomId, entries: &[Outward]) -> impl Future<Output = Carried>;
}

/// What has left of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// All of it, and whether there was something to send.
    All {
        some: bool,
    },
    /// Up to there: what follows waits.
    Upto(Position),
    Nothing,
}

/// For as long as the thread lives, in a set of local tasks.
pub async fn go_on<C: Carrier + 'static>(carrier: Rc<C>, owed: Arc<Owed>) {
    let (at_once, busy) = (Arc::new(Semaphore::new(carrier.at_once())), Rc::new(Busy::default()));
    loop {
        // While nobody answers, rooms wait where they are; they say it again.
        while carrier.is_away() && !carrier.has_ended() {
            carrier.rest(LOOK).await;
        }
        // It is never closed.
        let Ok(place) = at_once.clone().acquire_owned().await else { return };
        let room = owed.next().await;
        if !busy.begins(&room) {
            continue;
        }
        let (carrier, busy) = (carrier.clone(), busy.clone());
        tokio::task::spawn_local(async move {
            busy.run(carrier.panics(), &room, async || empty(&*carrier, &room).await).await;
            drop(place);
        });
    }
}

/// Until the room has nothing more, or is another node's, or does not answer, or the broker takes nothing: it says so again.
async fn empty<C: Carrier>(carrier: &C, room: &RoomId) {
    let mut after = None;
    loop {
        match carrier.goes(room) {
            Goes::Now => {}
            Goes::NotNow => return,
            Goes::Nowhere => return drop(ask(carrier, room, SinkAsks::Never).await),
        }
        let asked = ask(carrier, room, SinkAsks::Next { after }).await;
        let Some(Reply::Outward { entries, upto, more, missed }) = asked else { return };
        if missed > 0 {
            carrier.missed(room, missed);
        }
        after = match carrier.carry(room, &entries).await {
            Carried::All { some } => has(carrier, room, upto, some).await,
            Carried::Upto(upto) => {
                has(carrier, room, upto, true).await;
                return;
            }
            Carried::Nothing => return,
        };
        if !more || after.is_none() || carrier.has_ended() {
            return;
        }
    }
}

async fn has<C: Carrier>(carrier: &C, room: &RoomId, upto: Position, some: bool) -> Option<Position> {
    ask(carrier, room, SinkAsks::Sunk { upto, some }).await.map(|_| upto)
}

/// None: not now.
async fn ask<C: Carrier>(carrier: &C, room: &RoomId, asks: SinkAsks) -> Option<Reply> {
    let by = By::Source { name: "sink".into(), author: None };
    match carrier.desk().call_by(by, room.clone(), Wish::Sink(asks)).await {
        Ok(Told::Reply { reply: Reply::Refused(_), .. }) | Err(_) => None,
        Ok(Told::Reply { reply, .. }) => Some(reply),
        Ok(Told::Stored { .. }) => None,
    }
}
