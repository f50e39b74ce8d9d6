//! Sessions of support between sockets and the three topics of the livechat services: what their back end says is heard, and what is
//! said here is there for it.

use serde_json::{Value, json};

use crate::kafka::{Kafka, broker};
use crate::nodes::fleet;
use crate::support::{Client, Server};
use crate::{Place, figure, until};

const LIVECHAT: &str = "livechat = true\nsession = \"6s\"\n";

fn bridge(brokers: &str, more: &str) -> String {
    format!("{more}\n[kafka_bridge]\nbrokers = [\"{brokers}\"]\n{LIVECHAT}")
}

fn said(session: &str, id: &str, text: &str) -> String {
    json!({"id": id, "session_id": session, "sender_id": null, "sender_type": "system", "message": text,
        "message_type": "text", "attachments": null, "read_at": null,
        "created_at": "2025-01-24T10:30:00Z", "updated_at": "2025-01-24T10:30:00Z"})
    .to_string()
}

fn start(node: &Server) -> (String, Client) {
    let (session, path) = begun(node);
    (session, come(node, &path))
}

fn come(node: &Server, path: &str) -> Client {
    let mut client = Client::open(node, path).expect("let in");
    client.next("connection_status_update");
    client
}

/// A session, and its visitor's way into it.
fn begun(node: &Server) -> (String, String) {
    let body = r#"{"topic":"Licence"}"#;
    let (status, told) = node.http(&format!(
        "POST /api/chat/start HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(status, 201, "{told}");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let text = |key: &str| told["data"][key].as_str().expect("a text").to_owned();
    let (session, user) = (text("session_id"), text("chat_user_id"));
    let path = format!("/ws/{session}/{user}/customer?token={}", text("token"));
    (session, path)
}

fn texts(node: &Server, session: &str) -> Vec<String> {
    let (_, body) = node.ask_operator(&format!("GET /api/history?room=support:{session}&limit=100"), "");
    let page: Value = serde_json::from_str(&body).expect("JSON");
    let messages = page["messages"].as_array().into_iter().flatten();
    messages.filter_map(|it| it["payload"]["message"].as_str().map(str::to_owned)).collect()
}

/// Topics of these names there is one of each at a broker, so that this is one test.
#[test]
fn a_back_end_and_a_customer_talk_by_the_topics_of_the_livechat_services() {
    let kafka = Kafka::shared();
    for topic in ["chat-messages", "typing-indicators", "connection-status"] {
        kafka.create(topic, 1);
    }
    let place = Place::new(&bridge(&kafka.brokers, ""));
    let node = place.reading(3);
    let (session, mut cy) = start(&node);
    cy.say(&json!({"type": "send_message", "id": "1", "data": {"message": "Halo"}}).to_string());
    let sent = cy.next("message_sent");
    let found = kafka.all("chat-messages", 1);
    let row: Value = serde_json::from_str(&found[0].value).expect("JSON");
    assert_eq!(found[0].key.as_deref(), Some(&*session), "one session, one partition");
    assert_eq!((&row["id"], &row["sender_type"]), (&sent["data"]["message_id"], &json!("customer")));
    assert_eq!((&row["session_id"], &row["message"]), (&json!(session), &json!("Halo")));
    until("ours came back and was skipped", || figure(&node, "own_skipped_total") == 1);

    kafka.put("chat-messages", Some(&session), &said(&session, "m-1", "Selamat datang"));
    kafka.put("chat-messages", Some(&session), &said(&session, "m-1", "Selamat datang"));
    let typing = json!({"type": "typing_indicator", "session_id": session, "user_id": "a7", "user_type": "agent",
        "is_typing": true, "timestamp": "2025-01-24T10:30:00Z"});
    kafka.put("typing-indicators", Some(&session), &typing.to_string());
    kafka.flush();
    // Of two topics neither is first.
    let both = [0, 1].map(|_| cy.next_of(&["new_message", "typing_indicator"])["data"].clone());
    let heard = both.iter().find(|it| it["message"] == "Selamat datang").expect("the message");
    assert_eq!((&heard["message_id"], &heard["sender_type"]), (&json!("m-1"), &json!("system")));
    assert!(both.iter().any(|it| it["user_id"] == "a7" && it["is_typing"] == true), "{both:?}");

    // A back end writes ids as its database has them, and attaches what its own clients can open.
    let by_number = json!({"id": 77, "session_id": session.to_uppercase(), "sender_id": 7, "sender_type": "agent",
        "message": "Lihat ini", "message_type": "file", "read_at": null,
        "attachments": ["http://files/x.png", "uploads/y.png", "https://files.example/z.png", 7]});
    kafka.put("chat-messages", Some(&session), &by_number.to_string());
    kafka.flush();
    let heard = cy.next("new_message")["data"].clone();
    assert_eq!((&heard["message_id"], &heard["sender_id"]), (&json!("77"), &json!("7")));
    assert_eq!(heard["message"], "Lihat ini");
    assert_eq!(figure(&node, "dead_letters_total"), 0);

    // A session that nobody here has heard of is no poison.
    let other = "660e8400-e29b-41d4-a716-446655440000";
    kafka.put("chat-messages", Some(other), &said(other, "m-2", "From elsewhere"));
    kafka.put(
        "chat-messages",
        Some(other),
        r#"{"id":"m-3","session_id":"seven","message":"x","sender_type":"agent"}"#,
    );
    kafka.put("chat-messages", Some(other), &said(other, "m-4", "And on"));
    kafka.flush();
    until("what stands behind the poison is taken", || texts(&node, other) == ["From elsewhere", "And on"]);
    until("the poison is a dead letter", || figure(&node, "dead_letters_total") == 1);
    assert_eq!(texts(&node, &session), ["Halo", "Selamat datang", "Lihat ini"], "each once, in order");

    // A fleet whose back end decides: it is asked, and what it says is what is seen.
    drop(node);
    let place = Place::new(&bridge(&kafka.brokers, "[support]\nauthority = \"fleet\""));
    let node = place.reading(3);
    let token = crate::kulkul(&[
        "token",
        "--config",
        &place.config(),
        "--user",
        "cy",
        "--rooms",
        &format!("support:{other}"),
    ]);
    let token = String::from_utf8(token.stdout).expect("UTF-8");
    let mut cy =
        Client::open(&node, &format!("/ws/{other}/cy/customer?token={}", token.trim())).expect("let in");
    cy.next("connection_status_update");
    cy.say(&json!({"type": "send_message", "id": "9", "data": {"message": "Ada orang?"}}).to_string());
    cy.next("message_sent");
    let asked: Value = serde_json::from_str(&kafka.all("chat-message-requests", 1)[0].value).expect("JSON");
    assert_eq!((&asked["message"], &asked["sender_id"]), (&json!("Ada orang?"), &json!("cy")));
    kafka.put("chat-messages", Some(other), &said(other, "m-5", "Ada orang?"));
    kafka.flush();
    // The node before it was killed, and what it had not committed comes here, too.
    while cy.next("new_message")["data"]["message_id"] != "m-5" {}
}

/// Seed 000, defects 4, 5 and 6: each broker's message reached the clients of one instance, one's own came twice, and in any order.
#[test]
fn every_client_of_a_session_has_every_message_once_and_in_one_order_on_whichever_node_it_is() {
    const SESSIONS: usize = 6;
    const SAID: usize = 10;
    const PRODUCED: usize = 40;
    let broker = broker();
    let kafka = Kafka::at(&broker.address.to_string());
    for topic in ["chat-messages", "typing-indicators", "connection-status"] {
        kafka.create(topic, 2);
    }
    let mount = "\n[[mounts]]\npath = \"/ws/{session}/{user}/{type}\"\nprotocol = \"livechat\"\n";
    let fleet = fleet(&bridge(&kafka.brokers, mount));
    let nodes = [fleet.node(), fleet.node()];
    until("each has some of the six partitions", || {
        let share = nodes.each_ref().map(|node| figure(node, "partitions"));
        share.iter().sum::<u64>() == 6 && !share.contains(&0)
    });
    let mut sessions: Vec<(String, [Client; 2])> = (0..SESSIONS)
        .map(|number| {
            let (session, path) = begun(&nodes[number % 2]);
            (session, nodes.each_ref().map(|node| come(node, &path)))
        })
        .collect();
    for number in 0..PRODUCED {
        for (session, _) in &sessions {
            kafka.put(
                "chat-messages",
                Some(session),
                &said(session, &format!("m-{number}"), &number.to_string()),
            );
        }
    }
    for number in 0..SAID {
        for (device, client) in sessions.iter_mut().flat_map(|(_, clients)| clients.iter_mut().enumerate()) {
            let id = format!("{device}.{number}");
            client.say(&json!({"type": "send_message", "id": id, "data": {"message": "mine"}}).to_string());
        }
    }
    kafka.flush();
    for (session, clients) in &mut sessions {
        let told = clients.each_mut().map(|client| {
            let mut next = || client.next_of(&["new_message", "message_sent"])["data"]["message_id"].clone();
            (0..PRODUCED + 2 * SAID).map(|_| next()).collect::<Vec<Value>>()
        });
        assert_eq!(told[0], told[1], "{session}: one order, on either node");
        let produced: Vec<&Value> =
            told[0].iter().filter(|id| id.as_str().is_some_and(|id| id.starts_with("m-"))).collect();
        let in_order: Vec<Value> = (0..PRODUCED).map(|number| json!(format!("m-{number}"))).collect();
        assert!(produced.iter().copied().eq(&in_order), "{session}: {produced:?}");
        let mut once = told[0].iter().map(Value::to_string).collect::<Vec<_>>();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), PRODUCED + 2 * SAID, "{session}: none twice");
    }
    // What is said here goes out, comes back, and is not said again.
    let ours = (SESSIONS * 2 * SAID) as u64;
    // At least once: two stewards may both have had a room for a moment.
    until("ours came back", || {
        nodes.iter().map(|node| figure(node, "own_skipped_total")).sum::<u64>() >= ours
    });
    for client in sessions.iter_mut().flat_map(|(_, clients)| clients) {
        client.say(r#"{"type":"ping"}"#);
        assert_eq!(
            client.next_of(&["new_message", "message_sent", "pong"])["type"],
            "pong",
            "and nothing else"
        );
    }
}
