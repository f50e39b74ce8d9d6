//! The certificate on disk, looked at while the server runs: a renewed one is taken for connections from then on, and one that
//! nobody renews is told of before it ends.

use std::path::Path;
use std::time::{Duration, SystemTime};

use node::{Facts, Tls};

use crate::config;

/// A certificate that was renewed on disk is in force this much later, without a signal.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How many looks lie between two words about its end.
const LOOKS_A_DAY: u32 = 24 * 60;
/// Time to have it renewed and to notice that it was not.
const ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 3600);

pub(crate) struct Renewal {
    files: config::Tls,
    sealed: Tls,
    /// When certificate and key were written last.
    written: Option<(SystemTime, SystemTime)>,
    looks: u32,
}

impl Renewal {
    /// `sealed` was read from these files just now.
    pub(crate) fn of(files: config::Tls, sealed: Tls) -> Renewal {
        let written = written(&files);
        let renewal = Renewal { files, sealed, written, looks: 0 };
        renewal.tell_end();
        renewal
    }

    pub(crate) fn tick(&mut self) {
        self.look();
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS_A_DAY) {
            self.tell_end();
        }
    }

    /// Takes what was written since. What cannot be used changes nothing.
    pub(crate) fn look(&mut self) {
        let now = written(&self.files);
        if now == self.written {
            return;
        }
        self.written = now;
        match self.sealed.renew(&self.files.certificate, &self.files.key) {
            Ok(()) => {
                tracing::info!(certificate = %self.files.certificate.display(), "the certificate was renewed");
                self.tell_end();
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate cannot be used: the old one stays in force");
            }
        }
    }

    fn tell_end(&self) {
        if let Some(end) = self.sealed.ends().filter(|end| *end < Facts::now() + ENDS_SOON) {
            tracing::warn!(%end, "the certificate ends soon: renew it");
        }
    }
}

fn written(tls: &config::Tls) -> Option<(SystemTime, SystemTime)> {
    let when = |path: &Path| std::fs::metadata(path).and_then(|it| it.modified()).ok();
    Some((when(&tls.certificate)?, when(&tls.key)?))
}
