//! Visitors without a login: the tokens that are made for them, and which of those are exchanged for one of a further session. A
//! token of anybody else's making is never exchanged.

use std::sync::Arc;

use axum::http::StatusCode;
use node::{Authenticated, Facts};
use vocabulary::{Person, User, UserId, Wall, lower_uuid};

use super::{Livechat, Visitor, bodies};
use crate::answers::Fault;

/// How the ids of visitors begin.
const VISITOR: &str = "visitor-";
/// How those of their tokens do: then the second of their first one, and what makes it the only one.
const GUEST: &str = "guest";
/// Exchanged as often as one likes, all that come of one token end by then: whoever has a copy of one has it no longer. A visitor
/// who comes back each month is known for a season.
const SECONDS_MAX: i64 = 90 * 24 * 3600;

pub(super) struct Guest {
    person: Person,
    /// When they got their first token, in seconds.
    since: i64,
}

impl Guest {
    pub(super) fn new(name: &str) -> Result<Guest, Fault> {
        let id = UserId::new(&format!("{VISITOR}{}", bodies::new_session_id()?));
        Ok(Guest { person: Person { id, name: name.into() }, since: Facts::now().0 / 1000 })
    }

    /// Whose token was made here: it says so itself, of a visitor whose inbox it is for.
    pub(super) fn of(known: &Authenticated) -> Option<Guest> {
        let Authenticated { user, token, .. } = known;
        let mut parts = token.as_deref()?.split(':');
        let (Some(GUEST), Some(since), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let since = since.parse().ok()?;
        let person = &user.person;
        let is_visitor = person.id.as_str().strip_prefix(VISITOR).is_some_and(|id| lower_uuid(id).is_some());
        let is_theirs = is_visitor && user.rooms.is_some() && user.may_enter(&person.id.inbox());
        is_theirs.then(|| Guest { person: person.clone(), since })
    }
}

impl Livechat {
    /// For this session, and for the list of the visitor's own.
    pub(super) fn token(&self, guest: &Guest, session: &str) -> Result<String, Fault> {
        let Some(mint) = &self.mint else {
            let says =
                "others sign the tokens of this server: send one of your own login as Authorization: Bearer";
            return Err(Fault::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", says));
        };
        let Guest { person, since } = guest;
        let rooms = vec![format!("support:{session}"), person.id.inbox().as_str().to_owned()];
        let id = format!("{GUEST}:{since}:{}", bodies::new_session_id()?);
        let ends_by = Wall(since.saturating_add(SECONDS_MAX).saturating_mul(1000));
        mint(Visitor { person: person.clone(), rooms, id, ends_by }).map_err(|error| {
            tracing::error!(error, "a visitor's token could not be signed");
            Fault::unexpected()
        })
    }

    /// By the same keys as at the door: what was signed for nobody who may come in is given to nobody.
    pub(super) fn proven(&self, token: &str) -> Result<Arc<User>, Fault> {
        self.door.prover.prove(token).map(|who| who.user).map_err(|_| Fault::unproven())
    }
}
