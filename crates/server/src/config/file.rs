//! The file as written: TOML to settings, each with its line. What is in no row of the schema is refused. A parse error is
//! told in words alone, because the line it points to may hold a secret.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, Place};
use super::nearest;
use super::schema::{self, Fallback, Group, Row};
use super::settings::{Entry, Section, Settings};

/// More of a wrong value than this does not help to find it.
const SHOWN_CHARS_MAX: usize = 60;

pub(super) fn read(file: &str, text: &str, settings: &mut Settings, faults: &mut Faults) {
    let reader = &mut Reader { file: file.into(), text, faults };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = reader.place(error.span().map_or(0, |span| span.start));
        // Of a key no more is shown than what keys are made of.
        let key = error.span().and_then(|span| text.get(span)).filter(|key| key.len() <= SHOWN_CHARS_MAX);
        let is_key = |key: &&str| key.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.'));
        let key = key.filter(|_| error.message() == "duplicate key").filter(is_key);
        let key = key.map(|key| format!(": `{key}`")).unwrap_or_default();
        reader.faults.add(&place, format!("this is not TOML: {}{key}", error.message()));
    }
    if errors.is_empty() {
        reader.table("", table.get_ref(), settings);
    }
}

struct Reader<'a> {
    file: Arc<str>,
    text: &'a str,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn table(&mut self, above: &str, table: &DeTable<'_>, settings: &mut Settings) {
        for (key, value) in table {
            let path = if above.is_empty() { key.to_string() } else { format!("{above}.{key}") };
            let place = self.place(key.span().start);
            if let Some(row) = schema::row(&path) {
                self.setting(row, place, value, &mut settings.top);
            } else if let Some(group) = schema::groups().find(|group| group.key == path) {
                self.entries(group, &place, value, settings);
            } else if !schema::is_section(&path) {
                self.unknown(&place, &path, schema::known());
            } else if let DeValue::Table(inner) = value.get_ref() {
                self.table(&path, inner, settings);
            } else {
                self.faults.add(&place, format!("`{path}` is a table: write [{path}]"));
            }
        }
    }

    fn entries(
        &mut self,
        group: &'static Group,
        place: &Place,
        value: &Spanned<DeValue<'_>>,
        settings: &mut Settings,
    ) {
        let tables = value.get_ref().as_array().map(|items| {
            items.iter().map(|item| Some((item.span().start, item.get_ref().as_table()?))).collect()
        });
        let Some(Some(tables)) = tables else {
            let key = group.key;
            return self.faults.add(place, format!("`{key}` is a list of tables: write [[{key}]]"));
        };
        let tables: Vec<(usize, &DeTable<'_>)> = tables;
        if tables.len() > group.entries_max {
            let (key, count, most) = (group.key, tables.len(), group.entries_max);
            self.faults.add(place, format!("[[{key}]] {count} times: leave some out, {most} are the most"));
        }
        let entries = tables.into_iter().map(|(at, table)| self.entry(group, at, table)).collect();
        settings.set_entries(group, entries);
    }

    fn entry(&mut self, group: &'static Group, at: usize, table: &DeTable<'_>) -> Entry {
        let place = self.place(at);
        let mut section = Section::defaults(group.rows.iter());
        for (key, value) in table {
            let place = self.place(key.span().start);
            match group.rows.iter().find(|row| row.key == key.get_ref()) {
                Some(row) => self.setting(row, place, value, &mut section),
                None => self.unknown(&place, key.get_ref(), group.rows.iter().map(|row| row.key)),
            }
        }
        for row in group.rows {
            if matches!(row.default, Fallback::Required) && !section.is_said(row.key) {
                self.faults
                    .add(&place, format!("[[{}]] needs `{}`: {}", group.key, row.key, row.kind.expected()));
            }
        }
        Entry { place, section }
    }

    fn setting(
        &mut self,
        row: &'static Row,
        place: Place,
        value: &Spanned<DeValue<'_>>,
        section: &mut Section,
    ) {
        let written = self.text.get(value.span()).unwrap_or_default();
        let line: String = written.lines().next().unwrap_or_default().chars().take(SHOWN_CHARS_MAX).collect();
        let shown = if line.len() < written.len() { format!("{line}…") } else { line };
        let shown = super::kind::without_password(&shown);
        section.set(row, place, &shown, row.kind.read_toml(value.get_ref()), self.faults);
    }

    fn unknown(&mut self, place: &Place, path: &str, known: impl Iterator<Item = &'static str>) {
        let meant = nearest::key(path, known).map(|key| format!("; did you mean `{key}`?"));
        let path = path.escape_debug();
        self.faults.add(place, format!("unknown key `{path}`{}", meant.unwrap_or_default()));
    }

    fn place(&self, at: usize) -> Place {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Place::Line { file: self.file.clone(), line }
    }
}
