//! A session's rules, without its department's: who is there, what is said, how it ends.

use app::App;

use super::world::{DESK, ONE, TWO, World, broker, guest, key, rules, user, user_in};
use crate::{CUSTOMER, OUTWARD, Rules, STAFF};

#[test]
fn a_name_that_means_nothing_is_entered_by_nobody() {
    let mut world = World::new();
    for room in ["lobby", "dept:", "dept:a b", "00000000-0000-4000-8000-00000000000A", "0000", "dept:x:y"] {
        assert_eq!(world.enters(room, &user("m")), Err("! NOT_FOUND".into()), "{room}");
        assert_eq!(world.told(room, &user("c1"), "start", "{}"), "! NOT_FOUND", "{room}");
    }
    assert_eq!(world.enters("dept:sales", &user("m")), Err("! NOT_FOUND".into()), "no configuration has it");
    let refusal = world.refusal(ONE, &user("c1"), "start", r#"{"department":"sales"}"#);
    assert_eq!(refusal.text, "department must be one of general, licences, got \"sales\"");
}

#[test]
fn the_first_start_makes_the_session_and_the_next_is_told_what_stands() {
    let mut world = World::new();
    assert_eq!(world.enters(ONE, &user("c1")), Err("! NOT_FOUND".into()));
    let start = r#"{"topic":"a licence","priority":"high"}"#;
    let update = format!(
        r#"session_update {{"department":"general","priority":"normal","session_id":"{ONE}","status":"waiting"}}"#
    );
    assert_eq!(world.told(ONE, &user("c1"), "start", start), update, "who is in a hurry, the staff says");
    let reply = world.last.reply.clone().expect("a start is answered");
    let stands = format!(
        r#"{{"department":"general","priority":"normal","requires_contact":true,"session_id":"{ONE}","status":"waiting","topic":"a licence"}}"#
    );
    assert_eq!(String::from_utf8_lossy(&reply), stands);
    assert_eq!(world.told(ONE, &user("c1"), "start", r#"{"topic":"another"}"#), stands);
    assert_eq!(world.told(ONE, &user("c2"), "start", "{}"), "! EXISTS");
    assert_eq!(world.told(TWO, &key(), "start", "{}"), "! InvalidPayload");
    world.does(TWO, &key(), "start", r#"{"customer_id":"guest-7","customer_name":"A guest"}"#);
    assert_eq!(world.enters(TWO, &guest("guest-7", TWO)), Ok(CUSTOMER.0));
}

#[test]
fn a_session_is_open_to_its_customer_and_to_the_staff_of_its_department() {
    let mut world = World::new();
    world.does(ONE, &user("c1"), "start", "{}");
    for (caller, enters) in [
        (user("c1"), Some(CUSTOMER)),
        (user("c2"), None),
        (guest("c2", ONE), None),
        (user_in("a1", Some(&["general"])), Some(STAFF)),
        (user_in("a1", Some(&["*"])), Some(STAFF)),
        (user_in("a1", Some(&["licences"])), None),
        (user_in("a1", None), None),
        (user("s"), Some(STAFF)),
        (user_in("s", Some(&["licences"])), None),
        (user("m"), Some(STAFF)),
        (key(), Some(STAFF)),
    ] {
        assert_eq!(world.enters(ONE, &caller).ok(), enters.map(|audience| audience.0), "{caller:?}");
    }
    world.does(TWO, &user("a9"), "start", "{}");
    assert_eq!(world.enters(TWO, &user("a9")), Ok(CUSTOMER.0), "who asks for help is a customer");
}

/// T36: what is the staff's is refused to the customer of the session, and everything of it to another's.
#[test]
fn a_customer_does_nothing_that_is_the_staffs_and_nothing_to_another_session() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    let said = r#"{"agent_id":"c1","department":"licences","note":"x","text":"x","priority":"high","status":"available","session_id":"x","user_id":"c2","message":"x","score":5,"reason":"x","rating":5}"#;
    let before = world.place(ONE).log.len();
    for kind in ["add_note", "assign", "transfer", "set_priority"] {
        assert_eq!(world.told(ONE, &user("c1"), kind, said), "! Forbidden", "{kind}");
    }
    for word in crate::WORDS.iter().filter(|word| word.name != "start") {
        for stranger in [user("c2"), guest("c2", ONE)] {
            let told = world.told(ONE, &stranger, word.name, said);
            assert!(told.starts_with("! "), "{} of another's: {told}", word.name);
        }
    }
    for kind in ["set_status", "heartbeat", "pick", "get_department", "get_agent", "get_queue"] {
        let told = world.told(DESK, &user("c1"), kind, said);
        assert!(told.starts_with("! "), "{kind} of a department: {told}");
    }
    assert_eq!(world.place(ONE).log.len(), before);
}

#[test]
fn what_is_said_names_who_says_it_and_notes_stay_among_the_staff() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    let said = r#"new_message {"attachments":[],"message":"hello","message_type":"text","sender_id":"c1","sender_type":"customer"}"#;
    assert_eq!(
        world.told(ONE, &user("c1"), "send_message", r#"{"message":"hello","sender_type":"agent"}"#),
        said
    );
    assert_eq!(
        world.told(ONE, &user("c1"), "send_message", r#"{"content":"hello"}"#),
        said,
        "as other rooms call it"
    );
    assert_eq!(world.told(ONE, &user("a1"), "send_message", r#"{"message":"hi"}"#), "! Forbidden");
    assert_eq!(world.told(ONE, &user("c1"), "add_note", r#"{"note":"rude"}"#), "! Forbidden");
    assert_eq!(world.told(ONE, &user("a1"), "add_note", r#"{"note":"rude"}"#), "hidden");
    assert_eq!(world.newest(ONE, STAFF), r#"note_added {"note":"rude"}"#);
    assert_eq!(world.newest(ONE, OUTWARD), "hidden");
    world.on_duty("a1");
    let of_agent = said.replace("hello", "hi").replace("c1", "a1").replace("customer", "agent");
    assert_eq!(world.told(ONE, &user("a1"), "send_message", r#"{"message":"hi"}"#), of_agent);
    let ai = r#"{"message":"hi","sender_type":"ai"}"#;
    assert!(world.told(ONE, &key(), "send_message", ai).contains(r#""sender_type":"ai""#));
    assert!(
        world.told(ONE, &key(), "send_message", r#"{"message":"x"}"#).contains(r#""message_type":"system""#)
    );
    for (payload, says) in [
        ("{}", "message is required: the text to send"),
        (r#"{"message":" "}"#, "message is required: the text to send"),
        (
            r#"{"message":"x","message_type":"system"}"#,
            "message_type must be text, image or file, got system",
        ),
        (
            r#"{"message":"x","message_type":"video"}"#,
            "message_type must be text, image, file or system, got video",
        ),
    ] {
        assert_eq!(world.refusal(ONE, &user("c1"), "send_message", payload).text, says);
    }
    let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(4_001));
    assert_eq!(
        world.refusal(ONE, &user("c1"), "send_message", &long).text,
        "message must be at most 4000 characters, got 4001"
    );
    let view = String::from_utf8_lossy(&world.app.view(&world.places[ONE].state, CUSTOMER)).into_owned();
    assert!(view.contains("hello") && !view.contains("rude") && !view.contains("first_response_ms"));
    let view = String::from_utf8_lossy(&world.app.view(&world.places[ONE].state, STAFF)).into_owned();
    assert!(view.contains("rude") && view.contains("first_response_ms"));
}

#[test]
fn attachments_are_references_of_allowed_types_and_sizes() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    let with = |file: &str| format!(r#"{{"attachments":[{file}]}}"#);
    let good = with(r#"{"url":"/api/files/7","name":"a.png","type":"image/png","size":100}"#);
    assert!(world.told(ONE, &user("c1"), "send_message", &good).contains(r#""message_type":"image""#));
    for (file, names) in [
        (r#"{"url":"http://x/a.png","type":"image/png","size":1}"#, "attachments.url"),
        (r#"{"url":"/a","type":"text/html","size":1}"#, "attachments.type"),
        (r#"{"url":"/a","type":"image/png","size":10485761}"#, "attachments.size"),
        (r#"{"url":"/a","type":"image/png"}"#, "attachments.size"),
        (r#""/a""#, "attachments.type"),
    ] {
        let refusal = world.refusal(ONE, &user("c1"), "send_message", &with(file));
        assert!(refusal.text.starts_with(names), "{file}: {}", refusal.text);
    }
    let many = with(&[r#"{"url":"/a","type":"image/png","size":1}"#; 11].join(","));
    assert_eq!(world.told(ONE, &user("c1"), "send_message", &many), "! InvalidPayload");
    world.does(ONE, &key(), "send_message", &with(r#""https://files.example/a.html""#));
}

#[test]
fn typing_is_told_to_whom_it_concerns() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    world.does(ONE, &user("c1"), "typing", "");
    let told = r#"user_typing {"is_typing":true,"sender_type":"customer","user_id":"c1"}"#;
    assert_eq!(world.glimpse(ONE, "typing/c1", STAFF).as_deref(), Some(told));
    world.does(ONE, &user("a1"), "typing", "");
    assert_eq!(
        world.glimpse(ONE, "typing/a1", CUSTOMER),
        None,
        "who writes a note is no news to the customer"
    );
    assert!(world.glimpse(ONE, "typing/a1", STAFF).is_some());
    world.on_duty("a1");
    world.does(ONE, &user("a1"), "typing", "");
    assert!(world.glimpse(ONE, "typing/a1", CUSTOMER).is_some());
    world.does(ONE, &user("a1"), "typing", r#"{"is_typing":false}"#);
    assert_eq!(world.glimpse(ONE, "typing/a1", STAFF), None);
    world.wait(6_000);
    assert_eq!(world.glimpse(ONE, "typing/c1", STAFF), None, "it ends by itself");
    assert_eq!(world.told(ONE, &key(), "typing", ""), "! Forbidden");
}

#[test]
fn what_was_read_is_told_to_the_other_side() {
    let mut world = World::new();
    world.on_duty("a1");
    world.starts(ONE, "c1");
    world.does(ONE, &user("c1"), "send_message", r#"{"message":"hello"}"#);
    let at = world.places[ONE].log.last().expect("it was said").position;
    let upto = format!(r#"{{"upto":{{"epoch":"{}","offset":{}}}}}"#, at.epoch, at.offset);
    let read = world.told(ONE, &user("a1"), "mark_read", &upto);
    assert!(
        read.starts_with(r#"message_read {"message_id""#) && read.contains(r#""user_type":"agent""#),
        "{read}"
    );
    assert_eq!(world.told(ONE, &user("a1"), "mark_read", &upto), "-", "once");
    assert_eq!(world.told(ONE, &user("a2"), "mark_read", &upto), "! Forbidden");
    let named = format!(r#"{{"message_id":"{at}"}}"#);
    assert!(world.told(ONE, &user("c1"), "mark_read", &named).contains(r#""user_type":"customer""#));
    let beyond = format!(r#"{{"message_id":"{}-99"}}"#, at.epoch);
    assert_eq!(world.told(ONE, &user("c1"), "mark_read", &beyond), "! InvalidPayload");
}

#[test]
fn a_session_ends_once_and_is_rated_by_its_customer() {
    let mut world = World::new();
    world.on_duty("a1");
    world.starts(ONE, "c1");
    assert_eq!(world.told(ONE, &user("a2"), "close", "{}"), "! Forbidden", "another agent's");
    assert_eq!(world.told(ONE, &user("c1"), "rate", r#"{"rating":5}"#), "! Forbidden", "it is not over");
    assert_eq!(world.told(ONE, &user("a1"), "close", r#"{"rating":5}"#), "! Forbidden", "by the agent");
    let closed = world.told(ONE, &user("a1"), "close", r#"{"reason":"done"}"#);
    let expected = format!(
        r#"session_closed {{"by":"agent","closed_at":"2026-01-01T10:00:00.000Z","reason":"done","session_id":"{ONE}"}}"#
    );
    assert_eq!(closed, expected);
    assert_eq!(world.refusal(ONE, &user("c1"), "close", "{}").text, "Session is already closed");
    assert_eq!(
        world.refusal(ONE, &user("a1"), "send_message", r#"{"message":"x"}"#).text,
        "Session is closed"
    );
    let remedy = world.refusal(ONE, &user("c1"), "send_message", r#"{"message":"x"}"#).text;
    assert_eq!(remedy, "Session is closed: reopen opens it again");
    for payload in [r#"{"rating":0}"#, r#"{"rating":6}"#, r#"{"feedback":"good"}"#, "{}"] {
        assert_eq!(world.told(ONE, &user("c1"), "rate", payload), "! InvalidPayload", "{payload}");
    }
    assert_eq!(world.told(ONE, &user("c1"), "rate", r#"{"rating":4,"feedback":"good"}"#), "hidden");
    let rated = format!(r#"session_rated {{"feedback":"good","rating":4,"session_id":"{ONE}"}}"#);
    assert_eq!(world.newest(ONE, STAFF), rated);
    world.settle();
    assert_eq!(world.department(DESK).figures[0].rating, Some(4));
    let mut world = World::new();
    world.starts(ONE, "c1");
    let told = world.told(ONE, &user("c1"), "close", r#"{"rating":5}"#);
    assert!(told.starts_with("session_closed") && told.ends_with(" + hidden"), "{told}");
}

#[test]
fn a_customer_may_reopen_for_a_day() {
    let mut world = World::new();
    world.on_duty("a1");
    world.starts(ONE, "c1");
    assert_eq!(world.told(ONE, &user("c1"), "reopen", "{}"), "! Forbidden", "it is open");
    world.does(ONE, &user("c1"), "close", "{}");
    world.settle();
    assert_eq!(world.told(ONE, &user("a1"), "reopen", "{}"), "! Forbidden");
    world.wait(24 * 3_600_000 - 1);
    assert!(world.told(ONE, &user("c1"), "reopen", "{}").contains("waiting"));
    world.settle();
    world.does(ONE, &user("c1"), "close", "{}");
    world.wait(24 * 3_600_000);
    let text = world.refusal(ONE, &user("c1"), "reopen", "{}").text;
    assert_eq!(text, "Session is closed: it could be reopened for 24 h, start another one");
    assert_eq!(
        world.refusal(ONE, &user("c1"), "send_message", r#"{"message":"x"}"#).text,
        "Session is closed"
    );
    world.does(ONE, &user("s"), "reopen", "{}");
}

#[test]
fn contacts_are_checked_and_shown_to_the_staff_alone() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    assert_eq!(world.about(ONE, &user("c1"))["requires_contact"], true);
    let contact = r#"{"contact_name":"Ana","contact_email":"ana@example.org","company_name":"A"}"#;
    assert_eq!(world.told(ONE, &user("c1"), "set_contact", contact), "hidden");
    assert_eq!(
        world.newest(ONE, STAFF),
        r#"contact_set {"company_name":"A","contact_email":"ana@example.org","contact_name":"Ana"}"#
    );
    assert_eq!(world.about(ONE, &user("c1"))["contact"], serde_json::Value::Null);
    assert_eq!(world.about(ONE, &user("m"))["contact"]["contact_name"], "Ana");
    assert_eq!(world.about(ONE, &user("c1"))["requires_contact"], false);
    for payload in [
        r#"{"contact_name":"Ana"}"#,
        r#"{"contact_name":" ","contact_email":"a@b.c"}"#,
        r#"{"contact_name":"A","contact_email":"b"}"#,
    ] {
        assert_eq!(world.told(ONE, &user("c1"), "set_contact", payload), "! InvalidPayload", "{payload}");
    }
    assert_eq!(world.told(ONE, &user("a1"), "set_contact", contact), "! Forbidden", "not their session");
}

#[test]
fn a_guest_becomes_somebody_by_a_back_end_alone() {
    let mut world = World::new();
    world.does(ONE, &key(), "start", r#"{"customer_id":"guest"}"#);
    world.settle();
    let link = r#"{"user_id":"c7","name":"Ana","email":"ana@example.org"}"#;
    for caller in [guest("guest", ONE), user("c7"), user("m")] {
        assert!(world.told(ONE, &caller, "link_user", link).starts_with("! Forbidden"), "{caller:?}");
    }
    world.does(ONE, &key(), "link_user", link);
    world.settle();
    assert_eq!(world.enters(ONE, &user("c7")), Ok(CUSTOMER.0));
    assert!(world.enters(ONE, &guest("guest", ONE)).is_err());
    let told = |id: &str| world.inboxes[&(id.to_owned(), ONE.to_owned())].1.clone();
    assert_eq!(told("guest"), format!(r#"channel_removed {{"room_id":"support:{ONE}"}}"#));
    assert!(told("c7").starts_with("channel_changed"));
    assert_eq!(world.department(DESK).sessions[ONE].name, "Ana");
}

#[test]
fn a_brokers_message_begins_a_session_that_nobody_queued() {
    let mut world = World::new();
    let said = format!(
        r#"{{"id":"m-1","session_id":"{ONE}","sender_id":null,"sender_type":"ai","message":"hello","message_type":"text","attachments":null,"read_at":null}}"#
    );
    let told = world.told(ONE, &broker(), "message", &said);
    assert!(told.contains(r#""event_id":"m-1""#) && told.contains(r#""sender_type":"ai""#), "{told}");
    world.settle();
    assert_eq!(world.stands(ONE), "active");
    assert!(world.department_of(ONE).is_none());
    assert_eq!(world.enters(ONE, &user("c1")), Err("! Forbidden".into()));
    assert_eq!(world.enters(ONE, &guest("c1", ONE)), Ok(CUSTOMER.0), "the token names the room");
    assert_eq!(world.enters(ONE, &user_in("a1", None)), Ok(STAFF.0));
    assert_eq!(world.told(TWO, &broker(), "message", &said), "! InvalidPayload", "another session's");
    assert_eq!(
        world.told(ONE, &broker(), "message", r#"{"message":"x","sender_type":"bot"}"#),
        "! InvalidPayload"
    );
    assert_eq!(world.told(ONE, &broker(), "session_update", r#"{"status":"closed"}"#), "! Forbidden");
    assert_eq!(world.told(ONE, &broker(), "read", "{}"), "! UnknownType");
    world.does(ONE, &broker(), "typing", r#"{"user_id":"c1","user_type":"customer","is_typing":true}"#);
    assert!(world.glimpse(ONE, "typing/c1", STAFF).is_some());
    assert_eq!(
        world.told(ONE, &guest("c1", ONE), "request_escalation", r#"{"accept":false}"#),
        r#"{"escalated":false,"message":"You stay in this chat."}"#
    );
    world.does(ONE, &guest("c1", ONE), "request_escalation", r#"{"accept":true}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "waiting");
    assert_eq!(world.department(DESK).queue().len(), 1);
    let again = world.told(ONE, &guest("c1", ONE), "request_escalation", r#"{"accept":true}"#);
    assert_eq!(again, r#"{"escalated":true,"message":"You are in the queue."}"#);
    world.does(ONE, &guest("c1", ONE), "close", "{}");
    assert_eq!(world.told(ONE, &broker(), "message", &said), "! SESSION_CLOSED");
}

/// The bridge hands on what it understands; a message is worth more than a file of it that cannot be opened.
#[test]
fn a_brokers_message_is_taken_with_whatever_it_attaches_and_however_it_writes_its_session() {
    let mut world = World::new();
    let (session, id) = (ONE.to_uppercase(), "i".repeat(256));
    let files = r#"["http://files/x.png","uploads/y.png","javascript:alert(1)","https://files.example/z.png",7,"",
        {"url":"data:text/html,x","name":"page.html","type":"text/html"},{"name":"a\u0007b"},{"size":1}]"#;
    let said = format!(
        r#"{{"id":"{id}","session_id":"{session}","sender_type":"agent","message":"look","attachments":{files}}}"#
    );
    let told = world.told(ONE, &broker(), "message", &said);
    let kept = r#""attachments":[{"name":"http://files/x.png"},{"name":"uploads/y.png"},{"name":"javascript:alert(1)"},{"url":"https://files.example/z.png"},{"name":"page.html","type":"text/html"},{"name":"ab"}]"#;
    assert!(told.contains(kept) && told.contains(&id), "{told}");
    let many = vec!["\"/a\""; 30].join(",");
    let many = format!(r#"{{"sender_type":"agent","message":"x","attachments":[{many}]}}"#);
    assert_eq!(world.told(ONE, &broker(), "message", &many).matches(r#"{"url":"/a"}"#).count(), 10);
    for bad in ["i".repeat(257), "a\\u0007".to_owned()] {
        let said = format!(r#"{{"id":"{bad}","sender_type":"agent","message":"x"}}"#);
        assert_eq!(world.told(ONE, &broker(), "message", &said), "! InvalidPayload", "{bad}");
    }
}

#[test]
fn words_of_the_other_kind_of_room_are_unknown() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    assert_eq!(world.told(ONE, &user("m"), "set_status", r#"{"status":"online"}"#), "! UnknownType");
    assert_eq!(world.told(DESK, &user("a1"), "send_message", r#"{"message":"x"}"#), "! UnknownType");
    assert_eq!(world.told(DESK, &broker(), "message", r#"{"message":"x"}"#), "! Forbidden");
    assert_eq!(world.told(TWO, &user("c1"), "close", "{}"), "! NOT_FOUND");
    assert_eq!(world.told(TWO, &key(), "send_message", r#"{"message":"x"}"#), "! NOT_FOUND");
}

#[test]
fn names_and_texts_in_the_configuration_are_what_is_said() {
    let rules = Rules { warning_text: "Masih di sana?".into(), ..rules() };
    let mut world = World::with(rules);
    world.on_duty("a1");
    world.starts(ONE, "c1");
    world.says(ONE, &user("a1"), "hello");
    world.wait(25 * 60_000);
    world.settle();
    assert!(world.newest(ONE, CUSTOMER).contains("Masih di sana?"));
}

#[test]
fn what_is_read_is_a_place_that_there_was() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    world.says(ONE, &user("c1"), "hello");
    let newest = world.session(ONE).newest;
    for never in ["1-1", "1-18446744073709551615", "5-7"] {
        let mark = format!(r#"{{"message_id":"{never}"}}"#);
        assert_eq!(world.told(ONE, &user("c1"), "mark_read", &mark), "! InvalidPayload", "{never}");
    }
    world.does(ONE, &user("c1"), "mark_read", &format!(r#"{{"message_id":"{newest}"}}"#));
    // What was said before another replica went on.
    world.loses(ONE, 1);
    world.says(ONE, &user("c1"), "hello again");
    assert!(world.session(ONE).newest.epoch > newest.epoch);
    world.does(ONE, &user("c1"), "mark_read", &format!(r#"{{"message_id":"{newest}"}}"#));
}

#[test]
fn lines_end_in_one_way_and_flags_are_true_or_false() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    let told = world.told(ONE, &user("c1"), "send_message", r#"{"message":"one\r\ntwo\rthree"}"#);
    assert!(told.contains(r#""message":"one\ntwo\nthree""#), "{told}");
    assert_eq!(world.told(ONE, &user("c1"), "typing", r#"{"is_typing":"false"}"#), "! InvalidPayload");
    assert_eq!(
        world.told(ONE, &user("c1"), "request_escalation", r#"{"accept":"false"}"#),
        "! InvalidPayload"
    );
}

#[test]
fn the_type_of_an_attachment_is_one_and_allowed() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    for (media, may) in [
        ("image/png", true),
        ("IMAGE/PNG", true),
        ("application/pdf", true),
        ("image/svg+xml", false),
        ("image/", false),
        ("image/png;x=<b>", false),
        ("image/\\\"><script>", false),
        ("image/png\\n<x>", false),
        ("text/html", false),
    ] {
        let said = format!(r#"{{"attachments":[{{"url":"/f/1","type":"{media}","size":1}}]}}"#);
        let told = world.told(ONE, &user("c1"), "send_message", &said);
        assert_eq!(!told.starts_with('!'), may, "{media}: {told}");
    }
}
