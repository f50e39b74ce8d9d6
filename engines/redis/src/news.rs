//! What nodes tell each other over the server: a line of plain words, then bytes. What comes in is not trusted: anything
//! that is not exactly this form is no news. It knows no channels and sends nothing.

use std::sync::Arc;
use std::time::Duration;

use engine::{Answer, Present, SoftEntry, Stored};
use vocabulary::{Class, Epoch, Incarnation, Key, Payload, Person, RoomId, ShardId, UserId, Wall};

/// Stands first in each line. A build that writes another form writes another number, and old ones look again instead.
const VERSION: &str = "1";
/// Records in one piece of news; a batch is far smaller.
const RECORDS_MAX: usize = 10_000;

/// One piece of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// For who follows the room, but for who caused it.
    Room {
        by: Incarnation,
        answer: Answer,
    },
    /// The lease of this number is over.
    Ended {
        incarnation: Incarnation,
        lease: u64,
    },
    Due {
        room: RoomId,
    },
    /// Somebody can be steward from now on.
    Attends {
        incarnation: Incarnation,
        shards: u16,
        lease: u64,
    },
    ClaimLost {
        of: Incarnation,
        name: Arc<str>,
        token: u64,
    },
}

fn head(kind: &str, by: Incarnation) -> String {
    format!("{VERSION} {kind} {} {} {} ", by.node, by.shard.0, by.life)
}

/// Records follow it, put there by the script that knows their offsets.
pub(crate) fn grown(by: Incarnation, epoch: Epoch) -> Vec<u8> {
    format!("{}{} ", head("grown", by), epoch.0).into_bytes()
}

pub(crate) fn began(by: Incarnation, epoch: Epoch) -> Vec<u8> {
    format!("{}{}\n", head("began", by), epoch.0).into_bytes()
}

pub(crate) fn present(by: Incarnation, person: &Person, count: u32) -> Vec<u8> {
    let (id, name) = (person.id.as_str(), &person.name);
    format!("{}{count} {}\n{id}{name}", head("present", by), id.len()).into_bytes()
}

pub(crate) fn soft(by: Incarnation, entry: &SoftEntry) -> Vec<u8> {
    let SoftEntry { key, value, at, time_to_live, class } = entry;
    let (is, class) = (if value.is_some() { "is" } else { "ended" }, class_words(*class));
    let lives = millis(*time_to_live);
    let mut news =
        format!("{}{} {lives} {is} {} {class}\n{key}", head("soft", by), at.0, key.len()).into_bytes();
    news.extend_from_slice(value.as_deref().unwrap_or_default());
    news
}

/// How the script begins the news of an end; it adds who, and the number of the lease.
pub(crate) fn ended_begins() -> String {
    format!("{VERSION} ended ")
}

/// The script adds the number of the lease.
pub(crate) fn attends_begins(by: Incarnation, shards: u16) -> String {
    format!("{}{shards} ", head("attends", by))
}

pub(crate) fn due(by: Incarnation, room: &RoomId) -> Vec<u8> {
    format!("{}\n{room}", head("due", by).trim_end()).into_bytes()
}

pub(crate) fn claim_lost(of: Incarnation, name: &str, token: u64) -> Vec<u8> {
    format!("{}{token}\n{name}", head("claim-lost", of)).into_bytes()
}

pub(crate) fn millis(span: Duration) -> u64 {
    // What a script can count with.
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).min(1 << 50)
}

/// With a number always, so that there is one form.
pub(crate) fn class_words(class: Class) -> String {
    match class {
        Class::Record => "record 0".to_owned(),
        Class::Latest(of) => format!("latest {of}"),
        Class::Signal => "signal 0".to_owned(),
        Class::Control => "control 0".to_owned(),
    }
}

/// The words of a line, one by one.
pub(crate) struct Words<'a>(std::str::Split<'a, char>);

impl<'a> Words<'a> {
    pub(crate) fn of(line: &'a str) -> Words<'a> {
        Words(line.split(' '))
    }

    pub(crate) fn word(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    pub(crate) fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }

    pub(crate) fn incarnation(&mut self) -> Option<Incarnation> {
        Some(Incarnation { node: self.number()?, shard: ShardId(self.number()?), life: self.number()? })
    }

    pub(crate) fn class(&mut self) -> Option<Class> {
        let (class, of) = (self.word()?, self.number()?);
        match class {
            "record" => Some(Class::Record),
            "latest" => Some(Class::Latest(of)),
            "signal" => Some(Class::Signal),
            "control" => Some(Class::Control),
            _ => None,
        }
    }

    pub(crate) fn end(mut self) -> Option<()> {
        self.0.next().is_none().then_some(())
    }
}

/// The line and what comes after it.
pub(crate) fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    /// Longer than any line of ours: six numbers and some words.
    const LINE_MAX: usize = 256;
    let end = bytes.iter().take(LINE_MAX).position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// `room`: whose channel it came over, where it is a room's.
pub(crate) fn read(room: Option<&RoomId>, bytes: &[u8]) -> Option<News> {
    let (first, rest) = line(bytes)?;
    let mut words = Words::of(first);
    if words.word()? != VERSION {
        return None;
    }
    let kind = words.word()?;
    let by = words.incarnation()?;
    let news = match (kind, room) {
        ("grown", Some(room)) => {
            let epoch = Epoch(words.number()?);
            let records = records(words.number()?, rest)?;
            News::Room { by, answer: Answer::Grown { room: room.clone(), epoch, records } }
        }
        ("began", Some(room)) if rest.is_empty() => News::Room {
            by,
            answer: Answer::EpochBegan { room: room.clone(), epoch: Epoch(words.number()?) },
        },
        ("present", Some(room)) => {
            let count = words.number()?;
            let (id, name) = rest.split_at_checked(words.number()?)?;
            let person = Person { id: UserId::new(text(id)?), name: Arc::from(text(name)?) };
            let present = Present { by, person, count };
            News::Room { by, answer: Answer::Present { room: room.clone(), present } }
        }
        ("soft", Some(room)) => {
            let at = Wall(words.number()?);
            let time_to_live = Duration::from_millis(words.number()?);
            let is = words.word()?;
            let (key, value) = rest.split_at_checked(words.number()?)?;
            let value = match is {
                "is" => Some(Payload::copy_from_slice(value)),
                "ended" if value.is_empty() => None,
                _ => return None,
            };
            let (key, class) = (Arc::from(text(key)?), words.class()?);
            let entry = SoftEntry { key, value, at, time_to_live, class };
            News::Room { by, answer: Answer::Soft { room: room.clone(), entry } }
        }
        ("ended", None) if rest.is_empty() => News::Ended { incarnation: by, lease: words.number()? },
        ("attends", None) if rest.is_empty() => {
            News::Attends { incarnation: by, shards: words.number()?, lease: words.number()? }
        }
        ("due", None) => News::Due { room: RoomId::from_full(text(rest)?)? },
        ("claim-lost", None) => {
            News::ClaimLost { of: by, token: words.number()?, name: Arc::from(text(rest)?) }
        }
        _ => return None,
    };
    words.end()?;
    Some(news)
}

fn records(count: usize, mut rest: &[u8]) -> Option<Vec<Stored>> {
    if count > RECORDS_MAX {
        return None;
    }
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        let (first, bytes) = line(rest)?;
        let mut words = Words::of(first);
        let (offset, key, data): (u64, usize, usize) = (words.number()?, words.number()?, words.number()?);
        words.end()?;
        let (key, bytes) = bytes.split_at_checked(key)?;
        let (data, bytes) = bytes.split_at_checked(data)?;
        let key = Key::from_text(text(key)?);
        records.push(Stored { offset, key, data: Payload::copy_from_slice(data) });
        rest = bytes;
    }
    rest.is_empty().then_some(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: Incarnation = Incarnation { node: u64::MAX, shard: ShardId(3), life: 2 };

    fn room() -> RoomId {
        RoomId::new("chat", "a b\n1 2")
    }

    fn grown_news() -> Vec<u8> {
        let mut bytes = grown(BY, Epoch(u64::MAX));
        bytes.extend_from_slice("2\n7 3 3\nkü\n\n\n8 0 0\n".as_bytes());
        bytes
    }

    #[test]
    fn news_read_back_as_they_were_written() {
        let person = Person { id: UserId::new("1 2\n"), name: Arc::from("Ana\nü") };
        let entry = SoftEntry {
            key: "k 1\n".into(),
            value: Some(Payload::from_static(b"\n\0 x")),
            at: Wall(-5),
            time_to_live: Duration::from_millis(1500),
            class: Class::Latest(u64::MAX),
        };
        let ended = SoftEntry { value: None, class: Class::Signal, ..entry.clone() };
        let stored = |offset, key: &str, data: &'static [u8]| Stored {
            offset,
            key: Key::from_text(key),
            data: Payload::from_static(data),
        };
        let records = vec![stored(7, "kü", b"\n\n\n"), stored(8, "", b"")];
        let of_room = |answer| News::Room { by: BY, answer };
        let epoch = Epoch(u64::MAX);
        for (bytes, expected) in [
            (grown_news(), of_room(Answer::Grown { room: room(), epoch, records })),
            (began(BY, epoch), of_room(Answer::EpochBegan { room: room(), epoch })),
            (
                present(BY, &person, 4),
                of_room(Answer::Present { room: room(), present: Present { by: BY, person, count: 4 } }),
            ),
            (soft(BY, &entry), of_room(Answer::Soft { room: room(), entry })),
            (soft(BY, &ended), of_room(Answer::Soft { room: room(), entry: ended.clone() })),
        ] {
            assert_eq!(read(Some(&room()), &bytes), Some(expected));
        }
        let end = format!("{}{} 3 2 9\n", ended_begins(), u64::MAX);
        let name: Arc<str> = "a b\n".into();
        let attends = format!("{}8\n", attends_begins(BY, 4));
        for (bytes, expected) in [
            (attends.into_bytes(), News::Attends { incarnation: BY, shards: 4, lease: 8 }),
            (end.into_bytes(), News::Ended { incarnation: BY, lease: 9 }),
            (due(BY, &room()), News::Due { room: room() }),
            (claim_lost(BY, &name, 12), News::ClaimLost { of: BY, name, token: 12 }),
        ] {
            assert_eq!(read(None, &bytes), Some(expected));
        }
    }

    #[test]
    fn whatever_is_cut_or_changed_is_no_news_or_other_news_and_never_a_panic() {
        let whole = grown_news();
        for end in 0..whole.len() {
            assert_eq!(read(Some(&room()), &whole[..end]), None, "cut at {end}");
        }
        for at in 0..whole.len() {
            for byte in [0, b' ', b'\n', b'9', 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                read(Some(&room()), &changed);
            }
        }
        for bytes in ["", "\n", "2 due 1 2 3\n", "1 grown 1 1 1 1 99999999999\n", "1 present 1 1 1 1 9\nab"] {
            assert_eq!(read(Some(&room()), bytes.as_bytes()), None, "{bytes}");
        }
    }
}
