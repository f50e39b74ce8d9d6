//! Membership, presence, history, who receives what: the homes of this shard's rooms. It asks the engine and delivers
//! to shards by returning effects; it never names a socket, a protocol or a frame.

mod claims;
mod cx;
mod format;
mod home;
mod keys;
mod limits;
mod log;
mod marks;
mod pipeline;
mod presence;
mod saved_keys;
mod seats;
mod seen;
mod soft;
mod sunk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use app::Host;
use engine::{Answer, Asked, Guarantees, News, Nodes, Question};
use vocabulary::{
    Command, ConnectionId, Delivery, Durability, Incarnation, Now, Parting, Payload, Refusal, Reply, RoomId,
    SLICES, Slice, StepId, Tick, UserId, Word,
};

use claims::Claims;
use cx::Cx;
pub use cx::{Counts, Effect};
use home::Home;
pub use home::Rules;
pub use limits::Limits;

/// The apps a node serves, by the prefix of their rooms.
#[derive(Clone, Default)]
pub struct Apps(BTreeMap<String, (Rc<dyn Host>, Rules)>);

impl Apps {
    #[must_use]
    pub fn with(mut self, name: &str, host: Box<dyn Host>, rules: Rules) -> Apps {
        self.0.insert(name.to_owned(), (Rc::from(host), rules));
        self
    }

    /// The app that needs the most of its engine, and what that is.
    pub fn most_durable(&self) -> Option<(&str, Durability)> {
        self.0.iter().map(|(name, (host, _))| (name.as_str(), host.needs().durability)).max_by_key(|it| it.1)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn has(&self, app: &str) -> bool {
        self.0.contains_key(app)
    }

    /// A request that the rooms of an app know.
    pub fn word(&self, app: &str, name: &str) -> Option<Word> {
        let (host, _) = self.0.get(app)?;
        host.words().iter().find(|word| word.name == name).copied()
    }
}

pub struct Config {
    pub me: Incarnation,
    pub shards: u16,
    pub limits: Limits,
    pub guarantees: Guarantees,
    /// Carried by every epoch that this node begins.
    pub start_tag: u32,
}

/// The homes of one shard.
pub struct Rooms {
    apps: Apps,
    config: Config,
    homes: BTreeMap<RoomId, Box<Home>>,
    alarms: BTreeSet<(Tick, RoomId)>,
    stewarded: Vec<bool>,
    attended: Option<Tick>,
    attend_at: Tick,
    /// Users with an open socket on this node, at the home of their inbox.
    roster: BTreeMap<UserId, Vec<ConnectionId>>,
    claims: Claims,
    serial: u64,
    counts: Counts,
    effects: VecDeque<Effect>,
}

/// A place becomes free when a room has been empty for a minute; in a full shard one does every few seconds.
const FULL_RETRY_MS: u32 = 5000;

impl Rooms {
    pub fn new(apps: Apps, config: Config) -> Rooms {
        Rooms {
            apps,
            config,
            homes: BTreeMap::new(),
            alarms: BTreeSet::new(),
            stewarded: vec![false; usize::from(SLICES)],
            attended: None,
            attend_at: Tick::default(),
            roster: BTreeMap::new(),
            claims: Claims::default(),
            serial: 0,
            counts: Counts::default(),
            effects: VecDeque::new(),
        }
    }

    pub fn me(&self) -> Incarnation {
        self.config.me
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Rooms at home here, and users with an open socket whose inbox is at home here.
    pub fn sizes(&self) -> (usize, usize) {
        (self.homes.len(), self.roster.len())
    }

    /// Users with an open socket on this node whose inbox is at home here: each of the node's users at one shard.
    pub fn users(&self) -> impl Iterator<Item = &UserId> {
        self.roster.keys()
    }

    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub fn next_deadline(&self) -> Option<Tick> {
        let room = self.alarms.first().map(|(at, _)| *at);
        [room, self.claims.next_deadline(), Some(self.attend_at)].into_iter().flatten().min()
    }

    pub fn command(&mut self, now: Now, command: Command) {
        if let Command::Roster { user, connection, here, claims } = command {
            match claims {
                Some(name) if here => self.claims.enter(now.tick, name, connection, &mut self.effects),
                Some(name) => self.claims.leave(&name, connection, &mut self.effects),
                None => {}
            }
            return self.enrol(&user.person.id, connection, here);
        }
        let room = command.room();
        let mut command = Some(command);
        let mut run = |home: &mut Home, cx: &mut Cx<'_>| {
            command.take().into_iter().for_each(|command| home.command(cx, command));
        };
        self.with(now, &room, &mut run);
        // Nobody had opened the room: there is nothing to leave, and nothing to read.
        let Some(command) = command.filter(|command| !command.must_arrive()) else { return };
        if let Err(refusal) = self.open(now, &room) {
            return self.refuse(now, command, refusal);
        }
        self.with(now, &room, |home, cx| home.command(cx, command));
    }

    fn enrol(&mut self, user: &UserId, connection: ConnectionId, here: bool) {
        if here {
            // Most users have one connection: the place for it alone.
            let connections = self.roster.entry(user.clone()).or_insert_with(|| Vec::with_capacity(1));
            if !connections.contains(&connection) {
                connections.push(connection);
            }
        } else if let Some(connections) = self.roster.get_mut(user) {
            connections.retain(|held| *held != connection);
            if connections.is_empty() {
                self.roster.remove(user);
            }
        }
    }

    /// A command whose room is not open.
    fn refuse(&mut self, now: Now, command: Command, refusal: Refusal) {
        let room = command.room();
        let delivery = match command {
            Command::Join(join) => {
                let (connection, ticket, answers) = (join.connection, join.ticket, Some(join.tag));
                Some((
                    connection.shard,
                    Delivery::Parted(Parting { room, connection, ticket, answers, refusal }),
                ))
            }
            Command::Act(vocabulary::Act { reply: Some(to), .. })
            | Command::History { reply: to, .. }
            | Command::Members { reply: to, .. }
            | Command::Retell { reply: to, .. }
            | Command::Sink { reply: to, .. } => {
                let reply = Reply::Refused(refusal);
                Some((to.asker.shard(), Delivery::Reply { room, to, reply, at: now.wall }))
            }
            _ => None,
        };
        self.effects.extend(delivery.map(|(shard, delivery)| Effect::Deliver(shard, delivery)));
    }

    /// A saga's step was answered by another room of this node.
    pub fn outcome(&mut self, now: Now, step: StepId, result: Result<Payload, Refusal>) {
        let room = step.saga.clone();
        self.with(now, &room, |home, cx| home.outcome(cx, step, result));
    }

    /// A saga's step found no place in a sibling's box.
    pub fn step_returned(&mut self, now: Now, step: &StepId) {
        self.with(now, &step.saga, |home, _| home.step_returned(now.tick, step));
    }

    pub fn answered(&mut self, now: Now, answer: Answer) {
        match answer {
            Answer::Attending { slices, due } => self.attending(now, &slices, due),
            Answer::Ended { incarnation } if incarnation == self.config.me => self.reincarnate(now),
            Answer::Ended { incarnation } => {
                let rooms: Vec<RoomId> = self.homes.keys().cloned().collect();
                for room in rooms {
                    self.with(now, &room, |home, cx| home.ended(cx, incarnation));
                }
            }
            Answer::Missed => {
                let rooms: Vec<RoomId> = self.homes.keys().cloned().collect();
                for room in rooms {
                    self.with(now, &room, |home, cx| home.missed(cx));
                }
            }
            Answer::Due { room } => {
                if self.is_steward(&room) && self.open(now, &room).is_ok() {
                    self.with(now, &room, |home, _| home.woken());
                }
            }
            Answer::Followed { room, ticket, outcome } => {
                self.with(now, &room, |home, cx| home.followed(cx, ticket, outcome))
            }
            Answer::Appended { room, number, outcome } => {
                self.with(now, &room, |home, cx| home.appended(cx, number, outcome));
            }
            Answer::Read { room, ticket, outcome } => {
                self.with(now, &room, |home, cx| home.read(cx, ticket, outcome));
            }
            Answer::EpochBegan { room, epoch } => {
                self.with(now, &room, |home, cx| home.epoch_began(cx, epoch))
            }
            Answer::Grown { room, epoch, records } => {
                self.with(now, &room, |home, cx| home.grown(cx, epoch, records));
            }
            Answer::Present { room, present } => {
                self.with(now, &room, |home, cx| home.hear_present(cx, present))
            }
            Answer::Soft { room, entry } => self.with(now, &room, |home, cx| home.hear_soft(cx, entry)),
            Answer::Erased { room, ticket, outcome } => {
                self.with(now, &room, |home, cx| home.erased(cx, ticket, outcome));
            }
            Answer::Stored { room, kept } => self.with(now, &room, |home, _| home.snapshot_kept(kept)),
            Answer::Claimed { name, ticket, token } => {
                self.claims.claimed(&name, ticket, token, &mut self.effects);
            }
            Answer::ClaimLost { name, token } => self.claims.lost(&name, token, &mut self.effects),
        }
    }

    pub fn tick(&mut self, now: Now) {
        if self.attend_at <= now.tick {
            self.attend_at = now.tick + self.config.limits.lease / 3;
            self.ask(Question::Attend { shards: self.config.shards });
            self.keep_system_room(now);
        }
        self.claims.tick(now.tick, &mut self.effects);
        while self.alarms.first().is_some_and(|(at, _)| *at <= now.tick) {
            let Some((_, room)) = self.alarms.pop_first() else { break };
            let Some(home) = self.homes.get_mut(&room) else { continue };
            home.scheduled = None;
            if home.is_over(now.tick, &self.config.limits) {
                self.with(now, &room, |home, cx| home.unfollow(cx));
                self.close(&room);
                continue;
            }
            self.with(now, &room, |home, cx| home.tick(cx));
            // A room that wants to be woken at once again is woken with the next turn, so that this loop ends.
            if self.homes.get(&room).and_then(|home| home.scheduled).is_some_and(|next| next <= now.tick) {
                self.silence(&room);
                self.wake(&room, Tick(now.tick.0 + 1));
            }
        }
    }

    /// One shard of each node is its home, if an app serves it.
    fn keep_system_room(&mut self, now: Now) {
        let room = RoomId::system();
        if self.apps.has(room.app()) && room.slice().home(self.config.shards) == self.config.me.shard {
            // A shard that is full is asked again with the next renewal.
            self.open(now, &room).ok();
        }
    }

    fn ask(&mut self, question: Question) {
        self.effects.push_back(Effect::Ask(question));
    }

    /// A question with this shard's present name under it.
    pub fn signed(&self, question: Question) -> Asked {
        Asked { by: self.config.me, question }
    }

    fn attending(&mut self, now: Now, slices: &[Slice], due: Vec<RoomId>) {
        let slept = self.attended.is_some_and(|last| now.tick.since(last) > self.config.limits.lease);
        self.attended = Some(now.tick);
        if slept {
            return self.reincarnate(now);
        }
        let mut stewarded = vec![false; usize::from(SLICES)];
        for slice in slices {
            stewarded[usize::from(slice.0)] = true;
        }
        let before = std::mem::replace(&mut self.stewarded, stewarded);
        let changed: Vec<RoomId> = self
            .homes
            .keys()
            .filter(|room| {
                let slice = usize::from(room.slice().0);
                before[slice] != self.stewarded[slice]
            })
            .cloned()
            .collect();
        for room in changed {
            self.with(now, &room, |_, _| {});
        }
        for room in due {
            // A shard that is full is told again with the next look at what is due.
            if self.open(now, &room).is_ok() {
                self.with(now, &room, |home, _| home.woken());
            }
        }
    }

    /// What was published under the old name may be gone: everything is said again under a new one.
    fn reincarnate(&mut self, now: Now) {
        self.config.me.life += 1;
        self.claims.ended(&mut self.effects);
        self.attended = Some(now.tick);
        self.attend_at = now.tick + self.config.limits.lease / 3;
        let rooms: Vec<RoomId> = self.homes.keys().cloned().collect();
        for room in rooms {
            self.with(now, &room, |home, cx| home.renamed(cx));
        }
        // Last, because it ends the old name: nobody is to be gone in between.
        self.ask(Question::Attend { shards: self.config.shards });
    }

    fn is_steward(&self, room: &RoomId) -> bool {
        self.stewarded[usize::from(room.slice().0)]
    }

    /// Opens the room, if an app serves it and there is a place.
    fn open(&mut self, now: Now, room: &RoomId) -> Result<(), Refusal> {
        if self.homes.contains_key(room) {
            return Ok(());
        }
        let Some((host, rules)) = self.apps.0.get(room.app()).cloned() else {
            return Err(Refusal::no_app(room));
        };
        if self.homes.len() >= self.config.limits.rooms_max {
            self.counts.rooms_refused += 1;
            return Err(Refusal::busy(FULL_RETRY_MS));
        }
        let mut cx = self.open_cx(now, room);
        let home = Home::open(&mut cx, room.clone(), host, rules);
        self.homes.insert(room.clone(), Box::new(home));
        Ok(())
    }

    fn close(&mut self, room: &RoomId) {
        self.silence(room);
        self.homes.remove(room);
    }

    fn silence(&mut self, room: &RoomId) {
        if let Some(at) = self.homes.get_mut(room).and_then(|home| home.scheduled.take()) {
            self.alarms.remove(&(at, room.clone()));
        }
    }

    fn wake(&mut self, room: &RoomId, at: Tick) {
        if let Some(home) = self.homes.get_mut(room) {
            home.scheduled = Some(at);
            self.alarms.insert((at, room.clone()));
        }
    }

    /// What a room may know, out of the parts that are not rooms.
    fn open_cx<'a>(&'a mut self, now: Now, room: &RoomId) -> Cx<'a> {
        let Rooms { config, stewarded, serial, counts, effects, .. } = self;
        cx(now, config, stewarded[usize::from(room.slice().0)], serial, counts, effects)
    }

    /// Runs one room, and keeps its alarm. An alarm that is too early does no harm and stays: with every message the
    /// next one would move.
    fn with(&mut self, now: Now, room: &RoomId, run: impl FnOnce(&mut Home, &mut Cx<'_>)) {
        let Rooms { homes, alarms, config, stewarded, serial, counts, effects, .. } = self;
        let Some(home) = homes.get_mut(room) else { return };
        let mut cx = cx(now, config, stewarded[usize::from(room.slice().0)], serial, counts, effects);
        run(home, &mut cx);
        let next = home.settle(&mut cx);
        #[cfg(debug_assertions)]
        home.check_invariants(&config.limits);
        let Some(next) = next.filter(|next| home.scheduled.is_none_or(|at| *next < at)) else { return };
        if let Some(later) = home.scheduled.replace(next) {
            alarms.remove(&(later, room.clone()));
        }
        alarms.insert((next, room.clone()));
    }
}

fn cx<'a>(
    now: Now,
    config: &'a Config,
    steward: bool,
    serial: &'a mut u64,
    counts: &'a mut Counts,
    effects: &'a mut VecDeque<Effect>,
) -> Cx<'a> {
    Cx {
        now,
        limits: &config.limits,
        me: config.me,
        shards: config.shards,
        publish: config.guarantees.nodes == Nodes::Many,
        news_may_drop: config.guarantees.news == News::MayDrop,
        start_tag: config.start_tag,
        format: config.guarantees.format,
        steward,
        serial,
        counts,
        effects,
    }
}
