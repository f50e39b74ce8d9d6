//! What the log says of the server: when nothing can be stored any more and when it can be again, once each, however often it
//! is tried in between.

mod world;

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use conformance::words::{A, batch, general, room};
use engine::{Answer, Appended, Batch, Question};
use link::{Condition, Link};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};
use world::desk::{Desk, PATIENCE, operate};

/// Keeps what this engine says.
struct Lines;

static SAID: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

fn said() -> Vec<(Level, String)> {
    std::mem::take(&mut SAID.lock().expect("whole"))
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with("engine_nats")
            && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.0.push_str(&format!("{}={value:?} ", field.name()));
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        SAID.lock().expect("whole").push((*event.metadata().level(), text.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Asks for its lease meanwhile, as every shard does.
fn until(desk: &mut Desk, mut is_it: impl FnMut(&Desk) -> bool) {
    let since = Instant::now();
    while !is_it(desk) {
        assert!(since.elapsed() < PATIENCE, "{:?}", desk.node.condition());
        desk.tell(Question::Attend { shards: 1 });
        desk.hear_within(Duration::from_millis(100), |answer| matches!(answer, Answer::Attending { .. }));
    }
}

fn serves(desk: &Desk) -> bool {
    desk.node.condition() == Condition::Serving
}

/// One test: the log is the process's.
#[test]
fn a_full_store_and_a_server_that_is_away_are_said_once_and_believed_until_something_is_stored() {
    tracing::subscriber::set_global_default(Lines).expect("the first");
    let mut server = world::server_with(|folder| {
        let file = folder.join("server.conf");
        std::fs::write(&file, "jetstream { max_file_store: 200000, max_mem_store: 1000000000 }\n")
            .expect("written");
        vec!["-c".into(), file.into()]
    });
    let url = world::url(&server);
    let config = world::config(&url);
    let mut desk = Desk::new(&config, A);
    let start = desk.start();
    desk.load(&general());
    desk.ask(&Question::Attend { shards: 1 }, |answer| matches!(answer, Answer::Attending { .. }));
    assert_eq!(said(), [], "all is well");

    let refused = (1..100).find(|number| {
        let large = "x".repeat(30_000);
        let asked = Batch { number: *number, ..batch(start, &[&[&large]]) };
        desk.append(&room(&format!("r{number}")), asked) == Appended::Refused
    });
    assert!(refused.is_some(), "it has a limit");
    let calls = desk.figure("nats_refused_total");
    // Whoever has nothing to store learns it by the lease, and does not forget it.
    until(&mut desk, |desk| desk.figure("nats_refused_total") >= calls + 5);
    let Condition::Away { why } = desk.node.condition() else { panic!("nothing was stored since") };
    assert!(why.contains("insufficient resources") && why.contains("max_file_store"), "{why}");
    let lines = said();
    assert!(matches!(&lines[..], [(Level::WARN, what)] if what.contains("max_file_store")), "{lines:?}");

    let log = format!("{}_LOG", config.prefix.replace('.', "_"));
    operate(&url, &format!("STREAM.PURGE.{log}"), json!({}));
    until(&mut desk, serves);
    let lines = said();
    assert!(matches!(&lines[..], [(Level::INFO, what)] if what.contains("stores again")), "{lines:?}");

    server.kill();
    until(&mut desk, |desk| !serves(desk));
    server.begin();
    until(&mut desk, serves);
    let of_server: Vec<_> = said().into_iter().filter(|(_, what)| !what.contains("a stream")).collect();
    assert!(
        matches!(&of_server[..], [(Level::WARN, away), (Level::INFO, _)] if away.contains("no connection")),
        "{of_server:?}"
    );
}
