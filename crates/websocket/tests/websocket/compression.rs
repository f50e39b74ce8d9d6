//! Every rule of RFC 7692 for frames and payloads, as data; and what a compressed message may cost.

use websocket::frame::{self, Opcode};
use websocket::{Compression, Decoder, Deflater, Inflater, Limits, Role, Window};
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

use crate::script::{ROOMY, feed, frame, hex};

const AGREED: Compression = Compression::Deflate(Window::MAX);

/// In one piece, byte by byte, and in every two pieces: the events are the same.
fn check(received: &[&[u8]], expected: &[&str]) {
    check_within(ROOMY, received, expected);
}

fn check_within(limits: Limits, received: &[&[u8]], expected: &[&str]) {
    let bytes = received.concat();
    let every_two_pieces = (0..=bytes.len().min(100)).map(|cut| vec![&bytes[..cut], &bytes[cut..]]);
    for pieces in every_two_pieces.chain([bytes.chunks(1).collect()]) {
        let mut decoder = Decoder::new(Role::Server, limits, AGREED);
        let mut lines = Vec::new();
        for piece in &pieces {
            feed(&mut decoder, piece, &mut lines);
        }
        assert_eq!(lines, expected, "of {bytes:02x?} in {} pieces", pieces.len());
    }
}

/// As a client that squeezes might.
fn packed(payload: &[u8]) -> Vec<u8> {
    let mut deflate = Deflate::new(9, false, 15);
    let mut out = vec![0; payload.len() * 2 + 64];
    assert_eq!(deflate.compress(payload, &mut out, DeflateFlush::SyncFlush), Ok(Status::Ok));
    out.truncate(deflate.total_out() as usize);
    assert_eq!(out.split_off(out.len() - 4), [0, 0, 0xFF, 0xFF]);
    out
}

/// Bytes in no order that an encoder finds.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];

#[test]
fn the_examples_of_rfc_7692_decode() {
    let hello = &["text Hello"];
    // 7.2.3.1, whole and in two fragments.
    check(&[&frame(0xC1, &HELLO)], hello);
    check(&[&frame(0x41, &HELLO[..3]), &frame(0x80, &HELLO[3..])], hello);
    // 7.2.3.3: a block without compression.
    let stored = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00];
    check(&[&frame(0xC1, &stored)], hello);
    // 7.2.3.4: a last block, and what fills up its byte.
    check(&[&frame(0xC1, &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00])], hello);
    // 7.2.3.5: two blocks in one message.
    let two = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00];
    check(&[&frame(0xC1, &two)], hello);
    // 7.2.3.6: an empty message.
    check(&[&frame(0xC1, &[0x00])], &["text "]);
    check(&[&frame(0xC2, b"")], &["binary "]);
}

/// 7.2.3.2: the second Hello points back into the first, which nobody has kept.
#[test]
fn a_message_that_needs_the_one_before_it_fails() {
    let again = [0xF2, 0x00, 0x11, 0x00, 0x00];
    check(&[&frame(0xC1, &HELLO), &frame(0xC1, &again)], &["text Hello", "fails 1007 InvalidDeflate"]);
}

#[test]
fn compressed_and_plain_messages_follow_each_other() {
    check(
        &[&frame(0xC1, &HELLO), &frame(0x81, b"plain"), &frame(0xC1, &HELLO)],
        &["text Hello", "text plain", "text Hello"],
    );
    check(
        &[&frame(0x41, &HELLO[..1]), &frame(0x89, b"?"), &frame(0x00, &HELLO[1..]), &frame(0x80, b"")],
        &["ping 3f", "text Hello"],
    );
}

#[test]
fn the_bit_stands_on_the_first_frame_of_a_message_alone() {
    let fails = &["fails 1002 ReservedBits"];
    for first in [0xC8, 0xC9, 0xCA, 0xC0, 0x40, 0xC3, 0xCB] {
        check(&[&frame(first, b"")], fails);
    }
    for first in [0xE1, 0xD1, 0xF1, 0xA1, 0x91] {
        check(&[&frame(first, &HELLO)], fails);
    }
    check(&[&frame(0x41, &HELLO[..3]), &frame(0xC0, &HELLO[3..])], fails);
    check(&[&frame(0x01, b"a"), &frame(0xC0, b"b")], fails);
    check(&[&frame(0x41, &HELLO), &frame(0xC9, b"")], fails);
}

#[test]
fn what_is_not_deflate_data_fails() {
    let long = packed("a text of some length, of a length that a cut can spoil".as_bytes());
    let bad: [&[u8]; 7] = [
        // A block of the type that does not exist, a distance to before the beginning, a stored length that is not its
        // own complement.
        &[0x07],
        &[0x02, 0x02, 0x00],
        &[0x00, 0x05, 0x00, 0xFA, 0xFE, 0x48],
        b"plain text with the bit set",
        // Cut off within a block, and the tail that must not travel twice over.
        &long[..long.len() / 2],
        &long[..long.len() - 2],
        &[0xFF; 40],
    ];
    for payload in bad {
        check(&[&frame(0xC2, payload)], &["fails 1007 InvalidDeflate"]);
        check(&[&frame(0x42, payload), &frame(0x80, b"")], &["fails 1007 InvalidDeflate"]);
    }
}

#[test]
fn inflated_text_is_utf8() {
    check(&[&frame(0xC1, &packed("žluťoučký 🐎".as_bytes()))], &["text žluťoučký 🐎"]);
    for bad in [&b"\xFF"[..], b"ok \xCE", b"\xED\xA0\x80", b"\xF0\x9F\x90"] {
        check(&[&frame(0xC1, &packed(bad))], &["fails 1007 InvalidUtf8"]);
        check(&[&frame(0xC2, &packed(bad))], &[&format!("binary {}", hex(bad))]);
    }
    // Longer than what is inflated at once, with characters across the seams.
    let long = "x🐎".repeat(10_000);
    let mut lines = Vec::new();
    let bytes = frame(0xC1, &packed(long.as_bytes()));
    feed(&mut Decoder::new(Role::Server, ROOMY, AGREED), &bytes, &mut lines);
    assert!(lines == [format!("text {long}")]);
}

#[test]
fn the_limit_is_that_of_the_inflated_message() {
    let limits = Limits { message_bytes_max: 1_000, fragments_max: 8 };
    let line = |bytes: usize| format!("text {}", "a".repeat(bytes));
    check_within(limits, &[&frame(0xC1, &packed(&[b'a'; 1_000]))], &[&line(1_000)]);
    check_within(limits, &[&frame(0xC1, &packed(&[b'a'; 1_001]))], &["fails 1009 MessageTooBig"]);
    let bytes = packed(&[b'a'; 1_001]);
    let parts = [frame(0x41, &bytes[..4]), frame(0x80, &bytes[4..])].concat();
    check_within(limits, &[&parts], &["fails 1009 MessageTooBig"]);
}

#[test]
fn what_does_not_compress_may_take_a_little_more_than_the_limit() {
    let limits = Limits { message_bytes_max: 1_000, fragments_max: 8 };
    let noise = noise(1_000);
    let mut stored = vec![0x00, 0xE8, 0x03, 0x17, 0xFC];
    stored.extend(&noise);
    stored.push(0x00);
    check_within(limits, &[&frame(0xC2, &stored)], &[&format!("binary {}", hex(&noise))]);
    // 1,000, an eighth and 64; refused when it is announced.
    check_within(limits, &[&frame(0xC2, &[0; 1_190])[..4]], &["fails 1009 MessageTooBig"]);
}

#[test]
fn a_bomb_is_stopped_while_it_is_inflated() {
    let mut deflate = Deflate::new(9, false, 15);
    let (mut bomb, zeros, mut out) = (Vec::new(), vec![0; 1 << 20], vec![0; 1 << 20]);
    for _ in 0..256 {
        let before = deflate.total_out();
        assert_eq!(deflate.compress(&zeros, &mut out, DeflateFlush::SyncFlush), Ok(Status::Ok));
        bomb.extend(&out[..(deflate.total_out() - before) as usize]);
    }
    bomb.truncate(bomb.len() - 4);
    assert!(bomb.len() < 300_000, "{}", bomb.len());
    // By the limit, and where that is wide by the ratio. How much was inflated, the test beside the inflater counts.
    for message_bytes_max in [1 << 20, u32::MAX] {
        let limits = Limits { message_bytes_max, fragments_max: 8 };
        let mut decoder = Decoder::new(Role::Server, limits, AGREED);
        let mut lines = Vec::new();
        for _ in 0..3 {
            feed(&mut decoder, &frame(0xC2, &bomb), &mut lines);
        }
        assert_eq!(lines, ["fails 1009 MessageTooBig"]);
        assert_eq!(decoder.unfinished(), None);
    }
}

#[test]
fn a_small_message_may_be_as_repetitive_as_it_likes() {
    let limits = Limits { message_bytes_max: 1 << 20, fragments_max: 8 };
    let check = |bytes: usize, expected: &str| {
        let mut lines = Vec::new();
        let bytes = frame(0xC2, &packed(&vec![0; bytes]));
        feed(&mut Decoder::new(Role::Server, limits, AGREED), &bytes, &mut lines);
        assert!(lines[0].starts_with(expected), "{:.60}", lines[0]);
    };
    check(64 << 10, "binary 00");
    check((64 << 10) + 1, "fails 1009 MessageTooBig");
}

#[test]
fn a_compressed_message_that_is_held_costs_what_has_arrived() {
    let mut decoder = Decoder::new(Role::Server, ROOMY, AGREED);
    let bytes = frame(0xC1, &packed("a text of some length".repeat(100).as_bytes()));
    let mut lines = Vec::new();
    for end in 7..bytes.len() {
        feed(&mut decoder, &bytes[if end == 7 { 0 } else { end - 1 }..end], &mut lines);
        assert_eq!(decoder.unfinished(), Some(end - 6));
    }
    feed(&mut decoder, &bytes[bytes.len() - 1..], &mut lines);
    assert_eq!((lines.len(), decoder.unfinished()), (1, None));
    assert!(size_of::<Decoder>() <= 32 && size_of::<Inflater>() <= 8);
}

#[test]
fn what_is_not_smaller_is_not_compressed() {
    let mut deflater = Deflater::default();
    let mut out = b"before".to_vec();
    let noise = noise(1_000);
    for payload in [&b""[..], b"a", b"Hello", &noise] {
        assert!(!deflater.deflate(Window::MAX, payload, &mut out), "{payload:?}");
        assert_eq!(out, b"before");
    }
    assert!(deflater.deflate(Window::MAX, &[b'a'; 100], &mut out));
    assert!(out.starts_with(b"before") && out.len() < 106);
}

/// A compressor that ran out of room kept what it had not written, and the next long message brought it down.
#[test]
fn what_is_not_smaller_leaves_nothing_for_the_next_message() {
    for bits in 9..=15 {
        let (window, mut deflater) = (Window::from_bits(bits).unwrap(), Deflater::default());
        for bytes in [100_000, 63_000, 2_000, 65_530, 100_000, 300_000, 40_000, 300_000] {
            assert!(!deflater.deflate(window, &noise(bytes), &mut Vec::new()), "{bits} bits, {bytes} bytes");
        }
        let text: String = (0..30_000).map(|number| format!("{number} ")).collect();
        let mut packed = Vec::new();
        assert!(deflater.deflate(window, text.as_bytes(), &mut packed), "{bits} bits");
        let mut decoder = Decoder::new(Role::Server, Limits { message_bytes_max: 1 << 20, ..ROOMY }, AGREED);
        let mut lines = Vec::new();
        feed(&mut decoder, &frame(0xC1, &packed), &mut lines);
        assert!(lines == [format!("text {text}")], "{bits} bits");
    }
}

/// No message leaves anything behind: the same payload is the same bytes whatever came before.
#[test]
fn every_message_is_compressed_by_itself() {
    let (mut used, text) = (Deflater::default(), "a secret and a guess at a secret ".repeat(10));
    let compressed = |deflater: &mut Deflater, payload: &str| {
        let mut out = Vec::new();
        assert!(deflater.deflate(Window::MAX, payload.as_bytes(), &mut out));
        out
    };
    let first = compressed(&mut used, &text);
    compressed(&mut used, &"something else ".repeat(500));
    assert_eq!(compressed(&mut used, &text), first);
    assert_eq!(compressed(&mut Deflater::default(), &text), first);
}

/// A reader with no more memory than the window: byte by byte, so that nothing but the window can be pointed into.
#[test]
fn data_points_no_farther_back_than_its_window() {
    // The same words again and again, at distances from very near to 40,000.
    let words: Vec<String> = (0..400u32).map(|n| format!("{:x} ", n.wrapping_mul(2_654_435_761))).collect();
    let mut text = String::new();
    for (index, word) in words.iter().cycle().take(6_000).enumerate() {
        text.push_str(word);
        text.push_str(&words[index * index % 400]);
        if index == 3_000 {
            text = text.repeat(2);
        }
    }
    let mut deflater = Deflater::default();
    let mut sizes = Vec::new();
    for bits in 9..=15 {
        let mut out = Vec::new();
        assert!(deflater.deflate(Window::from_bits(bits).unwrap(), text.as_bytes(), &mut out));
        sizes.push(out.len());
        out.extend([0, 0, 0xFF, 0xFF]);
        let mut inflate = Inflate::new(false, bits);
        let (mut input, mut read) = (&out[..], Vec::new());
        while read.len() < text.len() {
            let (before, mut byte) = (inflate.total_in(), [0]);
            inflate.decompress(input, &mut byte, InflateFlush::NoFlush).expect("within the window");
            input = &input[(inflate.total_in() - before) as usize..];
            read.push(byte[0]);
        }
        assert!(read == text.as_bytes(), "{bits}");
    }
    assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes[0] > sizes[6], "windows matter: {sizes:?}");
    assert_eq!((Window::from_bits(8), Window::from_bits(16)), (None, None));
}

#[test]
fn what_is_compressed_is_read_back_by_either_role() {
    let text = "{\"type\":\"message\",\"payload\":{\"content\":\"hello\"}}".repeat(9);
    let mut payload = Vec::new();
    assert!(Deflater::default().deflate(Window::MAX, text.as_bytes(), &mut payload));
    let from_client = frame::masked_compressed(Opcode::Text, [4, 3, 2, 1], &payload);
    let mut from_server = frame::header(Opcode::Text, payload.len()).compressed().as_bytes().to_vec();
    from_server.extend(&payload);
    for (role, bytes) in [(Role::Server, from_client), (Role::Client, from_server)] {
        let mut lines = Vec::new();
        feed(&mut Decoder::new(role, ROOMY, AGREED), &bytes, &mut lines);
        assert_eq!(lines, [format!("text {text}")]);
        lines.clear();
        feed(&mut Decoder::new(role, ROOMY, Compression::Off), &bytes, &mut lines);
        assert_eq!(lines, ["fails 1002 ReservedBits"]);
    }
}
