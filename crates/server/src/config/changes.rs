//! What is different when the configuration was read again, and what of it holds without a restart. It compares; to apply is
//! the caller's.

use std::collections::BTreeMap;
use std::fmt;

use super::fault::Place;
use super::schema::{self, Group};
use super::settings::{Setting, Settings};

#[derive(Default)]
pub(crate) struct Changes {
    /// Rows of the schema that reload.
    pub applied: Vec<Change>,
    pub needs_restart: Vec<Change>,
}

/// One setting, with its values as they are shown: never a secret.
pub(crate) struct Change {
    pub key: String,
    pub was: String,
    pub is: String,
    pub place: Place,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} (was {}; {})", self.key, self.is, self.was, self.place)
    }
}

pub(super) fn between(old: &Settings, new: &Settings) -> Changes {
    let mut changes = Changes::default();
    let before: BTreeMap<String, &Setting> = old.all().into_iter().collect();
    for (key, setting) in new.all() {
        let Some(was) = before.get(&key).filter(|was| was.value != setting.value) else { continue };
        let group = schema::groups().find(|group| key.starts_with(&format!("{}[", group.key)));
        let reloads = setting.row.reloads || group.is_some_and(|group| group.reloads);
        let change = Change { was: was.shown(), is: setting.shown(), place: setting.place.clone(), key };
        changes.add(reloads, change);
    }
    for group in schema::groups() {
        if let Some(change) = count(group, old, new) {
            changes.add(group.reloads, change);
        }
    }
    changes
}

/// Entries that came or went are told as a number: what stands at an index may be another one now.
fn count(group: &Group, old: &Settings, new: &Settings) -> Option<Change> {
    let (was, is) = (old.entries(group.key), new.entries(group.key));
    let place = is.last().or(was.last())?.place.clone();
    let shown = |count: usize| format!("{count} of them");
    (was.len() != is.len()).then(|| Change {
        key: group.key.to_owned(),
        was: shown(was.len()),
        is: shown(is.len()),
        place,
    })
}

impl Changes {
    fn add(&mut self, reloads: bool, change: Change) {
        if reloads { self.applied.push(change) } else { self.needs_restart.push(change) }
    }
}
