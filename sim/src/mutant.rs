//! Mistakes made on purpose, outside the product's code: each must be found by the checker that stands for it.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The engine answers `stored` and now and then stores nothing.
    AckBeforeAppend,
    /// The engine forgets what makes a resent message the same message.
    NoKey,
    /// Every node is told that it is steward of everything, and guards are ignored.
    TwoStewards,
    /// The end of a socket is a leave at once.
    NoLinger,
    /// The first live record behind the page that made a member live is lost between two shards.
    HeldRecordDropped,
    /// A client is shown an ack before the record that stands before it.
    AckBeforeItsPlace,
    /// The engine drops news, and what it says in its place is swallowed too.
    MissedSwallowed,
    /// The engine takes what is guarded for unguarded, so that who has slept stores what it decided before.
    StaleGuard,
    /// Nobody is told that a lease has ended.
    DeadForEver,
    /// A damaged room is served as it is.
    DamageServed,
    /// A node puts nothing down in its log when it refuses a damaged room.
    DamageUnsaid,
    /// A back end that asks again is another one to the node.
    CallTwice,
    /// A client's next message overtakes the one before it.
    Overtaken,
    /// A node whose engine cannot answer takes for stored what it asked to be stored.
    AckInTheDark,
    /// With the engine a node's clients are out of reach too.
    CutTakesSockets,
    /// The engine says now and then of a node that lives that its lease has ended.
    LivingEnded,
    /// Clients hear of every leave twice.
    LeaveTwice,
    /// Who was cut off takes fifteen seconds more to come back.
    ComesLate,
    /// The engine says of records that they are gone, and keeps them.
    ErasedKept,
    /// Every other node folds some records otherwise.
    FoldsDiffer,
    /// A drain takes a tenth of its time.
    DrainInHaste,
    /// A driver's room says yes for its driver.
    YesOfNobody,
    /// A driver's room gives the driver to whoever wants them first, asked or not.
    GivenUnasked,
    /// A driver is claimed without looking at the newest state.
    ClaimUnguarded,
    /// A point that a phone says again counts again.
    PointCountsTwice,
    /// The fee is not taken out of what the driver is paid.
    FeeOnTop,
    /// A driver's room does not hear that a ride is over.
    NeverReleased,
    /// The driver is told of another amount than the passenger.
    ToldOtherwise,
}

impl Mutant {
    /// Whether it is made by an app of rides that makes mistakes.
    pub(crate) fn is_of_rides(self) -> bool {
        matches!(
            self,
            Mutant::YesOfNobody
                | Mutant::GivenUnasked
                | Mutant::ClaimUnguarded
                | Mutant::PointCountsTwice
                | Mutant::FeeOnTop
                | Mutant::NeverReleased
                | Mutant::ToldOtherwise
        )
    }
}
