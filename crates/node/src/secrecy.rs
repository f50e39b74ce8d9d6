//! What one socket's secrecy needs: its session lives beside the socket, in its shard's thread. Who may do what is not asked
//! here, and no socket is named.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus,
};

#[cfg(test)]
mod tests;

/// Plain bytes that become one record.
const RECORD_BYTES: usize = 16 << 10;
/// The most that a socket which takes nothing is owed as a secret, give or take a record: beyond it nothing more is taken from
/// its outbox.
const FLUSH_BYTES: usize = 64 << 10;
/// One read: a whole record, and the beginning of the next.
const READ_BYTES: usize = 17 << 10;
/// The longest record there is (RFC 8446, 5.2). What is whole is opened, so more than this can only be pieces of one message
/// of the handshake, and a client's longest is a tenth of it.
const UNOPENED_BYTES_MAX: usize = 5 + (1 << 14) + 256;

/// One socket's cipher state, and nothing else while the socket is idle: what has arrived of a record, what found no place when
/// it was opened, and what the socket has not taken yet are held only as long as there is some.
///
/// All that has arrived whole is opened before a read returns. So `incoming` never holds more than the beginning of
/// something, and the session has nothing to say but what it is asked to seal.
pub(crate) struct Secrecy {
    session: UnbufferedServerConnection,
    incoming: Vec<u8>,
    opened: VecDeque<u8>,
    outgoing: Vec<u8>,
    ended: bool,
    /// The peer was not understood: the session is not to be asked anything again.
    broken: bool,
    /// The last byte of what waits in `outgoing` was not said to be taken. So its writer knows that it is not done, keeps the
    /// frame that the byte belongs to, and comes again.
    held_back: bool,
}

/// What a read of secret bytes brought.
pub(crate) struct Unsealed {
    pub bytes: usize,
    /// There may be more where they came from.
    pub more: bool,
    pub ended: bool,
}

/// Where one look at what has arrived has led.
enum Step {
    /// Something was done, and the next thing may be possible.
    On,
    /// Nothing without more bytes.
    Waits,
    Ended,
}

impl Secrecy {
    pub(crate) fn new(session: UnbufferedServerConnection) -> Secrecy {
        let (incoming, opened, outgoing) = (Vec::new(), VecDeque::new(), Vec::new());
        Secrecy { session, incoming, opened, outgoing, ended: false, broken: false, held_back: false }
    }

    /// Plain bytes into the scratch buffer, as many as one turn wants; what the handshake has to answer goes out.
    pub(crate) fn read(
        &mut self,
        stream: &mut (impl Read + Write),
        scratch: &mut [u8],
    ) -> io::Result<Unsealed> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut drained = false;
        // One look, though nothing may come of it: records can be empty, and as many as a peer likes.
        if self.opened.is_empty() && !self.ended {
            drained = self.receive(stream)?;
            let opened = self.open();
            // An answer of the handshake, or the alert that says what was wrong.
            self.flush(stream)?;
            opened.map_err(io::Error::other)?;
        }
        let bytes = self.opened.read(scratch)?;
        if self.opened.is_empty() {
            self.opened = VecDeque::new();
        }
        Ok(Unsealed { bytes, more: !drained || !self.opened.is_empty(), ended: self.ended })
    }

    /// True: the socket has no more for now.
    fn receive(&mut self, stream: &mut impl Read) -> io::Result<bool> {
        let held = self.incoming.len();
        self.incoming.resize(held + READ_BYTES, 0);
        let read = stream.read(&mut self.incoming[held..]);
        self.incoming.truncate(held + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => self.ended = true,
            // Less than was asked for: the next thing it has is news.
            Ok(count) => return Ok(count < READ_BYTES),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    /// All that has arrived whole.
    fn open(&mut self) -> Result<(), rustls::Error> {
        let led = loop {
            match self.step() {
                Ok(Step::On) => {}
                Ok(Step::Waits) => break Ok(()),
                Ok(Step::Ended) => {
                    self.ended = true;
                    break Ok(());
                }
                Err(error) => {
                    self.broken = true;
                    self.say_why();
                    break Err(error);
                }
            }
        };
        // The room for a whole record is not kept for the beginning of one.
        if self.incoming.len() < self.incoming.capacity() / 4 {
            self.incoming.shrink_to_fit();
        }
        if self.incoming.len() > UNOPENED_BYTES_MAX {
            return led.and(Err(rustls::Error::General("a handshake message of many records".to_owned())));
        }
        led
    }

    /// One thing that the session can do with what has arrived.
    fn step(&mut self) -> Result<Step, rustls::Error> {
        let Secrecy { session, incoming, opened, outgoing, .. } = self;
        let UnbufferedStatus { discard, state } = session.process_tls_records(incoming);
        let step = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => match traffic.next_record() {
                Some(record) => record.map(|record| {
                    opened.extend(record.payload);
                    Step::On
                }),
                None => Ok(Step::On),
            },
            Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, outgoing).map(|()| Step::On),
            Ok(ConnectionState::TransmitTlsData(data)) => {
                // It is in `outgoing`, and leaves before anything else does.
                data.done();
                Ok(Step::On)
            }
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Ok(Step::Ended),
            Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => Ok(Step::Waits),
            // Nobody was told that early data would be taken.
            Ok(_) => Err(rustls::Error::General("a state that was not asked for".to_owned())),
            Err(error) => Err(error),
        };
        incoming.drain(..discard);
        step
    }

    /// The alert that the session has ready for a peer that it does not understand.
    fn say_why(&mut self) {
        let Secrecy { session, incoming, outgoing, .. } = self;
        // Asked once: with nothing left to say it would look at what it does not understand again. An answer that was ready
        // before stands before the alert, and then the peer learns only that it is over.
        if let UnbufferedStatus { state: Ok(ConnectionState::EncodeTlsData(mut data)), .. } =
            session.process_tls_records(incoming)
        {
            encode(&mut data, outgoing).ok();
        }
    }

    /// How many plain bytes the socket has taken; fewer than all means that it is full.
    pub(crate) fn write(&mut self, stream: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        while self.flush(stream)? && taken < bytes.len() {
            if std::mem::take(&mut self.held_back) {
                taken += 1;
                continue;
            }
            // With what has arrived, though nothing of that is whole: the session remembers how far it had looked.
            let Secrecy { session, incoming, outgoing, .. } = self;
            let UnbufferedStatus { state, .. } = session.process_tls_records(incoming);
            match state.map_err(io::Error::other)? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    // What the turn law gathers for one socket leaves in one write, whatever it is sealed in.
                    while taken < bytes.len() && outgoing.len() < FLUSH_BYTES {
                        let record = &bytes[taken..bytes.len().min(taken + RECORD_BYTES)];
                        seal(outgoing, |out| traffic.encrypt(record, out))?;
                        taken += record.len();
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    encode(&mut data, outgoing).map_err(io::Error::other)?
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                // It is over, or has not begun.
                _ => return Ok(taken),
            }
        }
        // All but the last byte: what is only sealed would be lost with the session, and nobody would know.
        if !self.outgoing.is_empty() && taken > 0 {
            self.held_back = true;
            taken -= 1;
        }
        Ok(taken)
    }

    /// False: the socket takes no more, and something is left.
    pub(crate) fn flush(&mut self, stream: &mut impl Write) -> io::Result<bool> {
        let mut sent = 0;
        let whole = loop {
            if sent == self.outgoing.len() {
                break Ok(true);
            }
            match stream.write(&self.outgoing[sent..]) {
                Ok(0) => break Ok(false),
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.outgoing.drain(..sent);
        if self.outgoing.is_empty() {
            self.outgoing = Vec::new();
        }
        whole
    }

    /// Whether the socket owes the peer something.
    pub(crate) fn has_more(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Says that nothing more comes, so that a cut cannot be taken for the end.
    pub(crate) fn say_end(&mut self) {
        if self.broken {
            return;
        }
        let Secrecy { session, incoming, outgoing, .. } = self;
        if let UnbufferedStatus { state: Ok(ConnectionState::WriteTraffic(mut traffic)), .. } =
            session.process_tls_records(incoming)
        {
            // A session that cannot say so is at its end already.
            seal(outgoing, |out| traffic.queue_close_notify(out)).ok();
        }
    }

    pub(crate) fn finish(&mut self, stream: &mut impl Write) {
        self.say_end();
        // A peer that is gone, or takes nothing, does without.
        self.flush(stream).ok();
    }
}

/// Appends what the session has to say, in as much room as that takes.
fn encode(
    data: &mut EncodeTlsData<'_, ServerConnectionData>,
    outgoing: &mut Vec<u8>,
) -> Result<(), rustls::Error> {
    let start = outgoing.len();
    let mut room = 0;
    loop {
        outgoing.resize(start + room, 0);
        match data.encode(&mut outgoing[start..]) {
            Ok(written) => {
                outgoing.truncate(start + written);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size }))
                if required_size > room =>
            {
                room = required_size;
            }
            Err(error) => {
                outgoing.truncate(start);
                return Err(rustls::Error::General(error.to_string()));
            }
        }
    }
}

/// Appends a sealed record. A record grows by its head, its tag and a byte that says what it is.
fn seal(
    outgoing: &mut Vec<u8>,
    mut seal: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> io::Result<()> {
    let start = outgoing.len();
    let mut room = 0;
    loop {
        outgoing.resize(start + room, 0);
        match seal(&mut outgoing[start..]) {
            Ok(written) => {
                outgoing.truncate(start + written);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size }))
                if required_size > room =>
            {
                room = required_size;
            }
            Err(error) => {
                outgoing.truncate(start);
                return Err(io::Error::other(error));
            }
        }
    }
}
