//! The viewers at their connections, and the scorer at hers. Each viewer's numbers are followed: an action that is missing or comes
//! twice is an error, and so is a connection that ends.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use websocket::{Compression, Decoder, Event, Inflater, Limits, Role, Window};

use super::words::{self, Told};
use super::{Mode, ROOM, Way};
use crate::opening::connect_from;
use crate::wire::{self, Answer, Scanned};

/// The longest text, and what is read behind it.
const BUFFER_BYTES: usize = 256 << 10;
const EVENTS_MAX: usize = 1024;
/// Packed frames whose text is remembered: neighbours are told the same, in the same bytes.
const UNPACKED_MAX: usize = 8;
const SCORER: u64 = u64::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its request is sent, and not answered.
    Asking,
    /// Let in, and told nothing yet.
    Entering,
    Watching,
}

struct Viewer {
    stream: TcpStream,
    phase: Phase,
    /// The beginning of what has not come whole.
    partial: Vec<u8>,
    waiting: Vec<u8>,
    /// The first state's actions, and those it knows of now.
    began: u64,
    knows: u64,
}

pub(super) struct Stand {
    port: u16,
    mode: Mode,
    by: Way,
    epoll: Epoll,
    viewers: Vec<Viewer>,
    scorer: (TcpStream, Vec<u8>),
    acks: Vec<u64>,
    buffer: Vec<u8>,
    watching: usize,
    bytes: u64,
    unpacked: Unpacked,
}

impl Stand {
    pub(super) fn new(port: u16, mode: Mode, by: Way, token: String) -> Result<Stand> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let scorer = scorer(port, &token)?;
        epoll.add(&scorer.0, EpollEvent::new(EpollFlags::EPOLLIN, SCORER))?;
        let (viewers, acks, unpacked) = (Vec::new(), Vec::new(), Unpacked::default());
        let (buffer, watching, bytes) = (vec![0; BUFFER_BYTES], 0, 0);
        Ok(Stand { port, mode, by, epoll, viewers, scorer, acks, buffer, watching, bytes, unpacked })
    }

    pub(super) fn len(&self) -> usize {
        self.viewers.len()
    }

    /// How many have been told how it stands.
    pub(super) fn watching(&self) -> usize {
        self.watching
    }

    /// Read from viewers' sockets so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn is_up_to(&self, action: u64) -> bool {
        self.watching == self.viewers.len() && self.viewers.iter().all(|viewer| viewer.knows >= action)
    }

    /// How many tellings it takes for everybody to be told each of these actions, from the first state on.
    pub(super) fn owed(&self, first: u64, last: u64) -> u64 {
        self.viewers.iter().map(|viewer| (last + 1).saturating_sub(first.max(viewer.began + 1))).sum()
    }

    pub(super) fn enter(&mut self) -> Result<()> {
        let index = self.viewers.len();
        let stream = connect_from(index as u32, self.port)?;
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        self.epoll.add(&stream, EpollEvent::new(flags, index as u64))?;
        let waiting = match self.by {
            Way::Socket => wire::upgrade_request(self.port, "/ws/viewer", None, false),
            Way::Packed => wire::upgrade_request(self.port, "/ws/viewer", None, true),
            Way::Events => format!(
                "GET /api/matches/m1/events?mode={} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept: text/event-stream\r\n\r\n",
                self.mode.name(),
                self.port
            )
            .into_bytes(),
        };
        let partial = Vec::new();
        self.viewers.push(Viewer { stream, phase: Phase::Asking, partial, waiting, began: 0, knows: 0 });
        self.viewers[index].flush()
    }

    pub(super) fn say(&mut self, text: &str) -> Result<()> {
        let mut frame = Vec::new();
        wire::client_frame(wire::TEXT, text.as_bytes(), &mut frame);
        // A few hundred bytes twice a second: the kernel has place for them.
        self.scorer.0.write_all(&frame).context("the scorer's words are not taken")
    }

    /// The number in the next acknowledgement.
    pub(super) fn acked(&mut self, patience: Duration) -> Result<u64> {
        let began = Instant::now();
        loop {
            if !self.acks.is_empty() {
                return Ok(self.acks.remove(0));
            }
            ensure!(began.elapsed() < patience, "no acknowledgement");
            self.hear(EpollTimeout::from(50_u16), |_| {})?;
        }
    }

    /// What came within this time at most; `news` is told the number of each action that a viewer has heard of.
    pub(super) fn hear(&mut self, wait: EpollTimeout, mut news: impl FnMut(u64)) -> Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS_MAX];
        let ready = self.epoll.wait(&mut events, wait)?;
        for event in &events[..ready] {
            if event.data() == SCORER {
                self.hear_scorer()?;
                continue;
            }
            let index = event.data() as usize;
            self.viewers[index].flush()?;
            while self.hear_viewer(index, &mut news).with_context(|| format!("viewer {index}"))? {}
        }
        Ok(())
    }

    fn hear_scorer(&mut self) -> Result<()> {
        let (stream, heard) = &mut self.scorer;
        match stream.read(&mut self.buffer) {
            Ok(0) => bail!("the scorer was let go"),
            Ok(count) => heard.extend_from_slice(&self.buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut used = 0;
        while let Scanned::Frame { opcode, payload, bytes, .. } = wire::server_frame(&heard[used..]) {
            if opcode == wire::PING {
                let mut pong = Vec::new();
                wire::client_frame(wire::PONG, payload, &mut pong);
                stream.write_all(&pong)?;
            }
            ensure!(!words::is_refusal(payload), "refused: {}", String::from_utf8_lossy(payload));
            self.acks.extend(words::acked(payload));
            used += bytes;
        }
        heard.drain(..used);
        Ok(())
    }

    /// One read. Whether there may be more.
    fn hear_viewer(&mut self, index: usize, news: &mut impl FnMut(u64)) -> Result<bool> {
        let viewer = &mut self.viewers[index];
        let held = viewer.partial.len();
        ensure!(held < BUFFER_BYTES, "a text longer than any expected one");
        self.buffer[..held].copy_from_slice(&viewer.partial);
        viewer.partial = Vec::new();
        let count = match viewer.stream.read(&mut self.buffer[held..]) {
            Ok(0) => bail!("it was closed"),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => 0,
            Err(error) => return Err(error.into()),
        };
        self.bytes += count as u64;
        let filled = held + count;
        let mut used = 0;
        if viewer.phase == Phase::Asking {
            used = viewer.answered(&self.buffer[..filled], (self.mode, self.by))?;
        }
        if viewer.phase != Phase::Asking {
            loop {
                let (text, bytes) = match self.by {
                    Way::Socket | Way::Packed => match frame(&self.buffer[used..filled], viewer)? {
                        None => break,
                        Some((payload, false, bytes)) => (payload, bytes),
                        Some((_, true, bytes)) => {
                            (self.unpacked.of(&self.buffer[used..used + bytes])?, bytes)
                        }
                    },
                    Way::Events => match event(&self.buffer[used..filled]) {
                        None => break,
                        Some(found) => found,
                    },
                };
                let was_watching = viewer.phase == Phase::Watching;
                viewer.told(self.mode, text, news)?;
                self.watching += usize::from(!was_watching && viewer.phase == Phase::Watching);
                used += bytes;
            }
        }
        if used < filled {
            viewer.partial = self.buffer[used..filled].to_vec();
        }
        Ok(count > 0)
    }
}

impl Viewer {
    fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.waiting) {
            Ok(count) => drop(self.waiting.drain(..count)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// How many bytes the answer took; 0 while it has not come whole.
    fn answered(&mut self, bytes: &[u8], (mode, by): (Mode, Way)) -> Result<usize> {
        if by == Way::Events {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(0) };
            ensure!(
                bytes.starts_with(b"HTTP/1.1 200"),
                "{}",
                String::from_utf8_lossy(&bytes[..end.min(400)])
            );
            self.phase = Phase::Entering;
            return Ok(end + 4);
        }
        match wire::upgrade_answer(bytes) {
            Answer::Incomplete => Ok(0),
            Answer::Refused(why) => bail!("{why}"),
            Answer::Upgraded(end) => {
                self.phase = Phase::Entering;
                let (_, id) = ROOM.split_once(':').context("a room has an app")?;
                let join = format!(r#"{{"type":"join","matchId":"{id}","mode":"{}"}}"#, mode.name());
                wire::client_frame(wire::TEXT, join.as_bytes(), &mut self.waiting);
                self.flush()?;
                Ok(end)
            }
        }
    }

    fn told(&mut self, mode: Mode, text: &[u8], news: &mut impl FnMut(u64)) -> Result<()> {
        ensure!(!words::is_refusal(text), "refused: {}", String::from_utf8_lossy(text));
        match words::told(text) {
            Told::State(actions) if self.phase == Phase::Entering => {
                self.phase = Phase::Watching;
                (self.began, self.knows) = (actions, actions);
            }
            Told::State(actions) => {
                ensure!(mode == Mode::Whole, "a state where actions were to come");
                ensure!(actions >= self.knows, "a state with {actions} actions after {}", self.knows);
                if actions > self.knows {
                    self.knows = actions;
                    news(actions);
                }
            }
            // The first state has it already.
            Told::Action(number) if number <= self.began => {}
            Told::Action(number) => {
                ensure!(number == self.knows + 1, "action {number} after {}", self.knows);
                self.knows = number;
                news(number);
            }
            Told::Other => {}
        }
        Ok(())
    }
}

/// A text, whether it is packed, and how long its frame is. What is no text is answered here.
fn frame<'a>(bytes: &'a [u8], viewer: &mut Viewer) -> Result<Option<(&'a [u8], bool, usize)>> {
    match wire::server_frame(bytes) {
        Scanned::Incomplete => Ok(None),
        Scanned::Malformed => bail!("no frame"),
        Scanned::Frame { opcode: wire::TEXT, last: true, packed, payload, bytes } => {
            Ok(Some((payload, packed, bytes)))
        }
        Scanned::Frame { opcode: wire::PING, payload, bytes, .. } => {
            wire::client_frame(wire::PONG, payload, &mut viewer.waiting);
            viewer.flush()?;
            Ok(Some((b"", false, bytes)))
        }
        Scanned::Frame { opcode: wire::CLOSE, payload, .. } => {
            bail!("closed: {}", String::from_utf8_lossy(payload))
        }
        Scanned::Frame { bytes, .. } => Ok(Some((b"", false, bytes))),
    }
}

/// The data of one event, and how long the event is. Ours are of one line.
fn event(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (mut at, mut data) = (0, &b""[..]);
    loop {
        let line = &bytes[at..at + bytes[at..].iter().position(|byte| *byte == b'\n')?];
        at += line.len() + 1;
        if line.is_empty() {
            return Some((data, at));
        }
        data = line.strip_prefix(b"data: ").unwrap_or(data);
    }
}

/// What the newest packed frames say.
#[derive(Default)]
struct Unpacked {
    inflater: Inflater,
    known: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Unpacked {
    fn of(&mut self, frame: &[u8]) -> Result<&[u8]> {
        if let Some(index) = self.known.iter().position(|(packed, _)| packed == frame) {
            return Ok(&self.known[index].1);
        }
        let limits = Limits { message_bytes_max: BUFFER_BYTES as u32, fragments_max: 1 };
        let mut decoder = Decoder::new(Role::Client, limits, Compression::Deflate(Window::MAX));
        let (mut bytes, mut text) = (frame.to_vec(), None);
        for event in decoder.feed(&mut self.inflater, &mut bytes) {
            if let Ok(Event::Text(whole)) = event {
                text = Some(whole.as_bytes().to_vec());
            }
        }
        let text = text.context("a packed frame that is none")?;
        if self.known.len() == UNPACKED_MAX {
            self.known.remove(0);
        }
        self.known.push((frame.to_vec(), text));
        self.known.last().map(|(_, text)| text.as_slice()).context("it was put there")
    }
}

/// The organizer's own connection, by the native protocol; she hears acknowledgements and follows nothing.
fn scorer(port: u16, token: &str) -> Result<(TcpStream, Vec<u8>)> {
    let mut stream = connect_from(0, port)?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(super::PATIENCE))?;
    stream.write_all(&wire::upgrade_request(port, "/ws", Some(token), false))?;
    let (mut heard, mut part) = (Vec::new(), [0; 4096]);
    let end = loop {
        match wire::upgrade_answer(&heard) {
            Answer::Upgraded(end) => break end,
            Answer::Refused(why) => bail!("{why}"),
            Answer::Incomplete => {
                let count = stream.read(&mut part).context("no answer")?;
                ensure!(count > 0, "the server hung up");
                heard.extend_from_slice(&part[..count]);
            }
        }
    };
    heard.drain(..end);
    stream.set_nonblocking(true)?;
    Ok((stream, heard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_taken_whole_or_not_at_all() {
        let whole = b"id: 1-2\ndata: {\"a\":1}\n\n";
        assert_eq!(event(whole), Some((&b"{\"a\":1}"[..], whole.len())));
        for cut in 0..whole.len() {
            assert_eq!(event(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(event(b":\n\ndata: x"), Some((&b""[..], 3)), "a sign of life says nothing");
    }
}
