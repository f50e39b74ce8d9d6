//! Many clients on one thread, sending at a total pace. Those that are cut off come back by themselves, with full jitter.
//! What happens to the servers meanwhile is the scenario's business.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use crate::client::{Client, Meant};
use crate::history::{Epochs, History, Log, Room};
use crate::random::Random;
use crate::sockets::{Leave, News, Sockets};
use crate::token::Signer;

/// An upgrade that is not answered by then is given up.
const UPGRADE_MS: u64 = 10_000;
/// Of what could not be sent in time, so much is caught up on.
const CATCH_UP_MS: u64 = 200;
/// What was stored reaches everybody who is there by then.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// Codes after which a client does not come back, by the table of the protocol; none of them belongs into a run of ours.
const NEVER_AGAIN: [u16; 8] = [1002, 1007, 1008, 1009, 4401, 4500, 4503, 4509];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) clients: u32,
    pub(crate) rooms: u16,
    pub(crate) rooms_each: u16,
    /// Messages a second, of all clients together.
    pub(crate) pace: u64,
    pub(crate) seed: u64,
    /// Before a client comes back: anything up to this, doubled with each attempt.
    pub(crate) base_ms: u64,
    pub(crate) cap_ms: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) received: u64,
    pub(crate) refused: u64,
    pub(crate) lost: u64,
}

pub(crate) struct Crowd {
    plan: Plan,
    /// Of the nodes; whoever loses one goes to another.
    ports: Vec<u16>,
    /// By client, which of them it is at or goes to.
    at: Vec<usize>,
    origin: Instant,
    sockets: Sockets,
    pub(crate) clients: Vec<Client>,
    tokens: Vec<String>,
    /// When a connection that is being opened began.
    opening: Vec<Option<u64>>,
    /// When it came back to all its rooms, if it is there.
    pub(crate) live_at: Vec<Option<u64>>,
    wakes: BinaryHeap<Reverse<(u64, usize)>>,
    comes_back_at: Vec<Option<u64>>,
    random: Random,
    epochs: Epochs,
    paced_to: u64,
    pub(crate) pace: u64,
    pub(crate) figures: Figures,
    /// Close frames of the server: when, and with which code.
    pub(crate) goodbyes: Vec<(u64, u16)>,
}

impl Crowd {
    pub(crate) fn new(plan: Plan, ports: &[u16], signer: &Signer) -> Result<Crowd> {
        let rooms = |number: u32| -> Vec<Room> {
            let spread = u32::from(plan.rooms / plan.rooms_each.max(1)).max(1);
            let room = |each: u16| ((number + u32::from(each) * spread) % u32::from(plan.rooms)) as Room;
            (0..plan.rooms_each).map(room).collect()
        };
        let clients: Vec<Client> = (0..plan.clients).map(|it| Client::new(it, &rooms(it))).collect();
        let tokens = clients.iter().map(|client| signer.token(&client.user())).collect::<Result<_>>()?;
        let count = clients.len();
        Ok(Crowd {
            plan,
            ports: ports.to_vec(),
            at: (0..count).map(|slot| slot % ports.len()).collect(),
            origin: Instant::now(),
            sockets: Sockets::new(count)?,
            clients,
            tokens,
            opening: vec![None; count],
            live_at: vec![None; count],
            wakes: BinaryHeap::new(),
            comes_back_at: vec![None; count],
            random: Random::new(plan.seed),
            epochs: Epochs::default(),
            paced_to: 0,
            pace: 0,
            figures: Figures::default(),
            goodbyes: Vec::new(),
        })
    }

    pub(crate) fn now(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }

    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    pub(crate) fn live(&self) -> usize {
        self.live_at.iter().flatten().count()
    }

    /// The clients that are at a node or on their way to it.
    pub(crate) fn clients_at(&self, node: usize) -> Vec<usize> {
        (0..self.at.len()).filter(|slot| self.at[*slot] == node).collect()
    }

    /// It has had enough of its node, which says nothing any more, and tries another.
    pub(crate) fn turn_away(&mut self, slot: usize) {
        self.sockets.leave(slot, Leave::Silently);
        let now = self.now();
        self.lost(now, slot, 0);
    }

    /// They read nothing from now on; false: they read again.
    pub(crate) fn hold(&mut self, slots: &[usize], held: bool) {
        for slot in slots {
            self.sockets.hold(*slot, held);
        }
    }

    pub(crate) fn unacked(&self) -> usize {
        self.clients.iter().map(Client::unacked).sum()
    }

    /// Everybody comes, spread over a while so that the door is not the limit.
    pub(crate) fn arrive(&mut self, per_second: u64) {
        let now = self.now();
        for slot in 0..self.clients.len() {
            self.come_back(slot, now + slot as u64 * 1000 / per_second);
        }
    }

    fn come_back(&mut self, slot: usize, at: u64) {
        self.comes_back_at[slot] = Some(at);
        self.wakes.push(Reverse((at, slot)));
    }

    /// Until then or until it holds; whether it does.
    pub(crate) fn until(&mut self, within: Duration, mut holds: impl FnMut(&Crowd) -> bool) -> Result<bool> {
        let deadline = Instant::now() + within;
        loop {
            if holds(self) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.turn(Duration::from_millis(5))?;
        }
    }

    pub(crate) fn spend(&mut self, time: Duration) -> Result<()> {
        self.until(time, |_| false).map(drop)
    }

    /// Everybody is there and everything is answered; nobody sends meanwhile.
    pub(crate) fn settle(&mut self, within: Duration) -> Result<()> {
        self.pace = 0;
        let all = self.clients.len();
        if self.until(within, |crowd| crowd.live() == all && crowd.unacked() == 0)? {
            return Ok(());
        }
        bail!(
            "after {} s without load {} of {all} clients are live and {} messages are not answered{}",
            within.as_secs(),
            self.live(),
            self.unacked(),
            self.complaint().map(|words| format!("; {words}")).unwrap_or_default()
        )
    }

    /// The first thing that a server said to anybody and should not have.
    pub(crate) fn complaint(&self) -> Option<String> {
        let mut told =
            self.clients.iter().filter_map(|client| Some((client.number, client.complaint.as_ref()?)));
        told.next().map(|(number, words)| format!("client {number} was told: {words}"))
    }

    pub(crate) fn turn(&mut self, wait: Duration) -> Result<()> {
        let now = self.now();
        let mut say = Vec::new();
        while let Some(Reverse((at, slot))) = self.wakes.peek().copied()
            && at <= now
        {
            self.wakes.pop();
            self.wake(now, slot, &mut say)?;
        }
        self.send_what_is_due(now, &mut say);
        let next = self.wakes.peek().map_or(u64::MAX, |Reverse((at, _))| at.saturating_sub(now));
        let wait = wait.min(Duration::from_millis(next));
        for (slot, news) in self.sockets.turn(wait)? {
            let now = self.now();
            self.take(now, slot, news, &mut say);
        }
        Ok(())
    }

    fn say(&mut self, slot: usize, say: &mut Vec<String>) {
        for text in say.drain(..) {
            self.sockets.say(slot, &text);
        }
        self.sockets.flush(slot);
    }

    fn wake(&mut self, now: u64, slot: usize, say: &mut Vec<String>) -> Result<()> {
        if self.comes_back_at[slot].is_some_and(|at| at <= now) {
            self.comes_back_at[slot] = None;
            self.opening[slot] = Some(now);
            self.wakes.push(Reverse((now + UPGRADE_MS, slot)));
            return self.sockets.open(slot, self.ports[self.at[slot]], &self.tokens[slot]);
        }
        if self.opening[slot].is_some_and(|since| since + UPGRADE_MS <= now) {
            self.sockets.leave(slot, Leave::Rudely);
            self.lost(now, slot, 0);
            return Ok(());
        }
        if let Some(at) = self.clients[slot].wake(now, &self.epochs, say) {
            self.wakes.push(Reverse((at, slot)));
        }
        self.say(slot, say);
        Ok(())
    }

    fn send_what_is_due(&mut self, now: u64, say: &mut Vec<String>) {
        self.paced_to = self.paced_to.max(now.saturating_sub(CATCH_UP_MS));
        let due = (now - self.paced_to) * self.pace / 1000;
        if self.pace == 0 {
            self.paced_to = now;
        } else if due > 0 {
            self.paced_to += due * 1000 / self.pace;
            for _ in 0..due {
                self.send_one(now, say);
            }
        }
    }

    /// So many messages more, now, whatever the pace; nothing is read.
    pub(crate) fn burst(&mut self, count: u32) {
        let (now, mut say) = (self.now(), Vec::new());
        for _ in 0..count {
            self.send_one(now, &mut say);
        }
    }

    fn send_one(&mut self, now: u64, say: &mut Vec<String>) {
        let slot = self.random.below(self.clients.len() as u64) as usize;
        if self.clients[slot].send(now, say) {
            self.figures.sent += 1;
            self.say(slot, say);
        }
    }

    fn take(&mut self, now: u64, slot: usize, news: News, say: &mut Vec<String>) {
        match news {
            News::Open => {
                self.opening[slot] = None;
                self.clients[slot].opened(now, &self.epochs, say);
                self.say(slot, say);
            }
            News::Text(text) => {
                let client = &mut self.clients[slot];
                match client.heard(now, &text, &mut self.epochs) {
                    Meant::Acked => self.figures.acked += 1,
                    Meant::Received => self.figures.received += 1,
                    Meant::Refused => self.figures.refused += 1,
                    Meant::Other => {}
                }
                if !text.starts_with(r#"{"type":"new_message""#)
                    && let Some(at) = client.wake(now, &self.epochs, say)
                {
                    self.wakes.push(Reverse((at, slot)));
                }
                self.say(slot, say);
                let live = self.clients[slot].is_live();
                match self.live_at[slot] {
                    None if live => self.live_at[slot] = Some(now),
                    Some(_) if !live => self.live_at[slot] = None,
                    _ => {}
                }
            }
            News::Closed { code, words } => {
                self.goodbyes.push((now, code));
                if NEVER_AGAIN.contains(&code) {
                    self.clients[slot].complaint.get_or_insert(format!("closed with {code} {words}"));
                }
                self.lost(now, slot, asked_to_wait(&words));
            }
            News::Lost(_) => {
                self.figures.lost += 1;
                self.lost(now, slot, 0);
            }
        }
    }

    fn lost(&mut self, now: u64, slot: usize, wait_ms: u64) {
        self.opening[slot] = None;
        self.live_at[slot] = None;
        let client = &mut self.clients[slot];
        client.ended(now);
        let others = self.ports.len() - 1;
        if others > 0 {
            let step = 1 + self.random.below(others as u64) as usize;
            self.at[slot] = (self.at[slot] + step) % self.ports.len();
        }
        let most = self.plan.base_ms.saturating_mul(1 << client.attempt.min(16)).min(self.plan.cap_ms);
        client.attempt += 1;
        let delay = self.random.below(most.max(1));
        self.come_back(slot, now + wait_ms + delay);
    }

    /// The logs are read by somebody new, and everybody has so long to hear what is in them. Meanwhile everybody goes on
    /// hearing: whoever takes nothing for long is sent away, and comes back to a log that has what was never pushed.
    pub(crate) fn history(
        mut self,
        read: impl FnOnce(&mut Epochs) -> Result<BTreeMap<Room, Log>> + Send,
    ) -> Result<History> {
        self.pace = 0;
        let (mut logs, read) = std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let mut epochs = Epochs::default();
                anyhow::Ok((read(&mut epochs)?, epochs))
            });
            while !reading.is_finished() {
                self.turn(Duration::from_millis(5))?;
            }
            reading.join().map_err(|_| anyhow!("the reading of the logs broke off"))?
        })?;
        // Whoever came new gave the epochs numbers of its own.
        for log in logs.values_mut() {
            log.epoch = log.epoch.map(|epoch| self.epochs.named(read.text(epoch)));
        }
        self.until(HEARD_WITHIN, |crowd| crowd.clients.iter().all(|client| client.has_heard(&logs)))?;
        let live: Vec<bool> = self.live_at.iter().map(Option::is_some).collect();
        let diaries = self.clients.into_iter().zip(live).map(|(mut client, live)| {
            client.diary.live = live;
            client.diary
        });
        Ok(History { epochs: self.epochs, diaries: diaries.collect(), logs })
    }
}

/// The delay that a close frame's words name.
fn asked_to_wait(words: &str) -> u64 {
    let number = words.split_once("retry after ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use anyhow::ensure;

    use super::*;
    use crate::front::PATIENCE;
    use crate::peer::Peer;

    const INFO: &str = r#"{"type":"room_info","id":"j0","room":"r0","payload":{"room_id":"r0","users":[],"count":1},"position":{"epoch":"1a","offset":1}}"#;

    #[test]
    fn everybody_goes_on_hearing_while_the_logs_are_read() -> Result<()> {
        let (listener, port) = Peer::listen();
        let (begin, begins) = sync_channel(1);
        let server = std::thread::spawn(move || {
            let mut peer = Peer::admit(&listener);
            peer.say(INFO);
            begins.recv_timeout(PATIENCE).is_ok() && peer.answers_a_ping()
        });
        let plan = Plan { clients: 1, rooms: 1, rooms_each: 1, pace: 0, seed: 1, base_ms: 1, cap_ms: 1 };
        let mut crowd = Crowd::new(plan, &[port], &Signer::of_text("a secret")?)?;
        crowd.arrive(1000);
        assert!(crowd.until(PATIENCE, |crowd| crowd.live() == 1)?);
        let history = crowd.history(move |epochs| {
            begin.send(())?;
            ensure!(server.join().is_ok_and(|answered| answered), "a ping is not answered");
            // In another order than the clients heard of them.
            let (_, epoch) = (epochs.named("2b"), epochs.named("1a"));
            let records = vec![(1, crate::history::STRANGE)];
            Ok(BTreeMap::from([(0, Log { epoch: Some(epoch), records })]))
        })?;
        assert_eq!(history.logs[&0].epoch.map(|epoch| history.epochs.text(epoch)), Some("1a"));
        Ok(())
    }

    #[test]
    fn a_goodbye_says_how_long_to_wait() {
        for (words, wait) in [("draining, retry after 1250 ms", 1250), ("too slow", 0), ("", 0)] {
            assert_eq!(asked_to_wait(words), wait);
        }
    }
}
