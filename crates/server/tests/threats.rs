//! Attacks over loopback against the real binary. While each of them lasts two healthy clients talk, and lose nothing; and the
//! server's memory does not grow by more than is said here.

#[path = "threats/canary.rs"]
mod canary;
#[path = "threats/crowds.rs"]
mod crowds;
#[path = "threats/doors.rs"]
mod doors;
#[path = "threats/exhaustion.rs"]
mod exhaustion;
#[path = "threats/frames.rs"]
mod frames;
#[path = "threats/pages.rs"]
mod pages;
#[path = "threats/rights.rs"]
mod rights;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;
#[path = "threats/tokens.rs"]
mod tokens;
