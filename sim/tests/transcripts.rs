//! Every dialogue in `transcripts/`, by what it shows.

use sim::transcript::{play, play_apart};

fn check(name: &str) {
    let path = format!("{}/transcripts/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the transcript is there");
    play(&text).unwrap_or_else(|error| panic!("{name}.txt, {error}"));
}

#[test]
fn the_poll_of_the_guide_is_asked_voted_on_and_closed() {
    check("poll");
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
fn a_token_ends_on_a_live_connection_unless_a_newer_one_came() {
    check("token");
}

#[test]
fn a_stranger_says_who_it_is_before_anything_else() {
    check("stranger");
}

#[test]
fn a_revocation_closes_every_connection_of_its_user() {
    check("revoked");
}

#[test]
fn the_second_device_does_not_replace_the_first() {
    check("devices");
}

#[test]
fn the_senders_other_devices_get_the_message() {
    check("author");
}

#[test]
fn nobody_waits_for_a_reader_and_an_ended_socket_harms_nobody() {
    check("ended");
}

#[test]
fn a_join_racing_the_last_leave_is_in_the_room() {
    check("race");
}

#[test]
fn two_nodes_are_one_room_and_each_message_comes_once() {
    check("nodes");
}

#[test]
fn a_reload_within_100_ms_is_no_leave_and_no_join() {
    check("reload");
}

#[test]
fn connected_joined_and_gone_leaves_nobody_behind() {
    check("fleeting");
}

#[test]
fn beyond_what_is_kept_a_gap_is_told() {
    check("gap");
}

#[test]
fn while_the_engine_is_silent_senders_are_told_to_wait_and_nothing_is_stored_twice() {
    check("busy");
}

#[test]
fn a_connection_has_a_bounded_number_of_messages_without_an_answer() {
    check("unacknowledged");
}

#[test]
fn a_client_that_asks_too_much_is_told_and_then_closed() {
    check("limits");
}

#[test]
fn a_slow_reader_catches_up_and_delays_nobody() {
    check("slow");
}

#[test]
fn a_stalled_reader_delays_nobody_is_closed_and_resumes_without_a_gap() {
    check("stalled");
}

#[test]
fn a_stalled_reader_that_wakes_in_time_is_told_why_it_is_closed() {
    check("stalled_and_awake");
}

#[test]
fn an_app_that_panics_is_seen_in_the_log_and_its_room_goes_on() {
    check("broken");
}

#[test]
fn a_record_that_cannot_be_folded_freezes_its_room() {
    check("quarantine");
}

#[test]
fn a_snapshot_that_is_too_large_is_refused_and_the_room_goes_on() {
    check("oversized");
}

#[test]
fn a_full_shard_opens_no_room_until_one_is_let_go() {
    check("full");
}

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What docs/protocol.md has a heading or a row for is said or heard in a dialogue, and in no golden file alone.
#[test]
fn every_type_and_every_code_of_the_protocol_is_in_a_dialogue() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = read(&here.join("../docs/protocol.md"));
    let folder = std::fs::read_dir(here.join("transcripts")).expect("the folder is there");
    let dialogues: Vec<String> = folder.map(|entry| read(&entry.expect("readable").path())).collect();
    let lines = || dialogues.iter().flat_map(|dialogue| dialogue.lines());
    let (mut arrow, mut seen) = (" -> ", 0);
    for line in page.lines() {
        match line {
            "## What you send" => arrow = " -> ",
            "## What you get" => arrow = " <- ",
            _ => {}
        }
        let mut names = line.split('`').skip(1).step_by(2);
        if line.starts_with("### `") {
            for name in names {
                let shown = format!(r#""type":"{name}""#);
                let is =
                    |line: &&str| line.contains(arrow) && !line.contains(" not ") && line.contains(&shown);
                assert!(lines().any(|line| is(&line)), "nobody{arrow}{name}");
                seen += 1;
            }
        } else if let Some(code) = names.next().filter(|_| line.starts_with("| `"))
            && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        {
            let shown = format!(r#""code":"{code}""#);
            assert!(lines().any(|line| line.contains(&shown)), "nobody is told {code}");
            seen += 1;
        }
    }
    assert!(seen > 25, "{seen} types and codes: the page reads differently now");
}

/// A dialogue that nobody plays shows nothing.
#[test]
fn every_transcript_is_played() {
    let here = env!("CARGO_MANIFEST_DIR");
    let tests = std::fs::read_to_string(format!("{here}/tests/transcripts.rs")).expect("this file");
    for entry in std::fs::read_dir(format!("{here}/transcripts")).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8");
        assert!(tests.contains(&format!("check(\"{name}\");")), "{name} is played by no test");
    }
}

#[test]
fn a_back_end_writes_to_an_inbox_and_its_user_reads() {
    check("inbox");
}

#[test]
fn hub_clients_and_native_ones_are_in_one_room_on_whatever_node() {
    check("hub");
}

#[test]
fn a_support_session_from_its_start_to_its_end() {
    check("support");
}

#[test]
fn a_desk_gives_each_session_to_one_agent_and_nobody_too_many() {
    check("support_desk");
}

#[test]
fn who_loses_an_agent_is_found_another() {
    check("support_lost");
}

#[test]
fn two_scorers_on_two_nodes_lose_no_raid_and_viewers_see_one_match() {
    check("scores");
}

#[test]
fn of_two_who_say_the_same_raid_at_once_one_has_made_it() {
    check("scores_race");
}

#[test]
fn a_ride_from_the_beacon_to_the_receipt_in_the_order_in_which_both_are_told() {
    check("rides");
}

#[test]
fn drivers_are_asked_by_their_distance_and_whoever_has_one_is_asked_no_more() {
    check("rides_offers");
}

#[test]
fn rides_are_cancelled_and_cost_what_they_cost() {
    check("rides_cancel");
}

#[test]
fn a_payment_that_was_refused_is_tried_again_and_holds_nobody() {
    check("rides_payment");
}

#[test]
fn who_returns_in_the_middle_of_a_ride_has_it_in_the_first_frame() {
    check("rides_return");
}

#[test]
fn operators_see_squares_and_rides_from_another_node_and_nobody_else_does() {
    check("rides_operators");
}

#[test]
fn where_a_fleet_decides_nothing_is_matched_here() {
    check("rides_fleet");
}

#[test]
fn clients_who_know_no_rooms_ride_from_the_beacon_to_the_receipt() {
    check("ride_protocol");
}

#[test]
fn the_newest_connection_of_a_user_is_the_only_one_and_begins_with_how_things_stand() {
    check("ride_protocol_return");
}

#[test]
fn whatever_clients_who_know_no_rooms_say_is_answered() {
    check("ride_protocol_refusals");
}

#[test]
fn every_end_of_a_match_and_of_a_ride_is_told_to_clients_who_know_no_rooms() {
    check("ride_protocol_ends");
}

#[test]
fn a_passenger_who_read_nothing_while_the_ride_began_is_led_into_it_all_the_same() {
    check("ride_protocol_slow");
}

#[test]
fn a_fleets_clients_who_know_no_rooms_are_told_what_its_back_end_says() {
    check("ride_protocol_fleet");
}

#[test]
fn everybody_who_is_connected_hears_an_announcement() {
    check("announcement");
}

#[test]
fn who_returns_is_back_in_all_rooms_by_one_message() {
    check("return");
}

/// What these show is one node's own: how much waits there, what it keeps, under which reference it logs.
const OF_ONE_NODE: [&str; 4] = ["busy", "full", "limits", "quarantine"];

/// What a room is to its clients does not depend on where they come in.
#[test]
fn every_dialogue_goes_the_same_with_its_clients_on_different_nodes() {
    let mut failed = Vec::new();
    let folder = format!("{}/transcripts", env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(folder).expect("the transcripts are there") {
        let path = entry.expect("readable").path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if OF_ONE_NODE.contains(&name.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        if let Err(error) = play_apart(&text) {
            failed.push(format!("{name}.txt, {error}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_message_is_changed_by_records_and_shown_as_it_is_now() {
    check("edits");
}

#[test]
fn members_are_the_rooms_own_records_and_outlive_every_connection() {
    check("members");
}

#[test]
fn a_mute_a_kick_and_a_ban_hold_for_every_connection() {
    check("moderation");
}

#[test]
fn what_one_has_read_is_a_mark_in_the_inbox() {
    check("unread");
}

#[test]
fn the_room_of_two_is_theirs_alone_and_stands_in_both_inboxes() {
    check("direct");
}

#[test]
fn what_is_erased_is_hidden_and_then_gone_and_everything_else_is_where_it_was() {
    check("erasing");
}

#[test]
fn who_was_kicked_may_come_back_after_a_minute() {
    check("kicked");
}
