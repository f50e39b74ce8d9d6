//! An app that exists to be simulated: it uses every hook that chat does not. What it does with them is naive on purpose,
//! so that what must happen once happens once because of the rooms below it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use app::{
    Action, App, Applied, Decision, Draft, Duties, Duty, Needs, Room, SoftChange, SoftDraft, Step, Sweep,
    UnknownFormat,
};
use serde_json::{Value, json};
use vocabulary::{
    Audience, Caller, Class, Code, Epoch, Now, Payload, Person, Position, Record, Refusal, RoomId, Shown,
    Touched, UserId, Wall,
};

#[derive(Clone, Copy, Debug, Default)]
pub struct Probe {
    /// A mutant's: what is whispered changes nothing here.
    pub deaf: bool,
}

/// Sees what others do not.
pub const STAFF: Audience = Audience(1);
/// A watched user who is gone for this long is recorded as absent.
pub const ABSENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub struct State {
    claims: BTreeMap<String, String>,
    timers: BTreeMap<String, i64>,
    watched: BTreeSet<String>,
    banned: BTreeSet<String>,
    /// Orders by the position of their record, with the room that is to fill them.
    orders: BTreeMap<Position, String>,
    /// Whose whispers are erased, up to where; and which erasures are not at their end.
    forgotten: BTreeMap<String, Position>,
    open: BTreeSet<Position>,
    /// Who whispered last, and what: so that a snapshot holds it.
    last: (String, String),
    /// How often each has whispered, whatever of it is erased: who never heard of some of them has another state.
    whispers: BTreeMap<String, u64>,
    /// The last record that this is folded from.
    folded: Position,
}

impl State {
    fn is_forgotten(&self, record: &Record) -> bool {
        let user = text(&parse(&record.body), "user");
        let upto = self.forgotten.get(&user).filter(|_| record.kind == "whispered");
        upto.is_some_and(|upto| record.position <= *upto)
    }
}

/// A position in a state that is saved.
fn place(at: &Position) -> (u64, u64) {
    (at.epoch.0, at.offset)
}

pub(crate) fn placed(value: &Value) -> Option<Position> {
    Some(Position { epoch: Epoch(value[0].as_u64()?), offset: value[1].as_u64()? })
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn parse(payload: &Payload) -> Value {
    serde_json::from_slice(payload).unwrap_or(Value::Null)
}

fn body(value: &Value) -> Payload {
    Payload::from(value.to_string())
}

impl Probe {
    fn asked(state: &State, caller: &Caller, asked: &Value) -> Result<Decision, Refusal> {
        let user = caller.user().map(|user| user.person.id.to_string()).unwrap_or_default();
        let item = text(asked, "item");
        let (content, secret) = (text(asked, "content"), text(asked, "secret"));
        let with_user = match secret.is_empty() {
            true => json!({"content": content, "item": item, "user": user}),
            false => json!({"content": content, "item": item, "user": user, "secret": secret}),
        };
        let record = |kind| Ok(Decision::record(kind, body(&with_user)));
        match asked["do"].as_str() {
            Some("claim") => match state.claims.get(&item) {
                Some(winner) => Err(Refusal::new(Code::App("TAKEN"), format!("{item} belongs to {winner}"))),
                None => record("claimed"),
            },
            Some("arm") => record("armed"),
            Some("watch") => record("watching"),
            Some("whisper") => record("whispered"),
            Some("forget") => record("forgotten"),
            Some("order") => record("ordered"),
            Some("ban") => {
                let touches = Touched::Users(vec![UserId::new(&item)]);
                let draft = Draft { kind: "banned", body: body(&with_user), touches };
                Ok(Decision { records: vec![draft], ..Decision::default() })
            }
            Some("place") => Ok(Decision::soft(SoftDraft {
                key: format!("place/{user}").into(),
                value: Some(body(&with_user)),
                time_to_live: Duration::from_secs(30),
                class: Class::Latest(7),
            })),
            _ => record("message"),
        }
    }
}

impl App for Probe {
    type State = State;

    fn needs(&self) -> Needs {
        Needs { duties: Duties::Always, presence_duties: true, ..Needs::default() }
    }

    fn start(&self, _room: &RoomId) -> State {
        State::default()
    }

    fn admit(&self, _now: Now, state: &State, caller: &Caller, join: &Payload) -> Result<Audience, Refusal> {
        let user = caller.user();
        let id = user.map(|user| user.person.id.as_str()).unwrap_or_default();
        let role = user.and_then(|user| user.role.as_deref());
        if state.banned.contains(id) || role == Some("nobody") {
            return Err(Refusal::new(Code::Forbidden, "you are banned from this room"));
        }
        let staff = parse(join)["tag"] == "staff" || role == Some("staff");
        Ok(if staff { STAFF } else { Audience::default() })
    }

    fn guarded(&self, action: Action<'_>) -> bool {
        parse(action.payload)["do"] == "claim"
    }

    fn decide(
        &self,
        _now: Now,
        room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        match caller {
            Caller::Duty { name, payload } => {
                let kind = match &**name {
                    "fire" => "fired",
                    "swept" => "swept",
                    _ => "absent",
                };
                Ok(Decision::record(kind, payload.clone()))
            }
            Caller::Step(step) => Ok(Decision::record(
                "taken",
                body(&json!({"saga": step.saga.as_str(), "order": step.position.to_string()})),
            )
            .with_reply(Payload::from_static(b"{}"))),
            Caller::Outcome { step, .. } => {
                Ok(Decision::record("settled", body(&json!({"order": step.position.to_string()}))))
            }
            _ if action.kind != "send_message" => Ok(Decision::nothing()),
            Caller::Connection { .. }
            | Caller::Visitor { .. }
            | Caller::Api { .. }
            | Caller::Source { .. } => Probe::asked(room.state, caller, &parse(action.payload)),
        }
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        let said = parse(&record.body);
        let item = text(&said, "item");
        state.folded = record.position;
        match &*record.kind {
            "whispered" if self.deaf => {}
            "claimed" => {
                state.claims.insert(item, text(&said, "user"));
            }
            "armed" => {
                state.timers.insert(item, record.at.0 + 3000);
            }
            "fired" => {
                state.timers.remove(&item);
            }
            "watching" => {
                state.watched.insert(text(&said, "user"));
            }
            "absent" => {
                state.watched.remove(&text(&said, "user"));
            }
            "banned" => {
                state.banned.insert(item);
            }
            "ordered" => {
                state.orders.insert(record.position, item);
            }
            "settled" => {
                let order = text(&said, "order");
                state.orders.retain(|position, _| position.to_string() != order);
            }
            "whispered" => {
                let user = text(&said, "user");
                *state.whispers.entry(user.clone()).or_default() += 1;
                state.last = (user, text(&said, "secret"));
            }
            "forgotten" => {
                if state.last.0 == item {
                    state.last = Default::default();
                }
                state.forgotten.insert(item, record.position);
                state.open.insert(record.position);
            }
            "swept" => {
                let upto = text(&said, "upto");
                state.open.retain(|at| at.to_string() != upto);
            }
            "message" | "taken" => {}
            _ => return Applied::Unknown,
        }
        Applied::Done
    }

    fn show(&self, state: &State, record: &Record, audience: Audience) -> Option<Shown> {
        let kind = match &*record.kind {
            "whispered" if audience != STAFF || state.is_forgotten(record) => return None,
            "forgotten" => "forgotten",
            "swept" => "swept",
            "claimed" => "claimed",
            "armed" => "armed",
            "fired" => "fired",
            "watching" => "watching",
            "absent" => "absent",
            "banned" => "banned",
            "ordered" => "ordered",
            "settled" => "settled",
            "taken" => "taken",
            "whispered" => "whispered",
            _ => "new_message",
        };
        let (payload, sender) = (record.body.clone(), record.author.clone());
        Some(Shown { kind, payload, sender, class: Class::Record, lasting: true })
    }

    fn glimpse(&self, _state: &State, change: &SoftChange<'_>, _audience: Audience) -> Option<Shown> {
        let id = UserId::new(change.key.strip_prefix("place/")?);
        let name = id.to_string().into();
        let payload = change.value.cloned().unwrap_or_else(|| Payload::from_static(b"{}"));
        Some(Shown {
            kind: "placed",
            payload,
            sender: Some(Person { id, name }),
            class: change.class,
            lasting: false,
        })
    }

    fn view(&self, state: &State, _audience: Audience) -> Payload {
        self.save(state)
    }

    fn about(&self, _now: Now, state: &State, _caller: &Caller, _join: &Payload) -> Option<Payload> {
        Some(self.save(state))
    }

    fn due(&self, now: Now, room: Room<'_, State>) -> Option<(Wall, Duty)> {
        let fire = room.state.timers.iter().map(|(item, at)| {
            (Wall(*at), Duty { name: "fire".into(), payload: body(&json!({"item": item})) })
        });
        let absent = room.state.watched.iter().filter_map(|user| {
            let since = room.presence.gone_since(&UserId::new(user))?;
            let left = (since + ABSENCE).since(now.tick);
            let duty = Duty { name: "absent".into(), payload: body(&json!({"user": user})) };
            Some((now.wall + left, duty))
        });
        fire.chain(absent).min_by_key(|(at, _)| *at)
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        let step = |(position, room): (&Position, &String)| Step {
            position: *position,
            number: 0,
            room: RoomId::new("probe", room),
            kind: "take".into(),
            payload: Payload::new(),
        };
        state.orders.iter().map(step).collect()
    }

    fn sweeps(&self, state: &State) -> Option<Sweep> {
        let upto = *state.open.first()?;
        let payload = body(&json!({"upto": upto.to_string()}));
        Some(Sweep { upto, then: Duty { name: "swept".into(), payload } })
    }

    fn is_erased(&self, state: &State, record: &Record) -> bool {
        state.is_forgotten(record)
    }

    fn save(&self, state: &State) -> Payload {
        let State { claims, timers, watched, banned, orders, forgotten, open, last, whispers, folded } =
            state;
        let forgotten: BTreeMap<_, _> = forgotten.iter().map(|(user, at)| (user, place(at))).collect();
        let open: Vec<_> = open.iter().map(place).collect();
        let orders: Vec<(u64, u64, &String)> =
            orders.iter().map(|(at, room)| (at.epoch.0, at.offset, room)).collect();
        body(
            &json!({"claims": claims, "timers": timers, "watched": watched, "banned": banned, "orders": orders, "forgotten": forgotten, "open": open, "last": last, "whispers": whispers, "folded": place(folded)}),
        )
    }

    fn load(&self, _room: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        let value = parse(saved);
        let texts = |field: &str| -> BTreeSet<String> {
            value[field]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|v| Some(v.as_str()?.to_owned()))
                .collect()
        };
        let pairs = |field: &str| value[field].as_object().cloned().unwrap_or_default();
        let last = |which: usize| value["last"][which].as_str().unwrap_or_default().to_owned();
        Ok(State {
            forgotten: pairs("forgotten")
                .into_iter()
                .filter_map(|(user, at)| Some((user, placed(&at)?)))
                .collect(),
            open: value["open"].as_array().into_iter().flatten().filter_map(placed).collect(),
            last: (last(0), last(1)),
            whispers: pairs("whispers")
                .into_iter()
                .map(|(user, count)| (user, count.as_u64().unwrap_or_default()))
                .collect(),
            folded: placed(&value["folded"]).unwrap_or_default(),
            claims: pairs("claims")
                .into_iter()
                .map(|(k, v)| (k, v.as_str().unwrap_or_default().to_owned()))
                .collect(),
            timers: pairs("timers").into_iter().map(|(k, v)| (k, v.as_i64().unwrap_or_default())).collect(),
            watched: texts("watched"),
            banned: texts("banned"),
            orders: value["orders"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|order| {
                    let (epoch, offset) = (Epoch(order[0].as_u64()?), order[1].as_u64()?);
                    Some((Position { epoch, offset }, order[2].as_str()?.to_owned()))
                })
                .collect(),
        })
    }
}
