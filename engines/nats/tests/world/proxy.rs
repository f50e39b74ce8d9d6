//! A way to the server that can be made deaf towards the client, and cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

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
                thread::spawn(move || pass(from, to, &AtomicBool::new(false)));
                thread::spawn(move || pass(server, client, &is_deaf));
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

fn pass(mut from: TcpStream, mut to: TcpStream, is_deaf: &AtomicBool) {
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !is_deaf.load(Ordering::SeqCst) && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}
