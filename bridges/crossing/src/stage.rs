//! How far the bridge is in its life, as its parts see it. It only goes on.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Runs,
    /// Nothing more is taken in; what rooms still store leaves.
    OnlySends,
    Ends,
}
