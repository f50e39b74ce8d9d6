//! Tokens to users: which keys prove one, what it must say, and whom it names. Every answer follows from the token, the
//! keys and the time that is given; it reads no clock, file or socket, and what a token says of keys it never follows.

mod claims;
mod header;
mod key;
mod ring;
pub mod set;
mod strict;

use std::fmt;

pub use claims::TokenRules;
pub use key::{Algorithm, KeyError, ProvingKey, Secret};
pub use ring::KeyRing;
pub use set::{KeySet, SetError};

/// Tokens longer than this are refused unread.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Why a token proves nothing. For our log, and without anything that stands in the token; its bearer learns only that
/// authentication is required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unverified {
    TooLong,
    /// Three parts in base64, of which the first two are JSON objects without repeated names.
    Malformed(&'static str),
    /// It names a key that nobody has told us of. A newer set of keys may have it.
    UnknownKey,
    Algorithm,
    Signature,
    Claim(&'static str),
    Revoked,
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unverified::TooLong => write!(f, "the token is longer than {TOKEN_BYTES_MAX} bytes"),
            Unverified::Malformed(why) => write!(f, "the token is malformed: {why}"),
            Unverified::UnknownKey => f.write_str("the token names a key that is not known"),
            Unverified::Algorithm => f.write_str("the token's algorithm is not that of its key"),
            Unverified::Signature => f.write_str("no key proves the token's signature"),
            Unverified::Claim(why) => f.write_str(why),
            Unverified::Revoked => f.write_str("the token was revoked"),
        }
    }
}
