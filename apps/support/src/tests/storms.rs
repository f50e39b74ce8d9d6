//! Whatever is asked, in whatever order, however late rooms hear of each other: the invariants hold.

use app::{App, Presence, Roll};
use proptest::prelude::*;
use vocabulary::{Now, Record, Tick, UserId, Wall};

use super::world::{DESK, Flying, World, key, rules, user};
use crate::department::Department;

use crate::{Kind, State, Support};

const DESKS: [&str; 2] = [DESK, "dept:licences"];
const AGENTS: [&str; 4] = ["a1", "a2", "a3", "c1"];
const SESSIONS: usize = 6;

fn session_name(number: usize) -> String {
    format!("00000000-0000-4000-8000-00000000000{number}")
}

/// Nobody is served before one who is in front of them and could be served by the same agent. Looked at before each record that
/// gives by the queue's order.
pub(super) fn check_order(state: &State, record: &Record) {
    let Kind::Department(department) = &state.0 else { return };
    if record.kind != "given" {
        return;
    }
    let body: serde_json::Value = serde_json::from_slice(&record.body).expect("records are JSON");
    let (session, agent) =
        (body["session"].as_str().expect("a name"), body["agent_id"].as_str().expect("an id"));
    if body["how"] != "auto" {
        return;
    }
    for (other, entry) in department.queue() {
        if other == session {
            return;
        }
        let cannot = entry.customer_id == agent || entry.avoid.as_deref() == Some(agent);
        assert!(cannot, "{agent} was given {session} before {other}");
    }
    panic!("{session} was given by the queue's order and is not in the queue");
}

/// What holds after every decision.
pub(super) fn check(state: &State, _records: &[Record], app: &Support) {
    match &state.0 {
        Kind::Department(department) => {
            // Of a large one its test looks at them, once.
            if department.sessions.len() <= 100 {
                department.check_bounds();
            }
            let rule = app.rules.department(department.name());
            let cap = rule.map_or(0, |rule| rule.sessions_max as usize);
            for (agent, load) in department.loads() {
                assert!(load <= cap, "{agent} has {load}");
            }
        }
        Kind::Session(session) => {
            let agent = session.agent().map(|agent| &agent.id);
            assert!(agent.is_none() || agent != session.customer.as_ref().map(|customer| &customer.id));
        }
        Kind::Nowhere => {}
    }
}

/// What holds when everything is said: nobody waits while an agent who is here could serve them, and rooms agree whose each is.
fn check_settled(world: &World) {
    for desk in DESKS {
        let Some(place) = world.places.get(desk) else { continue };
        let department = world.department(desk);
        let cap = world.app.rules.department(department.name()).expect("it is configured").sessions_max;
        let free = department.agents.iter().filter(|(id, agent)| {
            let here = place.crowd.is_here(&UserId::new(id));
            let heard_of = !agent.desk && world.now.wall.0 - agent.seen < world.app.rules.agent_unseen_ms;
            agent.status.name() == "online" && (here || heard_of) && department.load(id) < cap as usize
        });
        for (id, _) in free {
            for (session, entry) in department.queue() {
                let cannot = entry.customer_id == *id || entry.avoid.as_deref() == Some(id);
                assert!(cannot, "{session} waits in {desk} while {id} has a free place");
            }
        }
        for (session, entry) in &department.sessions {
            let there = world.session(session);
            assert_eq!(there.department.as_deref(), Some(department.name()), "{session}");
            assert_eq!(there.agent().map(|agent| &*agent.id), entry.agent(), "{session} in {desk}");
            assert_eq!(there.from, entry.from, "{session}");
        }
    }
    for (room, place) in &world.places {
        let Kind::Session(session) = &place.state.0 else { continue };
        let listed: Vec<&str> = DESKS
            .into_iter()
            .filter(|desk| {
                world.places.contains_key(*desk) && world.department(desk).sessions.contains_key(room)
            })
            .collect();
        let expected = !session.is_unborn() && !session.is_closed() && session.department.is_some();
        assert_eq!(listed.len(), usize::from(expected), "{room} {} is in {listed:?}", session.status());
        for ((inbox, of), (_, told)) in &world.inboxes {
            let is_theirs = [session.customer.as_ref(), session.agent()]
                .into_iter()
                .flatten()
                .any(|person| person.id == *inbox);
            if of == room {
                assert_eq!(told.starts_with("channel_changed"), is_theirs, "{inbox}: {told}");
                assert!(!is_theirs || told.contains(session.status()), "{inbox}: {told}");
            }
        }
    }
}

fn act(world: &mut World, what: u8, who: usize, which: usize, number: usize) {
    let room = session_name(which % SESSIONS);
    let desk = DESKS[number % 2];
    let customer = format!("c{}", which % SESSIONS % 4);
    let agent = AGENTS[who % AGENTS.len()];
    let staff = super::world::user_in(&format!("a{}", who % 3 + 1), Some(&["*"]));
    let session_id = format!(r#"{{"session_id":"{room}","agent_id":"{agent}"}}"#);
    let say = format!(r#"{{"message":"{number}"}}"#);
    let status = ["online", "online", "busy", "away", "offline"][number % 5];
    let status = format!(r#"{{"status":"{status}","agent_id":"{agent}"}}"#);
    let department = ["general", "licences"][number % 2];
    let transfer = match number % 3 {
        0 => format!(r#"{{"department":"{department}"}}"#),
        1 => format!(r#"{{"agent_id":"{agent}"}}"#),
        _ => format!(r#"{{"department":"{department}","agent_id":"{agent}"}}"#),
    };
    let start =
        format!(r#"{{"department":"{department}","priority":"{}"}}"#, ["low", "high", "urgent"][number % 3]);
    let own = match agent {
        "c1" => key(),
        agent => super::world::user_in(agent, Some(&["*"])),
    };
    let room = room.as_str();
    let _ = match what {
        0 | 1 => {
            world.comes(room, &customer);
            world.ask(room, &user(&customer), "start", &start)
        }
        2 => world.ask(room, &user(&customer), "send_message", &say),
        3 => world.ask(room, &user("m"), "send_message", &say),
        4 => world.ask(room, &user("m"), "transfer", &transfer),
        5 => world.ask(room, &user(&customer), "close", "{}"),
        6 => world.ask(room, &user(&customer), "reopen", "{}"),
        7 => world.ask(room, &user("m"), "set_priority", r#"{"priority":"urgent"}"#),
        8 => world.ask(room, &key(), "link_user", r#"{"user_id":"c9"}"#),
        9 | 10 => {
            world.comes(desk, agent);
            world.ask(desk, &own, "set_status", &status)
        }
        11 => {
            world.goes(desk, agent);
            Ok(Vec::new())
        }
        12 => {
            world.comes(desk, agent);
            Ok(Vec::new())
        }
        13 => world.ask(desk, &staff, "pick", &session_id),
        14 => world.ask(desk, &user("s"), "assign", &session_id),
        15 => world.ask(desk, &own, "heartbeat", &format!(r#"{{"agent_id":"{agent}"}}"#)),
        16 => {
            world.wait([500, 4_000, 30_000, 70_000, 400_000, 1_600_000][number % 6]);
            Ok(Vec::new())
        }
        17 => {
            world.goes(room, &customer);
            Ok(Vec::new())
        }
        18 | 19 => {
            let rooms: Vec<String> = world.places.keys().cloned().collect();
            if let Some(room) = rooms.get(number % rooms.len().max(1)) {
                world.do_due(room);
            }
            Ok(Vec::new())
        }
        20..=23 => {
            // A step leaves: once, and again while it is unanswered.
            let steps = world.steps();
            if let Some((step, id)) = steps.get(number % steps.len().max(1)) {
                world.flying.push_back(Flying::Step(step.clone(), id.clone()));
            }
            Ok(Vec::new())
        }
        _ => {
            // Something arrives, in any order; seldom it arrives twice.
            if !world.flying.is_empty() {
                let at = number % world.flying.len();
                let flying = world.flying.remove(at).expect("it is in range");
                if who == 0 {
                    world.flying.push_back(flying.clone());
                }
                world.fly(flying);
            }
            Ok(Vec::new())
        }
    };
}

fn refolded(world: &World, cut: usize) {
    for (room, place) in &world.places {
        let id = vocabulary::RoomId::new("support", room);
        let mut state = world.app.start(&id);
        for (number, record) in place.log.iter().enumerate() {
            if number == cut % place.log.len() {
                state = world.app.load(&id, &world.app.save(&state)).expect("what was saved is read");
            }
            let _ = world.app.apply(&mut state, record);
        }
        assert_eq!(state, place.state, "{room}");
        let saved = world.app.save(&state);
        assert_eq!(world.app.load(&id, &saved).expect("what was saved is read"), state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_and_goes_nobody_is_served_twice_or_forgotten(
        acts in prop::collection::vec((0..30u8, 0..8usize, 0..SESSIONS, 0..60usize), 1..200),
        cut in 0..60usize,
    ) {
        let mut world = World::with(rules());
        for (what, who, which, number) in acts {
            act(&mut world, what, who, which, number);
        }
        world.settle();
        check_settled(&world);
        refolded(&world, cut);
    }

    #[test]
    fn payloads_of_any_kind_are_answered(
        word in 0..crate::WORDS.len(),
        payload in "[ -~]{0,40}|\\{\"[a-z_]{1,12}\":[^}]{0,20}\\}",
    ) {
        let mut world = World::new();
        world.starts(super::world::ONE, "c1");
        world.on_duty("a1");
        for (room, caller) in [(super::world::ONE, "c1"), (super::world::ONE, "m"), (DESK, "a1"), (DESK, "m")] {
            let _ = world.ask(room, &user(caller), crate::WORDS[word].name, &payload);
        }
        let _ = world.ask(super::world::TWO, &super::world::broker(), "message", &payload);
        let _ = world.ask(super::world::TWO, &super::world::broker(), "typing", &payload);
    }
}

/// Nothing of the real clock is in a plan.
#[test]
fn agents_are_chosen_by_load_then_by_who_waited_longest() {
    struct All;
    impl Roll for All {
        fn count(&self) -> u32 {
            9
        }
        fn users(&self) -> Vec<UserId> {
            Vec::new()
        }
        fn is_here(&self, _: &UserId) -> bool {
            true
        }
        fn gone_since(&self, _: &UserId) -> Option<Tick> {
            None
        }
    }
    let mut world = World::new();
    let mut given = Vec::new();
    for agent in ["a1", "a2", "a3"] {
        world.on_duty(agent);
    }
    for number in 0..6 {
        world.starts(&session_name(number), &format!("c{number}"));
        given.push(
            world.session(&session_name(number)).agent().map(|agent| agent.id.clone()).unwrap_or_default(),
        );
    }
    assert_eq!(given, ["a1", "a2", "a3", "a1", "a2", "a3"]);
    world.does(&session_name(1), &user("c1"), "close", "{}");
    world.settle();
    world.starts("00000000-0000-4000-8000-0000000000aa", "c7");
    assert_eq!(world.stands("00000000-0000-4000-8000-0000000000aa"), "active a2", "fewest sessions go first");
    let department: &Department = world.department(DESK);
    let rule = world.app.rules.department("general").expect("it is configured");
    let now = Now { tick: Tick(0), wall: Wall(0) };
    let plan = crate::department::plan(&world.app.rules, rule, now, department, Presence::new(&All));
    assert!(plan.is_empty(), "everybody has as many as they may");
}
