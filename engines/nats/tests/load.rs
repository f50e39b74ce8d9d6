//! How much, as a figure to read and no bar: the test holds that all of it is there.

mod world;

use std::time::Instant;

use conformance::words::{A, B, batch, go_on, room};
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
        follower.tell(Question::Follow { room: room.clone(), seen: None });
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
