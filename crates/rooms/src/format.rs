//! The bytes of records and snapshots in a log. Versioned by their first byte; a version that this build does not know
//! is an answer, not a panic.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use engine::Format;
use vocabulary::{Check, Epoch, Payload, Person, Position, Record, Seen, Touched, UserId, Wall};

use crate::keys::Remembered;
use crate::marks::Marks;
use crate::saved_keys;

/// In place of a number of users: a record touches a few, or all.
const EVERYBODY: u16 = u16::MAX;

/// Bytes that are no record or snapshot of a version known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// A record without its place, which the log gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub at: Wall,
    pub kind: Cow<'static, str>,
    pub author: Option<Person>,
    pub touches: Touched,
    pub body: Payload,
}

impl Written {
    pub(crate) fn at_place(self, position: Position) -> Record {
        let Written { at, kind, author, touches, body } = self;
        Record { position, at, kind, author, touches, body }
    }
}

/// The bytes, and what reading them would give.
pub(crate) fn write_record(
    format: Format,
    at: Wall,
    author: Option<&Person>,
    draft: app::Draft,
) -> (Payload, Written) {
    let app::Draft { kind, body, touches } = draft;
    let mut out = BytesMut::with_capacity(64 + body.len());
    out.put_u8(format.0);
    out.put_i64(at.0);
    put_text(&mut out, kind);
    put_text(&mut out, author.map_or("", |person| person.id.as_str()));
    put_text(&mut out, author.map_or("", |person| &person.name));
    match &touches {
        Touched::Everybody => out.put_u16(EVERYBODY),
        Touched::Users(users) => {
            out.put_u16(users.len() as u16);
            users.iter().for_each(|user| put_text(&mut out, user.as_str()));
        }
    }
    out.put_slice(&body);
    let data = out.freeze();
    let body = data.slice(data.len() - body.len()..);
    (data, Written { at, kind: kind.into(), author: author.cloned(), touches, body })
}

pub(crate) fn read_record(data: &Payload) -> Result<Written, Unreadable> {
    let mut input = data.clone();
    read_format(&mut input)?;
    let at = Wall(input.try_get_i64().map_err(|_| Unreadable)?);
    let kind = Cow::Owned(get_text(&mut input)?.to_string());
    let id = get_text(&mut input)?;
    let name = get_text(&mut input)?;
    let author = (!id.is_empty()).then(|| Person { id: UserId::new(&id), name });
    let count = input.try_get_u16().map_err(|_| Unreadable)?;
    let touches = if count == EVERYBODY {
        Touched::Everybody
    } else {
        let users = (0..count).map(|_| get_text(&mut input).map(|id| UserId::new(&id)));
        Touched::Users(users.collect::<Result<_, _>>()?)
    };
    Ok(Written { at, kind, author, touches, body: input })
}

/// A room folded up to a position, as an engine stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    pub seen: Seen,
    pub at: Wall,
    /// Oldest first.
    pub keys: Vec<Remembered>,
    pub marks: Marks,
    pub app: Payload,
}

/// From here on a snapshot says how old the log is at which offset.
const WITH_MARKS: u8 = 3;

pub(crate) fn write_snapshot<'a>(
    format: Format,
    seen: Seen,
    at: Wall,
    keys: impl ExactSizeIterator<Item = &'a Remembered>,
    marks: &Marks,
    app: &Payload,
) -> Payload {
    let mut out = BytesMut::with_capacity(64 + app.len() + keys.len() * saved_keys::BYTES_EACH);
    out.put_u8(format.0);
    put_position(&mut out, seen.position);
    out.put_u32(seen.check.0);
    out.put_i64(at.0);
    saved_keys::put(keys, &mut out);
    if format.0 >= WITH_MARKS {
        marks.put(&mut out);
    }
    out.put_slice(app);
    out.freeze()
}

pub(crate) fn read_snapshot(data: &Payload) -> Result<Saved, Unreadable> {
    let mut input = data.clone();
    let format = read_format(&mut input)?;
    let position = get_position(&mut input)?;
    let check = Check(input.try_get_u32().map_err(|_| Unreadable)?);
    let at = Wall(input.try_get_i64().map_err(|_| Unreadable)?);
    let keys = saved_keys::take(&mut input)?;
    let marks = if format.0 >= WITH_MARKS { Marks::take(&mut input)? } else { Marks::default() };
    Ok(Saved { seen: Seen { position, check }, at, keys, marks, app: input })
}

fn read_format(input: &mut Bytes) -> Result<Format, Unreadable> {
    match input.try_get_u8() {
        Ok(format) if (Format::OLDEST.0..=Format::NEWEST.0).contains(&format) => Ok(Format(format)),
        _ => Err(Unreadable),
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    // Kinds, ids and names are bounded far below 64 KiB where they enter.
    out.put_u16(text.len() as u16);
    out.put_slice(text.as_bytes());
}

fn get_text(input: &mut Bytes) -> Result<Arc<str>, Unreadable> {
    let length = input.try_get_u16().map_err(|_| Unreadable)? as usize;
    if input.len() < length {
        return Err(Unreadable);
    }
    let text = input.split_to(length);
    std::str::from_utf8(&text).map(Arc::from).map_err(|_| Unreadable)
}

fn put_position(out: &mut BytesMut, position: Position) {
    out.put_u64(position.epoch.0);
    out.put_u64(position.offset);
}

fn get_position(input: &mut Bytes) -> Result<Position, Unreadable> {
    let epoch = Epoch(input.try_get_u64().map_err(|_| Unreadable)?);
    Ok(Position { epoch, offset: input.try_get_u64().map_err(|_| Unreadable)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::Key;

    #[test]
    fn a_record_reads_back_as_written() {
        let author = Person { id: UserId::new("7"), name: "Ana".into() };
        let draft = app::Draft {
            kind: "message",
            body: Payload::from_static(b"{\"content\":\"hi\"}"),
            touches: Touched::Users(vec![UserId::new("8")]),
        };
        for touches in [draft.touches.clone(), Touched::NOBODY, Touched::Everybody] {
            let draft = app::Draft { touches, ..draft.clone() };
            let (data, written) = write_record(Format::NEWEST, Wall(42), Some(&author), draft);
            assert_eq!(read_record(&data), Ok(written));
        }
    }

    #[test]
    fn a_snapshot_reads_back_as_written_with_its_keys() {
        let position = Position { epoch: Epoch::new(3, 9), offset: 17 };
        let keys = [Key::client(&UserId::new("7"), "c-1"), Key::duty(position, "close")];
        let keys: Vec<_> = keys.into_iter().map(|key| Remembered { key, position, at: Wall(1) }).collect();
        let (seen, at, app) = (Seen { position, check: Check(77) }, Wall(5), Payload::from_static(b"state"));
        let mut marks = Marks::default();
        marks.note(at, 17, std::time::Duration::ZERO);
        let written = write_snapshot(Format::NEWEST, seen, at, keys.iter(), &marks, &app);
        assert_eq!(read_snapshot(&written), Ok(Saved { seen, at, keys, marks, app }));
    }

    /// What lies in logs: other bytes for the same are another format.
    #[test]
    fn a_record_and_a_snapshot_of_each_format_are_these_bytes() {
        let author = Person { id: UserId::new("7"), name: "Ana".into() };
        let touches = Touched::Users(vec![UserId::new("8")]);
        let draft = app::Draft { kind: "message", body: Payload::from_static(b"hi"), touches };
        let (record, _) = write_record(Format(2), Wall(42), Some(&author), draft);
        let expected = b"\x02\0\0\0\0\0\0\0\x2a\0\x07message\0\x017\0\x03Ana\0\x01\0\x018hi";
        assert_eq!(&record[..], expected);
        let at = |offset| Position { epoch: Epoch(9), offset };
        let key = |id: &str, offset| Remembered {
            key: Key::client(&UserId::new("7"), id),
            position: at(offset),
            at: Wall(300),
        };
        let keys = [key("c-1", 17), key("c-2", 18)];
        let seen = Seen { position: at(18), check: Check(77) };
        let mut marks = Marks::default();
        marks.note(Wall(300), 18, std::time::Duration::ZERO);
        let state = Payload::from_static(b"state");
        let snapshot = |format| write_snapshot(format, seen, Wall(300), keys.iter(), &marks, &state);
        let head = b"\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x12\0\0\0\x4d\0\0\0\0\0\0\x01\x2c\0\0\0\x02";
        let keys = b"\xd8\x04\x12\x22\0\x0eclient 1 7 c-1\0\0\x02\x0d\x012";
        let mark = b"\0\x01\0\0\0\0\0\0\x01\x2c\0\0\0\0\0\0\0\x12";
        assert_eq!(snapshot(Format(2))[..], [b"\x02", &head[..], keys, b"state"].concat());
        assert_eq!(snapshot(Format(3))[..], [b"\x03", &head[..], keys, mark, b"state"].concat());
    }

    #[test]
    fn cut_or_foreign_bytes_are_unreadable_and_do_not_panic() {
        let draft =
            app::Draft { kind: "message", body: Payload::from_static(b"x"), touches: Touched::NOBODY };
        let (whole, _) = write_record(Format::NEWEST, Wall(1), None, draft);
        for cut in 0..whole.len() - 1 {
            assert_eq!(read_record(&whole.slice(..cut)), Err(Unreadable), "cut at {cut}");
        }
        assert_eq!(read_record(&Payload::from_static(b"\xff")), Err(Unreadable));
        assert_eq!(read_snapshot(&Payload::from_static(b"\x02abc")), Err(Unreadable));
    }
}
