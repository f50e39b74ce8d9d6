//! Every dialogue in `transcripts/`, and the ones that are too long to write out.

use std::fmt::Write as _;

use sim::transcript::{play, play_with};

fn check(name: &str) {
    let path = format!("{}/transcripts/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the transcript is there");
    play(&text).unwrap_or_else(|error| panic!("{name}.txt, {error}"));
}

#[test]
fn joining_speaking_and_leaving() {
    check("rooms");
}

#[test]
fn typing_can_be_told_from_not_typing_and_ends_by_itself() {
    check("typing");
}

#[test]
fn every_refusal_names_its_code_and_closes_nothing() {
    check("errors");
}

#[test]
fn who_returns_misses_nothing() {
    check("resume");
}

#[test]
fn a_second_device_disturbs_neither_the_first_nor_presence() {
    check("devices");
}

#[test]
fn a_reload_is_no_leave_and_no_join() {
    check("reload");
}

#[test]
fn beyond_what_is_kept_a_gap_is_told() {
    let path = format!("{}/transcripts/gap.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the transcript is there");
    let played = play_with(&text, |scenario| {
        (scenario.snapshot_records, scenario.retention_records, scenario.ring_records) = (5, 2, 2);
    });
    played.unwrap_or_else(|error| panic!("gap.txt, {error}"));
}

#[test]
fn a_client_that_goes_on_too_fast_is_told_and_then_closed() {
    let mut text = "ana connects\n".to_owned();
    for number in 0..41 {
        let _ = writeln!(text, r#"ana -> {{"type":"online_users","id":"o{number}","room":"r"}}"#);
    }
    text += r#"ana <- {"type":"error","id":"o40","payload":{"code":"RATE_LIMIT","message":"too many messages, slow down","retry_after_ms":"*"}}"#;
    text += "\n---- 3 s\n";
    for number in 0..200 {
        let _ = writeln!(text, r#"ana -> {{"type":"online_users","id":"p{number}","room":"r"}}"#);
    }
    text += "ana <- closed 4429\n";
    play(&text).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_client_may_be_in_a_hundred_rooms() {
    let mut text = "ana connects\n".to_owned();
    for number in 0..100 {
        let _ = writeln!(
            text,
            r#"ana -> {{"type":"join_room","id":"j{number}","payload":{{"room_id":"r{number}"}}}}"#
        );
        let _ = writeln!(text, r#"ana <- {{"type":"room_info","id":"j{number}"}}"#);
        text += "---- 60 ms\n";
    }
    text += r#"ana -> {"type":"join_room","id":"last","payload":{"room_id":"r100"}}"#;
    text += "\n";
    text += r#"ana <- {"type":"error","id":"last","payload":{"code":"TOO_MANY_ROOMS","message":"you are in 100 rooms, leave one first"}}"#;
    play(&text).unwrap_or_else(|error| panic!("{error}"));
}

/// Ana reads nothing while Bo speaks to a room of three.
fn stalled(seconds: u32, then: &str) -> Result<(), String> {
    let mut text = String::new();
    for name in ["ana", "bo", "cy"] {
        let _ = writeln!(
            text,
            "{name} connects\n{name} -> {{\"type\":\"join_room\",\"payload\":{{\"room_id\":\"r\"}}}}"
        );
        let _ = writeln!(text, "{name} <- {{\"type\":\"room_info\"}}");
    }
    let _ = writeln!(text, "---- 1 s\nana stops reading for {seconds} s");
    for number in 0..60 {
        let _ = writeln!(
            text,
            r#"bo -> {{"type":"send_message","id":"b{number}","room":"r","payload":{{"content":"m{number}"}}}}"#
        );
        let _ = writeln!(text, r#"cy <- {{"type":"new_message","payload":{{"content":"m{number}"}}}}"#);
        text += "---- 60 ms\n";
    }
    text += then;
    play_with(&text, |scenario| {
        (scenario.socket_bytes, scenario.outbox_frames) = (400, 8);
    })
}

#[test]
fn a_reader_that_stalls_catches_up_and_stalls_nobody() {
    let mut then = String::new();
    for number in 0..60 {
        let _ = writeln!(then, r#"ana <- {{"type":"new_message","payload":{{"content":"m{number}"}}}}"#);
    }
    stalled(6, &then).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_reader_that_stalls_for_good_is_closed() {
    stalled(60, "---- 12 s\n---- 60 s\nana <- closed\n").unwrap_or_else(|error| panic!("{error}"));
}
