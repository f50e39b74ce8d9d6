//! Messages that cannot be taken: logged, counted, and put where somebody can look at them, the newest thousand. It never keeps
//! the next message waiting, and gives up a letter rather than that.

use std::time::Duration;

use redis_wire::{Call, Fault};
use serde_json::json;
use tokio::sync::mpsc;

use crate::counts::add;
use crate::ear::Heard;
use crate::parts::Parts;
use crate::seldom::Seldom;
use crate::stage::Stage;

/// Kept in Redis.
const KEPT_MAX: usize = 1000;
/// Letters that wait to be put there.
pub(crate) const WAITING_MAX: usize = 256;
const AT_ONCE: usize = 32;
const AGAIN: Duration = Duration::from_millis(500);

/// Where letters are handed in.
pub(crate) struct Letters {
    waiting: mpsc::Sender<String>,
    seldom: Seldom,
}

impl Letters {
    pub(crate) fn new(waiting: mpsc::Sender<String>) -> Letters {
        Letters { waiting, seldom: Seldom::default() }
    }

    /// `attempts`: how often a room was asked.
    pub(crate) fn put(&self, parts: &Parts, heard: &Heard, reason: &str, attempts: u32) {
        add(&parts.counts.dead_letters_total, 1);
        if let Some(times) = self.seldom.happened() {
            let channel = &*heard.channel;
            tracing::warn!(channel, reason, times, "a message of Redis is not taken");
        }
        let letter = json!({
            "origin": &*heard.channel,
            "reason": reason,
            "attempt": attempts,
            "at": node::Facts::now().to_string(),
            "message": String::from_utf8_lossy(&heard.message),
        });
        if self.waiting.try_send(letter.to_string()).is_err() {
            add(&parts.counts.dead_letters_unkept_total, 1);
        }
    }
}

pub(crate) async fn go_on(parts: &Parts, mut waiting: mpsc::Receiver<String>) {
    let mut some = Vec::new();
    while waiting.recv_many(&mut some, AT_ONCE).await > 0 {
        let call = Call::on([parts.key("dead-letters")]).number(KEPT_MAX);
        let call = some.iter().fold(call, |call, letter| call.arg(letter.as_str()));
        while let Err(fault) = parts.asks.run(&parts.asks.scripts.letter, &call).await {
            // One that may have been put there is not put there twice.
            if matches!(fault, Fault::Doubtful(_)) || *parts.stage.borrow() == Stage::Ends {
                add(&parts.counts.dead_letters_unkept_total, some.len());
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        some.clear();
    }
}
