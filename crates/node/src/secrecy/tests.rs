//! Our end of TLS against somebody else's, over a pipe that gives and takes as little as it likes.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::tls::Tls;

/// A socket without a network: it gives and takes so many bytes at a time, and every other time none.
struct Pipe {
    to_us: VecDeque<u8>,
    from_us: Vec<u8>,
    at_once: usize,
    is_full: bool,
    looks: usize,
}

impl Pipe {
    fn new(at_once: usize) -> Pipe {
        Pipe { to_us: VecDeque::new(), from_us: Vec::new(), at_once, is_full: false, looks: 0 }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.looks += 1;
        if self.to_us.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = buffer.len().min(self.at_once);
        self.to_us.read(&mut buffer[..most])
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_full = !self.is_full;
        if !self.is_full {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = bytes.len().min(self.at_once);
        self.from_us.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn certificate() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/certs/loopback.pem")
}

/// A session that nobody has spoken to.
fn fresh() -> Secrecy {
    let tls = Tls::read(&certificate(), &certificate().with_extension("key.pem"));
    tls.expect("a certificate and its key").session().expect("a session")
}

/// A session of ours, and somebody else's client at the other end of a pipe.
struct Ends {
    ours: Secrecy,
    theirs: ClientConnection,
    pipe: Pipe,
    heard: Vec<u8>,
}

impl Ends {
    fn meet(at_once: usize) -> Ends {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate()).expect("PEM")).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("known").with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let theirs = ClientConnection::new(Arc::new(config), name).expect("a session");
        let mut ends = Ends { ours: fresh(), theirs, pipe: Pipe::new(at_once), heard: Vec::new() };
        while ends.theirs.is_handshaking() {
            assert_eq!(ends.carry(), b"", "nothing is said before both know each other");
        }
        ends
    }

    /// What is on its way arrives; what of it we can open.
    fn carry(&mut self) -> Vec<u8> {
        while self.theirs.wants_write() {
            self.theirs.write_tls(&mut self.pipe.to_us).expect("a list takes it");
        }
        let (mut opened, mut scratch) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let looks = self.pipe.looks;
            let read = self.ours.read(&mut self.pipe, &mut scratch).expect("it is understood");
            assert!(self.pipe.looks <= looks + 1, "one look, so that no socket keeps the others waiting");
            opened.extend(&scratch[..read.bytes]);
            if read.ended || (read.bytes == 0 && self.pipe.to_us.is_empty()) {
                break;
            }
        }
        while !self.ours.flush(&mut self.pipe).expect("a list takes it") {}
        let mut from_us = &self.pipe.from_us[..];
        while !from_us.is_empty() {
            self.theirs.read_tls(&mut from_us).expect("a list gives it");
            self.theirs.process_new_packets().expect("they understand us");
            // All that there is; the end of it is looked for elsewhere.
            let _ = self.theirs.reader().read_to_end(&mut self.heard);
        }
        self.pipe.from_us.clear();
        opened
    }
}

#[test]
fn nothing_is_lost_or_moved_whatever_pieces_it_comes_in() {
    for at_once in [1, 2, 5, 21, 1_000, 16_389, 17 << 10, 1 << 20] {
        let bytes = if at_once < 1_000 { 2_000 } else { 100_000 };
        let text: Vec<u8> = (0..bytes).map(|number: u32| (number % 251) as u8).collect();
        let mut ends = Ends::meet(at_once);
        let mut opened = Vec::new();
        for piece in text.chunks(30_000) {
            ends.theirs.writer().write_all(piece).expect("within its buffer");
            opened.extend(ends.carry());
        }
        assert!(opened == text, "{at_once} at once, to us");
        let mut sent = 0;
        while sent < text.len() {
            sent += ends.ours.write(&mut ends.pipe, &text[sent..]).expect("they are there");
            assert!(ends.ours.outgoing.len() <= FLUSH_BYTES + 2 * RECORD_BYTES, "what is owed is bounded");
            ends.carry();
        }
        assert!(ends.heard == text, "{at_once} at once, from us");
        assert!(ends.ours.outgoing.is_empty(), "what was said to be taken has left");
        assert_eq!(
            (ends.ours.incoming.capacity(), ends.ours.outgoing.capacity()),
            (0, 0),
            "idle, it holds nothing"
        );
        ends.ours.finish(&mut ends.pipe);
        ends.carry();
        assert_eq!(ends.theirs.reader().read(&mut [0]).expect("an end that was said"), 0);
    }
}

#[test]
fn their_end_is_heard_behind_what_they_said() {
    let mut ends = Ends::meet(1 << 20);
    ends.theirs.writer().write_all(b"last words").expect("within its buffer");
    ends.theirs.send_close_notify();
    assert_eq!(ends.carry(), b"last words");
    assert!(ends.ours.ended);
    let taken = ends.ours.write(&mut ends.pipe, b"bye").expect("half an end is none of ours");
    assert_eq!(taken, 2, "what waits is not taken yet");
    assert_eq!(ends.ours.write(&mut ends.pipe, b"e").expect("they are there"), 1);
    ends.carry();
    assert_eq!(ends.heard, b"bye", "and each byte comes once");
}

#[test]
fn a_message_of_the_handshake_that_takes_many_records_is_refused() {
    let (mut ours, mut pipe) = (fresh(), Pipe::new(1 << 20));
    // It says that it has 64 KB, and never has.
    let mut hello = vec![0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xf0];
    hello.resize(5 + 0x4000, b'a');
    hello.extend([0x16, 3, 1, 0x40, 0]);
    hello.resize(hello.len() + 0x4000, b'a');
    pipe.to_us.extend(hello);
    let mut scratch = vec![0; 1024];
    let refused = loop {
        match ours.read(&mut pipe, &mut scratch) {
            Ok(read) => assert!(read.more, "it would wait for the rest"),
            Err(error) => break error,
        }
    };
    assert!(refused.to_string().contains("many records"), "{refused}");
}

#[test]
fn whoever_is_not_understood_is_told_once_and_heard_no_more() {
    for within in [false, true] {
        let mut ends = Ends::meet(1 << 20);
        if !within {
            ends.ours = fresh();
        }
        ends.pipe.to_us.extend(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
        let mut scratch = vec![0; 1024];
        assert!(ends.ours.read(&mut ends.pipe, &mut scratch).is_err());
        ends.ours.finish(&mut ends.pipe);
        assert!(!ends.pipe.from_us.is_empty(), "an alert");
        assert!(ends.ours.write(&mut ends.pipe, b"more").is_err());
        assert!(ends.ours.read(&mut ends.pipe, &mut scratch).is_err());
    }
}
