//! A room filled with all that it can hold: its snapshot stays below what a snapshot may be.

use app::App;
use vocabulary::{Audience, Code, Payload, Person, Position, Record, Touched, UserId, Wall};

use super::table::{Table, key, user};
use crate::changes::{CHANGED_MAX, DELETED_MAX, ERASED_MAX};
use crate::people::{MEMBERS_MAX, MODERATED_MAX};

const SNAPSHOT_BYTES_MAX: usize = 1 << 20;

struct Filling {
    table: Table,
    offset: u64,
    at: i64,
}

impl Filling {
    fn new() -> Filling {
        let mut table = Table::new("full");
        table.does(&user("o"), "create_room", r#"{"slow_mode_seconds":21600}"#);
        Filling { table, offset: 1_000_000_000, at: 1_767_261_600_000 }
    }

    fn record(&mut self, kind: &'static str, author: Option<&str>, body: String) -> Position {
        self.offset += 1;
        self.at += 1;
        let position = Position { offset: self.offset, ..self.table.next };
        let author = author.map(|id| Person { id: UserId::new(id), name: format!("\"{id}\"").into() });
        let body = Payload::from(body);
        let record =
            Record { position, at: Wall(self.at), kind: kind.into(), author, touches: Touched::NOBODY, body };
        let _ = self.table.chat.apply(&mut self.table.state, &record);
        position
    }

    fn member(&mut self, kind: &'static str, id: &str) {
        let body = format!(r#"{{"user_id":"{id}","name":"A \"quoted\" name","role":"member"}}"#);
        self.record(kind, None, body);
    }

    fn fill(&mut self, width: usize) {
        let id = |number: usize| format!("{number:0>width$}");
        let (long, longer) = ("t".repeat(100), "ö".repeat(500));
        let settings =
            format!(r#"{{"title":"{long}","topic":"{longer}","access":"open","slow_mode_seconds":21600}}"#);
        for number in 0..MODERATED_MAX + 10 {
            for kind in ["member_banned", "member_muted", "member_kicked"] {
                self.member(kind, &id(number));
            }
        }
        for number in 0..MEMBERS_MAX + 10 {
            self.member("member_added", &id(number));
        }
        self.record("room_changed", None, settings);
        for number in 0..ERASED_MAX + 10 {
            self.member("user_erased", &format!("e{}", id(number)));
        }
        for number in 0..1500 {
            let body = format!(r#"{{"content":"{}"}}"#, "x".repeat(1200));
            let said = self.record("message", Some(&id(number)), body);
            let payload = format!(r#"{{"message_id":"{said}","author":"{}","reaction":"👍"}}"#, id(number));
            for other in 0..4 {
                self.record("reaction_added", Some(&id(other)), payload.clone());
            }
        }
        for number in 0..CHANGED_MAX + 10 {
            let body = format!(
                r#"{{"message_id":"100000007-{number}","author":"{}","payload":{{"content":"x"}}}}"#,
                id(number)
            );
            self.record("message_edited", Some(&id(number)), body);
        }
        for number in 0..DELETED_MAX + 10 {
            let body = format!(r#"{{"message_id":"100000007-{}"}}"#, 100_000 + number * 700);
            self.record("message_deleted", None, body);
        }
    }
}

#[test]
fn a_room_of_everything_is_saved_within_a_mebibyte() {
    for width in [6, 36, 128] {
        let mut filling = Filling::new();
        filling.fill(width);
        let table = &filling.table;
        table.state.check_bounds();
        let saved = table.chat.save(&table.state);
        assert!(saved.len() <= SNAPSHOT_BYTES_MAX, "{width}: {}", saved.len());
        assert!(
            saved.len() > SNAPSHOT_BYTES_MAX / 2,
            "{width}: it was to be filled, and has {}",
            saved.len()
        );
        let read = table.chat.load(&table.room, &saved).expect("what was saved is read");
        assert_eq!(table.chat.save(&read), saved);
        assert!(table.chat.view(&table.state, Audience::default()).len() < 128 << 10);
        assert_eq!(table.chat.steps(&table.state).len(), 64);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let mut filling = Filling::new();
    filling.fill(6);
    // What is left is filled with the least that there is.
    for number in 0..20 {
        let id = format!("100000007-{}", 3_000_000 + number);
        let body = format!(r#"{{"message_id":"{id}","author":"o","payload":{{"content":"x"}}}}"#);
        filling.record("message_edited", Some("o"), body);
    }
    let table = &mut filling.table;
    table.wait(86_400_000);
    table.next.offset = 2_000_000_000;
    let id = table.say(&user("o"), "hi");
    let refused = |table: &mut Table, caller, word, payload: &str| {
        let refusal = table.refusal(&caller, word, &payload.replace("ID", &id));
        assert!(refusal.text.len() > 30, "{}", refusal.text);
        refusal.code
    };
    let members = Code::App("TOO_MANY_MEMBERS");
    assert_eq!(refused(table, user("o"), "add_member", r#"{"user_id":"x"}"#), members);
    assert_eq!(refused(table, user("o"), "ban_member", r#"{"user_id":"x"}"#), members);
    assert_eq!(refused(table, user("o"), "mute_member", r#"{"user_id":"x"}"#), members);
    let changes = Code::App("TOO_MANY_CHANGES");
    assert_eq!(refused(table, user("o"), "edit_message", r#"{"message_id":"ID","content":"x"}"#), changes);
    assert_eq!(refused(table, user("o"), "add_reaction", r#"{"message_id":"ID","reaction":"x"}"#), changes);
    assert_eq!(refused(table, user("o"), "delete_message", r#"{"message_id":"ID"}"#), changes);
    assert_eq!(refused(table, key(), "erase_user", r#"{"user_id":"x"}"#), changes);
    table.does(&user("o"), "kick_member", r#"{"user_id":"x"}"#);
    assert!(table.enters(&user("x")).is_err());
    let settled = table.settle();
    assert!(settled.len() > 4000, "{}", settled.len());
}

#[test]
fn a_message_has_so_many_reactions_and_no_more() {
    let mut table = Table::new("lobby");
    let id = table.say(&user("a"), "hi");
    let react = |reaction: usize| format!(r#"{{"message_id":"{id}","reaction":"{reaction}"}}"#);
    for number in 0..20 {
        table.does(&user("b"), "add_reaction", &react(number));
    }
    assert_eq!(table.told(&user("b"), "add_reaction", &react(20)), "! TOO_MANY_CHANGES");
    for number in 20..200 {
        table.does(&user(&format!("u{number}")), "add_reaction", &react(1));
    }
    assert_eq!(table.told(&user("c"), "add_reaction", &react(1)), "! TOO_MANY_CHANGES");
}
