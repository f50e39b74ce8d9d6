//! The same conversations, put to two other strict decoders.

use proptest::prelude::*;
use websocket::{Compression, Window};

use crate::oracles::{
    ANNOUNCED_TOO_MUCH, EMPTY_LAST_FRAGMENT, End, LATE_AND_LENIENT, Verdict, compare, compare_to, ours,
    ours_with, sockudo, sockudo_compressed, tokio_websockets,
};
use crate::script::frame;
use crate::splits::{compressed_conversation, conversation};

#[test]
fn hostile_inputs_that_others_disagree_about() {
    let unmasked = [0x81, 0x05, b'h', b'e', b'l', b'l', b'o'].to_vec();
    let long_form_16 = [0x82, 0xFE, 0, 5, 0, 0, 0, 0, 1, 2, 3, 4, 5].to_vec();
    let long_form_64 = [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 1, 2, 3, 4, 5].to_vec();
    let unfinished_utf8 = frame(0x81, &[&b"\xED\xA0\x80"[..], &[b'x'; 5_000]].concat())[..1_000].to_vec();
    let table = [
        (unmasked, 1002),
        (long_form_16, 1002),
        (long_form_64, 1002),
        (unfinished_utf8, 1007),
        (frame(0x01, b"\xFFbad"), 1007),
        (frame(0x88, &999u16.to_be_bytes()), 1002),
        (frame(0x88, &1005u16.to_be_bytes()), 1002),
        (frame(0x88, &2000u16.to_be_bytes()), 1002),
    ];
    for (bytes, code) in table {
        let expected = Verdict { events: Vec::new(), end: End::Fails(code) };
        assert_eq!(ours(&bytes), expected, "{bytes:02x?}");
        assert_eq!(tokio_websockets(&bytes), expected, "{bytes:02x?}");
        assert_eq!(sockudo(&bytes), expected, "{bytes:02x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn tokio_websockets_agrees(bytes in conversation()) {
        compare(&bytes, tokio_websockets, &[ANNOUNCED_TOO_MUCH, EMPTY_LAST_FRAGMENT]);
    }

    #[test]
    fn sockudo_agrees(bytes in conversation()) {
        compare(&bytes, sockudo, &[ANNOUNCED_TOO_MUCH]);
    }

    #[test]
    fn sockudo_agrees_about_compressed_messages(bytes in compressed_conversation()) {
        let our = ours_with(Compression::Deflate(Window::MAX), &bytes);
        compare_to(our, &bytes, sockudo_compressed, &[ANNOUNCED_TOO_MUCH, LATE_AND_LENIENT]);
    }
}
