//! Which apps this binary serves, and which protocol is spoken where. A new app or protocol is a line here.

use node::{Auth, Furnish, MountPoint, Origins, Path};
use protocol::RoomsProtocol;
use rooms::{Apps, Rules};
use shard::{MESSAGES, Mount, Speaks};

pub(crate) struct Furniture {
    pub notices: bool,
    pub conformance: bool,
}

/// What the conformance suites send at most: 16 MiB, and 4 MiB in pieces of 64 bytes.
const CONFORMANCE: websocket::Limits =
    websocket::Limits { message_bytes_max: 16 << 20, fragments_max: 1 << 17 };

/// Below it compressing costs more than a packet saves.
const COMPRESS_FROM_BYTES: usize = 256;

impl Furniture {
    /// In the order of `mounts`.
    pub(crate) fn mount_points(&self, origins: &Origins) -> Vec<MountPoint> {
        let mount = |path, auth| MountPoint {
            path: Path::new(path),
            auth,
            origins: origins.clone(),
            token_in_query: true,
            compression: true,
        };
        let (rooms, echo) = (mount("/ws", Auth::Token), mount("/conformance/echo", Auth::Public));
        std::iter::once(rooms).chain(self.conformance.then_some(echo)).collect()
    }
}

impl Furnish for Furniture {
    fn apps(&self) -> Apps {
        let rules = Rules { notices: self.notices, ..Rules::default() };
        Apps::default().with("chat", app::host(chat::Chat), rules)
    }

    fn mounts(&self) -> Vec<Mount> {
        let rooms = Mount {
            speaks: Speaks::Protocol(Box::new(RoomsProtocol)),
            app: "chat".into(),
            messages: MESSAGES,
            compress_from_bytes: COMPRESS_FROM_BYTES,
            pace: None,
        };
        let echo = || Mount {
            speaks: Speaks::Echo,
            app: String::new(),
            messages: CONFORMANCE,
            compress_from_bytes: 0,
            pace: None,
        };
        std::iter::once(rooms).chain(self.conformance.then(echo)).collect()
    }
}
