//! What becomes of messages.

use app::App;
use vocabulary::{Audience, Caller, Payload, Record};

use super::table::{Table, key, rules, user};
use crate::{RoomRule, Rules};

#[test]
fn a_message_is_shown_as_it_is_now() {
    let (mut table, ana, bo) = (Table::new("general"), user("a"), user("b"));
    let id = table.say(&ana, "hi");
    let edit = format!(r#"{{"message_id":"{id}","content":"hello","mood":[1]}}"#);
    let edited = table.ask(&ana, "edit_message", &edit).expect("she is the author");
    let now = r#""content":"hello","mood":[1],"changes":{"edited_at":"2026-01-01T10:00:00.000Z""#;
    assert_eq!(table.frame(&edited[0]), format!(r#"message_edited {{"message_id":"{id}",{now}}}}}"#));
    assert_eq!(table.history(), [format!("{{{now}}}}}")]);

    let react = format!(r#"{{"message_id":"{id}","reaction":"👍"}}"#);
    assert_eq!(table.told(&bo, "add_reaction", &react), format!("reaction_added {react}"));
    assert_eq!(table.told(&bo, "add_reaction", &react), "-", "once is enough");
    assert_eq!(table.told(&ana, "add_reaction", &react), format!("reaction_added {react}"));
    assert_eq!(
        table.history(),
        [format!(r#"{{{now},"reactions":[{{"reaction":"👍","users":["b","a"]}}]}}}}"#)]
    );
    assert_eq!(table.told(&bo, "remove_reaction", &react), format!("reaction_removed {react}"));
    assert_eq!(table.told(&bo, "remove_reaction", &react), "-");

    let again = format!(r#"{{"message_id":"{id}","content":"hey"}}"#);
    table.does(&ana, "edit_message", &again);
    assert_eq!(table.frame(&edited[0]), "hidden", "only the edit that stands is to be read");

    let named = format!(r#"{{"message_id":"{id}"}}"#);
    assert_eq!(table.told(&ana, "delete_message", &named), format!("message_deleted {named}"));
    assert_eq!(table.told(&ana, "delete_message", &named), "-");
    assert_eq!(table.history(), [r#"{"content":"","changes":{"deleted":true}}"#]);
    for (word, payload) in [("edit_message", &again), ("add_reaction", &react)] {
        assert_eq!(table.told(&ana, word, payload), "! NOT_FOUND", "{word}");
    }
    let seen: Vec<String> = table.log.values().map(|record| table.frame(record)).collect();
    assert!(!seen.concat().contains("hey") && !seen.concat().contains("hello"), "{seen:?}");
    let saved = table.chat.save(&table.state);
    assert!(!String::from_utf8_lossy(&saved).contains("he"), "{saved:?}");
}

#[test]
fn only_its_author_edits_and_a_key_only_what_nobody_wrote() {
    let mut table = Table::new("general");
    table.does(&user("o"), "create_room", "{}");
    let (of_ana, of_key) = (table.say(&user("a"), "hi"), table.say(&key(), "hi"));
    let said = |id: &str, caller| (format!(r#"{{"message_id":"{id}","content":"new"}}"#), caller);
    for ((payload, caller), may) in [
        (said(&of_ana, user("b")), false),
        (said(&of_ana, user("o")), false),
        (said(&of_ana, user("w")), false),
        (said(&of_ana, key()), false),
        (said(&of_key, user("w")), false),
        (said(&of_key, key()), true),
        (said(&of_ana, user("a")), true),
    ] {
        let told = table.told(&caller, "edit_message", &payload);
        assert_eq!(told != "! Forbidden", may, "{caller:?} {payload} {told}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let (mut table, ana) = (Table::new("general"), user("a"));
    table.does(&ana, "create_room", "{}");
    let id = table.say(&ana, "hi");
    for (word, payload, text) in [
        ("change_room", r#"{"slow_mode_seconds":90000}"#, "slow_mode_seconds must be 0 to 21600, got 90000"),
        ("change_room", r#"{"access":"secret"}"#, "access must be \"open\" or \"private\", got \"secret\""),
        ("change_room", r#"{"title":7}"#, "title must be a text, got 7"),
        ("add_member", "{}", "user_id is required: the id of a user"),
        ("add_member", r#"{"user_id":""}"#, "user_id must not be empty, got 0 bytes"),
        (
            "add_member",
            r#"{"user_id":"b","role":"king"}"#,
            "role must be \"member\", \"moderator\" or \"owner\", got \"king\"",
        ),
        ("mute_member", r#"{"user_id":"b","seconds":0}"#, "seconds must be 1 to 31536000, got 0"),
        ("delete_message", "{}", "message_id is required: the id of the message"),
        ("delete_message", r#"{"message_id":"7"}"#, "message_id must be the id of a message, got \"7\""),
        (
            "send_message",
            r#"{"content":"x","changes":{}}"#,
            "changes is the server's own field: leave it out, or give yours another name",
        ),
    ] {
        assert_eq!(table.refusal(&ana, word, payload).text, text, "{word} {payload}");
    }
    let payload = format!(r#"{{"message_id":"{id}"}}"#);
    assert_eq!(
        table.refusal(&ana, "add_reaction", &payload).text,
        "reaction is required: one emoji or a short word"
    );
}

#[test]
fn an_erased_user_leaves_tombstones_and_nothing_else() {
    let (mut table, ana, bo) = (Table::new("general"), user("a"), user("b"));
    let (first, of_bo) = (table.say(&ana, "secret"), table.say(&bo, "hi"));
    let react = |id: &str| format!(r#"{{"message_id":"{id}","reaction":"+"}}"#);
    table.does(&ana, "edit_message", &format!(r#"{{"message_id":"{first}","content":"private"}}"#));
    table.does(&ana, "add_reaction", &react(&of_bo));
    table.does(&bo, "add_reaction", &react(&of_bo));
    assert_eq!(table.told(&bo, "erase_user", r#"{"user_id":"a"}"#), "! Forbidden");
    assert_eq!(table.told(&user("w"), "erase_user", r#"{"user_id":"a"}"#), r#"user_erased {"user_id":"a"}"#);
    let erased = r#"{"content":"","changes":{"erased":true}}"#;
    let hi = r#"{"content":"hi","changes":{"reactions":[{"reaction":"+","users":["b"]}]}}"#;
    assert_eq!(table.history(), [erased, hi]);
    let seen: String = table.log.values().map(|record| table.frame(record)).collect();
    let saved = String::from_utf8_lossy(&table.chat.save(&table.state)).into_owned();
    for word in ["secret", "private"] {
        assert!(!seen.contains(word) && !saved.contains(word), "{word}");
    }
    assert_eq!(
        table.told(&ana, "edit_message", &format!(r#"{{"message_id":"{first}","content":"x"}}"#)),
        "! NOT_FOUND"
    );
    assert_eq!(table.told(&ana, "delete_message", &format!(r#"{{"message_id":"{first}"}}"#)), "-");
    table.say(&ana, "again");
    assert_eq!(table.history(), [erased, hi, r#"{"content":"again"}"#], "what comes later is hers again");
}

#[test]
fn an_erasure_names_what_was_theirs_until_it_is_swept() {
    let (mut table, ana, bo) = (Table::new("general"), user("a"), user("b"));
    let (first, of_bo) = (table.say(&ana, "secret"), table.say(&bo, "hi"));
    let named = |id: &str, more: &str| format!(r#"{{"message_id":"{id}",{more}}}"#);
    table.does(&ana, "edit_message", &named(&first, r#""content":"private""#));
    table.does(&ana, "add_reaction", &named(&of_bo, r#""reaction":"+""#));
    table.does(&bo, "edit_message", &named(&of_bo, r#""content":"hello""#));
    assert_eq!(table.chat.sweeps(&table.state), None);
    let erased = |table: &Table| -> Vec<u64> {
        let is_erased = |record: &&Record| table.chat.is_erased(&table.state, record);
        table.log.values().filter(is_erased).map(|record| record.position.offset).collect()
    };
    assert!(erased(&table).is_empty());
    table.does(&user("w"), "erase_user", r#"{"user_id":"a"}"#);
    assert!(table.last.wakes, "the steward is to look");
    table.say(&ana, "again");
    table.does(&user("w"), "erase_user", r#"{"user_id":"c"}"#);
    assert_eq!(erased(&table), [1, 3, 4], "what was said, changed and reacted with, up to there");
    let loaded = table.chat.load(&table.room, &table.chat.save(&table.state)).expect("it is read");
    for upto in [6, 8] {
        let sweep = table.chat.sweeps(&table.state).expect("one is open");
        assert_eq!(sweep.upto.offset, upto, "the oldest first");
        if upto == 6 {
            assert_eq!(table.chat.sweeps(&loaded), Some(sweep.clone()), "a snapshot knows it");
        }
        let duty = Caller::Duty { name: sweep.then.name.clone(), payload: sweep.then.payload };
        let ended = table.told(&duty, &sweep.then.name, "");
        assert_eq!(ended, "hidden", "it is told to nobody");
        assert_eq!(table.told(&duty, &sweep.then.name, ""), "-", "again is nothing");
        assert!(erased(&table).is_empty(), "what is swept is in no log");
    }
    assert_eq!(table.chat.sweeps(&table.state), None);
}

#[test]
fn a_deleted_room_is_swept_too() {
    let (mut table, ana) = (Table::new("general"), user("a"));
    table.does(&user("o"), "create_room", r#"{"title":"t"}"#);
    let first = table.say(&ana, "secret");
    table.does(&ana, "edit_message", &format!(r#"{{"message_id":"{first}","content":"mild"}}"#));
    table.does(&user("o"), "delete_room", "{}");
    table.does(&key(), "erase_user", r#"{"user_id":"a"}"#);
    let erased = |record: &&Record| table.chat.is_erased(&table.state, record);
    let kinds: Vec<_> = table.log.values().filter(erased).map(|record| &*record.kind).collect();
    assert_eq!(kinds, ["message", "message_edited"]);
}

/// Where no sweep ever ends, because the deployment's format has no tombstones, what is erased is hidden all the same.
#[test]
fn an_erasure_does_not_wait_for_those_before_it() {
    let mut table = Table::new("general");
    let (ana, first) = (user("a"), format!("{:0>9}", 0));
    table.say(&ana, "secret");
    for number in 0..crate::changes::ERASED_MAX - 1 {
        table.does(&key(), "erase_user", &format!(r#"{{"user_id":"{number:0>9}"}}"#));
    }
    table.does(&key(), "erase_user", r#"{"user_id":"a"}"#);
    assert_eq!(table.history(), [r#"{"content":"","changes":{"erased":true}}"#]);
    assert_eq!(table.told(&key(), "erase_user", r#"{"user_id":"one more"}"#), "! TOO_MANY_CHANGES");
    let upto = table.chat.sweeps(&table.state).map(|sweep| sweep.upto.offset);
    table.does(&key(), "erase_user", &format!(r#"{{"user_id":"{first}"}}"#));
    let next = table.chat.sweeps(&table.state).map(|sweep| sweep.upto.offset);
    assert_eq!((upto, next), (Some(2), Some(3)), "of a user that is erased anew the newest counts");
}

#[test]
fn a_view_has_the_last_messages_as_they_are_now_and_the_room() {
    let (mut table, ana) = (Table::new("general"), user("a"));
    let ids: Vec<String> = (0..60)
        .map(|_| {
            table.wait(100);
            table.say(&ana, "hi")
        })
        .collect();
    table.does(&ana, "delete_message", &format!(r#"{{"message_id":"{}"}}"#, ids[59]));
    let view = table.chat.view(&table.state, Audience::default());
    let view: serde_json::Value = serde_json::from_slice(&view).expect("JSON");
    let messages = view["messages"].as_array().expect("a list");
    assert_eq!((messages.len(), &messages[0]["id"]), (50, &serde_json::Value::from(ids[10].as_str())));
    let last = serde_json::json!({
        "id": "100000007-60",
        "payload": {"content": "", "changes": {"deleted": true}},
        "sender": {"id": "a", "name": "A"},
        "timestamp": "2026-01-01T10:00:06.000Z",
        "position": {"epoch": "100000007", "offset": 60},
    });
    assert_eq!(messages[49], last);
    let about = serde_json::json!({"title": "", "topic": "", "access": "open", "slow_mode_seconds": 0,
        "created": false, "messages": 60});
    assert_eq!(view["about"], about);
}

#[test]
fn a_joiner_is_told_of_the_room_and_of_what_it_has_not_read() {
    let (mut table, ana, bo) = (Table::new("general"), user("a"), user("b"));
    for who in [&ana, &bo, &bo, &ana] {
        table.say(who, "hi");
    }
    table.does(&bo, "delete_message", r#"{"message_id":"100000007-3"}"#);
    for (caller, offset, unread) in [(&ana, 0, 1), (&ana, 2, 0), (&bo, 1, 1), (&bo, 4, 0)] {
        let join =
            format!(r#"{{"room_id":"general","read_upto":{{"epoch":"100000007","offset":{offset}}}}}"#);
        assert_eq!(table.about(caller, &join)["unread"], unread, "{offset}");
    }
    assert_eq!(table.about(&ana, "{}")["unread"], serde_json::Value::Null);
    assert_eq!(table.about(&ana, r#"{"read_upto":7}"#)["role"], "guest");
}

#[test]
fn pace_and_slow_mode_hold_users_and_nobody_else() {
    let mut table = Table::with("general", Rules { messages_per_second: 1, burst: 3, ..rules() });
    table.does(&user("o"), "create_room", r#"{"members":["a"]}"#);
    for _ in 0..3 {
        table.say(&user("a"), "hi");
    }
    let refusal = table.refusal(&user("a"), "send_message", r#"{"content":"x"}"#);
    assert_eq!((refusal.code, refusal.retry_after_ms), (vocabulary::Code::RateLimit, Some(1000)));
    (0..9).for_each(|_| drop(table.say(&key(), "hi")));
    table.does(&user("o"), "change_room", r#"{"slow_mode_seconds":30}"#);
    table.wait(10_000);
    table.say(&user("a"), "hi");
    table.wait(10_000);
    let refusal = table.refusal(&user("a"), "send_message", r#"{"content":"x"}"#);
    assert_eq!((refusal.code, refusal.retry_after_ms), (vocabulary::Code::App("SLOW_MODE"), Some(20_000)));
    for exempt in [user("o"), user("w"), key(), user("o"), user("w")] {
        table.say(&exempt, "hi");
    }
    table.wait(20_000);
    table.say(&user("a"), "hi");
}

#[test]
fn old_messages_and_what_became_of_them_go_together() {
    let mut table = Table::with("general", Rules { retention_days: 2, ..rules() });
    let ana = user("a");
    let (gone, kept) = (table.say(&ana, "gone"), table.say(&ana, "old"));
    table.does(&ana, "delete_message", &format!(r#"{{"message_id":"{gone}"}}"#));
    for _ in 0..5 {
        table.wait(24 * 3600 * 1000);
        table.say(&ana, "today");
    }
    assert_eq!(table.history().len(), 4, "to a day: what is told apart is days");
    assert!(table.history().iter().all(|message| message.contains("today")));
    for id in [gone, kept] {
        assert_eq!(table.told(&ana, "delete_message", &format!(r#"{{"message_id":"{id}"}}"#)), "! NOT_FOUND");
    }
}

#[test]
fn roles_in_tokens_open_rooms_by_the_operators_rules() {
    let editors = || vec!["editor".to_owned()];
    let news = RoomRule { pattern: "news".into(), send: editors(), create: editors(), ..RoomRule::default() };
    let team = RoomRule { pattern: "team-*".into(), join: editors(), ..RoomRule::default() };
    let all = || Rules { rooms: vec![news.clone(), team.clone()], ..rules() };
    let mut table = Table::with("news", all());
    for (word, payload) in [("send_message", r#"{"content":"x"}"#), ("create_room", "{}"), ("typing", "")] {
        assert_eq!(table.told(&user("a"), word, payload), "! Forbidden", "{word}");
    }
    table.say(&user("e"), "hi");
    assert_eq!(table.told(&user("e"), "create_room", "{}"), "! EXISTS", "nobody takes a room that is in use");
    table.does(&key(), "create_room", "{}");
    let mut table = Table::with("news", all());
    table.does(&user("e"), "create_room", "{}");
    let mut table = Table::with("team-a", all());
    assert!(table.enters(&user("a")).is_err() && table.enters(&user("e")).is_ok());
    table.does(&user("e"), "create_room", r#"{"members":["a"]}"#);
    assert!(table.enters(&user("a")).is_ok(), "an owner's word stands above the list");
}

#[test]
fn a_snapshot_of_the_first_version_is_read_and_one_of_a_later_is_refused_by_name() {
    let table = Table::new("general");
    let first = Payload::from_static(
        br#"{"version":1,"messages":[{"epoch":4294967303,"offset":5,"at":0,"author":{"id":"7","name":"Ana \"A\""},"payload":{"content":"hi"}}]}"#,
    );
    let state = table.chat.load(&table.room, &first).expect("the first version");
    let view = table.chat.view(&state, Audience::default());
    assert!(
        String::from_utf8_lossy(&view)
            .contains(r#""payload":{"content":"hi"},"sender":{"id":"7","name":"Ana \"A\""}"#)
    );
    let newer = Payload::from_static(br#"{"version":9,"messages":[]}"#);
    let refused = table.chat.load(&table.room, &newer).expect_err("a later version");
    assert_eq!(refused.0, "chat snapshot of version 9");
}
