//! Keys of back ends: who may ask what, of which rooms. A key is known by its digest; no key is kept or logged.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use node::{Facts, PeerAddress};
use sha2::{Digest, Sha256};
use vocabulary::RoomId;

use crate::answers::Fault;
use crate::guesses::Guesses;
use crate::{Api, passes};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Publish,
    History,
    Presence,
    /// Whoever is connected, on every node.
    Everybody,
    /// How the node and its rooms stand, for an operator.
    Inspect,
    /// That somebody goes, a room is tried again, the node drains.
    Operate,
}

impl Scope {
    pub const ALL: [Scope; 6] =
        [Scope::Publish, Scope::History, Scope::Presence, Scope::Everybody, Scope::Inspect, Scope::Operate];

    pub fn name(self) -> &'static str {
        match self {
            Scope::Publish => "publish",
            Scope::History => "history",
            Scope::Presence => "presence",
            Scope::Everybody => "everybody",
            Scope::Inspect => "inspect",
            Scope::Operate => "operate",
        }
    }
}

pub struct Key {
    name: Arc<str>,
    digest: [u8; 32],
    scopes: Vec<Scope>,
    /// Patterns of full room names; a `*` at the end stands for any rest.
    rooms: Vec<String>,
}

impl Key {
    pub fn new(name: &str, secret: &[u8], scopes: Vec<Scope>, rooms: Vec<String>) -> Key {
        Key { name: name.into(), digest: Sha256::digest(secret).into(), scopes, rooms }
    }
}

#[derive(Default)]
pub struct Keys {
    keys: Vec<Key>,
    guesses: Guesses,
}

impl Keys {
    pub fn new(keys: Vec<Key>) -> Keys {
        Keys { keys, guesses: Guesses::default() }
    }

    /// By the key itself, or by a pass of it. Digests are compared: how long that takes says nothing of a key.
    fn known(&self, secret: &[u8]) -> Option<usize> {
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let of_pass = || {
            let text = std::str::from_utf8(secret).ok()?;
            let until = passes::until(text, Facts::now())?;
            self.keys.iter().position(|key| passes::is_of(&key.digest, until, text))
        };
        self.keys.iter().position(|key| key.digest == digest).or_else(of_pass)
    }
}

/// A key that was shown, and is good.
#[derive(Clone)]
pub(crate) struct Known {
    keys: Arc<Keys>,
    index: usize,
}

impl Known {
    fn key(&self) -> &Key {
        &self.keys.keys[self.index]
    }

    pub(crate) fn name(&self) -> Arc<str> {
        self.key().name.clone()
    }

    pub(crate) fn may(&self, scope: Scope) -> Result<(), Fault> {
        let key = self.key();
        if key.scopes.contains(&scope) {
            return Ok(());
        }
        let says = format!("the key {:?} has no scope {:?}", key.name, scope.name());
        Err(Fault::forbidden(says))
    }

    pub(crate) fn allows(&self, scope: Scope, room: &RoomId) -> Result<(), Fault> {
        self.may(scope)?;
        if room.app() == RoomId::system().app() {
            return Err(Fault::forbidden("the server's own rooms are for no back end"));
        }
        self.reaches(room)
    }

    /// Of operators' keys, the server's own rooms too.
    pub(crate) fn reaches(&self, room: &RoomId) -> Result<(), Fault> {
        let key = self.key();
        if key.rooms.iter().any(|pattern| room.is_like(pattern)) {
            return Ok(());
        }
        Err(Fault::forbidden(format!("the key {:?} is not for the room {:?}", key.name, room.as_str())))
    }

    /// The patterns of its rooms.
    pub(crate) fn rooms(&self) -> Vec<Arc<str>> {
        self.key().rooms.iter().map(|pattern| pattern.as_str().into()).collect()
    }

    pub(crate) fn scopes(&self) -> Vec<&'static str> {
        self.key().scopes.iter().map(|scope| scope.name()).collect()
    }

    /// What is about no room in particular is for keys of all rooms.
    pub(crate) fn may_everywhere(&self, scope: Scope) -> Result<(), Fault> {
        self.may(scope)?;
        let key = self.key();
        if key.rooms.iter().any(|pattern| pattern == "*") {
            return Ok(());
        }
        let says = format!(
            "the key {:?} is for some rooms alone, and this is about all: its rooms must be \"*\"",
            key.name
        );
        Err(Fault::forbidden(says))
    }
}

/// By `Authorization` or by `X-API-Key`; who says both says the same.
pub(crate) fn shown(keys: &Arc<Keys>, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Known, Fault> {
    let of = |name: HeaderName| headers.get(name).map(|said| said.to_str().unwrap_or_default());
    let bearer = of(AUTHORIZATION).map(|said| said.strip_prefix("Bearer ").unwrap_or_default());
    let said = [bearer, of(HeaderName::from_static("x-api-key"))];
    let mut secrets = said.into_iter().flatten().map(str::trim);
    let (secret, other) = (secrets.next().ok_or_else(Fault::unproven)?, secrets.next());
    let index = keys.known(secret.as_bytes()).filter(|_| other.is_none_or(|other| other == secret));
    keys.guesses.judge(from, index).map(|index| Known { keys: keys.clone(), index })
}

/// Where a request comes from, as far as its listener tells.
pub(crate) fn address(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<PeerAddress>().map(|PeerAddress(address)| *address)
}

pub(crate) async fn prove(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    match shown(&api.keys, request.headers(), address(&request)) {
        Ok(known) => {
            request.extensions_mut().insert(known);
            next.run(request).await
        }
        Err(fault) => fault.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(scopes: &[Scope], rooms: &[&str]) -> Known {
        let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
        let keys = Keys::new(vec![Key::new("orders", b"secret", scopes.to_vec(), rooms)]);
        let index = keys.known(b"secret").expect("it is known");
        assert_eq!(keys.known(b"secret "), None);
        Known { keys: Arc::new(keys), index }
    }

    #[test]
    fn a_key_is_said_by_either_header_and_never_two_of_them() {
        let keys = Keys::new(["one", "two"].map(|it| Key::new(it, it.as_bytes(), vec![], vec![])).into());
        let keys = Arc::new(keys);
        for (said, known) in [
            (&[("authorization", "Bearer one")][..], Some("one")),
            (&[("x-api-key", "two")], Some("two")),
            (&[("authorization", "Bearer one"), ("x-api-key", "one")], Some("one")),
            (&[("authorization", "Bearer one"), ("x-api-key", "two")], None),
            (&[("authorization", "Basic one"), ("x-api-key", "two")], None),
            (&[("authorization", "one")], None),
            (&[("x-api-key", "")], None),
            (&[], None),
        ] {
            let headers = said
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")));
            let shown = shown(&keys, &headers.collect(), None);
            assert_eq!(shown.ok().map(|known| known.name()).as_deref(), known, "{said:?}");
        }
    }

    #[test]
    fn a_key_opens_what_its_scopes_and_rooms_say_and_nothing_else() {
        let key = known(&[Scope::Publish], &["chat:team-*", "user:7"]);
        for (scope, room, allowed) in [
            (Scope::Publish, "chat:team-a", true),
            (Scope::Publish, "user:7", true),
            (Scope::Publish, "user:77", false),
            (Scope::Publish, "chat:general", false),
            (Scope::History, "chat:team-a", false),
        ] {
            let room = RoomId::from_full(room).expect("a full name");
            assert_eq!(key.allows(scope, &room).is_ok(), allowed, "{scope:?} {room}");
        }
    }
}
