//! The order of questions: what one shard asks about one room goes through one lane, and a lane asks the server one thing
//! at a time. It never reads an answer.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use engine::{Asked, Question};
use tokio::sync::{mpsc, oneshot};

use crate::parts::Parts;
use crate::questions;

/// Questions on their way to the server at once. Each waits for the server's disk, and a few hundred share one visit to it.
pub(crate) const LANES: usize = 256;
/// Questions that wait in one lane; then they are given back.
pub(crate) const LANE_MAX: usize = 64;

pub(crate) enum Errand {
    Asked(Box<Asked>),
    /// Told when everything before it in the lane is done.
    Barrier(oneshot::Sender<()>),
}

/// Which lane; looks at leases have their own.
pub(crate) fn lane_of(question: &Question) -> Option<usize> {
    let mut hasher = DefaultHasher::new();
    match question {
        Question::Attend { .. } => return None,
        Question::Follow { room, .. }
        | Question::Unfollow { room }
        | Question::Append { room, .. }
        | Question::Read { room, .. }
        | Question::Store { room, .. }
        | Question::Erase { room, .. }
        | Question::BeginEpoch { room, .. }
        | Question::Settle { room, .. }
        | Question::Present { room, .. }
        | Question::Soft { room, .. } => room.hash(&mut hasher),
        Question::Claim { name, .. } | Question::Release { name, .. } => name.hash(&mut hasher),
    }
    Some((hasher.finish() % LANES as u64) as usize)
}

pub(crate) async fn go_on(parts: Rc<Parts>, lane: usize, mut errands: mpsc::Receiver<Errand>) {
    while let Some(errand) = errands.recv().await {
        match errand {
            Errand::Asked(asked) => questions::answer(&parts, lane, *asked).await,
            // Who waits for it may have given up.
            Errand::Barrier(done) => drop(done.send(())),
        }
    }
}
