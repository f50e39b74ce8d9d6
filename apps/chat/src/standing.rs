//! Who somebody is in a room, and whether they may be in it. The one place where ranks are compared; it changes nothing.

use vocabulary::{Caller, Code, Person, Refusal, RoomId, UserId, Wall};

use crate::people::Role;
use crate::records::Access;
use crate::rules::Deed;
use crate::{Rules, State};

/// Each may do what the ones before it may. Nobody moderates who is not below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// May be here, and is no durable member.
    Guest,
    Member,
    Moderator,
    Owner,
    /// By the role in the token, in every room but those of two.
    Warden,
    /// A back end: an API key, a broker, the room itself.
    Key,
}

impl Rank {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rank::Guest => "guest",
            Rank::Member => "member",
            Rank::Moderator => "moderator",
            Rank::Owner => "owner",
            Rank::Warden | Rank::Key => "warden",
        }
    }
}

impl From<Role> for Rank {
    fn from(role: Role) -> Rank {
        match role {
            Role::Member => Rank::Member,
            Role::Moderator => Rank::Moderator,
            Role::Owner => Rank::Owner,
        }
    }
}

/// A caller as a room sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    pub rank: Rank,
    pub person: Option<&'a Person>,
    /// The role in the token.
    pub token: Option<&'a str>,
}

pub(crate) fn forbidden(text: impl Into<String>) -> Refusal {
    Refusal::new(Code::Forbidden, text.into())
}

/// A client or a back end that sorts or writes the two names wrongly would say in the open what it means for one.
pub(crate) fn is_nobodys(state: &State) -> bool {
    state.room.is_named_direct() && state.pair.is_none()
}

pub(crate) fn of_nobody() -> Refusal {
    forbidden("no two users have a room of this name: direct:A:B, sorted, what no name may hold written _XX")
}

impl<'a> Who<'a> {
    pub(crate) fn of(rules: &Rules, state: &State, caller: &'a Caller) -> Who<'a> {
        let (person, token) = (caller.author(), caller.user().and_then(|user| user.role.as_deref()));
        let rank = match caller.user() {
            None => Rank::Key,
            Some(_) if state.pair.is_none() && rules.is_warden(token) => Rank::Warden,
            Some(user) => state.rank(&user.person.id),
        };
        Who { rank, person, token }
    }

    pub(crate) fn id(&self) -> Option<&'a UserId> {
        self.person.map(|person| &person.id)
    }

    pub(crate) fn is(&self, id: &UserId) -> bool {
        self.id() == Some(id)
    }

    /// May they be here? What keeps them out is said.
    pub(crate) fn enter(&self, rules: &Rules, state: &State, now: Wall) -> Result<(), Refusal> {
        if self.rank == Rank::Key {
            return Ok(());
        }
        if state.deleted {
            return Err(forbidden("this room was deleted"));
        }
        let Some(id) = self.id() else { return Err(forbidden("only users and keys enter a room")) };
        if let Some((one, other)) = &state.pair {
            return match id == one || id == other {
                true => Ok(()),
                false => Err(forbidden("this room is for the two whose names it has")),
            };
        }
        if is_nobodys(state) {
            return Err(of_nobody());
        }
        if self.rank == Rank::Warden {
            return Ok(());
        }
        if state.people.is_banned(id) {
            return Err(Refusal::new(Code::App("BANNED"), "you are banned from this room"));
        }
        if let Some(until) = state.people.kicked(id, now) {
            let left = u32::try_from(until.0 - now.0).unwrap_or(u32::MAX);
            let refusal = forbidden(format!("you were kicked from this room, wait {left} ms"));
            return Err(Refusal { retry_after_ms: Some(left), ..refusal });
        }
        match (self.rank, state.settings.access) {
            (Rank::Guest, Access::Private) => {
                Err(forbidden("this room is private: one of its owners adds members"))
            }
            (Rank::Guest, _) if !rules.allow(Deed::Join, &state.room, self.token) => {
                Err(forbidden("your role may not join this room"))
            }
            _ => Ok(()),
        }
    }

    /// Whether they have at least this rank; `what` is what they wanted.
    pub(crate) fn needs(&self, rank: Rank, what: &str) -> Result<(), Refusal> {
        match self.rank >= rank {
            true => Ok(()),
            false => Err(forbidden(format!(
                "to {what} you must be {} or above, you are {}",
                rank.name(),
                self.rank.name()
            ))),
        }
    }

    /// Whether that one is below them.
    pub(crate) fn above(&self, state: &State, other: &UserId, what: &str) -> Result<(), Refusal> {
        match self.rank > state.rank(other) && !self.is_self(other) {
            true => Ok(()),
            false => Err(forbidden(format!("you cannot {what} yourself, nor who is not below you"))),
        }
    }

    /// A broker that speaks in somebody's name is that somebody's back end, not they.
    fn is_self(&self, other: &UserId) -> bool {
        self.rank < Rank::Key && self.is(other)
    }

    /// Refused while they are muted; wardens and keys are not.
    pub(crate) fn unmuted(&self, state: &State, now: Wall) -> Result<(), Refusal> {
        let muted = self.id().filter(|_| self.rank < Rank::Warden).and_then(|id| state.people.muted(id, now));
        match muted {
            None => Ok(()),
            Some(None) => {
                Err(Refusal::new(Code::App("MUTED"), "you are muted in this room until somebody unmutes you"))
            }
            Some(Some(until)) => {
                let left = u32::try_from(until.0 - now.0).unwrap_or(u32::MAX);
                let text = format!("you are muted in this room until {until}");
                Err(Refusal { retry_after_ms: Some(left), ..Refusal::new(Code::App("MUTED"), text) })
            }
        }
    }

    pub(crate) fn may_say(&self, rules: &Rules, state: &State) -> Result<(), Refusal> {
        let exempt = self.rank >= Rank::Warden || state.pair.is_some();
        match exempt || rules.allow(Deed::Send, &state.room, self.token) {
            true => Ok(()),
            false => Err(forbidden("your role may not send to this room")),
        }
    }

    pub(crate) fn may_create(&self, rules: &Rules, room: &RoomId) -> Result<(), Refusal> {
        match self.rank >= Rank::Warden || rules.allow(Deed::Create, room, self.token) {
            true => Ok(()),
            false => Err(forbidden("your role may not create this room")),
        }
    }
}
