//! Who may do what, as one table.

use super::table::{Table, key, user};

/// A room with one of each: o owns it, m moderates, a and b are members; g is a guest, w a warden, k a key.
fn room() -> (Table, String) {
    let mut table = Table::new("team");
    table.does(&user("o"), "create_room", r#"{"members":["m","a","b"]}"#);
    table.does(&user("o"), "set_role", r#"{"user_id":"m","role":"moderator"}"#);
    let id = table.say(&user("b"), "hi");
    (table, id)
}

#[test]
fn who_may_do_what() {
    for (word, payload, may) in [
        ("send_message", r#"{"content":"x"}"#, "gamowk"),
        ("edit_message", r#"{"message_id":"ID","content":"x"}"#, ""),
        ("delete_message", r#"{"message_id":"ID"}"#, "mowk"),
        ("add_reaction", r#"{"message_id":"ID","reaction":"+"}"#, "gamow"),
        ("typing", "", "gamow"),
        ("create_room", "{}", ""),
        ("change_room", r#"{"title":"x"}"#, "mowk"),
        ("delete_room", "{}", "owk"),
        ("add_member", r#"{"user_id":"c"}"#, "owk"),
        ("remove_member", r#"{"user_id":"b"}"#, "owk"),
        ("remove_member", r#"{"user_id":"m"}"#, "mowk"),
        ("set_role", r#"{"user_id":"b","role":"moderator"}"#, "owk"),
        ("set_role", r#"{"user_id":"o","role":"member"}"#, "wk"),
        ("mute_member", r#"{"user_id":"b"}"#, "mowk"),
        ("mute_member", r#"{"user_id":"m"}"#, "owk"),
        ("mute_member", r#"{"user_id":"o"}"#, "wk"),
        ("unmute_member", r#"{"user_id":"b"}"#, "mowk"),
        ("kick_member", r#"{"user_id":"b"}"#, "mowk"),
        ("kick_member", r#"{"user_id":"g"}"#, "mowk"),
        ("ban_member", r#"{"user_id":"m"}"#, "owk"),
        ("ban_member", r#"{"user_id":"o"}"#, "wk"),
        ("unban_member", r#"{"user_id":"b"}"#, "mowk"),
        ("erase_user", r#"{"user_id":"b"}"#, "wk"),
        ("get_room", "", "gamowk"),
        ("get_members", "", "gamowk"),
    ] {
        for letter in ["g", "a", "m", "o", "w", "k"] {
            let (mut table, id) = room();
            let caller = if letter == "k" { key() } else { user(letter) };
            let told = table.told(&caller, word, &payload.replace("ID", &id));
            assert_eq!(!told.starts_with('!'), may.contains(letter), "{letter} {word} {payload}: {told}");
        }
    }
}

#[test]
fn a_room_that_nobody_created_is_ruled_by_wardens_and_keys() {
    for (letter, may) in [("g", false), ("w", true), ("k", true)] {
        let caller = || if letter == "k" { key() } else { user(letter) };
        for (word, payload) in [
            ("change_room", r#"{"title":"x"}"#),
            ("mute_member", r#"{"user_id":"b"}"#),
            ("ban_member", r#"{"user_id":"b"}"#),
            ("delete_room", "{}"),
        ] {
            let told = Table::new("lobby").told(&caller(), word, payload);
            assert_eq!(!told.starts_with('!'), may, "{letter} {word}: {told}");
        }
    }
}
