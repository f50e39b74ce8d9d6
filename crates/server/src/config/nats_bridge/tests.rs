//! What of the settings of the bridge to NATS is taken, and what is refused with its line.

use super::super::read_text;
use super::super::typed::{NatsBridge, NatsFrom};

const URL: &str = "[nats_bridge]\nurl = \"nats://u:hush@one:4222,nats://two\"\n";
const SOURCE: &str =
    "[[nats_bridge.sources]]\nsubject = \"orders.*.>\"\nroom = \"chat:{2}\"\nkind = \"send_message\"\n";

fn of(text: &str) -> Option<NatsBridge> {
    let secret = "secret = \"0123456789abcdef0123456789abcdef\"\n";
    match read_text(&format!("{secret}{text}")) {
        Ok(config) => config.typed.nats_bridge,
        Err(faults) => panic!("{text}: {faults}"),
    }
}

#[test]
fn a_bridge_is_there_with_its_url_and_not_without() {
    assert!(of("").is_none());
    let bridge = of(&format!("{URL}{SOURCE}")).expect("a bridge");
    assert_eq!(
        (bridge.group.as_str(), bridge.dead_letters.as_str(), bridge.rides),
        ("kulkul", "dead-letters", false)
    );
    let NatsFrom::Stream { name: None, durable, all: false, deliver_max: 5, in_order: false } =
        &bridge.sources[0].from
    else {
        panic!("of some stream, from now on, five times")
    };
    assert_eq!(durable, "kulkul-orders_any_all");
    let bridge = of(&format!("{URL}rides = true\n")).expect("a bridge");
    assert_eq!(bridge.sink_apps, ["rides"]);
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_line() {
    let source = |more: &str| format!("{URL}{SOURCE}{more}\n");
    let kafka = "[kafka_bridge]\nbrokers = [\"k:1\"]\nlivechat = true\n";
    for (text, line, says) in [
        ("[nats_bridge]\ngroup = \"g\"\n".to_owned(), 2, "without `nats_bridge.url`"),
        (SOURCE.to_owned(), 1, "without `nats_bridge.url`"),
        (URL.to_owned(), 2, "nothing is to be done there"),
        ("[nats_bridge]\nurl = \"http://one\"\nrides = true\n".to_owned(), 2, "nats://user:password@one"),
        (format!("{URL}token = \"t\"\nrides = true\n"), 3, "both say who"),
        (format!("{URL}certificate = \"/c.pem\"\nrides = true\n"), 3, "without `nats_bridge.key`"),
        (format!("{URL}dead_letters = \"a.*\"\nrides = true\n"), 3, "without wildcards"),
        (source("users = \"to\""), 3, "`room` or by `users`"),
        (source("plain = true\ndurable = \"d\""), 8, "plain = true"),
        (format!("{}{SOURCE}", source("")), 8, "read in two ways"),
        (format!("{}{SOURCE}stream = \"S\"\n", source("")), 8, "read in two ways"),
        (source("").replace("orders.*.>", "orders.>.x"), 4, "a subject such as"),
        (source("").replace("chat:{2}", "scores:{2}"), 5, "an app (chat"),
        (source("").replace("{2}", "{2"), 5, "fields of the message"),
        (
            format!("{URL}[[nats_bridge.sinks]]\nrooms = \"support:*\"\nsubject = \"s.{{name}}\"\n{kafka}"),
            2,
            "leave by kafka_bridge and by nats_bridge",
        ),
    ] {
        let told = match read_text(&text) {
            Ok(_) => panic!("accepted: {text}"),
            Err(faults) => faults.to_string(),
        };
        assert!(told.contains(&format!("line {line}")) && told.contains(says), "{text}: {told}");
    }
}

#[test]
fn what_proves_who_this_is_is_not_shown() {
    let Ok(config) = read_text(&format!("{URL}rides = true\n")) else { panic!("it is sound") };
    let all = config.settings();
    let (_, shown) = all.iter().find(|(key, _)| key == "nats_bridge.url").expect("a row");
    assert!(!shown.shown().contains("hush"), "{}", shown.shown());
}
