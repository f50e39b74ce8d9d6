//! How a match comes to be: who plays, by which rules, whose officials. Taken once, and before the first action; it scores nothing.

use app::{Decision, Draft, Fields, wrong};
use serde_json::json;
use vocabulary::{Code, Refusal, Touched, check_user};

use super::records::{self as kinds};
use super::{Asking, told};
use crate::sport::{self, Action};
use crate::standing::{Office, Official, Part, forbidden};
use crate::wire::written;

const TITLE_CHARS_MAX: usize = 100;
const EVENT_CHARS_MAX: usize = 64;
/// More than any table of officials has chairs.
const OFFICIALS_MAX: usize = 30;

impl Asking<'_> {
    pub(super) fn opens(&self, kind: &str, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        match kind {
            "create" => self.create(fields),
            "initial_state" => self.first_state(fields),
            "set_squad" => self.set_squad(fields),
            _ => self.set_roles(fields),
        }
    }

    /// Whoever comes second is answered with what stands.
    fn create(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.scores("create it")?;
        if let Some(course) = &self.room.state.course {
            return Ok(Decision::reply(told::whole(self.room.state, course)));
        }
        let setup = sport::setup(fields, self.profiles)?;
        let created = created(fields, setup)?;
        let reply = json!({"matchId": self.room.id.name(), "created": true}).to_string();
        Ok(Decision::record(kinds::CREATED, written(&created)).with_reply(reply.into()))
    }

    /// The same as a scorer's page begins with it: teams, line-ups and toss together.
    fn first_state(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.scores("initialize it")?;
        if let Some(course) = self.room.state.course.as_ref() {
            return Ok(Decision::reply(told::whole(self.room.state, course)));
        }
        let (setup, actions) = sport::first_setup(fields, self.profiles)?;
        let mut game = setup.game();
        for action in &actions {
            (game, _) = game.play(self.now.wall.0, action).map_err(super::broken)?;
        }
        let mut decision = Decision::record(kinds::CREATED, written(&created(fields, setup)?));
        decision.records.extend(actions.into_iter().map(|action| self.drafted(action)));
        let reply = json!({"matchId": self.room.id.name(), "created": true}).to_string();
        Ok(decision.with_reply(reply.into()))
    }

    fn drafted(&self, action: Action) -> Draft {
        let body = written(&kinds::Acted { action, action_id: None, by: self.back_end.clone() });
        Draft::new(kinds::ACTION, body)
    }

    fn set_squad(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.scores("name a squad")?;
        let course = self.course()?;
        if course.entries.iter().any(|entry| !entry.undone) {
            let text = "squads are named before the first action: undo what was said, or substitute";
            return Err(Refusal::new(Code::App("RULE"), text));
        }
        let (team, sheet, teams) = sport::changed_squad(&course.setup, fields)?;
        if teams == course.setup.teams {
            return Ok(Decision::nothing());
        }
        let body = kinds::SquadSet { team, sheet };
        Ok(Decision::record(kinds::SQUAD_SET, written(&body)))
    }

    /// From now on; nobody named: every scorer by token.
    fn set_roles(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        if self.part != Part::Organizer {
            return Err(forbidden("only an organizer names the officials of a match"));
        }
        let course = self.course()?;
        if !fields.has("officials") {
            let text = "officials is required: a list of {userId, role}; an empty one opens the match to every scorer";
            return Err(Refusal::new(Code::InvalidPayload, text));
        }
        let items = fields.list("officials", OFFICIALS_MAX)?;
        let officials: Vec<Official> = items.into_iter().map(official).collect::<Result<_, Refusal>>()?;
        let twice = officials.iter().enumerate().find(|(index, official)| {
            officials[..*index].iter().any(|other| other.user_id == official.user_id)
        });
        if let Some((_, official)) = twice {
            return Err(wrong("officials", "a list that names each user once", &official.user_id));
        }
        if officials == course.officials {
            return Ok(Decision::nothing());
        }
        let body = kinds::OfficialsSet { officials };
        Ok(Decision::record(kinds::OFFICIALS_SET, written(&body)).touching(Touched::Everybody))
    }
}

fn created(fields: &Fields<'_>, setup: sport::Setup) -> Result<kinds::Created, Refusal> {
    let given = fields.short_text("title", TITLE_CHARS_MAX)?.filter(|title| !title.trim().is_empty());
    let title = match given {
        Some(title) => title.trim().to_owned(),
        None => format!("{} v {}", setup.teams[0].name, setup.teams[1].name),
    };
    Ok(kinds::Created {
        title,
        event: fields.short_text("event", EVENT_CHARS_MAX)?.map(std::borrow::Cow::into_owned),
        public: fields.truth("public")?.unwrap_or(true),
        setup,
    })
}

fn official(item: &serde_json::value::RawValue) -> Result<Official, Refusal> {
    let fields = Fields::of_item("officials", "userId", item)?;
    let user_id = fields.required_text("userId", "the id of a user")?.into_owned();
    check_user(&user_id).map_err(|error| wrong("userId", &error.to_string(), &format!("{user_id:?}")))?;
    let office = match fields.text("role")?.as_deref() {
        None | Some("scorer") => Office::Scorer,
        Some("timekeeper") => Office::Timekeeper,
        Some("umpire") => Office::Umpire,
        Some(other) => return Err(wrong("role", "scorer, timekeeper or umpire", other)),
    };
    Ok(Official { user_id, office })
}
