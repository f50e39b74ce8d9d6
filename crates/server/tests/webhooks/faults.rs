//! Receivers that fail, hang, are slow or away, and nodes that are killed: everything is told at least once and in its room's order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;

use crate::receiver::{Receiver, Says};
use crate::{Place, figure, hook, numbers, say, say_all, until};

#[test]
fn a_call_that_fails_thrice_is_made_again_until_it_is_taken() {
    let mut left = 3;
    let receiver = Receiver::start(move |_| {
        left -= i32::from(left > 0);
        if left > 0 { Says::Status(500) } else { Says::Status(200) }
    });
    let place = Place::new(&hook("orders", &receiver, "chat:*", ""));
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    ana.join("a");
    say_all(&mut ana, &["a"], 0..20);
    until("all are told", || receiver.contents("a").len() == 20);
    assert_eq!(receiver.contents("a"), numbers(20));
    assert_eq!((figure(&node, "dead_letters_total"), figure(&node, "failures_total")), (0, 2));
    until("nothing fails any more", || figure(&node, "failing") == 0);
}

#[test]
fn one_receiver_that_is_away_keeps_nothing_from_another() {
    let (away, well) = (Receiver::start(|_| Says::Status(500)), Receiver::start(|_| Says::Status(200)));
    let place = Place::new(&format!(
        "{}{}",
        hook("away", &away, "chat:away*", ""),
        hook("well", &well, "chat:*", "")
    ));
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    for room in ["away-1", "away-2", "away-3", "a"] {
        ana.join(room);
        say(&mut ana, room, "0");
    }
    until("the circuit of one is open", || figure(&node, "circuit_open") == 1);
    let (_, page) = node.ask_operator("GET /metrics", "");
    assert!(page.contains("kulkul_bridge_webhook_hook_circuit_open{webhook=\"away\"} 1"), "{page}");
    assert!(page.contains("kulkul_bridge_webhook_hook_circuit_open{webhook=\"well\"} 0"), "{page}");
    let ready = node.get("/ready");
    assert_eq!(ready.0, 200, "{}", ready.1);
    say_all(&mut ana, &["a"], 1..20);
    until("the other is told", || well.contents("a") == numbers(20));
    assert!(away.taken().is_empty());
}

#[test]
fn a_receiver_that_says_when_is_left_alone_until_then() {
    let mut first = true;
    let receiver = Receiver::start(move |_| match std::mem::take(&mut first) {
        true => Says::Later(503, 2),
        false => Says::Status(200),
    });
    let place = Place::new(&hook("orders", &receiver, "chat:*", ""));
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    ana.join("a");
    say(&mut ana, "a", "0");
    until("it was called", || receiver.called() == 1);
    let since = std::time::Instant::now();
    say_all(&mut ana, &["a"], 1..20);
    until("all are told", || receiver.contents("a").len() == 20);
    // It waits from when the answer was read, which was after it was written.
    assert!(since.elapsed().as_millis() >= 1500, "it was called after {:?}", since.elapsed());
    assert_eq!(receiver.contents("a"), numbers(20));
}

#[test]
fn what_was_said_before_a_kill_is_told_by_the_next_process_in_order_and_under_the_same_ids() {
    let mut calls = 0;
    let receiver = Receiver::start(move |_| {
        calls += 1;
        if calls % 5 == 0 { Says::Status(500) } else { Says::Status(200) }
    });
    let place = Place::new(&hook("orders", &receiver, "chat:*", "batch = 4"));
    let rooms = ["r-0", "r-1", "r-2", "r-3"];
    let told = |count: usize| rooms.iter().all(|room| receiver.contents(room).len() >= count);
    for round in 0..3 {
        let node = place.node();
        let mut ana = place.client(&node, "ana");
        rooms.iter().for_each(|room| drop(ana.join(room)));
        say_all(&mut ana, &rooms, round * 50..(round + 1) * 50);
        until("it is at it", || told(round * 50 + 5));
        node.signal(Signal::SIGKILL);
        node.wait();
    }
    // Nobody is in the rooms, and nobody joins them.
    let _node = place.node();
    until("all are told", || told(150));
    for room in rooms {
        assert_eq!(receiver.contents(room), numbers(150), "{room}");
    }
}

/// A room keeps as much again as it keeps anyhow; what came before that is gone, and the receiver is told how much it was.
#[test]
fn what_was_gone_before_the_receiver_was_back_is_said_in_the_next_call() {
    let is_back = Arc::new(AtomicBool::new(false));
    let back = is_back.clone();
    let receiver = Receiver::start(move |_| match back.load(Ordering::SeqCst) {
        true => Says::Status(200),
        false => Says::Status(500),
    });
    let place = Place::new(&hook("orders", &receiver, "chat:*", ""));
    let config = std::fs::read_to_string(place.config()).expect("written");
    let config = config.replace("[chat]", "[chat]\nretention_records = 1000");
    std::fs::write(place.config(), config).expect("written");
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    ana.join("a");
    say_all(&mut ana, &["a"], 0..3500);
    is_back.store(true, Ordering::SeqCst);
    until("the last is told", || receiver.contents("a").last().is_some_and(|last| last == "3499"));
    let first = &receiver.taken()[0];
    let missed = first["missed"].as_u64().expect("some are gone");
    assert!(receiver.taken()[1..].iter().all(|call| call["missed"].is_null()), "it is said once");
    let contents = receiver.contents("a");
    let from: usize = contents[0].parse().expect("a number");
    assert!(missed >= from as u64 && from > 0, "{missed} places are gone, and {from} messages");
    let rest: Vec<String> = (from..3500).map(|number| number.to_string()).collect();
    assert_eq!(contents, rest, "what was kept is told, in order");
    assert!(figure(&node, "missed_total") >= missed);
}
