//! What is given up when memory runs short, in order.

use vocabulary::Class;

/// How full memory is, and what is given up for it; each step includes those before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    #[default]
    None,
    /// New connections are refused.
    NoNewcomers,
    /// Signals are dropped.
    NoSignals,
    /// The newest of what is in no log, such as who is here, is dropped too.
    NoLatest,
    /// Whoever is slow holds less, and goes on from the log.
    Tight,
}

impl Pressure {
    pub const ALL: [Pressure; 5] =
        [Pressure::None, Pressure::NoNewcomers, Pressure::NoSignals, Pressure::NoLatest, Pressure::Tight];

    /// Whether what is of this class goes without being sent. Never a record, and never an answer.
    pub(crate) fn sheds(self, class: Class) -> bool {
        match class {
            Class::Signal => self >= Pressure::NoSignals,
            Class::Latest(_) => self >= Pressure::NoLatest,
            Class::Record | Class::Control => false,
        }
    }
}
