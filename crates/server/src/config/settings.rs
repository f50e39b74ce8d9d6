//! Values by key, each with the place it came from. Later layers cover earlier ones; it knows nothing of files or the
//! environment.

use node::Network;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::fault::{Faults, Place};
use super::kind::{File, Value};
use super::schema::{self, Fallback, Group, Row};
use super::units::Memory;

pub(crate) struct Setting {
    pub row: &'static Row,
    /// None: nobody says it and it has no default, or what was said was no such value.
    pub value: Option<Value>,
    pub place: Place,
}

impl Setting {
    /// For people: never a secret.
    pub(crate) fn shown(&self) -> String {
        match (&self.value, self.row.default) {
            (Some(_), _) if self.row.secret => "(hidden)".into(),
            (Some(value), _) => value.shown(),
            (None, Fallback::Without(otherwise)) => format!("({otherwise})"),
            (None, Fallback::Text(_) | Fallback::Required) => "(none)".into(),
        }
    }
}

/// The settings of one table of rows.
#[derive(Default)]
pub(crate) struct Section(BTreeMap<&'static str, Setting>);

/// One table of a group.
pub(crate) struct Entry {
    pub place: Place,
    pub section: Section,
}

pub(crate) struct Settings {
    pub top: Section,
    groups: BTreeMap<&'static str, Vec<Entry>>,
}

impl Settings {
    pub(super) fn defaults() -> Settings {
        let mut settings = Settings { top: Section::defaults(schema::rows()), groups: BTreeMap::new() };
        for group in schema::groups().filter(|group| !group.by_default.is_empty()) {
            let entry = |but: &&'static [(&str, &str)]| {
                let mut section = Section::defaults(group.rows.iter());
                for (key, text) in *but {
                    let row = group.rows.iter().find(|row| row.key == *key);
                    section.suppose(key, row.and_then(|row| row.kind.read_text(text).ok()));
                }
                Entry { place: Place::Default, section }
            };
            settings.set_entries(group, group.by_default.iter().map(entry).collect());
        }
        settings
    }

    pub(super) fn set_entries(&mut self, group: &Group, entries: Vec<Entry>) {
        self.groups.insert(group.key, entries);
    }

    pub(crate) fn entries(&self, group: &str) -> &[Entry] {
        self.groups.get(group).map_or(&[], Vec::as_slice)
    }

    /// Every setting with its whole key, in the order of the schema.
    pub(crate) fn all(&self) -> Vec<(String, &Setting)> {
        let top = schema::rows().filter_map(|row| Some((row.key.to_owned(), self.top.0.get(row.key)?)));
        let mut all: Vec<_> = top.collect();
        for group in schema::groups() {
            for (index, entry) in self.entries(group.key).iter().enumerate() {
                let settings = group.rows.iter().filter_map(|row| entry.section.0.get(row.key));
                all.extend(settings.map(|it| (format!("{}[{index}].{}", group.key, it.row.key), it)));
            }
        }
        all
    }
}

impl Section {
    pub(super) fn defaults(rows: impl Iterator<Item = &'static Row>) -> Section {
        let setting = |row: &'static Row| {
            let value = match row.default {
                Fallback::Text(text) => row.kind.read_text(text).ok(),
                Fallback::Without(_) | Fallback::Required => None,
            };
            (row.key, Setting { row, value, place: Place::Default })
        };
        Section(rows.map(setting).collect())
    }

    /// What cannot be read as the row's kind is a fault, and leaves no value to be judged once more.
    pub(super) fn set(
        &mut self,
        row: &'static Row,
        place: Place,
        written: &str,
        read: Result<Value, String>,
        faults: &mut Faults,
    ) {
        let value = read.map_err(|why| {
            let written = if row.secret { "(hidden)" } else { written };
            faults.add(&place, format!("`{}` = {written}: {why}", row.key));
        });
        self.0.insert(row.key, Setting { row, value: value.ok(), place });
    }

    /// A value that must be there: it has a default, or its absence was a fault.
    pub(super) fn get<T: OfValue>(&self, key: &str) -> T {
        self.maybe(key).unwrap_or_else(|| panic!("`{key}` is not in the schema, or is of another kind"))
    }

    pub(super) fn maybe<T: OfValue>(&self, key: &str) -> Option<T> {
        self.0
            .get(key)?
            .value
            .as_ref()
            .map(|value| T::of(value).unwrap_or_else(|| panic!("`{key}` is of another kind in the schema")))
    }

    pub(super) fn place(&self, key: &str) -> &Place {
        self.0.get(key).map_or(&Place::Default, |setting| &setting.place)
    }

    /// Did anybody say it, be it wrong?
    pub(super) fn is_said(&self, key: &str) -> bool {
        *self.place(key) != Place::Default
    }

    /// A default that depends on where we are. What somebody said stays.
    pub(super) fn suppose(&mut self, key: &str, value: Option<Value>) {
        if let Some(setting) = self.0.get_mut(key).filter(|setting| setting.place == Place::Default) {
            setting.value = value;
        }
    }
}

/// What a value is in the program.
pub(super) trait OfValue: Sized {
    fn of(value: &Value) -> Option<Self>;
}

macro_rules! of_value {
    ($($kind:ident as $type:ty: $value:ident => $out:expr;)*) => {
        $(impl OfValue for $type {
            fn of(value: &Value) -> Option<Self> {
                match value {
                    Value::$kind($value) => $out,
                    _ => None,
                }
            }
        })*
    };
}

of_value! {
    Switch as bool: value => Some(*value);
    Span as Duration: value => Some(*value);
    Text as String: value => Some(value.clone());
    Texts as Vec<String>: value => Some(value.clone());
    Address as SocketAddr: value => Some(*value);
    Path as PathBuf: value => Some(value.clone());
    File as File: value => Some(value.clone());
    Networks as Vec<Network>: value => Some(value.clone());
    Memory as Memory: value => Some(*value);
}

macro_rules! number_of_value {
    ($($type:ty),*) => {
        $(impl OfValue for $type {
            /// The row's range keeps it within the type.
            fn of(value: &Value) -> Option<Self> {
                match value {
                    Value::Count(number) | Value::Bytes(number) => (*number).try_into().ok(),
                    _ => None,
                }
            }
        })*
    };
}

number_of_value!(u16, u32, usize);
