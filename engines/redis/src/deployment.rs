//! The deployment's record in the server, and the first epoch of every slice, by which a server that lost everything is
//! told from the one it was. It never changes a first epoch that is there.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use engine::Format;
use link::{Deployment, Disagreement, SameKeys};
use redis::Value;
use redis_wire::{Fault, chance};
use tokio::sync::Mutex;
use vocabulary::{Epoch, SLICES, Slice};

use crate::counts::{Counts, add};
use crate::keys::{Keys, deployment_slot, slice_slot};
use crate::wires::Wires;

/// Two nodes that make the record at once need two rounds.
const ROUNDS_MAX: usize = 4;
const LANE: usize = 0;

pub(crate) struct Start {
    mine: Deployment,
    same_keys: SameKeys,
    /// One at a time, so that all lanes that find a slice without its epoch lead to one making.
    making: Mutex<()>,
    joined: AtomicU32,
    /// In which this node writes: a record that was lost is made again with it, whatever newer one the build knows.
    format: AtomicU8,
}

pub(crate) enum Unjoined {
    Disagrees(Disagreement),
    Fault(Fault),
}

impl From<Fault> for Unjoined {
    fn from(fault: Fault) -> Unjoined {
        Unjoined::Fault(fault)
    }
}

impl Start {
    pub(crate) fn new(mine: Deployment, same_keys: SameKeys) -> Start {
        let (joined, format) = (AtomicU32::new(mine.start_tag), AtomicU8::new(mine.format.0));
        Start { mine, same_keys, making: Mutex::new(()), joined, format }
    }

    /// Reads or makes the record, and what goes with it.
    pub(crate) async fn first_join(&self, wires: &Wires, keys: &Keys) -> Result<Deployment, Unjoined> {
        let _one = self.making.lock().await;
        self.agree(wires, keys, self.mine.start_tag).await.map(|(joined, _)| joined)
    }

    /// The same while the engine runs, with another tag where everything was lost.
    pub(crate) async fn join(
        &self,
        wires: &Wires,
        keys: &Keys,
        counts: &Counts,
    ) -> Result<Deployment, Fault> {
        let _one = self.making.lock().await;
        match self.agree(wires, keys, chance() as u32).await {
            Ok((joined, was_made)) => {
                if was_made {
                    add(&counts.remade_total);
                    tracing::warn!("the server had lost the deployment's record: it was emptied");
                }
                counts.is_back("deployment");
                Ok(joined)
            }
            Err(Unjoined::Disagrees(why)) => {
                counts.is_away("deployment", &why.to_string());
                Err(Fault::Declined(why.to_string()))
            }
            Err(Unjoined::Fault(fault)) => Err(fault),
        }
    }

    async fn agree(&self, wires: &Wires, keys: &Keys, tag: u32) -> Result<(Deployment, bool), Unjoined> {
        let mut was_made = false;
        for _ in 0..ROUNDS_MAX {
            let mut get = redis::cmd("GET");
            get.arg(keys.record());
            match wires.ask(LANE, deployment_slot(), get).await? {
                Value::Nil => {
                    let mut set = redis::cmd("SET");
                    let format = Format(self.format.load(Ordering::Relaxed));
                    let new = Deployment { start_tag: tag, format, ..self.mine.clone() };
                    set.arg(keys.record()).arg(new.to_string()).arg("NX");
                    was_made = wires.ask(LANE, deployment_slot(), set).await? == Value::Okay;
                }
                Value::BulkString(bytes) => {
                    let kept = std::str::from_utf8(&bytes).map_err(|_| Disagreement::Unreadable);
                    let kept = kept.and_then(str::parse::<Deployment>).map_err(Unjoined::Disagrees)?;
                    let joined = self.mine.joins(&kept, self.same_keys).map_err(Unjoined::Disagrees)?;
                    if joined != kept {
                        let mut set = redis::cmd("SET");
                        set.arg(keys.record()).arg(joined.to_string()).arg("XX");
                        wires.ask(LANE, deployment_slot(), set).await?;
                    }
                    self.mark_all(wires, keys, joined.start_tag).await?;
                    self.joined.store(joined.start_tag, Ordering::Relaxed);
                    self.format.store(joined.format.0, Ordering::Relaxed);
                    return Ok((joined, was_made));
                }
                _ => return Err(Unjoined::Disagrees(Disagreement::Unreadable)),
            }
        }
        Err(Fault::Declined("the deployment's record comes and goes".to_owned()).into())
    }

    /// Once in a deployment's life. A slice that has no first epoch afterwards has lost it, with all its rooms.
    async fn mark_all(&self, wires: &Wires, keys: &Keys, tag: u32) -> Result<(), Fault> {
        let mut exists = redis::cmd("EXISTS");
        exists.arg(keys.marked());
        if wires.ask(LANE, deployment_slot(), exists).await? == Value::Int(1) {
            return Ok(());
        }
        // A hundred at once: the server answers each in microseconds, and the way is what takes time.
        let slices: Vec<Slice> = (0..SLICES).map(Slice).collect();
        for some in slices.chunks(100) {
            let mut marking: Vec<_> = Vec::with_capacity(some.len());
            for slice in some {
                marking.push(Box::pin(self.mark(wires, keys, *slice, tag)));
            }
            all(marking).await?;
        }
        let mut set = redis::cmd("SET");
        set.arg(keys.marked()).arg(1);
        wires.ask(LANE, deployment_slot(), set).await.map(drop)
    }

    async fn mark(&self, wires: &Wires, keys: &Keys, slice: Slice, tag: u32) -> Result<(), Fault> {
        let mut set = redis::cmd("SET");
        set.arg(keys.first(slice)).arg(Epoch::new(Epoch::FIRST_COUNTER, tag).0).arg("NX");
        wires.ask(LANE, slice_slot(slice), set).await.map(drop)
    }

    /// A slice has no first epoch: everything was lost, or this slice was. It gets one that it never had.
    pub(crate) async fn mark_lost(
        &self,
        wires: &Wires,
        keys: &Keys,
        counts: &Counts,
        slice: Slice,
    ) -> Result<(), Fault> {
        self.join(wires, keys, counts).await?;
        self.mark(wires, keys, slice, chance() as u32).await
    }
}

/// Waits for all of them, at once; the first fault is the answer.
async fn all<F: Future<Output = Result<(), Fault>> + Unpin>(mut waiting: Vec<F>) -> Result<(), Fault> {
    std::future::poll_fn(move |cx| {
        let mut fault = None;
        waiting.retain_mut(|one| match std::pin::Pin::new(one).poll(cx) {
            std::task::Poll::Pending => true,
            std::task::Poll::Ready(done) => {
                fault = fault.take().or(done.err());
                false
            }
        });
        match fault {
            Some(fault) => std::task::Poll::Ready(Err(fault)),
            None if waiting.is_empty() => std::task::Poll::Ready(Ok(())),
            None => std::task::Poll::Pending,
        }
    })
    .await
}
