//! Keys that are none, counted by the address that they come from: whoever guesses is told to wait, and a key that was shown rightly from
//! there before is let through all the while, so that one wrong key on a machine keeps no other from its work.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use crate::answers::Fault;
use crate::rates::Rates;

/// Wrong keys of one address: a misspelt one in a script that asks each second passes, and a thousand guesses take a quarter of an hour.
const WRONG_A_MINUTE: u32 = 60;
/// Addresses with keys that were right; beyond it they are learnt anew.
const PROVEN_MAX: usize = 4096;

pub(crate) struct Guesses {
    wrong: Rates<IpAddr>,
    /// By the key's number. Held for a look-up.
    proven: Mutex<BTreeSet<(IpAddr, usize)>>,
}

impl Default for Guesses {
    fn default() -> Guesses {
        Guesses { wrong: Rates::a_minute(WRONG_A_MINUTE), proven: Mutex::default() }
    }
}

impl Guesses {
    /// What was found for the key that came from there; no address: of a listener that tells none.
    pub(crate) fn judge(&self, from: Option<IpAddr>, found: Option<usize>) -> Result<usize, Fault> {
        let from = network(from.unwrap_or(Ipv4Addr::UNSPECIFIED.into()));
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = found.filter(|index| proven.contains(&(from, *index))) {
            return Ok(index);
        }
        if let Err(limited) = self.wrong.has(&from, 1) {
            let says =
                "too many wrong keys came from this address: wait, and look which program has an old key";
            return Err(limited.saying(says));
        }
        let Some(index) = found else {
            // Whether there was place was asked above.
            self.wrong.take(&from).ok();
            return Err(Fault::unproven());
        };
        if proven.len() >= PROVEN_MAX {
            proven.clear();
        }
        proven.insert((from, index));
        Ok(index)
    }
}

/// Addresses of one network of version 6 are one guesser's: there are more of them than anybody could count.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).into(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_waits_and_who_was_right_from_there_before_does_not() {
        let guesses = Guesses::default();
        let [home, away] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|it| Some(IpAddr::from(it)));
        let code = |from, found| guesses.judge(from, found).map_err(|fault| fault.code().clone());
        assert_eq!(code(home, Some(0)), Ok(0));
        for _ in 0..WRONG_A_MINUTE {
            assert_eq!(code(home, None), Err("UNAUTHORIZED".into()));
        }
        assert_eq!(code(home, None), Err("RATE_LIMIT".into()));
        assert_eq!(
            code(home, Some(1)),
            Err("RATE_LIMIT".into()),
            "a right guess is not told from a wrong one"
        );
        assert_eq!(code(home, Some(0)), Ok(0), "who works there goes on");
        assert_eq!(code(away, Some(1)), Ok(1));
        let [one, other] = ["2001:db8::1", "2001:db8::ffff"].map(|it| it.parse().ok());
        (0..WRONG_A_MINUTE).for_each(|_| drop(code(one, None)));
        assert_eq!(code(other, None), Err("RATE_LIMIT".into()), "of the same network");
    }
}
