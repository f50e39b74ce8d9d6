//! Rooms and the people in them.

use app::App;
use serde_json::json;
use vocabulary::{Caller, Code, Payload, Refusal, RoomId, StepId, Touched, UserId};

use super::table::{Table, key, rules, user};
use crate::{RoomRule, Rules};

#[test]
fn who_creates_a_room_owns_it_and_tells_its_members() {
    let (mut table, ana) = (Table::new("team"), user("a"));
    let asked = r#"{"title":"Team","access":"private","members":["b",{"id":"c","name":"Cleo"},"a","b"]}"#;
    let told = r#"room_changed {"title":"Team","topic":"","access":"private","slow_mode_seconds":0}"#;
    assert_eq!(table.told(&ana, "create_room", asked), told);
    assert!(table.last.wakes && table.last.records[0].touches == Touched::Everybody);
    assert_eq!(table.told(&ana, "create_room", "{}"), "! EXISTS");
    let listed = |id: &str, role: &str| {
        format!(
            r#"user:{id} channel_changed {{"access":"private","role":"{role}","room_id":"chat:team","title":"Team"}}"#
        )
    };
    assert_eq!(table.settle(), [listed("a", "owner"), listed("b", "member"), listed("c", "member")]);
    let members = json!({"members": [
        {"user_id": "a", "name": "A", "role": "owner"},
        {"user_id": "b", "name": "b", "role": "member"},
        {"user_id": "c", "name": "Cleo", "role": "member"},
    ], "count": 3, "muted": [], "banned": []});
    assert_eq!(table.told(&ana, "get_members", ""), members.to_string());
    assert!(table.enters(&user("d")).is_err() && table.enters(&user("b")).is_ok());
    let about = json!({"title": "Team", "topic": "", "access": "private", "slow_mode_seconds": 0,
        "created": true, "messages": 0, "role": "owner"});
    assert_eq!(table.about(&ana, "{}"), about);
    assert_eq!(table.told(&ana, "get_room", "{}"), about.to_string());
    assert_eq!(table.told(&user("d"), "get_room", "{}"), "! Forbidden");
}

#[test]
fn an_inbox_is_told_the_newest_alone_and_any_answer_is_one() {
    let (mut table, ana) = (Table::new("team"), user("a"));
    table.does(&ana, "create_room", r#"{"members":["b"]}"#);
    let first = table.chat.steps(&table.state);
    table.does(&ana, "change_room", r#"{"title":"New"}"#);
    table.does(&ana, "remove_member", r#"{"user_id":"b"}"#);
    let id = |position, number| StepId { saga: RoomId::new("chat", "team"), position, number };
    let answer = |step: &app::Step, result| Caller::Outcome { step: id(step.position, step.number), result };
    table.does(&answer(&first[0], Ok(Payload::new())), "outcome", "");
    assert_eq!(table.last.records.len(), 0, "an answer to what is not asked any more");
    let open = table.chat.steps(&table.state);
    let kinds: Vec<String> = open.iter().map(|step| format!("{} {}", step.room, step.kind)).collect();
    assert_eq!(kinds, ["user:a channel_changed", "user:b channel_removed"]);
    table.does(&answer(&open[0], Err(Refusal::busy(100))), "outcome", "");
    assert_eq!(table.chat.steps(&table.state).len(), 2, "busy is no answer");
    table.does(&answer(&open[0], Err(Refusal::new(Code::Forbidden, "no"))), "outcome", "");
    table.does(&answer(&open[1], Ok(Payload::new())), "outcome", "");
    assert!(table.chat.steps(&table.state).is_empty());
    table.does(&ana, "change_room", r#"{"topic":"x","slow_mode_seconds":5}"#);
    assert!(!table.last.wakes && table.chat.steps(&table.state).is_empty(), "no list shows these");
}

#[test]
fn who_is_put_out_stays_out_as_long_as_it_holds() {
    let mut table = Table::new("team");
    table.does(&user("a"), "create_room", r#"{"members":["b","c"]}"#);
    let reason = r#"{"user_id":"b","reason":"spam"}"#;
    assert_eq!(table.told(&user("a"), "kick_member", reason), format!("member_kicked {reason}"));
    assert_eq!(table.last.records[0].touches, Touched::Users(vec![UserId::new("b")]));
    assert_eq!(table.enters(&user("b")), Err("Forbidden".into()));
    table.wait(60_000);
    assert_eq!(table.enters(&user("b")), Ok(()));
    table.does(&user("a"), "ban_member", reason);
    assert_eq!(table.enters(&user("b")), Err("App(\"BANNED\")".into()));
    assert_eq!(table.told(&user("b"), "send_message", r#"{"content":"x"}"#), "! BANNED");
    assert_eq!(table.told(&user("b"), "typing", ""), "! BANNED");
    assert_eq!(table.told(&user("a"), "ban_member", reason), "-");
    assert_eq!(table.told(&user("a"), "add_member", r#"{"user_id":"b"}"#), "! BANNED");
    table.does(&user("a"), "unban_member", r#"{"user_id":"b"}"#);
    assert_eq!(table.about(&user("b"), "{}")["role"], "guest", "a ban ends the membership");
}

#[test]
fn who_is_muted_reads_and_does_not_speak() {
    let mut table = Table::new("team");
    table.does(&user("a"), "create_room", r#"{"members":["b"]}"#);
    let id = table.say(&user("b"), "hi");
    let told = r#"member_muted {"reason":"calm down","until":"2026-01-01T10:01:00.000Z","user_id":"b"}"#;
    let mute = r#"{"user_id":"b","seconds":60,"reason":"calm down"}"#;
    assert_eq!(table.told(&user("a"), "mute_member", mute), told);
    assert_eq!(table.enters(&user("b")), Ok(()));
    assert_eq!(table.about(&user("b"), "{}")["muted_until"], "2026-01-01T10:01:00.000Z");
    let named = format!(r#"{{"message_id":"{id}","content":"x","reaction":"x"}}"#);
    for word in ["send_message", "edit_message", "add_reaction", "typing"] {
        assert_eq!(table.told(&user("b"), word, &named), "! MUTED", "{word}");
    }
    assert_eq!(table.refusal(&user("b"), "send_message", r#"{"content":"x"}"#).retry_after_ms, Some(60_000));
    for word in ["stop_typing", "delete_message"] {
        table.does(&user("b"), word, &named);
    }
    table.wait(60_000);
    table.say(&user("b"), "hi");
    table.does(&user("a"), "mute_member", r#"{"user_id":"b"}"#);
    assert_eq!(table.about(&user("b"), "{}")["muted_until"], "forever");
    assert_eq!(table.refusal(&user("b"), "send_message", r#"{"content":"x"}"#).retry_after_ms, None);
    table.does(&user("a"), "unmute_member", r#"{"user_id":"b"}"#);
    table.say(&user("b"), "hi");
}

#[test]
fn the_last_owner_stays_unless_a_warden_says_otherwise() {
    let mut table = Table::new("team");
    table.does(&user("a"), "create_room", r#"{"members":["b"]}"#);
    for (word, payload) in
        [("remove_member", r#"{"user_id":"a"}"#), ("set_role", r#"{"user_id":"a","role":"member"}"#)]
    {
        let text = table.refusal(&user("a"), word, payload).text;
        assert_eq!(text, "the last owner stays: make somebody else owner first");
    }
    table.does(&user("a"), "set_role", r#"{"user_id":"b","role":"owner"}"#);
    assert_eq!(
        table.told(&user("b"), "remove_member", r#"{"user_id":"a"}"#),
        "! Forbidden",
        "nor another owner"
    );
    table.does(&user("a"), "remove_member", r#"{"user_id":"a"}"#);
    table.does(&user("w"), "set_role", r#"{"user_id":"b","role":"member"}"#);
    table.does(&key(), "remove_member", r#"{"user_id":"b"}"#);
    assert_eq!(table.told(&key(), "remove_member", r#"{"user_id":"b"}"#), "! NOT_FOUND");
    assert_eq!(table.told(&key(), "set_role", r#"{"user_id":"b","role":"owner"}"#), "! NOT_FOUND");
}

#[test]
fn everybody_adds_themselves_to_an_open_room_and_only_themselves() {
    let mut table = Table::new("lobby");
    let own = r#"member_added {"user_id":"a","name":"A","role":"member"}"#;
    assert_eq!(table.told(&user("a"), "add_member", r#"{"user_id":"a","name":"Boss"}"#), own);
    assert_eq!(table.told(&user("a"), "add_member", r#"{"user_id":"a"}"#), "-");
    assert_eq!(table.told(&user("b"), "add_member", r#"{"user_id":"b","role":"owner"}"#), "! Forbidden");
    assert_eq!(table.told(&user("b"), "add_member", r#"{"user_id":"c"}"#), "! Forbidden");
    assert_eq!(table.told(&key(), "add_member", r#"{"user_id":"a","role":"owner"}"#), "! EXISTS");
    table.does(&user("a"), "remove_member", r#"{"user_id":"a"}"#);
    table.does(&key(), "add_member", r#"{"user_id":"c","name":"Cleo","role":"owner"}"#);
    table.does(&user("c"), "change_room", r#"{"access":"private"}"#);
    assert_eq!(table.last.records[0].touches, Touched::Everybody);
    assert_eq!(table.told(&user("c"), "change_room", r#"{"access":"private"}"#), "-");
    assert_eq!(table.told(&user("a"), "add_member", r#"{"user_id":"a"}"#), "! Forbidden");
}

#[test]
fn a_deleted_room_is_over_for_everybody() {
    let mut table = Table::new("team");
    table.does(&user("a"), "create_room", r#"{"members":["b"]}"#);
    table.say(&user("b"), "hi");
    table.settle();
    assert_eq!(table.told(&user("b"), "delete_room", "{}"), "! Forbidden");
    assert_eq!(table.told(&user("a"), "delete_room", "{}"), "room_deleted {}");
    assert_eq!(table.last.records[0].touches, Touched::Everybody);
    assert_eq!(table.history(), [""; 0]);
    for caller in [user("a"), user("b"), user("w"), key()] {
        assert_eq!(
            table.refusal(&caller, "send_message", r#"{"content":"x"}"#).text,
            "this room was deleted"
        );
        assert_eq!(table.told(&caller, "create_room", "{}"), "! Forbidden");
    }
    let told = table.settle();
    assert_eq!(told, ["a", "b"].map(|id| format!(r#"user:{id} channel_removed {{"room_id":"chat:team"}}"#)));
    assert_eq!(table.state.people.known().count(), 0);
    table.does(&key(), "erase_user", r#"{"user_id":"b"}"#);
}

#[test]
fn a_room_of_two_is_for_the_two_and_lists_itself_when_they_speak() {
    let mut table = Table::new("direct:a:b");
    for (caller, may) in
        [(user("a"), true), (user("b"), true), (user("c"), false), (user("w"), false), (key(), true)]
    {
        assert_eq!(table.enters(&caller).is_ok(), may, "{caller:?}");
    }
    assert_eq!(table.about(&user("a"), "{}")["access"], "direct");
    let id = table.say(&user("a"), "hi");
    assert!(table.last.wakes);
    let told =
        r#"channel_changed {"access":"direct","role":"member","room_id":"chat:direct:a:b","title":""}"#;
    assert_eq!(table.settle(), [format!("user:a {told}"), format!("user:b {told}")]);
    table.say(&user("b"), "hi");
    assert!(!table.last.wakes && table.settle().is_empty());
    assert_eq!(
        table.told(&user("b"), "delete_message", &format!(r#"{{"message_id":"{id}"}}"#)),
        "! Forbidden"
    );
    for word in ["create_room", "change_room", "delete_room", "add_member", "ban_member", "mute_member"] {
        assert_eq!(table.told(&user("a"), word, r#"{"user_id":"b"}"#), "! Forbidden", "{word}");
    }
    assert_eq!(table.told(&user("a"), "erase_user", r#"{"user_id":"b"}"#), "! Forbidden");
    table.does(&key(), "erase_user", r#"{"user_id":"b"}"#);
}

#[test]
fn a_name_that_looks_like_that_of_two_and_is_nobodys_is_entered_by_nobody() {
    for name in ["direct:b:a", "direct:a", "direct:a:b:c", "direct:a_b:c", "direct:"] {
        let mut table = Table::new(name);
        assert!(table.enters(&user("a")).is_err(), "{name}");
        assert_eq!(table.told(&user("a"), "create_room", "{}"), "! Forbidden", "{name}");
    }
    assert!(Table::new("direct:a:b").enters(&user("a")).is_ok());
}

#[test]
fn brokers_hear_of_a_room_what_everybody_may() {
    let staff = RoomRule { pattern: "team-*".into(), join: vec!["staff".into()], ..RoomRule::default() };
    for (name, private, outward) in [
        ("general", false, true),
        ("general", true, false),
        ("team-a", false, false),
        ("direct:a:b", false, false),
        ("direct:b:a", false, false),
    ] {
        let mut table = Table::with(name, Rules { rooms: vec![staff.clone()], ..rules() });
        if private {
            table.does(&key(), "create_room", r#"{"access":"private"}"#);
        }
        assert_eq!(table.chat.is_outward(&table.state), outward, "{name}, private: {private}");
    }
}

#[test]
fn what_is_meant_for_two_and_names_them_wrongly_is_refused_and_not_kept() {
    let mut table = Table::new("direct:sta:ana");
    let refused =
        |caller: &Caller, table: &mut Table| table.refusal(caller, "send_message", r#"{"content":"x"}"#).text;
    for caller in [user("ana"), user("w"), key(), Caller::Source { name: "redis".into(), author: None }] {
        let text = refused(&caller, &mut table);
        assert!(text.contains("no two users have a room of this name"), "{text}");
    }
    assert!(table.log.is_empty());
    table.does(&key(), "erase_user", r#"{"user_id":"ana"}"#);
}
