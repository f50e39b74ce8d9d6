//! The older record that a command is about: it is found before the command is decided, in the ring or in the log. It never
//! decides anything by it.

use engine::Read;
use vocabulary::{Act, Position, Record, Refusal, Tick};

use super::Home;
use super::pages::{Reader, Want};
use crate::cx::Cx;
use crate::format;
use crate::log::Log;
use app::Action;

/// Where it is to be had.
pub(super) enum Subject {
    /// Here, or nowhere.
    Here(Option<Box<Record>>),
    /// In the log, after this offset.
    Kept(u64),
    /// Of a part of the log that this node has not heard of yet.
    Ahead,
}

impl Home {
    pub(super) fn subject_of(&self, cx: &mut Cx<'_>, act: &Act) -> Subject {
        let Some(log) = self.log() else { return Subject::Here(None) };
        let subject = log.fold.subject(Action { kind: &act.kind, payload: &act.payload });
        let Some(position) = cx.unless_panicked(&self.id, subject).flatten() else {
            return Subject::Here(None);
        };
        let head = log.head();
        let Position { epoch, offset } = position;
        if epoch == head.epoch && offset > head.offset && (cx.publish || offset <= self.known_end) {
            return Subject::Ahead;
        }
        if epoch != head.epoch || offset == 0 || offset > head.offset || offset <= self.kept_from {
            return Subject::Here(None);
        }
        match log.ring_after(offset - 1) {
            Some(mut records) => {
                let record = records.next().filter(|record| record.position == position);
                Subject::Here(record.cloned().map(Box::new))
            }
            None => Subject::Kept(offset - 1),
        }
    }

    pub(super) fn ask_for_subject(&mut self, cx: &mut Cx<'_>, since: Tick, after: u64, act: Act) {
        if self.has_too_many_readers(cx) {
            return self.refuse_act(cx, &act, Refusal::busy(1000));
        }
        let want = Want::Subject(Box::new(act));
        self.ask_for(cx, Reader { asked: cx.now.tick, since, flies: false, after, limit: 1, want });
    }

    pub(super) fn read_subject(
        &mut self,
        cx: &mut Cx<'_>,
        (since, after): (Tick, u64),
        act: Act,
        outcome: &Read,
    ) {
        let found = self.found(cx, after, outcome);
        let stored =
            found.and_then(|records| records.iter().find(|stored| stored.offset == after + 1)).cloned();
        let Some(head) = self.log().map(Log::head) else {
            return self.refuse_act(cx, &act, Refusal::busy(1000));
        };
        let position = Position { epoch: head.epoch, offset: after + 1 };
        let record = stored
            .and_then(|stored| format::read_record(&stored.data).ok())
            .map(|written| Box::new(written.at_place(position)));
        // Meanwhile its sender may have sent it again, or left.
        if let Some((act, key)) = self.not_yet_done(cx, act, since) {
            self.act_on(cx, act, key, record, since);
        }
    }
}
