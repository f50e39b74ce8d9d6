//! A client's bytes, cut anywhere: the same events, no more memory than the limits allow, and no other opinion than two
//! other strict decoders have.
#![no_main]

use kulkul_fuzz::{TIGHT, compare_frames, heard};
use libfuzzer_sys::fuzz_target;
use websocket::Compression;

fuzz_target!(|input: &[u8]| {
    let Some((&seed, bytes)) = input.split_first() else { return };
    for line in heard(Compression::Off, TIGHT, seed, bytes) {
        // `binary ` and two digits a byte.
        assert!(line.len() <= 2 * TIGHT.message_bytes_max as usize + 16, "{line}");
    }
    compare_frames(bytes);
});
