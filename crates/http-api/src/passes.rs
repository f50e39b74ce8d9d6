//! A pass stands for a key for some hours: it is made of the key's secret and a time, and says neither. What is typed into a browser, or
//! stands in a link, need not be the key itself. Nothing is kept of passes: a server that has the key knows them.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use vocabulary::Wall;

const PREFIX: &str = "pass";
/// A working day: who looks for longer makes another.
pub const PASS_MAX: Duration = Duration::from_secs(12 * 3600);

type Sealed = [u8; 32];

/// Of the key with this secret, until then; no pass is good for longer than `PASS_MAX` from when it is shown.
pub fn pass(secret: &[u8], until: Wall) -> String {
    written(&Sha256::digest(secret).into(), until.0)
}

fn written(digest: &Sealed, until: i64) -> String {
    let seal: String = sealed(digest, until).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}.{until}.{seal}")
}

/// The digest is never told: whoever has a pass has no other one by it.
fn sealed(digest: &Sealed, until: i64) -> Sealed {
    // Keys of any length are taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(digest) else { return [0; 32] };
    mac.update(b"kulkul pass ");
    mac.update(&until.to_be_bytes());
    mac.finalize().into_bytes().into()
}

/// When a text that reads like a pass ends, if that is not over and not too far away.
pub(crate) fn until(text: &str, now: Wall) -> Option<i64> {
    let until: i64 = text.strip_prefix(PREFIX)?.strip_prefix('.')?.split('.').next()?.parse().ok()?;
    let most = now.0.saturating_add(PASS_MAX.as_millis() as i64);
    (now.0 < until && until <= most).then_some(until)
}

/// Whether it is the pass of that key. Digests of both are compared: how long that takes says nothing.
pub(crate) fn is_of(digest: &Sealed, until: i64, text: &str) -> bool {
    Sha256::digest(written(digest, until)) == Sha256::digest(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_good_for_its_key_and_its_time_and_nothing_longer() {
        let (now, hour) = (Wall(1_800_000_000_000), 3_600_000);
        let digest: Sealed = Sha256::digest(b"secret").into();
        let made = pass(b"secret", Wall(now.0 + hour));
        let good = |text: &str, digest: &Sealed, now: i64| {
            until(text, Wall(now)).is_some_and(|until| is_of(digest, until, text))
        };
        assert!(good(&made, &digest, now.0) && good(&made, &digest, now.0 + hour - 1));
        assert!(!good(&made, &digest, now.0 + hour), "over");
        assert!(!good(&pass(b"secret", Wall(now.0 + 13 * hour)), &digest, now.0), "longer than any");
        assert!(!good(&made, &Sha256::digest(b"other").into(), now.0), "of another key");
        let later = made.replacen(&(now.0 + hour).to_string(), &(now.0 + 2 * hour).to_string(), 1);
        assert!(!good(&later, &digest, now.0), "its time is sealed");
        assert!(!good("pass.1", &digest, now.0) && !good("pass", &digest, now.0));
    }
}
