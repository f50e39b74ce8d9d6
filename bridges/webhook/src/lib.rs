//! What happens in rooms, told to a team's own back ends by HTTP: signed, in each room's order, at least once. It asks rooms for what
//! they owe, from a thread of its own; rooms know nothing of it, and no client ever waits for it.

mod call;
mod counts;
mod event;
mod failing;
mod happened;
mod letters;
mod sink;
mod targets;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossing::{Carrier, Stage};
use link::{Condition, Figure};
use node::{Desk, Network, Outflow, Owed, Series};
use tokio::sync::watch;
use tokio::task::LocalSet;
use vocabulary::{RoomId, Traced};

use call::Receiver;
use counts::Counts;
use failing::Failing;
use sink::Sink;

/// Between two looks at what waits, for figures.
const LOOK: Duration = Duration::from_secs(1);
/// Of a call's thread: a request, an answer, a TLS handshake.
const STACK_BYTES: usize = 512 << 10;

/// One receiver, and what it is told.
#[derive(Clone, Debug)]
pub struct Hook {
    pub name: String,
    pub url: String,
    /// Each signs; the first is the newest.
    pub secrets: Vec<String>,
    /// Full names, or the beginning of one and `*`.
    pub rooms: Vec<String>,
    /// Of records, by their types; empty: all.
    pub types: Vec<String>,
    /// What happens to connections and is told, by its names.
    pub events: Vec<String>,
    /// A whole call.
    pub timeout: Duration,
    pub connect_timeout: Duration,
    /// Events in a call.
    pub batch: usize,
    /// Calls under way.
    pub at_once: usize,
    /// An event that fails for so long is a dead letter.
    pub give_up: Duration,
    /// Networks that are no public ones, and are meant.
    pub allow: Vec<Network>,
}

impl Hook {
    fn is_for(&self, room: &RoomId) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => room.as_str().starts_with(beginning),
            None => room.as_str() == pattern,
        };
        match room.app() {
            webhooks::APP => room.name().split(':').next() == Some(&*self.name),
            _ => self.rooms.iter().any(fits),
        }
    }
}

/// The first that fits a room is its own.
fn whose<'a>(hooks: &'a [Arc<Hook>], room: &RoomId) -> Option<&'a Arc<Hook>> {
    hooks.iter().find(|hook| hook.is_for(room))
}

#[derive(Clone, Debug)]
pub struct Config {
    /// This deployment, in what it says.
    pub origin: String,
    /// At least one.
    pub hooks: Vec<Hook>,
}

/// What of a node it works with.
pub struct Ground {
    /// The name of this node, as the operator\'s calls say it.
    pub node: u64,
    pub desk: Desk,
    /// Where rooms say that they have something for a webhook.
    pub owed: Arc<Owed>,
    /// What happens to connections, where a webhook is told of it.
    pub happened: Option<Outflow<Traced>>,
}

/// A node's bridge. Its thread and its calls end with it.
pub struct Bridge {
    counts: Vec<Arc<Counts>>,
    stage: watch::Sender<Stage>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Does not wait for any receiver: a node serves without them.
pub fn start(config: Config, ground: Ground) -> std::io::Result<Bridge> {
    let counts: Vec<Arc<Counts>> =
        config.hooks.iter().map(|hook| Arc::new(Counts::new(&hook.name))).collect();
    let (stage, stages) = watch::channel(Stage::Runs);
    let begin = Begin { config, ground, counts: counts.clone(), stages };
    let thread = std::thread::Builder::new().name("webhooks".to_owned()).spawn(move || begin.run())?;
    Ok(Bridge { counts, stage, thread: Mutex::new(Some(thread)) })
}

impl Bridge {
    /// The node has ended, and nothing more leaves its rooms: what has not left goes from the next steward.
    pub fn end(&self) {
        self.stage.send_replace(Stage::Ends);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of webhooks panicked");
        }
    }
}

impl node::Bridge for Bridge {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn condition(&self) -> Condition {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.stage.borrow() == Stage::Runs && thread.as_ref().is_some_and(JoinHandle::is_finished) {
            let why = "its thread panicked; the log says why. Begin the process again".to_owned();
            return Condition::Away { why };
        }
        counts::condition(&self.counts)
    }

    fn figures(&self) -> Vec<Figure> {
        counts::figures(&self.counts)
    }

    fn series(&self) -> Vec<Series> {
        counts::series(&self.counts)
    }
}

/// What the thread begins with.
struct Begin {
    config: Config,
    ground: Ground,
    counts: Vec<Arc<Counts>>,
    stages: watch::Receiver<Stage>,
}

impl Begin {
    fn run(self) {
        let calls = self.config.hooks.iter().map(|hook| hook.at_once).sum::<usize>().max(1);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().max_blocking_threads(calls).thread_stack_size(STACK_BYTES).build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "webhooks have no runtime"),
        };
        LocalSet::new().block_on(&runtime, self.go_on());
        // A call under way is not waited for: it is told again.
        runtime.shutdown_background();
    }

    async fn go_on(self) {
        let Begin { config, ground, counts, mut stages } = self;
        let hooks: Arc<[Arc<Hook>]> = config.hooks.into_iter().map(Arc::new).collect();
        let origin: Arc<str> = config.origin.into();
        let mut boxes = Vec::new();
        if let Some(happened) = ground.happened {
            let teller =
                happened::Teller::new(ground.desk.clone(), &hooks, &counts, stages.clone(), ground.node);
            tokio::task::spawn_local(teller.go_on(happened));
        }
        for (hook, counts) in hooks.iter().zip(counts) {
            let sink = Rc::new(Sink {
                hook: hook.clone(),
                hooks: hooks.clone(),
                receiver: Arc::new(Receiver::of(hook)),
                desk: ground.desk.clone(),
                counts,
                stage: stages.clone(),
                origin: origin.clone(),
                failing: RefCell::new(Failing::default()),
                missed: RefCell::default(),
                later: Cell::new(None),
                probes: Cell::new(false),
            });
            let owed = Arc::new(Owed::default());
            boxes.push(owed.clone());
            tokio::task::spawn_local(look(sink.clone(), owed.clone()));
            tokio::task::spawn_local(crossing::go_on(sink, owed));
        }
        tokio::task::spawn_local(share(ground.owed, hooks, boxes));
        // An error: whoever would say so has gone.
        stages.wait_for(|stage| *stage == Stage::Ends).await.ok();
    }
}

/// A box for each receiver, so that one that is away keeps nothing from the others. A room that is nobody's is told so by the first.
async fn share(owed: Arc<Owed>, hooks: Arc<[Arc<Hook>]>, boxes: Vec<Arc<Owed>>) {
    loop {
        let room = owed.next().await;
        let index = hooks.iter().position(|hook| hook.is_for(&room)).unwrap_or(0);
        if let Some(owed) = boxes.get(index) {
            owed.put(room);
        }
    }
}

async fn look(sink: Rc<Sink>, owed: Arc<Owed>) {
    while !sink.has_ended() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        sink.look(owed.count(), i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        sink.rest(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn hook(name: &str, rooms: &[&str]) -> Hook {
        Hook {
            name: name.to_owned(),
            url: "https://back.example.org/".to_owned(),
            secrets: vec!["a secret of the receiver, 32 bytes".to_owned()],
            rooms: rooms.iter().map(|it| (*it).to_owned()).collect(),
            types: Vec::new(),
            events: Vec::new(),
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            batch: 8,
            at_once: 2,
            give_up: Duration::from_secs(60),
            allow: Vec::new(),
        }
    }

    #[test]
    fn the_first_webhook_that_fits_a_room_is_its_own_and_its_own_rooms_are_by_name() {
        let hooks = [hook("vip", &["chat:vip", "support:*"]), hook("rest", &["chat:*"])].map(Arc::new);
        for (room, name) in [
            ("chat:vip", Some("vip")),
            ("chat:vip2", Some("rest")),
            ("support:a", Some("vip")),
            ("rides:ride:a", None),
            ("webhooks:rest", Some("rest")),
            ("webhooks:vip:3", Some("vip")),
            ("webhooks:other", None),
        ] {
            let room = RoomId::from_full(room).expect("a room");
            assert_eq!(whose(&hooks, &room).map(|it| &*it.name), name, "{room}");
        }
    }
}
