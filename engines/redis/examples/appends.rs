//! How many appends a second one node gets out of a Redis that writes each to its disk: `cargo run --release -p
//! kulkul-engine-redis --example appends`. It prints figures and proves nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use conformance::Server;
use conformance::words::{A, key, room};
use engine::{Answer, Appended, Asked, Batch, Followed, Parcel, Question};
use engine_redis::{Config, open};
use link::{Answers, Deployment, Link, SameKeys};
use vocabulary::{Check, Incarnation, Payload, Position, Seen};

const ROOMS: usize = 1000;
const SPAN: Duration = Duration::from_secs(5);
const BYTES: usize = 200;

struct Inbox(SyncSender<Answer>);

impl Answers for Inbox {
    fn put(&self, _: Incarnation, answer: Answer) -> Result<(), Box<Answer>> {
        self.0.try_send(answer).map_err(|refused| match refused {
            std::sync::mpsc::TrySendError::Full(answer)
            | std::sync::mpsc::TrySendError::Disconnected(answer) => Box::new(answer),
        })
    }
}

fn main() {
    for fsync in ["always", "everysec"] {
        for window in [1, 16, 64, 256] {
            let (appends, p50, p99) = measure(fsync, window);
            println!(
                "appendfsync {fsync}, {window} at once: {appends:.0} a second, p50 {p50:?}, p99 {p99:?}"
            );
        }
    }
}

fn measure(fsync: &str, window: usize) -> (f64, Duration, Duration) {
    let server = Server::start("redis-server", |port, folder| {
        let words = format!("--port {port} --bind 127.0.0.1 --appendonly yes --appendfsync {fsync} --dir");
        let mut all: Vec<std::ffi::OsString> = words.split(' ').map(Into::into).collect();
        all.push(folder.into());
        all.extend(["--save", ""].map(Into::into));
        all
    });
    let (send, heard) = sync_channel(4096);
    let config = Config { url: format!("redis://{}", server.address), ..Config::default() };
    let deployment = Deployment::of_this_build(7, Vec::new());
    let link = open(config, &deployment, SameKeys::NeedNot, Arc::new(Inbox(send))).expect("it opens");
    let ask = |question| link.ask(Asked { by: A, question }).expect("a place");
    ask(Question::Follow { room: room("0"), seen: None, ticket: 0 });
    let Ok(Answer::Followed { outcome: Followed::Loaded(loaded), .. }) = heard.recv() else {
        panic!("loaded")
    };
    let epoch = loaded.head.epoch;
    let mut seen: BTreeMap<usize, (Seen, Payload, Instant)> = BTreeMap::new();
    let (mut free, mut number) = ((0..ROOMS).rev().collect::<Vec<_>>(), 0_u64);
    let mut spans = Vec::new();
    let mut at: BTreeMap<usize, Seen> = BTreeMap::new();
    let since = Instant::now();
    while since.elapsed() < SPAN {
        while seen.len() < window {
            let Some(of) = free.pop() else { break };
            number += 1;
            let data = Payload::from(vec![b'x'; BYTES]);
            let start = Seen { position: Position { epoch, offset: 0 }, check: Check::default() };
            let from = at.get(&of).copied().unwrap_or(start);
            let parcels = vec![Parcel { key: key(&number.to_string()), records: vec![data.clone()] }];
            let batch = Batch { number: of as u64, seen: from, guarded: false, parcels, due: None };
            ask(Question::Append { room: room(&of.to_string()), batch });
            seen.insert(of, (from, data, Instant::now()));
        }
        match heard.recv().expect("an answer") {
            Answer::Appended { number, outcome: Appended::Stored { head, .. }, .. } => {
                let of = number as usize;
                let (from, data, asked) = seen.remove(&of).expect("asked");
                spans.push(asked.elapsed());
                at.insert(of, Seen { position: head, check: from.check.roll(Check::hash(&data)) });
                free.insert(0, of);
            }
            other => panic!("{other:?}"),
        }
    }
    let rate = spans.len() as f64 / since.elapsed().as_secs_f64();
    spans.sort();
    (rate, spans[spans.len() / 2], spans[spans.len() * 99 / 100])
}
