//! One connection per user, where a mount says so: the newest wins. The home of a user's inbox knows all of the user's
//! connections on this node and sees a newer one at once; what other nodes have it learns from the engine, where it claims the
//! user's name. Cleaning up an old claim names its token, so that it never touches the new one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use engine::Question;
use vocabulary::{CloseReason, ConnectionId, Delivery, Tick};

use crate::cx::Effect;

/// For an answer; then the question or the answer was lost, and it is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

struct Claim {
    connection: ConnectionId,
    /// Of the newest asking: the answer to an older one says nothing.
    ticket: u64,
    /// None until the engine has answered.
    token: Option<u64>,
    /// The newest claim to this name that is known to have been lost. Tokens grow, and word of a loss may come before the
    /// answer that it is about.
    lost: u64,
    /// The newest that was held here before this one: its loss says nothing new.
    before: u64,
}

/// Names that connections of this node hold, at the home of their user's inbox.
#[derive(Default)]
pub(crate) struct Claims {
    held: BTreeMap<Arc<str>, Claim>,
    /// When the answer to an asking, by its ticket, is overdue.
    unanswered: BTreeSet<(Tick, u64, Arc<str>)>,
    tickets: u64,
}

impl Claims {
    pub(crate) fn enter(
        &mut self,
        now: Tick,
        name: Arc<str>,
        connection: ConnectionId,
        effects: &mut VecDeque<Effect>,
    ) {
        let ticket = self.ask(now, &name, effects);
        let claim = Claim { connection, ticket, token: None, lost: 0, before: 0 };
        let older = self.held.insert(name.clone(), claim).filter(|older| older.connection != connection);
        let Some(older) = older else { return };
        effects.push_back(ended(older.connection, CloseReason::Replaced));
        if let Some(claim) = self.held.get_mut(&name) {
            claim.before = older.token.unwrap_or(older.before);
        }
    }

    pub(crate) fn leave(
        &mut self,
        name: &Arc<str>,
        connection: ConnectionId,
        effects: &mut VecDeque<Effect>,
    ) {
        if self.held.get(name).is_some_and(|claim| claim.connection == connection)
            && let Some(claim) = self.held.remove(name)
            && let Some(token) = claim.token
        {
            // Without a token the answer is still on its way, and finds nobody.
            effects.push_back(Effect::Ask(Question::Release { name: name.clone(), token }));
        }
    }

    pub(crate) fn claimed(
        &mut self,
        name: &Arc<str>,
        ticket: u64,
        token: u64,
        effects: &mut VecDeque<Effect>,
    ) {
        match self.held.get_mut(name) {
            Some(claim) if claim.ticket == ticket => {
                claim.token = Some(token);
                if claim.lost >= token {
                    self.replaced(name, effects);
                }
            }
            // The newer asking's answer is on its way.
            Some(_) => {}
            None => effects.push_back(Effect::Ask(Question::Release { name: name.clone(), token })),
        }
    }

    pub(crate) fn lost(&mut self, name: &Arc<str>, token: u64, effects: &mut VecDeque<Effect>) {
        let Some(claim) = self.held.get_mut(name) else { return };
        claim.lost = claim.lost.max(token);
        if claim.token == Some(token) {
            self.replaced(name, effects);
        }
    }

    /// This node slept past its lease, and its claims ended with it. Whether somebody newer came meanwhile is not known: who
    /// is alive comes back and claims anew.
    pub(crate) fn ended(&mut self, effects: &mut VecDeque<Effect>) {
        self.unanswered.clear();
        for (_, claim) in std::mem::take(&mut self.held) {
            effects.push_back(ended(claim.connection, CloseReason::draining(claim.connection)));
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        self.unanswered.first().map(|(at, ..)| *at)
    }

    pub(crate) fn tick(&mut self, now: Tick, effects: &mut VecDeque<Effect>) {
        while self.next_deadline().is_some_and(|at| at <= now) {
            let Some((_, ticket, name)) = self.unanswered.pop_first() else { return };
            let waits = |claim: &&Claim| claim.token.is_none() && claim.ticket == ticket;
            let Some(claim) = self.held.get(&name).filter(waits) else { continue };
            if claim.lost > claim.before {
                // The question was heard, its answer was lost, and somebody newer has come since.
                self.replaced(&name, effects);
            } else {
                let ticket = self.ask(now, &name, effects);
                self.held.entry(name).and_modify(|claim| claim.ticket = ticket);
            }
        }
    }

    fn ask(&mut self, now: Tick, name: &Arc<str>, effects: &mut VecDeque<Effect>) -> u64 {
        self.tickets += 1;
        self.unanswered.insert((now + ANSWER_WITHIN, self.tickets, name.clone()));
        effects.push_back(Effect::Ask(Question::Claim { name: name.clone(), ticket: self.tickets }));
        self.tickets
    }

    fn replaced(&mut self, name: &Arc<str>, effects: &mut VecDeque<Effect>) {
        if let Some(claim) = self.held.remove(name) {
            effects.push_back(ended(claim.connection, CloseReason::Replaced));
        }
    }
}

fn ended(connection: ConnectionId, reason: CloseReason) -> Effect {
    Effect::Deliver(connection.shard, Delivery::Ended { connection, reason })
}

#[cfg(test)]
mod tests {
    use vocabulary::ShardId;

    use super::*;

    const OLDER: u32 = 1;
    const NEWER: u32 = 2;

    /// What is claimed, by a script of what happens and what comes of it.
    struct Table {
        claims: Claims,
        effects: VecDeque<Effect>,
        now: Tick,
    }

    fn table() -> Table {
        Table { claims: Claims::default(), effects: VecDeque::new(), now: Tick::default() }
    }

    fn connection(slot: u32) -> ConnectionId {
        ConnectionId { shard: ShardId(0), slot, generation: 1 }
    }

    impl Table {
        fn enters(&mut self, slot: u32) -> String {
            self.claims.enter(self.now, "ana".into(), connection(slot), &mut self.effects);
            self.says()
        }

        fn leaves(&mut self, slot: u32) -> String {
            self.claims.leave(&"ana".into(), connection(slot), &mut self.effects);
            self.says()
        }

        fn claimed(&mut self, ticket: u64, token: u64) -> String {
            self.claims.claimed(&"ana".into(), ticket, token, &mut self.effects);
            self.says()
        }

        fn lost(&mut self, token: u64) -> String {
            self.claims.lost(&"ana".into(), token, &mut self.effects);
            self.says()
        }

        fn waits(&mut self) -> String {
            self.now = self.now + ANSWER_WITHIN;
            self.claims.tick(self.now, &mut self.effects);
            self.says()
        }

        fn says(&mut self) -> String {
            let words = self.effects.drain(..).map(|effect| match effect {
                Effect::Ask(Question::Claim { ticket, .. }) => format!("claim {ticket}"),
                Effect::Ask(Question::Release { token, .. }) => format!("release {token}"),
                Effect::Deliver(_, Delivery::Ended { connection, reason }) => {
                    format!("end {} {}", connection.slot, reason.code())
                }
                other => format!("{other:?}"),
            });
            words.collect::<Vec<_>>().join(", ")
        }
    }

    #[test]
    fn the_newest_of_one_node_wins_at_once_and_the_old_ones_end_touches_nothing() {
        let mut table = table();
        assert_eq!(table.enters(OLDER), "claim 1");
        assert_eq!(table.claimed(1, 7), "");
        assert_eq!(table.enters(NEWER), "claim 2, end 1 4509");
        assert_eq!((table.leaves(OLDER), table.lost(7)), (String::new(), String::new()));
        assert_eq!((table.claimed(2, 8), table.waits()), (String::new(), String::new()));
        assert_eq!(table.leaves(NEWER), "release 8");
    }

    #[test]
    fn a_newer_one_elsewhere_ends_ours_in_whatever_order_we_hear_of_it() {
        let mut told_after = table();
        told_after.enters(OLDER);
        told_after.claimed(1, 7);
        assert_eq!(told_after.lost(7), "end 1 4509");
        assert_eq!(told_after.leaves(OLDER), "", "the name is another's now");
        let mut told_before = table();
        told_before.enters(OLDER);
        assert_eq!(
            (told_before.lost(7), told_before.claimed(1, 7)),
            (String::new(), "end 1 4509".to_owned())
        );
    }

    #[test]
    fn who_left_before_the_answer_releases_what_it_brings() {
        let mut table = table();
        table.enters(OLDER);
        assert_eq!((table.leaves(OLDER), table.claimed(1, 7)), (String::new(), "release 7".to_owned()));
    }

    #[test]
    fn a_question_without_an_answer_is_asked_again_and_takes_the_name_from_nobody_newer() {
        let mut unheard = table();
        unheard.enters(OLDER);
        assert_eq!((unheard.waits(), unheard.waits()), ("claim 2".to_owned(), "claim 3".to_owned()));
        assert_eq!((unheard.claimed(2, 7), unheard.lost(7), unheard.claimed(3, 8)), Default::default());
        assert_eq!(unheard.leaves(OLDER), "release 8");
        let mut overtaken = table();
        overtaken.enters(OLDER);
        overtaken.lost(7);
        assert_eq!(overtaken.waits(), "end 1 4509");
        let mut of_the_one_before = table();
        of_the_one_before.enters(OLDER);
        of_the_one_before.claimed(1, 7);
        of_the_one_before.enters(NEWER);
        of_the_one_before.lost(7);
        assert_eq!(of_the_one_before.waits(), "claim 3");
    }

    #[test]
    fn after_a_sleep_everybody_is_to_come_back() {
        let mut table = table();
        table.enters(OLDER);
        table.claimed(1, 7);
        table.claims.ended(&mut table.effects);
        assert_eq!((table.says(), table.leaves(OLDER)), ("end 1 4412".to_owned(), String::new()));
    }
}
