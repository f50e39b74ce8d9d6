//! Who is alive, as the server says: one task looks, renews and begins, one question at a time, so that what it learns
//! comes in order. It ends nobody by a clock of its own.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engine::Answer;
use redis::Value;
use redis_wire::{Call, Fault};
use tokio::sync::{mpsc, oneshot};
use vocabulary::{Incarnation, RoomId, SLICES, Slice};

use crate::counts::add;
use crate::keys::{deployment_slot, slice_slot};
use crate::lanes::Errand;
use crate::news::{attends_begins, ended_begins, millis};
use crate::parts::Parts;

/// Looks that wait for their turn: of each shard one renewal, of each lane one beginning.
pub(crate) const LOOKS_MAX: usize = 2 * crate::lanes::LANES;
/// For a lane to have done what was asked before a new life attends.
const BARRIER_WITHIN: Duration = Duration::from_secs(10);
/// For so long cleaning up after a lease is given to one node; then another may take it.
const CLEANING: Duration = Duration::from_secs(60);
/// What cleaning takes away at once: a few milliseconds of the server's time.
const CLEANED_AT_ONCE: usize = 200;
/// Rooms told to one steward at once, of one slice; the rest come with the next look, when these are settled.
const DUE_MAX: usize = 256;
/// Slices asked at once for what is due or left over.
const SLICES_AT_ONCE: usize = 64;

pub(crate) enum Look {
    Attend {
        by: Incarnation,
        shards: u16,
        /// What this shard asked before has been done.
        is_clear: bool,
    },
    Begin {
        by: Incarnation,
        done: oneshot::Sender<Option<u64>>,
    },
    Now {
        done: oneshot::Sender<()>,
    },
}

/// What is said with one look.
#[derive(Clone, Copy)]
enum Saying {
    Nothing,
    Attends(Incarnation, u16),
    Begins(Incarnation),
}

pub(crate) async fn go_on(
    parts: Rc<Parts>,
    mut looks: mpsc::Receiver<Look>,
    lanes: Vec<mpsc::Sender<Errand>>,
) {
    let every = parts.lease / 8;
    let mut next = tokio::time::Instant::now();
    let mut cleaning: Option<tokio::task::JoinHandle<()>> = None;
    loop {
        let asked = tokio::select! {
            asked = looks.recv() => match asked {
                Some(asked) => Some(asked),
                None => return,
            },
            () = tokio::time::sleep_until(next) => None,
        };
        let saying = match &asked {
            Some(Look::Attend { by, shards, is_clear }) => {
                parts.knows(*by);
                if !is_clear && parts.living.borrow().number(*by).is_none_or(|_| parts.has_older_life(*by)) {
                    tokio::task::spawn_local(clear(parts.clone(), lanes.clone(), *by, *shards));
                    continue;
                }
                Saying::Attends(*by, *shards)
            }
            Some(Look::Begin { by, .. }) => match parts.living.borrow().number(*by) {
                Some(_) => {
                    finish(&parts, asked);
                    continue;
                }
                None => Saying::Begins(*by),
            },
            Some(Look::Now { .. }) | None => Saying::Nothing,
        };
        next = tokio::time::Instant::now() + every;
        let over = |task: &tokio::task::JoinHandle<()>| task.is_finished();
        match look(&parts, saying).await {
            Ok(job) => {
                parts.wires.writes_are_taken();
                if let Some(lease) = job
                    && cleaning.as_ref().is_none_or(over)
                {
                    cleaning = Some(tokio::task::spawn_local(clean(parts.clone(), lease)));
                }
                finish(&parts, asked);
            }
            Err(fault) => {
                tracing::debug!(why = fault.words(), "no look at the leases");
                if let Some(Look::Attend { .. }) = asked {
                    add(&parts.counts.unanswered_total);
                }
            }
        }
    }
}

/// A new life says everything anew and then attends, which ends the old one. Nobody is to be gone in between: what it said
/// goes first, in whatever lane it waits.
async fn clear(parts: Rc<Parts>, lanes: Vec<mpsc::Sender<Errand>>, by: Incarnation, shards: u16) {
    let through = async {
        let mut passed = Vec::with_capacity(lanes.len());
        for lane in &lanes {
            let (done, wait) = oneshot::channel();
            lane.send(Errand::Barrier(done)).await.ok()?;
            passed.push(wait);
        }
        for wait in passed {
            wait.await.ok()?;
        }
        Some(())
    };
    match tokio::time::timeout(BARRIER_WITHIN, through).await {
        Ok(Some(())) => parts.look(Look::Attend { by, shards, is_clear: true }).await,
        Ok(None) | Err(_) => add(&parts.counts.unanswered_total),
    }
}

fn finish(parts: &Rc<Parts>, asked: Option<Look>) {
    match asked {
        Some(Look::Attend { by, .. }) => {
            parts.forget_older(by);
            tokio::task::spawn_local(attending(parts.clone(), by));
        }
        // Who asked may have given up.
        Some(Look::Begin { by, done }) => drop(done.send(parts.living.borrow().number(by))),
        Some(Look::Now { done }) => drop(done.send(())),
        None => {}
    }
}

/// One look; answers an ended lease that waits to be cleaned up after.
async fn look(parts: &Rc<Parts>, saying: Saying) -> Result<Option<u64>, Fault> {
    let (what, by, shards) = match saying {
        Saying::Nothing => ("look", None, 0),
        Saying::Attends(by, shards) => ("attend", Some(by), shards),
        Saying::Begins(by) => ("begin", Some(by), 0),
    };
    let keys = &parts.keys;
    let name = by.map_or(String::new(), |by| format!("{}.{}.{}", by.node, by.shard.0, by.life));
    let call = Call::on([keys.leases(), keys.ended(), keys.record()])
        .arg(what)
        .number(millis(parts.lease))
        .arg(name)
        .number(shards)
        .arg(parts.publish())
        .arg(keys.ended_channel().name)
        .arg(ended_begins())
        .number(millis(CLEANING))
        .arg(by.map_or(String::new(), |by| attends_begins(by, shards)));
    let answer = parts.wires.run(LOOKING, deployment_slot(), &parts.scripts.leases, call).await?;
    let (has_record, upto, job, found) = read(answer).ok_or(Fault::Unreadable)?;
    let gone = parts.living.borrow_mut().found(upto, found);
    for (incarnation, number) in gone {
        parts.ended(incarnation, number);
    }
    if !has_record {
        parts.remake().await?;
    }
    Ok(job)
}

/// The lane of looks, of which there is one.
const LOOKING: usize = 0;

type Found = (bool, u64, Option<u64>, BTreeMap<Incarnation, (u64, u16)>);

fn read(answer: Value) -> Option<Found> {
    let Value::Array(parts) = answer else { return None };
    let mut parts = parts.into_iter();
    let has_record = parts.next()? == Value::Int(1);
    let mut text = || match parts.next()? {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    };
    let upto = text()?.parse().ok()?;
    let job = text()?;
    let job = if job.is_empty() { None } else { Some(job.parse().ok()?) };
    let mut found = BTreeMap::new();
    while let Some(name) = text() {
        let (number, shards) = (text()?.parse().ok()?, text()?.parse().ok()?);
        found.insert(crate::news::Words::of(&name.replace('.', " ")).incarnation()?, (number, shards));
    }
    Some((has_record, upto, job, found))
}

/// Which slices, and what in them is due; told when news of more can be heard.
async fn attending(parts: Rc<Parts>, by: Incarnation) {
    // Without it the lease runs all the same, and what is missed is said to be missed.
    parts.hears_of(by.node).await;
    let slices = parts.living.borrow().slices_of(by);
    let due = due(&parts, &slices).await;
    parts.post.answer(by, Answer::Attending { slices, due }).await;
}

/// Slices whose server does not answer have nothing due until it does.
async fn due(parts: &Rc<Parts>, slices: &[Slice]) -> Vec<RoomId> {
    let horizon = crate::parts::wall() + parts.lease;
    let mut all: Vec<(i64, RoomId)> = Vec::new();
    for some in slices.chunks(SLICES_AT_ONCE) {
        let asking: Vec<_> = some
            .iter()
            .map(|slice| {
                let (parts, slice) = (parts.clone(), *slice);
                tokio::task::spawn_local(async move {
                    let mut command = redis::cmd("ZRANGEBYSCORE");
                    command.arg(parts.keys.due(slice)).arg("-inf").arg(horizon.0).arg("WITHSCORES");
                    command.arg("LIMIT").arg(0).arg(DUE_MAX);
                    parts.wires.ask(usize::from(slice.0), slice_slot(slice), command).await
                })
            })
            .collect();
        for answer in asking {
            let rooms = match answer.await {
                Ok(Ok(answer)) => redis::from_redis_value::<Vec<(String, f64)>>(answer).ok(),
                Ok(Err(_)) | Err(_) => None,
            };
            let Some(rooms) = rooms else {
                add(&parts.counts.unanswered_total);
                continue;
            };
            all.extend(
                rooms.into_iter().filter_map(|(room, at)| Some((at as i64, RoomId::from_full(&room)?))),
            );
        }
    }
    all.sort();
    all.into_iter().map(|(_, room)| room).collect()
}

/// Takes away what an ended lease has left. Whoever fails leaves the rest to the next.
async fn clean(parts: Rc<Parts>, lease: u64) {
    for number in 0..SLICES {
        let slice = Slice(number);
        loop {
            let call = Call::on([parts.keys.left(slice, lease)])
                .number(lease)
                .arg(parts.keys.slice(slice))
                .number(CLEANED_AT_ONCE)
                .number(millis(parts.lease));
            match parts.wires.run(LOOKING, slice_slot(slice), &parts.scripts.clean, call).await {
                Ok(Value::Int(taken))
                    if usize::try_from(taken).is_ok_and(|taken| taken >= CLEANED_AT_ONCE) => {}
                Ok(_) => break,
                Err(_) => return,
            }
        }
    }
    let mut command = redis::cmd("ZREM");
    command.arg(parts.keys.ended()).arg(lease);
    if parts.wires.ask(LOOKING, deployment_slot(), command).await.is_ok() {
        add(&parts.counts.cleaned_total);
    }
}
