//! A range of addresses, `10.0.0.0/8`, or one address alone. It only compares; whose addresses they are is not its business.

use std::fmt;
use std::net::IpAddr;

/// The bits behind the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Refuses bits behind the prefix: who writes `10.1.2.3/8` may have meant the one address.
    pub(super) fn parse(text: &str) -> Option<Network> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, Some(prefix)),
            None => (text.parse().ok()?, None),
        };
        let width = width(address);
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
            None => width,
        };
        let network = Network { address, prefix };
        (prefix <= width && bits(address) & !network.mask() == 0).then_some(network)
    }

    /// An IPv4 address that arrives in its IPv6 clothes is still that IPv4 address.
    #[cfg_attr(not(test), expect(dead_code, reason = "asked at the door, once that counts addresses"))]
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && bits(address) & self.mask() == bits(self.address)
    }

    fn mask(&self) -> u128 {
        let width = width(self.address);
        let all = u128::MAX >> (128 - u32::from(width));
        all & !(all.checked_shr(u32::from(self.prefix)).unwrap_or(0))
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_and_how_many_bits_of_it_count() {
        for (text, shown) in [
            ("127.0.0.0/8", Some("127.0.0.0/8")),
            ("10.1.2.3", Some("10.1.2.3/32")),
            ("::1", Some("::1/128")),
            ("fd00::/8", Some("fd00::/8")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("::/0", Some("::/0")),
            ("10.1.2.3/8", None),
            ("10.0.0.0/33", None),
            ("10.0.0.0/", None),
            ("10.0.0.0/+8", None),
            ("10.0.0/8", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(Network::parse(text).map(|network| network.to_string()).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn a_network_contains_what_begins_as_it_does() {
        for (network, address, inside) in [
            ("127.0.0.0/8", "127.1.2.3", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("127.0.0.0/8", "::1", false),
            ("0.0.0.0/0", "9.9.9.9", true),
            ("0.0.0.0/0", "::9", false),
            ("fd00::/8", "fdff::1", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
        ] {
            let read = Network::parse(network).expect(network);
            assert_eq!(read.contains(address.parse().expect(address)), inside, "{address} in {network}");
        }
    }
}
