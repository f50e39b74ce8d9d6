//! One client's conversation over a connection: who it is, how much it may ask, when it ends. Only an open session can
//! produce a command. It knows no frames, no rooms' state and no protocol's words.

mod rate;

use std::sync::Arc;
use std::time::Duration;

use vocabulary::{Asked, CloseReason, Code, Now, Refusal, Revocation, Tick, User, Verb, Wall};

pub use rate::Rate;

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
    /// How long a stranger may take to say who it is.
    pub hello: Duration,
}

/// To a client's pace a page of the past is one message more for so many entries, up to a whole page: it is cheap to ask for and
/// dear to answer.
const ENTRIES_A_MESSAGE: u32 = 10;
const PAGE_MESSAGES_MAX: u32 = 10;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            messages_per_second: 20,
            burst: 40,
            refusals_per_second: 10,
            unacked_max: 64,
            rooms_max: 100,
            hello: Duration::from_secs(10),
        }
    }
}

/// What a verified token proves, and until when. Made only by whoever verified it.
#[derive(Clone, Debug)]
pub struct Authenticated {
    pub user: Arc<User>,
    pub expires: Wall,
    /// When the token was made; long ago if it does not say.
    pub issued: Wall,
    /// The token's own id, if it has one.
    pub token: Option<Arc<str>>,
}

impl Authenticated {
    pub fn is_revoked_by(&self, revocation: &Revocation) -> bool {
        match revocation {
            Revocation::User { id, until } => self.user.person.id == *id && self.issued <= *until,
            Revocation::Token(id) => self.token.as_ref() == Some(id),
        }
    }
}

/// Who is at the other end when the conversation begins.
#[derive(Clone, Debug)]
pub enum Who {
    Known(Authenticated),
    /// Says so in its first message.
    Stranger,
}

/// ```text
/// Strange ──token──▶ Open ──▶ Ended
///    └────────────────────────▲
/// ```
/// Authentication before the upgrade means that a session begins open.
#[derive(Debug)]
pub enum Session {
    Strange(Strange),
    Open(Open),
    /// A close frame is on its way; nothing more is heard.
    Ended(CloseReason),
}

/// Nobody yet. It may say who it is, and nothing else.
#[derive(Debug)]
pub struct Strange {
    until: Tick,
    messages: Rate,
    refusals: Rate,
}

#[derive(Debug)]
pub struct Open {
    who: Authenticated,
    messages: Rate,
    refusals: Rate,
    unacked: u32,
    /// It was told that its token ends soon, or knew when it came.
    warned: bool,
}

/// What a request came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Allowed(Asked),
    Refused(Asked, Refusal),
    /// Nothing is answered any more.
    Ignored,
}

/// What a proof changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Proven {
    /// A stranger became somebody.
    Opened,
    Renewed,
    /// A session is one user's for all its life.
    AnotherUser,
    /// It had ended meanwhile.
    TooLate,
}

/// So long before a token's end its bearer is told to get another one.
const WARNING: Duration = Duration::from_secs(60);

impl Session {
    pub fn begin(now: Now, who: Who, limits: &Limits) -> Session {
        match who {
            Who::Known(who) => Session::Open(Open::begin(now, who, Rate::default(), Rate::default())),
            Who::Stranger => {
                let (messages, refusals) = (Rate::default(), Rate::default());
                Session::Strange(Strange { until: now.tick + limits.hello, messages, refusals })
            }
        }
    }

    pub fn who(&self) -> Option<&Authenticated> {
        match self {
            Session::Open(open) => Some(&open.who),
            Session::Strange(_) | Session::Ended(_) => None,
        }
    }

    /// Why it ended, if it has.
    pub fn ended(&self) -> Option<CloseReason> {
        match self {
            Session::Strange(_) | Session::Open(_) => None,
            Session::Ended(reason) => Some(*reason),
        }
    }

    /// A token was found to be good.
    pub fn prove(&mut self, now: Now, who: Authenticated) -> Proven {
        match self {
            Session::Ended(_) => Proven::TooLate,
            Session::Strange(strange) => {
                *self = Session::Open(Open::begin(now, who, strange.messages, strange.refusals));
                Proven::Opened
            }
            Session::Open(open) if open.who.user.person.id != who.user.person.id => Proven::AnotherUser,
            Session::Open(open) => {
                open.warned = who.expires <= now.wall + WARNING;
                open.who = who;
                Proven::Renewed
            }
        }
    }

    /// Every text message counts, understood or not. Answers what the sender is to be told instead, if it is too much.
    pub fn count(&mut self, now: Now, limits: &Limits) -> Result<(), Refusal> {
        let messages = match self {
            Session::Strange(strange) => &mut strange.messages,
            Session::Open(open) => &mut open.messages,
            Session::Ended(_) => return Ok(()),
        };
        let spacing = Duration::from_secs(1) / limits.messages_per_second.max(1);
        messages.take(now.tick, spacing, limits.burst).map_err(|wait| Refusal::rate_limit(millis(wait)))
    }

    /// Whether this client may ask that. `rooms` is how many it is in.
    pub fn allow(&mut self, now: Now, asked: Asked, rooms: usize, limits: &Limits) -> Heard {
        let open = match self {
            Session::Strange(_) => return Heard::Refused(asked, Refusal::unauthorized()),
            Session::Open(open) => open,
            Session::Ended(_) => return Heard::Ignored,
        };
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
            Verb::History { limit, .. } => match self.charge(now, limit, limits) {
                Ok(()) => Heard::Allowed(asked),
                Err(refusal) => Heard::Refused(asked, refusal),
            },
            _ => Heard::Allowed(asked),
        }
    }

    /// A message that costs more than others: as many more as stand for so many entries of a page, or rooms.
    pub fn charge(&mut self, now: Now, entries: u32, limits: &Limits) -> Result<(), Refusal> {
        let Session::Open(open) = self else { return Ok(()) };
        let spacing = Duration::from_secs(1) / limits.messages_per_second.max(1);
        let more = (entries / ENTRIES_A_MESSAGE).min(PAGE_MESSAGES_MAX);
        let taken = open.messages.take_many(more, now.tick, spacing, limits.burst);
        taken.map_err(|wait| Refusal::rate_limit(millis(wait)))
    }

    /// A send was answered, whatever the answer.
    pub fn answered(&mut self) {
        if let Session::Open(open) = self {
            open.unacked = open.unacked.saturating_sub(1);
        }
    }

    /// A refusal was sent. Too many of them end the session.
    pub fn refused(&mut self, now: Now, limits: &Limits) -> Option<CloseReason> {
        let refusals = match self {
            Session::Strange(strange) => &mut strange.refusals,
            Session::Open(open) => &mut open.refusals,
            Session::Ended(_) => return None,
        };
        let spacing = Duration::from_secs(1) / limits.refusals_per_second.max(1);
        let ten_seconds_worth = limits.refusals_per_second.saturating_mul(10);
        let wait = refusals.take(now.tick, spacing, ten_seconds_worth).err()?;
        Some(CloseReason::RateLimit(millis(wait).max(1000)))
    }

    /// The time of its token, or of its hello, is over.
    pub fn overdue(&self, now: Now) -> Option<CloseReason> {
        match self {
            Session::Strange(strange) => (strange.until <= now.tick).then_some(CloseReason::AuthTimeout),
            Session::Open(open) => (open.who.expires <= now.wall).then_some(CloseReason::TokenExpired),
            Session::Ended(_) => None,
        }
    }

    /// When its token will be over, if it is time to say so; said once.
    pub fn warning(&mut self, now: Now) -> Option<Wall> {
        let Session::Open(open) = self else { return None };
        if open.warned || now.wall + WARNING < open.who.expires {
            return None;
        }
        open.warned = true;
        Some(open.who.expires)
    }

    /// When it wants to be looked at again.
    pub fn next_look(&self, now: Now) -> Option<Tick> {
        match self {
            Session::Strange(strange) => Some(strange.until),
            Session::Open(open) if open.warned => Some(now.tick_at(open.who.expires)),
            Session::Open(open) => {
                Some(now.tick_at(Wall(open.who.expires.0.saturating_sub(WARNING.as_millis() as i64))))
            }
            Session::Ended(_) => None,
        }
    }

    pub fn end(&mut self, reason: CloseReason) {
        *self = Session::Ended(reason);
    }
}

impl Open {
    /// Whoever comes with a token that ends within the minute knows.
    fn begin(now: Now, who: Authenticated, messages: Rate, refusals: Rate) -> Open {
        let warned = who.expires <= now.wall + WARNING;
        Open { who, messages, refusals, unacked: 0, warned }
    }
}

fn millis(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{Payload, Person, RoomId, Standing, Tag, UserId};

    fn who(id: &str, rooms: Option<Vec<Arc<str>>>, expires: i64) -> Authenticated {
        let person = Person { id: UserId::new(id), name: "Ana".into() };
        let user = Arc::new(User { person, role: None, rooms, groups: None });
        Authenticated { user, expires: Wall(expires), issued: Wall(0), token: None }
    }

    fn at(millis: i64) -> Now {
        Now { tick: Tick(millis as u64 * 1_000_000), wall: Wall(millis) }
    }

    fn session(rooms: Option<Vec<Arc<str>>>) -> Session {
        Session::begin(at(0), Who::Known(who("7", rooms, 100_000)), &Limits::default())
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
            assert!(matches!(
                session.allow(Now::default(), asked("a", send()), 1, &limits),
                Heard::Allowed(_)
            ));
        }
        assert_eq!(refusal(session.allow(Now::default(), asked("a", send()), 1, &limits)), Code::Busy);
        session.answered();
        assert!(matches!(session.allow(Now::default(), asked("a", send()), 1, &limits), Heard::Allowed(_)));
    }

    #[test]
    fn a_room_more_than_allowed_is_refused_by_name() {
        let (mut session, limits) = (session(None), Limits::default());
        let join = Verb::Join { since: None, payload: Payload::new() };
        assert_eq!(
            refusal(session.allow(Now::default(), asked("a", join), 100, &limits)),
            Code::TooManyRooms
        );
    }

    #[test]
    fn a_token_that_names_rooms_allows_no_other() {
        let (mut session, limits) = (session(Some(vec!["team-*".into()])), Limits::default());
        assert!(matches!(
            session.allow(Now::default(), asked("team-1", Verb::Members), 0, &limits),
            Heard::Allowed(_)
        ));
        assert_eq!(
            refusal(session.allow(Now::default(), asked("other", Verb::Members), 0, &limits)),
            Code::Forbidden
        );
    }

    #[test]
    fn a_client_that_does_not_listen_to_refusals_is_closed() {
        let (mut session, limits) = (session(None), Limits::default());
        let now = Now::default();
        let closed = (0..200).find_map(|_| session.refused(now, &limits));
        assert!(matches!(closed, Some(CloseReason::RateLimit(_))));
    }

    /// What a load test does that says the same wrong word ten times a second.
    #[test]
    fn a_client_that_is_refused_ten_times_a_second_for_a_day_is_not() {
        let (mut session, limits) = (session(None), Limits::default());
        for tenth in 0..864_000 {
            assert_eq!(session.count(at(tenth * 100), &limits), Ok(()));
            assert_eq!(session.refused(at(tenth * 100), &limits), None, "after {tenth} tenths of a second");
        }
    }

    #[test]
    fn an_ended_session_hears_nothing() {
        let (mut session, limits) = (session(None), Limits::default());
        session.end(CloseReason::TokenExpired);
        assert_eq!(session.allow(Now::default(), asked("a", send()), 1, &limits), Heard::Ignored);
    }

    #[test]
    fn the_token_ends_when_it_says_and_its_bearer_is_warned_once() {
        let mut session = session(None);
        for (now, warning, overdue) in [
            (39_999, None, None),
            (40_000, Some(Wall(100_000)), None),
            (99_999, None, None),
            (100_000, None, Some(CloseReason::TokenExpired)),
        ] {
            assert_eq!((session.warning(at(now)), session.overdue(at(now))), (warning, overdue), "at {now}");
        }
    }

    #[test]
    fn a_new_token_of_the_same_user_prolongs_and_of_another_does_not() {
        let mut session = session(None);
        assert_eq!(session.prove(at(90_000), who("7", None, 500_000)), Proven::Renewed);
        assert_eq!(session.overdue(at(100_000)), None);
        assert_eq!(session.warning(at(440_000)), Some(Wall(500_000)), "and there is a warning again");
        assert_eq!(session.prove(at(100_000), who("8", None, 900_000)), Proven::AnotherUser);
        assert_eq!(session.overdue(at(500_000)), Some(CloseReason::TokenExpired));
    }

    #[test]
    fn a_stranger_may_only_say_who_it_is_and_has_a_moment_for_it() {
        let limits = Limits::default();
        let mut session = Session::begin(at(0), Who::Stranger, &limits);
        assert_eq!(
            refusal(session.allow(Now::default(), asked("a", Verb::Members), 0, &limits)),
            Code::Unauthorized
        );
        assert_eq!(session.overdue(at(9_999)), None);
        assert_eq!(session.overdue(at(10_000)), Some(CloseReason::AuthTimeout));
        assert_eq!(session.prove(at(9_999), who("7", None, 500_000)), Proven::Opened);
        assert_eq!(session.overdue(at(10_000)), None);
        assert!(matches!(
            session.allow(Now::default(), asked("a", Verb::Members), 0, &limits),
            Heard::Allowed(_)
        ));
    }

    #[test]
    fn a_revocation_meets_the_tokens_it_means() {
        let token =
            Authenticated { issued: Wall(1000), token: Some("t-1".into()), ..who("7", None, 100_000) };
        let user = |id: &str, until| Revocation::User { id: UserId::new(id), until: Wall(until) };
        for (revocation, meets) in [
            (user("7", 999), false),
            (user("7", 1000), true),
            (user("8", 1000), false),
            (Revocation::Token("t-1".into()), true),
            (Revocation::Token("t-2".into()), false),
        ] {
            assert_eq!(token.is_revoked_by(&revocation), meets, "{revocation:?}");
        }
    }
}
