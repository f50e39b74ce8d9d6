//! What things are called in the server: keys, channels, and the slot that Cluster puts them into. Everything about one
//! slice shares a tag, so that a script touches one slot. It never talks to anybody.

use vocabulary::{RoomId, Slice};

/// All names begin with the deployment's prefix. A room's name stands last, so that any bytes in it mean nothing.
pub(crate) struct Keys {
    prefix: String,
}

/// The tag of what the whole deployment shares.
const DEPLOYMENT: &str = "deployment";

impl Keys {
    pub(crate) fn new(prefix: &str) -> Keys {
        Keys { prefix: prefix.to_owned() }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How the keys of a slice begin.
    pub(crate) fn slice(&self, slice: Slice) -> String {
        format!("{}:{{{}}}:", self.prefix, slice.0)
    }

    fn of(&self, slice: Slice, what: &str, name: &str) -> String {
        format!("{}:{{{}}}:{what}:{name}", self.prefix, slice.0)
    }

    /// The epoch in which a slice's untouched rooms are.
    pub(crate) fn first(&self, slice: Slice) -> String {
        format!("{}first", self.slice(slice))
    }

    pub(crate) fn due(&self, slice: Slice) -> String {
        format!("{}due", self.slice(slice))
    }

    pub(crate) fn room(&self, room: &RoomId) -> String {
        self.of(room.slice(), "room", room.as_str())
    }

    pub(crate) fn log(&self, room: &RoomId) -> String {
        self.of(room.slice(), "log", room.as_str())
    }

    /// What stands beside the log because something there was erased.
    pub(crate) fn aside(&self, room: &RoomId) -> String {
        self.of(room.slice(), "aside", room.as_str())
    }

    pub(crate) fn snapshot(&self, room: &RoomId) -> String {
        self.of(room.slice(), "snap", room.as_str())
    }

    pub(crate) fn here(&self, room: &RoomId) -> String {
        self.of(room.slice(), "here", room.as_str())
    }

    pub(crate) fn soft(&self, room: &RoomId) -> String {
        self.of(room.slice(), "soft", room.as_str())
    }

    pub(crate) fn soft_ends(&self, room: &RoomId) -> String {
        self.of(room.slice(), "soft-ends", room.as_str())
    }

    pub(crate) fn claim(&self, name: &str) -> String {
        self.of(claim_slice(name), "claim", name)
    }

    /// What a lease has put into a slice, so that it can be taken away with it.
    pub(crate) fn left(&self, slice: Slice, lease: u64) -> String {
        format!("{}by:{lease}", self.slice(slice))
    }

    pub(crate) fn leases(&self) -> String {
        format!("{}:{{{DEPLOYMENT}}}:leases", self.prefix)
    }

    /// Leases that have ended and have not been cleaned up after.
    pub(crate) fn ended(&self) -> String {
        format!("{}:{{{DEPLOYMENT}}}:ended", self.prefix)
    }

    pub(crate) fn record(&self) -> String {
        format!("{}:{{{DEPLOYMENT}}}:record", self.prefix)
    }

    /// Set once every slice has its first epoch: one that has none later has lost it.
    pub(crate) fn marked(&self) -> String {
        format!("{}:{{{DEPLOYMENT}}}:marked", self.prefix)
    }

    pub(crate) fn room_channel(&self, room: &RoomId) -> Channel {
        Channel { name: self.of(room.slice(), "n", room.as_str()), slot: slice_slot(room.slice()) }
    }

    pub(crate) fn node_channel(&self, node: u64) -> Channel {
        let tag = format!("node-{node}");
        Channel { slot: slot(tag.as_bytes()), name: format!("{}:{{{tag}}}:n", self.prefix) }
    }

    pub(crate) fn ended_channel(&self) -> Channel {
        Channel { name: format!("{}:{{{DEPLOYMENT}}}:n", self.prefix), slot: deployment_slot() }
    }
}

/// A channel, and the slot of its tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Channel {
    pub(crate) slot: u16,
    pub(crate) name: String,
}

/// Claims are spread like rooms, so that no server holds all of them.
pub(crate) fn claim_slice(name: &str) -> Slice {
    RoomId::new("claim", name).slice()
}

pub(crate) fn slice_slot(slice: Slice) -> u16 {
    slot(slice.0.to_string().as_bytes())
}

pub(crate) fn deployment_slot() -> u16 {
    slot(DEPLOYMENT.as_bytes())
}

/// Cluster's: CRC-16 (XMODEM) of the tag.
pub(crate) fn slot(tag: &[u8]) -> u16 {
    let crc =
        tag.iter().fold(0_u16, |crc, byte| {
            (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            })
        });
    crc % 16384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_cluster() {
        for (tag, expected) in [("123456789", 12739), ("foo", 12182), ("", 0)] {
            assert_eq!(slot(tag.as_bytes()), expected, "{tag}");
        }
    }

    #[test]
    fn all_keys_of_a_room_share_one_tag_whatever_its_name() {
        let keys = Keys::new("k");
        let room = RoomId::new("chat", "a}{b: ü");
        let tag = format!("k:{{{}}}:", room.slice().0);
        for key in [
            keys.room(&room),
            keys.log(&room),
            keys.aside(&room),
            keys.due(room.slice()),
            keys.room_channel(&room).name,
        ] {
            assert!(key.starts_with(&tag), "{key}");
        }
    }
}
