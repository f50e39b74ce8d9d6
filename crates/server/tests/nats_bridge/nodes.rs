//! Several nodes on one durable consumer.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::fleet::Fleet;
use crate::nats::{Nats, broker};
use crate::support::Server;
use crate::{bridge, contents, figure, message, numbers, until, url};

pub(crate) fn fleet(bridge: &str) -> Fleet {
    let fleet = Fleet::on_redis();
    let config = std::fs::read_to_string(fleet.config()).expect("written");
    std::fs::write(fleet.config(), format!("{config}{bridge}")).expect("written");
    fleet
}

fn reads(nodes: &[&Server]) {
    until("all read", || nodes.iter().all(|node| figure(node, "sources") == 1));
}

fn each_once(node: &Server, rooms: usize, count: usize) -> bool {
    (0..rooms).all(|room| {
        let mut found = contents(node, &format!("r-{room}"));
        found.sort_by_key(|content| content.parse::<usize>().expect("a number"));
        found == numbers(0..count)
    })
}

fn messages(rooms: usize, count: usize) -> Vec<(String, String)> {
    let all = (0..count).flat_map(|number| (0..rooms).map(move |room| (number, room)));
    all.map(|(number, room)| (format!("said.r-{room}"), message(&number.to_string()))).collect()
}

#[test]
fn two_nodes_share_the_work_and_a_killed_ones_share_is_the_others_once() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    nats.durable("SAID", "chat", &json!({ "filter_subject": "said.*", "ack_wait": 3_000_000_000_u64 }));
    let fleet = fleet(&bridge(&broker));
    let (one, two) = (fleet.node(), fleet.node());
    reads(&[&one, &two]);
    nats.put_all(messages(20, 50));
    until("all are taken", || figure(&one, "taken_in_total") + figure(&two, "taken_in_total") == 1000);
    assert!(figure(&one, "taken_in_total") > 0 && figure(&two, "taken_in_total") > 0, "both had some");
    assert!(each_once(&two, 20, 50));
    let more = messages(20, 100).split_off(1000);
    nats.put_all(more);
    until("one is at it", || figure(&one, "taken_in_total") > 500 || figure(&two, "taken_in_total") > 500);
    one.signal(Signal::SIGKILL);
    one.wait();
    until("the other has all", || nats.consumer("SAID", "chat")["ack_floor"]["stream_seq"] == 2000);
    assert!(each_once(&two, 20, 100));
}

#[test]
fn a_node_that_ends_gives_back_what_it_has_not_done_and_the_next_goes_on_at_once() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    let fleet = fleet(&bridge(&broker));
    let one = fleet.node();
    reads(&[&one]);
    nats.put_all(messages(10, 200));
    until("it is at it", || figure(&one, "taken_in_total") > 100);
    one.signal(Signal::SIGTERM);
    assert!(one.wait().success());
    // Nobody is to wait for half a minute for what somebody had who is gone.
    let waits = nats.consumer("SAID", "chat");
    let two = fleet.node();
    until("all are done", || nats.consumer("SAID", "chat")["ack_floor"]["stream_seq"] == 2000);
    assert!(each_once(&two, 10, 200), "{waits}");
}

/// Whoever reads the event: each of those that it names has it once on each device, on whichever node that is.
#[test]
fn every_user_whom_an_event_names_is_told_once_wherever_they_are_connected() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("NEWS", &["news.*"], &json!({}));
    let rows = "[[nats_bridge.sources]]\nsubject = \"news.*\"\nusers = \"for\"\nkind = \"{kind}\"\npayload = \"news\"\n";
    let fleet = fleet(&format!("[nats_bridge]\nurl = \"{}\"\n{rows}", url(&broker)));
    let (one, two) = (fleet.node(), fleet.node());
    reads(&[&one, &two]);
    let mut devices: Vec<_> = [(&one, "ana"), (&two, "ana"), (&two, "bo"), (&one, "cy")]
        .into_iter()
        .map(|(node, user)| {
            let mut client = fleet.client(node, user);
            client.join(&format!("user:{user}"));
            (user, client)
        })
        .collect();
    for number in 0..20 {
        let news = json!({ "for": ["ana", "bo"], "kind": "order_shipped", "news": { "number": number } });
        let id = format!("news-{number}");
        nats.put_with("news.orders", &news.to_string(), &[("Nats-Msg-Id", &id)]);
    }
    let last = json!({ "for": "cy", "kind": "order_shipped", "news": { "number": "last" } });
    nats.put("news.orders", &last.to_string());
    for (user, device) in &mut devices {
        let mut heard = BTreeMap::new();
        let expected = if *user == "cy" { 1 } else { 20 };
        for _ in 0..expected {
            let news = device.next("notification");
            *heard.entry(news["payload"]["number"].to_string()).or_insert(0) += 1;
        }
        assert!(heard.len() == expected && heard.values().all(|times| *times == 1), "{user}: {heard:?}");
    }
    let taken = || figure(&one, "taken_in_total") + figure(&two, "taken_in_total");
    until("all are done", || taken() == 41);
}

/// The server gives out one at a time, so that there is nothing to overtake, whoever takes it and whoever dies with it.
#[test]
fn in_order_means_in_order_with_two_nodes_and_when_one_of_them_is_killed() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    let config = bridge(&broker).replace("from = \"all\"", "from = \"all\"\nin_order = true");
    let fleet = fleet(&config);
    let (one, two) = (fleet.node(), fleet.node());
    reads(&[&one, &two]);
    nats.put_all(messages(1, 300));
    until("both are at it", || figure(&one, "taken_in_total") > 10 && figure(&two, "taken_in_total") > 10);
    one.signal(Signal::SIGKILL);
    one.wait();
    until("all are done", || nats.consumer("SAID", "chat")["ack_floor"]["stream_seq"] == 300);
    assert_eq!(contents(&two, "r-0"), numbers(0..300));
}
