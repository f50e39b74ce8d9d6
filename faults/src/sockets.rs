//! Many WebSocket connections on one thread: bytes to texts and back. It knows slots, and nothing of who sits in them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};
use websocket::handshake::Key;
use websocket::handshake::client::{Answer, Ask};
use websocket::{Compression, Decoder, Event, Inflater, Limits, Role, frame};

const EVENTS_MAX: usize = 1024;
const SCRATCH_BYTES: usize = 256 << 10;
/// A list of a room's people is the longest thing that comes.
const LIMITS: Limits = Limits { message_bytes_max: 8 << 20, fragments_max: 1024 };
/// Sources 127.0.0.2 and following: each has ephemeral ports of its own.
const SOURCES: u32 = 32;
/// What the kernel may keep for a socket that is not read.
const HELD_BYTES: usize = 4096;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const NONCE: [u8; 16] = [7; 16];

/// What became of a slot's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Open,
    Text(String),
    /// The server's close frame; nothing follows.
    Closed {
        code: u16,
        words: String,
    },
    /// Refused, reset, or at its end without a close frame.
    Lost(String),
}

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// With a close frame.
    Politely,
    /// The socket ends, as when a browser is shut.
    Silently,
    /// With a reset.
    Rudely,
}

struct Socket {
    stream: TcpStream,
    /// The answer to the upgrade so far; none when it is done.
    head: Option<Vec<u8>>,
    decoder: Decoder,
    waiting: Vec<u8>,
    generation: u32,
    /// It reads nothing for now.
    held: bool,
}

pub(crate) struct Sockets {
    epoll: Epoll,
    events: Vec<EpollEvent>,
    scratch: Vec<u8>,
    inflater: Inflater,
    slots: Vec<Option<Box<Socket>>>,
    generation: u32,
    news: Vec<(usize, News)>,
}

impl Sockets {
    pub(crate) fn new(slots: usize) -> Result<Sockets> {
        Ok(Sockets {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            events: vec![EpollEvent::empty(); EVENTS_MAX],
            scratch: vec![0; SCRATCH_BYTES],
            inflater: Inflater::default(),
            slots: (0..slots).map(|_| None).collect(),
            generation: 0,
            news: Vec::new(),
        })
    }

    /// Begins a connection; whatever the slot had is gone.
    pub(crate) fn open(&mut self, slot: usize, port: u16, token: &str) -> Result<()> {
        self.slots[slot] = None;
        let stream = match connect_from(slot as u32, port) {
            Ok(stream) => stream,
            Err(error) => {
                self.news.push((slot, News::Lost(format!("{error:#}"))));
                return Ok(());
            }
        };
        self.generation = self.generation.wrapping_add(1);
        let data = (u64::from(self.generation) << 32) | slot as u64;
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        self.epoll.add(&stream, EpollEvent::new(flags, data))?;
        let host = format!("127.0.0.1:{port}");
        let bearer = format!("Bearer {token}");
        let waiting = ask(&host, &[("Authorization", &bearer)]).request();
        let decoder = Decoder::new(Role::Client, LIMITS, Compression::Off);
        let head = Some(Vec::new());
        self.slots[slot] = Some(Box::new(Socket {
            stream,
            head,
            decoder,
            waiting,
            generation: self.generation,
            held: false,
        }));
        self.flush(slot);
        Ok(())
    }

    /// Queues a text; [`Sockets::flush`] sends it, together with others.
    pub(crate) fn say(&mut self, slot: usize, text: &str) {
        if let Some(socket) = &mut self.slots[slot] {
            socket.waiting.extend(frame::masked(frame::Opcode::Text, MASK, text.as_bytes()));
        }
    }

    pub(crate) fn flush(&mut self, slot: usize) {
        let Some(socket) = &mut self.slots[slot] else { return };
        while !socket.waiting.is_empty() {
            match socket.stream.write(&socket.waiting) {
                Ok(written) => drop(socket.waiting.drain(..written)),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return;
                }
                // Its end is read where its last words are.
                Err(_) => return socket.waiting.clear(),
            }
        }
    }

    /// From now on nothing is read of it, and the kernel keeps little for it; false: until now.
    pub(crate) fn hold(&mut self, slot: usize, held: bool) {
        let Some(socket) = &mut self.slots[slot] else { return };
        socket.held = held;
        if held {
            // What the kernel takes in its place is only less sharply bounded without it.
            let _ = setsockopt(&socket.stream, sockopt::RcvBuf, &HELD_BYTES);
        } else {
            self.read(slot);
        }
    }

    /// The slot is empty afterwards, and nothing more is heard of it.
    pub(crate) fn leave(&mut self, slot: usize, how: Leave) {
        if how == Leave::Politely {
            if let Some(socket) = &mut self.slots[slot] {
                let payload = frame::close_payload(1000, "");
                socket.waiting.extend(frame::masked(frame::Opcode::Close, MASK, &payload));
            }
            self.flush(slot);
        }
        if let Some(socket) = self.slots[slot].take()
            && how == Leave::Rudely
        {
            let now = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            // A socket that is already gone cannot be reset.
            let _ = setsockopt(&socket.stream, sockopt::Linger, &now);
        }
    }

    /// What has happened since the last turn, waiting for it at most so long.
    pub(crate) fn turn(&mut self, wait: Duration) -> Result<Vec<(usize, News)>> {
        let wait = if self.news.is_empty() { wait } else { Duration::ZERO };
        let timeout = EpollTimeout::try_from(wait).unwrap_or(EpollTimeout::ZERO);
        let ready = match self.epoll.wait(&mut self.events, timeout) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        for index in 0..ready {
            let event = self.events[index];
            let (slot, generation) = ((event.data() & 0xffff_ffff) as usize, (event.data() >> 32) as u32);
            let current = self.slots[slot].as_ref().is_some_and(|socket| socket.generation == generation);
            if !current {
                continue;
            }
            if event.events().contains(EpollFlags::EPOLLOUT) {
                self.flush(slot);
            }
            if event.events() != EpollFlags::EPOLLOUT {
                self.read(slot);
            }
        }
        Ok(std::mem::take(&mut self.news))
    }

    /// Reads until the socket is empty: its next event comes only when more has arrived.
    fn read(&mut self, slot: usize) {
        while let Some(socket) = self.slots[slot].as_mut().filter(|socket| !socket.held) {
            let count = match socket.stream.read(&mut self.scratch) {
                Ok(0) => return self.lose(slot, "ended without a close frame"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return self.lose(slot, &error.to_string()),
            };
            if let Some(why) =
                take(socket, slot, &mut self.scratch[..count], &mut self.inflater, &mut self.news)
            {
                match why {
                    End::Closed => self.slots[slot] = None,
                    End::Broken(why) => self.lose(slot, &why),
                }
            }
            self.flush(slot);
        }
    }

    fn lose(&mut self, slot: usize, why: &str) {
        self.slots[slot] = None;
        self.news.push((slot, News::Lost(why.to_owned())));
    }
}

enum End {
    Closed,
    Broken(String),
}

fn take(
    socket: &mut Socket,
    slot: usize,
    bytes: &mut [u8],
    inflater: &mut Inflater,
    news: &mut Vec<(usize, News)>,
) -> Option<End> {
    let mut rest = Vec::new();
    let bytes = match &mut socket.head {
        None => bytes,
        Some(head) => {
            head.extend_from_slice(bytes);
            match ask("", &[]).check(head) {
                Answer::Incomplete => return None,
                Answer::Accepted { head_bytes, .. } => rest.extend_from_slice(&head[head_bytes..]),
                Answer::Refused { status } => return Some(End::Broken(format!("refused with {status}"))),
                Answer::Broken(why) => return Some(End::Broken(why.to_owned())),
            }
            socket.head = None;
            news.push((slot, News::Open));
            &mut rest
        }
    };
    let Socket { decoder, waiting, .. } = socket;
    for event in decoder.feed(inflater, bytes) {
        match event {
            Ok(Event::Text(text)) => news.push((slot, News::Text(text.into_owned()))),
            Ok(Event::Ping(payload)) => {
                waiting.extend(frame::masked(frame::Opcode::Pong, MASK, &payload));
            }
            Ok(Event::Pong(_) | Event::Binary(_)) => {}
            Ok(Event::Close(close)) => {
                let (code, words) =
                    close.map_or((1005, String::new()), |it| (it.code, it.reason.into_owned()));
                news.push((slot, News::Closed { code, words }));
                return Some(End::Closed);
            }
            Err(violation) => return Some(End::Broken(violation.to_string())),
        }
    }
    None
}

fn ask<'a>(host: &'a str, fields: &'a [(&'a str, &'a str)]) -> Ask<'a> {
    Ask { host, target: "/ws", key: Key::from_nonce(NONCE), protocols: &[], fields }
}

fn connect_from(index: u32, port: u16) -> Result<TcpStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let descriptor = socket(AddressFamily::Inet, SockType::Stream, flags, None).context("no more sockets")?;
    let [a, b, c, d] = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + 1 + index % SOURCES).octets();
    setsockopt(&descriptor, sockopt::TcpNoDelay, &true)?;
    setsockopt(&descriptor, sockopt::IpBindAddressNoPort, &true)?;
    bind(descriptor.as_raw_fd(), &SockaddrIn::new(a, b, c, d, 0))?;
    match connect(descriptor.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(descriptor)),
        Err(error) => Err(error.into()),
    }
}
