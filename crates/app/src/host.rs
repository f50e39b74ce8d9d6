//! Rooms of different apps side by side: an app with its state type erased.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use vocabulary::{Audience, Caller, Now, Payload, Record, Refusal, RoomId, Shown, Wall};

use crate::presence::Presence;
use crate::{Action, App, Applied, Decision, Duty, Needs, Room, Soft, SoftChange, Step, UnknownFormat};

/// An app, ready to open rooms.
pub trait Host {
    fn needs(&self) -> Needs;
    fn start(&self, room: &RoomId) -> Box<dyn Fold>;
    fn load(&self, room: &RoomId, saved: &Payload) -> Result<Box<dyn Fold>, UnknownFormat>;
}

/// The app panicked. Its state is not to be trusted further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// One room's app and state. What an app may break, panics included, stays inside: every call that runs the app's
/// rules on input answers `Panicked` instead of unwinding.
pub trait Fold {
    fn admit(&self, caller: &Caller, join: &Payload) -> Result<Result<Audience, Refusal>, Panicked>;
    fn guarded(&self, action: Action<'_>) -> bool;
    fn decide(
        &self,
        now: Now,
        room: &RoomId,
        presence: Presence<'_>,
        soft: Soft<'_>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Result<Decision, Refusal>, Panicked>;
    fn apply(&mut self, record: &Record) -> Result<Applied, Panicked>;
    fn show(&self, record: &Record, audience: Audience) -> Option<Shown>;
    fn glimpse(&self, change: &SoftChange<'_>, audience: Audience) -> Option<Shown>;
    fn view(&self, audience: Audience) -> Payload;
    fn due(&self, now: Now, room: &RoomId, presence: Presence<'_>, soft: Soft<'_>) -> Option<(Wall, Duty)>;
    fn steps(&self) -> Vec<Step>;
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

    fn start(&self, room: &RoomId) -> Box<dyn Fold> {
        Box::new(Folded { app: Rc::clone(&self.0), state: self.0.start(room) })
    }

    fn load(&self, room: &RoomId, saved: &Payload) -> Result<Box<dyn Fold>, UnknownFormat> {
        let loaded = guarding(|| self.0.load(room, saved));
        let state =
            loaded.unwrap_or_else(|_| Err(UnknownFormat("the app panicked on its snapshot".into())))?;
        Ok(Box::new(Folded { app: Rc::clone(&self.0), state }))
    }
}

/// Rules read the state through a shared reference; only `apply` changes it, and a room whose `apply` panicked is read
/// anew, or frozen as it is.
fn guarding<T>(rule: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(rule)).map_err(|_| Panicked)
}

impl<A: App> Fold for Folded<A> {
    fn admit(&self, caller: &Caller, join: &Payload) -> Result<Result<Audience, Refusal>, Panicked> {
        guarding(|| self.app.admit(&self.state, caller, join))
    }

    fn guarded(&self, action: Action<'_>) -> bool {
        // Who cannot say is decided with the greater care.
        guarding(|| self.app.guarded(action)).unwrap_or(true)
    }

    fn decide(
        &self,
        now: Now,
        room: &RoomId,
        presence: Presence<'_>,
        soft: Soft<'_>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Result<Decision, Refusal>, Panicked> {
        let room = Room { id: room, state: &self.state, presence, soft };
        guarding(|| self.app.decide(now, room, caller, action))
    }

    fn apply(&mut self, record: &Record) -> Result<Applied, Panicked> {
        guarding(|| self.app.apply(&mut self.state, record))
    }

    fn show(&self, record: &Record, audience: Audience) -> Option<Shown> {
        guarding(|| self.app.show(&self.state, record, audience)).unwrap_or(None)
    }

    fn glimpse(&self, change: &SoftChange<'_>, audience: Audience) -> Option<Shown> {
        guarding(|| self.app.glimpse(&self.state, change, audience)).unwrap_or(None)
    }

    fn view(&self, audience: Audience) -> Payload {
        guarding(|| self.app.view(&self.state, audience)).unwrap_or_else(|_| Payload::from_static(b"null"))
    }

    fn due(&self, now: Now, room: &RoomId, presence: Presence<'_>, soft: Soft<'_>) -> Option<(Wall, Duty)> {
        let room = Room { id: room, state: &self.state, presence, soft };
        guarding(|| self.app.due(now, room)).unwrap_or(None)
    }

    fn steps(&self) -> Vec<Step> {
        guarding(|| self.app.steps(&self.state)).unwrap_or_default()
    }

    fn save(&self) -> Result<Payload, Panicked> {
        guarding(|| self.app.save(&self.state))
    }
}
