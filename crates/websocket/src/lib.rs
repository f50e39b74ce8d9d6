//! Bytes to frames to messages and back: RFC 6455 and RFC 7692, and nothing else.
//!
//! A connection begins with [`handshake`]; from then on a [`Decoder`] turns received bytes into [`Event`]s
//! and [`frame`] turns messages into bytes. Whoever calls owns the socket, the buffers, the clock and the
//! randomness: this crate never reads, waits, answers a ping, or closes anything. It allocates only for what
//! has arrived.
//!
//! ```
//! use websocket::{Compression, Decoder, Event, Inflater, Limits, Role, frame};
//!
//! let limits = Limits { message_bytes_max: 64 * 1024, fragments_max: 128 };
//! let mut decoder = Decoder::new(Role::Server, limits, Compression::Off);
//! let mut scratch = frame::masked(frame::Opcode::Text, [1, 2, 3, 4], b"hello");
//!
//! for event in decoder.feed(&mut Inflater::default(), &mut scratch) {
//!     match event {
//!         Ok(Event::Text(text)) => assert_eq!(text, "hello"),
//!         Ok(other) => panic!("{other:?}"),
//!         Err(violation) => panic!("close with {}: {violation}", violation.close_code()),
//!     }
//! }
//! ```
#![forbid(unsafe_code)]

mod body;
mod decoder;
mod deflate;
pub mod frame;
pub mod handshake;
mod head;
mod mask;
mod pending;
mod violation;

pub use decoder::{Close, Decoder, Event, Feed};
pub use deflate::{Deflater, Inflater, Window};
pub use head::{Compression, Limits, Role};
pub use violation::Violation;
