//! What the peers share: the port they listen on and the one line that says they do.
//!
//! Protocol of all of them: the first message names the room and is answered with `+`; every later message goes to the
//! other members as it came.

use std::net::{Ipv4Addr, SocketAddr};

/// The address to listen on; `PORT` says which port.
///
/// # Panics
/// If `PORT` is absent or no number: the bench starts these and always sets it.
#[must_use]
pub fn address() -> SocketAddr {
    let port = std::env::var("PORT").expect("PORT is set by the bench").parse().expect("PORT is a number");
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

pub fn say_ready(version: &str) {
    println!(r#"{{"listening":"http://{}","version":"{version}"}}"#, address());
}
