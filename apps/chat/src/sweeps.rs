//! Erasures that are not at their end: whose words are still in the log, and up to where. It shows nothing and hides nothing:
//! that is done with the record that began the erasure.

use app::{Decision, Duty, Sweep};
use vocabulary::{Payload, Position, Record};

use crate::changes::Changes;
use crate::records::{self, read, written};

/// The oldest: each is a walk through the log, one after the other.
pub(crate) fn next(changes: &Changes) -> Option<Sweep> {
    let upto = changes.unswept()?;
    let payload = written(&records::Swept { position: upto.to_string() });
    Some(Sweep { upto, then: Duty { name: records::SWEPT.into(), payload } })
}

/// What the duty of a sweep that is done decides. The same user may have been erased anew meanwhile: that is a walk of its own.
pub(crate) fn ended(changes: &Changes, payload: &Payload) -> Decision {
    let is_open = |upto: &Position| changes.erased().any(|(_, erased)| !erased.swept && erased.upto == *upto);
    match swept(payload).filter(is_open) {
        Some(_) => Decision::record(records::SWEPT, payload.clone()),
        None => Decision::nothing(),
    }
}

/// What a user said, changed and reacted with. Who is a member, and who was named by others, stays.
pub(crate) fn is_erased(changes: &Changes, record: &Record) -> bool {
    let is_words =
        matches!(&*record.kind, records::MESSAGE | records::EDITED | records::REACTED | records::UNREACTED);
    let author = record.author.as_ref().filter(|_| is_words);
    author.is_some_and(|author| changes.is_unswept(&author.id, record.position))
}

pub(crate) fn swept(body: &Payload) -> Option<Position> {
    read::<records::Swept>(body)?.position.parse().ok()
}
