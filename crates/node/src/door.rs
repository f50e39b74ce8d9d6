//! The door of a shard's thread: sockets are accepted, as fast as they may come, and given to the less loaded of two shards.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::Registry;
use mio::net::TcpStream;
use shard::Pressure;
use vocabulary::{Now, ShardId};

use crate::away::Away;
use crate::census::{Place, Share};
use crate::facts::DoorCounts;
use crate::greeting::Greeting;
use crate::run::Thread;
use crate::sockets::State;
use crate::tls::Tls;

/// Sockets accepted in one turn: those who are here already wait their turn too.
pub(crate) const ACCEPTS_MAX: usize = 64;
/// When memory is short: enough to tell newcomers so, and for whoever asks how we are.
const GREETINGS_WHEN_SHORT: usize = 64;
/// Descriptors are used up: look again then, and do not spin meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Thread {
    pub(crate) fn door_counts(&self) -> &DoorCounts {
        &self.seat.facts.shards[usize::from(self.seat.id.0)].door
    }

    pub(crate) fn accept(&mut self, now: Now, registry: &Registry) {
        self.accept_from = Some(now.tick);
        for _ in 0..ACCEPTS_MAX {
            let per_second = self.doorway.gate.crowd.accepts_per_second;
            if per_second > 0 && self.too_fast(now, per_second) {
                return;
            }
            let Some(listener) = &self.listener else {
                self.accept_from = None;
                return;
            };
            match listener.accept() {
                Ok((stream, address)) => {
                    self.door_counts().accepted.fetch_add(1, Ordering::Relaxed);
                    self.accepted(now, registry, stream, address);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accept_from = None;
                    return;
                }
                Err(error) if is_exhausted(&error) => {
                    self.door_counts().out_of_descriptors.fetch_add(1, Ordering::Relaxed);
                    if let Some(times) = self.exhausted.happened(now.tick) {
                        tracing::warn!(%error, times, "Failed to accept: out of descriptors, trying again");
                    }
                    self.accept_from = Some(now.tick + ACCEPT_PAUSE);
                    return;
                }
                // The peer went before we came; the next one waits.
                Err(error) => tracing::debug!(%error, "Failed to accept"),
            }
        }
    }

    /// This thread's share of the accepts of a second is used up: the others wait in the kernel's queue.
    fn too_fast(&mut self, now: Now, per_second: u32) -> bool {
        let spacing = Duration::from_secs(1) * u32::from(self.seat.shards) / per_second;
        // A tenth of a second's share at once, so that a quiet node answers a few without delay.
        let Err(wait) = self.accepting.take(now.tick, spacing, (per_second / 10).max(1)) else {
            return false;
        };
        self.accept_from = Some(now.tick + wait);
        true
    }

    /// To the less loaded of two shards, before its first byte; from then on it stays there.
    fn accepted(&mut self, now: Now, registry: &Registry, stream: TcpStream, address: SocketAddr) {
        let shards = self.seat.shards;
        if shards > 1 {
            let load = |shard: u16| {
                let facts = &self.seat.facts.shards[usize::from(shard)];
                facts.connections.load(Ordering::Relaxed)
            };
            // The port is as good as a die, and costs nothing.
            let other = (self.seat.id.0 + 1 + address.port() % (shards - 1)) % shards;
            if load(other) < load(self.seat.id.0) {
                match self.seat.mailboxes.hand(ShardId(other), stream.into()) {
                    Ok(()) => return,
                    Err(stream) => return self.greet(now, registry, TcpStream::from_std(stream), address),
                }
            }
        }
        self.greet(now, registry, stream, address);
    }

    pub(crate) fn greet(&mut self, now: Now, registry: &Registry, stream: TcpStream, address: SocketAddr) {
        self.obey(now, registry);
        // A flood of strangers costs a descriptor each for a moment, and no memory of ours.
        let short = self.seat.facts.pressure() >= Pressure::NoNewcomers;
        let most = self.doorway.gate.crowd.greetings_max.div_ceil(usize::from(self.seat.shards));
        if self.strangers >= if short { most.min(GREETINGS_WHEN_SHORT) } else { most } {
            return self.close_unheard(now, address, Away::Crowded, "too many handshakes are under way");
        }
        let mut place = Place::nowhere(self.doorway.census.clone());
        let share = self.doorway.take_address(&mut place, address.ip());
        if share == Share::Exceeded {
            return self.close_unheard(now, address, Away::TooMany, "too many of its address, and told so");
        }
        let secrecy = match self.seat.tls.as_ref().map(Tls::session).transpose() {
            Ok(secrecy) => secrecy,
            Err(error) => {
                let why = format!("a TLS session could not be made: {error}");
                return self.close_unheard(now, address, Away::Failed, &why);
            }
        };
        let state = State::Greeting(Box::new(Greeting::new(share != Share::Free)));
        match self.sockets.insert(registry, stream, secrecy, (address, place), state) {
            Ok(id) => {
                self.strangers += 1;
                self.greetings.push_back((now.tick, id));
                // The head is usually there already.
                self.read(now, registry, id);
            }
            Err(error) => {
                let why = format!("it could not be watched: {error}");
                self.close_unheard(now, address, Away::Failed, &why);
            }
        }
    }

    /// The socket itself is gone when it is dropped.
    pub(crate) fn close_unheard(&mut self, now: Now, address: SocketAddr, away: Away, why: &str) {
        self.door_counts().away.count(away);
        if let Some(times) = self.unheard.happened(now.tick) {
            tracing::warn!(%address, why, times, "a socket was closed without an answer");
        }
    }
}

/// EMFILE and ENFILE: no descriptors left, for this process or for the machine.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}
