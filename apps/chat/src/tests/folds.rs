//! Whatever is asked, in whatever order: nothing panics, nothing outgrows its bounds, and a snapshot is as good as the log.

use app::{App, Applied};
use proptest::prelude::*;

use super::table::{Table, key, rules, user};
use crate::Rules;

fn payload(word: &str, who: u8, number: u64) -> String {
    let other = ["o", "a", "b", "c", "w"][usize::from(who) % 5];
    let id = format!("100000007-{number}");
    match word {
        "send_message" => format!(r#"{{"content":"said {number}","reply_to":"{id}"}}"#),
        "edit_message" => format!(r#"{{"message_id":"{id}","content":"edited {who}"}}"#),
        "add_reaction" | "remove_reaction" => {
            format!(r#"{{"message_id":"{id}","reaction":"{}"}}"#, number % 3)
        }
        "delete_message" => format!(r#"{{"message_id":"{id}"}}"#),
        "create_room" => format!(r#"{{"title":"{number}","members":["{other}"]}}"#),
        "change_room" => {
            let access = if number.is_multiple_of(2) { "open" } else { "private" };
            format!(r#"{{"title":"{number}","access":"{access}","slow_mode_seconds":{}}}"#, number % 5)
        }
        "mute_member" => format!(r#"{{"user_id":"{other}","seconds":{}}}"#, number + 1),
        "set_role" | "add_member" => {
            let role = ["member", "moderator", "owner"][number as usize % 3];
            format!(r#"{{"user_id":"{other}","role":"{role}"}}"#)
        }
        _ => format!(r#"{{"user_id":"{other}"}}"#),
    }
}

const WORDS: &[&str] = &[
    "send_message",
    "send_message",
    "send_message",
    "edit_message",
    "delete_message",
    "add_reaction",
    "remove_reaction",
    "create_room",
    "change_room",
    "add_member",
    "remove_member",
    "set_role",
    "mute_member",
    "unmute_member",
    "kick_member",
    "ban_member",
    "unban_member",
    "erase_user",
    "delete_room",
    "outcome",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fold_from_a_snapshot_is_the_fold_from_the_start(
        asked in prop::collection::vec((0..WORDS.len(), 0..8u8, 0..8u8, 1..40u64, 0..40u32), 1..80),
        cut in 0..60usize,
        direct in any::<bool>(),
    ) {
        let name = if direct { "direct:a:b" } else { "room" };
        let mut table = Table::with(name, Rules { retention_days: 1, ..rules() });
        for (word, by, who, number, hours) in asked {
            // Seldom a day, so that some of it grows old.
            table.wait(if hours < 3 { 9 * 3600 * 1000 } else { i64::from(hours) * 100 });
            let word = WORDS[word];
            if word == "delete_room" && number > 3 {
                continue;
            }
            if word == "outcome" {
                table.settle();
                continue;
            }
            let caller = match by {
                0 | 1 => user("o"),
                2 => user("a"),
                3 => user("b"),
                4 => user("c"),
                5 => user("w"),
                _ => key(),
            };
            let _ = table.ask(&caller, word, &payload(word, who, number));
            table.state.check_bounds();
            let frames: Vec<String> = table.log.values().map(|record| table.frame(record)).collect();
            prop_assert_eq!(frames.len(), table.log.len());
        }
        let mut state = table.chat.start(&table.room);
        for (number, record) in table.log.values().enumerate() {
            if number == cut {
                state = table.chat.load(&table.room, &table.chat.save(&state)).expect("what was saved is read");
            }
            prop_assert_eq!(table.chat.apply(&mut state, record), Applied::Done);
            state.check_bounds();
        }
        prop_assert_eq!(table.chat.save(&state), table.chat.save(&table.state));
        prop_assert_eq!(table.chat.steps(&state), table.chat.steps(&table.state));
    }

    #[test]
    fn payloads_of_any_kind_are_answered(word in 0..WORDS.len(), payload in "[ -~]{0,40}|\\{\"[a-z_]{1,12}\":[^}]{0,20}\\}") {
        let mut table = Table::new("room");
        let _ = table.ask(&user("o"), WORDS[word], &payload);
        table.state.check_bounds();
    }
}
