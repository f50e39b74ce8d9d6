//! One client device: what it wants, what it keeps over reconnects, and what it still waits for. A careful client, as the
//! protocol's page describes one: it resumes from its positions and resends under the same id until it is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use vocabulary::{Position, RoomId, Tick, User};

use crate::heard::Heard;
use crate::world::SocketId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Join,
    Leave,
    Send,
    History,
    Users,
    Garbage,
}

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub id: String,
    pub room: RoomId,
    pub verb: Verb,
    pub since: Option<Position>,
    pub asked: Tick,
}

/// A message that is not acknowledged yet.
#[derive(Clone, Debug)]
pub(crate) struct Unsent {
    pub room: RoomId,
    pub payload: Value,
    pub tried: Tick,
    pub times: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Joining,
    In,
    Leaving,
}

pub(crate) struct Device {
    pub name: String,
    pub user: Arc<User>,
    pub staff: bool,
    pub socket: Option<SocketId>,
    pub wanted: BTreeSet<RoomId>,
    pub standing: BTreeMap<RoomId, Standing>,
    pub kept: BTreeMap<RoomId, Position>,
    pub unsent: BTreeMap<String, Unsent>,
    /// Asked on the present connection and not answered.
    pub waiting: BTreeMap<String, Ask>,
    /// What the last answer to `online_users` said.
    pub last_users: BTreeMap<RoomId, (Tick, Vec<String>)>,
    pub reconnect_at: Tick,
    /// The node it prefers.
    pub home: Option<usize>,
    /// Joins and listens, and does nothing else by itself.
    pub watches: bool,
    /// Closed for good.
    pub gone: bool,
    serial: u64,
}

impl Device {
    pub(crate) fn new(name: String, user: Arc<User>, staff: bool) -> Device {
        Device {
            name,
            user,
            staff,
            socket: None,
            wanted: BTreeSet::new(),
            standing: BTreeMap::new(),
            kept: BTreeMap::new(),
            unsent: BTreeMap::new(),
            waiting: BTreeMap::new(),
            last_users: BTreeMap::new(),
            reconnect_at: Tick::default(),
            home: None,
            watches: false,
            gone: false,
            serial: 0,
        }
    }

    pub(crate) fn user_id(&self) -> &str {
        self.user.person.id.as_str()
    }

    pub(crate) fn is_in(&self, room: &RoomId) -> bool {
        self.socket.is_some() && self.standing.get(room) == Some(&Standing::In)
    }

    pub(crate) fn fresh_id(&mut self) -> String {
        self.serial += 1;
        format!("{}.{}", self.name, self.serial)
    }

    fn ask(&mut self, now: Tick, room: &RoomId, verb: Verb, since: Option<Position>) -> Ask {
        let ask = Ask { id: self.fresh_id(), room: room.clone(), verb, since, asked: now };
        self.waiting.insert(ask.id.clone(), ask.clone());
        ask
    }

    pub(crate) fn join(&mut self, now: Tick, room: &RoomId, with_since: bool) -> (Ask, String) {
        let since = self.kept.get(room).copied().filter(|_| with_since);
        let ask = self.ask(now, room, Verb::Join, since);
        self.wanted.insert(room.clone());
        if self.standing.get(room) != Some(&Standing::In) {
            self.standing.insert(room.clone(), Standing::Joining);
        }
        let mut payload = json!({"room_id": written(room)});
        if let Some(since) = since {
            payload["since"] = json!({"epoch": since.epoch.to_string(), "offset": since.offset});
        }
        if self.staff {
            payload["tag"] = "staff".into();
        }
        let text = json!({"type": "join_room", "id": ask.id, "payload": payload});
        (ask, text.to_string())
    }

    pub(crate) fn leave(&mut self, now: Tick, room: &RoomId) -> (Ask, String) {
        let ask = self.ask(now, room, Verb::Leave, None);
        self.wanted.remove(room);
        self.standing.insert(room.clone(), Standing::Leaving);
        self.kept.remove(room);
        let text = json!({"type": "leave_room", "id": ask.id, "payload": {"room_id": written(room)}});
        (ask, text.to_string())
    }

    pub(crate) fn history(&mut self, now: Tick, room: &RoomId, limit: u64, before: bool) -> (Ask, String) {
        let ask = self.ask(now, room, Verb::History, None);
        let mut payload = json!({"room_id": written(room), "limit": limit});
        if let Some(kept) = self.kept.get(room) {
            let field = if before { "before" } else { "after" };
            let offset = kept.offset.saturating_sub(if before { 0 } else { 5 });
            payload[field] = json!({"epoch": kept.epoch.to_string(), "offset": offset});
        }
        let text = json!({"type": "get_history", "id": ask.id, "payload": payload});
        (ask, text.to_string())
    }

    pub(crate) fn users(&mut self, now: Tick, room: &RoomId) -> (Ask, String) {
        let ask = self.ask(now, room, Verb::Users, None);
        let text = json!({"type": "online_users", "id": ask.id, "room": written(room)});
        (ask, text.to_string())
    }

    /// A new message, kept until it is acknowledged.
    pub(crate) fn compose(&mut self, room: &RoomId, mut payload: Value) -> String {
        let id = self.fresh_id();
        payload["content"] = id.clone().into();
        let unsent = Unsent { room: room.clone(), payload, tried: Tick::default(), times: 0 };
        self.unsent.insert(id.clone(), unsent);
        id
    }

    /// The message goes, perhaps again.
    pub(crate) fn send(&mut self, now: Tick, id: &str) -> Option<(Ask, String)> {
        let unsent = self.unsent.get_mut(id)?;
        unsent.tried = now;
        unsent.times += 1;
        let room = unsent.room.clone();
        let text = json!({
            "type": "send_message", "id": id, "room": written(&room), "payload": unsent.payload,
        });
        let ask = Ask { id: id.to_owned(), room, verb: Verb::Send, since: None, asked: now };
        self.waiting.insert(id.to_owned(), ask.clone());
        Some((ask, text.to_string()))
    }

    pub(crate) fn disconnected(&mut self) {
        self.socket = None;
        self.standing.clear();
        self.waiting.clear();
    }

    pub(crate) fn hear(&mut self, now: Tick, heard: &Heard) {
        let answered =
            heard.id.as_ref().filter(|_| !heard.is_record()).and_then(|id| self.waiting.remove(id));
        if let Some(room) = &heard.room
            && self.standing.get(room) == Some(&Standing::In)
        {
            self.keep(room, heard);
        }
        let Some(ask) = answered else {
            if heard.kind == "error" && heard.code() == "FORBIDDEN" {
                self.part(heard);
            }
            return;
        };
        let refused = heard.kind == "error";
        match ask.verb {
            Verb::Join if heard.kind == "room_info" => {
                let entered = self.step(&ask.room, Standing::Joining, Some(Standing::In));
                let room = entered.then(|| ask.room.clone());
                room.into_iter().for_each(|room| self.keep(&room, heard));
            }
            Verb::Join if refused => {
                if heard.code() == "FORBIDDEN" {
                    self.part(heard);
                } else if self.standing.get(&ask.room) == Some(&Standing::Joining) {
                    self.standing.remove(&ask.room);
                }
            }
            Verb::Leave if refused => {
                // Not heard, so it is still there.
                let stays = self.step(&ask.room, Standing::Leaving, Some(Standing::In));
                self.wanted.extend(stays.then(|| ask.room.clone()));
            }
            Verb::Leave => {
                self.step(&ask.room, Standing::Leaving, None);
            }
            Verb::Send => {
                let again = matches!(heard.code(), "BUSY" | "UNCONFIRMED" | "RATE_LIMIT" | "NOT_IN_ROOM");
                if !refused || !again {
                    self.unsent.remove(&ask.id);
                }
            }
            Verb::Users if !refused => {
                self.last_users.insert(ask.room.clone(), (now, heard.users()));
            }
            _ => {}
        }
    }

    /// From one standing to another, if it stands there.
    fn step(&mut self, room: &RoomId, from: Standing, to: Option<Standing>) -> bool {
        if self.standing.get(room) != Some(&from) {
            return false;
        }
        match to {
            Some(to) => drop(self.standing.insert(room.clone(), to)),
            None => drop(self.standing.remove(room)),
        }
        true
    }

    fn keep(&mut self, room: &RoomId, heard: &Heard) {
        if matches!(heard.kind.as_str(), "gap" | "reset") {
            self.kept.extend(heard.upto().map(|upto| (room.clone(), upto)));
        }
        let Some(position) = heard.position else { return };
        let kept = self.kept.get(room).copied();
        let newer = match kept {
            // A duplicate's ack may be of any age: alone it says nothing about what was missed.
            None => heard.kind != "ack",
            Some(kept) => kept.epoch == position.epoch && kept.offset < position.offset,
        };
        if newer {
            self.kept.insert(room.clone(), position);
        }
    }

    fn part(&mut self, heard: &Heard) {
        if let Some(room) = &heard.room {
            self.wanted.remove(room);
            self.standing.remove(room);
            self.kept.remove(room);
            self.unsent.retain(|_, unsent| unsent.room != *room);
        }
    }
}

/// As this client writes a room: the short form for the mount's own app.
pub(crate) fn written(room: &RoomId) -> &str {
    if room.app() == "chat" { room.name() } else { room.as_str() }
}
