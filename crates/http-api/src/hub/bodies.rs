//! Bodies that hub clients send, as far as they are read. Fields of theirs that are not named here are passed over, as they always
//! were.

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use vocabulary::{Payload, UserId, check_user};

use crate::answers::Fault;

#[derive(Default, Deserialize)]
pub(super) struct Channel {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    access: Option<String>,
    /// The other one of a direct channel.
    #[serde(default, alias = "userId")]
    user_id: Option<Box<RawValue>>,
    /// Members from the beginning, besides the one who asks.
    #[serde(default, alias = "userIds")]
    user_ids: Option<Vec<Box<RawValue>>>,
}

pub(super) enum Wanted {
    Group(Payload),
    Direct(UserId),
}

#[derive(Default, Deserialize)]
struct Member {
    #[serde(default, alias = "userId")]
    user_id: Option<Box<RawValue>>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    role: Option<String>,
}

fn object<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, Fault> {
    // A list would do for the parser.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Fault::body("the body must be a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Fault::body(error.to_string()))
}

/// Old clients have numbers.
fn user(field: &'static str, raw: &RawValue) -> Result<UserId, Fault> {
    let text = match serde_json::from_str::<Value>(raw.get()) {
        Ok(Value::String(text)) => text,
        Ok(Value::Number(number)) if number.is_u64() => number.to_string(),
        _ => {
            return Err(Fault::field(
                field,
                format!("{field} must be a user's id, a text or a whole number"),
            ));
        }
    };
    check_user(&text).map_err(|error| Fault::field(field, format!("{field} {error}")))?;
    Ok(UserId::new(&text))
}

fn required(raw: Option<&RawValue>) -> Result<UserId, Fault> {
    user("user_id", raw.ok_or_else(|| Fault::field("user_id", "user_id is required"))?)
}

impl Channel {
    pub(super) fn read(body: &Bytes) -> Result<Channel, Fault> {
        object(body)
    }

    /// What `create_room` and `change_room` know of it.
    fn settings(&self) -> serde_json::Map<String, Value> {
        let fields =
            [("title", &self.name), ("topic", &self.description), ("access", &self.access)].into_iter();
        fields.filter_map(|(key, value)| Some((key.to_owned(), value.as_deref()?.into()))).collect()
    }

    pub(super) fn wanted(&self) -> Result<Wanted, Fault> {
        match self.kind.as_deref() {
            Some("direct") => Ok(Wanted::Direct(required(self.user_id.as_deref())?)),
            None | Some("group") => {
                let name = self.name.as_deref().unwrap_or_default();
                if name.trim().is_empty() {
                    return Err(Fault::field("name", "name is required"));
                }
                let mut settings = self.settings();
                let ids = self.user_ids.as_deref().unwrap_or_default();
                let ids = ids.iter().map(|id| Ok(user("user_ids", id)?.as_str().into()));
                settings.insert("members".into(), ids.collect::<Result<Vec<Value>, Fault>>()?.into());
                Ok(Wanted::Group(Value::from(settings).to_string().into()))
            }
            Some(other) => {
                let says = format!("type must be \"group\" or \"direct\", got {other:?}");
                Err(Fault::field("type", says))
            }
        }
    }

    pub(super) fn changes(&self) -> Result<Payload, Fault> {
        let settings = self.settings();
        if settings.is_empty() {
            return Err(Fault::body("say at least one of name, description and access"));
        }
        Ok(Value::from(settings).to_string().into())
    }
}

/// Who is to be added, and what `add_member` is to be told.
pub(super) fn member(body: &Bytes) -> Result<(UserId, Payload), Fault> {
    let member: Member = object(body)?;
    let id = required(member.user_id.as_deref())?;
    let mut told = json!({ "user_id": id.as_str() });
    if let Some(name) = member.username {
        told["name"] = name.into();
    }
    if let Some(role) = member.role {
        told["role"] = role.into();
    }
    Ok((id, told.to_string().into()))
}

/// Who is to be removed: in the body, or in the query where a client sends no body with DELETE. Two who differ are nobody: the
/// wrong one would be gone.
pub(super) fn removed(query: Option<&str>, body: &Bytes) -> Result<UserId, Fault> {
    let Some(id) = query else { return Ok(member(body)?.0) };
    check_user(id).map_err(|error| Fault::field("userId", format!("userId {error}")))?;
    let of_body = if body.is_empty() { None } else { object::<Member>(body)?.user_id };
    let of_body = of_body.map(|raw| user("user_id", &raw)).transpose()?;
    match of_body {
        Some(other) if other.as_str() != id => {
            let says = format!("userId is {id:?} and the body's user_id {:?}: name one user", other.as_str());
            Err(Fault::field("userId", says))
        }
        _ => Ok(UserId::new(id)),
    }
}

pub(super) fn of_member(id: &UserId) -> Payload {
    json!({ "user_id": id.as_str() }).to_string().into()
}
