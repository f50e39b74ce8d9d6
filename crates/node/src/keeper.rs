//! Sets of keys that others publish: read when the node starts, again from time to time, and when a token names a key that
//! nobody has heard of, but not more often than its owner can bear. It proves nothing itself.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    File(PathBuf),
    Url(String),
}

/// Whoever asks for unknown keys, in whatever number, makes us ask this often.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// A publisher that does not answer holds up nothing but the news of its own keys.
const FETCH_WITHIN: Duration = Duration::from_secs(5);

struct Asking {
    fetching: bool,
    asked: Option<Instant>,
    /// Fetches that came to an end.
    rounds: u64,
}

/// For the shards' threads: may a token of an unknown key hope?
pub(crate) struct Keeper {
    asking: Mutex<Asking>,
    wake: SyncSender<()>,
    has_sources: bool,
}

impl Keeper {
    /// From here on unknown keys may be asked for again; what was asked for is about to be told.
    fn round_ends(&self) -> u64 {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.fetching = false;
        asking.rounds += 1;
        asking.rounds
    }

    /// True: the sets are being fetched, and news of them comes to every shard, changed or not. `seen`: the round of the
    /// last news that has come.
    pub(crate) fn wants_news(&self, seen: u64) -> bool {
        if !self.has_sources {
            return false;
        }
        // Held for a look at two fields, by whoever met an unknown key.
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if asking.fetching || asking.rounds > seen {
            return true;
        }
        if asking.asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN) {
            return false;
        }
        asking.asked = Some(Instant::now());
        asking.fetching = self.wake.try_send(()).is_ok();
        asking.fetching
    }
}

/// What the keeper's thread works with.
pub(crate) struct Round {
    pub keeper: Arc<Keeper>,
    wake: Receiver<()>,
    sources: Vec<KeySource>,
}

pub(crate) fn open(sources: Vec<KeySource>) -> Round {
    let (wake, wakes) = sync_channel(1);
    let fetching = !sources.is_empty();
    let asking = Mutex::new(Asking { fetching, asked: None, rounds: 0 });
    let keeper = Keeper { asking, wake, has_sources: !sources.is_empty() };
    Round { keeper: Arc::new(keeper), wake: wakes, sources }
}

impl Round {
    /// Until the node ends. A set that cannot be had leaves the one that we have in force.
    pub(crate) fn walk(self, gatekeeper: &Gatekeeper) {
        let Some(every) = self.sources.iter().map(|source| source.refresh).min() else { return };
        loop {
            self.keeper.asking.lock().unwrap_or_else(PoisonError::into_inner).fetching = true;
            // Whoever asked before this is answered by it.
            while self.wake.try_recv().is_ok() {}
            let sets = self.sources.iter().map(read).collect::<Vec<_>>();
            let came = self.sources.iter().zip(&sets).all(|(source, set)| told(source, set));
            let round = self.keeper.round_ends();
            gatekeeper.news(round, |gate| {
                for (held, set) in gate.keys.sets.iter_mut().zip(sets) {
                    if let Ok(set) = set {
                        *held = Some(Arc::new(set));
                    }
                }
            });
            // What did not come is asked for again soon, and not by everybody who waits for it.
            let next = if came { every } else { every.min(ASK_AGAIN) };
            if self.wake.recv_timeout(next) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }
}

fn told(source: &KeySource, set: &Result<KeySet, String>) -> bool {
    let from = match &source.from {
        From::File(path) => path.display().to_string(),
        From::Url(url) => url.clone(),
    };
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
