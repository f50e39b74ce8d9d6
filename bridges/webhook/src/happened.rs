//! What happens to connections of this node, put into rooms of the webhooks that are told of it: from there it goes to receivers as
//! everything does. Until it is in its room it is in memory alone: what dies with the node is not told, and what finds no place is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossing::{Came, Stage, add, pause};
use futures_util::future::join_all;
use node::{Desk, Outflow};
use serde_json::{Value, json};
use tokio::sync::watch;
use vocabulary::{By, Happening, RoomId, Traced, Why, Wish};

use crate::Hook;
use crate::counts::Counts;

/// What is stored at once, of all webhooks: at some milliseconds for it, more than a node lets in.
const AT_ONCE: usize = 512;
/// In one record, which has 64 KiB at most with names of 128 bytes.
const EVENTS_MAX: usize = 64;
/// Rooms of a webhook, so that several stewards share what happens. A user's are in one, and in order.
const LANES: u64 = 16;
/// A room that does not take it in so many tries, some seconds, is not to hold up the others.
const TRIES_MAX: u32 = 8;
const AGAIN_MAX: Duration = Duration::from_secs(2);

pub(crate) struct Teller {
    desk: Desk,
    hooks: Vec<(Arc<Hook>, Arc<Counts>)>,
    stage: watch::Receiver<Stage>,
    /// As the operator's calls name it, and with it its connections.
    node: String,
}

impl Teller {
    pub(crate) fn new(
        desk: Desk,
        hooks: &[Arc<Hook>],
        counts: &[Arc<Counts>],
        stage: watch::Receiver<Stage>,
        node: u64,
    ) -> Teller {
        let all = hooks.iter().cloned().zip(counts.iter().cloned());
        let hooks = all.filter(|(hook, _)| !hook.events.is_empty()).collect();
        Teller { desk, hooks, stage, node: format!("{node:x}") }
    }

    /// Until no shard is left.
    pub(crate) async fn go_on(self, mut happened: Outflow<Traced>) {
        let (dropped, mut told) = (happened.dropped(), 0);
        while let Some(some) = happened.next(AT_ONCE).await {
            let all = dropped.load(Ordering::Relaxed);
            let lost = all - std::mem::replace(&mut told, all);
            let mut puts = Vec::new();
            for (hook, counts) in &self.hooks {
                add(&counts.dropped_total, usize::try_from(lost).unwrap_or(usize::MAX));
                let lanes = self.lanes(hook, &some, lost);
                puts.extend(lanes.into_iter().map(|(lane, events)| self.put(hook, counts, lane, events)));
            }
            join_all(puts).await;
        }
    }

    fn lanes(&self, hook: &Hook, some: &[Traced], lost: u64) -> BTreeMap<u64, Vec<Value>> {
        let mut lanes: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        for traced in some {
            let Some(user) = &traced.user else { continue };
            if let Some(event) = event(hook, traced, &self.node) {
                lanes.entry(lane(user.as_str())).or_default().push(event);
            }
        }
        if let Some(first) = lanes.values_mut().next().filter(|_| lost > 0) {
            first.insert(0, json!({ "event": "dropped", "node": self.node, "count": lost }));
        }
        lanes
    }

    async fn put(&self, hook: &Hook, counts: &Counts, lane: u64, events: Vec<Value>) {
        let room = RoomId::new(webhooks::APP, &format!("{}:{lane}", hook.name));
        for some in events.chunks(EVENTS_MAX) {
            let payload = json!({ "events": some }).to_string();
            // Asked for twice it is stored once.
            let id = format!("{} {:016x}", self.node, crossing::chance());
            let count = if self.store(&room, payload, &id).await {
                &counts.happened_total
            } else {
                &counts.dropped_total
            };
            add(count, some.len());
        }
    }

    async fn store(&self, room: &RoomId, payload: String, id: &str) -> bool {
        let by = By::Source { name: "happened".into(), author: None };
        for tries in 0..TRIES_MAX {
            let (payload, id) = (payload.clone().into(), Some(id.into()));
            let wish = Wish::Publish { kind: webhooks::HAPPENED.into(), payload, id };
            match crossing::came(self.desk.call_by(by.clone(), room.clone(), wish).await) {
                Came::Taken => return true,
                Came::Refused(why) => {
                    tracing::error!(%room, why, "what happened to connections is not stored, and not told");
                    return false;
                }
                Came::NotNow(_) if *self.stage.borrow() == Stage::Ends => return false,
                Came::NotNow(_) => tokio::time::sleep(pause(tries + 4, AGAIN_MAX)).await,
            }
        }
        false
    }
}

/// FNV-1a: the same on every node, so that a user's words meet in one room.
fn lane(user: &str) -> u64 {
    let hash = user.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash ^ (hash >> 32)) % LANES
}

/// None: nobody asked for it, or it is none of the rooms'.
fn event(hook: &Hook, traced: &Traced, node: &str) -> Option<Value> {
    let (name, room, more) = match &traced.what {
        Happening::Joined { room, .. } => ("joined", Some(room), json!({})),
        Happening::Left { room, why, .. } => {
            let why = match why {
                Why::Asked => "asked".to_owned(),
                Why::ConnectionEnded => "connection ended".to_owned(),
                Why::Refused(code) => format!("refused: {code:?}"),
            };
            ("left", Some(room), json!({ "reason": why }))
        }
        Happening::Closed { code, words } => {
            ("disconnected", None, json!({ "code": code, "reason": words.as_ref() }))
        }
        Happening::Ended => ("disconnected", None, json!({ "reason": "the socket ended" })),
        Happening::Behind { .. } | Happening::Live { .. } => return None,
    };
    let is_meant = hook.events.iter().any(|it| it == name) && room.is_none_or(|room| hook.is_for(room));
    if !is_meant {
        return None;
    }
    let id = traced.connection;
    let mut event = json!({
        "event": name,
        "user": traced.user.as_ref()?.as_str(),
        "node": node,
        "connection": format!("{node}-{}-{}-{}", id.shard.0, id.slot, id.generation),
        "timestamp": traced.at.to_string(),
    });
    if let Some(room) = room {
        event["app"] = room.app().into();
        event["room"] = room.as_str().into();
    }
    more.as_object()?.iter().for_each(|(key, value)| event[key] = value.clone());
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{ConnectionId, Position, ShardId, UserId, Wall};

    fn traced(what: Happening) -> Traced {
        let connection = ConnectionId { shard: ShardId(0), slot: 7, generation: 1 };
        Traced { at: Wall(0), connection, user: Some(UserId::new("ana")), what }
    }

    #[test]
    fn what_was_asked_for_is_told_of_rooms_that_fit() {
        let hook = Hook {
            events: vec!["left".to_owned(), "disconnected".to_owned()],
            ..crate::tests::hook("o", &["chat:*"])
        };
        let left = |room: &str| {
            let room = RoomId::from_full(room).expect("a room");
            traced(Happening::Left { room, cursor: None, why: Why::Asked })
        };
        let told = |traced: &Traced| event(&hook, traced, "n").map(|event| event["event"].clone());
        assert_eq!(told(&left("chat:a")), Some(json!("left")));
        assert_eq!(told(&left("scores:a")), None);
        let joined =
            Happening::Joined { room: RoomId::new("chat", "a"), how: "live", cursor: Position::default() };
        assert_eq!(told(&traced(joined)), None);
        let closed = event(&hook, &traced(Happening::Closed { code: 4410, words: "too slow".into() }), "n");
        let expected = json!({
            "event": "disconnected", "user": "ana", "node": "n", "connection": "n-0-7-1",
            "timestamp": "1970-01-01T00:00:00.000Z", "code": 4410, "reason": "too slow",
        });
        assert_eq!(closed, Some(expected));
    }

    #[test]
    fn a_user_has_one_lane_and_users_have_all() {
        let lanes: std::collections::BTreeSet<u64> = (0..1000).map(|it| lane(&it.to_string())).collect();
        assert_eq!(lanes.len() as u64, LANES);
    }
}
