//! The room that every node follows, `system:all`: what holds for the whole deployment. Revocations are remembered, so that a
//! node that starts later knows them too; an announcement is said once, to whoever is connected, and so is that somebody is to go.
//! No client comes here.

use std::collections::BTreeMap;
use std::time::Duration;

use app::{Action, App, Applied, Decision, Room, SoftDraft, UnknownFormat};
use serde::{Deserialize, Serialize};
use vocabulary::{Audience, Caller, Class, Code, Now, Payload, Record, Refusal, RoomId, Shown, Wall};

/// Longer than any token should live; whoever makes tokens for longer revokes by changing the key.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Revocations of each kind: what fits a snapshot and a node's memory. Beyond it the oldest gives way.
const REVOCATIONS_MAX: usize = 10_000;

/// Soft values of nodes: what each says of who is connected to it.
const ONLINE: &str = "online/";
/// A node that has not said so for a few rounds is gone.
const ONLINE_FOR: Duration = Duration::from_secs(10);
const REVOKED: &str = "revoked";
const ANNOUNCED: &str = "announced";
const DISCONNECTED: &str = "disconnected";
const KICKED: &str = "kicked";

#[derive(Clone, Copy, Debug, Default)]
pub struct System;

/// Of a user or of a token, with the moment up to which it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    users: BTreeMap<String, i64>,
    tokens: BTreeMap<String, i64>,
}

/// `{"user":"7","at":1767261600123}` or `{"token":"…","at":…}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    user: Option<String>,
    token: Option<String>,
    at: i64,
}

/// Somebody's connections end, with this code: `{"user":"7","code":4412}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it is all there is what is asked of it")]
struct Disconnected {
    user: String,
    code: u16,
}

/// Or leave a room: `{"room":"chat:general","user":"7"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it is all there is what is asked of it")]
struct Kicked {
    room: String,
    user: String,
}

impl State {
    fn revoke(&mut self, of: Revoked, now: Wall) {
        let Revoked { user, token, at } = of;
        for (map, name) in [(&mut self.users, user), (&mut self.tokens, token)] {
            if let Some(name) = name {
                let until = map.entry(name).or_insert(at);
                *until = (*until).max(at);
            }
            let still = |at: &i64| Wall(*at) + REMEMBERED > now;
            if map.len() > REVOCATIONS_MAX {
                map.retain(|_, at| still(at));
            }
            while map.len() > REVOCATIONS_MAX {
                let oldest = map.iter().min_by_key(|(_, at)| **at).map(|(name, _)| name.clone());
                oldest.and_then(|name| map.remove(&name));
            }
        }
    }
}

impl App for System {
    type State = State;

    fn start(&self, _room: &RoomId) -> State {
        State::default()
    }

    fn admit(
        &self,
        _now: Now,
        _state: &State,
        caller: &Caller,
        _join: &Payload,
    ) -> Result<Audience, Refusal> {
        match caller {
            Caller::Connection { .. } => {
                Err(Refusal::new(Code::Forbidden, "the server's own room is open to no client"))
            }
            _ => Ok(Audience::default()),
        }
    }

    fn decide(
        &self,
        _now: Now,
        _room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        let Caller::Api { key } = caller else {
            return Err(Refusal::new(Code::Forbidden, "the server's own room is open to no client"));
        };
        match action.kind {
            "revoke" if serde_json::from_slice::<Revoked>(action.payload).is_ok() => {
                Ok(Decision::record(REVOKED, action.payload.clone()))
            }
            "revoke" => {
                Err(Refusal::new(Code::InvalidPayload, "a revocation names a user or a token, and when"))
            }
            // By whose key it comes is whose word it is.
            "online" => Ok(Decision::soft(SoftDraft {
                key: format!("{ONLINE}{key}").into(),
                value: Some(action.payload.clone()),
                time_to_live: ONLINE_FOR,
                class: Class::Latest(0),
            })),
            "announce" => Ok(Decision::record(ANNOUNCED, action.payload.clone())),
            "disconnect" if serde_json::from_slice::<Disconnected>(action.payload).is_ok() => {
                Ok(Decision::record(DISCONNECTED, action.payload.clone()))
            }
            "kick" if serde_json::from_slice::<Kicked>(action.payload).is_ok() => {
                Ok(Decision::record(KICKED, action.payload.clone()))
            }
            "disconnect" | "kick" => Err(Refusal::new(
                Code::InvalidPayload,
                "who is to go is a user, with a code or out of a room",
            )),
            kind => Err(Refusal::new(Code::UnknownType, format!("unknown message type: {kind}"))),
        }
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        match (&*record.kind, serde_json::from_slice::<Revoked>(&record.body)) {
            (REVOKED, Ok(revoked)) => {
                state.revoke(revoked, record.at);
                Applied::Done
            }
            (ANNOUNCED | DISCONNECTED | KICKED, _) => Applied::Done,
            _ => Applied::Unknown,
        }
    }

    fn show(&self, _state: &State, record: &Record, _audience: Audience) -> Option<Shown> {
        let kind = match &*record.kind {
            REVOKED => REVOKED,
            ANNOUNCED => ANNOUNCED,
            DISCONNECTED => DISCONNECTED,
            KICKED => KICKED,
            _ => return None,
        };
        Some(Shown { kind, payload: record.body.clone(), sender: None, class: Class::Record, lasting: true })
    }

    /// All that is revoked, for a node that begins.
    fn view(&self, state: &State, _audience: Audience) -> Payload {
        saved(state)
    }

    fn save(&self, state: &State) -> Payload {
        saved(state)
    }

    fn load(&self, _room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        serde_json::from_slice(saved).map_err(|error| UnknownFormat(error.to_string()))
    }
}

fn saved(state: &State) -> Payload {
    // Maps of texts and numbers are always JSON.
    serde_json::to_vec(state).unwrap_or_default().into()
}
