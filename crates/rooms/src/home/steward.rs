//! What must be done once: due duties, saga steps, snapshots. Done by the room's steward; done twice it is harmless,
//! because each ends in an append that is guarded or keyed.

use std::collections::BTreeMap;
use std::time::Duration;

use app::{Duties, Duty, Presence, Roll, Soft};
use engine::Question;
use vocabulary::{Act, Caller, Command, Key, Payload, Position, Standing, StepId, Tick, UserId, Wall};

use super::sweep::Sweeping;
use super::{Home, Phase};
use crate::cx::Cx;
use crate::log::Unsaved;
use crate::pipeline::Pending;

/// A duty that came to nothing is not looked at again sooner: an app whose `due` and `decide` disagree must not spin.
const DUTY_AGAIN: Duration = Duration::from_secs(1);

/// A step that found a sibling's box full goes again when that has had time to be emptied a few times over. With the
/// ordinary wait a room with many sagas would get on by one box of them in several seconds.
pub(super) const RETURNED_AGAIN: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(crate) struct Stewarded {
    due: Option<(Wall, Duty)>,
    /// A duty is on its way through the pipeline.
    doing: bool,
    not_before: Tick,
    /// The open steps, and when each is sent again if no outcome comes.
    steps: BTreeMap<StepId, Tick>,
    /// The state changed since steps and agenda were last read off it.
    stale: bool,
    /// What the agenda was last told.
    told: Option<(Position, Option<Wall>)>,
    /// Of an app with duties only sometimes: the agenda has word of this room, or is about to.
    pub(super) woken: bool,
    /// With the last snapshot the engine was allowed to forget up to here.
    pub(super) forgets: u64,
    pub(super) sweeping: Sweeping,
}

impl Stewarded {
    pub(super) fn state_changed(&mut self) {
        self.stale = true;
        self.sweeping.stale = true;
        self.doing = false;
    }

    pub(super) fn duty_was_nothing(&mut self, now: Tick) {
        self.doing = false;
        self.not_before = now + DUTY_AGAIN;
    }

    pub(super) fn duty_lost(&mut self) {
        self.doing = false;
    }

    /// Whether the step was open here.
    pub(super) fn is_open(&self, step: &StepId) -> bool {
        self.steps.contains_key(step)
    }

    /// The step came to nothing, and that is known before its time: somebody had no place for it.
    pub(super) fn send_again(&mut self, at: Tick, step: &StepId) {
        if let Some(again) = self.steps.get_mut(step) {
            *again = at;
        }
    }

    /// The agenda has word of the room, or has to have.
    fn has_word(&self) -> bool {
        self.woken || self.is_busy() || self.told.is_some_and(|(_, due)| due.is_some())
    }

    pub(super) fn is_busy(&self) -> bool {
        self.due.is_some() || self.doing || !self.steps.is_empty() || self.sweeping.is_open()
    }

    pub(super) fn next_deadline(&self, cx: &Cx<'_>) -> Option<Tick> {
        if !cx.steward {
            return None;
        }
        let due = self.due.as_ref().filter(|_| !self.doing);
        let due = due.map(|(at, _)| cx.now.tick_at(*at).max(self.not_before));
        let steps = self.steps.values().copied().min();
        let sweep = self.sweeping.next_deadline(cx.limits.ask_again);
        due.into_iter().chain(steps).chain(sweep).min()
    }
}

/// Presence as it would be if everybody went now: what a steward must not forget although nothing is due yet.
struct Deserted(Tick);

impl Roll for Deserted {
    fn count(&self) -> u32 {
        0
    }
    fn users(&self) -> Vec<UserId> {
        Vec::new()
    }
    fn is_here(&self, _: &UserId) -> bool {
        false
    }
    fn gone_since(&self, _: &UserId) -> Option<Tick> {
        Some(self.0)
    }
}

impl Home {
    pub(super) fn steward(&mut self, cx: &mut Cx<'_>) {
        self.sweep(cx);
        self.sink_on(cx);
        if !cx.steward {
            self.stewarded.due = None;
            self.stewarded.woken = false;
            self.stewarded.steps.clear();
            self.stewarded.stale = true;
            return;
        }
        if let Phase::Quarantined(..) = &self.phase {
            // Nothing can be done in it, so that it may be let go and read anew.
            self.stewarded = Stewarded::default();
        }
        let Phase::Live(log) = &mut self.phase else { return };
        let passed = log.passed(cx.now.wall);
        let overdue = passed > self.kept_from.max(self.stewarded.forgets);
        if overdue || log.wants_snapshot(cx.limits) {
            self.store_snapshot(cx);
        }
        let Phase::Live(log) = &self.phase else { return };
        let needs = self.host.needs();
        if needs.duties != Duties::Never {
            let soft = Soft::new(self.soft.values());
            let due = log.fold.due(cx.now, &self.id, Presence::new(&self.presence), soft);
            let due = cx.unless_panicked(&self.id, due).flatten();
            // An erasure that is done is said to be before anything that can wait.
            let swept = self.stewarded.sweeping.duty().map(|duty| (super::append::AT_ONCE, duty.clone()));
            self.stewarded.due = swept.or(due);
            self.do_due(cx);
        }
        self.send_steps(cx);
        let settles = match needs.duties {
            Duties::Never => false,
            // Or else nobody left word of it, and nothing is to be left.
            Duties::Sometimes => self.stewarded.has_word(),
            Duties::Always => true,
        };
        if settles || self.sink().is_some() {
            self.settle_agenda(cx, needs.presence_duties);
        }
        self.stewarded.stale = false;
    }

    pub(super) fn store_snapshot(&mut self, cx: &mut Cx<'_>) {
        let Phase::Live(log) = &mut self.phase else { return };
        let too_many = log.head().offset.saturating_sub(self.retention);
        // What a sink has not got is kept for it, as many again.
        let owed = log.sunk().map(|(sunk, _)| sunk.max(too_many.saturating_sub(self.retention)));
        let too_many = owed.map_or(too_many, |upto| too_many.min(upto));
        let forget_upto = too_many.max(log.passed(cx.now.wall));
        // Whatever comes of it: one that failed is tried again with the next that is due.
        self.stewarded.forgets = forget_upto;
        match log.snapshot(cx.format, cx.limits) {
            Ok(snapshot) => {
                log.forgets(forget_upto);
                cx.ask(Question::Store { room: self.id.clone(), snapshot, forget_upto });
            }
            Err(Unsaved::Panicked(panicked)) => {
                cx.panicked(&self.id, panicked);
            }
            Err(Unsaved::TooLarge(bytes)) => cx.too_large(&self.id, bytes),
        }
    }

    /// The agenda has word of this room: somebody left it, whoever was steward then.
    pub(crate) fn woken(&mut self) {
        self.stewarded.woken = true;
    }

    /// The engine may forget now what it was allowed to: a snapshot that it did not keep allows nothing.
    pub(crate) fn snapshot_kept(&mut self, kept: Option<Position>) {
        let Some(log) = self.log() else { return };
        if let Some(kept) = kept.filter(|kept| kept.epoch == log.head().epoch) {
            self.kept_from = self.kept_from.max(self.stewarded.forgets.min(kept.offset));
            self.sweep_stored(kept);
        }
    }

    fn do_due(&mut self, cx: &mut Cx<'_>) {
        let Phase::Live(log) = &self.phase else { return };
        let Some((at, duty)) = &self.stewarded.due else { return };
        if self.stewarded.doing || *at > cx.now.wall || self.stewarded.not_before > cx.now.tick {
            return;
        }
        let key = Key::duty(log.head(), &duty.name);
        let act = Act {
            room: self.id.clone(),
            caller: Caller::Duty { name: duty.name.clone(), payload: duty.payload.clone() },
            standing: Standing::Anyone,
            kind: duty.name.to_string().into(),
            payload: Payload::new(),
            key: Some(key.clone()),
            reply: None,
        };
        self.stewarded.doing = true;
        cx.counts.duties_begun += 1;
        self.pipeline.drop_duties();
        self.pipeline.push_front(Pending {
            act,
            key,
            guarded: true,
            subject: None,
            rounds: 0,
            since: cx.now.tick,
        });
        self.pump(cx);
    }

    /// Tells the agenda when to wake a steward, whoever that is then. Not while an append is in flight: it will mark
    /// the room as due anyway.
    fn settle_agenda(&mut self, cx: &mut Cx<'_>, presence_duties: bool) {
        let Phase::Live(log) = &self.phase else { return };
        if !self.pipeline.is_idle() || log.head().offset == 0 {
            return;
        }
        let mut due = self.stewarded.due.as_ref().map(|(at, _)| *at);
        if presence_duties {
            let (deserted, soft) = (Deserted(cx.now.tick), Soft::new(self.soft.values()));
            let then = log.fold.due(cx.now, &self.id, Presence::new(&deserted), soft);
            let then = cx.unless_panicked(&self.id, then).flatten().map(|(at, _)| at);
            // Rounded up to the lease: a time that moves with every look would be a question with every look.
            let lease = cx.limits.lease.as_millis() as i64;
            let then = then.map(|at| Wall((at.0 / lease + 1) * lease));
            due = [due, then].into_iter().flatten().min();
        }
        // An open step, an erasure, or what is owed to a sink must find a steward too, should this one die.
        let open = !self.stewarded.steps.is_empty() || self.stewarded.sweeping.is_open();
        let open = open || self.is_sinking();
        let open = open.then_some(super::append::AT_ONCE);
        due = [due, open].into_iter().flatten().min();
        let told = Some((log.head(), due));
        self.stewarded.woken &= due.is_some();
        if self.stewarded.told != told {
            self.stewarded.told = told;
            cx.ask(Question::Settle { room: self.id.clone(), at: log.head(), due });
        }
    }

    fn send_steps(&mut self, cx: &mut Cx<'_>) {
        let Phase::Live(log) = &self.phase else { return };
        let resend = self.stewarded.steps.values().any(|again| *again <= cx.now.tick);
        if !self.stewarded.stale && !resend {
            return;
        }
        let mut open = BTreeMap::new();
        for step in cx.unless_panicked(&self.id, log.fold.steps()).unwrap_or_default() {
            let id = StepId { saga: self.id.clone(), position: step.position, number: step.number };
            let again = self.stewarded.steps.get(&id).copied().filter(|again| *again > cx.now.tick);
            if again.is_none() {
                let act = Act {
                    room: step.room.clone(),
                    caller: Caller::Step(id.clone()),
                    standing: Standing::Anyone,
                    kind: step.kind,
                    payload: step.payload,
                    key: Some(id.key()),
                    reply: None,
                };
                let home = step.room.slice().home(cx.shards);
                cx.counts.steps_sent += 1;
                cx.effects.push_back(crate::Effect::Command(home, Command::Act(act)));
            }
            open.insert(id, again.unwrap_or(cx.now.tick + cx.limits.step_again));
        }
        self.stewarded.steps = open;
    }
}
