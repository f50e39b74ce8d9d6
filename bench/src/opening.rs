//! Bringing the crowd in: sockets from many source addresses, a number of them at once, until all have joined.
//!
//! Requests and join frames are made beforehand, so that signing tokens is no part of what is measured.

use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};
use rustls::ClientConfig;

use crate::adapters::{Adapter, Travels};
use crate::crowd::{Crowd, Phase, Wait};
use crate::link::Link;
use crate::progress::Progress;
use crate::tally::Tally;
use crate::wire;

/// Sources 127.0.0.2 and following; each has its own ephemeral ports and its own share of a limit per address.
const SOURCES: u32 = 64;
/// Without a single join for this long, something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that has not connected yet.
#[derive(Debug)]
pub(crate) struct Guest {
    request: Vec<u8>,
    join: Vec<u8>,
}

/// One guest for each entry of `rooms`.
pub(crate) fn guests(adapter: &dyn Adapter, port: u16, rooms: &[u32]) -> Result<Vec<Guest>> {
    let guest = |(user, room): (usize, &u32)| {
        let visitor = adapter.visitor(user as u32)?;
        let mut join = Vec::new();
        wire::client_frame(wire::TEXT, adapter.join(*room).as_bytes(), &mut join);
        Ok(Guest {
            request: wire::upgrade_request(
                port,
                &visitor.path,
                visitor.bearer.as_deref(),
                adapter.travels() == Travels::Packed,
            ),
            join,
        })
    };
    rooms.iter().enumerate().map(guest).collect()
}

/// Connects and joins all guests, `at_once` of them under way at any time.
pub(crate) fn open(
    crowd: &mut Crowd,
    tally: &mut Tally,
    (port, secrecy): (u16, Option<&Arc<ClientConfig>>),
    guests: Vec<Guest>,
    at_once: usize,
    progress: &mut Progress,
) -> Result<()> {
    let total = guests.len();
    let mut guests = guests.into_iter();
    let mut latest = (0, Instant::now());
    while (crowd.heard.joined as usize) < total {
        let joined = crowd.heard.joined as usize;
        if joined > latest.0 {
            latest = (joined, Instant::now());
        }
        while crowd.members.len() < joined + at_once
            && let Some(guest) = guests.next()
        {
            let stream = connect_from(crowd.members.len() as u32, port)?;
            let link = match secrecy {
                Some(secrecy) => Link::sealed(stream, secrecy)?,
                None => Link::Plain(stream),
            };
            crowd.add(link, guest.request, guest.join)?;
        }
        crowd.turn(Wait::Millis(50), tally)?;
        crowd.all_well().with_context(|| format!("after {joined} of {total} joins"))?;
        if latest.1.elapsed() > PATIENCE {
            let stuck = crowd.members.iter().find(|member| member.phase != Phase::Joined);
            bail!(
                "stuck after {joined} of {total} joins, the next one is {:?}",
                stuck.map(|member| member.phase)
            );
        }
        progress.show("joining", joined as u64, total as u64);
    }
    Ok(())
}

/// A socket on its way, from one of many addresses.
pub(crate) fn connect_from(index: u32, port: u16) -> Result<TcpStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let descriptor = socket(AddressFamily::Inet, SockType::Stream, flags, None).context("no more sockets")?;
    let source = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + 1 + index % SOURCES);
    let [a, b, c, d] = source.octets();
    setsockopt(&descriptor, sockopt::TcpNoDelay, &true)?;
    setsockopt(&descriptor, sockopt::IpBindAddressNoPort, &true)?;
    bind(descriptor.as_raw_fd(), &SockaddrIn::new(a, b, c, d, 0))?;
    match connect(descriptor.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(descriptor)),
        Err(error) => Err(error).with_context(|| format!("connecting from {source}")),
    }
}
