//! How much, as a figure to read and no bar: the test holds that all of it is there.

mod world;

use std::collections::BTreeMap;
use std::time::Instant;

use conformance::words::{A, B, batch, go_on, person, room};
use engine::{Answer, Batch, Question};
use vocabulary::{RoomId, Seen};
use world::desk::Desk;

#[test]
fn many_rooms_are_followed_and_appended_to() {
    let (rooms, rounds) = (2000_u64, 3_u64);
    let config = world::config(&world::shared());
    let (mut desk, mut follower) = (Desk::new(&config, A), Desk::with_box(&config, B, 1 << 16));
    let start = desk.start();
    let rooms: Vec<RoomId> = (0..rooms).map(|number| room(&number.to_string())).collect();
    let since = Instant::now();
    for room in &rooms {
        follower.tell(Question::Follow { room: room.clone(), seen: None, ticket: 0 });
    }
    for _ in &rooms {
        follower.hear(|answer| matches!(answer, Answer::Followed { .. }));
    }
    println!("{} rooms followed in {:?}", rooms.len(), since.elapsed());
    let since = Instant::now();
    let mut seen: Vec<Seen> = rooms.iter().map(|_| start).collect();
    for number in 0..rounds {
        let text = number.to_string();
        for (room, seen) in rooms.iter().zip(&mut seen) {
            let batch = Batch { number, ..batch(*seen, &[&[&text]]) };
            desk.tell(Question::Append { room: room.clone(), batch });
            *seen = go_on(*seen, &[&text]);
            // No more on their way than the box holds answers.
            while let Ok((_, answer)) = desk.heard.try_recv() {
                desk.kept.push(answer);
            }
        }
    }
    for _ in 0..rooms.len() as u64 * rounds {
        desk.hear(|answer| {
            matches!(answer, Answer::Appended { outcome: engine::Appended::Stored { .. }, .. })
        });
        follower.hear(|answer| matches!(answer, Answer::Grown { .. }));
    }
    println!("{} appends in {:?}", rooms.len() as u64 * rounds, since.elapsed());
    assert_eq!(follower.figure("nats_rooms_followed"), rooms.len() as u64);
    assert_eq!((follower.figure("nats_slow_total"), desk.figure("nats_calls_failed_total")), (0, 0));
}

/// Rooms are heard one by one, and by the slice where a shard here is steward: what is told while one takes the other's place
/// is heard all the same, and in its order.
#[test]
fn what_is_told_while_stewards_change_is_heard() {
    let (rooms, rounds) = (400, 6);
    let config = world::config(&world::shared());
    let (desk, mut follower) = (Desk::new(&config, A), Desk::with_box(&config, B, 1 << 16));
    let rooms: Vec<RoomId> = (0..rooms).map(|number| room(&number.to_string())).collect();
    for room in &rooms {
        follower.load(room);
    }
    for round in 1..=rounds {
        for (number, room) in rooms.iter().enumerate() {
            if number == rooms.len() / 2 {
                match round {
                    2 => follower.tell(Question::Attend { shards: 1 }),
                    3 => desk.tell(Question::Attend { shards: 1 }),
                    4 => follower.tell(Question::Attend { shards: 1 }),
                    _ => {}
                }
            }
            desk.tell(Question::Present { room: room.clone(), person: person("ana"), count: round });
        }
    }
    let mut heard: BTreeMap<RoomId, Vec<u32>> = BTreeMap::new();
    for room in &rooms {
        loop {
            let news =
                follower.hear(|answer| matches!(answer, Answer::Present { room: of, .. } if of == room));
            let Answer::Present { present, .. } = news else { panic!("{news:?}") };
            heard.entry(room.clone()).or_default().push(present.count);
            if present.count == rounds {
                break;
            }
        }
    }
    for (room, counts) in heard {
        // Twice where two subscriptions heard it.
        assert!((1..=rounds).all(|count| counts.contains(&count)), "of {room:?} was heard {counts:?}");
    }
}
