//! One coarse timing wheel for all of a shard's sockets: a connection is looked at when its slot comes round, and says
//! then when it wants to be looked at next.

use std::time::Duration;

use vocabulary::{ConnectionId, Tick};

/// Coarse, because nothing on a socket is due more exactly than this.
const STEP: Duration = Duration::from_millis(250);
/// One round is 64 s: more than a ping interval, so that an idle socket is looked at about once a ping.
const SLOTS: usize = 256;

pub(crate) struct Wheel {
    slots: Vec<Vec<ConnectionId>>,
    /// A bit per slot that holds somebody: asked every turn, so it must not touch the slots themselves.
    filled: [u64; SLOTS / 64],
    /// The first slot that was not looked at yet.
    next: u64,
}

impl Wheel {
    pub(crate) fn new(now: Tick) -> Wheel {
        Wheel { slots: (0..SLOTS).map(|_| Vec::new()).collect(), filled: [0; SLOTS / 64], next: step(now) }
    }

    /// Looks at the connection at `at`, rounded up to the wheel's step, or sooner: after one round at the latest.
    pub(crate) fn arm(&mut self, connection: ConnectionId, at: Tick) {
        let due = step(at).saturating_add(1).clamp(self.next, self.next + SLOTS as u64 - 1);
        let slot = (due % SLOTS as u64) as usize;
        self.slots[slot].push(connection);
        self.filled[slot / 64] |= 1 << (slot % 64);
    }

    /// Connections whose slot has come. Some were armed twice; their owner knows.
    pub(crate) fn turn(&mut self, now: Tick) -> Vec<ConnectionId> {
        let mut due = Vec::new();
        let last = step(now);
        // After a long sleep one round is all there is.
        let rounds = (last + 1).saturating_sub(self.next).min(SLOTS as u64);
        for ahead in 0..rounds {
            let slot = ((self.next + ahead) % SLOTS as u64) as usize;
            due.append(&mut self.slots[slot]);
            self.filled[slot / 64] &= !(1 << (slot % 64));
        }
        self.next = self.next.max(last + 1);
        due
    }

    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        let start = (self.next % SLOTS as u64) as usize;
        let (word, bit) = (start / 64, start % 64);
        // The rest of the word that it stands in, the other words, and the beginning of its own.
        let mut masks = [u64::MAX; SLOTS / 64 + 1];
        masks[0] <<= bit;
        masks[SLOTS / 64] = !masks[0];
        let found = masks.iter().enumerate().find_map(|(index, mask)| {
            let at = (word + index) % self.filled.len();
            let bits = self.filled[at] & mask;
            (bits != 0).then(|| at * 64 + bits.trailing_zeros() as usize)
        });
        let ahead = (found? + SLOTS - start) % SLOTS;
        Some(Tick((self.next + ahead as u64) * STEP.as_nanos() as u64))
    }
}

fn step(at: Tick) -> u64 {
    at.0 / STEP.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::ShardId;

    fn connection(slot: u32) -> ConnectionId {
        ConnectionId { shard: ShardId(0), slot, generation: 0 }
    }

    #[test]
    fn nothing_is_looked_at_early_and_nothing_is_forgotten() {
        let start = Tick(1_234_567_890);
        let mut wheel = Wheel::new(start);
        for slot in 0..40 {
            wheel.arm(connection(slot), start + Duration::from_secs(u64::from(slot)));
        }
        let mut seen = Vec::new();
        let mut now = start;
        while let Some(next) = wheel.next_deadline() {
            now = now.max(next);
            for connection in wheel.turn(now) {
                let due = start + Duration::from_secs(u64::from(connection.slot));
                assert!(due <= now, "slot {} early", connection.slot);
                assert!(now.since(due) <= STEP * 2, "slot {} late", connection.slot);
                seen.push(connection.slot);
            }
        }
        assert_eq!(seen, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn a_deadline_beyond_one_round_is_looked_at_after_one_round() {
        let mut wheel = Wheel::new(Tick(0));
        wheel.arm(connection(1), Tick(0) + Duration::from_secs(1000));
        assert_eq!(wheel.turn(Tick(0) + Duration::from_secs(64)), vec![connection(1)]);
    }
}
