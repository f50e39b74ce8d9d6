//! Bounded boxes between shards' threads: one for commands, one for deliveries, and a wake-up for a thread that sleeps.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use mio::{Poll, Token, Waker};
use shard::Full;
use vocabulary::{Envelope, Revocation, ShardId};

use crate::greeting::Gate;

/// Commands that wait for a shard: a tenth of a second of what one can do. Beyond it senders are told `busy`.
const COMMANDS_MAX: usize = 8192;
/// Deliveries that wait for a shard. Full, it stops their senders, not their members.
const DELIVERIES_MAX: usize = 8192;

/// Accepted sockets on their way to another shard. A socket that finds no place is closed; its client tries again.
const CONTROLS_MAX: usize = 4096;

pub(crate) const WAKE: Token = Token(usize::MAX);

/// What is no mail between shards.
pub(crate) enum Control {
    /// An accepted socket for the less loaded of two shards.
    Socket(TcpStream),
    Drain(Duration),
    /// Keys, mounts or origins have changed, or were looked at again.
    Gate(Arc<Gate>, u64),
    Limits(Box<shard::Limits>),
    Revoked(Arc<Revocation>),
}

struct Mailbox {
    commands: SyncSender<Envelope>,
    deliveries: SyncSender<Envelope>,
    control: SyncSender<Control>,
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
    pub control: Receiver<Control>,
    awake: Arc<AtomicBool>,
}

impl Incoming {
    /// From here on a new letter wakes anew. To be called before looking into the boxes.
    pub(crate) fn looks(&self) {
        self.awake.store(false, Ordering::SeqCst);
    }
}

pub(crate) fn open(shards: u16) -> io::Result<(Mailboxes, Vec<Incoming>)> {
    let (mut boxes, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..shards {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let (commands, commands_in) = sync_channel(COMMANDS_MAX);
        let (deliveries, deliveries_in) = sync_channel(DELIVERIES_MAX);
        let (control, control_in) = sync_channel(CONTROLS_MAX);
        let awake = Arc::new(AtomicBool::new(false));
        boxes.push(Mailbox { commands, deliveries, control, waker, awake: awake.clone() });
        ends.push(Incoming {
            poll,
            commands: commands_in,
            deliveries: deliveries_in,
            control: control_in,
            awake,
        });
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

    pub(crate) fn tell(&self, to: ShardId, control: Control) {
        let mailbox = &self.0[usize::from(to.0)];
        let posted = match control {
            Control::Socket(_) => mailbox.control.try_send(control).is_ok(),
            // From the control thread, which can wait for a place.
            Control::Drain(_) | Control::Gate(..) | Control::Limits(_) | Control::Revoked(_) => {
                mailbox.control.send(control).is_ok()
            }
        };
        if posted {
            mailbox.wake();
        }
    }

    pub(crate) fn tell_all(&self, control: impl Fn() -> Control) {
        for index in 0..self.0.len() {
            self.tell(ShardId(index as u16), control());
        }
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
