//! Who is let in, and with what answer whoever is not. It decides by what the request and its token say; it never reads or
//! writes a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use identity::{KeyRing, Unverified};
use session::{Authenticated, Who};
use shard::Own;
use vocabulary::{CUSTOMER, Person, STAFF, User, UserId, Wall, check_user};
use websocket::Compression;
use websocket::handshake::{Agreed, Refusal, Upgrade, refusal_of_field, refusal_response, response_101};

use crate::addresses::Network;
use crate::origins::Origins;
use crate::path::{Named, Path};
use crate::tokens;

/// Who may open a WebSocket here, and where. A change makes a new one; each shard's thread holds the newest.
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
    /// What whoever has no token, or a bad one, is told: clients of some protocols know other words than [`UNPROVEN`].
    pub unproven: &'static str,
    /// Whether messages may be compressed, if the client can.
    pub compression: bool,
}

/// As every mount tells it that has no words of its own.
pub const UNPROVEN: &str = "authentication required";

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
    pub compression: Compression,
    pub response: Vec<u8>,
}

/// Why a connection is not let in: the answer to send, and a word for the log.
pub(crate) struct Turned {
    pub response: Vec<u8>,
    pub status: u16,
    pub why: String,
    /// Its token names a key that a newer set of keys may have.
    pub unknown_key: bool,
}

impl Gate {
    /// Order: is there such a mount, is the request well-formed, who is it, may they.
    pub(crate) fn admit(&self, now: Wall, upgrade: &Upgrade<'_>) -> Result<Admitted, Turned> {
        let mut mounts = self.mounts.iter().enumerate();
        let found = mounts.find_map(|(index, mount)| Some((index, mount, mount.path.matches(upgrade.path)?)));
        let Some((index, mount, named)) = found else {
            return Err(turned(404, "no WebSocket here", "no such mount"));
        };
        let Named { user: named, room, role } = named;
        if named.as_deref().is_some_and(|user| check_user(user).is_err()) {
            return Err(malformed("the user in the path must be 1 to 128 bytes without control characters"));
        }
        let room = match room {
            Some(place) => Some(place.own(upgrade)?),
            None => None,
        };
        if role.as_deref().is_some_and(|role| role != CUSTOMER && !STAFF.contains(&role)) {
            return Err(of_field("user_type must be customer, agent, supervisor or admin", "user_type"));
        }
        let number = mount.user_in_query.then(|| user_in_query(upgrade)).transpose()?;
        let (who, protocol) = match mount.auth {
            Auth::Optional if named.is_none() && shows_none(mount, upgrade) => {
                (Who::Known(guest()), tokens::find(upgrade, false).agreed)
            }
            Auth::Token | Auth::Optional => {
                let (who, agreed) = self.identify(now, mount, upgrade)?;
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
            Auth::InBand => (Who::Stranger, tokens::find(upgrade, false).agreed),
            Auth::TrustPath => {
                let Some(user) = named else { return Err(malformed("the path must name the user")) };
                (Who::Known(unproven(&user, role.as_deref())), tokens::find(upgrade, false).agreed)
            }
            Auth::Public => (Who::Known(guest()), tokens::find(upgrade, false).agreed),
        };
        if !mount.origins.allow(upgrade.origin, upgrade.host) {
            return Err(turned(403, "origin not allowed", "origin not allowed"));
        }
        let agreed = mount.compression.then(|| Agreed::on(&upgrade.extensions)).flatten();
        let response = response_101(upgrade.key, protocol.as_deref(), agreed);
        let compression = agreed.map_or(Compression::Off, Agreed::compression);
        Ok(Admitted { mount: index as u8, who, room, compression, response })
    }

    /// Every token that is present must prove the same user. With it, the subprotocol to agree to.
    fn identify(
        &self,
        now: Wall,
        mount: &MountPoint,
        upgrade: &Upgrade<'_>,
    ) -> Result<(Authenticated, Option<String>), Turned> {
        let found = tokens::find(upgrade, mount.token_in_query);
        let mut proven: Option<Authenticated> = None;
        for token in &found.tokens {
            let who = self.keys.verify(now, token).map_err(|error| unauthenticated(mount, &error))?;
            match &proven {
                Some(first) if first.user.person.id != who.user.person.id => {
                    return Err(required(mount, "two tokens of different users"));
                }
                Some(_) => {}
                None => proven = Some(who),
            }
        }
        proven.map(|who| (who, found.agreed)).ok_or_else(|| required(mount, "no token"))
    }
}

/// The parameter by which old clients name themselves.
const USER_PARAMETER: &str = "userId";

fn user_in_query(upgrade: &Upgrade<'_>) -> Result<u64, Turned> {
    let named = upgrade.query.and_then(|query| tokens::parameters(query, USER_PARAMETER).next());
    let refused = |words| of_field(words, USER_PARAMETER);
    match named.as_deref() {
        None | Some("") => Err(refused("userId parameter is required")),
        Some(named) => number(named).ok_or_else(|| refused("userId must be a valid number")),
    }
}

pub(crate) fn of_field(words: &'static str, field: &str) -> Turned {
    let response = refusal_of_field(400, words, field);
    Turned { response, status: 400, why: words.to_owned(), unknown_key: false }
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

/// A page whose user has not logged in may still write `token=`.
fn shows_none(mount: &MountPoint, upgrade: &Upgrade<'_>) -> bool {
    tokens::find(upgrade, mount.token_in_query).tokens.iter().all(|token| token.is_empty())
}

fn required(mount: &MountPoint, why: &str) -> Turned {
    turned(401, mount.unproven, why)
}

fn unauthenticated(mount: &MountPoint, error: &Unverified) -> Turned {
    Turned { unknown_key: *error == Unverified::UnknownKey, ..required(mount, &error.to_string()) }
}

fn malformed(words: &'static str) -> Turned {
    turned(400, words, words)
}

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Turned {
        let (status, why) = (refusal.status(), refusal.words().to_owned());
        Turned { response: refusal.response(), status, why, unknown_key: false }
    }
}

pub(crate) fn too_many_of_address() -> Turned {
    turned(429, "too many connections from your address", "too many of its address")
}

pub(crate) fn too_many_pages() -> Turned {
    turned(429, "too many requests at a time from your address", "too many pages of its address")
}

/// One answer, and the end of the connection. Where it says to come back, it says when.
pub(crate) fn turned(status: u16, words: &'static str, why: &str) -> Turned {
    let fields: &[(&str, &str)] = if matches!(status, 429 | 503) { &[("Retry-After", "5")] } else { &[] };
    let response = refusal_response(status, fields, words);
    Turned { response, status, why: why.to_owned(), unknown_key: false }
}
