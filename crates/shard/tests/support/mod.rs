//! A node without sockets or threads: some shards, each with the memory engine of its own rooms, and clients that are
//! byte strings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use engine::{Answer, Asked, MemoryEngine, MemoryLimits, Nodes};
use serde_json::Value;
use session::{Authenticated, Who};
use shard::{
    Config, Full, Greeted, Input, Limits, Mount, Opening, Own, Peer, Post, Pressure, Shard, Speaks, World,
    turn,
};
use vocabulary::{
    Asks, CallId, CloseReason, ConnectionId, Deed, Envelope, Failure, Findings, Incarnation, Inquiry, Now,
    Outward, Person, Petition, Refusal, RoomId, Ruling, Said, ShardId, Survey, Tag, Tick, Told, Traced,
    Unproven, User, UserId, Wall,
};
use websocket::{Compression, frame};

struct Outside {
    engine: MemoryEngine,
    now: Now,
    written: BTreeMap<u32, Vec<u8>>,
    finished: Vec<u32>,
    closed: Vec<(u32, CloseReason)>,
    /// Sockets that take nothing.
    stalled: BTreeSet<u32>,
    mail: VecDeque<(ShardId, Envelope)>,
    told: Vec<Told>,
    found: Vec<(u64, Findings)>,
    /// Questions to the back end that wait for what a test says.
    petitions: Vec<(ConnectionId, u32, Petition)>,
    /// What is answered at once, without a question.
    known: Vec<Deed>,
}

impl World for Outside {
    fn post(&mut self, to: ShardId, envelope: Envelope) -> Result<(), Full> {
        self.mail.push_back((to, envelope));
        Ok(())
    }
    fn ask(&mut self, asked: Asked) {
        self.engine.handle(self.now, asked);
    }
    fn answer(&mut self) -> Option<Answer> {
        self.engine.next_answer().map(|(_, answer)| answer)
    }
    fn write(&mut self, connection: ConnectionId, bytes: &[u8]) -> usize {
        if self.stalled.contains(&connection.slot) {
            return 0;
        }
        self.written.entry(connection.slot).or_default().extend_from_slice(bytes);
        bytes.len()
    }
    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.closed.push((connection.slot, reason));
    }
    fn prove(&mut self, _: ConnectionId, _: &Tag, _: Unproven) -> Option<Result<Authenticated, Refusal>> {
        panic!("nobody sends a token in these conversations");
    }
    fn authorize(&mut self, connection: ConnectionId, number: u32, petition: &Petition) -> Option<Ruling> {
        if self.known.contains(&petition.deed) {
            return Some(Ruling::Allowed);
        }
        self.petitions.push((connection, number, petition.clone()));
        None
    }
    fn finish(&mut self, connection: ConnectionId) {
        self.finished.push(connection.slot);
    }
    fn told(&mut self, _: CallId, told: Told) {
        self.told.push(told);
    }

    fn found(&mut self, survey: u64, findings: Findings) {
        self.found.push((survey, findings));
    }

    fn traced(&mut self, _: Traced) {}

    fn said(&mut self, _: Said) {}

    fn outward(&mut self, outward: Outward) {
        panic!("no app here has brokers to tell of {outward:?}");
    }

    fn owes(&mut self, room: RoomId) {
        panic!("no app here has a sink to owe anything, and {room} does");
    }

    fn failed(&mut self, failure: Failure) {
        panic!("nothing fails in these conversations: {failure}");
    }
}

pub(crate) struct Node {
    shards: Vec<(Shard, Post, Outside)>,
    now: Now,
    /// Envelopes that went from one shard to another, by what they were.
    pub(crate) deliveries: usize,
    pub(crate) commands: usize,
    compression: BTreeMap<Client, Compression>,
}

/// A client, by its shard and slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client(pub(crate) u16, pub(crate) u32);

impl Client {
    fn id(self) -> ConnectionId {
        ConnectionId { shard: ShardId(self.0), slot: self.1, generation: 1 }
    }
}

impl Node {
    pub(crate) fn new(shards: u16) -> Node {
        Node::with(shards, Limits::default())
    }

    pub(crate) fn with(shards: u16, limits: Limits) -> Node {
        Node::asking(shards, limits, &Asks::default())
    }

    /// One that asks before it does these things.
    pub(crate) fn asking(shards: u16, limits: Limits, asks: &Asks) -> Node {
        let now = Now { tick: Tick(1_000_000_000), wall: Wall(1_767_261_600_000) };
        let shards = (0..shards).map(|index| {
            let id = ShardId(index);
            let guarantees = MemoryEngine::guarantees(Nodes::One);
            let apps = rooms::Apps::default().with(
                "chat",
                app::host(chat::Chat::default()),
                rooms::Rules::default(),
            );
            let me = Incarnation { node: 1, shard: id, life: 1 };
            let rooms =
                rooms::Config { me, shards, limits: rooms::Limits::default(), guarantees, start_tag: 7 };
            let mount = |one_per_user| Mount {
                speaks: Speaks::Protocol(Box::new(protocol::RoomsProtocol)),
                app: "chat".into(),
                messages: shard::MESSAGES,
                compress_from_bytes: 256,
                pace: shard::Pace::default(),
                one_per_user,
                joins_inbox: false,
                one_room: false,
                own_room: None,
            };
            let mounts = vec![mount(None), mount(Some("/one".into()))];
            let shard = Shard::new(now, Config { id, limits, mounts, apps, rooms, asks: asks.clone() });
            let engine = MemoryEngine::new(MemoryLimits::default(), 7);
            let outside = Outside {
                engine,
                now,
                written: BTreeMap::new(),
                closed: Vec::new(),
                finished: Vec::new(),
                stalled: BTreeSet::new(),
                told: Vec::new(),
                found: Vec::new(),
                mail: VecDeque::new(),
                petitions: Vec::new(),
                known: Vec::new(),
            };
            (shard, Post::default(), outside)
        });
        Node { shards: shards.collect(), now, deliveries: 0, commands: 0, compression: BTreeMap::new() }
    }

    /// Turns of every shard until nothing is on its way any more.
    fn settle(&mut self) {
        loop {
            let mut mail = VecDeque::new();
            for (shard, post, outside) in &mut self.shards {
                turn(shard, post, self.now, outside);
                shard.check_invariants();
                mail.append(&mut outside.mail);
            }
            if mail.is_empty() {
                return;
            }
            for (to, envelope) in mail {
                match envelope {
                    Envelope::Command(_) => self.commands += 1,
                    Envelope::Delivery(_) => self.deliveries += 1,
                }
                self.shards[usize::from(to.0)].0.handle(self.now, Input::Arrived(envelope));
            }
        }
    }

    fn handle(&mut self, client: Client, input: Input<'_>) {
        self.shards[usize::from(client.0)].0.handle(self.now, input);
        self.settle();
    }

    pub(crate) fn press(&mut self, pressure: Pressure) {
        for (shard, ..) in &mut self.shards {
            shard.handle(self.now, Input::Pressed(pressure));
        }
    }

    pub(crate) fn connect(&mut self, shard: u16, slot: u32) -> Client {
        self.connect_with(shard, slot, Compression::Off)
    }

    pub(crate) fn connect_with(&mut self, shard: u16, slot: u32, compression: Compression) -> Client {
        self.open(shard, slot, &format!("{shard}.{slot}"), 0, compression)
    }

    /// One of several of a user.
    pub(crate) fn connect_of(&mut self, shard: u16, slot: u32, user: &str) -> Client {
        self.open(shard, slot, user, 0, Compression::Off)
    }

    /// Where each user has one connection.
    pub(crate) fn connect_alone(&mut self, shard: u16, slot: u32, user: &str) -> Client {
        self.open(shard, slot, user, 1, Compression::Off)
    }

    /// A stream of a room's events, and not of the bytes of a WebSocket.
    pub(crate) fn listen(&mut self, shard: u16, slot: u32, room: &str, since: Option<&str>) -> Client {
        let place = Own {
            name: room.into(),
            since: since.map(|since| since.parse().expect("a position")),
            join: vocabulary::Payload::from_static(b"{}"),
        };
        let opening = Opening { origin: Some("https://overlay.test".into()), ..Opening::default() };
        self.enter(shard, slot, &format!("{shard}.{slot}"), 0, Greeted::Events(opening), Some(place))
    }

    /// The same, whose user must not be in any room.
    pub(crate) fn listen_as(&mut self, who: Authenticated, slot: u32, room: &str) -> Client {
        let place = Own { name: room.into(), since: None, join: vocabulary::Payload::from_static(b"{}") };
        let (client, greeted) = (Client(0, slot), Greeted::Events(Opening::default()));
        let peer = Peer { who: Who::Known(who), mount: 0, greeted, room: Some(place) };
        self.handle(client, Input::Opened(client.id(), peer));
        client
    }

    /// What was written to the client since it was last asked.
    pub(crate) fn written(&mut self, client: Client) -> String {
        let bytes = self.shards[usize::from(client.0)].2.written.remove(&client.1).unwrap_or_default();
        String::from_utf8(bytes).expect("a stream is text")
    }

    pub(crate) fn revoke(&mut self, user: &str) {
        let revocation =
            Arc::new(vocabulary::Revocation::User { id: UserId::new(user), until: Wall(i64::MAX) });
        for (shard, ..) in &mut self.shards {
            shard.handle(self.now, Input::Revoked(revocation.clone()));
        }
        self.settle();
    }

    fn open(&mut self, shard: u16, slot: u32, id: &str, mount: u8, compression: Compression) -> Client {
        self.compression.insert(Client(shard, slot), compression);
        self.enter(shard, slot, id, mount, Greeted::WebSocket(compression), None)
    }

    fn enter(
        &mut self,
        shard: u16,
        slot: u32,
        id: &str,
        mount: u8,
        greeted: Greeted,
        room: Option<Own>,
    ) -> Client {
        let client = Client(shard, slot);
        let person = Person { id: UserId::new(id), name: id.into() };
        let user = Arc::new(User { person, role: None, rooms: None, groups: None });
        let (expires, issued, token) = (Wall(i64::MAX), Wall(0), None);
        let who = Who::Known(Authenticated { user, expires, issued, token });
        self.handle(client, Input::Opened(client.id(), Peer { who, mount, greeted, room }));
        client
    }

    pub(crate) fn say(&mut self, client: Client, text: &str) {
        self.receive(client, frame::masked(frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes()));
    }

    /// Bytes that arrive in one read.
    pub(crate) fn receive(&mut self, client: Client, mut bytes: Vec<u8>) {
        self.handle(client, Input::Received(client.id(), &mut bytes));
    }

    /// The client's socket takes nothing from now on.
    pub(crate) fn stall(&mut self, client: Client) {
        self.shards[usize::from(client.0)].2.stalled.insert(client.1);
    }

    /// It takes bytes again.
    pub(crate) fn wake(&mut self, client: Client) {
        self.shards[usize::from(client.0)].2.stalled.remove(&client.1);
        self.handle(client, Input::Writable(client.id()));
    }

    /// Time goes by, and every shard is woken when it wants to be.
    pub(crate) fn pass(&mut self, span: std::time::Duration) {
        let end = self.now.tick + span;
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            self.at(next.max(Tick(self.now.tick.0 + 1)));
        }
        self.at(end);
    }

    fn next_deadline(&self) -> Option<Tick> {
        self.shards.iter().filter_map(|(shard, ..)| shard.next_deadline()).map(|(at, _)| at).min()
    }

    fn at(&mut self, tick: Tick) {
        let passed = tick.since(self.now.tick).as_millis() as i64;
        self.now = Now { tick, wall: Wall(self.now.wall.0 + passed) };
        for (shard, _, outside) in &mut self.shards {
            outside.now = self.now;
            shard.handle(self.now, Input::DeadlineReached);
        }
        self.settle();
    }

    /// An operator asks a shard, which has not had a turn since.
    pub(crate) fn survey(&mut self, shard: u16, number: u64, asks: Inquiry) {
        self.shards[usize::from(shard)].0.handle(self.now, Input::Surveyed(Survey { number, asks }));
    }

    /// What comes of it, and after how many turns.
    pub(crate) fn found(&mut self, shard: u16, number: u64) -> (u32, Findings) {
        for turns in 1..1000 {
            self.settle();
            let found = &mut self.shards[usize::from(shard)].2.found;
            if let Some(at) = found.iter().position(|(of, _)| *of == number) {
                return (turns, found.remove(at).1);
            }
        }
        panic!("nothing is found");
    }

    /// Why the shard let go of the client's socket, if it did.
    pub(crate) fn let_go(&self, client: Client) -> Option<CloseReason> {
        let closed = &self.shards[usize::from(client.0)].2.closed;
        closed.iter().find(|(slot, _)| *slot == client.1).map(|(_, reason)| *reason)
    }

    /// Whether the shard has said all that it will say to the client.
    pub(crate) fn has_finished(&self, client: Client) -> bool {
        self.shards[usize::from(client.0)].2.finished.contains(&client.1)
    }

    pub(crate) fn drain(&mut self, window: std::time::Duration) {
        for (shard, ..) in &mut self.shards {
            shard.handle(self.now, Input::Drain(window));
            shard.handle(self.now, Input::DeadlineReached);
        }
        self.settle();
    }

    /// The code of the close frame that the client was sent, if it was.
    pub(crate) fn closed(&mut self, client: Client) -> Option<u16> {
        let outside = &mut self.shards[usize::from(client.0)].2;
        let mut bytes = outside.written.remove(&client.1).unwrap_or_default();
        let limits = websocket::Limits { message_bytes_max: 1 << 20, fragments_max: 8 };
        let compression = self.compression.get(&client).copied().unwrap_or_default();
        let mut decoder = websocket::Decoder::new(websocket::Role::Client, limits, compression);
        let code = |event| match event {
            Ok(websocket::Event::Close(close)) => close.map(|close| close.code),
            _ => None,
        };
        decoder.feed(&mut websocket::Inflater::default(), &mut bytes).find_map(code)
    }

    /// The payloads of the pongs that the client got since it was last asked for what it heard.
    pub(crate) fn pongs(&mut self, client: Client) -> Vec<String> {
        let outside = &mut self.shards[usize::from(client.0)].2;
        let mut bytes = outside.written.remove(&client.1).unwrap_or_default();
        let mut decoder = websocket::Decoder::new(websocket::Role::Client, shard::MESSAGES, Compression::Off);
        let pong = |event| match event {
            Ok(websocket::Event::Pong(payload)) => Some(String::from_utf8_lossy(&payload).into_owned()),
            _ => None,
        };
        decoder.feed(&mut websocket::Inflater::default(), &mut bytes).filter_map(pong).collect()
    }

    /// All that the client was told since it was last asked.
    pub(crate) fn heard(&mut self, client: Client) -> Vec<Value> {
        let text = |event: websocket::Event<'_>| match event {
            websocket::Event::Text(text) => Some(serde_json::from_str(&text).expect("JSON")),
            _ => None,
        };
        self.events(client, text)
    }

    /// The code with which the server closed the client, if it did since the client last listened.
    pub(crate) fn close_code(&mut self, client: Client) -> Option<u16> {
        let code = |event: websocket::Event<'_>| match event {
            websocket::Event::Close(Some(close)) => Some(close.code),
            _ => None,
        };
        self.events(client, code).pop()
    }

    fn events<T>(&mut self, client: Client, of: impl Fn(websocket::Event<'_>) -> Option<T>) -> Vec<T> {
        let outside = &mut self.shards[usize::from(client.0)].2;
        let mut bytes = outside.written.remove(&client.1).unwrap_or_default();
        let limits = websocket::Limits { message_bytes_max: 1 << 20, fragments_max: 8 };
        let compression = self.compression.get(&client).copied().unwrap_or_default();
        let mut decoder = websocket::Decoder::new(websocket::Role::Client, limits, compression);
        let mut inflater = websocket::Inflater::default();
        let events = decoder.feed(&mut inflater, &mut bytes);
        events.filter_map(Result::ok).filter_map(of).collect()
    }

    /// What the client's requests made the shard ask and nobody has answered: room and deed, oldest first.
    pub(crate) fn petitions(&self, client: Client) -> Vec<(String, Deed)> {
        let open = self.shards[usize::from(client.0)].2.petitions.iter();
        let of_client = open.filter(|(id, ..)| *id == client.id());
        of_client.map(|(.., petition)| (petition.room.to_string(), petition.deed.clone())).collect()
    }

    /// The oldest of these is answered.
    pub(crate) fn judge(&mut self, client: Client, ruling: Ruling) {
        let petitions = &mut self.shards[usize::from(client.0)].2.petitions;
        let index =
            petitions.iter().position(|(id, ..)| *id == client.id()).expect("somebody is asked about");
        let (id, number, _) = petitions.remove(index);
        self.handle(client, Input::Authorized(id, number, ruling));
    }

    /// From now on that needs no question.
    pub(crate) fn know(&mut self, deed: Deed) {
        self.shards.iter_mut().for_each(|(_, _, outside)| outside.known.push(deed.clone()));
    }

    /// The client's socket is gone.
    pub(crate) fn vanish(&mut self, client: Client) {
        self.handle(client, Input::Ended(client.id()));
    }

    pub(crate) fn counts(&self) -> shard::Counts {
        let mut sum = shard::Counts::default();
        for (shard, ..) in &self.shards {
            sum += shard.counts().0;
        }
        sum
    }
}
