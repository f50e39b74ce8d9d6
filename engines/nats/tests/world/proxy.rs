//! A way to the server that can be made deaf towards the client, made long, held where something is said, and cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Pieces on a long way at once: more than a node and its server say in such a time.
const PIECES_MAX: usize = 4096;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    open: Arc<Mutex<Vec<Way>>>,
    gate: Arc<Gate>,
}

/// In front of the server.
#[derive(Default)]
struct Gate(Mutex<Held>, Condvar);

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    /// To be, when a client says this.
    At(String),
    It,
}

impl Gate {
    fn change(&self, held: Held) {
        *self.0.lock().expect("whole") = held;
        self.1.notify_all();
    }

    fn pass(&self, bytes: &[u8]) {
        let mut held = self.0.lock().expect("whole");
        let is_it = |text: &str| bytes.windows(text.len()).any(|some| some == text.as_bytes());
        if matches!(&*held, Held::At(text) if is_it(text)) {
            *held = Held::It;
            self.1.notify_all();
        }
        drop(self.1.wait_while(held, |held| matches!(held, Held::It)).expect("whole"));
    }
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
        let gate = Arc::new(Gate::default());
        let in_front = gate.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let handle = |stream: &TcpStream| stream.try_clone().expect("a second handle");
                let is_deaf = Arc::new(AtomicBool::new(false));
                let way = Way { ends: [handle(&client), handle(&server)], is_deaf: is_deaf.clone() };
                opened.lock().expect("whole").push(way);
                let (from, to) = (handle(&client), handle(&server));
                let gate = in_front.clone();
                thread::spawn(move || {
                    pass(from, to, takes, move |said| {
                        gate.pass(said);
                        true
                    })
                });
                thread::spawn(move || pass(server, client, takes, |_| !is_deaf.load(Ordering::SeqCst)));
            }
        });
        Proxy { address, open, gate }
    }

    /// Whatever a client says from there on waits.
    pub(crate) fn hold_at(&self, text: String) {
        self.gate.change(Held::At(text));
    }

    pub(crate) fn is_held_within(&self, within: Duration) -> bool {
        let held = self.gate.0.lock().expect("whole");
        let waits = self.gate.1.wait_timeout_while(held, within, |held| !matches!(held, Held::It));
        !waits.expect("whole").1.timed_out()
    }

    pub(crate) fn let_go(&self) {
        self.gate.change(Held::Nothing);
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

fn pass(mut from: TcpStream, to: TcpStream, takes: Duration, comes_through: impl Fn(&[u8]) -> bool) {
    let (pieces, comes): (SyncSender<(Instant, Vec<u8>)>, _) = sync_channel(PIECES_MAX);
    thread::spawn(move || arrive(&comes, to));
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let said = &bytes[..count];
        if comes_through(said) && pieces.send((Instant::now() + takes, said.into())).is_err() {
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
