//! What stands in the line of a user's request: an id in its path, and the query. It is read only after the one who asks is known, so that
//! who proves nothing learns nothing of it.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};

use crate::answers::Fault;

/// Of a name that is repeated in a refusal.
const NAME_CHARS_MAX: usize = 60;

pub(crate) type Id = Result<Path<String>, PathRejection>;
/// Of a match or a ride, and what is said of it.
pub(crate) type Both = Result<Path<(String, String)>, PathRejection>;
/// Names that nobody here knows are passed over, as those of bodies are.
pub(crate) type Asked = Result<Query<Vec<(String, String)>>, QueryRejection>;

pub(crate) fn id(id: Id) -> Result<String, Fault> {
    id.map(|Path(id)| id).map_err(|error| Fault::field("id", error.body_text()))
}

pub(crate) fn both(both: Both) -> Result<(String, String), Fault> {
    both.map(|Path(both)| both).map_err(|error| Fault::field("id", error.body_text()))
}

pub(crate) fn pairs(asked: Asked) -> Result<Vec<(String, String)>, Fault> {
    asked.map(|Query(pairs)| pairs).map_err(|error| Fault::query(&error))
}

/// What is said under that name, which is said once.
pub(crate) fn one<'a>(pairs: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Fault> {
    let mut said = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match (said.next(), said.next()) {
        (said, None) => Ok(said),
        (_, Some(_)) => Err(not_once(name)),
    }
}

/// Which of the two was meant, nobody knows.
pub(crate) fn not_once(name: &str) -> Fault {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    Fault::field(&name, format!("{name} is there more than once: say it once"))
}
