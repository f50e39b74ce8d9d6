//! Moments of a file, as the kernel tells them: when it is opened, and when it is written to. It reads none.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

#[derive(Debug)]
pub(crate) struct Watch(Inotify);

impl Watch {
    pub(crate) fn of(file: &Path, moments: AddWatchFlags) -> Result<Watch> {
        let notify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        notify.add_watch(file, moments).with_context(|| format!("cannot watch {}", file.display()))?;
        Ok(Watch(notify))
    }

    /// The next moment; whether it came in time.
    pub(crate) fn wait(&self, within: Duration) -> Result<bool> {
        let until = Instant::now() + within;
        loop {
            match self.0.read_events() {
                Ok(events) if !events.is_empty() => return Ok(true),
                Ok(_) | Err(Errno::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], PollTimeout::try_from(left)?)?;
        }
    }
}
