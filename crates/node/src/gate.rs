//! Who is let in, and with what answer whoever is not. It decides by what the request and its token say; it never reads or
//! writes a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use identity::KeyRing;
use session::{Authenticated, Who};
use shard::{Opening, Own};
use vocabulary::{CUSTOMER, Person, STAFF, User, UserId, Wall, check_user};
use websocket::Compression;
use websocket::handshake::{Agreed, Request, response_101};

use crate::addresses::Network;
use crate::origins::Origins;
use crate::path::{Named, Path};
use crate::tokens::{self, Found};
use crate::turned::{Turned, malformed, of_field, required, turned, unauthenticated};
use crate::visit::{Visit, Wants};

/// Who may open a WebSocket or a stream of events here, and where. A change makes a new one; each shard's thread holds the newest.
#[derive(Clone)]
pub struct Gate {
    pub keys: KeyRing,
    pub mounts: Vec<MountPoint>,
    pub crowd: Crowd,
    /// Proxies that are believed about whom they heard.
    pub trusted: Vec<Network>,
}

/// How many at a time, and how fast.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// A person's devices and tabs.
    pub connections_per_user: u32,
    /// An office or a carrier behind one address, and no botnet.
    pub connections_per_address: u32,
    /// Addresses that are not counted: load balancers, this machine.
    pub exempt: Vec<Network>,
    /// Sockets that have not said what they want yet; beyond it new ones are turned away unheard.
    pub greetings_max: usize,
    /// Handshakes are the most expensive thing that a stranger can ask for. 0: as fast as they come.
    pub accepts_per_second: u32,
}

impl Default for Crowd {
    fn default() -> Crowd {
        let loopback = ["127.0.0.0/8", "::1"].map(|text| text.parse().ok()).into_iter().flatten();
        Crowd {
            connections_per_user: 10,
            connections_per_address: 2000,
            exempt: loopback.collect(),
            greetings_max: 4096,
            accepts_per_second: 0,
        }
    }
}

#[derive(Clone, Debug)]
pub struct MountPoint {
    pub path: Path,
    pub auth: Auth,
    pub origins: Origins,
    pub token_in_query: bool,
    /// `?userId=N` is required, a number, and says what the token says: old clients name themselves in the URL.
    pub user_in_query: bool,
    pub words: Words,
    pub offers: Offers,
}

/// What one gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offers {
    WebSocket {
        /// Whether messages may be compressed, if the client can.
        compression: bool,
    },
    /// A stream of what is told in the room that the path names, for clients that only read.
    Events,
}

/// What is said of its connections, where clients of some protocols, or whoever watches their logs, know other words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// To whoever has no token, or a bad one.
    pub unproven: &'static str,
    /// The whole body that says so, in JSON, where clients look for it in another place.
    pub unproven_body: Option<&'static str>,
    /// How the line in the log begins when a socket takes nothing any more.
    pub unsent: &'static str,
    /// The same of a connection that was let in, of one that is over, and of one that is over because its user has a newer one.
    pub came: &'static str,
    pub gone: &'static str,
    pub replaced: &'static str,
}

impl Default for Words {
    fn default() -> Words {
        Words {
            unproven: "authentication required",
            unproven_body: None,
            unsent: "Failed to send message to client",
            came: "client connected",
            gone: "Removed connection",
            replaced: "Removed connection",
        }
    }
}

/// How one says who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// By a token, before the upgrade.
    Token,
    /// By a token in the first message.
    InBand,
    /// The path says it, and is believed: for a network in which nobody lies.
    TrustPath,
    /// By a token before the upgrade, or not at all: then each connection is a guest of its own.
    Optional,
    /// Nobody says it: each connection is a guest of its own.
    Public,
}

/// A connection that is let in.
pub(crate) struct Admitted {
    pub mount: u8,
    pub who: Who,
    /// The room that its path names.
    pub room: Option<Own>,
    pub welcome: Welcome,
}

pub(crate) enum Welcome {
    /// What was agreed on, and the answer that says so.
    WebSocket(Compression, Vec<u8>),
    /// Its room answers.
    Events(Opening),
}

impl Gate {
    /// Whether it is for a stream of events that is asked here.
    pub(crate) fn listens(&self, request: &Request<'_>) -> bool {
        let path = request.path_and_query().map_or("", |(path, _)| path);
        let mut streams = self.mounts.iter().filter(|mount| mount.offers == Offers::Events);
        request.method == "GET" && streams.any(|mount| mount.path.matches(path).is_some())
    }

    pub(crate) fn admit(&self, now: Wall, visit: &Visit<'_>) -> Result<Admitted, Turned> {
        let is_meant =
            |mount: &MountPoint| matches!(visit.wants, Wants::Events) == (mount.offers == Offers::Events);
        let mut mounts = self.mounts.iter().enumerate().filter(|(_, mount)| is_meant(mount));
        let found = mounts.find_map(|(index, mount)| Some((index, mount, mount.path.matches(visit.path)?)));
        let Some((index, mount, named)) = found else {
            return Err(turned(404, "no WebSocket here", "no such mount"));
        };
        self.admit_at(now, (index, mount), named, visit).map_err(|turned| match (visit.wants, visit.origin) {
            (Wants::Events, Some(origin)) if mount.origins.allow(visit.origin, visit.host) => {
                turned.shared_with(origin)
            }
            _ => turned,
        })
    }

    /// Order: is the request well-formed, who is it, may they.
    fn admit_at(
        &self,
        now: Wall,
        (index, mount): (usize, &MountPoint),
        named: Named<'_>,
        visit: &Visit<'_>,
    ) -> Result<Admitted, Turned> {
        let Named { user: named, room, role } = named;
        if named.as_deref().is_some_and(|user| check_user(user).is_err()) {
            return Err(malformed("the user in the path must be 1 to 128 bytes without control characters"));
        }
        let room = match room {
            Some(place) => Some(place.own(visit)?),
            None => None,
        };
        if role.as_deref().is_some_and(|role| role != CUSTOMER && !STAFF.contains(&role)) {
            return Err(of_field("user_type must be customer, agent, supervisor or admin", "user_type"));
        }
        let number = mount.user_in_query.then(|| user_in_query(visit)).transpose()?;
        let found = tokens::find(visit, mount.token_in_query);
        let (who, protocol) = match mount.auth {
            // A page whose user has not logged in may still write `token=`.
            Auth::Optional if named.is_none() && found.tokens.iter().all(|token| token.is_empty()) => {
                (Who::Known(guest()), found.agreed)
            }
            Auth::Token | Auth::Optional => {
                let (who, agreed) = self.identify(now, mount, found)?;
                if let Some(number) = number {
                    is_number(number, &who.user.person.id)?;
                }
                if named.is_some_and(|user| *user != *who.user.person.id.as_str()) {
                    return Err(turned(403, "the path names another user", "path and token differ"));
                }
                if role.is_some_and(|role| *role != *who.user.side()) {
                    let words = "the path names another user_type than the token's role";
                    return Err(turned(403, words, "path and token differ"));
                }
                (Who::Known(who), agreed)
            }
            Auth::InBand => (Who::Stranger, found.agreed),
            Auth::TrustPath => {
                let Some(user) = named else { return Err(malformed("the path must name the user")) };
                (Who::Known(unproven(&user, role.as_deref())), found.agreed)
            }
            Auth::Public => (Who::Known(guest()), found.agreed),
        };
        if !mount.origins.allow(visit.origin, visit.host) {
            return Err(turned(403, "origin not allowed", "origin not allowed"));
        }
        let welcome = match visit.wants {
            Wants::WebSocket(upgrade) => {
                let compresses = mount.offers == Offers::WebSocket { compression: true };
                let agreed = compresses.then(|| Agreed::on(&upgrade.extensions)).flatten();
                let response = response_101(upgrade.key, protocol.as_deref(), agreed);
                Welcome::WebSocket(agreed.map_or(Compression::Off, Agreed::compression), response)
            }
            Wants::Events => Welcome::Events(visit.opening()),
        };
        Ok(Admitted { mount: index as u8, who, room, welcome })
    }

    /// Every token that is present must prove the same user. With it, the subprotocol to agree to.
    fn identify(
        &self,
        now: Wall,
        mount: &MountPoint,
        found: Found<'_>,
    ) -> Result<(Authenticated, Option<String>), Turned> {
        let mut proven: Option<Authenticated> = None;
        for token in &found.tokens {
            let who = self.keys.verify(now, token).map_err(|error| unauthenticated(&mount.words, &error))?;
            match &proven {
                Some(first) if first.user.person.id != who.user.person.id => {
                    return Err(required(&mount.words, "two tokens of different users"));
                }
                Some(_) => {}
                None => proven = Some(who),
            }
        }
        proven.map(|who| (who, found.agreed)).ok_or_else(|| required(&mount.words, "no token"))
    }
}

/// The parameter by which old clients name themselves.
const USER_PARAMETER: &str = "userId";

fn user_in_query(visit: &Visit<'_>) -> Result<u64, Turned> {
    let named = visit.parameter(USER_PARAMETER);
    let refused = |words| of_field(words, USER_PARAMETER);
    match named.as_deref() {
        None | Some("") => Err(refused("userId parameter is required")),
        Some(named) => number(named).ok_or_else(|| refused("userId must be a valid number")),
    }
}

/// Digits alone: a sign is no part of an id.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn is_number(named: u64, id: &UserId) -> Result<(), Turned> {
    match number(id.as_str()) {
        Some(proven) if proven == named => Ok(()),
        Some(_) => Err(turned(403, "userId names another user than the token", "userId and token differ")),
        None => {
            let words = "the user of the token is no number, and here users are numbers";
            Err(turned(403, words, "the token's user is no number"))
        }
    }
}

fn unproven(id: &str, role: Option<&str>) -> Authenticated {
    let person = Person { id: UserId::new(id), name: id.into() };
    let user = Arc::new(User { person, role: role.map(Arc::from), rooms: None, groups: None });
    Authenticated { user, expires: Wall(i64::MAX), issued: Wall(0), token: None }
}

/// The role of whoever came without saying who they are, as apps see it.
const GUEST: &str = "guest";

/// Anybody can be one, as often as they like.
pub(crate) fn is_guest(user: &User) -> bool {
    user.role.as_deref() == Some(GUEST)
}

/// Numbered, because a guest that comes again is another one.
fn guest() -> Authenticated {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let number = SERIAL.fetch_add(1, Ordering::Relaxed);
    unproven(&format!("{GUEST}:{:x}:{number}", std::process::id()), Some(GUEST))
}
