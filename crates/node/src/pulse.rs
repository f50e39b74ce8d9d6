//! Whether every shard's thread still turns, for whoever begins a process again that does not. It ends nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::facts::Facts;
use crate::mail::Mailboxes;

pub struct Pulse {
    facts: Arc<Facts>,
    mailboxes: Arc<Mailboxes>,
    /// Turns of each shard when it was felt last.
    felt: Vec<u64>,
}

impl Pulse {
    pub(crate) fn new(facts: Arc<Facts>, mailboxes: Arc<Mailboxes>) -> Pulse {
        mailboxes.wake_all();
        let felt = vec![0; facts.shards.len()];
        Pulse { facts, mailboxes, felt }
    }

    /// The shards that have not turned since this was asked last, although they were woken then; now they are woken again.
    pub fn stuck(&mut self) -> Vec<usize> {
        let turns: Vec<u64> =
            self.facts.shards.iter().map(|shard| shard.turns.load(Ordering::Relaxed)).collect();
        let stuck = (0..turns.len()).filter(|shard| turns[*shard] == self.felt[*shard]).collect();
        self.felt = turns;
        self.mailboxes.wake_all();
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_not_turn_after_being_woken_is_stuck() {
        let facts = Arc::new(Facts::new(2));
        let (mailboxes, ends) = crate::mail::open(2, false).expect("two mailboxes");
        let mut pulse = Pulse::new(facts.clone(), Arc::new(mailboxes));
        let turn = |shard: usize| facts.shards[shard].turns.fetch_add(1, Ordering::Relaxed);
        turn(0);
        assert_eq!(pulse.stuck(), [1]);
        turn(0);
        turn(1);
        assert_eq!(pulse.stuck(), [0; 0]);
        assert_eq!(pulse.stuck(), [0, 1]);
        drop(ends);
    }
}
