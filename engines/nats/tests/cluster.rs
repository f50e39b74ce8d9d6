//! Three servers that replicate, and nodes that come to each of them. With servers that are too old for that, the tests hold
//! that they are refused.

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::words::{A, B, C, batch, general};
use conformance::{Plant, Server, Table, Wired, free_address};
use engine::{Answer, Appended, Batch, Placement};
use engine_nats::{Config, OpenError};
use link::{Answers, Link};
use vocabulary::Position;
use world::desk::{Desk, PATIENCE};

struct Cluster {
    servers: Vec<Server>,
    config: Config,
    opened: usize,
}

/// A meta leader is elected, and every stream's.
const ELECTED_WITHIN: Duration = Duration::from_secs(60);

impl Cluster {
    /// None: the server on the path is too old, and was refused with a reason.
    fn new() -> Option<Cluster> {
        let routes: Vec<String> = (0..3).map(|_| format!("nats://{}", free_address())).collect();
        let all = routes.join(",");
        let servers: Vec<Server> = (0..3)
            .map(|number| {
                let name = format!("server-{number}");
                let more = ["--server_name", &name, "--cluster_name", "test", "--cluster", &routes[number]];
                let more: Vec<_> = more.into_iter().chain(["--routes", &all]).map(Into::into).collect();
                world::server_with(|_| more.clone())
            })
            .collect();
        let config = Config { replicas: 3, ..world::config(&world::url(&servers[0])) };
        let mut cluster = Cluster { servers, config, opened: 0 };
        let since = Instant::now();
        loop {
            match world::open(&cluster.next(), Arc::new(Nobody)) {
                Ok(_) => return Some(cluster),
                Err(OpenError::TooOldForReplicas { version }) => {
                    assert!(version.starts_with("2.9.") || version.starts_with("2.10."), "{version}");
                    return None;
                }
                Err(error) => assert!(since.elapsed() < ELECTED_WITHIN, "{error}"),
            }
        }
    }

    /// For a node that comes to the next server first.
    fn next(&mut self) -> Config {
        self.opened += 1;
        let mut servers: Vec<String> = self.servers.iter().map(world::url).collect();
        servers.rotate_left(self.opened % 3);
        Config { servers, ..self.config.clone() }
    }
}

struct Nobody;

impl Answers for Nobody {
    fn put(&self, _: vocabulary::Incarnation, _: Answer) -> Result<(), Box<Answer>> {
        Ok(())
    }
}

impl Plant for Cluster {
    fn open(&mut self, answers: Arc<dyn Answers>) -> Arc<dyn Link> {
        Arc::new(world::open(&self.next(), answers).unwrap_or_else(|error| panic!("{error}")))
    }

    fn lease(&self) -> Duration {
        world::LEASE
    }

    fn restart(&mut self) {
        self.servers.iter_mut().for_each(Server::kill);
        self.servers.iter_mut().for_each(Server::begin);
    }
}

fn hold(dialogue: fn(Table)) {
    if let Some(cluster) = Cluster::new() {
        dialogue(Table::new(Box::new(Wired::new(cluster))));
    }
}

#[test]
fn what_replicas_tell_is_what_was_stored() {
    hold(conformance::log::three_nodes_that_append_at_once_make_one_order_without_a_hole);
}

#[test]
fn a_large_snapshot_and_a_new_epoch_are_read_through_any_server() {
    hold(conformance::snapshots::a_large_snapshot_comes_back_whole);
    hold(conformance::epochs::offsets_begin_at_one_and_the_old_epoch_is_lost);
}

#[test]
fn leases_are_the_same_through_any_server() {
    hold(conformance::leases::presence_and_claims_end_with_the_lease);
}

/// Each server once, while two nodes write.
#[test]
fn a_server_of_three_may_be_killed_under_load() {
    let Some(mut cluster) = Cluster::new() else { return };
    let mut follower = Desk::new(&cluster.next(), C);
    let start = follower.start();
    follower.load(&general());
    let writers: Vec<_> = [(A, "a"), (B, "b")]
        .into_iter()
        .map(|(by, name)| {
            let mut desk = Desk::new(&cluster.next(), by);
            std::thread::spawn(move || {
                let mut acked = Vec::new();
                for number in 0..200 {
                    let record = format!("{name}{number}");
                    let asked = Batch { number, ..batch(start, &[&[&record]]) };
                    loop {
                        match desk.append(&general(), asked.clone()) {
                            Appended::Stored { placements, .. } => break acked.push((record, placements[0])),
                            Appended::Refused => {}
                            other => panic!("{record}: {other:?}"),
                        }
                    }
                }
                acked
            })
        })
        .collect();
    for number in 0..3 {
        let since = Instant::now();
        while follower.hear_within(PATIENCE / 30, |answer| matches!(answer, Answer::Grown { .. })).is_none() {
            assert!(since.elapsed() < PATIENCE, "nothing is stored");
            // What was said while it was away is missed, and not looked for here.
            follower.load(&general());
        }
        cluster.servers[number].restart();
        follower.kept.clear();
    }
    let acked: Vec<(String, Placement)> =
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect();
    let log = follower.log(&general());
    for (record, placement) in &acked {
        let (Placement::At(offset) | Placement::Duplicate(Position { offset, .. })) = placement;
        assert_eq!(log.get(*offset as usize - 1), Some(record), "{placement:?} of {}", log.len());
    }
    let different: BTreeSet<&String> = log.iter().collect();
    assert_eq!((acked.len(), log.len(), different.len()), (400, 400, 400));
}
