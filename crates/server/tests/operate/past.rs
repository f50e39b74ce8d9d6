//! Why somebody did or did not get a message, and a room as it was: of a real server, on a script.

use serde_json::{Value, json};

use super::{ORDERS, ROOT, TEAM, ask, look, open, server, until};

fn say(server: &super::Server, text: &str) -> String {
    let body = json!({ "room": "chat:general", "payload": { "content": text } });
    let (status, told) = ask(server, ROOT, "POST /api/publish", Some(&body));
    assert_eq!(status, 200, "{told}");
    told["message_id"].as_str().expect("an id").to_owned()
}

fn explained(server: &super::Server, id: &str, user: &str) -> (String, Vec<String>) {
    let told = look(server, &format!("/explain?room=chat:general&offset={id}&user={user}"));
    let words = told["findings"].as_array().expect("findings").iter();
    let words = words.map(|it| it["what"].as_str().unwrap_or_default().to_owned());
    (told["verdict"].as_str().unwrap_or_default().to_owned(), words.collect())
}

#[test]
fn who_was_there_got_it_who_came_later_did_not_and_who_left_is_told_when() {
    let server = server();
    let mut ana = open(&server, "ana");
    ana.join("general");
    let first = say(&server, "one");
    let mut bo = open(&server, "bo");
    bo.join("general");
    until("all of it is taken", || {
        let (verdict, words) = explained(&server, &first, "ana");
        (verdict == "got" && words == ["stored", "delivered", "drained"]).then_some(())
    });
    assert_eq!(
        explained(&server, &first, "bo"),
        ("did_not".to_owned(), vec!["stored".into(), "joined_later".into()])
    );
    let (verdict, words) = explained(&server, &first, "cem");
    assert_eq!((verdict.as_str(), words), ("did_not", vec!["stored".to_owned(), "nowhere".to_owned()]));
    drop(ana);
    until("she is gone", || look(&server, "/users/ana")["connections"].as_array()?.is_empty().then_some(()));
    let second = say(&server, "two");
    let (verdict, words) = explained(&server, &second, "ana");
    assert_eq!(verdict, "did_not", "{words:?}");
    assert!(words.contains(&"left_before".to_owned()) && words.contains(&"closed".to_owned()), "{words:?}");
    assert_eq!(explained(&server, &second, "bo").0, "got");
    let next = second
        .rsplit_once('-')
        .map(|(epoch, offset)| format!("{epoch}-{}", offset.parse::<u64>().expect("a number") + 40));
    assert_eq!(explained(&server, &next.expect("a position"), "bo").1, ["ahead"]);
    for (key, query, status) in [
        (ORDERS, "room=chat:general&offset=1&user=ana", 403),
        (TEAM, "room=chat:general&offset=1&user=ana", 403),
        (ROOT, "room=chat:general&offset=x&user=ana", 400),
        (ROOT, "room=poker:general&offset=1&user=ana", 404),
        (ROOT, "room=chat:general&offset=1", 400),
    ] {
        assert_eq!(ask(&server, key, &format!("GET /explain?{query}"), None).0, status, "{query}");
    }
}

/// What the app says of the room at each of its places is what it said when the log ended there.
#[test]
fn a_room_is_shown_as_it_was_at_each_of_its_places() {
    let server = server();
    let mut lived: Vec<(u64, Value)> = Vec::new();
    for step in 0..6 {
        let id = say(&server, &format!("line {step}"));
        let offset = id.rsplit_once('-').and_then(|(_, offset)| offset.parse().ok()).expect("an offset");
        let now = look(&server, &format!("/rooms/chat:general/at/{offset}"));
        assert_eq!((&now["at"], &now["head"]["offset"]), (&json!(offset), &json!(offset)));
        lived.push((offset, now));
    }
    for (offset, then) in &lived {
        let again = look(&server, &format!("/rooms/chat:general/at/{offset}"));
        assert_eq!((&again["about"], &again["view"]), (&then["about"], &then["view"]), "{offset}");
        assert_eq!((&again["records"], &again["whole"]), (&json!(offset), &json!(true)));
    }
    let beyond = look(&server, "/rooms/chat:general/at/900");
    assert_eq!(beyond["at"], json!(lived.last().expect("some").0));
    assert!(beyond["says"].as_str().is_some_and(|says| says.contains("The log ends at")), "{beyond}");
    let start = look(&server, "/rooms/chat:general/at/0");
    assert_eq!((&start["at"], &start["records"]), (&json!(0), &json!(0)));
    assert_eq!(ask(&server, TEAM, "GET /rooms/chat:team-a/at/1", None).0, 403, "it takes `history`, too");
}
