//! What a named scenario promises beside what must always hold: data, each read by the checker of its name.

use std::time::Duration;

/// Times are since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// At this moment everybody is in its rooms and has heard all that was stored up to a second before; something was
    /// stored in every room since `since`.
    Live { since: Duration, at: Duration },
    /// Whose socket ended is in all its rooms again within this time.
    Back(Duration),
    /// While nothing reaches the engine, or comes back from it, nobody on this node (or on any) is told that something new is
    /// stored.
    NothingAcked { node: Option<usize>, from: Duration, until: Duration },
    /// No client's connection ends.
    SocketsStay { from: Duration, until: Duration },
    /// At this moment all members, on whichever node, believe in exactly those who are there.
    Agreed(Duration),
    /// At this moment nobody on another node believes in who is on this node alone.
    GoneElsewhere { node: usize, at: Duration },
    /// Nobody is told that a user left whose connection stayed, or came back soon, on a node that nothing happened to.
    NoFlaps,
    /// Nobody is shown to be there who has been gone for longer than linger and lease.
    NoGhosts,
    /// Nobody is told that anybody left, in this time.
    NoLeaves { from: Duration, until: Duration },
    /// Each watcher is told once that each of the others left.
    LeftOnce,
    /// Who is on this node is told to go elsewhere within this time, and no second has more than twice its share.
    Drained { node: usize, from: Duration, window: Duration },
}
