//! Rooms of different apps side by side: an app with its state type erased.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use vocabulary::{
    Audience, Caller, Hook, Now, Payload, Position, Record, Refusal, RoomId, Shown, Wall, Word,
};

use crate::presence::Presence;
use crate::{
    Action, App, Applied, Decision, Duty, Needs, Room, Soft, SoftChange, Step, Sweep, UnknownFormat,
};

/// An app, ready to open rooms.
pub trait Host {
    fn needs(&self) -> Needs;
    fn words(&self) -> &'static [Word];
    fn start(&self, room: &RoomId) -> Result<Box<dyn Fold>, Panicked>;
    fn load(&self, room: &RoomId, saved: &Payload) -> Result<Result<Box<dyn Fold>, UnknownFormat>, Panicked>;
}

/// The app panicked, where, and what it said. After `apply` its state is not to be trusted further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked {
    pub hook: Hook,
    pub says: Box<str>,
}

/// All that a decision looks at but the state.
pub struct Deciding<'a> {
    pub now: Now,
    pub room: &'a RoomId,
    pub presence: Presence<'a>,
    pub soft: Soft<'a>,
    pub subject: Option<&'a Record>,
    pub caller: &'a Caller,
    pub action: Action<'a>,
}

/// One room's app and state. What an app may break, panics included, stays inside: every call that runs the app's
/// rules answers `Panicked` instead of unwinding.
pub trait Fold {
    fn admit(&self, now: Now, caller: &Caller, join: &Payload)
    -> Result<Result<Audience, Refusal>, Panicked>;
    fn about(&self, now: Now, caller: &Caller, join: &Payload) -> Result<Option<Payload>, Panicked>;
    fn present(&self, presence: Presence<'_>) -> Result<Option<Payload>, Panicked>;
    fn subject(&self, action: Action<'_>) -> Result<Option<Position>, Panicked>;
    fn guarded(&self, action: Action<'_>) -> Result<bool, Panicked>;
    fn decide(&self, asked: Deciding<'_>) -> Result<Result<Decision, Refusal>, Panicked>;
    fn apply(&mut self, record: &Record) -> Result<Applied, Panicked>;
    fn show(&self, record: &Record, audience: Audience) -> Result<Option<Shown>, Panicked>;
    /// What brokers are shown of it.
    fn show_outward(&self, record: &Record) -> Result<Option<Shown>, Panicked>;
    fn glimpse(&self, change: &SoftChange<'_>, audience: Audience) -> Result<Option<Shown>, Panicked>;
    fn view(&self, audience: Audience) -> Result<Payload, Panicked>;
    fn due(
        &self,
        now: Now,
        room: &RoomId,
        presence: Presence<'_>,
        soft: Soft<'_>,
    ) -> Result<Option<(Wall, Duty)>, Panicked>;
    fn steps(&self) -> Result<Vec<Step>, Panicked>;
    fn sweeps(&self) -> Result<Option<Sweep>, Panicked>;
    fn is_erased(&self, record: &Record) -> Result<bool, Panicked>;
    fn save(&self) -> Result<Payload, Panicked>;
}

/// Makes an app ready to open rooms.
pub fn host<A: App>(app: A) -> Box<dyn Host> {
    Box::new(Hosted(Rc::new(app)))
}

struct Hosted<A: App>(Rc<A>);

struct Folded<A: App> {
    app: Rc<A>,
    state: A::State,
}

impl<A: App> Host for Hosted<A> {
    fn needs(&self) -> Needs {
        self.0.needs()
    }

    fn words(&self) -> &'static [Word] {
        self.0.words()
    }

    fn start(&self, room: &RoomId) -> Result<Box<dyn Fold>, Panicked> {
        let state = guarding(Hook::Start, || self.0.start(room))?;
        Ok(Box::new(Folded { app: Rc::clone(&self.0), state }))
    }

    fn load(&self, room: &RoomId, saved: &Payload) -> Result<Result<Box<dyn Fold>, UnknownFormat>, Panicked> {
        let loaded = guarding(Hook::Load, || self.0.load(room, saved))?;
        Ok(loaded.map(|state| Box::new(Folded { app: Rc::clone(&self.0), state }) as Box<dyn Fold>))
    }
}

/// An app's last words may be long, and have no use beyond the log's line.
const WORDS_MAX: usize = 200;

/// Rules read the state through a shared reference; only `apply` changes it, and a room whose `apply` panicked is read
/// anew, or frozen as it is.
fn guarding<T>(hook: Hook, rule: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(rule)).map_err(|words| {
        let says = match (words.downcast_ref::<&str>(), words.downcast_ref::<String>()) {
            (Some(says), _) => says,
            (None, Some(says)) => says.as_str(),
            (None, None) => "without a word",
        };
        Panicked { hook, says: says.chars().take(WORDS_MAX).collect::<String>().into() }
    })
}

impl<A: App> Fold for Folded<A> {
    fn admit(
        &self,
        now: Now,
        caller: &Caller,
        join: &Payload,
    ) -> Result<Result<Audience, Refusal>, Panicked> {
        guarding(Hook::Admit, || self.app.admit(now, &self.state, caller, join))
    }

    fn about(&self, now: Now, caller: &Caller, join: &Payload) -> Result<Option<Payload>, Panicked> {
        guarding(Hook::About, || self.app.about(now, &self.state, caller, join))
    }

    fn present(&self, presence: Presence<'_>) -> Result<Option<Payload>, Panicked> {
        guarding(Hook::Present, || self.app.present(&self.state, presence))
    }

    fn subject(&self, action: Action<'_>) -> Result<Option<Position>, Panicked> {
        guarding(Hook::Subject, || self.app.subject(action))
    }

    fn guarded(&self, action: Action<'_>) -> Result<bool, Panicked> {
        guarding(Hook::Guarded, || self.app.guarded(action))
    }

    fn decide(&self, asked: Deciding<'_>) -> Result<Result<Decision, Refusal>, Panicked> {
        let Deciding { now, room, presence, soft, subject, caller, action } = asked;
        let room = Room { id: room, state: &self.state, presence, soft, subject };
        guarding(Hook::Decide, || self.app.decide(now, room, caller, action))
    }

    fn apply(&mut self, record: &Record) -> Result<Applied, Panicked> {
        guarding(Hook::Apply, || self.app.apply(&mut self.state, record))
    }

    fn show(&self, record: &Record, audience: Audience) -> Result<Option<Shown>, Panicked> {
        guarding(Hook::Show, || self.app.show(&self.state, record, audience))
    }

    fn show_outward(&self, record: &Record) -> Result<Option<Shown>, Panicked> {
        guarding(Hook::Show, || self.app.show_outward(&self.state, record))
    }

    fn glimpse(&self, change: &SoftChange<'_>, audience: Audience) -> Result<Option<Shown>, Panicked> {
        guarding(Hook::Glimpse, || self.app.glimpse(&self.state, change, audience))
    }

    fn view(&self, audience: Audience) -> Result<Payload, Panicked> {
        guarding(Hook::View, || self.app.view(&self.state, audience))
    }

    fn due(
        &self,
        now: Now,
        room: &RoomId,
        presence: Presence<'_>,
        soft: Soft<'_>,
    ) -> Result<Option<(Wall, Duty)>, Panicked> {
        let room = Room { id: room, state: &self.state, presence, soft, subject: None };
        guarding(Hook::Due, || self.app.due(now, room))
    }

    fn steps(&self) -> Result<Vec<Step>, Panicked> {
        guarding(Hook::Steps, || self.app.steps(&self.state))
    }

    fn sweeps(&self) -> Result<Option<Sweep>, Panicked> {
        guarding(Hook::Sweeps, || self.app.sweeps(&self.state))
    }

    fn is_erased(&self, record: &Record) -> Result<bool, Panicked> {
        guarding(Hook::IsErased, || self.app.is_erased(&self.state, record))
    }

    fn save(&self) -> Result<Payload, Panicked> {
        guarding(Hook::Save, || self.app.save(&self.state))
    }
}
