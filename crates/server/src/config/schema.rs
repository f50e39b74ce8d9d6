//! What can be configured, as data: the shape of a row and how rows are found. The rows are in `rows` and `groups`; whatever reads, checks,
//! prints or documents settings is made from them, and nowhere is a key known that has no row.

use super::kind::Kind;
use super::{bridges, groups, kafka, nats_bridge, rides, rows, support};

/// One setting.
pub(crate) struct Row {
    /// Path with dots; in the row of a group, the path inside an entry.
    pub key: &'static str,
    pub kind: Kind,
    pub default: Fallback,
    /// Applied when the file is read again, without a restart.
    pub reloads: bool,
    pub secret: bool,
    /// A second variable, behind `KULKUL_…`, that other servers or earlier scripts set.
    pub variable: Option<&'static str>,
    pub standing: Standing,
    pub help: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) enum Fallback {
    /// Written as in a variable.
    Text(&'static str),
    /// No value of its own; what happens then.
    Without(&'static str),
    /// There is none: an entry must say it.
    Required,
}

/// What this version does with a setting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    InForce,
    /// Accepted, and a warning says why nothing changes.
    Idle(&'static str),
}

/// A list of tables, `[[mounts]]`.
pub(crate) struct Group {
    pub key: &'static str,
    pub rows: &'static [Row],
    pub reloads: bool,
    pub entries_max: usize,
    /// The entries without any in the file: defaults, but for these.
    pub by_default: &'static [&'static [(&'static str, &'static str)]],
    #[cfg_attr(not(test), expect(dead_code, reason = "for the page, which a test writes"))]
    pub help: &'static str,
}

/// Tables of rows; an app's own section is one more.
const TABLES: [&[Row]; 8] = [
    rows::SERVER,
    super::chat::ROWS,
    support::ROWS,
    rides::ROWS,
    rows::CLIENTS,
    bridges::ROWS,
    kafka::ROWS,
    nats_bridge::ROWS,
];

pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    TABLES.iter().flat_map(|table| table.iter())
}

pub(crate) fn groups() -> impl Iterator<Item = &'static Group> {
    groups::GROUPS.iter()
}

pub(crate) fn row(key: &str) -> Option<&'static Row> {
    rows().find(|row| row.key == key)
}

/// Is this the beginning of keys, `limits` or `auth`?
pub(super) fn is_section(path: &str) -> bool {
    let keys = rows().map(|row| row.key).chain(groups().map(|group| group.key));
    keys.filter_map(|key| key.strip_prefix(path)).any(|rest| rest.starts_with('.'))
}

/// Everything that could have been meant at the top.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    let keys = || rows().map(|row| row.key).chain(groups().map(|group| group.key));
    keys().chain(keys().filter_map(|key| key.split_once('.').map(|(section, _)| section)))
}

impl Row {
    /// `KULKUL_LIMITS__BURST`
    pub(crate) fn variable_name(&self) -> String {
        format!("KULKUL_{}", self.key.replace('.', "__").to_uppercase())
    }

    pub(super) const fn new(key: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Row {
        let default = Fallback::Text(default);
        Row {
            key,
            kind,
            default,
            reloads: false,
            secret: false,
            variable: None,
            standing: Standing::InForce,
            help,
        }
    }

    pub(super) const fn without(
        key: &'static str,
        kind: Kind,
        otherwise: &'static str,
        help: &'static str,
    ) -> Row {
        Row { default: Fallback::Without(otherwise), ..Row::new(key, kind, "", help) }
    }

    pub(super) const fn required(key: &'static str, kind: Kind, help: &'static str) -> Row {
        Row { default: Fallback::Required, ..Row::new(key, kind, "", help) }
    }

    pub(super) const fn reloads(self) -> Row {
        Row { reloads: true, ..self }
    }

    pub(super) const fn secret(self) -> Row {
        Row { secret: true, ..self }
    }

    pub(super) const fn also(self, variable: &'static str) -> Row {
        Row { variable: Some(variable), ..self }
    }

    pub(super) const fn idle(self, why: &'static str) -> Row {
        Row { standing: Standing::Idle(why), ..self }
    }
}
