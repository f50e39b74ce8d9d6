//! Which apps this binary serves, and which protocol is spoken where. A new app or protocol is a line here.

use node::{Furnish, MountKind, MountPoint};
use protocol::RoomsProtocol;
use rooms::{Apps, Rules};
use shard::{Mount, Speaks};

use crate::config::{self, MountAuth};

pub(crate) struct Furniture {
    pub notices: bool,
    pub conformance: bool,
    pub mounts: Vec<config::Mount>,
    pub fragments_max: u32,
}

/// What the conformance suites send at most: 16 MiB, and 4 MiB in pieces of 64 bytes.
const CONFORMANCE: websocket::Limits =
    websocket::Limits { message_bytes_max: 16 << 20, fragments_max: 1 << 17 };

impl Furniture {
    /// In the order of `mounts`.
    pub(crate) fn mount_points(&self) -> Vec<MountPoint> {
        let point = |mount: &config::Mount| {
            let kind = match mount.auth {
                MountAuth::Public => MountKind::Open,
                MountAuth::Token | MountAuth::InBand | MountAuth::TrustPath => MountKind::Token,
            };
            MountPoint { path: mount.path.clone(), kind }
        };
        let echo = MountPoint { path: "/conformance/echo".into(), kind: MountKind::Open };
        self.mounts.iter().map(point).chain(self.conformance.then_some(echo)).collect()
    }
}

impl Furnish for Furniture {
    fn apps(&self) -> Apps {
        let rules = Rules { notices: self.notices, ..Rules::default() };
        Apps::default().with("chat", app::host(chat::Chat), rules)
    }

    fn mounts(&self) -> Vec<Mount> {
        let mount = |mount: &config::Mount| Mount {
            speaks: match mount.speaks {
                config::Speaks::Rooms => Speaks::Protocol(Box::new(RoomsProtocol)),
                config::Speaks::Echo => Speaks::Echo,
            },
            app: mount.app.clone(),
            messages: websocket::Limits {
                message_bytes_max: mount.max_message_size,
                fragments_max: self.fragments_max,
            },
        };
        let echo = || Mount { speaks: Speaks::Echo, app: String::new(), messages: CONFORMANCE };
        self.mounts.iter().map(mount).chain(self.conformance.then(echo)).collect()
    }
}
