//! Names of things: rooms, users, shards, connections.

use std::fmt;
use std::sync::Arc;

/// Rooms hash into this many slices, fixed when a deployment is created: enough to spread over any fleet we mean to
/// serve, few enough that one node can list all it holds in one message.
pub const SLICES: u16 = 1024;

/// Names that clients choose are at most this long, so that any engine and any broker can hold them as part of a key.
const NAME_BYTES_MAX: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// One socket as a shard sees it. The generation makes a reused slot a different connection, so what was meant for the
/// old one can never reach the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub shard: ShardId,
    pub slot: u32,
    pub generation: u32,
}

/// One life of one shard as publisher of presence and holder of leases. A shard that slept past its lease comes back
/// with a higher `life`: what others dropped of the old one cannot be confused with the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// Drawn by the shell when the process starts.
    pub node: u64,
    pub shard: ShardId,
    pub life: u32,
}

/// One of the shares of all rooms: what one node is steward of, and what one shard of a node is home of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice(pub u16);

impl Slice {
    /// The shard of a node with `shards` shards at which this slice's rooms are at home.
    pub fn home(self, shards: u16) -> ShardId {
        ShardId(self.0 % shards)
    }
}

/// A room: the app it belongs to, and its name there. Written `app:name`.
///
/// With its hash in front: rooms are looked up many times a message, and a lookup compares numbers until it has found
/// the one it means. So the order of rooms is not that of their names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId {
    hash: u64,
    full: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    Empty,
    TooLong,
    Character,
    /// Of a user's id.
    Control,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::Empty => "must not be empty",
            NameError::TooLong => "must be at most 128 bytes",
            NameError::Character => "may hold only A-Z a-z 0-9 _ . : -",
            NameError::Control => "may hold no control characters",
        })
    }
}

/// The alphabet binds names that clients choose; apps may name rooms of their own as they like.
pub fn check_name(name: &str) -> Result<(), NameError> {
    match name.len() {
        0 => return Err(NameError::Empty),
        1..=NAME_BYTES_MAX => {}
        _ => return Err(NameError::TooLong),
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    if name.bytes().all(allowed) { Ok(()) } else { Err(NameError::Character) }
}

/// User ids come from tokens, not from clients, so any text will do as long as it cannot break a log line or a key.
pub fn check_user(id: &str) -> Result<(), NameError> {
    match id.len() {
        0 => Err(NameError::Empty),
        1..=NAME_BYTES_MAX if id.chars().any(char::is_control) => Err(NameError::Control),
        1..=NAME_BYTES_MAX => Ok(()),
        _ => Err(NameError::TooLong),
    }
}

/// What a broker's message names itself by has at most so many bytes: longer ids are none that somebody counts or draws.
pub const EVENT_ID_BYTES_MAX: usize = 256;

/// Whether a broker's message may name itself so.
pub fn is_event_id(id: &str) -> bool {
    (1..=EVENT_ID_BYTES_MAX).contains(&id.len()) && !id.chars().any(char::is_control)
}

/// A UUID as we write it, however it is written.
pub fn lower_uuid(written: &str) -> Option<String> {
    let has_its_shape = written.len() == 36
        && written.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    has_its_shape.then(|| written.to_ascii_lowercase())
}

/// Apps with a meaning of their own, also where nothing serves them: no client's room may take their names.
pub fn is_built_in(app: &str) -> bool {
    matches!(app, "user" | "area" | "system")
}

/// How the name of a room of two users begins.
const DIRECT: &str = "direct:";

fn escaped(id: &str) -> String {
    let mut written = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("_{byte:02X}"));
        }
    }
    written
}

fn unescaped(written: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'_' {
            let hex = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

impl RoomId {
    pub fn new(app: &str, name: &str) -> RoomId {
        debug_assert!(!app.contains(':'), "an app's name is the part before the first colon");
        let mut full = String::with_capacity(app.len() + 1 + name.len());
        full.push_str(app);
        full.push(':');
        full.push_str(name);
        RoomId::of(full.into())
    }

    /// The room of two users, in an app: the same whoever of them names it. Every byte that a name may not hold is written `_XX`.
    pub fn direct(app: &str, one: &UserId, other: &UserId) -> RoomId {
        let (first, second) = if one.as_str() <= other.as_str() { (one, other) } else { (other, one) };
        let name = format!("{DIRECT}{}:{}", escaped(first.as_str()), escaped(second.as_str()));
        RoomId::new(app, &name)
    }

    /// Its name begins as those of rooms of two. Where `direct_pair` knows nobody, nobody's room it is.
    pub fn is_named_direct(&self) -> bool {
        self.name().starts_with(DIRECT)
    }

    /// Whose room it is, if it is the room of two users as `direct` writes it.
    pub fn direct_pair(&self) -> Option<(UserId, UserId)> {
        let (first, second) = self.name().strip_prefix(DIRECT)?.split_once(':')?;
        let (first, second) = (UserId::new(&unescaped(first)?), UserId::new(&unescaped(second)?));
        (RoomId::direct(self.app(), &first, &second) == *self).then_some((first, second))
    }

    /// The room that every node follows.
    pub fn system() -> RoomId {
        RoomId::new("system", "all")
    }

    /// From the form that `as_str` gives; the part before the first colon is the app.
    pub fn from_full(full: &str) -> Option<RoomId> {
        full.contains(':').then(|| RoomId::of(full.into()))
    }

    /// FNV-1a over the full name: the same on every node and version, because stored leases and agendas depend on it.
    fn of(full: Arc<str>) -> RoomId {
        let hash = full.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        RoomId { hash, full }
    }

    pub fn app(&self) -> &str {
        self.full.split_once(':').map_or("", |(app, _)| app)
    }

    pub fn name(&self) -> &str {
        self.full.split_once(':').map_or(&self.full, |(_, name)| name)
    }

    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// A pattern is a full name; a `*` at its end stands for any rest.
    pub fn is_like(&self, pattern: &str) -> bool {
        match pattern.strip_suffix('*') {
            Some(start) => self.full.starts_with(start),
            None => *self.full == *pattern,
        }
    }

    pub fn slice(&self) -> Slice {
        // The low bits of FNV-1a of short names are the weak ones; fold the high half in.
        Slice(((self.hash ^ (self.hash >> 32)) % u64::from(SLICES)) as u16)
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// Who authenticated. Holding one does not prove anything; a [`User`] does, and only token verification makes those.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

impl UserId {
    pub fn new(id: &str) -> UserId {
        UserId(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user's inbox, a room that exists for everyone.
    pub fn inbox(&self) -> RoomId {
        RoomId::new("user", &self.0)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: UserId,
    pub name: Arc<str>,
}

/// What a verified token says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub person: Person,
    pub role: Option<Arc<str>>,
    /// Patterns of full room names that the token allows; absent: the app's own rules alone.
    pub rooms: Option<Vec<Arc<str>>>,
    /// What its bearer belongs to beside rooms, a department say: an app's to make something of.
    pub groups: Option<Vec<Arc<str>>>,
}

/// What a user may be to a customers' desk.
pub const CUSTOMER: &str = "customer";
pub const STAFF: [&str; 3] = ["agent", "supervisor", "admin"];

impl User {
    /// One of `STAFF` by its token; whoever has another role there, or none, is a `CUSTOMER`.
    pub fn side(&self) -> &str {
        self.role.as_deref().filter(|role| STAFF.contains(role)).unwrap_or(CUSTOMER)
    }

    /// A pattern is a full or mount-relative room name; a `*` at its end stands for any rest.
    pub fn may_enter(&self, room: &RoomId) -> bool {
        let matches = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => pattern == text,
        };
        match &self.rooms {
            None => true,
            Some(patterns) => patterns.iter().any(|p| matches(p, room.as_str()) || matches(p, room.name())),
        }
    }
}

#[cfg(test)]
mod direct_tests {
    use super::*;

    #[test]
    fn a_room_of_two_is_named_alike_by_both_and_tells_whose_it_is() {
        for (one, other, name) in [
            ("7", "8", "chat:direct:7:8"),
            ("8", "7", "chat:direct:7:8"),
            ("7", "7", "chat:direct:7:7"),
            ("a_b", "a:b", "chat:direct:a_3Ab:a_5Fb"),
            ("é", "-x.", "chat:direct:-x.:_C3_A9"),
        ] {
            let (one, other) = (UserId::new(one), UserId::new(other));
            let room = RoomId::direct("chat", &one, &other);
            assert_eq!(room.as_str(), name);
            let pair = room.direct_pair().map(|(a, b)| [a, b].map(|id| id.as_str().to_owned()));
            let mut expected = [one.as_str().to_owned(), other.as_str().to_owned()];
            expected.sort();
            assert_eq!(pair, Some(expected));
        }
    }

    #[test]
    fn names_that_no_two_users_have_are_ordinary_ones() {
        for name in
            ["direct:8:7", "direct:7", "direct:7:8:9", "direct:a_b:c", "direct:_c3_a9:x", "direct:_41:x", "x"]
        {
            assert_eq!(RoomId::new("chat", name).direct_pair(), None, "{name}");
        }
    }
}
