//! Where things are: streams and subjects under one prefix, with names of any kind as single tokens. It asks nobody.

use vocabulary::{Epoch, Incarnation, RoomId, ShardId, Slice};

const ASIDE: &str = "aside";

/// All subjects of a deployment. Everything of a room that is published stands under `<prefix>.rooms.<slice>.<room>.`, and
/// is heard under `<prefix>.news.<slice>.<room>.`, where only the server publishes what it has stored.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) prefix: String,
    pub(crate) log: String,
    pub(crate) snapshots: String,
    pub(crate) state: String,
    pub(crate) here: String,
    pub(crate) soft: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Names {
        // A stream's name holds no dot.
        let stream = prefix.replace('.', "_");
        Names {
            prefix: prefix.to_owned(),
            log: format!("{stream}_LOG"),
            snapshots: format!("{stream}_SNAPSHOTS"),
            state: format!("{stream}_STATE"),
            here: format!("{stream}_HERE"),
            soft: format!("{stream}_SOFT"),
        }
    }

    pub(crate) fn log_of(&self, room: &RoomId) -> String {
        self.of_room("rooms", room, "log")
    }

    pub(crate) fn logs_of_slice(&self, slice: Slice) -> String {
        format!("{}.rooms.{}.*.log", self.prefix, slice.0)
    }

    pub(crate) fn all_logs(&self) -> String {
        format!("{}.rooms.*.*.log", self.prefix)
    }

    pub(crate) fn here_of(&self, room: &RoomId, by: Incarnation, user: &str) -> String {
        self.of_room("rooms", room, &format!("here.{}.{}", token_of(by), escape(user)))
    }

    pub(crate) fn all_here_of(&self, room: &RoomId) -> String {
        self.of_room("rooms", room, "here.*.*")
    }

    pub(crate) fn here_of_anywhere(&self, by: Incarnation) -> String {
        format!("{}.rooms.*.*.here.{}.*", self.prefix, token_of(by))
    }

    pub(crate) fn soft_of(&self, room: &RoomId, key: &str) -> String {
        self.of_room("rooms", room, &format!("soft.{}", escape(key)))
    }

    pub(crate) fn all_soft_of(&self, room: &RoomId) -> String {
        self.of_room("rooms", room, "soft.*")
    }

    pub(crate) fn snapshot_part(&self, room: &RoomId, generation: u64, part: &str) -> String {
        self.of_room("snapshots", room, &format!("{generation:016x}.{part}"))
    }

    /// Some records of a room that are not in its log any more. Beside the parts of snapshots, none of which has such a generation.
    pub(crate) fn aside_of(&self, room: &RoomId, epoch: Epoch, number: u64) -> String {
        self.of_room("snapshots", room, &format!("{ASIDE}.{epoch}-{number}"))
    }

    pub(crate) fn all_aside_of(&self, room: &RoomId) -> String {
        self.of_room("snapshots", room, &format!("{ASIDE}.*"))
    }

    /// Of which epoch they are, and which of them.
    pub(crate) fn aside_place(&self, subject: &str) -> Option<(Epoch, u64)> {
        let (epoch, number) = subject.rsplit_once('.')?.1.split_once('-')?;
        Some((epoch.parse().ok()?, number.parse().ok()?))
    }

    pub(crate) fn pointer_of(&self, room: &RoomId) -> String {
        self.of_room("state.snapshot", room, "pointer")
    }

    pub(crate) fn settled_of(&self, room: &RoomId) -> String {
        self.of_room("state.settled", room, "at")
    }

    pub(crate) fn settled_of_slice(&self, slice: Slice) -> String {
        format!("{}.state.settled.{}.*.at", self.prefix, slice.0)
    }

    pub(crate) fn all_settled(&self) -> String {
        format!("{}.state.settled.*.*.at", self.prefix)
    }

    pub(crate) fn claim_of(&self, name: &str) -> String {
        format!("{}.state.claims.{}", self.prefix, escape(name))
    }

    pub(crate) fn leases(&self) -> String {
        format!("{}.state.leases", self.prefix)
    }

    pub(crate) fn leases_news(&self) -> String {
        format!("{}.news.leases", self.prefix)
    }

    /// In the stream of the logs: who loses the one loses the other.
    pub(crate) fn deployment(&self) -> String {
        format!("{}.deployment", self.prefix)
    }

    /// What is told to one incarnation alone.
    pub(crate) fn told_to(&self, by: Incarnation) -> String {
        format!("{}.told.{}", self.prefix, token_of(by))
    }

    /// A subject of `rooms`, where followers hear of it.
    pub(crate) fn news_of(&self, rooms: &str) -> String {
        let rest = rooms.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix(".rooms."));
        format!("{}.news.{}", self.prefix, rest.unwrap_or(rooms))
    }

    pub(crate) fn news_of_room(&self, room: &RoomId) -> String {
        self.of_room("news", room, ">")
    }

    pub(crate) fn news_of_slice(&self, slice: Slice) -> String {
        format!("{}.news.{}.>", self.prefix, slice.0)
    }

    fn of_room(&self, kind: &str, room: &RoomId, rest: &str) -> String {
        format!("{}.{kind}.{}.{}.{rest}", self.prefix, room.slice().0, escape(room.as_str()))
    }

    /// The tokens after `<prefix>.<kind>.<slice>.`: the room, and what of it.
    pub(crate) fn room_of<'a>(&self, subject: &'a str) -> Option<(RoomId, &'a str)> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        let rest = rest.strip_prefix("state.").unwrap_or(rest);
        let (_kind, rest) = rest.split_once('.')?;
        let (_slice, rest) = rest.split_once('.')?;
        let (room, rest) = rest.split_once('.')?;
        Some((RoomId::from_full(&unescape(room)?)?, rest))
    }
}

pub(crate) fn token_of(by: Incarnation) -> String {
    format!("{:x}-{}-{}", by.node, by.shard.0, by.life)
}

pub(crate) fn incarnation_of(token: &str) -> Option<Incarnation> {
    let mut parts = token.split('-');
    let node = u64::from_str_radix(parts.next()?, 16).ok()?;
    let shard = ShardId(parts.next()?.parse().ok()?);
    let life = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(Incarnation { node, shard, life })
}

/// Any text as one token of a subject: what is no letter, digit, `-` or `_` is written as `=` and two digits, and no text
/// at all as `=` alone.
pub(crate) fn escape(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if text.is_empty() {
        return "=".to_owned();
    }
    let mut token = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            token.push(char::from(byte));
        } else {
            token.push('=');
            token.push(char::from(DIGITS[usize::from(byte >> 4)]));
            token.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    token
}

pub(crate) fn unescape(token: &str) -> Option<String> {
    if token == "=" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'=' {
            let digits = str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_token_and_comes_back() {
        for text in ["", "general", "a b.c*d>e:{f}/ü%00\n\t\"'=", "=", "==2e", "$JS.API", "\0"] {
            let token = escape(text);
            assert!(!token.is_empty() && !token.contains(['.', '*', '>', ' ', '\n', '\t']), "{token}");
            assert_eq!(unescape(&token).as_deref(), Some(text));
        }
        assert_eq!(unescape("a=2"), None);
    }

    #[test]
    fn names_of_different_rooms_differ() {
        assert_ne!(escape("a.b"), escape("a=2eb"));
    }

    #[test]
    fn a_subject_tells_its_room() {
        let names = Names::new("kulkul.test");
        let room = RoomId::new("chat", "a.b *>");
        for subject in [names.log_of(&room), names.news_of(&names.log_of(&room))] {
            assert_eq!(names.room_of(&subject), Some((room.clone(), "log")), "{subject}");
        }
        assert_eq!(names.room_of(&names.settled_of(&room)), Some((room, "at")));
    }

    #[test]
    fn an_incarnation_reads_back_from_its_token() {
        let by = Incarnation { node: u64::MAX, shard: ShardId(3), life: 7 };
        assert_eq!(incarnation_of(&token_of(by)), Some(by));
    }
}
