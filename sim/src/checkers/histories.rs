//! Wrong histories that no mutant makes, each given to the checker that must not believe it.

use std::time::Duration;

use serde_json::{Value, json};
use vocabulary::{Epoch, Key, Position, RoomId};

use super::{Checker, End, Fact, Seen, back, damage, drained, moments};
use crate::device::{Device, Standing};
use crate::engine::Damage;
use crate::expect::Expect;
use crate::heard::Heard;
use crate::ledger::Entry;
use crate::play::BackEnds;
use crate::scenario::Scenario;
use crate::world::{BEGIN, World, user};

const EPOCH: Epoch = Epoch(1 << 32 | 7);

/// A world with one client, who wants to be in one room, is there, and has heard its one record.
struct Desk {
    world: World,
    devices: Vec<Device>,
    back_ends: BackEnds,
}

fn room() -> RoomId {
    RoomId::new("chat", "r0")
}

impl Desk {
    fn new() -> Desk {
        let mut world = World::new(Scenario { nodes: 1, ..Scenario::plain(1) }, false);
        let mut device = Device::new("d0".to_owned(), user("u0", "User 0", None), false);
        device.socket = world.connect(0, &device.user);
        device.wanted.insert(room());
        device.standing.insert(room(), Standing::In);
        device.kept.insert(room(), Position { epoch: EPOCH, offset: 1 });
        let mut desk = Desk { world, devices: vec![device], back_ends: BackEnds::default() };
        desk.store();
        desk
    }

    fn store(&mut self) {
        let ledger = self.world.engine.ledger.rooms.entry(room()).or_default();
        ledger.now = EPOCH;
        let (key, kind, author) = (Key::once(0, 1), "message".to_owned(), None);
        ledger.epochs.entry(EPOCH).or_default().push(Entry { key, kind, author, body: "{}".to_owned() });
    }

    fn end(&self) -> End<'_> {
        self.end_at(Duration::ZERO)
    }

    fn end_at(&self, since_start: Duration) -> End<'_> {
        let Desk { world, devices, back_ends } = self;
        End { at: BEGIN + since_start, devices, back_ends, world }
    }

    fn sees(&self, checker: &mut dyn Checker, at: Duration, fact: Fact<'_>) -> Result<(), String> {
        checker.see(&Seen { at: BEGIN + at, device: 0, fact }, &self.end_at(at))
    }

    /// What the checker says of a room's fault that the client is told of.
    fn hears_of_a_fault(&self, payload: Value) -> Result<(), String> {
        let mut payload = payload;
        payload["code"] = "INTERNAL_ERROR".into();
        let heard = Heard::read(&json!({"type": "error", "room": "r0", "payload": payload}).to_string());
        self.sees(&mut damage::Damage, Duration::ZERO, Fact::Heard(&heard))
    }
}

#[test]
fn a_fault_is_told_of_a_damaged_room_alone_and_with_a_reference() {
    let mut desk = Desk::new();
    assert!(desk.hears_of_a_fault(json!({"ref": "1-1"})).is_err(), "nothing is wrong with the room");
    desk.world.engine.damage(room(), Damage::Refused);
    assert!(desk.hears_of_a_fault(json!({})).is_err(), "no reference");
    assert_eq!(desk.hears_of_a_fault(json!({"ref": "1-1"})), Ok(()));
}

/// Something is stored between the beginning and the moment, and heard.
fn live(desk: &mut Desk, meanwhile: impl FnOnce(&mut Desk)) -> Result<(), String> {
    let mut checker = moments::Moments::default();
    let expect = Expect::Live { since: Duration::ZERO, at: Duration::from_secs(1) };
    checker.begins(&expect, &desk.end());
    meanwhile(desk);
    checker.nears(&expect, &desk.end());
    checker.comes(&expect, &desk.end())
}

#[test]
fn who_is_live_is_there_and_has_heard_what_was_stored() {
    let hears = |desk: &mut Desk| {
        desk.store();
        desk.devices[0].kept.insert(room(), Position { epoch: EPOCH, offset: 2 });
    };
    assert_eq!(live(&mut Desk::new(), hears), Ok(()));
    assert!(live(&mut Desk::new(), Desk::store).is_err(), "it has not heard the second");
    assert!(live(&mut Desk::new(), |_| {}).is_err(), "nothing was stored");
    let parts = |desk: &mut Desk| {
        hears(desk);
        desk.devices[0].standing.clear();
    };
    assert!(live(&mut Desk::new(), parts).is_err(), "it is not there");
}

#[test]
fn a_drain_leaves_nobody_out_and_says_what_it_is() {
    let desk = Desk::new();
    let window = Duration::from_secs(10);
    let expects = [Expect::Drained { node: 0, from: Duration::ZERO, window }];
    let drained = |code: Option<u16>| {
        let mut checker = drained::Drained::new(&expects);
        desk.sees(&mut checker, Duration::from_secs(1), Fact::Ended(code))?;
        checker.finish(&desk.end_at(window))
    };
    assert_eq!(drained(Some(4412)), Ok(()));
    assert!(drained(None).is_err(), "a connection that merely ended");
    let mut forgets = drained::Drained::new(&expects);
    assert_eq!(desk.sees(&mut forgets, Duration::from_secs(1), Fact::Opened), Ok(()));
    assert!(forgets.finish(&desk.end_at(window)).is_err(), "nobody was told");
}

#[test]
fn who_never_comes_back_is_missed() {
    let desk = Desk::new();
    let mut checker = back::Back::new(&[Expect::Back(Duration::from_secs(5))]);
    assert_eq!(desk.sees(&mut checker, Duration::ZERO, Fact::Closed), Ok(()));
    assert_eq!(checker.finish(&desk.end_at(Duration::from_secs(5))), Ok(()), "there is time yet");
    assert!(checker.finish(&desk.end_at(Duration::from_secs(6))).is_err());
}
