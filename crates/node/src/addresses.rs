//! Where a client is: the address at the other end of its socket, or, behind proxies that we know, the one that they name.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use websocket::handshake::Request;

/// What counts as one where addresses are counted: whoever has one address of version 6 has all of its network.
pub fn neighbours(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// Addresses that begin alike: `10.0.0.0/8`, or one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANetwork;

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an address or a network such as 10.0.0.0/8 or fd00::/8")
    }
}

impl std::error::Error for NotANetwork {}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Network, NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| NotANetwork)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        let network = Network { address, bits };
        // Whoever writes `10.1.2.3/8` may have meant the one address.
        let exact = bits <= most && network.first() == address;
        if exact { Ok(network) } else { Err(NotANetwork) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    /// The lowest address in it.
    fn first(&self) -> IpAddr {
        let kept = u32::from(self.bits);
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - kept).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - kept).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        }
    }

    pub fn has(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let shift = 32 - u32::from(self.bits);
                (u64::from(ours.to_bits()) >> shift) == (u64::from(theirs.to_bits()) >> shift)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differs = ours.to_bits() ^ theirs.to_bits();
                self.bits == 0 || differs >> (128 - u32::from(self.bits)) == 0
            }
            _ => false,
        }
    }
}

/// The client's address. Each proxy appends whom it heard, so the list is read from its end, as long as those who wrote
/// are known; what stands before was written by anybody.
pub(crate) fn of_client(peer: IpAddr, request: &Request<'_>, trusted: &[Network]) -> IpAddr {
    let known = |address: IpAddr| trusted.iter().any(|network| network.has(address));
    let mut client = peer.to_canonical();
    let lines: Vec<&[u8]> = request.values("x-forwarded-for").collect();
    let written = lines.iter().flat_map(|line| line.split(|byte| *byte == b','));
    let mut written: Vec<&[u8]> = written.map(<[u8]>::trim_ascii).collect();
    while known(client) {
        let Some(before) = written.pop() else { break };
        let Some(before) = std::str::from_utf8(before).ok().and_then(address) else { break };
        client = before.to_canonical();
    }
    client
}

/// As proxies write it: bare, in brackets, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.parse().ok();
    bare.or_else(|| text.parse().ok().map(|it: std::net::SocketAddr| it.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use websocket::handshake::{Head, Reader};

    fn network(text: &str) -> Network {
        text.parse().expect("a network")
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        for (net, address, has) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "::1", true),
            ("::/0", "127.0.0.1", false),
        ] {
            assert_eq!(network(net).has(address.parse().expect("an address")), has, "{net} {address}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "host",
            "10.0.0.0/-1",
            "10.0.0.0/",
            "10.1.2.3/8",
            "fd00::1/8",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }

    #[test]
    fn only_known_proxies_are_believed_about_whom_they_heard() {
        let trusted = [network("10.0.0.0/8"), network("fd00::/8")];
        for (peer, fields, client) in [
            ("1.1.1.1", "", "1.1.1.1"),
            ("1.1.1.1", "X-Forwarded-For: 9.9.9.9\r\n", "1.1.1.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "X-Forwarded-For: 9.9.9.9\r\n", "9.9.9.9"),
            ("10.0.0.1", "X-Forwarded-For: 8.8.8.8, 9.9.9.9\r\n", "9.9.9.9"),
            ("10.0.0.1", "X-Forwarded-For: 9.9.9.9, 10.0.0.2\r\n", "9.9.9.9"),
            ("10.0.0.1", "X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 9.9.9.9\r\n", "9.9.9.9"),
            ("10.0.0.1", "X-Forwarded-For: 9.9.9.9, nonsense\r\n", "10.0.0.1"),
            ("10.0.0.1", "X-Forwarded-For: [2001:db8::1]:443\r\n", "2001:db8::1"),
            ("fd00::1", "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"),
            ("10.0.0.1", "X-Forwarded-For: 9.9.9.9:1234\r\n", "9.9.9.9"),
        ] {
            let head = format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{fields}Upgrade: websocket\r\nConnection: upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n"
            );
            let Head::Upgrade(upgrade) = Reader::default().read(head.as_bytes()) else { panic!("{head}") };
            let found = of_client(peer.parse().expect("an address"), &upgrade.request, &trusted);
            assert_eq!(found.to_string(), client, "{peer} {fields}");
        }
    }
}
