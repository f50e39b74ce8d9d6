//! Into the shards' boxes, from threads that may wait for a place.

use std::time::Duration;

use engine::Answer;
use link::Answers;
use vocabulary::Incarnation;

/// A shard empties its box in each of its turns.
const PAUSE: Duration = Duration::from_millis(1);
/// A shard that has not for so long is not going to; whoever asks is asked again.
const TRIES_MAX: u32 = 10_000;

pub(crate) fn put(answers: &dyn Answers, to: Incarnation, answer: Answer) {
    let mut answer = answer;
    for _ in 0..TRIES_MAX {
        match answers.put(to, answer) {
            Ok(()) => return,
            Err(back) => answer = *back,
        }
        std::thread::sleep(PAUSE);
    }
    tracing::error!(shard = to.shard.0, "a shard takes no answers from the disk");
}
