//! One client's conversation over a connection: who it is, how much it may ask, when it ends. Only an open session can
//! produce a command. It knows no frames, no rooms' state and no protocol's words.

mod rate;

use std::sync::Arc;
use std::time::Duration;

use vocabulary::{Asked, CloseReason, Code, Now, Refusal, Tick, User, Verb, Wall};

use rate::Rate;

/// Every maximum of a session, with its reason.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What a person at a keyboard never reaches and a script soon does.
    pub messages_per_second: u32,
    pub burst: u32,
    /// A client that goes on after this many refusals a second, for ten seconds, does not listen.
    pub refusals_per_second: u32,
    /// Sends without an answer yet: more than this in flight only lengthens the queue.
    pub unacked_max: u32,
    pub rooms_max: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            messages_per_second: 20,
            burst: 40,
            refusals_per_second: 10,
            unacked_max: 64,
            rooms_max: 100,
        }
    }
}

/// What a verified token proves, and until when. Made only by whoever verified it.
#[derive(Clone, Debug)]
pub struct Authenticated {
    pub user: Arc<User>,
    pub expires: Wall,
}

/// ```text
/// Open ──▶ Ended
/// ```
/// Authentication before the upgrade means that a session begins open; one that authenticates in band will begin before.
#[derive(Debug)]
pub enum Session {
    Open(Open),
    /// A close frame is on its way; nothing more is heard.
    Ended(CloseReason),
}

#[derive(Debug)]
pub struct Open {
    who: Authenticated,
    messages: Rate,
    refusals: Rate,
    unacked: u32,
}

/// What a request came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Allowed(Asked),
    Refused(Asked, Refusal),
    /// Nothing is answered any more.
    Ignored,
}

impl Session {
    pub fn open(who: Authenticated) -> Session {
        Session::Open(Open { who, messages: Rate::default(), refusals: Rate::default(), unacked: 0 })
    }

    pub fn user(&self) -> Option<&Arc<User>> {
        match self {
            Session::Open(open) => Some(&open.who.user),
            Session::Ended(_) => None,
        }
    }

    pub fn is_open(&self) -> bool {
        matches!(self, Session::Open(_))
    }

    /// Why it ended, if it has.
    pub fn ended(&self) -> Option<CloseReason> {
        match self {
            Session::Open(_) => None,
            Session::Ended(reason) => Some(*reason),
        }
    }

    /// Every text message counts, understood or not. Answers what the sender is to be told instead, if it is too much.
    pub fn count(&mut self, now: Now, limits: &Limits) -> Result<(), Refusal> {
        let Session::Open(open) = self else { return Ok(()) };
        let spacing = Duration::from_secs(1) / limits.messages_per_second.max(1);
        open.messages.take(now.tick, spacing, limits.burst).map_err(|wait| Refusal::rate_limit(millis(wait)))
    }

    /// Whether this client may ask that. `rooms` is how many it is in.
    pub fn allow(&mut self, asked: Asked, rooms: usize, limits: &Limits) -> Heard {
        let Session::Open(open) = self else { return Heard::Ignored };
        if !open.who.user.may_enter(&asked.room) {
            let refusal = Refusal::new(Code::Forbidden, "your token does not allow this room");
            return Heard::Refused(asked, refusal);
        }
        match asked.verb {
            Verb::Join { .. } if rooms >= usize::from(limits.rooms_max) => {
                let text = format!("you are in {rooms} rooms, leave one first");
                Heard::Refused(asked, Refusal::new(Code::TooManyRooms, text))
            }
            Verb::Act { .. } if open.unacked >= limits.unacked_max => {
                Heard::Refused(asked, Refusal::busy(250))
            }
            Verb::Act { .. } => {
                open.unacked += 1;
                Heard::Allowed(asked)
            }
            _ => Heard::Allowed(asked),
        }
    }

    /// A send was answered, whatever the answer.
    pub fn answered(&mut self) {
        if let Session::Open(open) = self {
            open.unacked = open.unacked.saturating_sub(1);
        }
    }

    /// A refusal was sent. Too many of them end the session.
    pub fn refused(&mut self, now: Now, limits: &Limits) -> Option<CloseReason> {
        let Session::Open(open) = self else { return None };
        let spacing = Duration::from_secs(1) / limits.refusals_per_second.max(1);
        let ten_seconds_worth = limits.refusals_per_second.saturating_mul(10);
        let wait = open.refusals.take(now.tick, spacing, ten_seconds_worth).err()?;
        Some(CloseReason::RateLimit(millis(wait).max(1000)))
    }

    /// The token's time is over.
    pub fn has_expired(&self, now: Now) -> bool {
        matches!(self, Session::Open(open) if open.who.expires <= now.wall)
    }

    pub fn expires(&self, now: Now) -> Option<Tick> {
        match self {
            Session::Open(open) => Some(now.tick_at(open.who.expires)),
            Session::Ended(_) => None,
        }
    }

    pub fn end(&mut self, reason: CloseReason) {
        *self = Session::Ended(reason);
    }
}

fn millis(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{Payload, Person, RoomId, Standing, Tag, UserId};

    fn session(rooms: Option<Vec<Arc<str>>>) -> Session {
        let person = Person { id: UserId::new("7"), name: "Ana".into() };
        let user = Arc::new(User { person, role: None, rooms });
        Session::open(Authenticated { user, expires: Wall(1000) })
    }

    fn asked(room: &str, verb: Verb) -> Asked {
        Asked { tag: Tag::default(), room: RoomId::new("chat", room), verb }
    }

    fn send() -> Verb {
        Verb::Act { kind: "send_message".into(), payload: Payload::new(), standing: Standing::Member }
    }

    fn refusal(heard: Heard) -> Code {
        match heard {
            Heard::Refused(_, refusal) => refusal.code,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn sends_without_an_answer_are_bounded_and_an_answer_frees_one() {
        let (mut session, limits) = (session(None), Limits::default());
        for _ in 0..limits.unacked_max {
            assert!(matches!(session.allow(asked("a", send()), 1, &limits), Heard::Allowed(_)));
        }
        assert_eq!(refusal(session.allow(asked("a", send()), 1, &limits)), Code::Busy);
        session.answered();
        assert!(matches!(session.allow(asked("a", send()), 1, &limits), Heard::Allowed(_)));
    }

    #[test]
    fn a_room_more_than_allowed_is_refused_by_name() {
        let (mut session, limits) = (session(None), Limits::default());
        let join = Verb::Join { since: None, payload: Payload::new() };
        assert_eq!(refusal(session.allow(asked("a", join), 100, &limits)), Code::TooManyRooms);
    }

    #[test]
    fn a_token_that_names_rooms_allows_no_other() {
        let (mut session, limits) = (session(Some(vec!["team-*".into()])), Limits::default());
        assert!(matches!(session.allow(asked("team-1", Verb::Members), 0, &limits), Heard::Allowed(_)));
        assert_eq!(refusal(session.allow(asked("other", Verb::Members), 0, &limits)), Code::Forbidden);
    }

    #[test]
    fn a_client_that_does_not_listen_to_refusals_is_closed() {
        let (mut session, limits) = (session(None), Limits::default());
        let now = Now::default();
        let closed = (0..200).find_map(|_| session.refused(now, &limits));
        assert!(matches!(closed, Some(CloseReason::RateLimit(_))));
    }

    #[test]
    fn an_ended_session_hears_nothing() {
        let (mut session, limits) = (session(None), Limits::default());
        session.end(CloseReason::TokenExpired);
        assert_eq!(session.allow(asked("a", send()), 1, &limits), Heard::Ignored);
    }

    #[test]
    fn the_token_ends_when_it_says() {
        let session = session(None);
        assert!(!session.has_expired(Now { wall: Wall(999), ..Now::default() }));
        assert!(session.has_expired(Now { wall: Wall(1000), ..Now::default() }));
    }
}
