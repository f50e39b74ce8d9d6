//! Another node takes over: what is lost where the one that read was killed, and where it ended in peace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::fleet::Fleet;
use crate::redis::Redis;
use crate::support::{Client, Server};
use crate::{channel_message, figure, heard, node, reads, until};

const LEASE: Duration = Duration::from_secs(2);

/// The one that reads, and the other.
fn pair(fleet: &Fleet) -> (Server, Server) {
    let lease = [("KULKUL_REDIS_BRIDGE__LEASE", "2s")];
    let one = node(fleet, &lease);
    until("the first one reads", || reads(&one));
    let two = node(fleet, &lease);
    until("the second one hears", || figure(&two, "listening") == 1);
    (one, two)
}

struct Lost {
    /// Numbers that had an id, in the order in which they came.
    named: Vec<u64>,
    published: u64,
    /// Of those without one: how many did not come, and the longest time between two that did.
    missing: u64,
    silence: Duration,
}

/// Publishes, a pair each time: one with an id, one that nothing tells from another. `ends` is called after a while.
fn publish_through(fleet: &Fleet, two: &Server, ends: impl FnOnce()) -> Lost {
    let mut client = fleet.client(two, "ana");
    client.join("12");
    client.join("13");
    let (address, stop) = (fleet.broker.address, AtomicBool::new(false));
    std::thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            let mut redis = Redis::connect(address);
            let mut at = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let number = at.len();
                channel_message(&mut redis, "12", &number.to_string(), &number.to_string());
                let bare = json!({ "text": number.to_string(), "user_id": 9, "timestamp": 1_767_225_600 });
                at.push(Instant::now());
                redis.publish("chat:channel:13", &bare.to_string());
                // So many a second that a lost moment shows, and so few that it is no test of load.
                let next = at[number] + Duration::from_millis(5);
                while Instant::now() < next {
                    std::thread::yield_now();
                }
            }
            at
        });
        let mut heard = Heard::default();
        heard.until(&mut client, |heard| heard.named.len() >= 100);
        ends();
        until("the other one reads", || reads(two));
        let count = heard.bare.len();
        heard.until(&mut client, |heard| heard.bare.len() >= count + 200);
        stop.store(true, Ordering::Relaxed);
        let at = publishing.join().expect("it publishes");
        let published = at.len() as u64;
        heard.until(&mut client, |heard| heard.named.last() == Some(&(published - 1)));
        assert!(
            heard.bare.is_sorted_by(|one, next| one < next),
            "in order, and none twice: {:?}",
            heard.bare
        );
        let last = heard.bare.last().expect("some came");
        let missing = last + 1 - heard.bare.len() as u64;
        let gaps = heard.bare.windows(2).map(|two| at[two[1] as usize] - at[two[0] as usize]);
        Lost { named: heard.named, published, missing, silence: gaps.max().expect("more than one") }
    })
}

#[derive(Default)]
struct Heard {
    named: Vec<u64>,
    bare: Vec<u64>,
}

impl Heard {
    fn until(&mut self, client: &mut Client, holds: impl Fn(&Heard) -> bool) {
        while !holds(self) {
            let message = client.next("new_message");
            let number =
                message["payload"]["content"].as_str().and_then(|it| it.parse().ok()).expect("a number");
            if message["room"] == "12" { &mut self.named } else { &mut self.bare }.push(number);
        }
    }
}

fn all_named_came_in_order_once(lost: &Lost) {
    assert!(lost.named.iter().copied().eq(0..lost.published), "of {}: {:?}", lost.published, lost.named);
}

#[test]
fn what_has_an_id_outlives_the_kill_of_the_node_that_reads() {
    let fleet = Fleet::on_redis();
    let (one, two) = pair(&fleet);
    let lost = publish_through(&fleet, &two, || one.signal(Signal::SIGKILL));
    all_named_came_in_order_once(&lost);
    let millis = lost.silence.as_millis();
    println!("without an id {} were lost in {millis} ms, of a lease of 2 s", lost.missing);
    let most = LEASE + Duration::from_secs(1);
    assert!(lost.silence <= most, "without an id: {:?}, at most the lease and a moment", lost.silence);
    assert!(figure(&two, "replayed_total") > 0);
    assert_eq!(figure(&two, "leases_taken_total"), 1);
}

#[test]
fn nothing_is_lost_or_said_twice_where_the_node_that_reads_ends_in_peace() {
    let fleet = Fleet::on_redis();
    let (one, two) = pair(&fleet);
    let lost = publish_through(&fleet, &two, || one.signal(Signal::SIGTERM));
    all_named_came_in_order_once(&lost);
    assert_eq!(lost.missing, 0, "it said where it leaves, and the other went on from there");
    assert!(one.wait().success());
}

/// A plain client plays the part of a node that reads: it says that it leaves, and has not read what came before its word.
#[test]
fn what_a_node_that_leaves_has_not_read_is_taken_by_the_next_one() {
    let fleet = Fleet::on_redis();
    let mut redis = Redis::connect(fleet.broker.address);
    redis.ask(&["SET", "kulkul:bridge:lease", "other"]);
    let next = node(&fleet, &[]);
    until("it hears", || figure(&next, "listening") == 1);
    let mut client = fleet.client(&next, "ana");
    client.join("12");
    let bare = |redis: &mut Redis, text: &str| {
        let row = json!({ "text": text, "user_id": 9, "timestamp": 1_767_225_600 });
        redis.publish("chat:channel:12", &row.to_string());
    };
    channel_message(&mut redis, "12", "m-1", "unread");
    bare(&mut redis, "nothing tells it from what was read");
    redis.publish("kulkul:bridge:holders", "leaves other");
    bare(&mut redis, "behind the word");
    channel_message(&mut redis, "12", "m-2", "last");
    until("four wait", || figure(&next, "shelved") == 4);
    redis.ask(&["DEL", "kulkul:bridge:lease"]);
    redis.publish("kulkul:bridge:holders", "left other");
    for content in ["unread", "behind the word", "last"] {
        assert_eq!(
            heard(&mut client),
            json!([content, "9", if content == "behind the word" { "9" } else { "Cy" }])
        );
    }
    assert_eq!((figure(&next, "replayed_total"), figure(&next, "replay_skipped_total")), (1, 1));
}
