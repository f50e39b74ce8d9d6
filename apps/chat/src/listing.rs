//! What is told of a room: to who joins or asks, and to the inboxes of its members. It changes nothing.

use app::{Fields, Step};
use serde_json::{Map, Value, json};
use vocabulary::{Now, Payload, Refusal};

use crate::State;
use crate::people::STEPS_AT_A_TIME;
use crate::records::Access;
use crate::standing::{Rank, Who};

/// Members told at a time: what a frame can carry. `after` names the last one of the page before.
const MEMBERS_TOLD_MAX: usize = 1_000;

fn access(state: &State) -> &'static str {
    match state.settings.access {
        Access::Open => "open",
        Access::Private => "private",
        Access::Direct => "direct",
    }
}

/// What holds for everybody who sees it.
pub(crate) fn of_everybody(state: &State) -> Map<String, Value> {
    let mut about = Map::new();
    about.insert("title".into(), state.settings.title.as_str().into());
    about.insert("topic".into(), state.settings.topic.as_str().into());
    about.insert("access".into(), access(state).into());
    about.insert("slow_mode_seconds".into(), state.settings.slow_mode_seconds.into());
    about.insert("created".into(), state.created.into());
    about.insert("messages".into(), state.said.count.into());
    if state.deleted {
        about.insert("deleted".into(), true.into());
    }
    about
}

pub(crate) fn about(state: &State, now: Now, who: &Who<'_>, join: &Payload) -> Payload {
    let mut about = of_everybody(state);
    about.insert("role".into(), who.rank.name().into());
    let muted = who.id().filter(|_| who.rank < Rank::Warden).and_then(|id| state.people.muted(id, now.wall));
    if let Some(until) = muted {
        let until = until.map_or_else(|| "forever".to_owned(), |until| until.to_string());
        about.insert("muted_until".into(), until.into());
    }
    // Who joins is not turned away for a place that cannot be read; it is told no number.
    let upto = Fields::of(join).and_then(|join| join.position("read_upto")).ok().flatten();
    if let Some(upto) = upto {
        about.insert("unread".into(), state.said.unread(upto, who.id()).into());
    }
    Value::from(about).to_string().into()
}

pub(crate) fn members(state: &State, now: Now, who: &Who<'_>, asked: &Payload) -> Result<Payload, Refusal> {
    let fields = Fields::of(asked)?;
    let after = fields.text("after")?;
    let mut all: Vec<(&str, &str, &str)> = state
        .people
        .members()
        .map(|(id, someone, role)| (id.as_str(), &*someone.name, role.name()))
        .collect();
    // Before their first words the room of two knows no more of them than its name says.
    if let Some((one, other)) = state.pair.as_ref().filter(|_| all.is_empty()) {
        all.extend([one, other].map(|id| (id.as_str(), id.as_str(), "member")));
        all.dedup();
    }
    let count = all.len();
    let page = all.into_iter().filter(|(id, _, _)| after.as_deref().is_none_or(|after| *id > after));
    let page: Vec<Value> = page
        .take(MEMBERS_TOLD_MAX)
        .map(|(id, name, role)| json!({"user_id": id, "name": name, "role": role}))
        .collect();
    let mut told = json!({"members": page, "count": count});
    if who.rank >= Rank::Moderator && after.is_none() {
        let muted = state.people.mutes().filter(|(_, until)| until.is_none_or(|until| until > now.wall));
        let muted = muted.map(|(id, until)| match until {
            Some(until) => json!({"user_id": id.as_str(), "until": until.to_string()}),
            None => json!({"user_id": id.as_str()}),
        });
        told["muted"] = muted.collect();
        told["banned"] = state.people.banned().map(|id| Value::from(id.as_str())).collect();
    }
    Ok(told.to_string().into())
}

/// What the inboxes are still to be told, of each the newest.
pub(crate) fn steps(state: &State) -> Vec<Step> {
    let untold = state.people.known().filter_map(|(id, someone)| Some((id, someone, someone.untold?)));
    let step = untold.map(|(id, someone, untold)| {
        let room_id = state.room.as_str();
        let (kind, payload) = match someone.role {
            Some(role) => {
                let title = state.settings.title.as_str();
                let (role, access) = (role.name(), access(state));
                let told = json!({"room_id": room_id, "title": title, "role": role, "access": access});
                ("channel_changed", told)
            }
            None => ("channel_removed", json!({"room_id": room_id})),
        };
        Step {
            position: untold.position,
            number: untold.number,
            room: id.inbox(),
            kind: kind.into(),
            payload: payload.to_string().into(),
        }
    });
    step.take(STEPS_AT_A_TIME).collect()
}
