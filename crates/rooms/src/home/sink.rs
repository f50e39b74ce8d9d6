//! What is said in a room and leaves for a broker: the steward says that there is something, its bridge asks for it, and how far that
//! has come is put down in the log, once a second at most. So it goes on there whoever is steward next, and has the last second
//! twice at worst. It never waits for a broker, and holds nothing for it: what is owed is read from the log.

use std::time::Duration;

use engine::Read;
use vocabulary::{
    Act, Caller, Class, Outward, Payload, Position, Refusal, Reply, ReplyTo, Shown, SinkAsks, Standing, Tick,
};

use super::pages::{Reader, Want};
use super::{Home, Phase};
use crate::cx::{Cx, Effect};
use crate::pipeline::Pending;
use crate::{format, sunk};

/// A bridge that was told and does not ask is told again: it may have had no place, or its broker is away.
const OWES_AGAIN: Duration = Duration::from_secs(5);
/// How far the sink has come is put down so often: what it gets twice after a kill, at most.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// So many records that were none for the sink are put down, too: else every steward would look at them anew.
const LOOKED_AT_MAX: u64 = 256;

pub(super) struct Sinking {
    sink: &'static str,
    /// It is told of changes, too: of what stands in no history.
    changes: bool,
    /// It is this node that says so.
    mine: bool,
    /// How far the bridge has come, and whether it got anything since that was put down.
    come: Position,
    some: bool,
    kept: Option<Tick>,
    /// When the bridge was told or asked, and what was owed up to then.
    told: Option<(Tick, u64)>,
    /// Records that were no longer kept when the bridge asked for them, and it does not know yet.
    missed: u64,
}

impl Sinking {
    pub(super) fn of(sink: &'static str, changes: bool) -> Sinking {
        let come = Position::default();
        Sinking { sink, changes, mine: false, come, some: false, kept: None, told: None, missed: 0 }
    }

    fn come(&self, head: Position) -> u64 {
        if self.come.epoch == head.epoch { self.come.offset } else { 0 }
    }
}

impl Home {
    pub(super) fn sink(&self) -> Option<&'static str> {
        self.sinking.as_ref().map(|sinking| sinking.sink)
    }

    /// How far the sink has come, and up to where there may be something for it.
    fn sink_stands(&self) -> Option<(u64, u64)> {
        let Phase::Live(log) = &self.phase else { return None };
        let (sunk, owed) = log.sunk()?;
        Some((sunk.max(self.sinking.as_ref()?.come(log.head())), owed))
    }

    fn owes(&self) -> bool {
        self.sink_stands().is_some_and(|(sunk, owed)| sunk < owed)
    }

    /// How far it has come is worth putting down.
    fn is_to_keep(&self) -> bool {
        let Phase::Live(log) = &self.phase else { return false };
        let Some((sinking, (kept, _))) = self.sinking.as_ref().zip(log.sunk()) else { return false };
        let further = sinking.come(log.head()).saturating_sub(kept);
        (sinking.some && further > 0) || further >= LOOKED_AT_MAX
    }

    /// The room is not to be let go, and its steward's next is to hear of it.
    pub(super) fn is_sinking(&self) -> bool {
        self.sinking.as_ref().is_some_and(|sinking| sinking.mine) && (self.owes() || self.is_to_keep())
    }

    pub(super) fn next_sink(&self, cx: &Cx<'_>) -> Option<Tick> {
        let sinking = self.sinking.as_ref().filter(|sinking| sinking.mine && cx.steward)?;
        let again = |since: Option<Tick>, span| since.map_or(cx.now.tick, |since| since + span);
        let tells = self.owes().then(|| again(sinking.told.map(|(at, _)| at), OWES_AGAIN));
        let keeps = self.is_to_keep().then(|| again(sinking.kept, KEEP_EVERY));
        tells.into_iter().chain(keeps).min()
    }

    /// Called with every change: says that something is owed, and puts down how far the sink has come.
    pub(super) fn sink_on(&mut self, cx: &mut Cx<'_>) {
        let (owed, keeps) = (self.sink_stands().filter(|(sunk, owed)| sunk < owed), self.is_to_keep());
        let Phase::Live(log) = &self.phase else { return };
        let Some(sinking) = &mut self.sinking else { return };
        if !cx.steward {
            *sinking = Sinking::of(sinking.sink, sinking.changes);
            return;
        }
        sinking.mine = true;
        sinking.some &= keeps;
        let is_over = |since: Option<Tick>, span| since.is_none_or(|since: Tick| since + span <= cx.now.tick);
        let told = sinking.told.filter(|(at, _)| !is_over(Some(*at), OWES_AGAIN)).map_or(0, |(_, upto)| upto);
        if let Some((_, owed)) = owed.filter(|(_, owed)| *owed > told) {
            sinking.told = Some((cx.now.tick, owed));
            cx.effects.push_back(Effect::Owes(self.id.clone()));
        }
        if keeps && is_over(sinking.kept, KEEP_EVERY) && !self.pipeline.is_full(cx.limits) {
            sinking.kept = Some(cx.now.tick);
            let head = log.head();
            let key = sunk::cursor(sinking.sink, head.epoch, sinking.come(head));
            self.put_down(cx, key);
        }
    }

    fn put_down(&mut self, cx: &mut Cx<'_>, key: vocabulary::Key) {
        let act = Act {
            room: self.id.clone(),
            caller: Caller::Source { name: "sink".into(), author: None },
            standing: Standing::Anyone,
            kind: "".into(),
            payload: Payload::new(),
            key: Some(key.clone()),
            reply: None,
        };
        let since = cx.now.tick;
        self.pipeline.push(Pending { act, key, guarded: false, subject: None, rounds: 0, since });
        self.pump(cx);
    }

    pub(super) fn sink_asks(&mut self, cx: &mut Cx<'_>, reply: ReplyTo, asks: SinkAsks) {
        let stands = self.sink_stands().filter(|_| cx.steward);
        let (Some((sunk, owed)), Phase::Live(log), Some(sinking)) = (stands, &self.phase, &mut self.sinking)
        else {
            // It is another's now, or nobody's just now: whoever is to hear of it is told.
            return cx.reply(&self.id, reply, Reply::Refused(Refusal::busy(1000)));
        };
        let head = log.head();
        match asks {
            SinkAsks::Never => {
                self.sinking = None;
                cx.reply(&self.id, reply, Reply::Done(None));
            }
            SinkAsks::Sunk { upto, some } => {
                if upto.epoch == head.epoch && upto.offset <= head.offset {
                    sinking.come = sinking.come.max(upto);
                    sinking.some |= some;
                }
                cx.reply(&self.id, reply, Reply::Done(None));
            }
            SinkAsks::Next { after } => {
                sinking.told = Some((cx.now.tick, owed));
                let named = after.filter(|after| after.epoch == head.epoch).map_or(0, |after| after.offset);
                let after = named.max(sunk);
                if after >= owed || self.has_too_many_readers(cx) {
                    let upto = Position { offset: after, ..head };
                    let (entries, more, missed) = (Vec::new(), after < owed, 0);
                    return cx.reply(&self.id, reply, Reply::Outward { entries, upto, more, missed });
                }
                self.ask_for_owed(cx, cx.now.tick, after, reply);
            }
        }
    }

    fn ask_for_owed(&mut self, cx: &mut Cx<'_>, since: Tick, after: u64, reply: ReplyTo) {
        let (limit, want) = (cx.limits.page_records_max as u32, Want::Sink(reply));
        self.ask_for(cx, Reader { asked: cx.now.tick, since, flies: false, after, limit, want });
    }

    pub(super) fn read_sink(
        &mut self,
        cx: &mut Cx<'_>,
        (since, after): (Tick, u64),
        reply: ReplyTo,
        outcome: &Read,
    ) {
        let Some(records) = self.found(cx, after, outcome) else {
            return match outcome {
                // It was away for longer than records are kept.
                Read::Behind(kept) if *kept > after => {
                    cx.counts.sink_missed += *kept - after;
                    self.sinking.iter_mut().for_each(|sinking| sinking.missed += *kept - after);
                    self.ask_for_owed(cx, since, *kept, reply)
                }
                _ => cx.reply(&self.id, reply, Reply::Refused(Refusal::busy(1000))),
            };
        };
        let (Phase::Live(log), Some(sink)) = (&self.phase, self.sink()) else {
            return cx.reply(&self.id, reply, Reply::Refused(Refusal::busy(1000)));
        };
        let (head, mut entries) = (log.head(), Vec::new());
        let changes = self.sinking.as_ref().is_some_and(|sinking| sinking.changes);
        let leaves = |shown: &Shown| shown.lasting || (changes && shown.class == Class::Record);
        let mut upto = Position { offset: after, ..head };
        // The fold may be behind what the engine gave: what is not folded is not shown.
        let new = records.iter().skip_while(|stored| stored.offset <= after);
        for stored in new.take_while(|stored| stored.offset <= head.offset) {
            upto.offset = stored.offset;
            if !sunk::is_owed(sink, &stored.key) {
                continue;
            }
            let Ok(written) = format::read_record(&stored.data) else { continue };
            let record = written.at_place(upto);
            let shown = cx.unless_panicked(&self.id, log.fold.show_outward(&record)).flatten();
            let Some(shown) = shown.filter(leaves) else { continue };
            let (room, key, position, at) = (self.id.clone(), stored.key.clone(), upto, record.at);
            entries.push(Outward { room, key, position, at, shown, open: true });
        }
        let more = upto.offset < log.sunk().map_or(0, |(_, owed)| owed);
        let missed = self.sinking.as_mut().map_or(0, |sinking| std::mem::take(&mut sinking.missed));
        cx.reply(&self.id, reply, Reply::Outward { entries, upto, more, missed });
    }
}
