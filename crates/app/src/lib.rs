//! The contract between a room and its app. A room is a log and an app is a fold: only `decide` proposes records, only
//! `apply` changes state, only `show` lets anything out. An app never sees a socket, a clock, a lock or an engine.

mod decision;
mod fields;
mod host;
mod presence;
mod soft;

use vocabulary::{
    Audience, Caller, Durability, Now, Payload, Position, Record, Refusal, RoomId, Shown, Wall, Word,
};

pub use decision::{Decision, Draft, Duty, SoftDraft, Step, Sweep};
pub use fields::{Fields, quoted, wrong};
pub use host::{Deciding, Fold, Host, Panicked, host};
pub use presence::{Presence, Roll};
pub use soft::{Soft, SoftChange, SoftValue};

/// What an app needs of its rooms and its engine; the rest of the contract costs a room nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub duties: Duties,
    /// Duties hang on who is present, so the steward follows rooms that have members anywhere.
    pub presence_duties: bool,
    /// What its records must survive. A server does not start on an engine that gives less.
    pub durability: Durability,
}

/// When a steward has something to do in the app's rooms. Word of it is left in the slice's agenda.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duties {
    /// `due` is never asked, and the agenda has no word of the room; steps go while somebody has it open.
    #[default]
    Never,
    /// After a decision that says so (`Decision::wakes`), until nothing is left to do.
    Sometimes,
    /// After every append.
    Always,
}

/// Where `decide` and `due` look: the state, and the two things that are true only here and now.
pub struct Room<'a, S> {
    pub id: &'a RoomId,
    pub state: &'a S,
    pub presence: Presence<'a>,
    pub soft: Soft<'a>,
    /// The record that `subject` named. `None`: it named none, or none is kept there.
    pub subject: Option<&'a Record>,
}

/// A command as the app reads it: a kind from the client protocol and a payload that only the app opens.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    pub kind: &'a str,
    pub payload: &'a Payload,
}

/// Whether `apply` knew the record. An unknown one (from a newer version) is kept, skipped and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Applied {
    Done,
    Unknown,
}

/// A snapshot in a format that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat(pub String);

pub trait App: 'static {
    type State: 'static;

    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The requests of clients that its rooms know, besides those of every room (join, leave, history, members).
    fn words(&self) -> &'static [Word] {
        &[]
    }

    fn start(&self, room: &RoomId) -> Self::State;

    /// May this caller be here, and what will it see? Asked at the join, and again for the users that a record touches.
    fn admit(
        &self,
        now: Now,
        state: &Self::State,
        caller: &Caller,
        join: &Payload,
    ) -> Result<Audience, Refusal>;

    /// What a joiner is told of the room besides who is in it.
    fn about(&self, _now: Now, _state: &Self::State, _caller: &Caller, _join: &Payload) -> Option<Payload> {
        None
    }

    /// The older record that the command is about: it is fetched before the command is decided.
    fn subject(&self, _action: Action<'_>) -> Option<Position> {
        None
    }

    /// Whether the command must be decided on the newest state, with exactly one winner among rivals.
    fn guarded(&self, _action: Action<'_>) -> bool {
        false
    }

    /// On the node where the command arrived. Nothing happens but what the decision says.
    fn decide(
        &self,
        now: Now,
        room: Room<'_, Self::State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal>;

    /// Everywhere, in the log's order; total: every record that was stored must fold.
    fn apply(&self, state: &mut Self::State, record: &Record) -> Applied;

    /// The one way a record becomes a delivery; with the state as it is now, so that an edited message shows edited.
    fn show(&self, state: &Self::State, record: &Record, audience: Audience) -> Option<Shown>;

    /// Whether brokers may hear what is said in the room as it is now: whoever listens there has passed no `admit`.
    fn is_outward(&self, _state: &Self::State) -> bool {
        true
    }

    /// What brokers are told of a record: what everybody sees, unless the app has something to say to them alone.
    fn show_outward(&self, state: &Self::State, record: &Record) -> Option<Shown> {
        if self.is_outward(state) { self.show(state, record, Audience::default()) } else { None }
    }

    /// The one way a soft value becomes a delivery.
    fn glimpse(&self, _state: &Self::State, _change: &SoftChange<'_>, _audience: Audience) -> Option<Shown> {
        None
    }

    /// The whole state, for joiners and after gaps.
    fn view(&self, state: &Self::State, audience: Audience) -> Payload;

    /// The next thing to be done at a time. Never set, always read off the state.
    fn due(&self, _now: Now, _room: Room<'_, Self::State>) -> Option<(Wall, Duty)> {
        None
    }

    /// The saga steps that are open: sent by the steward until an outcome is recorded.
    fn steps(&self, _state: &Self::State) -> Vec<Step> {
        Vec::new()
    }

    /// The oldest erasure that is not at its end; asked only where the app has duties, and the decision that begins one
    /// `wakes`. The steward walks the log up to there, has every record erased that `is_erased`, and then does the duty, whose
    /// record closes it here. `apply` has dropped already what it held of such records. Nobody folds the log without them:
    /// who did not hear of one before it was erased loads the snapshot from behind it, with all that `apply` made of it.
    fn sweeps(&self, _state: &Self::State) -> Option<Sweep> {
        None
    }

    /// Whether nothing of this record is to be kept but its place. Once true it stays so, and it is of no record after the
    /// one that began the erasure.
    fn is_erased(&self, _state: &Self::State, _record: &Record) -> bool {
        false
    }

    /// The app's part of the snapshot: at most 1 MiB.
    fn save(&self, state: &Self::State) -> Payload;

    fn load(&self, room: &RoomId, saved: &Payload) -> Result<Self::State, UnknownFormat>;
}
