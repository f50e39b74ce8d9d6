//! How often each user, or each address, may ask. Kept for those who asked of late; what is older than their burst is forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use vocabulary::Refusal;

use crate::answers::Fault;

/// Who asks within the time of a burst: more than the places for calls can serve.
const ASKERS_MAX: usize = 65_536;
const MINUTE: Duration = Duration::from_secs(60);

/// So many at once, and one more whenever as much time has gone by as one takes.
pub(crate) struct Rates<K> {
    spacing: Duration,
    /// How far ahead of its time a bucket may be: the burst, as time.
    ahead: Duration,
    /// Held for a look-up. When each one's bucket is empty again.
    empty_at: Mutex<BTreeMap<K, Instant>>,
}

impl<K: Ord + Clone> Rates<K> {
    pub(crate) fn a_minute(many: u32) -> Rates<K> {
        Rates { spacing: MINUTE / many, ahead: MINUTE, empty_at: Mutex::default() }
    }

    /// As messages of sockets are counted.
    pub(crate) fn a_second(many: u32, burst: u32) -> Rates<K> {
        let spacing = Duration::from_secs(1) / many.max(1);
        Rates { spacing, ahead: spacing * burst.max(1), empty_at: Mutex::default() }
    }

    pub(crate) fn take(&self, who: &K) -> Result<(), Fault> {
        self.take_at(Instant::now(), who).map_err(|refusal| Fault::from(&refusal))
    }

    /// Takes nothing: whether so many would be had one after the other, or how long to wait for that.
    pub(crate) fn has(&self, who: &K, many: u32) -> Result<(), Fault> {
        self.has_at(Instant::now(), who, many).map_err(|refusal| Fault::from(&refusal))
    }

    /// For what has been done already: never refused, and paid by what comes after it.
    pub(crate) fn owe(&self, who: &K, many: u32) {
        self.owe_at(Instant::now(), who, many);
    }

    fn owe_at(&self, now: Instant, who: &K, many: u32) {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has asked is known here; who is exempt is not, and owes nothing.
        if let Some(at) = empty_at.get_mut(who) {
            *at = (*at).max(now) + self.spacing * many;
        }
    }

    fn has_at(&self, now: Instant, who: &K, many: u32) -> Result<(), Refusal> {
        let empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let from = empty_at.get(who).copied().filter(|at| *at > now).unwrap_or(now);
        let (after, allowed) = (from + self.spacing * many, now + self.ahead);
        if after > allowed {
            return Err(limited(after - allowed));
        }
        Ok(())
    }

    fn take_at(&self, now: Instant, who: &K) -> Result<(), Refusal> {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        if empty_at.len() >= ASKERS_MAX && !empty_at.contains_key(who) {
            empty_at.retain(|_, at| *at > now);
            if empty_at.len() >= ASKERS_MAX {
                return Err(Refusal::busy(1000));
            }
        }
        let from = empty_at.get(who).copied().filter(|at| *at > now).unwrap_or(now);
        let (after, allowed) = (from + self.spacing, now + self.ahead);
        if after > allowed {
            return Err(limited(after - allowed));
        }
        empty_at.insert(who.clone(), after);
        Ok(())
    }
}

fn limited(wait: Duration) -> Refusal {
    Refusal::rate_limit(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::UserId;

    #[test]
    fn a_burst_passes_at_once_and_then_as_many_a_second_as_are_allowed() {
        let (rates, now) = (Rates::a_second(20, 40), Instant::now());
        let ana = UserId::new("7");
        for taken in 0..40 {
            assert_eq!(rates.take_at(now, &ana), Ok(()), "number {taken}");
        }
        assert_eq!(rates.take_at(now, &ana).expect_err("one too many").retry_after_ms, Some(50));
        let later = now + Duration::from_secs(1);
        let taken = (0..40).take_while(|_| rates.take_at(later, &ana).is_ok()).count();
        assert_eq!(taken, 20);
    }

    #[test]
    fn what_is_owed_is_paid_before_anything_else() {
        let (rates, now) = (Rates::a_second(10, 5), Instant::now());
        let ana = UserId::new("7");
        assert_eq!(rates.take_at(now, &ana), Ok(()));
        rates.owe_at(now, &ana, 9);
        assert_eq!(rates.take_at(now, &ana).expect_err("it owes").retry_after_ms, Some(600));
        assert_eq!(rates.take_at(now + Duration::from_millis(600), &ana), Ok(()));
    }

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
        let wait = rates.has_at(later, &ana, 50).expect_err("not so many").retry_after_ms;
        assert_eq!(wait, Some(50 * 600), "who waits so long gets through");
        let then = later + Duration::from_millis(50 * 600);
        assert_eq!(rates.has_at(then, &ana, 50), Ok(()));
        for taken in 0..50 {
            assert_eq!(rates.take_at(then, &ana), Ok(()), "number {taken}");
        }
    }
}
