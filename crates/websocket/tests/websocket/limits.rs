//! What a connection may cost. A counting allocator would be unsafe code; what is held is asked of the
//! decoder.

use websocket::{Compression, Decoder, Inflater, Limits, Role};

use crate::script::{feed, frame, server};

const LIMITS: Limits = Limits { message_bytes_max: 1_000, fragments_max: 128 };

fn check(limits: Limits, received: &[&[u8]], expected: &[&str]) {
    let mut decoder = server(limits);
    let mut lines = Vec::new();
    for piece in received {
        feed(&mut decoder, piece, &mut lines);
        assert!(decoder.unfinished().unwrap_or(0) <= limits.message_bytes_max as usize);
    }
    assert_eq!(lines, expected);
}

#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 32, "{}", size_of::<Decoder>());
}

#[test]
fn the_exact_limit_passes_and_one_more_does_not() {
    let expected = format!("binary {}", "00".repeat(1_000));
    check(LIMITS, &[&frame(0x82, &[0; 1_000])], &[&expected]);
    check(LIMITS, &[&frame(0x82, &[0; 1_001])], &["fails 1009 MessageTooBig"]);
    check(LIMITS, &[&frame(0x02, &[0; 600]), &frame(0x80, &[0; 400])], &[&expected]);
    check(LIMITS, &[&frame(0x02, &[0; 600]), &frame(0x80, &[0; 401])], &["fails 1009 MessageTooBig"]);
    check(LIMITS, &[&frame(0x02, &[0; 1_000]), &frame(0x00, b""), &frame(0x80, b"")], &[&expected]);
}

#[test]
fn control_frames_do_not_count_towards_the_message() {
    let tight = Limits { message_bytes_max: 2, fragments_max: 2 };
    let ping = frame(0x89, &[1; 10]);
    let line = format!("ping {}", "01".repeat(10));
    check(tight, &[&frame(0x02, &[7]), &ping, &ping, &frame(0x80, &[8])], &[&line, &line, "binary 0708"]);
}

#[test]
fn a_length_is_refused_when_it_is_announced() {
    let mut head = vec![0x82, 0x80 | 127];
    head.extend((u64::MAX >> 1).to_be_bytes());
    check(LIMITS, &[&head], &["fails 1009 MessageTooBig"]);
    head[0] = 0x00;
    check(LIMITS, &[&frame(0x02, &[1]), &head], &["fails 1009 MessageTooBig"]);
    check(LIMITS, &[&frame(0x82, &[0; 1_001])[..4]], &["fails 1009 MessageTooBig"]);
}

#[test]
fn an_announced_length_alone_holds_nothing() {
    let mut decoder = server(Limits { message_bytes_max: u32::MAX, fragments_max: 1 });
    let mut lines = Vec::new();
    let mut head = vec![0x82, 0x80 | 127];
    head.extend(u64::from(u32::MAX).to_be_bytes());
    head.extend([0; 4]);
    feed(&mut decoder, &head, &mut lines);
    assert_eq!(decoder.unfinished(), Some(0));
    feed(&mut decoder, &[1; 10], &mut lines);
    assert_eq!(decoder.unfinished(), Some(10));
    assert_eq!(lines, [""; 0]);
}

#[test]
fn a_flood_of_fragments_is_cut() {
    for payload in [&b"x"[..], b""] {
        let flood = frame(0x00, payload).repeat(300_000);
        for piece_bytes in [64 * 1024, 1_448] {
            let limits = Limits { message_bytes_max: 1_000_000, fragments_max: 128 };
            let mut decoder = server(limits);
            let mut lines = Vec::new();
            feed(&mut decoder, &frame(0x02, payload), &mut lines);
            let mut fed = 0;
            for piece in flood.chunks(piece_bytes) {
                feed(&mut decoder, piece, &mut lines);
                fed += piece.len();
                assert!(decoder.unfinished().unwrap_or(0) <= 128);
            }
            assert_eq!(fed, flood.len());
            assert_eq!(lines, ["fails 1009 TooManyFragments"]);
        }
    }
}

#[test]
fn exactly_as_many_fragments_as_allowed_pass() {
    let between = frame(0x00, b"").repeat(126);
    check(LIMITS, &[&frame(0x02, &[1]), &between, &frame(0x80, &[2])], &["binary 0102"]);
    let between = frame(0x00, b"").repeat(127);
    check(LIMITS, &[&frame(0x02, &[1]), &between, &frame(0x80, &[2])], &["fails 1009 TooManyFragments"]);
}

#[test]
fn a_flood_of_pings_holds_nothing() {
    let flood = frame(0x89, &[0; 125]).repeat(10_000);
    let mut decoder = server(LIMITS);
    let mut pings = 0;
    for piece in flood.chunks(64 * 1024) {
        pings += decoder.feed(&mut Inflater::default(), &mut piece.to_vec()).count();
        assert!(decoder.unfinished().unwrap_or(0) <= 125);
    }
    assert_eq!((pings, decoder.unfinished()), (10_000, None));
}

#[test]
fn a_large_message_in_small_pieces_costs_linear_work() {
    let limits = Limits { message_bytes_max: 4 << 20, fragments_max: 1 << 20 };
    let text = "ž".repeat(1 << 20);
    let mut decoder = Decoder::new(Role::Server, limits, Compression::Off);
    let mut lines = Vec::new();
    for piece in frame(0x81, text.as_bytes()).chunks(7) {
        feed(&mut decoder, piece, &mut lines);
    }
    assert!(lines == [format!("text {text}")]);
}
