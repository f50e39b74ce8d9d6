//! A conversation with compressed messages: the same however it is cut, never more than the limits allow, the same as
//! another inflater finds, and what we compress is read back.
#![no_main]

use kulkul_fuzz::{compare_compressed, heard};
use libfuzzer_sys::fuzz_target;
use websocket::{Compression, Decoder, Deflater, Event, Inflater, Limits, Role, Window, frame};

const LIMITS: Limits = Limits { message_bytes_max: 2000, fragments_max: 8 };
/// What a sender leaves away (RFC 7692, 7.2.1), and a last block without content.
const TAIL_AND_END: [u8; 9] = [0, 0, 0xFF, 0xFF, 1, 0, 0, 0xFF, 0xFF];

fuzz_target!(|input: &[u8]| {
    let Some((&[seed, how], bytes)) = input.split_first_chunk() else { return };
    let window = Window::from_bits(9 + how % 7).expect("9 to 15");
    match how >> 6 {
        0 | 1 => conversation(seed, bytes),
        2 => one_message(seed, bytes),
        _ => there_and_back(window, bytes),
    }
});

/// The bytes are frames.
fn conversation(seed: u8, bytes: &[u8]) {
    let agreed = Compression::Deflate(Window::MAX);
    for line in heard(agreed, LIMITS, seed, bytes) {
        assert!(line.len() <= 2 * LIMITS.message_bytes_max as usize + 16, "{line}");
    }
    compare_compressed(agreed, bytes);
}

/// The bytes are the payload of one frame, so that most of what is tried reaches the inflater.
fn one_message(seed: u8, packed: &[u8]) {
    let bytes = frame::masked_compressed(frame::Opcode::Binary, [seed, 0, 1, 2], packed);
    let limits = Limits { message_bytes_max: 100_000, fragments_max: 1 };
    let agreed = Compression::Deflate(Window::MAX);
    heard(agreed, LIMITS, seed, &bytes);
    let mut scratch = bytes.clone();
    let (mut decoder, mut inflater) = (Decoder::new(Role::Server, limits, agreed), Inflater::default());
    for event in decoder.feed(&mut inflater, &mut scratch) {
        let Ok(Event::Binary(ours)) = event else { return };
        let whole = [packed, &TAIL_AND_END].concat();
        // The other stops where data ends for the first time; ours reads on to the end of the message.
        if let Ok(theirs) = miniz_oxide::inflate::decompress_to_vec_with_limit(&whole, 200_000) {
            assert!(packed.is_empty() || ours.starts_with(&theirs), "{packed:02x?}");
        }
    }
    compare_compressed(agreed, &bytes);
}

/// The bytes are a message of ours.
fn there_and_back(window: Window, payload: &[u8]) {
    let (mut deflater, mut packed) = (Deflater::default(), Vec::new());
    if !deflater.deflate(window, payload, &mut packed) {
        assert!(packed.is_empty());
        return;
    }
    assert!(packed.len() < payload.len());
    let mut scratch = frame::masked_compressed(frame::Opcode::Binary, [1, 2, 3, 4], &packed);
    let limits = Limits { message_bytes_max: payload.len() as u32, fragments_max: 1 };
    let mut decoder = Decoder::new(Role::Server, limits, Compression::Deflate(window));
    let mut inflater = Inflater::default();
    let events: Vec<_> = decoder.feed(&mut inflater, &mut scratch).collect();
    assert_eq!(events, [Ok(Event::Binary(payload.into()))]);
}
