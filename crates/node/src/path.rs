//! Paths of mounts: what one is, and what it says of whoever comes by it. It proves nothing; the gate compares it with the token.

use std::borrow::Cow;

use shard::Own;
use vocabulary::{Payload, Position, check_name, lower_uuid};

use crate::tokens::unescaped;
use crate::turned::{Turned, of_field};
use crate::visit::Visit;

/// A path, in which a segment may be the user's id, one the room that the connection is for, one the user's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(String);

const USER: &str = "{user}";
const SESSION: &str = "{session}";
const MATCH: &str = "{match}";
const ROLE: &str = "{type}";

/// What a path says of whoever comes by it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    pub user: Option<Cow<'a, str>>,
    pub room: Option<Place<'a>>,
    pub role: Option<Cow<'a, str>>,
}

/// A room, of either kind that has paths.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    Session(Cow<'a, str>),
    Match(Cow<'a, str>),
}

impl Path {
    pub fn new(path: &str) -> Path {
        Path(path.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn names_user(&self) -> bool {
        self.0.split('/').any(|segment| segment == USER)
    }

    /// Whether a request's path is this one, and what it names.
    pub(crate) fn matches<'a>(&self, path: &'a str) -> Option<Named<'a>> {
        let (mut ours, mut theirs) = (self.0.split('/'), path.split('/'));
        let mut named = Named::default();
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return Some(named),
                (Some(USER), Some(their)) => named.user = Some(unescaped(their)),
                (Some(SESSION), Some(their)) => named.room = Some(Place::Session(unescaped(their))),
                (Some(MATCH), Some(their)) => named.room = Some(Place::Match(unescaped(their))),
                (Some(ROLE), Some(their)) => named.role = Some(unescaped(their)),
                (Some(our), Some(their)) if our == their => {}
                _ => return None,
            }
        }
    }
}

impl Place<'_> {
    /// The room and how it is joined, with what the query says of that.
    pub(crate) fn own(self, visit: &Visit<'_>) -> Result<Own, Turned> {
        match self {
            Place::Session(written) => Ok(Own {
                name: session(&written)?,
                since: left_at(visit, "since must be the id of a message")?,
                join: Payload::from_static(b"{}"),
            }),
            Place::Match(written) => {
                let name = of_match(&written)?;
                let since = left_at(visit, "since must be EPOCH-OFFSET of a position")?;
                // Who is told whole states has missed nothing with the next one.
                let (join, since) = match visit.parameter("mode").as_deref() {
                    None | Some("whole") => (Payload::from_static(b"{}"), None),
                    Some("delta") => (Payload::from_static(br#"{"mode":"delta"}"#), since),
                    Some(_) => return Err(of_field("mode must be whole or delta", "mode")),
                };
                Ok(Own { name, since, join })
            }
        }
    }
}

/// A session is a UUID, however it is written.
fn session(written: &str) -> Result<Box<str>, Turned> {
    let refused = || of_field("session_id must be a UUID", "session_id");
    lower_uuid(written).map(Into::into).ok_or_else(refused)
}

/// A match has whatever name the fleet gives it, but for that of the list of them.
fn of_match(written: &str) -> Result<Box<str>, Turned> {
    match check_name(written) {
        Ok(()) if written != "list" => Ok(written.into()),
        _ => Err(of_field("matchId must name a match, by 1 to 128 of A-Z a-z 0-9 _ . : -", "matchId")),
    }
}

/// Clients that know positions say where they were, as `since=EPOCH-OFFSET`. Browsers that open a stream anew say by themselves what
/// it was, whatever stood in the path when they began.
fn left_at(visit: &Visit<'_>, refused: &'static str) -> Result<Option<Position>, Turned> {
    if let Some(last) = visit.last_event() {
        // What is none of ours is a place that never was: the client is told how it stands.
        return Ok(Some(last.parse().unwrap_or_default()));
    }
    let since = visit.parameter("since");
    since.map(|since| since.parse().map_err(|_| of_field(refused, "since"))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_name_a_session_and_a_role_beside_the_user() {
        let path = Path::new("/ws/{session}/{user}/{type}");
        let named = path.matches("/ws/550e8400-e29b-41d4-a716-446655440000/c%201/customer").expect("it is");
        assert_eq!(named.user.as_deref(), Some("c 1"));
        assert_eq!(named.role.as_deref(), Some("customer"));
        assert_eq!(named.room, Some(Place::Session("550e8400-e29b-41d4-a716-446655440000".into())));
        assert_eq!(path.matches("/ws/a/b"), None);
        for (written, is) in [
            ("550E8400-e29b-41d4-a716-446655440000", Some("550e8400-e29b-41d4-a716-446655440000")),
            ("550e8400e29b41d4a716446655440000", None),
            ("550e8400-e29b-41d4-a716-44665544000g", None),
            ("", None),
        ] {
            assert_eq!(session(written).ok().as_deref(), is, "{written}");
        }
    }

    #[test]
    fn a_path_may_name_a_match_and_not_the_list_of_them() {
        let named = Path::new("/ws/match/{match}").matches("/ws/match/m%2D1").expect("it is");
        assert_eq!(named.room, Some(Place::Match("m-1".into())));
        for (written, is) in [("m-1", true), ("list", false), ("", false), ("m 1", false), ("a:b", true)] {
            assert_eq!(of_match(written).is_ok(), is, "{written}");
        }
    }

    #[test]
    fn a_path_may_name_a_user_and_nothing_else_is_guessed() {
        let bare = Some(None::<&str>);
        for (ours, theirs, matched) in [
            ("/ws", "/ws", bare),
            ("/ws", "/ws/", None),
            ("/ws", "/WS", None),
            ("/ws/{user}", "/ws/7", Some(Some("7"))),
            ("/ws/{user}", "/ws/a%20b", Some(Some("a b"))),
            ("/ws/{user}", "/ws/", Some(Some(""))),
            ("/ws/{user}", "/ws", None),
            ("/ws/{user}", "/ws/7/8", None),
            ("/{user}/ws", "/7/ws", Some(Some("7"))),
        ] {
            let found = Path::new(ours).matches(theirs);
            let found = found.as_ref().map(|named| named.user.as_deref());
            assert_eq!(found, matched, "{theirs} on {ours}");
        }
    }
}
