//! An app that breaks on demand, in whatever part of its contract it is told to. What is left of its room is what the
//! rooms below it keep standing.

use std::collections::BTreeSet;
use std::time::Duration;

use app::{
    Action, App, Applied, Decision, Duties, Duty, Needs, Room, SoftChange, SoftDraft, Step, UnknownFormat,
};
use serde_json::{Value, json};
use vocabulary::{Audience, Caller, Class, Now, Payload, Record, Refusal, RoomId, Shown, Wall};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fragile;

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The hooks that panic from now on.
    broken: BTreeSet<String>,
    /// What it saves besides.
    padding: usize,
}

impl State {
    fn hold(&self, hook: &str) {
        assert!(!self.broken.contains(hook), "{hook} is broken");
    }
}

fn parse(payload: &Payload) -> Value {
    serde_json::from_slice(payload).unwrap_or(Value::Null)
}

impl App for Fragile {
    type State = State;

    fn needs(&self) -> Needs {
        Needs { duties: Duties::Always, ..Needs::default() }
    }

    fn start(&self, room: &RoomId) -> State {
        assert!(room.name() != "never", "a room that cannot begin");
        State::default()
    }

    fn admit(
        &self,
        _now: Now,
        state: &State,
        _caller: &Caller,
        _join: &Payload,
    ) -> Result<Audience, Refusal> {
        state.hold("admit");
        Ok(Audience::default())
    }

    fn guarded(&self, action: Action<'_>) -> bool {
        assert!(parse(action.payload)["panic"] != "guarded", "guarded is broken");
        false
    }

    fn decide(
        &self,
        _now: Now,
        _room: Room<'_, State>,
        _caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        if action.kind != "send_message" {
            return Ok(Decision::soft(SoftDraft {
                key: "typing".into(),
                value: Some(Payload::from_static(b"{}")),
                time_to_live: Duration::from_secs(5),
                class: Class::Signal,
            }));
        }
        let asked = parse(action.payload);
        assert!(asked["panic"] != "decide", "decide is broken");
        Ok(Decision::record("said", action.payload.clone()))
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        let said = parse(&record.body);
        assert!(said["panic"] != "apply", "apply is broken");
        if let Some(hook) = said["break"].as_str() {
            state.broken.insert(hook.to_owned());
        }
        if let Some(hook) = said["mend"].as_str() {
            state.broken.remove(hook);
        }
        if let Some(bytes) = said["padding"].as_u64() {
            state.padding = bytes as usize;
        }
        Applied::Done
    }

    fn show(&self, state: &State, record: &Record, _audience: Audience) -> Option<Shown> {
        state.hold("show");
        let (payload, sender) = (record.body.clone(), record.author.clone());
        Some(Shown { kind: "new_message", payload, sender, class: Class::Record, lasting: true })
    }

    fn glimpse(&self, state: &State, _change: &SoftChange<'_>, _audience: Audience) -> Option<Shown> {
        state.hold("glimpse");
        let payload = Payload::from_static(b"{}");
        Some(Shown { kind: "user_typing", payload, sender: None, class: Class::Signal, lasting: false })
    }

    fn view(&self, state: &State, _audience: Audience) -> Payload {
        state.hold("view");
        Payload::from_static(b"{}")
    }

    fn due(&self, _now: Now, room: Room<'_, State>) -> Option<(Wall, Duty)> {
        room.state.hold("due");
        None
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        state.hold("steps");
        Vec::new()
    }

    fn save(&self, state: &State) -> Payload {
        state.hold("save");
        Payload::from(json!({"broken": state.broken, "padding": "x".repeat(state.padding)}).to_string())
    }

    fn load(&self, _room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        let saved = parse(saved);
        let broken = saved["broken"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let state = State {
            broken: broken.map(str::to_owned).collect(),
            padding: saved["padding"].as_str().map_or(0, str::len),
        };
        state.hold("load");
        Ok(state)
    }
}
