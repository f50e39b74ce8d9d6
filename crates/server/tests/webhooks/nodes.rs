//! Several nodes on one engine: each record is told by the steward of its room, whoever that is.

use nix::sys::signal::Signal;

use crate::fleet::Fleet;
use crate::receiver::{Receiver, Says};
use crate::{figure, hook, numbers, say_all, until};

const LIMITS: &str = "connections_per_user = 1000\nmessages_per_second = 100000\nburst = 100000\n";
const CHAT: &str = "[chat]\nmessages_per_second = 100000\nburst = 100000\n";

fn fleet(hooks: &str) -> Fleet {
    let fleet = Fleet::on_redis();
    let config = std::fs::read_to_string(fleet.config()).expect("written");
    assert!(config.contains("connections_per_user = 1000\n"));
    let config = config.replace("connections_per_user = 1000\n", LIMITS);
    std::fs::write(fleet.config(), format!("{config}{CHAT}{hooks}")).expect("written");
    fleet
}

#[test]
fn two_nodes_share_the_rooms_and_a_killed_ones_are_told_by_the_other() {
    let receiver = Receiver::start(|_| Says::Status(200));
    let fleet = fleet(&hook("orders", &receiver, "chat:*", ""));
    let (one, two) = (fleet.node(), fleet.node());
    let rooms: Vec<String> = (0..12).map(|number| format!("r-{number}")).collect();
    let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
    // Said by way of a node that stays, so that all of it is acknowledged.
    let mut ana = fleet.client(&two, "ana");
    rooms.iter().for_each(|room| drop(ana.join(room)));
    say_all(&mut ana, &rooms, 0..20);
    let told = |count: usize| rooms.iter().all(|room| receiver.contents(room).len() == count);
    until("all are told", || told(20));
    let shares = [figure(&one, "delivered_total"), figure(&two, "delivered_total")];
    assert!(shares[0] > 0 && shares[1] > 0, "both are stewards: {shares:?}");
    assert_eq!(receiver.twice(), None, "by one node at a time");
    say_all(&mut ana, &rooms, 20..30);
    one.signal(Signal::SIGKILL);
    one.wait();
    say_all(&mut ana, &rooms, 30..40);
    until("all are told by the other", || told(40));
    for room in &rooms {
        assert_eq!(receiver.contents(room), numbers(40), "{room}");
    }
}

#[test]
fn a_node_that_drains_hands_its_rooms_over_and_nothing_is_lost() {
    let receiver = Receiver::start(|_| Says::Status(200));
    let fleet = fleet(&hook("orders", &receiver, "chat:*", ""));
    let (one, two) = (fleet.node(), fleet.node());
    let rooms = ["r-0", "r-1", "r-2", "r-3", "r-4", "r-5"];
    let mut ana = fleet.client(&two, "ana");
    rooms.iter().for_each(|room| drop(ana.join(room)));
    say_all(&mut ana, &rooms, 0..20);
    one.signal(Signal::SIGTERM);
    say_all(&mut ana, &rooms, 20..40);
    assert!(one.wait().success());
    say_all(&mut ana, &rooms, 40..50);
    until("all are told", || rooms.iter().all(|room| receiver.contents(room).len() == 50));
    for room in rooms {
        assert_eq!(receiver.contents(room), numbers(50), "{room}");
    }
}
