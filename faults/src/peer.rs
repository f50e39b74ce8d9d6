//! The other end of a client's socket, for tests: it lets one in, says what it is told to say, and looks whether it is heard.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use websocket::handshake::{Head, Reader, response_101};
use websocket::{Compression, Decoder, Event, Inflater, Limits, Role, frame};

use crate::front::PATIENCE;

pub(crate) struct Peer {
    stream: TcpStream,
    decoder: Decoder,
}

impl Peer {
    pub(crate) fn listen() -> (TcpListener, u16) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    }

    pub(crate) fn admit(listener: &TcpListener) -> Peer {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let (mut head, mut byte) = (Vec::new(), [0; 1]);
        let key = loop {
            stream.read_exact(&mut byte).expect("a request");
            head.push(byte[0]);
            match Reader::default().read(&head) {
                Head::Incomplete => {}
                Head::Upgrade(upgrade) => break upgrade.key,
                Head::NotAnUpgrade(_) | Head::Refused(_) => panic!("no request for a WebSocket"),
            }
        };
        stream.write_all(&response_101(key, None, None)).expect("the upgrade is answered");
        let limits = Limits { message_bytes_max: 1 << 16, fragments_max: 8 };
        Peer { stream, decoder: Decoder::new(Role::Server, limits, Compression::Off) }
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.stream.write_all(&frame::text(text)).expect("said");
    }

    /// Whether the client answers before it ends or the patience does; what it says besides is let go.
    pub(crate) fn answers_a_ping(&mut self) -> bool {
        self.stream.write_all(&frame::ping(b"there?")).expect("said");
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = self.stream.read(&mut bytes) {
            for event in self.decoder.feed(&mut Inflater::default(), &mut bytes[..count]) {
                if let Event::Pong(payload) = event.expect("frames")
                    && *payload == *b"there?"
                {
                    return true;
                }
            }
        }
        false
    }
}
