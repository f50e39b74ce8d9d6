//! How fast one may speak: everybody's pace, and a room's slow mode. Reckoned out of the records' own times, so that every
//! node reckons alike; no clock is read and nothing is stored for it but slow mode's last times.

use std::collections::BTreeMap;

use vocabulary::{Code, Refusal, UserId, Wall};

use crate::Rules;
use app::quoted;

/// Users whose pace is followed in one room. Who has not spoken for a burst's length is not followed, so it takes that many who
/// speak within seconds to fill it; the ones that are nearest to their full burst go first.
const FOLLOWED_MAX: usize = 10_000;

/// The moment at which each user's burst is whole again, in microseconds (GCRA).
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(BTreeMap<UserId, i64>);

/// Microseconds from one message to the next.
fn interval(rules: &Rules) -> i64 {
    1_000_000 / i64::from(rules.messages_per_second.max(1))
}

fn micros(at: Wall) -> i64 {
    at.0.saturating_mul(1000)
}

impl Pace {
    pub(crate) fn check(&self, rules: &Rules, user: &UserId, now: Wall) -> Result<(), Refusal> {
        let whole = self.0.get(user).copied().unwrap_or(i64::MIN).max(micros(now));
        let most = i64::from(rules.burst.max(1)) * interval(rules);
        if whole.saturating_sub(micros(now)) > most {
            // By a clock that was ahead: records go on at its time until ours is there too, however long that takes.
            return Ok(());
        }
        match whole.saturating_add(interval(rules)).saturating_sub(micros(now)).saturating_sub(most) {
            over if over > 0 => Err(Refusal::rate_limit(millis_of(over))),
            _ => Ok(()),
        }
    }

    pub(crate) fn spoke(&mut self, rules: &Rules, user: &UserId, at: Wall) {
        // What keys and brokers say in somebody's name is not paced; it may use up the burst, and no more than it.
        let most = micros(at).saturating_add(i64::from(rules.burst.max(1)) * interval(rules));
        let whole =
            self.0.get(user).copied().unwrap_or(i64::MIN).max(micros(at)).saturating_add(interval(rules));
        self.0.insert(user.clone(), whole.min(most));
        if self.0.len() > FOLLOWED_MAX {
            self.0.retain(|_, whole| *whole > micros(at));
        }
        while self.0.len() > FOLLOWED_MAX {
            let first = self.0.iter().min_by_key(|(_, whole)| **whole).map(|(user, _)| user.clone());
            first.and_then(|user| self.0.remove(&user));
        }
    }
}

fn millis_of(micros: i64) -> u32 {
    u32::try_from((micros + 999) / 1000).unwrap_or(u32::MAX)
}

/// When each user last spoke, while slow mode is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slow {
    last: BTreeMap<UserId, Wall>,
    bytes: usize,
}

/// Its share of the snapshot: a thousand users with short ids. Beyond it the ones that spoke longest ago go first, and may
/// speak a little early.
pub(crate) const SLOW_BYTES_MAX: usize = 32 << 10;

/// The clocks of two nodes may differ by this much. Where a record is further ahead than that, a clock was wrong, and nobody is to
/// wait until ours is there too.
const AHEAD_MAX_MILLIS: i64 = 5000;

/// `["id",1767261600123],`
fn slow_bytes(user: &UserId) -> usize {
    quoted(user.as_str()) + 20
}

impl Slow {
    pub(crate) fn check(&self, seconds: u32, user: &UserId, now: Wall) -> Result<(), Refusal> {
        let Some(last) = self.last.get(user) else { return Ok(()) };
        let left = last.0.saturating_add(i64::from(seconds) * 1000).saturating_sub(now.0);
        let ahead = last.0.saturating_sub(now.0) > AHEAD_MAX_MILLIS;
        if left <= 0 || ahead {
            return Ok(());
        }
        let text = format!("slow mode: one message in {seconds} s, wait {} ms", left);
        Err(Refusal {
            retry_after_ms: Some(u32::try_from(left).unwrap_or(u32::MAX)),
            ..Refusal::new(Code::App("SLOW_MODE"), text)
        })
    }

    pub(crate) fn spoke(&mut self, seconds: u32, user: &UserId, at: Wall) {
        if self.last.insert(user.clone(), at).is_none() {
            self.bytes += slow_bytes(user);
        }
        if self.bytes > SLOW_BYTES_MAX {
            let (since, bytes) = (at.0.saturating_sub(i64::from(seconds) * 1000), &mut self.bytes);
            self.last.retain(|user, last| {
                let stays = last.0 > since;
                *bytes -= if stays { 0 } else { slow_bytes(user) };
                stays
            });
        }
        while self.bytes > SLOW_BYTES_MAX {
            let first = self.last.iter().min_by_key(|(_, at)| **at).map(|(user, _)| user.clone());
            let Some(first) = first else { break };
            self.last.remove(&first);
            self.bytes -= slow_bytes(&first);
        }
    }

    pub(crate) fn end(&mut self) {
        *self = Slow::default();
    }

    pub(crate) fn forget(&mut self, user: &UserId) {
        if self.last.remove(user).is_some() {
            self.bytes -= slow_bytes(user);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&UserId, Wall)> {
        self.last.iter().map(|(user, at)| (user, *at))
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        let bytes: usize = self.last.keys().map(slow_bytes).sum();
        assert_eq!(self.bytes, bytes);
        assert!(bytes <= SLOW_BYTES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_the_pace_holds() {
        let rules = Rules { messages_per_second: 10, burst: 3, ..Rules::default() };
        let (mut pace, ana) = (Pace::default(), UserId::new("7"));
        let mut said = Vec::new();
        for at in [0, 0, 0, 0, 50, 100, 150, 200, 10_000] {
            let may = pace.check(&rules, &ana, Wall(at));
            said.push((at, may.as_ref().err().and_then(|refusal| refusal.retry_after_ms)));
            if may.is_ok() {
                pace.spoke(&rules, &ana, Wall(at));
            }
        }
        let expected = [
            (0, None),
            (0, None),
            (0, None),
            (0, Some(100)),
            (50, Some(50)),
            (100, None),
            (150, Some(50)),
            (200, None),
            (10_000, None),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn who_is_paced_holds_up_nobody_else_and_is_forgotten() {
        let rules = Rules { messages_per_second: 1, burst: 1, ..Rules::default() };
        let mut pace = Pace::default();
        for number in 0..=FOLLOWED_MAX {
            pace.spoke(&rules, &UserId::new(&format!("{number}")), Wall(0));
        }
        assert_eq!(pace.0.len(), FOLLOWED_MAX);
        assert!(pace.check(&rules, &UserId::new("new"), Wall(0)).is_ok());
        pace.spoke(&rules, &UserId::new("new"), Wall(5000));
        assert_eq!(pace.0.len(), 1, "what lies in the past is as good as nothing");
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_nobody_waiting_for_longer_than_the_rule() {
        let rules = Rules { messages_per_second: 20, burst: 40, ..Rules::default() };
        let (mut pace, mut slow, ana) = (Pace::default(), Slow::default(), UserId::new("7"));
        for ahead in [0, 1000, 2000, 6000, 3_600_000] {
            for _ in 0..100 {
                pace.spoke(&rules, &ana, Wall(10_000 + ahead));
            }
            slow.spoke(30, &ana, Wall(10_000 + ahead));
            let millis =
                |may: Result<(), Refusal>| may.err().and_then(|refusal| refusal.retry_after_ms).unwrap_or(0);
            assert!(millis(pace.check(&rules, &ana, Wall(10_000))) <= 2000, "{ahead}");
            assert!(millis(slow.check(30, &ana, Wall(10_000))) <= 35_000, "{ahead}");
        }
    }

    #[test]
    fn slow_mode_keeps_the_newest() {
        let mut slow = Slow::default();
        for number in 0..5000 {
            slow.spoke(3600, &UserId::new(&format!("user-{number}")), Wall(number));
            slow.check_bounds();
        }
        let refused = slow.check(3600, &UserId::new("user-4999"), Wall(5000)).map_err(|r| r.retry_after_ms);
        assert_eq!(refused, Err(Some(3_599_999)));
        assert!(slow.check(3600, &UserId::new("user-0"), Wall(5000)).is_ok());
    }
}
