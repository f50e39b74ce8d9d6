//! What was said in a channel, asked for by HTTP.

use serde_json::{Value, json};

use super::calls::Caller;
use super::support::Server;
use super::{CONFIG, native, server};

#[test]
fn the_past_is_had_page_by_page_and_messages_of_one_second_are_all_there() {
    let server = server();
    let ana = Caller::new(&server, "7", "Ana");
    let mut socket = native(&server, "7", "Ana");
    socket.join("12");
    for number in 0..25 {
        let payload = json!({ "content": format!("number {number}") });
        socket.say(
            &json!({ "type": "send_message", "room": "12", "id": format!("m-{number}"), "payload": payload })
                .to_string(),
        );
        socket.next("ack");
    }
    let texts = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items").iter();
        items.map(|item| item["text"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut page = ana.get("/messages/channel/12");
    assert_eq!((texts(&page).len(), &page["total"]), (20, &25.into()), "{page}");
    let first = page["items"][0].clone();
    assert_eq!(
        (&first["senderId"], &first["senderName"], &first["channelId"]),
        (&"7".into(), &"Ana".into(), &"12".into())
    );
    assert!(first["createdAt"].as_u64() > Some(1_700_000_000), "Unix seconds: {first}");
    let mut all = texts(&page);
    while let Some(cursor) = page["nextCursor"].as_str() {
        page = ana.get(&format!("/messages/channel/12?limit=7&before={cursor}"));
        all.extend(texts(&page));
    }
    let wanted: Vec<String> = (0..25).rev().map(|number| format!("number {number}")).collect();
    assert_eq!(all, wanted, "newest first, each once, though they are of one second or two");
    let newest = first["createdAt"].as_u64().expect("a time");
    let page = ana.get(&format!("/messages/channel/12?limit=100&before={}", newest + 1));
    assert_eq!(texts(&page), wanted, "by time, as old clients ask");
    let page = ana.get("/messages/channel/12?before=1000000000");
    assert_eq!((texts(&page).len(), &page["nextCursor"]), (0, &Value::Null), "nothing is that old: {page}");
}

/// A page of history looks at a thousand records, and may find no message among them.
#[test]
fn a_second_is_found_behind_a_long_stretch_of_reactions() {
    let server = Server::configured(&format!(
        "{CONFIG}[limits]\nmessages_per_second = 10000\nburst = 10000\n\
         [chat]\nmessages_per_second = 10000\nburst = 10000\n"
    ));
    let ana = Caller::new(&server, "7", "Ana");
    let mut socket = native(&server, "7", "Ana");
    socket.join("12");
    let frame = |kind: &str, id: u32, payload: Value| {
        json!({ "type": kind, "room": "12", "id": format!("m-{id}"), "payload": payload }).to_string()
    };
    socket.say(&frame("send_message", 0, json!({ "content": "the only one" })));
    let ack = socket.next("ack");
    let message = &ack["payload"]["message_id"];
    for round in 0..26 {
        for id in round * 50 + 1..=round * 50 + 50 {
            let kind = if id % 2 == 1 { "add_reaction" } else { "remove_reaction" };
            socket.say(&frame(kind, id, json!({ "message_id": message, "reaction": "+" })));
        }
        (0..50).for_each(|_| drop(socket.next("ack")));
    }
    let newest = ana.get("/messages/channel/12");
    assert!(
        newest["items"] == json!([]) && newest["nextCursor"].is_string(),
        "a stretch without one: {newest}"
    );
    let page = ana.get("/messages/channel/12?before=1000000000");
    assert_eq!(
        (&page["items"], &page["nextCursor"]),
        (&json!([]), &Value::Null),
        "nothing is that old: {page}"
    );
    let page = ana.get("/messages/channel/12?before=4000000000");
    assert_eq!(page["items"][0]["text"], "the only one", "{page}");
}
