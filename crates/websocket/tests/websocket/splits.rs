//! The network cuts where it likes: any split of any input gives the same events. And the conversations,
//! well-formed and less so, that this is tried with.

use proptest::prelude::*;
use websocket::{Compression, Decoder, Deflater, Limits, Role, Window};

use crate::script::{feed, frame};

/// Small, so that conversations run into them.
const TIGHT: Limits = Limits { message_bytes_max: 200, fragments_max: 4 };

/// A client's bytes: mostly valid frames, sometimes a broken one, sometimes cut short, sometimes with a bit
/// flipped.
pub(crate) fn conversation() -> impl Strategy<Value = Vec<u8>> {
    conversation_of(fragmented(message()))
}

/// The same with messages that are compressed, well or not.
pub(crate) fn compressed_conversation() -> impl Strategy<Value = Vec<u8>> {
    let deflated =
        prop_oneof![message(), "([a-z]{1,5}){2,4}".prop_map(|text| (0x1, text.repeat(9).into_bytes()))]
            .prop_map(|(opcode, payload)| {
                let mut packed = Vec::new();
                match Deflater::default().deflate(Window::MAX, &payload, &mut packed) {
                    true => (0x40 | opcode, packed),
                    false => (opcode, payload),
                }
            });
    let stored = message().prop_map(|(opcode, payload)| {
        let length = payload.len() as u16;
        let head = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
        (0x40 | opcode, [&head[..], &payload, &[0]].concat())
    });
    let garbage = message().prop_map(|(opcode, payload)| (0x40 | opcode, payload));
    conversation_of(fragmented(prop_oneof![8 => deflated, 4 => stored, 2 => message(), 1 => garbage]))
}

fn conversation_of(messages: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let turn = prop_oneof![
        8 => messages,
        3 => control(),
        1 => broken(),
    ];
    let flip = prop_oneof![6 => Just(None), 1 => any::<(prop::sample::Index, u8)>().prop_map(Some)];
    let cut = prop_oneof![4 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    (prop::collection::vec(turn, 0..6), flip, cut).prop_map(|(turns, flip, cut)| {
        let mut bytes = turns.concat();
        if let (Some((at, bit)), false) = (flip, bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << (bit % 8);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        bytes
    })
}

/// What a first frame begins with, but for its last bit, and the payload.
fn message() -> impl Strategy<Value = (u8, Vec<u8>)> {
    prop_oneof![
        "[a-z]{0,20}|\\PC{0,40}".prop_map(|text| (0x1, text.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| (0x2, bytes)),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(|bytes| (0x1, bytes)),
        "[ž🐎é]{20,40}".prop_map(|text| (0x1, text.into_bytes())),
    ]
}

/// In one to five fragments, cut anywhere, with a control frame between two of them now and then.
fn fragmented(payload: impl Strategy<Value = (u8, Vec<u8>)>) -> impl Strategy<Value = Vec<u8>> {
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..5);
    (payload, cuts, prop::option::weighted(0.2, control())).prop_map(|((opcode, payload), cuts, between)| {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(payload.len());
        let mut bytes = Vec::new();
        let mut start = 0;
        for (index, &end) in cuts.iter().enumerate() {
            let fin = if index + 1 == cuts.len() { 0x80 } else { 0 };
            bytes.extend(frame(fin | if index == 0 { opcode } else { 0 }, &payload[start..end]));
            if let (0, Some(between)) = (index, &between) {
                bytes.extend(between);
            }
            start = end;
        }
        bytes
    })
}

fn control() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..=125).prop_map(|payload| frame(0x89, &payload)),
        4 => prop::collection::vec(any::<u8>(), 0..=125).prop_map(|payload| frame(0x8A, &payload)),
        1 => (990u16..5010, "\\PC{0,20}").prop_map(|(code, reason)| {
            frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
        }),
        1 => prop::collection::vec(any::<u8>(), 0..4).prop_map(|payload| frame(0x88, &payload)),
    ]
}

fn broken() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..140))
            .prop_map(|(first, bytes)| frame(first, &bytes)),
        prop::collection::vec(any::<u8>(), 1..30),
        // A length in any form, honest or not.
        (any::<bool>(), any::<u64>(), 0..64u32).prop_map(|(wide, length, shift)| {
            let length = length >> shift;
            let mut bytes = vec![0x82, if wide { 0xFF } else { 0xFE }];
            bytes.extend_from_slice(&length.to_be_bytes()[if wide { 0 } else { 6 }..]);
            bytes.extend([0; 10]);
            bytes
        }),
    ]
}

fn check(compression: Compression, bytes: &[u8], cuts: &[prop::sample::Index]) -> Result<(), TestCaseError> {
    let server = || Decoder::new(Role::Server, TIGHT, compression);
    let mut at_once = Vec::new();
    let mut whole = server();
    feed(&mut whole, bytes, &mut at_once);

    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let (mut in_pieces, mut by_bytes) = (Vec::new(), Vec::new());
    let (mut pieces, mut single) = (server(), server());
    for window in cuts.windows(2) {
        feed(&mut pieces, &bytes[window[0]..window[1]], &mut in_pieces);
    }
    for byte in bytes {
        feed(&mut single, &[*byte], &mut by_bytes);
    }

    prop_assert_eq!(&in_pieces, &at_once);
    prop_assert_eq!(&by_bytes, &at_once);
    prop_assert_eq!(pieces.unfinished(), whole.unfinished());
    prop_assert_eq!(single.unfinished(), whole.unfinished());
    prop_assert_eq!(pieces.is_ended(), whole.is_ended());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn any_split_gives_the_same_events(
        bytes in conversation(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        check(Compression::Off, &bytes, &cuts)?;
    }

    #[test]
    fn any_split_of_compressed_messages_gives_the_same_events(
        bytes in compressed_conversation(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        check(Compression::Deflate(Window::MAX), &bytes, &cuts)?;
        check(Compression::Off, &bytes, &cuts)?;
    }
}
