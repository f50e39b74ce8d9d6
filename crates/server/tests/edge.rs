//! Who comes in, and in what secrecy: tokens of every origin, keys that change, TLS.

#[path = "edge/identity.rs"]
mod identity;
#[path = "edge/keys.rs"]
mod keys;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;
#[path = "edge/tls.rs"]
mod tls;
