//! A subject that is a real engine: a link for each node, the real clock, and answers that come when they come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use engine::{Answer, Asked};
use link::{Answers, Link};
use vocabulary::{Incarnation, Now, Tick, Wall};

use crate::Subject;

/// Longer than any answer takes on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than any dialogue is told and has not heard.
const HEARD_MAX: usize = 4096;

/// One engine to be tested: its server, if it has one, and how a node comes to it.
pub trait Plant {
    /// Another node of the same deployment.
    fn open(&mut self, answers: Arc<dyn Answers>) -> Arc<dyn Link>;
    fn lease(&self) -> Duration;
    /// What keeps the records ends as by a kill, and is there again. All links are gone before.
    fn restart(&mut self);
}

pub struct Wired<P> {
    plant: P,
    links: BTreeMap<u64, Arc<dyn Link>>,
    boxes: Arc<Boxes>,
    heard: Receiver<(Incarnation, Answer)>,
    started: Instant,
}

struct Boxes(SyncSender<(Incarnation, Answer)>);

impl Answers for Boxes {
    fn put(&self, to: Incarnation, answer: Answer) -> Result<(), Box<Answer>> {
        self.0.try_send((to, answer)).map_err(|refused| match refused {
            TrySendError::Full((_, answer)) | TrySendError::Disconnected((_, answer)) => Box::new(answer),
        })
    }
}

impl<P: Plant> Wired<P> {
    pub fn new(plant: P) -> Wired<P> {
        let (send, heard) = sync_channel(HEARD_MAX);
        Wired { plant, links: BTreeMap::new(), boxes: Arc::new(Boxes(send)), heard, started: Instant::now() }
    }
}

/// The one thing here that takes time is time: leases and lives end by the clock of a real engine.
pub fn pass(span: Duration) {
    std::thread::sleep(span);
}

impl<P: Plant> Subject for Wired<P> {
    fn ask(&mut self, asked: Asked) {
        let Wired { plant, links, boxes, .. } = self;
        let link = links.entry(asked.by.node).or_insert_with(|| plant.open(boxes.clone()));
        let mut asked = asked;
        let since = Instant::now();
        while let Err(back) = link.ask(asked) {
            assert!(since.elapsed() < PATIENCE, "no place for {back:?}");
            asked = *back;
            std::thread::yield_now();
        }
    }

    fn next(&mut self) -> Option<(Incarnation, Answer)> {
        self.heard.recv_timeout(PATIENCE).ok()
    }

    fn now(&self) -> Now {
        let tick = Tick(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { tick, wall: Wall(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)) }
    }

    fn pass(&mut self, span: Duration) {
        pass(span);
    }

    fn lease(&self) -> Duration {
        self.plant.lease()
    }

    fn restart(&mut self) {
        self.links.clear();
        self.plant.restart();
        while self.heard.try_recv().is_ok() {}
    }
}
