//! Where calls may go: a name is resolved, each of its addresses is looked at, and exactly those are connected to. Whoever can write
//! into the configuration, or owns a name in it, must not reach what only this machine reaches. It opens no connection.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use node::Network;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Networks of version 4 that are nobody's in particular, or ours alone: each with the bits that its addresses share.
/// By the registry of special purposes of the IANA.
const OWN_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// Of version 6 one eighth is given out to the public; these parts of it are not, or lead to addresses of version 4.
const OWN_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether anybody's machine may stand there.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let within =
                |(first, bits): &(Ipv4Addr, u32)| (address.to_bits() ^ first.to_bits()) >> (32 - bits) == 0;
            !OWN_V4.iter().any(within)
        }
        IpAddr::V6(address) => {
            let within =
                |(first, bits): &(Ipv6Addr, u32)| (address.to_bits() ^ first.to_bits()) >> (128 - bits) == 0;
            address.to_bits() >> 125 == 1 && !OWN_V6.iter().any(within)
        }
    }
}

/// Why nothing is sent to an address.
#[derive(Debug)]
pub(crate) struct Forbidden {
    address: IpAddr,
    plain: bool,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match self.plain {
            true => write!(
                f,
                "{address} would be spoken to in the open: write https://, or name its network in the webhook's `allow`"
            ),
            false => write!(
                f,
                "{address} is no public address: name its network in the webhook's `allow` if that is meant"
            ),
        }
    }
}

impl std::error::Error for Forbidden {}

/// Asks whoever knows names, and gives on what may be connected to.
pub(crate) struct Targets<R> {
    pub(crate) allow: Vec<Network>,
    pub(crate) names: R,
}

impl<R> fmt::Debug for Targets<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Targets").field("allow", &self.allow).finish_non_exhaustive()
    }
}

impl<R> Targets<R> {
    fn check(&self, address: IpAddr, plain: bool) -> Result<(), Forbidden> {
        match self.allow.iter().any(|network| network.has(address)) {
            true => Ok(()),
            false if plain || !is_public(address) => {
                Err(Forbidden { address, plain: plain && is_public(address) })
            }
            false => Ok(()),
        }
    }
}

impl<R: Resolver> Resolver for Targets<R> {
    /// One address that may not be is enough to refuse them all: a name that has both was not made by accident.
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let plain = uri.scheme_str() != Some("https");
        let resolved = self.names.resolve(uri, config, timeout)?;
        for address in resolved.iter() {
            self.check(address.ip(), plain)
                .map_err(|why| Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, why)))?;
        }
        Ok(resolved)
    }
}

#[cfg(test)]
#[path = "targets/tests.rs"]
mod tests;
