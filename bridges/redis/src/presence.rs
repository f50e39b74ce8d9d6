//! Who is connected to this node, written into the keys that seed 001's readers know. Every node writes its own users, each
//! with an end of its own; who is on two nodes stays online until both have let go. It reads nothing back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redis_wire::{Call, Script};
use vocabulary::UserId;

use crate::counts::add;
use crate::parts::Parts;
use crate::stage::Stage;

/// As in the seed: five minutes, and a day for the last word about somebody who is gone.
const ONLINE: Duration = Duration::from_secs(5 * 60);
const OFFLINE: Duration = Duration::from_secs(24 * 60 * 60);
/// Twice in the life of what it renews, and once more.
const RENEW_EVERY: Duration = Duration::from_secs(100);
/// Shards say who is here about as often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Users in one command: some hundred microseconds of the server's.
const AT_ONCE: usize = 100;
const SWEPT_AT_ONCE: usize = 500;

pub(crate) async fn go_on(parts: &Parts) {
    parts.facts.watch_users();
    // When each was last written.
    let mut written: BTreeMap<UserId, Instant> = BTreeMap::new();
    let mut swept = Instant::now();
    let mut stage = parts.stage.clone();
    while *stage.borrow_and_update() < Stage::Ends {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stage.changed() => continue,
        }
        let here = parts.facts.users_here();
        let here: std::collections::BTreeSet<&UserId> = here.iter().flat_map(|users| users.iter()).collect();
        let gone: Vec<UserId> = written.keys().filter(|user| !here.contains(user)).cloned().collect();
        let is_due = |user: &&UserId| written.get(*user).is_none_or(|at| at.elapsed() >= RENEW_EVERY);
        let due: Vec<UserId> = here.into_iter().filter(is_due).cloned().collect();
        for some in due.chunks(AT_ONCE) {
            // Who could not be written is due again.
            if write(parts, &parts.asks.scripts.here, ONLINE, some).await {
                written.extend(some.iter().map(|user| (user.clone(), Instant::now())));
            }
        }
        forget(parts, &gone, &mut written).await;
        if swept.elapsed() >= SWEEP_EVERY {
            swept = Instant::now();
            let call = Call::on([parts.key("online")]).number(ONLINE.as_millis()).number(OFFLINE.as_millis());
            // Whoever it was that it did not end is ended the next time.
            parts.asks.run(&parts.asks.scripts.sweep, &call.number(SWEPT_AT_ONCE)).await.ok();
        }
    }
    let all: Vec<UserId> = written.keys().cloned().collect();
    forget(parts, &all, &mut written).await;
}

async fn forget(parts: &Parts, gone: &[UserId], written: &mut BTreeMap<UserId, Instant>) {
    for some in gone.chunks(AT_ONCE) {
        if write(parts, &parts.asks.scripts.gone, OFFLINE, some).await {
            written.retain(|user, _| !some.contains(user));
        }
    }
}

async fn write(parts: &Parts, script: &Script, lives: Duration, users: &[UserId]) -> bool {
    let call = Call::on([parts.key("online")]).arg(parts.token.as_str()).arg(parts.key("on:"));
    let call = users.iter().fold(call.number(lives.as_millis()), |call, user| call.arg(user.as_str()));
    let is_written = parts.asks.run(script, &call).await.is_ok();
    if is_written {
        add(&parts.counts.presence_written_total, users.len());
    }
    is_written
}
