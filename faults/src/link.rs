//! A bad link between clients and a server: every piece of what is said takes its time, some of them much longer, and now and then all
//! connections break at once. It speaks bytes and knows no protocol.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use crate::random::Random;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Of each piece.
    pub(crate) delay: Duration,
    /// Of a hundred pieces, so many were lost and are sent again later.
    pub(crate) lost_percent: u64,
    /// After which what was lost is sent again.
    pub(crate) again_after: Duration,
}

/// Between two looks at whether it is over.
const GLANCE: Duration = Duration::from_millis(50);
/// As much as a phone's network carries at once.
const PIECE_BYTES: usize = 1400;

pub(crate) struct Link {
    pub(crate) port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Link {
    pub(crate) fn to(port: u16, weather: Weather, seed: u64) -> Result<Link> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let own = listener.local_addr()?.port();
        let (streams, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (kept, ends) = (Arc::clone(&streams), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut number = seed;
            while !ends.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((near, _)) => {
                        number += 2;
                        // A server that is not there is the client's to find out: its socket ends.
                        let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                        let _ = join(near, far, weather, number, &kept);
                    }
                    Err(_) => std::thread::sleep(GLANCE),
                }
            }
        });
        Ok(Link { port: own, streams, over, thread: Some(thread) })
    }

    /// Everything that it carries breaks. How many connections those were.
    pub(crate) fn flap(&self) -> usize {
        let streams = std::mem::take(&mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner));
        let ends = |stream: &TcpStream| stream.shutdown(Shutdown::Both).is_ok();
        streams.iter().filter(|stream| ends(stream)).count() / 2
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.flap();
        if let Some(thread) = self.thread.take() {
            // What it had to say of its end, it has said.
            let _ = thread.join();
        }
    }
}

/// Both ways, each with a thread that ends with its connection.
fn join(
    near: TcpStream,
    far: TcpStream,
    weather: Weather,
    seed: u64,
    kept: &Mutex<Vec<TcpStream>>,
) -> std::io::Result<()> {
    near.set_nonblocking(false)?;
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
    }
    let (near_too, far_too) = (near.try_clone()?, far.try_clone()?);
    std::thread::spawn(move || carry(near, far, weather, seed));
    std::thread::spawn(move || carry(far_too, near_too, weather, seed + 1));
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, weather: Weather, seed: u64) {
    let (mut random, mut piece) = (Random::new(seed), [0; PIECE_BYTES]);
    loop {
        let count = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let lost = random.below(100) < weather.lost_percent;
        std::thread::sleep(weather.delay + if lost { weather.again_after } else { Duration::ZERO });
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    // Whichever way ends first ends the other; that may have happened already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
