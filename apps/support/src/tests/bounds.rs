//! Rooms filled with all that they can hold: their snapshots stay below what a snapshot may be, their views fit a frame.

use app::App;
use vocabulary::{Payload, Person, Position, Record, StepId, Touched, UserId, Wall};

use super::world::{BEGIN, DESK, ONE, World, user};
use crate::{CUSTOMER, STAFF};

const SNAPSHOT_BYTES_MAX: usize = 1 << 20;
const FRAME_BYTES_MAX: usize = 80 << 10;

pub(super) fn name(number: usize) -> String {
    format!("10000000-0000-4000-8000-{number:0>12}")
}

/// So many sessions as find a place, with names and topics of so many letters; how many did.
pub(super) fn filled(world: &mut World, sessions: usize, letters: usize) -> usize {
    let text = "\u{1f941}".repeat(letters);
    let mut done = 0;
    for number in 0..sessions {
        let session = name(number);
        let saga = vocabulary::RoomId::new("support", &session);
        let position = Position { epoch: vocabulary::Epoch::new(9, 7), offset: 1_000_000_000 };
        let customer = format!("{number}{}", "\"".repeat(letters.min(60)));
        let waits = serde_json::json!({
            "from": position.to_string(), "priority": "normal", "since": BEGIN + number as i64, "head": false,
            "customer_id": customer, "name": text, "topic": text,
        });
        let caller = vocabulary::Caller::Step(StepId { saga, position, number: 0 });
        done += usize::from(world.ask(DESK, &caller, "session_waits", &waits.to_string()).is_ok());
    }
    done
}

#[test]
fn a_department_of_everything_is_saved_within_a_mebibyte() {
    for (letters, agents) in [(4, 16), (60, 60)] {
        let mut with = super::world::rules();
        with.departments[0].sessions_max = 20;
        let mut world = World::with(with);
        let set = |world: &mut World, number: usize, status: &str| {
            let agent = format!("{number}{}", "\"".repeat(agents));
            let name = "\u{1f941}".repeat(agents);
            let status = serde_json::json!({"agent_id": agent, "agent_name": name, "status": status});
            world.ask(DESK, &super::world::key(), "set_status", &status.to_string()).is_ok()
        };
        let known = (0..520).filter(|number| set(&mut world, *number, "busy")).count();
        assert!(known > 200, "{known}");
        let sessions = filled(&mut world, 2_010, letters);
        assert!(sessions > 700, "{sessions}");
        for number in 0..60 {
            set(&mut world, number, "online");
        }
        world.wait(10_000);
        while world.do_due(DESK) {}
        for number in 0..800 {
            let saga = vocabulary::RoomId::new("support", &name(10_000 + number));
            let position = Position { epoch: vocabulary::Epoch::new(9, 7), offset: 1_000_000_000 };
            let caller = vocabulary::Caller::Step(StepId { saga, position, number: 0 });
            world.does(DESK, &caller, "session_over", r#"{"first_response_ms":1000000,"rating":5}"#);
        }
        // Whoever is known and has a longer name now has it if it fits.
        for number in 0..520 {
            let status = serde_json::json!({"agent_id": format!("{number}{}", "\"".repeat(agents)),
                "agent_name": "\u{1f941}".repeat(100), "status": "busy"});
            let _ = world.ask(DESK, &super::world::key(), "heartbeat", &status.to_string());
        }
        let department = world.department(DESK);
        department.check_bounds();
        assert!(department.queue().len() < department.sessions.len(), "some are given");
        let saved = world.app.save(&world.places[DESK].state);
        assert!(saved.len() <= SNAPSHOT_BYTES_MAX, "{letters}: {}", saved.len());
        assert!(
            saved.len() > SNAPSHOT_BYTES_MAX / 2,
            "{letters}: it was to be filled, and has {}",
            saved.len()
        );
        let room = vocabulary::RoomId::new("support", DESK);
        let read = world.app.load(&room, &saved).expect("what was saved is read");
        assert_eq!(read, world.places[DESK].state);
        assert!(world.app.view(&read, STAFF).len() <= FRAME_BYTES_MAX);
        assert_eq!(&world.app.view(&read, CUSTOMER)[..], b"{}");
    }
}

#[test]
fn a_session_of_everything_is_saved_within_a_mebibyte() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    let author = Some(Person { id: UserId::new(&"\"".repeat(128)), name: "\"".repeat(200).into() });
    let long = "\u{1f941}".repeat(4_000);
    let files = vec![
        format!(
            r#"{{"url":"/{}","name":"{}","type":"image/png","size":1}}"#,
            "x".repeat(999),
            "\u{1f941}".repeat(200)
        );
        10
    ];
    let said = format!(
        r#"{{"message":"{long}","message_type":"text","sender_type":"customer","attachments":[{}]}}"#,
        files.join(",")
    );
    let note = format!(r#"{{"note":"{}"}}"#, "\u{1f941}".repeat(2_000));
    for number in 0..200 {
        for (kind, body) in [("message", &said), ("note", &note)] {
            let position = Position {
                offset: 1_000 + 2 * number + u64::from(kind == "note"),
                ..world.places[ONE].log[0].position
            };
            let record = Record {
                position,
                at: Wall(BEGIN),
                kind: kind.into(),
                author: author.clone(),
                touches: Touched::NOBODY,
                body: body.clone().into(),
            };
            let place = world.places.get_mut(ONE).expect("it was started");
            let _ = world.app.apply(&mut place.state, &record);
        }
    }
    let session = world.session(ONE);
    assert!(!session.said.messages.is_empty() && !session.said.notes.is_empty());
    let saved = world.app.save(&world.places[ONE].state);
    assert!(saved.len() <= SNAPSHOT_BYTES_MAX / 4, "{}", saved.len());
    for audience in [CUSTOMER, STAFF] {
        assert!(world.app.view(&world.places[ONE].state, audience).len() <= FRAME_BYTES_MAX);
    }
    let unread =
        world.app.load(&vocabulary::RoomId::new("support", ONE), &Payload::from_static(b"{\"version\":2}"));
    assert!(unread.expect_err("another version's").0.contains("version 2"));
}

#[test]
fn what_moves_on_faster_than_it_is_told_is_held() {
    let mut world = World::new();
    world.does(ONE, &user("c1"), "start", "{}");
    let mut refused = 0;
    for number in 0..60 {
        let link = format!(r#"{{"user_id":"c{number}"}}"#);
        refused += usize::from(world.ask(ONE, &super::world::key(), "link_user", &link).is_err());
    }
    assert!(refused > 20, "{refused}");
    world.settle();
    world.does(ONE, &super::world::key(), "link_user", r#"{"user_id":"c1"}"#);
}
