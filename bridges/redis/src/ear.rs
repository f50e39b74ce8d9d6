//! The connection that only listens, made anew whenever it ends. What is heard goes into one bounded box; it looks at nothing.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ProtocolVersion, PushInfo, PushKind, Value};
use redis_wire::{ANSWER_WITHIN, Address, Outcome, Plan, listen, pause};
use tokio::sync::{Notify, mpsc};

use crate::counts::{Counts, add};
use crate::lease::WORDS;
use crate::parts::Parts;
use crate::said::PATTERNS;

/// What has come and was not looked at. Redis itself hangs up on whoever takes it too slowly, so that it is dropped here.
pub(crate) const HEARD_MAX: usize = 16_384;
/// And their bytes: one message may have half a gigabyte, and only who has looked at it knows that it is none of ours.
const HEARD_BYTES_MAX: usize = 64 << 20;
/// Signs of life.
const PULSE: Duration = Duration::from_secs(1);
/// While the server is away others find out whether it is back.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) channel: Arc<str>,
    pub(crate) message: Arc<[u8]>,
}

pub(crate) struct Ear {
    pub(crate) plan: Plan,
    pub(crate) address: Address,
    pub(crate) patterns: bool,
    pub(crate) relay: Option<String>,
    pub(crate) heard: mpsc::Sender<Heard>,
}

impl Ear {
    /// For as long as the thread lives.
    pub(crate) async fn go_on(self, parts: Rc<Parts>) {
        let mut tries = 0;
        loop {
            while parts.asks.is_away() {
                tokio::time::sleep(LOOK).await;
            }
            match self.open(&parts).await {
                Ok((open, ended)) => {
                    tries = 0;
                    add(&parts.counts.resubscribed_total, 1);
                    parts.listens(true);
                    let why = hear_out(open, &ended).await;
                    parts.listens(false);
                    tracing::info!(why, "what Redis publishes is not heard for a moment");
                }
                Err(why) => tracing::debug!(why, "no connection to listen on"),
            }
            tokio::time::sleep(pause(tries)).await;
            tries += 1;
        }
    }

    /// Connected, and all channels confirmed.
    async fn open(&self, parts: &Parts) -> Result<(MultiplexedConnection, Arc<Notify>), String> {
        let client =
            self.plan.client(&self.address, ProtocolVersion::RESP3).map_err(|error| error.to_string())?;
        let ended = Arc::new(Notify::new());
        let (bytes, counts) = (parts.heard_bytes.clone(), parts.counts.clone());
        let hears = hears(Waiting { heard: self.heard.clone(), bytes, counts }, ended.clone());
        let mut open = listen(&client, hears).await?;
        let mut commands = vec![redis::cmd("SUBSCRIBE").arg(parts.key(WORDS)).clone()];
        if self.patterns {
            commands.push(redis::cmd("PSUBSCRIBE").arg(&PATTERNS[..]).clone());
        }
        if let Some(relay) = &self.relay {
            commands.push(redis::cmd("SUBSCRIBE").arg(relay).clone());
        }
        for command in commands {
            answered(&mut open, &command).await?;
        }
        Ok((open, ended))
    }
}

/// Until it ends; why.
async fn hear_out(mut open: MultiplexedConnection, ended: &Notify) -> String {
    loop {
        tokio::select! {
            () = ended.notified() => return "the connection ended".to_owned(),
            () = tokio::time::sleep(PULSE) => {}
        }
        if let Err(why) = answered(&mut open, &redis::cmd("PING")).await {
            return why;
        }
    }
}

async fn answered(open: &mut MultiplexedConnection, command: &Cmd) -> Result<(), String> {
    match tokio::time::timeout(ANSWER_WITHIN, open.send_packed_command(command)).await.map(Outcome::of) {
        Ok(Outcome::Answer(_)) => Ok(()),
        Ok(Outcome::Broken(words)) => Err(words),
        Ok(Outcome::Fault(fault)) => Err(fault.words().to_owned()),
        Ok(Outcome::Moved(..) | Outcome::Ask(..) | Outcome::NoScript) => {
            Err("it is part of a Cluster".to_owned())
        }
        Err(_) => Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
    }
}

/// Where what is heard waits to be looked at.
struct Waiting {
    heard: mpsc::Sender<Heard>,
    bytes: Arc<AtomicUsize>,
    counts: Arc<Counts>,
}

impl Waiting {
    fn put(&self, heard: Heard) {
        add(&self.counts.heard_total, 1);
        let bytes = heard.message.len();
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > HEARD_BYTES_MAX || self.heard.try_send(heard).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            add(&self.counts.unheard_total, 1);
        }
    }
}

fn hears(
    waiting: Waiting,
    ended: Arc<Notify>,
) -> impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static {
    move |PushInfo { kind, data }| {
        match (kind, &data[..]) {
            (PushKind::Message, [Value::BulkString(channel), Value::BulkString(message)])
            | (PushKind::PMessage, [_, Value::BulkString(channel), Value::BulkString(message)]) => {
                let channel = String::from_utf8_lossy(channel).as_ref().into();
                waiting.put(Heard { at: Instant::now(), channel, message: message.as_slice().into() });
            }
            (PushKind::Disconnection, _) => ended.notify_one(),
            _ => {}
        }
        Ok(())
    }
}
