//! Tokens of this world are plain words.

use std::sync::Arc;
use std::time::Duration;

use session::Authenticated;
use vocabulary::{Person, User, UserId, Wall};

/// A user as a verified token names one.
pub fn user(id: &str, name: &str, rooms: Option<Vec<&str>>) -> Arc<User> {
    user_as(id, name, None, None, rooms)
}

/// With a role, and what it belongs to.
pub(crate) fn user_as(
    id: &str,
    name: &str,
    role: Option<&str>,
    groups: Option<Vec<&str>>,
    rooms: Option<Vec<&str>>,
) -> Arc<User> {
    let person = Person { id: UserId::new(id), name: name.into() };
    let all = |texts: Option<Vec<&str>>| texts.map(|texts| texts.into_iter().map(Arc::from).collect());
    Arc::new(User { person, role: role.map(Arc::from), rooms: all(rooms), groups: all(groups) })
}

pub(super) fn known(user: Arc<User>, expires: Wall) -> Authenticated {
    Authenticated { user, expires, issued: Wall(0), token: None }
}

/// Tokens of this world are plain words: `ana for 90 s`, and behind it what else it says, each at its place:
/// `ana for 90 s named Anita as agent in general licences allowed team-* general`.
pub(crate) fn prove(now: Wall, token: &str) -> Option<Authenticated> {
    let (id, rest) = token.split_once(" for ")?;
    let (rest, rooms) = both(rest, " allowed ");
    let (rest, groups) = both(rest, " in ");
    let (rest, role) = both(rest, " as ");
    let (span, name) = both(rest, " named ");
    let seconds = span.strip_suffix(" s")?.parse().ok()?;
    let usual = format!("{}{}", id.get(..1)?.to_uppercase(), &id[1..]);
    let user = user_as(id, name.unwrap_or(&usual), role, groups.map(words), rooms.map(words));
    Some(known(user, now + Duration::from_secs(seconds)))
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

fn both<'a>(text: &'a str, between: &str) -> (&'a str, Option<&'a str>) {
    text.split_once(between).map_or((text, None), |(before, behind)| (before, Some(behind)))
}
