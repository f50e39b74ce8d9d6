//! What this node wants to hear, and what it hears: a list of our own, because the client's forgets channels when a server
//! takes them away. What the server says about a channel counts; what the client takes for an answer does not.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use redis_wire::Address;
use tokio::sync::{Notify, oneshot};
use vocabulary::RoomId;

use crate::counts::{Counts, set};
use crate::keys::Channel;

/// What a room waits before it asks again.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Subscriptions {
    wishes: RefCell<Wishes>,
    /// The wish list has grown or shrunk.
    pub(crate) changed: Notify,
}

#[derive(Default)]
struct Wishes {
    /// By the channel's name.
    all: BTreeMap<String, Wish>,
    /// Not asked for yet, or again.
    pending: BTreeSet<String>,
    /// Asked for and not confirmed.
    asked: BTreeMap<String, Instant>,
    /// Heard once and lost: when they are heard again, news may have been missed.
    lost: BTreeSet<String>,
    /// No longer wanted, and still heard there.
    leaving: Vec<(Address, String)>,
}

struct Wish {
    slot: u16,
    room: Option<RoomId>,
    state: State,
    waiters: Vec<oneshot::Sender<()>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Asked(Address),
    Heard(Address),
}

impl Subscriptions {
    pub(crate) fn want(&self, channel: &Channel, room: Option<&RoomId>) {
        let mut wishes = self.wishes.borrow_mut();
        if !wishes.all.contains_key(&channel.name) {
            let (state, waiters) = (State::Pending, Vec::new());
            let wish = Wish { slot: channel.slot, room: room.cloned(), state, waiters };
            wishes.all.insert(channel.name.clone(), wish);
            wishes.pending.insert(channel.name.clone());
            self.changed.notify_one();
        }
    }

    pub(crate) fn hears(&self, channel: &Channel) -> bool {
        let wishes = self.wishes.borrow();
        wishes.all.get(&channel.name).is_some_and(|wish| matches!(wish.state, State::Heard(_)))
    }

    /// Waits until the channel is heard. Not for long: a lane waits with it, and whoever asked asks again.
    pub(crate) async fn heard(&self, channel: &Channel, room: Option<&RoomId>) -> bool {
        self.want(channel, room);
        let (done, wait) = oneshot::channel();
        if let Some(wish) = self.wishes.borrow_mut().all.get_mut(&channel.name) {
            if matches!(wish.state, State::Heard(_)) {
                return true;
            }
            // Those that gave up go, so that there are at most as many as lanes.
            wish.waiters.retain(|waiter| !waiter.is_closed());
            wish.waiters.push(done);
        }
        matches!(tokio::time::timeout(HEARD_WITHIN, wait).await, Ok(Ok(())))
    }

    pub(crate) fn unwant(&self, channel: &Channel) {
        let mut wishes = self.wishes.borrow_mut();
        let name = &channel.name;
        let Some(wish) = wishes.all.remove(name) else { return };
        wishes.pending.remove(name);
        wishes.asked.remove(name);
        wishes.lost.remove(name);
        if let State::Asked(at) | State::Heard(at) = wish.state {
            wishes.leaving.push((at, name.clone()));
            self.changed.notify_one();
        }
    }

    /// Whose room's channel this is; nothing where it is not wanted.
    pub(crate) fn room_of(&self, name: &str) -> Option<Option<RoomId>> {
        self.wishes.borrow().all.get(name).map(|wish| wish.room.clone())
    }

    /// Where nothing is pending, nothing has to be done soon.
    pub(crate) fn is_settled(&self) -> bool {
        let wishes = self.wishes.borrow();
        wishes.pending.is_empty() && wishes.leaving.is_empty()
    }

    /// What is to be asked for: the channels and their slots.
    pub(crate) fn pending(&self) -> Vec<(u16, String)> {
        let wishes = self.wishes.borrow();
        let slot = |name: &String| Some((wishes.all.get(name)?.slot, name.clone()));
        wishes.pending.iter().filter_map(slot).collect()
    }

    pub(crate) fn leaving(&self) -> Vec<(Address, String)> {
        std::mem::take(&mut self.wishes.borrow_mut().leaving)
    }

    pub(crate) fn asked(&self, at: &Address, names: &[String]) {
        let mut wishes = self.wishes.borrow_mut();
        let now = Instant::now();
        for name in names {
            wishes.pending.remove(name);
            if let Some(wish) = wishes.all.get_mut(name) {
                wish.state = State::Asked(at.clone());
                wishes.asked.insert(name.clone(), now);
            }
        }
    }

    /// The server says that we hear it. Whether all that was lost is heard again by that.
    pub(crate) fn confirmed(&self, at: &Address, name: &str) -> bool {
        let mut wishes = self.wishes.borrow_mut();
        let Some(wish) = wishes.all.get_mut(name) else { return false };
        if wish.state != State::Asked(at.clone()) {
            return false;
        }
        wish.state = State::Heard(at.clone());
        for waiter in wish.waiters.drain(..) {
            // It may have given up.
            let _ = waiter.send(());
        }
        wishes.asked.remove(name);
        wishes.lost.remove(name) && wishes.lost.is_empty()
    }

    /// The server says that we do not hear it any more, and we did not ask for that.
    pub(crate) fn taken_away(&self, at: &Address, name: &str) -> bool {
        let mut wishes = self.wishes.borrow_mut();
        let is_ours = wishes.all.get(name).is_some_and(|wish| wish.state == State::Heard(at.clone()));
        if is_ours {
            wishes.again(name);
        }
        is_ours
    }

    /// All that was heard or asked for there is asked for again. How many that are.
    pub(crate) fn ended(&self, at: &Address) -> usize {
        self.lose(|wish| matches!(&wish.state, State::Asked(of) | State::Heard(of) if of == at))
    }

    /// What was asked for there and not confirmed is asked for again.
    pub(crate) fn refused(&self, at: &Address) -> usize {
        self.lose(|wish| wish.state == State::Asked(at.clone()))
    }

    /// What belongs to another server now.
    pub(crate) fn moved(&self, owner: impl Fn(u16) -> Address) -> usize {
        self.lose(
            |wish| matches!(&wish.state, State::Asked(at) | State::Heard(at) if *at != owner(wish.slot)),
        )
    }

    /// What was asked for long ago.
    pub(crate) fn overdue(&self, patience: Duration) -> usize {
        let late: BTreeSet<String> = {
            let wishes = self.wishes.borrow();
            let late = wishes.asked.iter().filter(|(_, since)| since.elapsed() > patience);
            late.map(|(name, _)| name.clone()).collect()
        };
        let mut wishes = self.wishes.borrow_mut();
        late.iter().for_each(|name| wishes.again(name));
        late.len()
    }

    fn lose(&self, is_lost: impl Fn(&Wish) -> bool) -> usize {
        let mut wishes = self.wishes.borrow_mut();
        let lost: Vec<String> =
            wishes.all.iter().filter(|(_, wish)| is_lost(wish)).map(|(name, _)| name.clone()).collect();
        lost.iter().for_each(|name| wishes.again(name));
        lost.len()
    }

    pub(crate) fn count(&self, counts: &Counts) {
        let wishes = self.wishes.borrow();
        set(&counts.channels, wishes.all.len());
        set(&counts.channels_waiting, wishes.pending.len() + wishes.asked.len());
    }
}

impl Wishes {
    fn again(&mut self, name: &str) {
        let Some(wish) = self.all.get_mut(name) else { return };
        if matches!(wish.state, State::Heard(_)) {
            self.lost.insert(name.to_owned());
        }
        wish.state = State::Pending;
        self.asked.remove(name);
        self.pending.insert(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Address {
        Address { host: "h".to_owned(), port }
    }

    fn channel(name: &str) -> Channel {
        Channel { slot: 1, name: name.to_owned() }
    }

    fn heard(list: &Subscriptions, name: &str) {
        list.want(&channel(name), None);
        list.asked(&at(1), &[name.to_owned()]);
        assert!(!list.confirmed(&at(1), name), "nothing was lost");
    }

    #[test]
    fn what_a_server_takes_away_is_asked_for_again_and_then_news_may_be_missing() {
        let list = Subscriptions::default();
        heard(&list, "a");
        heard(&list, "b");
        assert!(list.taken_away(&at(1), "a"));
        assert!(!list.taken_away(&at(1), "a"), "once");
        assert_eq!(list.pending(), [(1, "a".to_owned())]);
        list.asked(&at(2), &["a".to_owned()]);
        assert!(!list.confirmed(&at(1), "a"), "a late word of the old server");
        assert!(list.confirmed(&at(2), "a"));
        assert!(!list.taken_away(&at(1), "a"), "the old server takes away what we hear elsewhere");
    }

    #[test]
    fn the_end_of_a_connection_loses_all_that_was_heard_there_and_says_so_when_the_last_is_back() {
        let list = Subscriptions::default();
        heard(&list, "a");
        heard(&list, "b");
        assert_eq!(list.ended(&at(1)), 2);
        list.asked(&at(1), &["a".to_owned(), "b".to_owned()]);
        assert!(!list.confirmed(&at(1), "a"));
        assert!(list.confirmed(&at(1), "b"));
    }

    #[test]
    fn what_is_not_wanted_any_more_does_not_come_back() {
        let list = Subscriptions::default();
        heard(&list, "a");
        list.unwant(&channel("a"));
        assert_eq!(list.leaving(), [(at(1), "a".to_owned())]);
        assert_eq!(list.ended(&at(1)), 0);
        assert!(list.pending().is_empty() && list.is_settled());
    }
}
