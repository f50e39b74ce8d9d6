//! Erasing what an app says is to be erased: the room's steward sees to it that no snapshot from before is kept, so that whoever
//! meets a tombstone can begin behind it, walks the log once and has the engine put tombstones there, and ends it by a duty. Begun again after whatever came between, because each part of it
//! done twice is harmless. It decides nothing about what is erased.

use app::{Duties, Sweep};
use engine::{ERASE_MAX, Erased, Format, Question, Read};
use std::time::Duration;
use vocabulary::{Position, Tick};

use super::pages::{Reader, Want};
use super::{Home, Phase};
use crate::cx::Cx;
use crate::format;

/// The first whose readers know tombstones.
const WITH_TOMBSTONES: Format = Format(3);

/// Records that are looked at in one turn.
const PAGE_RECORDS: u32 = 256;
/// Between two of them, so that nobody waits while a long log is walked.
const PAGE_PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(super) struct Sweeping {
    /// The state changed since it was last asked for what is to be erased.
    pub(super) stale: bool,
    /// Up to where something is to be erased.
    open: Option<Position>,
    walk: Option<Box<Walk>>,
}

/// ```text
/// Opening ──▶ Storing ──▶ Reading ◀──▶ Erasing
///                           │ the end
///                           └──▶ Closing ──▶ Ending (a duty, until the state says that it is over)
/// ```
struct Walk {
    sweep: Sweep,
    step: Step,
    /// Asked the last time then, or to be gone on with then.
    asked: Tick,
    not_before: Tick,
    /// One a step: whichever of its askings is answered, and however late, the answer counts. 0: it is not asked yet.
    ticket: u64,
}

enum Step {
    /// An engine is told that something goes, so that what it leaves behind from here on goes too.
    Opening,
    /// No snapshot from before is to be kept.
    Storing,
    /// Up to there nothing is left.
    Reading(u64),
    /// These, and where to read on.
    Erasing(Vec<u64>, u64),
    /// The engine is told that this was all of it.
    Closing,
    Ending,
}

impl Sweeping {
    pub(super) fn is_open(&self) -> bool {
        self.walk.is_some()
    }

    /// What ends it, once all else is done.
    pub(super) fn duty(&self) -> Option<&app::Duty> {
        let walk = self.walk.as_ref()?;
        matches!(walk.step, Step::Ending).then_some(&walk.sweep.then)
    }

    pub(super) fn next_deadline(&self, ask_again: Duration) -> Option<Tick> {
        let walk = self.walk.as_ref()?;
        match walk.step {
            Step::Ending => None,
            _ => Some(walk.not_before.max(if walk.ticket == 0 {
                Tick::default()
            } else {
                walk.asked + ask_again
            })),
        }
    }
}

impl Walk {
    fn of(sweep: Sweep, now: Tick) -> Walk {
        Walk { sweep, step: Step::Opening, asked: now, not_before: Tick::default(), ticket: 0 }
    }

    fn goes_on(&mut self, step: Step, at: Tick) {
        (self.step, self.not_before, self.ticket) = (step, at, 0);
    }
}

impl Home {
    /// What follows from the state, on every node, and what is to be done next, on the steward's.
    pub(super) fn sweep(&mut self, cx: &mut Cx<'_>) {
        let Phase::Live(log) = &mut self.phase else {
            self.stewarded.sweeping = Sweeping { stale: true, ..Sweeping::default() };
            return;
        };
        if self.host.needs().duties == Duties::Never {
            return;
        }
        let sweeping = &mut self.stewarded.sweeping;
        if std::mem::take(&mut sweeping.stale) {
            let open = cx.unless_panicked(&self.id, log.fold.sweeps()).flatten().map(|sweep| sweep.upto);
            if open.is_some()
                && let Err(panicked) = log.erase_in_ring()
            {
                cx.panicked(&self.id, panicked);
            }
            sweeping.open = open;
        }
        // Whoever becomes steward begins at the beginning.
        let mine = cx.steward && cx.format >= WITH_TOMBSTONES;
        let open = sweeping.open.filter(|_| mine);
        sweeping.walk = sweeping.walk.take().filter(|walk| Some(walk.sweep.upto) == open);
        if open.is_some() && sweeping.walk.is_none() {
            let sweep = cx.unless_panicked(&self.id, log.fold.sweeps()).flatten();
            sweeping.walk = sweep.map(|sweep| Box::new(Walk::of(sweep, cx.now.tick)));
        }
        self.go_on_sweeping(cx);
    }

    fn go_on_sweeping(&mut self, cx: &mut Cx<'_>) {
        let Phase::Live(log) = &mut self.phase else { return };
        let Some(walk) = &mut self.stewarded.sweeping.walk else { return };
        let answered = walk.ticket == 0;
        let late = walk.asked + cx.limits.ask_again <= cx.now.tick;
        if walk.not_before > cx.now.tick || !(answered || late) {
            return;
        }
        if answered {
            walk.ticket = cx.number();
        }
        walk.asked = cx.now.tick;
        let (room, seen, ticket) = (self.id.clone(), log.seen(), walk.ticket);
        match &walk.step {
            Step::Opening | Step::Closing => {
                cx.ask(Question::Erase { room, seen, offsets: Vec::new(), ticket });
            }
            Step::Erasing(offsets, _) => {
                let offsets = offsets.iter().copied().take(ERASE_MAX).collect();
                cx.ask(Question::Erase { room, seen, offsets, ticket });
            }
            Step::Reading(after) => {
                let (after, upto) = (*after, walk.sweep.upto);
                // Of an epoch that is over nothing is kept.
                if upto.epoch != seen.position.epoch || after >= upto.offset {
                    walk.goes_on(Step::Closing, cx.now.tick);
                    return self.go_on_sweeping(cx);
                }
                // A reader asks again by itself.
                let is_mine = |reader: &Reader| matches!(reader.want, Want::Sweep);
                if !answered && self.readers.values().any(is_mine) {
                    return;
                }
                self.readers.retain(|_, reader| !is_mine(reader));
                let (now, limit, want) = (cx.now.tick, PAGE_RECORDS, Want::Sweep);
                self.ask_for(cx, Reader { asked: now, since: now, flies: true, after, limit, want });
            }
            // An app that cannot be saved is not asked every second.
            Step::Storing => {
                walk.not_before = cx.now.tick + cx.limits.answer_within;
                self.store_snapshot(cx);
            }
            // Its duty is done like any other.
            Step::Ending => {}
        }
    }

    /// A page of the log.
    pub(super) fn read_sweep(&mut self, cx: &mut Cx<'_>, after: u64, outcome: &Read) {
        let soon = cx.now.tick + PAGE_PAUSE;
        let Phase::Live(log) = &self.phase else { return };
        let Some(walk) = &mut self.stewarded.sweeping.walk else { return };
        let (Step::Reading(_), upto) = (&walk.step, walk.sweep.upto) else { return };
        let records = match outcome {
            Read::Records { records, .. } if !records.is_empty() => records,
            Read::Behind(kept) => return walk.goes_on(Step::Reading(after.max(*kept)), soon),
            // It is read anew, or there is more of it soon.
            Read::Records { .. } | Read::Lost => {
                walk.goes_on(Step::Reading(after), cx.now.tick + cx.limits.answer_within);
                return self.look_again(cx);
            }
            Read::Damaged => return self.past_is_damaged(cx),
        };
        let (mut at, mut offsets) = (after, Vec::new());
        for stored in records.iter().filter(|it| it.offset > after && it.offset <= upto.offset) {
            at = stored.offset;
            let Ok(written) = format::read_record(&stored.data) else { continue };
            let record = written.at_place(Position { offset: at, ..upto });
            match cx.unless_panicked(&self.id, log.fold.is_erased(&record)) {
                Some(true) => offsets.push(at),
                Some(false) => {}
                // An erasure that leaves something out must not end.
                None => return walk.goes_on(Step::Reading(after), cx.now.tick + cx.limits.answer_within),
            }
        }
        if offsets.is_empty() {
            walk.goes_on(Step::Reading(at), soon);
        } else {
            walk.goes_on(Step::Erasing(offsets, at), cx.now.tick);
        }
    }

    pub(crate) fn erased(&mut self, cx: &mut Cx<'_>, ticket: u64, outcome: Erased) {
        let (now, later) = (cx.now.tick, cx.now.tick + cx.limits.answer_within);
        let Some(walk) = self.stewarded.sweeping.walk.as_mut().filter(|walk| walk.ticket == ticket) else {
            return;
        };
        match outcome {
            Erased::Gone | Erased::Upto(_) => {
                let (step, at) = match std::mem::replace(&mut walk.step, Step::Opening) {
                    Step::Opening => (Step::Storing, now),
                    Step::Closing => (Step::Ending, now),
                    Step::Erasing(mut offsets, at) => {
                        let gone = match outcome {
                            Erased::Upto(upto) => offsets.partition_point(|offset| *offset <= upto),
                            _ => offsets.len().min(ERASE_MAX),
                        };
                        cx.counts.records_erased += offsets.drain(..gone).count() as u64;
                        match offsets.is_empty() {
                            true => (Step::Reading(at), now + PAGE_PAUSE),
                            false => (Step::Erasing(offsets, at), if gone > 0 { now } else { later }),
                        }
                    }
                    step => (step, now),
                };
                walk.goes_on(step, at);
            }
            // What is newer comes, and then it is asked again.
            Erased::Behind | Erased::Refused => walk.not_before = later,
            Erased::Lost => {
                walk.not_before = later;
                self.look_again(cx);
            }
            Erased::Damaged => self.past_is_damaged(cx),
        }
    }

    /// What the engine keeps now, if it is from after what is to be erased; else it is asked again.
    pub(super) fn sweep_stored(&mut self, kept: Position) {
        let Some(walk) = &mut self.stewarded.sweeping.walk else { return };
        if matches!(walk.step, Step::Storing) && kept >= walk.sweep.upto {
            walk.goes_on(Step::Reading(0), Tick::default());
        }
    }
}
