//! A way to the server that can be made deaf towards the client, made long, and cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Pieces on a long way at once: more than a node and its server say in such a time.
const PIECES_MAX: usize = 4096;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    open: Arc<Mutex<Vec<Way>>>,
}

struct Way {
    ends: [TcpStream; 2],
    /// For good: half an answer is no answer, and what was lost before a cut does not come after it.
    is_deaf: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn to(server: SocketAddr) -> Proxy {
        Proxy::far_from(server, Duration::ZERO)
    }

    /// What either of them says takes so long to the other, however much it is.
    pub(crate) fn far_from(server: SocketAddr, takes: Duration) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let open = Arc::new(Mutex::new(Vec::new()));
        let opened = open.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let handle = |stream: &TcpStream| stream.try_clone().expect("a second handle");
                let is_deaf = Arc::new(AtomicBool::new(false));
                let way = Way { ends: [handle(&client), handle(&server)], is_deaf: is_deaf.clone() };
                opened.lock().expect("whole").push(way);
                let (from, to) = (handle(&client), handle(&server));
                thread::spawn(move || pass(from, to, takes, &AtomicBool::new(false)));
                thread::spawn(move || pass(server, client, takes, &is_deaf));
            }
        });
        Proxy { address, open }
    }

    /// What the server says from now on is not heard, on all that is open.
    pub(crate) fn deafen(&self) {
        for way in self.open.lock().expect("whole").iter() {
            way.is_deaf.store(true, Ordering::SeqCst);
        }
    }

    /// All that is open breaks; what is opened next is whole.
    pub(crate) fn cut(&self) {
        for way in self.open.lock().expect("whole").drain(..) {
            way.ends.iter().for_each(|end| {
                end.shutdown(Shutdown::Both).ok();
            });
        }
    }
}

fn pass(mut from: TcpStream, to: TcpStream, takes: Duration, is_deaf: &AtomicBool) {
    let (pieces, comes): (SyncSender<(Instant, Vec<u8>)>, _) = sync_channel(PIECES_MAX);
    thread::spawn(move || arrive(&comes, to));
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !is_deaf.load(Ordering::SeqCst)
            && pieces.send((Instant::now() + takes, bytes[..count].into())).is_err()
        {
            break;
        }
    }
}

fn arrive(pieces: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    while let Ok((at, bytes)) = pieces.recv() {
        while let Some(left) = at.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            thread::park_timeout(left);
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}
