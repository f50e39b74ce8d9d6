//! The crate from outside: bytes in, events out. One binary, so that it links once.

mod compression;
mod decoding;
mod differential;
mod encoding;
mod handshake;
mod limits;
mod negotiation;
mod oracles;
mod script;
mod splits;
