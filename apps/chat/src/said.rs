//! What was said last, as far as a view and a count of the unread need it, and from where on the past is shown. Older messages
//! are the log's.

use std::collections::VecDeque;

use vocabulary::{Payload, Person, Position, Record, UserId, Wall};

use app::quoted;

/// What a joiner after a gap sees of the past; more is had by `get_history`.
const VIEW_MESSAGES: usize = 50;
/// The view is sent in one frame, so its bytes are bounded too.
pub(crate) const VIEW_BYTES_MAX: usize = 64 << 10;
/// So far unread messages are counted: beyond it a client writes "1000+" at most.
pub(crate) const COUNTED_MAX: usize = 1_000;
/// Their share of the snapshot: authors stand there once each, however much they said.
pub(crate) const COUNTED_BYTES_MAX: usize = 40 << 10;
/// Days that are told apart in the time for which messages are kept; with more days than that, a mark stands for several.
const MARKS_MAX: usize = 64;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// A message as the state keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub position: Position,
    pub at: Wall,
    pub author: Option<Person>,
    pub payload: Payload,
}

impl Kept {
    pub(crate) fn from_record(record: &Record) -> Kept {
        let (author, payload) = (record.author.clone(), record.body.clone());
        Kept { position: record.position, at: record.at, author, payload }
    }

    fn bytes(&self) -> usize {
        let author = self.author.as_ref().map_or(0, |who| quoted(who.id.as_str()) + quoted(&who.name));
        self.payload.len() + author
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The newest messages, oldest first.
    pub(crate) recent: VecDeque<Kept>,
    bytes: usize,
    /// The newest messages that are not deleted, oldest first, each with its author's place among `authors`.
    counted: VecDeque<(Position, Option<u32>)>,
    authors: Vec<(UserId, u32)>,
    authors_bytes: usize,
    /// Since the room began.
    pub(crate) count: u64,
    /// The first record of some days: by these it is known how old a position is.
    pub(crate) marks: VecDeque<(Wall, Position)>,
    /// What is before it is shown no more.
    pub(crate) from: Position,
}

impl Said {
    pub(crate) fn keep(&mut self, kept: Kept) {
        self.bytes += kept.bytes();
        self.recent.push_back(kept);
        while self.recent.len() > VIEW_MESSAGES || self.bytes > VIEW_BYTES_MAX {
            match self.recent.pop_front() {
                Some(oldest) => self.bytes -= oldest.bytes(),
                None => break,
            }
        }
    }

    pub(crate) fn count_in(&mut self, position: Position, author: Option<&UserId>) {
        let author = author.map(|author| self.place(author));
        self.counted.push_back((position, author));
        while self.counted.len() > COUNTED_MAX || self.counted_bytes() > COUNTED_BYTES_MAX {
            let Some((_, author)) = self.counted.pop_front() else { break };
            self.let_go(author);
        }
    }

    /// `epoch,offset,author,`: offsets of at most eleven digits beside an author's number, an epoch when it changes.
    fn counted_bytes(&self) -> usize {
        self.counted.len() * 18 + self.authors_bytes
    }

    /// An author's place; nobody's place is taken by another before all places are free.
    fn place(&mut self, author: &UserId) -> u32 {
        let found = self.authors.iter().position(|(other, _)| other == author);
        let place = found.unwrap_or_else(|| {
            self.authors_bytes += quoted(author.as_str()) + 1;
            match self.authors.iter().position(|(_, count)| *count == 0) {
                Some(free) => {
                    self.authors[free] = (author.clone(), 0);
                    free
                }
                None => {
                    self.authors.push((author.clone(), 0));
                    self.authors.len() - 1
                }
            }
        });
        self.authors[place].1 += 1;
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn let_go(&mut self, author: Option<u32>) {
        let Some(entry) = author.and_then(|place| self.authors.get_mut(place as usize)) else { return };
        entry.1 -= 1;
        if entry.1 == 0 {
            self.authors_bytes -= quoted(entry.0.as_str()) + 1;
            entry.0 = UserId::new("");
        }
    }

    pub(crate) fn counted(&self) -> impl DoubleEndedIterator<Item = (Position, Option<&UserId>)> {
        self.counted.iter().map(|(position, place)| {
            (*position, place.and_then(|place| self.authors.get(place as usize)).map(|(author, _)| author))
        })
    }

    /// Messages by others after that place.
    pub(crate) fn unread(&self, upto: Position, reader: Option<&UserId>) -> usize {
        let after = self.counted().rev().take_while(|(position, _)| *position > upto);
        after.filter(|(_, author)| author.is_none() || *author != reader).count()
    }

    fn uncount(&mut self, gone: impl Fn(Position, Option<&UserId>) -> bool) {
        let all: Vec<_> = self.counted().map(|(position, author)| (position, author.cloned())).collect();
        self.counted.clear();
        self.authors.clear();
        self.authors_bytes = 0;
        for (position, author) in all {
            if !gone(position, author.as_ref()) {
                self.count_in(position, author.as_ref());
            }
        }
    }

    /// The words of a message that is deleted stay in no snapshot.
    pub(crate) fn delete(&mut self, position: Position) {
        let found = self.counted.binary_search_by_key(&position, |(position, _)| *position).ok();
        if let Some((_, author)) = found.and_then(|index| self.counted.remove(index)) {
            self.let_go(author);
        }
        self.blank(|kept| kept.position == position);
    }

    pub(crate) fn erase(&mut self, user: &UserId) {
        self.uncount(|_, author| author == Some(user));
        self.blank(|kept| kept.author.as_ref().is_some_and(|author| author.id == *user));
    }

    /// Nothing of what was said stays.
    pub(crate) fn empty(&mut self) {
        let marks = std::mem::take(&mut self.marks);
        *self = Said { count: self.count, marks, from: self.from, ..Said::default() };
    }

    fn blank(&mut self, which: impl Fn(&Kept) -> bool) {
        for kept in self.recent.iter_mut().filter(|kept| which(kept)) {
            self.bytes -= kept.bytes();
            kept.payload = Payload::from_static(br#"{"content":""}"#);
            self.bytes += kept.bytes();
        }
    }

    /// A record of this time stands at this place. Answers the place before which nothing is shown from now on, if it is a new one.
    pub(crate) fn age(&mut self, retention_days: u32, at: Wall, position: Position) -> Option<Position> {
        if retention_days == 0 {
            return None;
        }
        let days = i64::from(retention_days);
        let apart = DAY_MS * (days / MARKS_MAX as i64 + 1);
        if self.marks.back().is_none_or(|(last, _)| last.0.saturating_add(apart) <= at.0) {
            self.marks.push_back((at, position));
        }
        let mut from = None;
        while let Some((mark, place)) = self.marks.front().copied() {
            let old = mark.0.saturating_add(days * DAY_MS) < at.0;
            if !old && self.marks.len() <= MARKS_MAX + 2 {
                break;
            }
            self.marks.pop_front();
            from = if old { Some(place) } else { from };
        }
        let from = from.filter(|from| *from > self.from)?;
        self.from = from;
        while self.recent.front().is_some_and(|kept| kept.position < from) {
            self.bytes -= self.recent.pop_front().map_or(0, |kept| kept.bytes());
        }
        self.uncount(|position, _| position < from);
        Some(from)
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        assert_eq!(self.bytes, self.recent.iter().map(Kept::bytes).sum::<usize>());
        assert!(self.recent.len() <= VIEW_MESSAGES && self.bytes <= VIEW_BYTES_MAX);
        assert!(self.counted.len() <= COUNTED_MAX && self.counted_bytes() <= COUNTED_BYTES_MAX);
        assert!(self.authors.len() <= COUNTED_MAX + 1 && self.marks.len() <= MARKS_MAX + 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::Epoch;

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch::new(1, 7), offset }
    }

    #[test]
    fn messages_of_others_after_a_place_are_unread() {
        let (mut said, ana, bo) = (Said::default(), UserId::new("7"), UserId::new("8"));
        for (offset, author) in [(1, Some(&ana)), (2, Some(&bo)), (4, None), (6, Some(&bo))] {
            said.count_in(at(offset), author);
        }
        for (upto, reader, unread) in
            [(0, &ana, 3), (0, &bo, 2), (2, &ana, 2), (4, &bo, 0), (6, &ana, 0), (3, &UserId::new("9"), 2)]
        {
            assert_eq!(said.unread(at(upto), Some(reader)), unread, "{upto} {reader}");
        }
        said.delete(at(6));
        assert_eq!(said.unread(at(0), Some(&ana)), 2);
        said.erase(&bo);
        assert_eq!(said.unread(at(0), Some(&ana)), 1);
        said.check_bounds();
    }

    #[test]
    fn the_unread_of_very_many_are_counted_within_their_share() {
        let mut said = Said::default();
        for offset in 1..3000 {
            said.count_in(at(offset), Some(&UserId::new(&format!("{offset:0>100}"))));
            said.check_bounds();
        }
        assert!(said.unread(at(0), None) > 300);
    }

    #[test]
    fn what_is_older_than_is_kept_is_shown_no_more() {
        let mut said = Said::default();
        let hours = |hours: i64| Wall(hours * 3600 * 1000);
        let from =
            |said: &mut Said, hour, offset| said.age(2, hours(hour), at(offset)).map(|from| from.offset);
        let asked = [(0, 1), (1, 2), (24, 3), (30, 4), (48, 5), (49, 6), (73, 7), (400, 8)];
        let told = asked.map(|(hour, offset)| from(&mut said, hour, offset));
        assert_eq!(told, [None, None, None, None, None, Some(1), Some(3), Some(7)]);
    }
}
