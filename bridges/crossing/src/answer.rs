//! What a room's answer means for the message that asked: taken, refused for good, or to be asked again. It asks nobody.

use std::time::Duration;

use node::Uncalled;
use vocabulary::{Code, Reply, Told};

/// A room that refuses by a time of its own says when; more than this is a refusal for good.
const WAITS_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub enum Came {
    Taken,
    /// For good, and why.
    Refused(String),
    /// Not yet, and when to ask again if that was said.
    NotNow(Option<Duration>),
}

pub fn came(told: Result<Told, Uncalled>) -> Came {
    let refusal = match told {
        Ok(Told::Reply { reply: Reply::Refused(refusal), .. }) => refusal,
        Ok(Told::Stored { .. } | Told::Reply { .. }) => return Came::Taken,
        Err(Uncalled::Busy | Uncalled::Unanswered) => return Came::NotNow(None),
    };
    let wait = refusal.retry_after_ms.map(|millis| Duration::from_millis(millis.into()));
    match refusal.code {
        Code::Busy | Code::Unconfirmed | Code::RateLimit => Came::NotNow(wait),
        // Slow mode and the like say when they end.
        Code::App(_) if wait.is_some_and(|wait| wait <= WAITS_MAX) => Came::NotNow(wait),
        code => Came::Refused(format!("{code:?}: {}", refusal.text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{Refusal, Wall};

    #[test]
    fn only_what_may_succeed_is_asked_again() {
        let refused = |refusal| Ok(Told::Reply { reply: Reply::Refused(refusal), at: Wall(0) });
        for (told, again) in [
            (Err(Uncalled::Busy), true),
            (Err(Uncalled::Unanswered), true),
            (refused(Refusal::busy(50)), true),
            (refused(Refusal::unconfirmed()), true),
            (refused(Refusal::new(Code::InvalidPayload, "content: …")), false),
            (refused(Refusal::new(Code::App("BANNED"), "you are banned")), false),
            (refused(Refusal::new(Code::Internal, "it panicked, or is quarantined")), false),
        ] {
            assert_eq!(matches!(came(told.clone()), Came::NotNow(..)), again, "{told:?}");
        }
        assert!(matches!(came(Ok(Told::Reply { reply: Reply::Done(None), at: Wall(0) })), Came::Taken));
    }
}
