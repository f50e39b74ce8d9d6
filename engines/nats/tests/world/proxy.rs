//! A way to the server that can be made deaf towards the client, and cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    deaf: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    pub(crate) fn to(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (deaf, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (is_deaf, opened) = (deaf.clone(), open.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let handle = |stream: &TcpStream| stream.try_clone().expect("a second handle");
                opened.lock().expect("whole").extend([handle(&client), handle(&server)]);
                let (from, to) = (handle(&client), handle(&server));
                thread::spawn(move || pass(from, to, &AtomicBool::new(false)));
                let is_deaf = is_deaf.clone();
                thread::spawn(move || pass(server, client, &is_deaf));
            }
        });
        Proxy { address, deaf, open }
    }

    /// What the server says from now on is not heard.
    pub(crate) fn deafen(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }

    /// All that is open breaks; what is opened next is whole.
    pub(crate) fn cut(&self) {
        self.deaf.store(false, Ordering::SeqCst);
        for stream in self.open.lock().expect("whole").drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, is_deaf: &AtomicBool) {
    let mut bytes = [0; 65_536];
    let mut was_deaf = false;
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        // What was begun deaf stays so: half an answer is no answer.
        was_deaf |= is_deaf.load(Ordering::SeqCst);
        if !was_deaf && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Both).ok();
}
