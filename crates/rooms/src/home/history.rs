//! History on request: the messages nearest to where somebody asks from, as many as fit.

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

/// A page in the making: an engine gives as much at once as it likes.
pub(super) struct Past {
    pub reply: ReplyTo,
    audience: Audience,
    upto: u64,
    /// Where the log ended when this was asked.
    head: Position,
    /// What does not fit is left out at the old end, or at the new one.
    newest: bool,
    entries: VecDeque<PageEntry>,
    bytes: usize,
    is_full: bool,
}

impl Past {
    fn take(&mut self, entry: PageEntry, bytes: usize) {
        if !self.newest && !self.entries.is_empty() && self.bytes + bytes > BYTES_MAX {
            self.is_full = true;
            return;
        }
        self.bytes += bytes;
        self.entries.push_back(entry);
        while self.bytes > BYTES_MAX
            && self.entries.len() > 1
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= shown_bytes(&oldest);
        }
    }

    fn tell(self, room: &vocabulary::RoomId, cx: &mut Cx<'_>) {
        let history = Reply::History { entries: self.entries.into(), upto: self.head };
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
        let (after, upto) = match from {
            HistoryFrom::Latest => (head.offset.saturating_sub(u64::from(limit)), head.offset),
            HistoryFrom::After(p) if p.epoch == head.epoch => {
                (p.offset, (p.offset.saturating_add(u64::from(limit))).min(head.offset))
            }
            HistoryFrom::Before(p) if p.epoch == head.epoch => {
                let upto = p.offset.saturating_sub(1).min(head.offset);
                (upto.saturating_sub(u64::from(limit)), upto)
            }
            // A position of another epoch names nothing here.
            HistoryFrom::Before(_) | HistoryFrom::After(_) => (head.offset, head.offset),
        };
        let newest = !matches!(from, HistoryFrom::After(_));
        let (entries, bytes, is_full) = (VecDeque::new(), 0, false);
        let mut past = Past { reply, audience, upto, head, newest, entries, bytes, is_full };
        if after >= upto {
            return past.tell(&self.id, cx);
        }
        if let Some(records) = log.ring_after(after) {
            for record in records.take_while(|record| record.position.offset <= upto) {
                let entry = entry(&self.id, log, cx, audience, record);
                if entry.shown.is_some() {
                    let bytes = shown_bytes(&entry);
                    past.take(entry, bytes);
                }
            }
            return past.tell(&self.id, cx);
        }
        // Pages are one a member; who asks for history asks as often as it likes.
        if self.readers.len() >= cx.limits.waiting_max + self.seats.len() {
            return cx.reply(&self.id, past.reply, Reply::Refused(Refusal::busy(1000)));
        }
        self.ask_for_past(cx, cx.now.tick, after, past);
    }

    fn ask_for_past(&mut self, cx: &mut Cx<'_>, since: Tick, after: u64, past: Past) {
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
                Read::Behind(kept) if past.newest && after < *kept && *kept < past.upto => {
                    self.ask_for_past(cx, since, *kept, past)
                }
                _ => past.tell(&self.id, cx),
            };
        };
        let Some(log) = super::Home::log(self) else { return past.tell(&self.id, cx) };
        // The fold may be behind what the engine gave: what is not folded is not shown.
        let end = past.upto.min(Log::head(log).offset);
        let mut at = Position { epoch: past.head.epoch, offset: after };
        let new = records.iter().skip_while(|stored| stored.offset <= after);
        for stored in new.take_while(|stored| stored.offset <= end) {
            at.offset = stored.offset;
            let Ok(written) = format::read_record(&stored.data) else { continue };
            let entry = entry(&self.id, log, cx, past.audience, &written.at_place(at));
            if entry.shown.is_some() {
                let bytes = shown_bytes(&entry);
                past.take(entry, bytes);
            }
            if past.is_full {
                break;
            }
        }
        // Nothing more is there where nothing came.
        if past.is_full || at.offset >= end || at.offset == after {
            return past.tell(&self.id, cx);
        }
        self.ask_for_past(cx, since, at.offset, past);
    }
}
