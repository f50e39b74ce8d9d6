//! The clients: many sockets, one thread, one epoll. Sends what it is told and hands every stamp to the tally.
//!
//! While something is measured it never sleeps, and it knows how much of its core it needed: [`Meter`].

use std::io::ErrorKind;
use std::time::Instant;

use anyhow::{Result, bail};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use websocket::{Compression, Decoder, Event, Inflater, Limits, Role, Window};

use crate::adapters::Dialect;
use crate::link::Link;
use crate::stamp::Finder;
use crate::tally::Tally;
use crate::wire::{self, Answer, Scanned};

/// Events taken at once; also what one turn may read, times [`SCRATCH_BYTES`].
const EVENTS_MAX: usize = 1024;
/// Longest frame plus one read; a room's list of a thousand names is some 50 KB.
const SCRATCH_BYTES: usize = 1 << 20;
/// A refusal shows itself at the start of its frame.
const REFUSAL_BYTES: usize = 64;
const READABLE: EpollFlags = EpollFlags::EPOLLIN.union(EpollFlags::EPOLLHUP).union(EpollFlags::EPOLLERR);
/// Far below the time between two messages to one member, so that it joins nothing that came apart.
const PACE_US: u64 = 50;
const COMPLAINTS_MAX: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Upgrading,
    Joining,
    Joined,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub link: Option<Link>,
    pub phase: Phase,
    /// Sent when the upgrade is answered.
    pub join: Vec<u8>,
    /// The beginning of a frame.
    partial: Vec<u8>,
    /// The frames so far of a message in several.
    fragments: Vec<u8>,
    waiting: Vec<u8>,
}

/// How much of the time there was something to do.
#[derive(Debug)]
pub(crate) struct Meter {
    mark_us: u64,
    idle_us: u64,
    slept_us: u64,
    worked: bool,
    polled_us: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Wait {
    /// Poll at once: what a measurement of time does.
    Never,
    /// Poll, but not more often than every [`PACE_US`]: what a measurement of throughput does. Without it a generator
    /// that is faster than the server takes every message alone, is busy all the time and looks like the limit.
    Paced,
    /// The same where no latency is asked for: the clock is read once a turn, not once a read, which is a few percent of
    /// the generator at its highest rates.
    PacedUntimed,
    Millis(u16),
}

/// What arrived besides deliveries.
#[derive(Debug, Default, Clone)]
pub(crate) struct Heard {
    pub reads: u64,
    /// Frames that are neither deliveries nor answers to a join.
    pub others: u64,
    pub joined: u32,
    pub gone: u32,
    /// The first few refusals and reasons of an end.
    pub complaints: Vec<String>,
}

pub(crate) struct Crowd {
    origin: Instant,
    epoll: Epoll,
    events: Vec<EpollEvent>,
    scratch: Vec<u8>,
    pub members: Vec<Member>,
    dialect: Dialect,
    finder: Finder,
    meter: Meter,
    /// The time of this turn, where it is exact enough for all its reads.
    turn_us: Option<u64>,
    inflater: Inflater,
    pub heard: Heard,
}

impl Crowd {
    pub(crate) fn new(dialect: Dialect) -> Result<Self> {
        Ok(Self {
            origin: Instant::now(),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            events: vec![EpollEvent::empty(); EVENTS_MAX],
            scratch: vec![0; SCRATCH_BYTES],
            members: Vec::new(),
            dialect,
            finder: Finder::default(),
            meter: Meter { mark_us: 0, idle_us: 0, slept_us: 0, worked: false, polled_us: 0 },
            turn_us: None,
            inflater: Inflater::default(),
            heard: Heard::default(),
        })
    }

    /// Microseconds since this crowd was made: the clock of all stamps.
    #[inline]
    pub(crate) fn now_us(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64 / 1000
    }

    /// Time without anything to do, up to the last turn.
    pub(crate) fn idle_us(&self) -> u64 {
        self.meter.idle_us
    }

    /// Part of the idle time that was given back to the machine.
    pub(crate) fn slept_us(&self) -> u64 {
        self.meter.slept_us
    }

    /// A member whose connect is under way or done; its upgrade request leaves as soon as it can.
    pub(crate) fn add(&mut self, link: Link, request: Vec<u8>, join: Vec<u8>) -> Result<()> {
        let id = self.members.len() as u32;
        // Edge-triggered and for good: no call to change it, no second look at sockets that were just emptied.
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        self.epoll.add(link.stream(), EpollEvent::new(flags, id.into()))?;
        self.members.push(Member {
            link: Some(link),
            phase: Phase::Upgrading,
            join,
            partial: Vec::new(),
            fragments: Vec::new(),
            waiting: request,
        });
        // On loopback a connect is mostly done when it returns; if not, the write waits for the socket.
        self.flush(id);
        Ok(())
    }

    /// Queues a text frame; [`Crowd::flush`] sends it, together with others of the same turn.
    pub(crate) fn queue(&mut self, member: u32, text: &[u8]) {
        wire::client_frame(wire::TEXT, text, &mut self.members[member as usize].waiting);
    }

    pub(crate) fn flush(&mut self, id: u32) {
        let member = &mut self.members[id as usize];
        // A sealed link may have something of its own to send.
        let due = |link: &&mut Link| !member.waiting.is_empty() || matches!(link, Link::Sealed(_));
        let Some(link) = member.link.as_mut().filter(due) else { return };
        self.meter.worked = true;
        match link.write(&member.waiting) {
            Ok(written) => drop(member.waiting.drain(..written)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
            Err(error) => self.lose(id, &error.to_string()),
        }
    }

    /// Takes what has arrived; returns whether anything had.
    pub(crate) fn turn(&mut self, wait: Wait, tally: &mut Tally) -> Result<bool> {
        let (timeout, asleep_us) = match wait {
            Wait::Never => (EpollTimeout::ZERO, None),
            Wait::Paced | Wait::PacedUntimed => {
                self.pace();
                (EpollTimeout::ZERO, None)
            }
            Wait::Millis(millis) => (EpollTimeout::from(millis), Some(self.now_us())),
        };
        let ready = match self.epoll.wait(&mut self.events, timeout) {
            Err(nix::Error::EINTR) => 0,
            other => other?,
        };
        if let Some(asleep_us) = asleep_us {
            let awake_us = self.now_us();
            self.meter.idle_us += awake_us - asleep_us;
            self.meter.slept_us += awake_us - asleep_us;
            self.meter.mark_us = awake_us;
        }
        self.turn_us = matches!(wait, Wait::PacedUntimed).then(|| self.now_us());
        for index in 0..ready {
            let event = self.events[index];
            let id = event.data() as u32;
            if event.events().contains(EpollFlags::EPOLLOUT) {
                self.flush(id);
            }
            if event.events().intersects(READABLE) {
                self.read(id, tally);
            }
        }
        let now_us = self.now_us();
        if ready == 0 && !self.meter.worked {
            self.meter.idle_us += now_us - self.meter.mark_us;
        }
        self.meter.worked = false;
        self.meter.mark_us = now_us;
        Ok(ready > 0)
    }

    /// Lets time pass until the next poll is due; that is idle time.
    fn pace(&mut self) {
        let from_us = self.now_us();
        let mut now_us = from_us;
        while now_us < self.meter.polled_us + PACE_US {
            std::hint::spin_loop();
            now_us = self.now_us();
        }
        self.meter.idle_us += now_us - from_us;
        self.meter.mark_us = now_us;
        self.meter.polled_us = now_us;
    }

    fn lose(&mut self, id: u32, why: &str) {
        let member = &mut self.members[id as usize];
        // Closing takes the socket out of the epoll.
        member.link = None;
        member.phase = Phase::Gone;
        self.heard.gone += 1;
        self.complain(format!("connection {id} ended: {why}"));
    }

    fn complain(&mut self, words: String) {
        if self.heard.complaints.len() < COMPLAINTS_MAX {
            self.heard.complaints.push(words);
        }
    }

    /// Reads until the socket is empty: its next event comes only when more has arrived.
    #[inline]
    fn read(&mut self, id: u32, tally: &mut Tally) {
        while self.read_once(id, tally) {}
    }

    /// Returns whether the socket may hold more.
    #[inline]
    fn read_once(&mut self, id: u32, tally: &mut Tally) -> bool {
        let member = &mut self.members[id as usize];
        let Some(link) = &mut member.link else { return false };
        let whole = link.short_reads_are_whole();
        let held = member.partial.len();
        self.scratch[..held].copy_from_slice(&member.partial);
        member.partial.clear();
        let mut empty = false;
        let filled = match link.read(&mut self.scratch[held..]) {
            Ok(0) => {
                self.lose(id, "closed by the server");
                return false;
            }
            Ok(count) => held + count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                empty = true;
                held
            }
            Err(error) => {
                self.lose(id, &error.to_string());
                return false;
            }
        };
        self.heard.reads += 1;
        // Taken out so that frames can borrow it while the members change.
        let scratch = std::mem::take(&mut self.scratch);
        let used = self.take(id, &scratch[..filled], tally);
        if used < filled {
            self.members[id as usize].partial.extend_from_slice(&scratch[used..filled]);
        }
        if filled - used == scratch.len() {
            self.lose(id, "a frame longer than any expected one");
        }
        let full = filled == scratch.len();
        self.scratch = scratch;
        full || !(whole || empty)
    }

    /// Takes all whole frames; returns how many bytes they were.
    #[inline]
    fn take(&mut self, id: u32, bytes: &[u8], tally: &mut Tally) -> usize {
        let now_us = self.turn_us.unwrap_or_else(|| self.now_us());
        let mut used = 0;
        if self.members[id as usize].phase == Phase::Upgrading {
            match wire::upgrade_answer(bytes) {
                Answer::Incomplete => return 0,
                Answer::Refused(words) => {
                    self.lose(id, &words);
                    return bytes.len();
                }
                Answer::Upgraded(end) => {
                    used = end;
                    let member = &mut self.members[id as usize];
                    member.phase = Phase::Joining;
                    member.waiting.append(&mut member.join);
                    member.join = Vec::new();
                    self.flush(id);
                }
            }
        }
        loop {
            match wire::server_frame(&bytes[used..]) {
                Scanned::Incomplete => return used,
                Scanned::Frame {
                    opcode: wire::TEXT | wire::BINARY,
                    last: true,
                    packed: false,
                    payload,
                    bytes: length,
                } => {
                    self.message(id, payload, now_us, tally);
                    used += length;
                }
                Scanned::Frame { packed: true, bytes: length, .. } => {
                    self.packed(id, &bytes[used..used + length], now_us, tally);
                    used += length;
                }
                Scanned::Frame { opcode, last, packed: false, payload, bytes: length } => {
                    if matches!(opcode, wire::CONTINUATION | wire::TEXT | wire::BINARY) {
                        self.fragment(id, last, payload, now_us, tally);
                    } else {
                        self.control(id, opcode, payload);
                    }
                    used += length;
                }
                Scanned::Malformed => {
                    self.lose(id, "a malformed frame");
                    return bytes.len();
                }
            }
        }
    }

    /// A frame that the server has compressed.
    fn packed(&mut self, id: u32, frame: &[u8], now_us: u64, tally: &mut Tally) {
        let limits = Limits { message_bytes_max: SCRATCH_BYTES as u32, fragments_max: 1 };
        let mut decoder = Decoder::new(Role::Client, limits, Compression::Deflate(Window::MAX));
        let mut frame = frame.to_vec();
        let mut inflater = std::mem::take(&mut self.inflater);
        for event in decoder.feed(&mut inflater, &mut frame) {
            match event {
                Ok(Event::Text(text)) => self.message(id, text.as_bytes(), now_us, tally),
                _ => self.lose(id, "a compressed frame that is none"),
            }
        }
        self.inflater = inflater;
    }

    #[inline]
    fn message(&mut self, id: u32, text: &[u8], now_us: u64, tally: &mut Tally) {
        let Some((stamp, mut end)) = self.finder.first(text) else { return self.other(id, text) };
        tally.take(id, stamp, now_us);
        while self.dialect.several
            && let Some((stamp, next)) = Finder::next(text, end)
        {
            tally.take(id, stamp, now_us);
            end = next;
        }
    }

    fn fragment(&mut self, id: u32, last: bool, payload: &[u8], now_us: u64, tally: &mut Tally) {
        let fragments = &mut self.members[id as usize].fragments;
        fragments.extend_from_slice(payload);
        if last {
            let whole = std::mem::take(fragments);
            self.message(id, &whole, now_us, tally);
        }
    }

    #[cold]
    fn other(&mut self, id: u32, text: &[u8]) {
        let contains = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
        let member = &mut self.members[id as usize];
        if member.phase == Phase::Joining && contains(text, self.dialect.joined) {
            member.phase = Phase::Joined;
            self.heard.joined += 1;
            return;
        }
        self.heard.others += 1;
        if contains(&text[..text.len().min(REFUSAL_BYTES)], self.dialect.refused) {
            let words = String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned();
            self.complain(format!("refused: {words}"));
        }
    }

    #[cold]
    fn control(&mut self, id: u32, opcode: u8, payload: &[u8]) {
        match opcode {
            wire::PING => {
                wire::client_frame(wire::PONG, payload, &mut self.members[id as usize].waiting);
                self.flush(id);
            }
            wire::CLOSE => {
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                let words = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                self.lose(id, &format!("close {code} {words}"));
            }
            _ => {}
        }
    }

    /// Fails if a connection was lost or anything was refused since the beginning.
    pub(crate) fn all_well(&self) -> Result<()> {
        if self.heard.gone > 0 || !self.heard.complaints.is_empty() {
            bail!("{} connections lost; {}", self.heard.gone, self.heard.complaints.join("; "));
        }
        Ok(())
    }
}
