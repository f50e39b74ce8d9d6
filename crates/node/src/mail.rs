//! Bounded boxes of shards' threads: for commands, for deliveries, for sockets, and for what the node itself tells a shard; and
//! a wake-up for a thread that sleeps. Whoever posts never waits.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::Answer;
use mio::{Poll, Token, Waker};
use shard::{Announcement, Full};
use vocabulary::{Call, Envelope, Revocation, ShardId, Survey};

use crate::authorizer::Judged;
use crate::gate::Gate;
use crate::keeper::Rounds;

/// Commands that wait for a shard: a tenth of a second of what one can do. Beyond it senders are told `busy`.
const COMMANDS_MAX: usize = 8192;
/// Deliveries that wait for a shard. Full, it stops their senders, not their members.
const DELIVERIES_MAX: usize = 8192;

/// Answers of an engine outside that wait for a shard. Full, the engine's thread tries again: what it holds meanwhile is
/// bounded by what it was asked.
const ANSWERS_MAX: usize = 8192;
/// Calls of back ends that wait for a shard: fewer than those that wait for an answer.
const CALLS_MAX: usize = 1024;
/// Accepted sockets on their way to another shard: four turns' worth of accepts. Beyond it they stay where they were
/// accepted.
const SOCKETS_MAX: usize = 256;
/// Revocations that a shard has not read. It reads all of them in its next turn, so that many wait for a shard that hangs, and
/// the operator is told to come again.
const REVOCATIONS_MAX: usize = 1024;

/// Announcements that a shard has not read: it reads them in its next turn, and tells one after the other.
const ANNOUNCEMENTS_MAX: usize = 64;

/// Questions of operators that a shard has not read. Beyond it the shard counts as one that does not answer.
const SURVEYS_MAX: usize = 64;

pub(crate) const WAKE: Token = Token(usize::MAX);

/// What the node itself tells a shard, apart from the boxes that clients fill. A newer gate, newer limits and a newer drain say
/// all that an older one did, and take its place; revocations are each news of their own.
#[derive(Default)]
pub(crate) struct Control {
    /// Keys, mounts or origins have changed, or were looked at again.
    pub gate: Option<(Arc<Gate>, Rounds)>,
    pub limits: Option<shard::Limits>,
    pub drain: Option<Duration>,
    pub revocations: Vec<Arc<Revocation>>,
    pub announcements: Vec<Arc<Announcement>>,
    pub surveys: Vec<Survey>,
}

/// A shard has not read what it was told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread;

struct Mailbox {
    commands: SyncSender<Envelope>,
    deliveries: SyncSender<Envelope>,
    answers: SyncSender<Answer>,
    calls: SyncSender<Call>,
    sockets: SyncSender<TcpStream>,
    /// Answers of the team's back end: no more than wait for one, which whoever asks it bounds.
    judged: Arc<Mutex<VecDeque<Judged>>>,
    /// Held to write down or to take what it is told; nothing is done meanwhile.
    control: Arc<Mutex<Control>>,
    waker: Waker,
    /// Woken and not yet looked: another wake-up would be a system call for nothing.
    awake: Arc<AtomicBool>,
}

pub(crate) struct Mailboxes(Vec<Mailbox>);

/// A shard's own end.
pub(crate) struct Incoming {
    pub poll: Poll,
    pub commands: Receiver<Envelope>,
    pub deliveries: Receiver<Envelope>,
    pub answers: Receiver<Answer>,
    pub calls: Receiver<Call>,
    pub sockets: Receiver<TcpStream>,
    judged: Arc<Mutex<VecDeque<Judged>>>,
    control: Arc<Mutex<Control>>,
    awake: Arc<AtomicBool>,
}

impl Incoming {
    /// From here on a new letter wakes anew. To be called before looking into the boxes.
    pub(crate) fn looks(&self) {
        self.awake.store(false, Ordering::SeqCst);
    }

    pub(crate) fn judged(&self) -> Option<Judged> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(crate) fn control(&self) -> Control {
        std::mem::take(&mut self.control.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `answered`: by an engine outside; else nobody needs places for answers.
pub(crate) fn open(shards: u16, answered: bool) -> io::Result<(Mailboxes, Vec<Incoming>)> {
    let (mut boxes, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..shards {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let (commands, commands_in) = sync_channel(COMMANDS_MAX);
        let (deliveries, deliveries_in) = sync_channel(DELIVERIES_MAX);
        let (answers, answers_in) = sync_channel(if answered { ANSWERS_MAX } else { 1 });
        let (calls, calls_in) = sync_channel(CALLS_MAX);
        let (sockets, sockets_in) = sync_channel(SOCKETS_MAX);
        let control = Arc::new(Mutex::new(Control::default()));
        let judged = Arc::new(Mutex::new(VecDeque::new()));
        let awake = Arc::new(AtomicBool::new(false));
        ends.push(Incoming {
            poll,
            commands: commands_in,
            deliveries: deliveries_in,
            answers: answers_in,
            calls: calls_in,
            sockets: sockets_in,
            judged: judged.clone(),
            control: control.clone(),
            awake: awake.clone(),
        });
        boxes.push(Mailbox { commands, deliveries, answers, calls, sockets, judged, control, waker, awake });
    }
    Ok((Mailboxes(boxes), ends))
}

impl Mailboxes {
    pub(crate) fn post(&self, to: ShardId, envelope: Envelope) -> Result<(), Full> {
        let mailbox = &self.0[usize::from(to.0)];
        let place = match &envelope {
            Envelope::Command(_) => &mailbox.commands,
            Envelope::Delivery(_) => &mailbox.deliveries,
        };
        match place.try_send(envelope) {
            Ok(()) => {
                mailbox.wake();
                Ok(())
            }
            Err(TrySendError::Full(envelope)) => Err(Full(envelope)),
            // Threads end together, when the last connection of the node has: nobody waits for this any more.
            Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }

    /// Given back where it finds no place.
    pub(crate) fn answer(&self, to: ShardId, answer: Answer) -> Result<(), Box<Answer>> {
        let Some(mailbox) = self.0.get(usize::from(to.0)) else { return Ok(()) };
        match mailbox.answers.try_send(answer) {
            Ok(()) => {
                mailbox.wake();
                Ok(())
            }
            Err(TrySendError::Full(answer)) => Err(Box::new(answer)),
            Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }

    pub(crate) fn judge(&self, judged: Judged) {
        let Some(mailbox) = self.0.get(usize::from(judged.asker.shard().0)) else { return };
        mailbox.judged.lock().unwrap_or_else(PoisonError::into_inner).push_back(judged);
        mailbox.wake();
    }

    /// Whether it found a place.
    pub(crate) fn call(&self, call: Call) -> bool {
        let Some(mailbox) = self.0.get(usize::from(call.id.shard.0)) else { return false };
        let taken = mailbox.calls.try_send(call).is_ok();
        if taken {
            mailbox.wake();
        }
        taken
    }

    /// To the less loaded of two shards. Given back where it finds no place.
    pub(crate) fn hand(&self, to: ShardId, stream: TcpStream) -> Result<(), TcpStream> {
        let mailbox = &self.0[usize::from(to.0)];
        match mailbox.sockets.try_send(stream) {
            Ok(()) => {
                mailbox.wake();
                Ok(())
            }
            Err(TrySendError::Full(stream) | TrySendError::Disconnected(stream)) => Err(stream),
        }
    }

    /// So that each of them turns once, whether there is anything to do or not.
    pub(crate) fn wake_all(&self) {
        self.0.iter().for_each(Mailbox::wake);
    }

    pub(crate) fn tell_all(&self, tell: impl Fn(&mut Control)) {
        for mailbox in &self.0 {
            tell(&mut mailbox.control.lock().unwrap_or_else(PoisonError::into_inner));
            mailbox.wake();
        }
    }

    /// A shard that has as many to read already is not told of one more.
    pub(crate) fn announce(&self, announcement: &Arc<Announcement>) {
        self.tell_all(|control| {
            if control.announcements.len() < ANNOUNCEMENTS_MAX {
                control.announcements.push(announcement.clone());
            }
        });
    }

    /// Whether it found a place.
    pub(crate) fn survey(&self, shard: ShardId, survey: Survey) -> bool {
        let Some(mailbox) = self.0.get(usize::from(shard.0)) else { return false };
        let mut control = mailbox.control.lock().unwrap_or_else(PoisonError::into_inner);
        if control.surveys.len() >= SURVEYS_MAX {
            return false;
        }
        control.surveys.push(survey);
        drop(control);
        mailbox.wake();
        true
    }

    /// Refused, some shards may have heard of it, and hear of it once more when it is told again.
    pub(crate) fn revoke(&self, revocation: &Arc<Revocation>) -> Result<(), Unread> {
        for mailbox in &self.0 {
            let mut control = mailbox.control.lock().unwrap_or_else(PoisonError::into_inner);
            if control.revocations.len() >= REVOCATIONS_MAX {
                return Err(Unread);
            }
            control.revocations.push(revocation.clone());
            drop(control);
            mailbox.wake();
        }
        Ok(())
    }
}

impl Mailbox {
    fn wake(&self) {
        if !self.awake.swap(true, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a shard could not be woken");
        }
    }
}

#[cfg(test)]
mod tests {
    use vocabulary::UserId;

    use super::*;

    fn revocation(number: usize) -> Arc<Revocation> {
        Arc::new(Revocation::Token(number.to_string().into()))
    }

    /// In one thread: whoever waited for a place would wait for ever.
    #[test]
    fn a_full_box_of_sockets_keeps_nothing_from_being_told() {
        let (mailboxes, ends) = open(2, false).expect("a poll");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let socket = TcpStream::connect(listener.local_addr().expect("bound")).expect("listening");
        let copy = || socket.try_clone().expect("a descriptor");
        for _ in 0..SOCKETS_MAX {
            mailboxes.hand(ShardId(1), copy()).expect("a place");
        }
        assert!(mailboxes.hand(ShardId(1), copy()).is_err(), "given back, and lost by nobody");
        for seconds in [10, 0] {
            mailboxes.tell_all(|control| control.drain = Some(Duration::from_secs(seconds)));
        }
        let user = Arc::new(Revocation::User { id: UserId::new("7"), until: vocabulary::Wall(1) });
        let revoked = [revocation(1), user, revocation(1)];
        for revocation in &revoked {
            mailboxes.revoke(revocation).expect("read in time");
        }
        for end in &ends {
            let control = end.control();
            assert_eq!(control.drain, Some(Duration::ZERO), "the newest");
            assert_eq!(control.revocations, revoked, "each of them, in their order");
            let after = end.control();
            assert!(after.drain.is_none() && after.revocations.is_empty(), "told once");
        }
        assert_eq!(ends[1].sockets.try_iter().count(), SOCKETS_MAX);
        assert!(mailboxes.hand(ShardId(1), copy()).is_ok());
    }

    #[test]
    fn a_revocation_that_a_shard_has_no_place_for_is_refused_and_not_lost() {
        let (mailboxes, ends) = open(2, false).expect("a poll");
        for number in 0..REVOCATIONS_MAX {
            mailboxes.revoke(&revocation(number)).expect("a place");
        }
        assert_eq!(ends[0].control().revocations.len(), REVOCATIONS_MAX);
        let last = revocation(REVOCATIONS_MAX);
        assert_eq!(mailboxes.revoke(&last), Err(Unread), "the second has read nothing yet");
        assert_eq!(ends[1].control().revocations.len(), REVOCATIONS_MAX);
        assert_eq!(mailboxes.revoke(&last), Ok(()));
        assert_eq!(ends[1].control().revocations, [last]);
    }
}
