//! History on request: what lasts of the past nearest to where somebody asks from, as many as fit.

use std::collections::VecDeque;

use engine::Read;
use vocabulary::{Audience, Caller, HistoryFrom, PageEntry, Position, Refusal, Reply, ReplyTo, Tick};

use super::Home;
use super::pages::{Reader, Want, entry};
use crate::cx::Cx;
use crate::format;
use crate::log::Log;

/// Of what is shown in one page; half of what waits for a connection at most. The first message comes, however large.
const BYTES_MAX: usize = 512 << 10;

/// Records that are looked at for one page: a past of nothing but reactions must not be read for one question.
const LOOKED_AT_MAX: u64 = 1000;

/// Records of one look further back, once the first did not have enough: messages with some reactions each.
const LOOK: u64 = 200;

/// A page in the making. It looks at one stretch of the log after the other, each read from its old end to its new one: an
/// engine gives as much of it at once as it likes.
pub(super) struct Past {
    pub reply: ReplyTo,
    audience: Audience,
    /// Where the log ended when this was asked.
    head: Position,
    way: Way,
    /// Entries that are still wanted.
    wanted: usize,
    looked_at: u64,
    /// The stretch that is looked at: after the one offset, up to the other.
    after: u64,
    upto: u64,
    /// What was found in it, if the way is back: the newest of it that a page could hold.
    stretch: VecDeque<PageEntry>,
    stretch_bytes: usize,
    is_torn: bool,
    entries: VecDeque<PageEntry>,
    bytes: usize,
    /// Something that was found has no place: the page ends here.
    is_full: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Back,
    On,
}

impl Past {
    fn next_stretch(&mut self, records: u64) {
        match self.way {
            Way::Back => (self.after, self.upto) = (self.after.saturating_sub(records), self.after),
            Way::On => (self.after, self.upto) = (self.upto, (self.upto + records).min(self.head.offset)),
        }
    }

    fn look(&mut self, entry: PageEntry) {
        if !entry.shown.as_ref().is_some_and(|shown| shown.lasting) {
            return;
        }
        match self.way {
            Way::Back => {
                self.stretch_bytes += shown_bytes(&entry);
                self.stretch.push_back(entry);
                while self.stretch_bytes > BYTES_MAX
                    && self.stretch.len() > 1
                    && let Some(oldest) = self.stretch.pop_front()
                {
                    self.stretch_bytes -= shown_bytes(&oldest);
                    self.is_torn = true;
                }
            }
            Way::On => self.take(entry),
        }
    }

    fn take(&mut self, entry: PageEntry) {
        let bytes = shown_bytes(&entry);
        let fits = self.wanted > 0 && (self.entries.is_empty() || self.bytes + bytes <= BYTES_MAX);
        if self.is_full || !fits {
            self.is_full = true;
            return;
        }
        self.wanted -= 1;
        self.bytes += bytes;
        match self.way {
            Way::Back => self.entries.push_front(entry),
            Way::On => self.entries.push_back(entry),
        }
    }

    /// A stretch was read to its end.
    fn end_stretch(&mut self) {
        self.looked_at += self.upto - self.after;
        for entry in std::mem::take(&mut self.stretch).into_iter().rev() {
            self.take(entry);
        }
        self.stretch_bytes = 0;
        self.is_full |= self.is_torn;
    }

    /// Where the page ends, if there may be more behind that. `kept_from`: what is older is kept no more.
    fn next(&self, kept_from: u64) -> Option<Position> {
        let at = |offset| Some(Position { epoch: self.head.epoch, offset });
        match self.way {
            Way::Back if self.is_full => self.entries.front().map(|oldest| oldest.position),
            Way::Back => (self.after > kept_from).then(|| at(self.after + 1)).flatten(),
            Way::On if self.is_full => self.entries.back().map(|newest| newest.position),
            Way::On => (self.upto < self.head.offset).then(|| at(self.upto)).flatten(),
        }
    }

    fn tell(self, room: &vocabulary::RoomId, cx: &mut Cx<'_>, next: Option<Position>) {
        let history = Reply::History { entries: self.entries.into(), upto: self.head, next };
        cx.reply(room, self.reply, history);
    }
}

fn shown_bytes(entry: &PageEntry) -> usize {
    entry.shown.as_ref().map_or(0, |shown| shown.payload.len())
}

impl Home {
    pub(super) fn history(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        reply: ReplyTo,
        limit: u32,
        from: HistoryFrom,
    ) {
        let audience = match self.audience_of(cx, caller) {
            Ok(audience) => audience,
            Err(refusal) => return cx.reply(&self.id, reply, Reply::Refused(refusal)),
        };
        let Some(log) = super::Home::log(self) else { return };
        let head = log.head();
        let limit = limit.clamp(1, cx.limits.history_max);
        // Where the first stretch begins; a position of another epoch names nothing here.
        let (way, at) = match from {
            HistoryFrom::Latest => (Way::Back, Some(head.offset)),
            HistoryFrom::Before(p) => {
                (Way::Back, (p.epoch == head.epoch).then(|| p.offset.saturating_sub(1).min(head.offset)))
            }
            HistoryFrom::After(p) => {
                (Way::On, (p.epoch == head.epoch && p.offset < head.offset).then_some(p.offset))
            }
        };
        let start = at.unwrap_or(0);
        let mut past = Past {
            reply,
            audience,
            head,
            way,
            wanted: limit as usize,
            looked_at: 0,
            after: start,
            upto: start,
            stretch: VecDeque::new(),
            stretch_bytes: 0,
            is_torn: false,
            entries: VecDeque::new(),
            bytes: 0,
            is_full: false,
        };
        if at.is_none() {
            return past.tell(&self.id, cx, None);
        }
        past.next_stretch(u64::from(limit));
        self.look_back(cx, cx.now.tick, past);
    }

    /// Goes on with a stretch that nothing was read of.
    fn look_back(&mut self, cx: &mut Cx<'_>, since: Tick, mut past: Past) {
        loop {
            let Some(log) = super::Home::log(self) else {
                return cx.reply(&self.id, past.reply, Reply::Refused(Refusal::busy(1000)));
            };
            if past.after < past.upto {
                let Some(records) = log.ring_after(past.after) else {
                    return self.ask_for_past(cx, since, past.after, past);
                };
                let upto = past.upto;
                for record in records.take_while(|record| record.position.offset <= upto) {
                    let entry = entry(&self.id, log, cx, past.audience, record);
                    past.look(entry);
                }
            }
            past.end_stretch();
            if let Some(told) = self.go_on(cx, past) {
                past = told;
            } else {
                return;
            }
        }
    }

    /// The next stretch, or the answer.
    fn go_on(&mut self, cx: &mut Cx<'_>, mut past: Past) -> Option<Past> {
        let next = past.next(self.kept_from);
        if past.is_full || past.wanted == 0 || next.is_none() || past.looked_at >= LOOKED_AT_MAX {
            past.tell(&self.id, cx, next);
            return None;
        }
        past.next_stretch(LOOK);
        Some(past)
    }

    pub(super) fn has_too_many_readers(&self, cx: &Cx<'_>) -> bool {
        // Pages are one a member; who asks for history asks as often as it likes.
        self.readers.len() >= cx.limits.waiting_max + self.seats.len()
    }

    fn ask_for_past(&mut self, cx: &mut Cx<'_>, since: Tick, after: u64, past: Past) {
        if self.has_too_many_readers(cx) {
            return cx.reply(&self.id, past.reply, Reply::Refused(Refusal::busy(1000)));
        }
        let limit = u32::try_from(past.upto.saturating_sub(after)).unwrap_or(cx.limits.history_max);
        let want = Want::History(past);
        self.ask_for(cx, Reader { asked: cx.now.tick, since, flies: false, after, limit, want });
    }

    pub(super) fn read_history(&mut self, cx: &mut Cx<'_>, reader: Reader, outcome: &Read) {
        let Reader { since, after, want: Want::History(mut past), .. } = reader else { return };
        let Some(records) = self.found(cx, after, outcome) else {
            return match outcome {
                // A page with less in it would read as if nothing more had been said; `found` has put it down.
                Read::Damaged => cx.reply(&self.id, past.reply, Reply::Refused(self.appends_nothing())),
                // What reaches back beyond retention is what of it is still there. Not so where it is to follow a
                // position: nothing would say that what comes next is not what follows it.
                Read::Behind(kept) if past.way == Way::Back && after < *kept && *kept < past.upto => {
                    past.after = *kept;
                    self.ask_for_past(cx, since, *kept, past)
                }
                // Nothing is left of the stretch.
                _ => {
                    past.is_full = true;
                    past.tell(&self.id, cx, None)
                }
            };
        };
        let Some(log) = super::Home::log(self) else { return past.tell(&self.id, cx, None) };
        // The fold may be behind what the engine gave: what is not folded is not shown.
        let end = past.upto.min(Log::head(log).offset);
        let mut at = Position { epoch: past.head.epoch, offset: after };
        let new = records.iter().skip_while(|stored| stored.offset <= after);
        for stored in new.take_while(|stored| stored.offset <= end) {
            at.offset = stored.offset;
            let Ok(written) = format::read_record(&stored.data) else { continue };
            let entry = entry(&self.id, log, cx, past.audience, &written.at_place(at));
            past.look(entry);
        }
        // Nothing more is there where nothing came.
        if at.offset < end && at.offset != after && !past.is_full {
            return self.ask_for_past(cx, since, at.offset, past);
        }
        past.end_stretch();
        if let Some(past) = self.go_on(cx, past) {
            self.look_back(cx, since, past);
        }
    }
}
