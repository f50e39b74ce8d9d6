//! What the scripts answer about rooms, read and proved: offsets are dense, and the check that every record was stored with
//! is the one that its data rolls to. What does not fit is damage, and nothing of it is given to anybody. It asks nothing.

use std::sync::Arc;
use std::time::Duration;

use engine::{Appended, Placement, Present, Read, Snapshot, SoftEntry, Stored};
use redis::Value;
use vocabulary::{Check, Epoch, Incarnation, Key, Payload, Person, Position, Seen, UserId, Wall};

use crate::news::{Words, line};

/// A script's verdict, and what came with it.
pub(crate) struct Told {
    pub(crate) verdict: String,
    rest: std::vec::IntoIter<Value>,
}

impl Told {
    pub(crate) fn of(value: Value) -> Option<Told> {
        let Value::Array(parts) = value else { return None };
        let mut rest = parts.into_iter();
        let verdict = text(rest.next()?)?;
        Some(Told { verdict, rest })
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        text(self.rest.next()?)
    }

    pub(crate) fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.text()?.parse().ok()
    }

    fn payload(&mut self) -> Option<Payload> {
        match self.rest.next()? {
            Value::BulkString(bytes) => Some(Payload::from(bytes)),
            _ => None,
        }
    }

    fn list(&mut self) -> Option<std::vec::IntoIter<Value>> {
        match self.rest.next()? {
            Value::Array(values) => Some(values.into_iter()),
            _ => None,
        }
    }

    pub(crate) fn position(&mut self) -> Option<Position> {
        Some(Position { epoch: Epoch(self.number()?), offset: self.number()? })
    }

    pub(crate) fn appended(mut self) -> Option<Appended> {
        Some(match self.verdict.as_str() {
            "lost" => Appended::Lost,
            "behind" => Appended::Behind,
            "conflict" => Appended::Conflict { head: self.position()? },
            "stored" | "grown" => {
                let head = self.position()?;
                let placements = self.rest.map(|value| {
                    let place = text(value)?;
                    Some(match place.strip_prefix('-') {
                        Some(offset) => {
                            Placement::Duplicate(Position { offset: offset.parse().ok()?, ..head })
                        }
                        None => Placement::At(place.parse().ok()?),
                    })
                });
                Appended::Stored { placements: placements.collect::<Option<_>>()?, head }
            }
            _ => return None,
        })
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A room as it was read, proved.
pub(crate) struct Page {
    pub(crate) head: Position,
    pub(crate) base: u64,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) records: Vec<Stored>,
    /// Each with the number of the lease that it stands under.
    pub(crate) here: Vec<(u64, Present)>,
    pub(crate) soft: Vec<SoftEntry>,
}

impl Page {
    /// None: what is kept is not what was stored.
    pub(crate) fn of(mut told: Told) -> Option<Page> {
        let epoch = Epoch(told.number()?);
        let (head, head_check): (u64, u32) = (told.number()?, told.number()?);
        let base = told.number()?;
        let (from, from_check): (u64, u32) = (told.number()?, told.number()?);
        let has_snapshot = told.text()? == "1";
        let data = told.payload()?;
        let seen = Seen { position: Position { epoch, offset: from }, check: Check(from_check) };
        let snapshot = has_snapshot.then_some(Snapshot { seen, data });
        let (records, end) = records(told.list()?, seen)?;
        // Whoever has read to the end has read what the room is said to be.
        if end.position.offset == head && end.check != Check(head_check) {
            return None;
        }
        let here = pairs(told.list()?, present)?;
        let (soft, seconds, micros) = (told.list()?, told.number::<u64>()?, told.number::<u64>()?);
        let now = seconds * 1000 + micros / 1000;
        let soft = pairs(soft, |key, value| soft_entry(now, key, value))?.into_iter().flatten().collect();
        Some(Page { head: Position { epoch, offset: head }, base, snapshot, records, here, soft })
    }

    pub(crate) fn read(told: Told) -> Option<Read> {
        let Page { records, head, .. } = Page::of(told)?;
        Some(Read::Records { records, head })
    }
}

fn records(mut values: std::vec::IntoIter<Value>, from: Seen) -> Option<(Vec<Stored>, Seen)> {
    let mut records = Vec::with_capacity(values.len() / 4);
    let mut seen = from;
    while let Some(offset) = values.next() {
        let offset: u64 = text(offset)?.parse().ok()?;
        let key = Key::from_text(&text(values.next()?)?);
        let Value::BulkString(data) = values.next()? else { return None };
        let check = Check(text(values.next()?)?.parse().ok()?);
        seen.position.offset += 1;
        seen.check = seen.check.roll(Check::hash(&data));
        if offset != seen.position.offset || check != seen.check {
            return None;
        }
        records.push(Stored { offset, key, data: Payload::from(data) });
    }
    Some((records, seen))
}

fn pairs<T>(
    mut values: std::vec::IntoIter<Value>,
    read: impl Fn(String, Vec<u8>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut all = Vec::with_capacity(values.len() / 2);
    while let Some(field) = values.next() {
        let Value::BulkString(value) = values.next()? else { return None };
        all.push(read(text(field)?, value)?);
    }
    Some(all)
}

/// The field of one who is here: the lease's number, the user.
pub(crate) fn here_field(lease: u64, person: &Person) -> String {
    format!("{lease} {}", person.id)
}

pub(crate) fn here_value(by: Incarnation, person: &Person, count: u32) -> String {
    format!("{} {} {} {count}\n{}", by.node, by.shard.0, by.life, person.name)
}

fn present(field: String, value: Vec<u8>) -> Option<(u64, Present)> {
    let (lease, id) = field.split_once(' ')?;
    let (first, name) = line(&value)?;
    let mut words = Words::of(first);
    let (by, count) = (words.incarnation()?, words.number()?);
    words.end()?;
    let person = Person { id: UserId::new(id), name: Arc::from(std::str::from_utf8(name).ok()?) };
    Some((lease.parse().ok()?, Present { by, person, count }))
}

/// Absent where it has ended; see `soft.lua` for the form.
fn soft_entry(now: u64, key: String, value: Vec<u8>) -> Option<Option<SoftEntry>> {
    let (first, data) = line(&value)?;
    let mut words = Words::of(first);
    let at = Wall(words.number()?);
    let (ended, ends): (u8, u64) = (words.number()?, words.number()?);
    let class = words.class()?;
    words.end()?;
    if ended != 0 || ends <= now {
        return Some(None);
    }
    let (value, time_to_live) = (Some(Payload::copy_from_slice(data)), Duration::from_millis(ends - now));
    Some(Some(SoftEntry { key: key.into(), value, at, time_to_live, class }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: impl ToString) -> Value {
        Value::BulkString(text.to_string().into_bytes())
    }

    /// Two records after the beginning, with one thing changed.
    fn page(change: impl Fn(&mut Vec<Value>)) -> Option<Page> {
        let first = Check::default().roll(Check::hash(b"a"));
        let second = first.roll(Check::hash(b"b"));
        let mut records = Vec::new();
        for (offset, data, check) in [(1, "a", first), (2, "b", second)] {
            records.extend([bulk(offset), bulk("key"), bulk(data), bulk(check.0)]);
        }
        change(&mut records);
        let mut parts = vec![bulk("mine"), bulk(7), bulk(2), bulk(second.0), bulk(0), bulk(0), bulk(0)];
        parts.extend([bulk(0), bulk(""), Value::Array(records)]);
        parts.extend([Value::Array(Vec::new()), Value::Array(Vec::new()), bulk(1), bulk(2)]);
        Page::of(Told::of(Value::Array(parts))?)
    }

    #[test]
    fn a_page_is_read_only_if_it_proves_itself() {
        assert_eq!(page(|_| {}).map(|page| page.records.len()), Some(2));
        type Change = fn(&mut Vec<Value>);
        let damages: [(&str, Change); 5] = [
            ("other data", |records| records[2] = bulk("x")),
            ("another check", |records| records[7] = bulk(1)),
            ("a hole", |records| drop(records.drain(..4))),
            ("an offset twice", |records| records[4] = bulk(1)),
            ("half a record", |records| drop(records.pop())),
        ];
        for (name, change) in damages {
            assert!(page(change).is_none(), "{name}");
        }
    }
}
