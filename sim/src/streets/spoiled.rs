//! The mistakes of an app of rides, made on purpose: the real one decides, and something is done to what it says. Each must be found by
//! what a world of rides is judged by.

use app::{Action, App, Applied, Decision, Draft, Duty, Needs, Room, SoftChange, Step, UnknownFormat};
use rides::{Rides, State};
use serde_json::{Value, json};
use vocabulary::{Audience, Caller, Now, Payload, Record, Refusal, RoomId, Shown, Touched, Wall, Word};

use crate::mutant::Mutant;
use crate::scenario::Scenario;

struct Spoiled {
    rides: Rides,
    mutant: Mutant,
}

/// The app as nodes have it in this scenario: the real one, unless a mistake is asked for.
pub(crate) fn app(scenario: &Scenario) -> Box<dyn app::Host> {
    let rides = Rides::new(scenario.rides.clone());
    match scenario.mutant.filter(|mutant| mutant.is_of_rides()) {
        Some(mutant) => app::host(Spoiled { rides, mutant }),
        None => app::host(rides),
    }
}

/// What a point is worth that is worth nothing.
const TWICE_MM: i64 = 40_000;

fn parsed(body: &Payload) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

fn written(value: &Value) -> Payload {
    Payload::from(value.to_string().into_bytes())
}

fn draft(kind: &'static str, body: &Value) -> Draft {
    Draft { kind, body: written(body), touches: Touched::NOBODY }
}

/// Another body for the records of this kind.
fn changed(decision: &mut Decision, kinds: &[&str], change: impl Fn(&mut Value)) {
    for record in decision.records.iter_mut().filter(|record| kinds.contains(&record.kind)) {
        let mut body = parsed(&record.body);
        change(&mut body);
        record.body = written(&body);
    }
}

impl Spoiled {
    fn spoil(&self, room: &RoomId, caller: &Caller, action: Action<'_>, decision: &mut Decision) {
        let is_driver = room.name().starts_with("driver:");
        let by_step = if let Caller::Step(step) = caller { Some(step) } else { None };
        let said = || parsed(action.payload);
        match self.mutant {
            Mutant::YesOfNobody if is_driver && decision.records.iter().any(|it| it.kind == "proposed") => {
                decision.records.push(draft("confirmed", &json!({"proposal": said()["proposal"]})));
            }
            Mutant::GivenUnasked
                if is_driver && decision.records.iter().any(|it| it.kind == "passenger_confirmed") =>
            {
                let by = by_step.map(|step| step.position.to_string());
                let claimed = json!({"proposal": said()["proposal"], "by": {"position": by, "at": 0}});
                decision.records.push(draft("claimed", &claimed));
            }
            Mutant::PointCountsTwice => changed(decision, &["point"], |body| {
                if body["verdict"] == "duplicate" {
                    body["verdict"] = json!({"counted": TWICE_MM});
                }
            }),
            Mutant::FeeOnTop => changed(decision, &["arrived", "cancelled"], |body| {
                if let Some(adjusted) = body.pointer("/due/bill/adjusted").cloned() {
                    body["due"]["bill"]["payout"] = adjusted;
                }
            }),
            // Neither by the ride's word nor when the driver asks for it once more.
            Mutant::NeverReleased if is_driver => decision.records.retain(|record| {
                let status = parsed(&record.body)["stands"]["status"].clone();
                !["ARRIVED", "COMPLETED", "CANCELLED"].iter().any(|over| status == *over)
            }),
            _ => {}
        }
    }
}

impl App for Spoiled {
    type State = State;

    fn needs(&self) -> Needs {
        self.rides.needs()
    }

    fn words(&self) -> &'static [Word] {
        self.rides.words()
    }

    fn start(&self, room: &RoomId) -> State {
        self.rides.start(room)
    }

    fn admit(&self, now: Now, state: &State, caller: &Caller, join: &Payload) -> Result<Audience, Refusal> {
        self.rides.admit(now, state, caller, join)
    }

    fn about(&self, now: Now, state: &State, caller: &Caller, join: &Payload) -> Option<Payload> {
        self.rides.about(now, state, caller, join)
    }

    fn guarded(&self, action: Action<'_>) -> bool {
        let is_spoiled = self.mutant == Mutant::ClaimUnguarded && action.kind == "claim";
        self.rides.guarded(action) && !is_spoiled
    }

    fn decide(
        &self,
        now: Now,
        room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        let id = room.id;
        let mut decision = self.rides.decide(now, room, caller, action)?;
        self.spoil(id, caller, action, &mut decision);
        Ok(decision)
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        self.rides.apply(state, record)
    }

    fn show(&self, state: &State, record: &Record, audience: Audience) -> Option<Shown> {
        let shown = self.rides.show(state, record, audience)?;
        let is_payment = shown.kind == "payment_processed" && self.mutant == Mutant::ToldOtherwise;
        if is_payment && self.rides.view(state, audience).starts_with(br#"{"beacon""#) {
            let mut payload = parsed(&shown.payload);
            for amount in ["adjusted_cost", "driver_payout"] {
                payload[amount] = (payload[amount].as_i64().unwrap_or_default() + 1).into();
            }
            return Some(Shown { payload: written(&payload), ..shown });
        }
        Some(shown)
    }

    fn is_outward(&self, state: &State) -> bool {
        self.rides.is_outward(state)
    }

    fn glimpse(&self, state: &State, change: &SoftChange<'_>, audience: Audience) -> Option<Shown> {
        self.rides.glimpse(state, change, audience)
    }

    fn view(&self, state: &State, audience: Audience) -> Payload {
        self.rides.view(state, audience)
    }

    fn due(&self, now: Now, room: Room<'_, State>) -> Option<(Wall, Duty)> {
        self.rides.due(now, room)
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        self.rides.steps(state)
    }

    fn save(&self, state: &State) -> Payload {
        self.rides.save(state)
    }

    fn load(&self, room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        self.rides.load(room, saved)
    }
}
