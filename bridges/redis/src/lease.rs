//! Who takes in what is published: one node, because pub/sub gives every message to whoever listens and to nobody twice. The
//! lease is a key in that same Redis, so that it ends where the messages do. Held by two for a moment it does no harm to what
//! has an id of its own: its room takes that once.

use std::cell::Cell;
use std::time::{Duration, Instant};

use redis::Value;
use redis_wire::Call;
use tokio::sync::Notify;

use crate::counts::{add, set};
use crate::parts::Parts;
use crate::stage::Stage;

/// The channel on which holders say that they took it, are about to leave, and have left. It is heard by the connection that hears
/// everything else, so that all agree on what came before a word and what behind it.
pub(crate) const WORDS: &str = "holders";

pub(crate) struct Lease {
    key: String,
    token: String,
    term: Duration,
    until: Cell<Option<Instant>>,
    pub(crate) taken: Notify,
}

impl Lease {
    pub(crate) fn new(key: String, token: String, term: Duration) -> Lease {
        Lease { key, token, term, until: Cell::new(None), taken: Notify::new() }
    }

    pub(crate) fn term(&self) -> Duration {
        self.term
    }

    /// By our own clock, from before it was asked for: it ends here no later than there.
    pub(crate) fn is_held(&self) -> bool {
        self.until.get().is_some_and(|until| Instant::now() < until)
    }

    fn renewed(&self, asked: Instant) -> bool {
        let is_news = !self.is_held();
        self.until.set(Some(asked + self.term));
        is_news
    }
}

/// Until the node stops reading.
pub(crate) async fn keep(parts: &Parts) {
    let (lease, mut stage) = (&parts.lease, parts.stage.clone());
    while *stage.borrow_and_update() == Stage::Runs {
        let wait = look(parts).await;
        set(&parts.counts.holds_lease, usize::from(lease.is_held()));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = parts.ears_changed.notified() => {}
            _ = stage.changed() => {}
        }
    }
}

/// When to look again.
async fn look(parts: &Parts) -> Duration {
    let lease = &parts.lease;
    let often = lease.term / 3;
    if !parts.is_listening() {
        // Whoever hears nothing must not keep others from hearing. What is asked instead says whether the server is back.
        set(&parts.counts.holds_lease, usize::from(lease.is_held()));
        parts.asks.ask(&redis::cmd("PING")).await.ok();
        return often.min(Duration::from_millis(500));
    }
    let asked = Instant::now();
    let call = Call::on([lease.key.clone()]).arg(lease.token.as_str()).number(lease.term.as_millis());
    let call = call.arg(parts.key(WORDS));
    match parts.asks.run(&parts.asks.scripts.take, &call).await {
        Ok(Value::Int(0)) => {
            if lease.renewed(asked) {
                tracing::info!("this node takes in what Redis publishes");
                add(&parts.counts.leases_taken_total, 1);
                lease.taken.notify_one();
            }
            often
        }
        Ok(Value::Int(left)) => {
            if lease.until.take().is_some() {
                tracing::info!("another node takes in what Redis publishes");
            }
            often.min(Duration::from_millis(left.unsigned_abs() + 1))
        }
        Ok(_) => often,
        Err(_) => often.min(Duration::from_millis(500)),
    }
}

pub(crate) async fn release(parts: &Parts) {
    let lease = &parts.lease;
    if lease.until.take().is_some() {
        let call = Call::on([lease.key.clone()]).arg(lease.token.as_str()).arg(parts.key(WORDS));
        // Without an answer it ends by itself.
        parts.asks.run(&parts.asks.scripts.release, &call).await.ok();
    }
    set(&parts.counts.holds_lease, 0);
}
