//! How often each user may ask. Kept for those who asked within the minute; what is older than that is forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use vocabulary::{Refusal, UserId};

use super::of_refusal;
use crate::answers::Fault;

/// Users who ask within a minute: more than the places for calls can serve.
const USERS_MAX: usize = 65_536;
const MINUTE: Duration = Duration::from_secs(60);

/// So many at once, and as many again over a minute.
pub(super) struct Rates {
    spacing: Duration,
    /// Held for a look-up. When each one's bucket is empty again.
    empty_at: Mutex<BTreeMap<UserId, Instant>>,
}

impl Rates {
    pub(super) fn a_minute(many: u32) -> Rates {
        Rates { spacing: MINUTE / many, empty_at: Mutex::default() }
    }

    pub(super) fn take(&self, user: &UserId) -> Result<(), Fault> {
        self.take_at(Instant::now(), user).map_err(|refusal| of_refusal(&refusal))
    }

    fn take_at(&self, now: Instant, user: &UserId) -> Result<(), Refusal> {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        if empty_at.len() >= USERS_MAX && !empty_at.contains_key(user) {
            empty_at.retain(|_, at| *at > now);
            if empty_at.len() >= USERS_MAX {
                return Err(Refusal::busy(1000));
            }
        }
        let from = empty_at.get(user).copied().filter(|at| *at > now).unwrap_or(now);
        let (after, allowed) = (from + self.spacing, now + MINUTE);
        if after > allowed {
            let wait = (after - allowed).as_millis();
            return Err(Refusal::rate_limit(u32::try_from(wait).unwrap_or(u32::MAX).max(1)));
        }
        empty_at.insert(user.clone(), after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_passes_at_once_and_then_one_at_a_time_for_each_user() {
        let (rates, now) = (Rates::a_minute(100), Instant::now());
        let (ana, bo) = (UserId::new("7"), UserId::new("8"));
        for taken in 0..100 {
            assert_eq!(rates.take_at(now, &ana), Ok(()), "number {taken}");
        }
        let refused = rates.take_at(now, &ana).expect_err("one too many");
        assert_eq!(refused.retry_after_ms, Some(600));
        assert_eq!(rates.take_at(now, &bo), Ok(()));
        let later = now + Duration::from_millis(600);
        assert_eq!(rates.take_at(later, &ana), Ok(()));
        assert!(rates.take_at(later, &ana).is_err());
    }
}
