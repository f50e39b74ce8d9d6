//! A line between clients and a server that takes its time: whatever goes in comes out later, in its order. It reads no frames.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// What a mobile network takes, by turns.
const DELAYS: [u64; 7] = [50, 200, 90, 160, 60, 130, 110];

/// Under way at a time; more wait where they come from, as on any line.
const PIECES_MAX: usize = 64;

/// Lives as long as the process.
pub(crate) struct Line {
    pub(crate) address: String,
}

impl Line {
    pub(crate) fn to(server: &str) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let server = server.to_owned();
        thread::spawn(move || {
            for caller in listener.incoming() {
                let (Ok(caller), Ok(called)) = (caller, TcpStream::connect(&server)) else { return };
                for (from, to) in [(&caller, &called), (&called, &caller)] {
                    let (from, to) = (from.try_clone().expect("a copy"), to.try_clone().expect("a copy"));
                    carry(from, to);
                }
            }
        });
        Line { address }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let (pieces, arriving) = mpsc::sync_channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    thread::spawn(move || {
        let mut scratch = vec![0; 64 << 10];
        for delay in DELAYS.iter().cycle() {
            let Ok(count @ 1..) = from.read(&mut scratch) else { return };
            let at = Instant::now() + Duration::from_millis(*delay);
            if pieces.send((at, scratch[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        // Nobody says anything here: it is a clock to wait by.
        let (_quiet, clock) = mpsc::sync_channel::<()>(1);
        for (at, piece) in arriving {
            let left = at.saturating_duration_since(Instant::now());
            assert_eq!(clock.recv_timeout(left), Err(RecvTimeoutError::Timeout));
            if to.write_all(&piece).is_err() {
                return;
            }
        }
        to.shutdown(Shutdown::Write).ok();
    });
}
