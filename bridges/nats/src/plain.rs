//! Subjects that no stream keeps: what is published while somebody listens is heard, by one node of the group, and at most once. What
//! comes faster than it is taken is dropped, counted and said. It waits for no room.

use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt;

use crate::heard::Heard;
use crate::parts::Parts;
use crate::said::Way;
use crate::source::put;
use crate::tables::{ACK_WAIT, Made};
use crossing::add;

const AGAIN: Duration = Duration::from_secs(1);

/// For as long as the thread lives.
pub(crate) async fn go_on(parts: Rc<Parts>, way: Rc<Way>, subject: String) {
    let made = Made { ack_wait: ACK_WAIT, deliver_max: None, whole: false };
    while parts.runs() {
        let listens = parts.js.client.queue_subscribe(subject.clone(), parts.group.clone()).await;
        let mut heard = match listens {
            Ok(heard) => heard,
            Err(error) => {
                parts.counts.reach.is_amiss(&format!("the source {subject}"), &error.to_string());
                parts.rest(AGAIN).await;
                continue;
            }
        };
        add(&parts.counts.sources, 1);
        let mut stage = parts.stage.clone();
        while parts.runs() {
            let message = tokio::select! {
                message = heard.next() => message,
                _ = stage.changed() => continue,
            };
            let Some(message) = message else { break };
            if parts.lanes.places() == 0 {
                add(&parts.counts.read_total, 1);
                add(&parts.counts.dropped_total, 1);
            } else {
                put(&parts, &way, Heard::plain(message), &made);
            }
        }
        heard.unsubscribe().await.ok();
        parts.counts.sources.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}
