//! Conversations with an inbox: commands are decided, what comes of them is recorded and applied, and what devices see is compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::{Action, App, Applied, Presence, Roll, Room, Soft};
use proptest::prelude::*;
use vocabulary::{
    Audience, Caller, ConnectionId, Epoch, Now, Payload, Person, Position, Record, Refusal, RoomId, ShardId,
    StepId, Tick, Touched, User, UserId,
};

use super::{Inbox, State};

struct Nobody;

impl Roll for Nobody {
    fn count(&self) -> u32 {
        0
    }
    fn users(&self) -> Vec<UserId> {
        Vec::new()
    }
    fn is_here(&self, _user: &UserId) -> bool {
        false
    }
    fn gone_since(&self, _user: &UserId) -> Option<Tick> {
        None
    }
}

struct Table {
    state: State,
    log: Vec<Record>,
}

fn user(id: &str) -> Caller {
    let person = Person { id: UserId::new(id), name: id.into() };
    let id = ConnectionId { shard: ShardId(0), slot: 0, generation: 0 };
    Caller::Connection { id, user: Arc::new(User { person, role: None, rooms: None, groups: None }) }
}

fn key() -> Caller {
    Caller::Api { key: "backend".into() }
}

fn room(name: &str) -> Caller {
    room_as_of(name, 1)
}

fn room_as_of(name: &str, offset: u64) -> Caller {
    Caller::Step(StepId { saga: RoomId::new("chat", name), position: at(offset), number: 0 })
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::new(1, 7), offset }
}

impl Table {
    fn new() -> Table {
        Table { state: Inbox.start(&RoomId::new("user", "7")), log: Vec::new() }
    }

    fn ask(&mut self, caller: &Caller, kind: &str, payload: &str) -> Result<Option<Payload>, Refusal> {
        let payload = Payload::copy_from_slice(payload.as_bytes());
        let (id, soft) = (RoomId::new("user", "7"), BTreeMap::new());
        let (presence, soft) = (Presence::new(&Nobody), Soft::new(&soft));
        let asked = Room { id: &id, state: &self.state, presence, soft, subject: None };
        let decision = Inbox.decide(Now::default(), asked, caller, Action { kind, payload: &payload })?;
        for draft in decision.records {
            let position = at(self.log.len() as u64 + 1);
            let (at, kind, author) = (Now::default().wall, draft.kind.into(), None);
            let record = Record { position, at, kind, author, touches: Touched::NOBODY, body: draft.body };
            assert_eq!(Inbox.apply(&mut self.state, &record), Applied::Done);
            self.log.push(record);
        }
        Ok(decision.reply)
    }

    fn told(&mut self, caller: &Caller, kind: &str, payload: &str) -> String {
        let before = self.log.len();
        match self.ask(caller, kind, payload) {
            Err(refusal) => format!("! {}", refusal.text),
            Ok(Some(reply)) => String::from_utf8_lossy(&reply).into_owned(),
            Ok(None) => self.log[before..].first().map_or("-".into(), |record| self.frame(record)),
        }
    }

    fn frame(&self, record: &Record) -> String {
        match Inbox.show(&self.state, record, Audience::default()) {
            Some(shown) => {
                assert_eq!(shown.lasting, shown.kind == "notification");
                format!("{} {}", shown.kind, String::from_utf8_lossy(&shown.payload))
            }
            None => "hidden".into(),
        }
    }

    fn view(&self) -> String {
        String::from_utf8_lossy(&Inbox.view(&self.state, Audience::default())).into_owned()
    }
}

#[test]
fn back_ends_write_and_its_own_user_reads() {
    let mut table = Table::new();
    assert_eq!(table.told(&key(), "send_message", r#"{"text":"hi"}"#), r#"notification {"text":"hi"}"#);
    let source = Caller::Source { name: "orders".into(), author: None };
    assert_eq!(table.told(&source, "anything", r#"{"a":1}"#), r#"notification {"a":1}"#);
    assert_eq!(table.told(&key(), "send_message", "[]"), "! payload must be an object");
    let text = "! back ends write to an inbox, by the HTTP API";
    assert_eq!(table.told(&user("7"), "send_message", r#"{"text":"hi"}"#), text);
    let Caller::Connection { user: other, .. } = user("8") else { panic!("a connection") };
    for stranger in [user("8"), Caller::Visitor { user: other }] {
        for kind in ["mark_read", "get_channels", "send_message", "channel_changed"] {
            assert_eq!(table.told(&stranger, kind, "{}"), "! an inbox is open to its own user alone");
        }
        assert!(Inbox.admit(Now::default(), &table.state, &stranger, &Payload::new()).is_err());
    }
    for caller in [user("7"), key(), room("x")] {
        assert!(Inbox.admit(Now::default(), &table.state, &caller, &Payload::new()).is_ok());
    }
}

#[test]
fn a_mark_goes_forward_and_only_the_newest_is_told() {
    let mut table = Table::new();
    let mark = |room: &str, offset: u64| {
        format!(r#"{{"room_id":"{room}","upto":{{"epoch":"100000007","offset":{offset}}}}}"#)
    };
    let told = |offset| format!("read_marked {}", mark("chat:general", offset));
    assert_eq!(table.told(&user("7"), "mark_read", &mark("general", 5)), told(5));
    assert_eq!(table.told(&user("7"), "mark_read", &mark("chat:general", 5)), "-");
    assert_eq!(table.told(&user("7"), "mark_read", &mark("general", 4)), "-");
    assert_eq!(table.told(&user("7"), "mark_read", &mark("general", 9)), told(9));
    assert_eq!(table.frame(&table.log[0]), "hidden");
    let older = r#"{"room_id":"general","upto":{"epoch":"7","offset":99}}"#;
    assert_eq!(table.told(&user("7"), "mark_read", older), "-", "an older epoch is further back");
    table.told(&user("7"), "mark_read", &mark("direct:7:8", 1));
    let marks = [mark("chat:direct:7:8", 1), mark("chat:general", 9)].join(",");
    assert_eq!(table.view(), format!(r#"{{"marks":[{marks}],"channels":[]}}"#));
    assert_eq!(
        Inbox.about(Now::default(), &table.state, &user("7"), &Payload::new()),
        Some(table.view().into())
    );
    for (payload, text) in [
        ("{}".to_owned(), "! room_id is required: the room that was read"),
        (mark("a b", 1), "! room_id may hold only A-Z a-z 0-9 _ . : -, got \"a b\""),
        (r#"{"room_id":"a"}"#.into(), "! upto is required: the position that was read"),
        (
            r#"{"room_id":"a","upto":7}"#.into(),
            "! upto must be a position {\"epoch\",\"offset\"} as frames give it, got 7",
        ),
    ] {
        assert_eq!(table.told(&user("7"), "mark_read", &payload), text);
    }
    assert_eq!(table.told(&key(), "mark_read", &mark("a", 1)), "! only its own user marks what is read");
}

#[test]
fn rooms_list_themselves_and_nobody_else() {
    let mut table = Table::new();
    let is = |room: &str, role: &str| {
        format!(r#"{{"access":"private","role":"{role}","room_id":"chat:{room}","title":"T"}}"#)
    };
    let as_of = r#""as_of":{"epoch":"100000007","offset":1}"#;
    let listed = |room, role| {
        let is = is(room, role).replace(r#","role""#, &format!(r#",{as_of},"role""#));
        format!("channel_changed {is}")
    };
    assert_eq!(table.told(&room("a"), "channel_changed", &is("other", "member")), listed("a", "member"));
    assert_eq!(table.told(&room("a"), "channel_changed", &is("a", "member")), "-");
    assert_eq!(table.told(&room("b"), "channel_changed", &is("b", "owner")), listed("b", "owner"));
    assert_eq!(table.told(&room("a"), "channel_changed", &is("a", "owner")), listed("a", "owner"));
    assert_eq!(table.frame(&table.log[0]), "hidden", "it is another now");
    assert_eq!(
        table.told(&user("7"), "channel_changed", &is("x", "owner")),
        "! back ends write to an inbox, by the HTTP API"
    );
    table.told(&user("7"), "mark_read", r#"{"room_id":"b","upto":{"epoch":"100000007","offset":3}}"#);
    let read = r#""read_upto":{"epoch":"100000007","offset":3},"role""#;
    let with_mark = is("b", "owner").replace(r#""role""#, read);
    let list = format!(r#"{{"channels":[{},{with_mark}],"count":2}}"#, is("a", "owner"));
    assert_eq!(table.told(&user("7"), "get_channels", "{}"), list);
    let removed = format!(r#"channel_removed {{{as_of},"room_id":"chat:a"}}"#);
    assert_eq!(table.told(&room("a"), "channel_removed", r#"{"room_id":"chat:b"}"#), removed);
    assert_eq!(table.told(&room("a"), "channel_removed", "{}"), "-");
    assert!(table.view().ends_with(&format!(r#""channels":[{}]}}"#, is("b", "owner"))));
}

/// Two stewards may send steps of one room, and the older step may be the slower one.
#[test]
fn a_step_that_was_held_up_changes_nothing_behind_a_newer_one() {
    let mut table = Table::new();
    let is = |role: &str| format!(r#"{{"title":"T","role":"{role}","access":"open"}}"#);
    let role = |table: &Table| table.state.lists.channel("chat:a").map(|channel| channel.role.clone());
    table.told(&room_as_of("a", 7), "channel_changed", &is("owner"));
    assert_eq!(table.told(&room_as_of("a", 5), "channel_changed", &is("member")), "-");
    assert_eq!(table.told(&room_as_of("a", 6), "channel_removed", "{}"), "-");
    assert_eq!(role(&table).as_deref(), Some("owner"));
    table.told(&room_as_of("a", 9), "channel_removed", "{}");
    assert_eq!(table.told(&room_as_of("a", 8), "channel_changed", &is("member")), "-");
    assert_eq!(role(&table), None);
    table.told(&room_as_of("b", 9), "channel_removed", "{}");
    assert_eq!(table.told(&room_as_of("b", 8), "channel_changed", &is("member")), "-", "never listed");
    // Each was decided on by a node that had not heard of the other's.
    let older = Record { position: at(99), ..table.log[0].clone() };
    assert_eq!(Inbox.apply(&mut table.state, &older), Applied::Done);
    assert_eq!(role(&table), None, "in the log the older one stands behind the newer one");
    table.told(&room_as_of("a", 10), "channel_changed", &is("member"));
    assert_eq!(role(&table).as_deref(), Some("member"));
}

#[test]
fn a_full_inbox_is_saved_within_a_mebibyte_and_seen_within_a_frame() {
    let mut table = Table::new();
    let wide = "\\\"".repeat(100);
    for number in 0..2500 {
        let name = format!("{number:0>120}");
        let upto = format!(
            r#"{{"room_id":"{name}","upto":{{"epoch":"ffffffffffffffff","offset":9007199254740991}}}}"#
        );
        table.ask(&user("7"), "mark_read", &upto).expect("own mark");
        let access = if number % 2 == 0 { "direct" } else { "private" };
        let is = format!(r#"{{"title":"{wide}","role":"moderator","access":"{access}"}}"#);
        table.ask(&room(&name), "channel_changed", &is).expect("a room's word");
        table.ask(&room(&name.replacen('0', "9", 1)), "channel_removed", "{}").expect("a room's word");
    }
    table.state.lists.check_bounds();
    let saved = Inbox.save(&table.state);
    assert!((1 << 19..1 << 20).contains(&saved.len()), "{}", saved.len());
    assert!(table.view().len() <= 64 << 10 && table.view().len() > 60 << 10);
    let list = table.ask(&user("7"), "get_channels", "").expect("own list").unwrap_or_default();
    assert!(list.len() < (256 << 10) + 64);
    let kept =
        |access: &str| table.state.lists.channels().filter(|(_, channel)| channel.access == access).count();
    assert!(kept("direct") < kept("private"), "rooms of two go first");
    let read = Inbox.load(&RoomId::new("user", "7"), &saved).expect("what was saved is read");
    assert_eq!(read, table.state);
}

#[test]
fn what_was_saved_before_there_was_anything_to_keep_is_read() {
    let room = RoomId::new("user", "7");
    assert_eq!(Inbox.load(&room, &Payload::new()), Ok(Inbox.start(&room)));
    assert!(Inbox.load(&room, &Payload::from_static(br#"{"version":9,"marks":[],"channels":[]}"#)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fold_from_a_snapshot_is_the_fold_from_the_start(
        asked in prop::collection::vec((0..4u8, 0..5u8, 0..6u64), 1..60),
        cut in 0..60usize,
    ) {
        let mut table = Table::new();
        for (what, name, number) in asked {
            let name = format!("room-{name}");
            let steps = room_as_of(&name, number);
            let _ = match what {
                0 => table.ask(&key(), "send_message", "{}"),
                1 => {
                    let upto = format!(r#"{{"room_id":"{name}","upto":{{"epoch":"{}","offset":{number}}}}}"#, number % 2);
                    table.ask(&user("7"), "mark_read", &upto)
                }
                2 => table.ask(&steps, "channel_changed", &format!(r#"{{"title":"{number}"}}"#)),
                _ => table.ask(&steps, "channel_removed", "{}"),
            };
        }
        table.state.lists.check_bounds();
        let room = RoomId::new("user", "7");
        let mut state = Inbox.start(&room);
        for (number, record) in table.log.iter().enumerate() {
            if number == cut {
                state = Inbox.load(&room, &Inbox.save(&state)).expect("what was saved is read");
            }
            prop_assert_eq!(Inbox.apply(&mut state, record), Applied::Done);
        }
        prop_assert_eq!(state, table.state);
    }
}
