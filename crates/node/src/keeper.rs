//! Sets of keys that others publish: read when the node starts, again from time to time, and when a token names a key that
//! nobody has heard of, but not more often than its owner can bear. Each source has a thread, a refresh and a deadline of its
//! own, so that one that hangs holds up nothing but the news of its own keys. It proves nothing itself.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use identity::set::SET_BYTES_MAX;
use identity::{Algorithm, KeySet};

use crate::gatekeeper::Gatekeeper;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    pub from: From,
    pub algorithms: Vec<Algorithm>,
    /// Its keys prove tokens of this issuer only.
    pub issuer: Option<String>,
    pub refresh: Duration,
}

impl KeySource {
    /// How many keys there are now, as somebody asks who is not served by them.
    pub fn look(&self) -> Result<usize, String> {
        if let From::File(path) = &self.from
            && !fs::metadata(path).map_err(|error| error.to_string())?.is_file()
        {
            return Err("it is no file".to_owned());
        }
        read(self).map(|set| set.len())
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            From::File(path) => write!(f, "{}", path.display()),
            From::Url(url) => f.write_str(url),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    File(PathBuf),
    Url(String),
}

/// Whoever asks for unknown keys, in whatever number, makes us ask this often.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Tokens of unknown keys wait for a publisher that long.
const FETCH_WITHIN: Duration = Duration::from_secs(5);

/// Sources of keys, a thread each.
pub const KEY_SOURCES_MAX: usize = u16::BITS as usize;

/// Some of the sources, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources(u16);

impl Sources {
    pub(crate) fn with(self, index: usize) -> Sources {
        Sources(self.0 | 1 << index)
    }

    pub(crate) fn without(self, others: Sources) -> Sources {
        Sources(self.0 & !others.0)
    }

    pub(crate) fn has_any(self, others: Sources) -> bool {
        self.0 & others.0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// How often each source was read before its newest news was told.
pub(crate) type Rounds = Arc<[u64]>;

struct Asking {
    /// It is being read, since then.
    reading: Option<Instant>,
    asked: Option<Instant>,
    /// Readings that came to an end.
    rounds: u64,
}

struct Asked {
    /// Held for a look at its fields, by whoever met an unknown key.
    asking: Mutex<Asking>,
    wake: SyncSender<()>,
}

impl Asked {
    fn asking(&self) -> MutexGuard<'_, Asking> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on unknown keys may be asked for again; what was asked for is about to be told.
    fn round_ends(&self) -> u64 {
        let mut asking = self.asking();
        asking.reading = None;
        asking.rounds += 1;
        asking.rounds
    }

    fn wants_news(&self, seen: u64) -> bool {
        let mut asking = self.asking();
        if asking.rounds > seen {
            return true;
        }
        if let Some(since) = asking.reading {
            // A file can hang for ever, and then nobody waits for it any more.
            return since.elapsed() < FETCH_WITHIN;
        }
        if asking.asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN) {
            return false;
        }
        asking.asked = Some(Instant::now());
        let woken = self.wake.try_send(()).is_ok();
        asking.reading = woken.then(Instant::now);
        woken
    }
}

/// For the shards' threads: may a token of an unknown key hope?
pub(crate) struct Keeper(Vec<Asked>);

impl Keeper {
    /// Whose sets are being read: news of each comes to every shard, changed or not. `seen`: the last that have come.
    pub(crate) fn ask(&self, seen: &[u64]) -> Sources {
        let wanted =
            self.0.iter().zip(seen).enumerate().filter(|(_, (asked, seen))| asked.wants_news(**seen));
        wanted.fold(Sources::default(), |sources, (index, _)| sources.with(index))
    }

    /// Before any news.
    pub(crate) fn rounds(&self) -> Rounds {
        vec![0; self.0.len()].into()
    }
}

/// What one source's thread works with.
pub(crate) struct Watch {
    keeper: Arc<Keeper>,
    index: usize,
    wake: Receiver<()>,
    source: KeySource,
}

pub(crate) fn open(sources: Vec<KeySource>) -> (Arc<Keeper>, Vec<Watch>) {
    debug_assert!(sources.len() <= KEY_SOURCES_MAX);
    // One is enough: whoever asks before it is read is answered by it.
    let channels: Vec<_> = sources.iter().map(|_| sync_channel(1)).collect();
    let asked = channels.iter().map(|(wake, _)| Asked {
        asking: Mutex::new(Asking { reading: Some(Instant::now()), asked: None, rounds: 0 }),
        wake: wake.clone(),
    });
    let keeper = Arc::new(Keeper(asked.collect()));
    let watches = sources.into_iter().zip(channels).enumerate();
    let watch = |(index, (source, (_, wake)))| Watch { keeper: keeper.clone(), index, wake, source };
    (keeper.clone(), watches.map(watch).collect())
}

impl Watch {
    /// Until the node ends. A set that cannot be had leaves the one that we have in force.
    pub(crate) fn walk(self, gatekeeper: &Gatekeeper) {
        let asked = &self.keeper.0[self.index];
        loop {
            asked.asking().reading.get_or_insert_with(Instant::now);
            // Whoever asked before this is answered by it.
            while self.wake.try_recv().is_ok() {}
            let set = read(&self.source);
            let came = told(&self.source, &set);
            gatekeeper.news(self.index, asked.round_ends(), set.ok());
            // What did not come is asked for again soon, and not by everybody who waits for it.
            let every = self.source.refresh;
            let next = if came { every } else { every.min(ASK_AGAIN) };
            if self.wake.recv_timeout(next) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }
}

fn told(source: &KeySource, set: &Result<KeySet, String>) -> bool {
    let from = &source.from;
    match set {
        Ok(set) => {
            tracing::debug!(%from, keys = set.len(), passed_over = set.passed_over, "read a set of keys");
            true
        }
        Err(error) => {
            tracing::warn!(%from, %error, "a set of keys cannot be read; the last one stays in force");
            false
        }
    }
}

fn read(source: &KeySource) -> Result<KeySet, String> {
    let json = match &source.from {
        From::File(path) => {
            let file = fs::File::open(path).map_err(|error| error.to_string())?;
            let mut json = Vec::new();
            let read = file.take(SET_BYTES_MAX as u64 + 1).read_to_end(&mut json);
            read.map_err(|error| error.to_string())?;
            json
        }
        From::Url(url) => fetch(url)?,
    };
    let (issuer, algorithms) = (source.issuer.as_deref(), &source.algorithms);
    KeySet::read(&json, issuer, algorithms).map_err(|error| error.to_string())
}

/// From where the configuration says, and nowhere else: no redirect is followed.
fn fetch(url: &str) -> Result<Vec<u8>, String> {
    // Named here, because a library may not choose one for the process, and without one it would panic.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider).build();
    let config = ureq::Agent::config_builder().tls_config(tls).timeout_global(Some(FETCH_WITHIN));
    let agent = config.max_redirects(0).build().new_agent();
    let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
    if response.status() != 200 {
        return Err(format!("answered {}", response.status()));
    }
    let body = response.body_mut().with_config().limit(SET_BYTES_MAX as u64 + 1);
    body.read_to_vec().map_err(|error| error.to_string())
}
