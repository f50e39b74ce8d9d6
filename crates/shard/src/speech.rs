//! What is spoken on a mount, and frames in its words.

use std::sync::Arc;

use protocol::{Item, Names, Protocol};
use rooms::Apps;
use vocabulary::{RoomId, User, is_built_in};
use websocket::frame::{Header, Opcode};
use websocket::{Compression, Decoder, Deflater, Role};

use crate::framing::Framing;
use crate::outbox::Frame;

/// A mount point as a shard needs it. Path, origins and tokens are the shell's business.
pub struct Mount {
    pub speaks: Speaks,
    /// The app that short room names belong to.
    pub app: String,
    /// One message of a client, and the fragments it may come in.
    pub messages: websocket::Limits,
    /// Shorter messages are sent plain, because compressing costs more than it saves.
    pub compress_from_bytes: usize,
    pub pace: Pace,
    /// Each connection is in the inbox of its user from the beginning, for protocols whose clients know of none.
    pub joins_inbox: bool,
    /// A connection is in one room at a time, which its path or a message of its names, and what it says without naming one is for that.
    /// Who may not be there may ask again.
    pub one_room: bool,
    /// Each connection is in a room of its user's own from the beginning, for protocols whose clients know of none; its name there. What
    /// the protocol tells it may lead it into one more.
    pub own_room: Option<fn(&User) -> String>,
    /// Each user has one connection here, the newest: the name under which that is known on every node.
    pub one_per_user: Option<Arc<str>>,
}

/// A mount's own rate and burst of messages; what it does not say is that of all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    pub messages_per_second: Option<u32>,
    pub burst: Option<u32>,
    /// Of one connection's commands in one room, beside what it may say at all.
    pub of_room: Option<OfRoom>,
}

/// What one connection may do in one room: steadily, and at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfRoom {
    pub per_second: u32,
    pub burst: u32,
}

/// Ordinary messages of people; a mount that needs more says so.
pub const MESSAGES: websocket::Limits = websocket::Limits { message_bytes_max: 4096, fragments_max: 128 };

pub enum Speaks {
    Protocol(Box<dyn Protocol>),
    /// Every message back as it came: for conformance suites, never in production.
    Echo,
}

/// A server's header is at most this long before the payload.
const HEADER_BYTES_MAX: usize = 10;

impl Mount {
    /// What a connection of this user's claims, where there is one for each.
    pub(crate) fn claims(&self, user: &User) -> Option<Arc<str>> {
        self.one_per_user.as_ref().map(|name| format!("{name} {}", user.person.id).into())
    }

    pub(crate) fn decoder(&self, compression: Compression) -> Decoder {
        Decoder::new(Role::Server, self.messages, compression)
    }

    /// What holds for a session that came by it.
    pub(crate) fn limits(&self, all: &session::Limits) -> session::Limits {
        let Pace { messages_per_second, burst, of_room: _ } = self.pace;
        session::Limits {
            messages_per_second: messages_per_second.unwrap_or(all.messages_per_second),
            burst: burst.unwrap_or(all.burst),
            ..*all
        }
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
        own: Option<&RoomId>,
        text: &str,
    ) -> Option<Result<vocabulary::Request, protocol::Misheard>> {
        let is_app = |name: &str| apps.has(name) || is_built_in(name);
        let word = |app: &str, name: &str| apps.word(app, name);
        let names = Names { app: &self.app, is_app: &is_app, own, word: &word };
        Some(self.protocol()?.decode(&names, text))
    }

    /// One item without a frame; empty where the protocol has no word for it.
    pub(crate) fn words(&self, item: &Item<'_>) -> String {
        let mut words = Vec::new();
        if let Some(protocol) = self.protocol() {
            protocol.encode(None, item, &mut words);
        }
        String::from_utf8_lossy(&words).into_owned()
    }

    /// One item as a whole frame, header and all, for several to share.
    pub(crate) fn frame(&self, pen: &mut Pen, framing: Framing, item: &Item<'_>) -> Option<Frame> {
        self.frame_for(None, pen, framing, item)
    }

    /// The same for one reader alone.
    pub(crate) fn frame_for(
        &self,
        reader: Option<&User>,
        pen: &mut Pen,
        framing: Framing,
        item: &Item<'_>,
    ) -> Option<Frame> {
        let protocol = self.protocol()?;
        match framing {
            Framing::WebSocket(compression) => {
                pen.begin();
                let written = protocol.encode(reader, item, &mut pen.page);
                written.then(|| pen.frame(Opcode::Text, compression, self))
            }
            Framing::Events => pen.event(item, |page| protocol.encode(reader, item, page)),
        }
    }

    /// A message as it came.
    pub(crate) fn frame_of(
        &self,
        pen: &mut Pen,
        compression: Compression,
        (opcode, payload): Raw<'_>,
    ) -> Frame {
        pen.begin();
        pen.page.extend_from_slice(payload);
        pen.frame(opcode, compression, self)
    }
}

pub(crate) type Raw<'a> = (Opcode, &'a [u8]);

/// What frames are written with: one for a shard, because between two frames it holds nothing of either.
#[derive(Default)]
pub(crate) struct Pen {
    /// A payload, with a place for the header in front.
    page: Vec<u8>,
    packed: Vec<u8>,
    deflater: Deflater,
    pub compressed: u64,
}

impl Pen {
    fn begin(&mut self) {
        self.page.clear();
        self.page.resize(HEADER_BYTES_MAX, 0);
    }

    /// A message as an event: with where its reader stands when it has read it, where it says that.
    fn event(&mut self, item: &Item<'_>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<Frame> {
        self.page.clear();
        if let Some(position) = item.leads_to() {
            self.page.extend_from_slice(format!("id: {position}\n").as_bytes());
        }
        self.page.extend_from_slice(b"data: ");
        let start = self.page.len();
        if !write(&mut self.page) {
            return None;
        }
        // A line break would end the event. In JSON a bare one is white space.
        for byte in &mut self.page[start..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        self.page.extend_from_slice(b"\n\n");
        Some(self.page[..].into())
    }

    fn frame(&mut self, opcode: Opcode, compression: Compression, mount: &Mount) -> Frame {
        let plain = &self.page[HEADER_BYTES_MAX..];
        if let Compression::Deflate(window) = compression
            && plain.len() >= mount.compress_from_bytes
        {
            self.packed.clear();
            self.packed.resize(HEADER_BYTES_MAX, 0);
            if self.deflater.deflate(window, plain, &mut self.packed) {
                self.compressed += 1;
                return headed(&mut self.packed, |bytes| {
                    websocket::frame::header(opcode, bytes).compressed()
                });
            }
        }
        headed(&mut self.page, |bytes| websocket::frame::header(opcode, bytes))
    }
}

/// The payload behind a header of its length.
fn headed(page: &mut [u8], header: impl FnOnce(usize) -> Header) -> Frame {
    let header = header(page.len() - HEADER_BYTES_MAX);
    let start = HEADER_BYTES_MAX - header.as_bytes().len();
    page[start..HEADER_BYTES_MAX].copy_from_slice(header.as_bytes());
    page[start..].into()
}

/// The room as a client writes it.
pub(crate) fn spelled(room: &RoomId, full_name: bool) -> &str {
    if full_name { room.as_str() } else { room.name() }
}
