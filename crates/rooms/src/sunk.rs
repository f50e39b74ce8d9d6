//! How far a sink has come in a room, as the room's own log says it: a record that no app sees, whose key is a place in what the sink
//! has got. It names no broker.

use app::Decision;
use vocabulary::{Epoch, Key, Payload};

/// How the log of a sink's places is called; what comes from brokers is called otherwise.
const SINK: &str = "sink:";

const KIND: &str = "$sunk";

pub(crate) fn log(sink: &str) -> String {
    format!("{SINK}{sink}")
}

/// Offsets begin at 1 in every epoch.
pub(crate) fn cursor(sink: &str, epoch: Epoch, offset: u64) -> Key {
    Key::place(&log(sink), epoch.0, offset)
}

pub(crate) fn is_cursor(key: &Key) -> bool {
    key.as_place().is_some_and(|place| place.log.starts_with(SINK))
}

/// Whether what was stored under this key is for the sink, as far as that can be told without the app: not what says how far
/// one has come, and not what came from the same broker.
pub(crate) fn is_owed(sink: &str, key: &Key) -> bool {
    let comes_from = |source: &str| source.strip_prefix(sink).is_some_and(|rest| rest.starts_with(':'));
    !is_cursor(key) && !key.event_source().is_some_and(comes_from)
}

pub(crate) fn decision() -> Decision {
    Decision::record(KIND, Payload::new())
}

/// A record that is read by whoever does not know its key.
pub(crate) fn is_kind(kind: &str) -> bool {
    kind == KIND
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::UserId;

    #[test]
    fn what_came_from_the_broker_does_not_go_back_there_and_a_cursor_goes_nowhere() {
        for (key, owed) in [
            (Key::client(&UserId::new("7"), "1"), true),
            (Key::once(1, 2), true),
            (Key::event("redis", "1"), true),
            (Key::event("kafkas:t", "1"), true),
            (Key::event("kafka:t", "1"), false),
            (Key::place("kafka:c:t", 0, 7), false),
            (cursor("kafka", Epoch(1), 7), false),
            (cursor("nats", Epoch(1), 7), false),
        ] {
            assert_eq!(is_owed("kafka", &key), owed, "{key:?}");
        }
    }
}
