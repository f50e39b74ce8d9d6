//! What is written, read back by our own decoder and as bytes.

use proptest::prelude::*;
use websocket::frame::{self, Opcode};
use websocket::{Compression, Decoder, Role};

use crate::script::{ROOMY, feed, hex};

/// What a peer in this role makes of it.
fn check(role: Role, written: &[u8], expected: &str) {
    let mut lines = Vec::new();
    feed(&mut Decoder::new(role, ROOMY, Compression::Off), written, &mut lines);
    assert_eq!(lines, [expected]);
}

#[test]
fn a_servers_frames_are_the_shortest_there_are() {
    assert_eq!(frame::text("Hello"), [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]);
    assert_eq!(frame::binary(&[0; 126])[..4], [0x82, 126, 0, 126]);
    assert_eq!(frame::binary(&[0; 65_535])[..4], [0x82, 126, 0xFF, 0xFF]);
    assert_eq!(frame::binary(&[0; 65_536])[..10], [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(frame::close_without_code(), [0x88, 0]);
    assert_eq!(frame::header(Opcode::Text, 5).as_bytes(), [0x81, 0x05]);
}

#[test]
fn control_frames_are_read_back() {
    check(Role::Client, &frame::ping(b"ab"), "ping 6162");
    check(Role::Client, &frame::pong(b""), "pong ");
    check(Role::Client, &frame::close(4401, "token expired"), "close 4401 token expired");
    check(Role::Client, &frame::close_without_code(), "close");
    let payload = frame::close_payload(1000, "bye");
    check(Role::Server, &frame::masked(Opcode::Close, [9, 8, 7, 6], &payload), "close 1000 bye");
}

#[test]
fn a_close_reason_is_cut_at_a_character() {
    check(Role::Client, &frame::close(1000, &"x".repeat(200)), &format!("close 1000 {}", "x".repeat(123)));
    check(Role::Client, &frame::close(1000, &"ž".repeat(200)), &format!("close 1000 {}", "ž".repeat(61)));
}

#[test]
fn the_masked_example_of_the_rfc_is_written() {
    let expected = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
    assert_eq!(frame::masked(Opcode::Text, [0x37, 0xFA, 0x21, 0x3D], b"Hello"), expected);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(payload: Vec<u8>, text: String, mask: [u8; 4]) {
        check(Role::Client, &frame::text(&text), &format!("text {text}"));
        check(Role::Client, &frame::binary(&payload), &format!("binary {}", hex(&payload)));
        check(Role::Server, &frame::masked(Opcode::Text, mask, text.as_bytes()), &format!("text {text}"));
        let binary = frame::masked(Opcode::Binary, mask, &payload);
        check(Role::Server, &binary, &format!("binary {}", hex(&payload)));
    }
}
