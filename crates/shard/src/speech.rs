//! What is spoken on a mount, and frames in its words.

use protocol::{Item, Names, Protocol};
use rooms::Apps;
use vocabulary::RoomId;
use websocket::{Compression, Decoder, Role};

use crate::outbox::Frame;

/// A mount point as a shard needs it. Path, origins and tokens are the shell's business.
pub struct Mount {
    pub speaks: Speaks,
    /// The app that short room names belong to.
    pub app: String,
    /// One message of a client, and the fragments it may come in.
    pub messages: websocket::Limits,
}

/// Ordinary messages of people; a mount that needs more says so.
pub const MESSAGES: websocket::Limits = websocket::Limits { message_bytes_max: 4096, fragments_max: 128 };

pub enum Speaks {
    Protocol(Box<dyn Protocol>),
    /// Every message back as it came: for conformance suites, never in production.
    Echo,
}

/// Prefixes with a meaning of their own, also where nothing serves them: no client's room may take their names.
const BUILT_IN: [&str; 3] = ["user", "area", "system"];

/// A server's header is at most this long before the payload.
const HEADER_BYTES_MAX: usize = 10;

impl Mount {
    pub(crate) fn decoder(&self) -> Decoder {
        Decoder::new(Role::Server, self.messages, Compression::Off)
    }

    pub(crate) fn protocol(&self) -> Option<&dyn Protocol> {
        match &self.speaks {
            Speaks::Protocol(protocol) => Some(&**protocol),
            Speaks::Echo => None,
        }
    }

    pub(crate) fn decode(
        &self,
        apps: &Apps,
        text: &str,
    ) -> Option<Result<vocabulary::Asked, protocol::Misheard>> {
        let is_app = |name: &str| apps.has(name) || BUILT_IN.contains(&name);
        let names = Names { app: &self.app, is_app: &is_app };
        Some(self.protocol()?.decode(&names, text))
    }

    /// One item as a whole frame, header and all.
    pub(crate) fn frame(&self, scratch: &mut Vec<u8>, item: &Item<'_>) -> Option<Frame> {
        scratch.clear();
        scratch.resize(HEADER_BYTES_MAX, 0);
        if !self.protocol()?.encode(item, scratch) {
            return None;
        }
        let header =
            websocket::frame::header(websocket::frame::Opcode::Text, scratch.len() - HEADER_BYTES_MAX);
        let header = header.as_bytes();
        let start = HEADER_BYTES_MAX - header.len();
        scratch[start..HEADER_BYTES_MAX].copy_from_slice(header);
        Some(scratch[start..].into())
    }
}

/// The room as a client writes it.
pub(crate) fn spelled(room: &RoomId, full_name: bool) -> &str {
    if full_name { room.as_str() } else { room.name() }
}
