//! Polls, `poll:{name}`: somebody asks, everybody has one vote and may change it, and whoever asked ends it. The guide
//! `docs/your-own-app.md` writes it.

use std::collections::BTreeMap;

use app::{Action, App, Applied, Decision, Fields, Room, UnknownFormat};
use serde::{Deserialize, Serialize};
use serde_json::{from_slice, json};
use vocabulary::{Audience, Caller, Class, Code, Now, Payload, Record, Refusal, RoomId, Shown, Word};

/// A snapshot has 1 MiB, and a vote takes a user's id.
const VOTES_MAX: usize = 5_000;

#[derive(Clone, Copy, Debug, Default)]
pub struct Poll;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    by: String,
    question: String,
    options: Vec<String>,
    votes: BTreeMap<String, usize>,
    closed: bool,
}

fn told(state: &State) -> Payload {
    let count = |option| state.votes.values().filter(|vote| **vote == option).count();
    let counts: Vec<usize> = (0..state.options.len()).map(count).collect();
    let State { question, options, closed, .. } = state;
    json!({"question": question, "options": options, "counts": counts, "closed": closed}).to_string().into()
}

fn open(state: &State, fields: &Fields<'_>) -> Result<Decision, Refusal> {
    if !state.options.is_empty() {
        return Err(Refusal::new(
            Code::InvalidPayload,
            "a poll is here already: take a room of another name",
        ));
    }
    let question = fields.short_text("question", 200)?.unwrap_or_default();
    let said = fields.raw("options").and_then(|raw| serde_json::from_str::<Vec<String>>(raw.get()).ok());
    let options = said.filter(|options| (2..=10).contains(&options.len()));
    let options =
        options.ok_or_else(|| Refusal::new(Code::InvalidPayload, "options is required: 2 to 10 texts"))?;
    Ok(Decision::record("opened", json!({"question": question, "options": options}).to_string().into()))
}

fn vote(state: &State, by: &str, fields: &Fields<'_>) -> Result<Decision, Refusal> {
    let is_full = state.votes.len() >= VOTES_MAX && !state.votes.contains_key(by);
    if state.options.is_empty() || state.closed || is_full {
        return Err(Refusal::new(Code::InvalidPayload, "no poll takes votes here"));
    }
    let option = fields.number("option", 0..=state.options.len() as u64 - 1)?;
    let option =
        option.ok_or_else(|| Refusal::new(Code::InvalidPayload, "option is required: 0 is the first"))?;
    Ok(Decision::record("voted", option.to_string().into()))
}

impl App for Poll {
    type State = State;

    fn words(&self) -> &'static [Word] {
        const { &[Word::of_members("open"), Word::of_members("vote"), Word::of_members("close")] }
    }

    fn start(&self, _room: &RoomId) -> State {
        State::default()
    }

    fn admit(&self, _: Now, _: &State, _: &Caller, _: &Payload) -> Result<Audience, Refusal> {
        Ok(Audience::default())
    }

    fn guarded(&self, action: Action<'_>) -> bool {
        action.kind == "open"
    }

    fn decide(
        &self,
        _: Now,
        room: Room<'_, State>,
        caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        let people = || Refusal::new(Code::Forbidden, "people ask and vote, and no back end");
        let by = caller.user().ok_or_else(people)?.person.id.as_str();
        match action.kind {
            "open" => open(room.state, &Fields::of(action.payload)?),
            "vote" => vote(room.state, by, &Fields::of(action.payload)?),
            "close" if room.state.by == by => Ok(Decision::record("closed", Payload::new())),
            "close" => Err(Refusal::new(Code::Forbidden, "whoever opened the poll closes it")),
            kind => Err(Refusal::new(Code::UnknownType, format!("unknown message type: {kind}"))),
        }
    }

    fn apply(&self, state: &mut State, record: &Record) -> Applied {
        let by = record.author.as_ref().map_or("", |author| author.id.as_str()).to_owned();
        let body: serde_json::Value = from_slice(&record.body).unwrap_or_default();
        match &*record.kind {
            "opened" => {
                state.question = body["question"].as_str().unwrap_or_default().to_owned();
                state.options = serde_json::from_value(body["options"].clone()).unwrap_or_default();
                state.by = by;
            }
            // It was decided on the state of one node, and the poll may have been closed on another.
            "voted" if state.closed => {}
            "voted" => _ = state.votes.insert(by, body.as_u64().unwrap_or_default() as usize),
            "closed" => state.closed = true,
            _ => return Applied::Unknown,
        }
        Applied::Done
    }

    fn show(&self, state: &State, record: &Record, _: Audience) -> Option<Shown> {
        // Who reads slowly needs the newest count alone.
        let class = if record.kind == "voted" { Class::Latest(0) } else { Class::Record };
        Some(Shown { kind: "poll", payload: told(state), sender: None, class, lasting: true })
    }

    fn about(&self, _: Now, state: &State, _: &Caller, _: &Payload) -> Option<Payload> {
        Some(told(state))
    }

    fn view(&self, state: &State, _: Audience) -> Payload {
        told(state)
    }

    fn save(&self, state: &State) -> Payload {
        serde_json::to_vec(state).unwrap_or_default().into()
    }

    fn load(&self, _: &RoomId, saved: &Payload) -> Result<State, UnknownFormat> {
        from_slice(saved).map_err(|error| UnknownFormat(format!("poll: {error}")))
    }
}
