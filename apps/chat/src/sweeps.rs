//! Erasures that are not at their end: whose words are still in the log, and up to where. It shows nothing and hides nothing:
//! that is done with the record that began the erasure.

use app::{Decision, Duty, Sweep};
use vocabulary::{Payload, Position, Record, UserId};

use crate::records::{self, read, written};

/// Erasures at a time, a share of the snapshot of ten kilobytes at most: each is a walk through the log, one after the other.
pub(crate) const SWEEPS_MAX: usize = 32;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sweeps {
    /// The oldest first.
    open: Vec<(UserId, Position)>,
}

impl Sweeps {
    pub(crate) fn may_begin(&self) -> bool {
        self.open.len() < SWEEPS_MAX
    }

    pub(crate) fn begin(&mut self, user: &UserId, upto: Position) {
        if self.may_begin() {
            self.open.push((user.clone(), upto));
        }
    }

    pub(crate) fn end(&mut self, upto: Position) {
        self.open.retain(|(_, at)| *at != upto);
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = (&UserId, Position)> {
        self.open.iter().map(|(user, upto)| (user, *upto))
    }

    pub(crate) fn next(&self) -> Option<Sweep> {
        let (_, upto) = self.open.first()?;
        let payload = written(&records::Swept { position: upto.to_string() });
        Some(Sweep { upto: *upto, then: Duty { name: records::SWEPT.into(), payload } })
    }

    /// What the duty of a sweep that is done decides.
    pub(crate) fn ended(&self, payload: &Payload) -> Decision {
        match swept(payload) {
            Some(upto) if self.open.iter().any(|(_, at)| *at == upto) => {
                Decision::record(records::SWEPT, payload.clone())
            }
            _ => Decision::nothing(),
        }
    }

    /// What a user said, changed and reacted with. Who is a member, and who was named by others, stays.
    pub(crate) fn is_erased(&self, record: &Record) -> bool {
        let is_words = matches!(
            &*record.kind,
            records::MESSAGE | records::EDITED | records::REACTED | records::UNREACTED
        );
        let Some(author) = record.author.as_ref().filter(|_| is_words) else { return false };
        self.open.iter().any(|(of, upto)| *of == author.id && record.position <= *upto)
    }
}

pub(crate) fn swept(body: &Payload) -> Option<Position> {
    read::<records::Swept>(body)?.position.parse().ok()
}
