//! How old a log is at which offset: what retention by age goes by. It never reads a record, and forgets nothing itself.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use vocabulary::Wall;

use crate::format::Unreadable;

/// Marks in the span that is kept: records are forgotten a thirty-second of it late at most, half a day of a fortnight.
const EACH_SPAN: u32 = 32;
/// What a snapshot may hold of them: a span that was long once may be short now, and the other way round.
const MARKS_MAX: usize = 256;

/// "Up to this offset nothing is later than this", in the order of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(VecDeque<(Wall, u64)>);

impl Marks {
    /// A record came.
    pub(crate) fn note(&mut self, at: Wall, offset: u64, span: Duration) {
        let apart = i64::try_from(span.as_millis()).unwrap_or(i64::MAX) / i64::from(EACH_SPAN);
        if self.0.back().is_none_or(|(newest, _)| at.0.saturating_sub(newest.0) >= apart) {
            self.0.push_back((at, offset));
        }
        while self.0.len() > MARKS_MAX {
            self.0.pop_front();
        }
    }

    /// Up to which offset all is older than the span.
    pub(crate) fn passed(&self, now: Wall, span: Duration) -> u64 {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let cut = now.0.saturating_sub(span);
        let passed = self.0.partition_point(|(at, _)| at.0 <= cut);
        passed.checked_sub(1).and_then(|last| self.0.get(last)).map_or(0, |(_, offset)| *offset)
    }

    /// What is kept no more needs no marks, but the one at its end.
    pub(crate) fn forget(&mut self, upto: u64) {
        while self.0.get(1).is_some_and(|(_, next)| *next <= upto) {
            self.0.pop_front();
        }
    }

    pub(crate) fn put(&self, out: &mut BytesMut) {
        // At most `MARKS_MAX`.
        out.put_u16(self.0.len() as u16);
        for (at, offset) in &self.0 {
            out.put_i64(at.0);
            out.put_u64(*offset);
        }
    }

    pub(crate) fn take(input: &mut Bytes) -> Result<Marks, Unreadable> {
        let count = input.try_get_u16().map_err(|_| Unreadable)?;
        let mark = |_| {
            let at = Wall(input.try_get_i64().map_err(|_| Unreadable)?);
            Ok((at, input.try_get_u64().map_err(|_| Unreadable)?))
        };
        (0..count).map(mark).collect::<Result<_, _>>().map(Marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(32);

    /// A record each half second, the first at 0.5 s.
    fn noted(records: u64) -> Marks {
        let mut marks = Marks::default();
        (1..=records).for_each(|offset| marks.note(Wall(offset as i64 * 500), offset, SPAN));
        marks
    }

    #[test]
    fn what_is_passed_is_older_than_the_span_and_late_by_a_thirty_second_of_it_at_most() {
        let marks = noted(1000);
        for now in (0..500_000).step_by(777) {
            let passed = marks.passed(Wall(now), SPAN);
            let older = u64::try_from((now - 32_000) / 500).unwrap_or(0).min(1000);
            assert!(passed <= older, "at {now}: {passed} of {older}");
            let noted_from = 1000 - MARKS_MAX as u64 * 2;
            assert!(passed + 2 >= older || older <= noted_from, "at {now}: {passed} of {older}");
        }
    }

    #[test]
    fn marks_are_bounded_and_forgotten_with_what_they_mark() {
        let mut marks = noted(100_000);
        assert_eq!(marks.0.len(), MARKS_MAX);
        marks.forget(99_990);
        assert!(marks.0.len() < 8, "{marks:?}");
        assert_eq!(marks.passed(Wall(i64::MAX), SPAN), noted(100_000).passed(Wall(i64::MAX), SPAN));
    }

    #[test]
    fn marks_read_back_as_written() {
        let (marks, mut out) = (noted(77), BytesMut::new());
        marks.put(&mut out);
        assert_eq!(Marks::take(&mut out.freeze()), Ok(marks));
    }
}
