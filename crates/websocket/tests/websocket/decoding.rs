//! Every rule of RFC 6455 for frames, as data: what arrives, and what becomes of it.

use websocket::{Compression, Decoder, Inflater, Role};

use crate::script::{MASK, ROOMY, feed, frame, line, server};

/// In one piece, byte by byte, and in every two pieces: the events are the same.
fn check(received: &[&[u8]], expected: &[&str]) {
    check_as(Role::Server, received, expected);
}

fn check_as(role: Role, received: &[&[u8]], expected: &[&str]) {
    let bytes = received.concat();
    let every_two_pieces = (0..=bytes.len().min(300)).map(|cut| vec![&bytes[..cut], &bytes[cut..]]);
    for pieces in every_two_pieces.chain([bytes.chunks(1).collect()]) {
        let mut decoder = Decoder::new(role, ROOMY, Compression::Off);
        let mut lines = Vec::new();
        for piece in &pieces {
            feed(&mut decoder, piece, &mut lines);
        }
        assert_eq!(
            lines,
            expected,
            "of {bytes:02x?} in {} pieces, the first of {}",
            pieces.len(),
            pieces[0].len()
        );
        let ends = expected.last().is_some_and(|last| last.starts_with("fails") || last.starts_with("close"));
        assert_eq!(decoder.is_ended(), ends);
    }
}

#[test]
fn whole_messages_are_delivered_as_they_are() {
    check(&[], &[]);
    check(&[&frame(0x81, b"hello")], &["text hello"]);
    check(&[&frame(0x81, "žluťoučký 🐎".as_bytes())], &["text žluťoučký 🐎"]);
    check(&[&frame(0x82, &[0, 0xFF, 0x80])], &["binary 00ff80"]);
    check(&[&frame(0x81, b"")], &["text "]);
    check(&[&frame(0x82, b"")], &["binary "]);
    check(&[&frame(0x81, b"a"), &frame(0x82, b"b"), &frame(0x81, b"c")], &["text a", "binary 62", "text c"]);
}

#[test]
fn the_examples_of_the_rfc_decode() {
    let masked = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
    check(&[&masked], &["text Hello"]);
    let plain = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
    check_as(Role::Client, &[&plain], &["text Hello"]);
    let fragmented = [0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F];
    check_as(Role::Client, &[&fragmented], &["text Hello"]);
}

#[test]
fn every_form_of_the_length_is_read() {
    for length in [124, 125, 126, 127, 128, 65_535, 65_536, 65_537] {
        let payload = vec![b'x'; length];
        let mut decoder = server(ROOMY);
        let mut lines = Vec::new();
        feed(&mut decoder, &frame(0x81, &payload), &mut lines);
        assert_eq!(lines, [format!("text {}", "x".repeat(length))]);
        assert_eq!(decoder.unfinished(), None);
    }
}

#[test]
fn masks_are_required_of_clients_and_forbidden_to_servers() {
    check(&[&[0x81, 0x05], b"hello"], &["fails 1002 MaskMissing"]);
    check(&[&[0x81, 0x00]], &["fails 1002 MaskMissing"]);
    check(&[&[0x89, 0x00]], &["fails 1002 MaskMissing"]);
    check_as(Role::Client, &[&frame(0x81, b"hello")], &["fails 1002 MaskForbidden"]);
    check(&[&[0x81, 0x85, 0, 0, 0, 0], b"hello"], &["text hello"]);
}

#[test]
fn reserved_bits_need_an_extension() {
    for bit in [0x40, 0x20, 0x10, 0x70] {
        check(
            &[&frame(0x81, b"first"), &frame(0x81 | bit, b"hello")],
            &["text first", "fails 1002 ReservedBits"],
        );
        check(&[&frame(0x89 | bit, b"")], &["fails 1002 ReservedBits"]);
    }
}

#[test]
fn unknown_opcodes_fail() {
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        check(&[&frame(0x80 | opcode, b"hello")], &["fails 1002 UnknownOpcode"]);
    }
}

#[test]
fn lengths_must_have_their_shortest_form() {
    for length in [0u16, 1, 125] {
        check(&[&[0x82, 0x80 | 126], &length.to_be_bytes()], &["fails 1002 LengthNotShortest"]);
    }
    for length in [0u64, 125, 126, 65_535] {
        check(&[&[0x82, 0x80 | 127], &length.to_be_bytes()], &["fails 1002 LengthNotShortest"]);
    }
    check(&[&[0x82, 0x80 | 127], &(1u64 << 63).to_be_bytes()], &["fails 1002 LengthTopBit"]);
    check(&[&[0x82, 0x80 | 127], &u64::MAX.to_be_bytes()], &["fails 1002 LengthTopBit"]);
}

#[test]
fn control_frames_are_short_and_whole() {
    check(&[&frame(0x89, b"")], &["ping "]);
    check(&[&frame(0x8A, b"abc")], &["pong 616263"]);
    let longest = [b'z'; 125];
    check(&[&frame(0x89, &longest)], &[&format!("ping {}", "7a".repeat(125))]);
    check(&[&frame(0x89, &[b'z'; 126])], &["fails 1002 ControlTooLong"]);
    check(&[&frame(0x8A, &vec![0; 70_000])[..20]], &["fails 1002 ControlTooLong"]);
    for opcode in [0x08, 0x09, 0x0A] {
        check(&[&frame(opcode, b"")], &["fails 1002 ControlFragmented"]);
    }
}

#[test]
fn close_codes_are_those_that_may_be_sent() {
    for code in (0..=1100).chain([1999, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65_535]) {
        let payload = u16::to_be_bytes(code);
        let mut lines = Vec::new();
        feed(&mut server(ROOMY), &frame(0x88, &payload), &mut lines);
        let expected = match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => format!("close {code} "),
            _ => "fails 1002 CloseCodeForbidden".into(),
        };
        assert_eq!(lines, [expected]);
    }
}

#[test]
fn a_close_frame_may_be_empty_and_its_reason_is_text() {
    check(&[&frame(0x88, b"")], &["close"]);
    check(&[&frame(0x88, b"\x03")], &["fails 1002 ClosePayloadOfOneByte"]);
    check(&[&frame(0x88, b"\x03\xE8")], &["close 1000 "]);
    check(&[&frame(0x88, b"\x03\xE9going away")], &["close 1001 going away"]);
    check(&[&frame(0x88, b"\x03\xE8\xCE\xBA\xE1")], &["fails 1007 InvalidUtf8"]);
    let reason = "x".repeat(123);
    check(&[&frame(0x88, &[b"\x03\xE8", reason.as_bytes()].concat())], &[&format!("close 1000 {reason}")]);
    check(&[&frame(0x88, &[b"\x03\xE8", reason.as_bytes(), b"x"].concat())], &["fails 1002 ControlTooLong"]);
}

#[test]
fn after_a_close_frame_nothing_is_taken() {
    let close = frame(0x88, b"\x03\xE8");
    check(&[&close, &frame(0x81, b"more")], &["close 1000 "]);
    check(&[&close, &close], &["close 1000 "]);
    check(&[&close, b"\xFF\xFF garbage"], &["close 1000 "]);
    check(&[&frame(0x01, b"half"), &close, &frame(0x80, b"rest")], &["close 1000 "]);
}

#[test]
fn after_a_violation_nothing_is_taken() {
    check(&[&frame(0x83, b""), &frame(0x81, b"more")], &["fails 1002 UnknownOpcode"]);
}

#[test]
fn fragments_become_one_message() {
    check(&[&frame(0x01, b"he"), &frame(0x00, b"ll"), &frame(0x80, b"o")], &["text hello"]);
    check(&[&frame(0x02, &[1]), &frame(0x80, &[2])], &["binary 0102"]);
    check(&[&frame(0x01, b""), &frame(0x00, b""), &frame(0x80, b"")], &["text "]);
    check(&[&frame(0x02, b""), &frame(0x80, b"")], &["binary "]);
    let second = [frame(0x02, b"a"), frame(0x80, b"b")].concat();
    check(&[&frame(0x01, b"1"), &frame(0x80, b"2"), &second], &["text 12", "binary 6162"]);
}

#[test]
fn control_frames_may_stand_between_fragments() {
    check(
        &[
            &frame(0x01, b"he"),
            &frame(0x89, b"?"),
            &frame(0x00, b"ll"),
            &frame(0x8A, b"!"),
            &frame(0x80, b"o"),
        ],
        &["ping 3f", "pong 21", "text hello"],
    );
    check(
        &[&frame(0x01, b"\xF0\x9F"), &frame(0x89, b"\xFF"), &frame(0x80, b"\x90\x8E")],
        &["ping ff", "text 🐎"],
    );
}

#[test]
fn continuations_continue_something() {
    check(&[&frame(0x80, b"x")], &["fails 1002 ContinuationWithoutStart"]);
    check(&[&frame(0x00, b"x")], &["fails 1002 ContinuationWithoutStart"]);
    check(&[&frame(0x81, b"x"), &frame(0x80, b"y")], &["text x", "fails 1002 ContinuationWithoutStart"]);
    check(&[&frame(0x01, b"x"), &frame(0x81, b"y")], &["fails 1002 StartWithinMessage"]);
    check(&[&frame(0x02, b"x"), &frame(0x01, b"y")], &["fails 1002 StartWithinMessage"]);
    let whole = [frame(0x01, b"x"), frame(0x80, b"y")].concat();
    check(&[&whole, &frame(0x80, b"z")], &["text xy", "fails 1002 ContinuationWithoutStart"]);
}

#[test]
fn text_is_utf8() {
    let bad: [&[u8]; 10] = [
        b"\x80",
        b"\xC0\xAF",
        b"\xE0\x80\xAF",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xF5",
        b"\xFF",
        b"ok \xCE",
        b"\xF0\x9F\x90",
        b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited",
    ];
    for bytes in bad {
        check(&[&frame(0x81, bytes)], &["fails 1007 InvalidUtf8"]);
        check(&[&frame(0x01, bytes), &frame(0x80, b"")], &["fails 1007 InvalidUtf8"]);
        check(&[&frame(0x82, bytes)], &[&format!("binary {}", crate::script::hex(bytes))]);
    }
    for scalar in ["\u{7F}", "\u{80}", "\u{7FF}", "\u{800}", "\u{D7FF}", "\u{E000}", "\u{FFFF}", "\u{10FFFF}"]
    {
        let fragments: Vec<Vec<u8>> = scalar.bytes().map(|byte| frame(0x00, &[byte])).collect();
        check(&[&frame(0x01, b""), &fragments.concat(), &frame(0x80, b"")], &[&format!("text {scalar}")]);
    }
}

/// Autobahn 6.4: the frame announces more than ever arrives.
#[test]
fn bad_utf8_fails_at_its_first_impossible_byte() {
    let start: &[u8] = "κόσμε".as_bytes();
    for (impossible, possible) in [(&b"\xF4\x90"[..], 1), (b"\xED\xA0", 1), (b"\xF5", 0), (b"\xFF", 0)] {
        let payload = [start, impossible, &[b'x'; 100]].concat();
        let in_one_frame = frame(0x81, &payload);
        let before = in_one_frame.len() - payload.len() + start.len();
        check(&[&in_one_frame[..before + possible]], &[]);
        check(&[&in_one_frame[..before + possible + 1]], &["fails 1007 InvalidUtf8"]);
        check(&[&frame(0x01, start), &frame(0x00, &impossible[..possible])], &[]);
        check(&[&frame(0x01, start), &frame(0x00, impossible)], &["fails 1007 InvalidUtf8"]);
    }
}

#[test]
fn heads_fail_before_they_are_whole() {
    check(&[&[0x83]], &["fails 1002 UnknownOpcode"]);
    check(&[&[0x81, 0x7F]], &["fails 1002 MaskMissing"]);
    check(&[&[0x88, 0x81]], &["fails 1002 ClosePayloadOfOneByte"]);
    check(&[&[0x81, 0xFE, 0x00]], &[]);
}

#[test]
fn a_whole_message_is_borrowed_from_the_scratch_buffer() {
    let mut scratch = [frame(0x81, b"one"), frame(0x82, b"two")].concat();
    let mut decoder = server(ROOMY);
    let mut inflater = Inflater::default();
    let events: Vec<_> = decoder.feed(&mut inflater, &mut scratch).map(Result::unwrap).collect();
    for event in &events {
        use std::borrow::Cow;
        use websocket::Event;
        assert!(matches!(event, Event::Text(Cow::Borrowed("one")) | Event::Binary(Cow::Borrowed(b"two"))));
    }
    assert_eq!(events.len(), 2);
}

#[test]
fn a_feed_left_early_ends_the_decoder() {
    let mut scratch = [frame(0x81, b"one"), frame(0x81, b"two")].concat();
    let mut decoder = server(ROOMY);
    let first = decoder.feed(&mut Inflater::default(), &mut scratch).next().map(|event| line(&event));
    assert_eq!(first.as_deref(), Some("text one"));
    assert!(decoder.is_ended());
    assert!(decoder.feed(&mut Inflater::default(), &mut frame(0x81, b"three")).next().is_none());
}

#[test]
fn a_masked_head_may_be_cut_inside_its_mask() {
    let bytes = frame(0x81, b"hello");
    assert_eq!(bytes[2..6], MASK);
    let mut decoder = server(ROOMY);
    let mut lines = Vec::new();
    feed(&mut decoder, &bytes[..4], &mut lines);
    assert_eq!(decoder.unfinished(), Some(0));
    feed(&mut decoder, &bytes[4..], &mut lines);
    assert_eq!(lines, ["text hello"]);
    assert_eq!(decoder.unfinished(), None);
}
