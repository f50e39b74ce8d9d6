//! The front door, one visitor at a time: a client that waits for its answers, reads logs, and asks for pages. It knows
//! nothing that docs/protocol.md does not say.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use websocket::handshake::Key;
use websocket::handshake::client::{Answer, Ask};
use websocket::{Compression, Decoder, Event, Inflater, Limits, Role, frame};

use crate::heard::{Heard, number};
use crate::history::{Epochs, Id, Log, Room, STRANGE};
use crate::token::Signer;

/// Longer than anything here takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Rooms that one visitor reads: three messages each fit the burst that a connection is allowed.
const ROOMS_A_VISIT: usize = 10;
const LIMITS: Limits = Limits { message_bytes_max: 8 << 20, fragments_max: 1024 };
const SCRATCH_BYTES: usize = 64 << 10;
const MASK: [u8; 4] = [1, 2, 3, 4];

pub(crate) struct Visitor {
    stream: TcpStream,
    decoder: Decoder,
    scratch: Vec<u8>,
    heard: VecDeque<String>,
    ended: Option<String>,
}

impl Visitor {
    pub(crate) fn come(port: u16, token: &str) -> Result<Visitor> {
        let (host, bearer) = (format!("127.0.0.1:{port}"), format!("Bearer {token}"));
        let fields = [("Authorization", bearer.as_str())];
        let key = Key::from_nonce([9; 16]);
        let ask = Ask { host: &host, target: "/ws", key, protocols: &[], fields: &fields };
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("nobody listens")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        stream.write_all(&ask.request())?;
        let (mut received, mut byte) = (Vec::new(), [0; 1]);
        loop {
            match ask.check(&received) {
                Answer::Incomplete => {}
                Answer::Accepted { .. } => break,
                Answer::Refused { status } => bail!("the upgrade was refused with {status}"),
                Answer::Broken(why) => bail!("the upgrade failed: {why}"),
            }
            // Byte by byte, so that no frame is taken with the head.
            match stream.read(&mut byte)? {
                0 => bail!("the server hung up during the upgrade"),
                _ => received.push(byte[0]),
            }
        }
        let decoder = Decoder::new(Role::Client, LIMITS, Compression::Off);
        Ok(Visitor { stream, decoder, scratch: vec![0; SCRATCH_BYTES], heard: VecDeque::new(), ended: None })
    }

    /// For whoever says what no client says.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.stream.write_all(&frame::masked(frame::Opcode::Text, MASK, text.as_bytes()))?)
    }

    /// The next text; none if there is none by then.
    pub(crate) fn hear(&mut self, until: Instant) -> Result<Option<String>> {
        loop {
            if let Some(text) = self.heard.pop_front() {
                return Ok(Some(text));
            }
            if let Some(why) = &self.ended {
                bail!("the connection is over: {why}");
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            let count = match self.stream.read(&mut self.scratch) {
                Ok(0) => bail!("the server hung up"),
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            for event in self.decoder.feed(&mut Inflater::default(), &mut self.scratch[..count]) {
                match event {
                    Ok(Event::Text(text)) => self.heard.push_back(text.into_owned()),
                    // Whoever reads for longer than a minute and says nothing is taken for gone.
                    Ok(Event::Ping(payload)) => {
                        self.stream.write_all(&frame::masked(frame::Opcode::Pong, MASK, &payload))?;
                    }
                    Ok(Event::Close(close)) => self.ended = Some(format!("{close:?}")),
                    Ok(Event::Pong(_) | Event::Binary(_)) => {}
                    Err(violation) => self.ended = Some(violation.to_string()),
                }
            }
        }
    }

    /// A room's log from its beginning: where it ends is asked first, since only that names its epoch.
    fn read(&mut self, room: Room, epochs: &mut Epochs) -> Result<Reading> {
        self.say(&format!(
            r#"{{"type":"get_history","id":"h{room}","payload":{{"room_id":"r{room}","limit":1}}}}"#
        ))?;
        let asked = format!("h{room}");
        let epoch = self.hear_until(|heard| {
            let upto = heard.payload.upto.filter(|_| heard.kind == "history" && heard.id == Some(&asked));
            let refused = || refusal(heard).filter(|_| heard.id == Some(&asked)).map(Err);
            upto.map(|upto| Ok(upto.epoch.to_owned())).or_else(refused)
        })?;
        let epoch = match epoch {
            Ok(epoch) => epoch,
            Err(refused) => return Ok(refused),
        };
        let since = format!(r#"{{"epoch":"{epoch}","offset":0}}"#);
        self.say(&format!(
            r#"{{"type":"join_room","id":"j{room}","payload":{{"room_id":"r{room}","since":{since}}}}}"#
        ))?;
        let mut log = Log { epoch: Some(epochs.named(&epoch)), records: Vec::new() };
        let (name, mut end) = (format!("r{room}"), None);
        let reading = self.hear_until(|heard| {
            if heard.room.is_some_and(|other| other != name) {
                return None;
            }
            if let Some(refused) = refusal(heard) {
                return Some(Ok(refused));
            }
            match (heard.kind, heard.payload.upto, heard.position) {
                ("resumed", Some(upto), _) => end = Some(upto.offset),
                (kind @ ("gap" | "reset"), ..) => {
                    return Some(Err(format!("offset 0 is answered with a {kind}")));
                }
                ("new_message", _, Some(position)) => log.records.push((position.offset, author(heard))),
                _ => {}
            }
            let whole = end.is_some_and(|end| log.head() >= end);
            whole.then(|| Ok(Reading::Whole(std::mem::take(&mut log))))
        })?;
        self.say(&format!(r#"{{"type":"leave_room","payload":{{"room_id":"r{room}"}}}}"#))?;
        reading.map_err(anyhow::Error::msg)
    }

    /// Hears until something is made of a message, or nothing was within the patience.
    pub(crate) fn hear_until<T>(&mut self, mut make: impl FnMut(&Heard<'_>) -> Option<T>) -> Result<T> {
        // A log of a million records takes its time, as long as more of it comes.
        let began = Instant::now();
        let last = began + PATIENCE * 10;
        while let Some(text) = self.hear(last.min(Instant::now() + PATIENCE))? {
            let heard: Heard<'_> = serde_json::from_str(&text).with_context(|| text.clone())?;
            if let Some(made) = make(&heard) {
                return Ok(made);
            }
        }
        bail!("waited {} s in vain", began.elapsed().as_secs())
    }
}

/// What came of reading a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Whole(Log),
    /// The server says that it cannot, with a reference to its log.
    Refused {
        code: String,
        reference: Option<String>,
    },
}

/// Rooms from the beginning of their epochs, as somebody reads them who comes new: one behind the other, so that what is told
/// of people in many rooms does not stand in the way of their records.
pub(crate) fn read_rooms(
    port: u16,
    signer: &Signer,
    epochs: &mut Epochs,
    rooms: &[Room],
) -> Result<BTreeMap<Room, Reading>> {
    let mut readings = BTreeMap::new();
    for (number, rooms) in rooms.chunks(ROOMS_A_VISIT).enumerate() {
        let mut visitor = Visitor::come(port, &signer.token(&format!("reader-{number}"))?)?;
        for room in rooms {
            let reading = visitor.read(*room, epochs).with_context(|| format!("reading room {room}"))?;
            readings.insert(*room, reading);
        }
    }
    Ok(readings)
}

/// The same where every room must be there.
pub(crate) fn read_logs(
    port: u16,
    signer: &Signer,
    epochs: &mut Epochs,
    rooms: u16,
) -> Result<BTreeMap<Room, Log>> {
    let all: Vec<Room> = (0..rooms).collect();
    let readings = read_rooms(port, signer, epochs, &all)?;
    let whole = |(room, reading)| match reading {
        Reading::Whole(log) => Ok((room, log)),
        Reading::Refused { code, .. } => bail!("room {room} cannot be read: {code}"),
    };
    readings.into_iter().map(whole).collect()
}

fn refusal(heard: &Heard<'_>) -> Option<Reading> {
    let code = heard.payload.code.filter(|_| heard.kind == "error")?.to_owned();
    Some(Reading::Refused { code, reference: heard.payload.reference.map(str::to_owned) })
}

/// Whose message it is, to the letter, and by whom the server says that it is.
pub(crate) fn author(heard: &Heard<'_>) -> Id {
    let id = Id::of_content(heard.payload.content.as_deref().unwrap_or_default());
    let sender = heard.sender.as_ref().and_then(|sender| number(sender.id, 'u'));
    if sender == Some(id.sender) { id } else { STRANGE }
}

/// Status and body of a page, at `host:port`.
pub(crate) fn page(address: &str, path: &str) -> Result<(u16, String)> {
    page_for(address, path, "")
}

/// The same with fields of the head, each with the end of its line.
pub(crate) fn page_for(address: &str, path: &str, fields: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("nobody listens at {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{fields}Connection: close\r\n\r\n").as_bytes(),
    )?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").context("no head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    Ok((status, body.to_owned()))
}

/// A figure of the page of metrics.
pub(crate) fn metric(address: &str, name: &str) -> Result<u64> {
    let (_, body) = page(address, "/metrics")?;
    let line = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value: f64 =
        line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no {name}"))?;
    Ok(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;

    #[test]
    fn who_only_reads_answers_pings() -> Result<()> {
        let (listener, port) = Peer::listen();
        let server = std::thread::spawn(move || {
            let mut peer = Peer::admit(&listener);
            let answered = peer.answers_a_ping();
            peer.say("answered");
            answered
        });
        let mut visitor = Visitor::come(port, "a token")?;
        let heard = visitor.hear(Instant::now() + PATIENCE * 2)?;
        assert_eq!((server.join().ok(), heard.as_deref()), (Some(true), Some("answered")));
        Ok(())
    }
}
