//! Channels and who is in them. A channel is a room, by its name; a member here is a durable one, whether connected or not.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use vocabulary::{Payload, RoomId, User};

use super::bodies::{self, Channel, Wanted};
use super::{BODY_BYTES_MAX, Hub, Shared, refusals};
use crate::answers::Fault;
use crate::asked::{self, Asked, Id};

/// Numbers that are drawn before we believe that something else is wrong: two of 2^53 are hardly ever alike.
const DRAWS_MAX: usize = 4;

type Body = Result<Bytes, BytesRejection>;
type Answer = Result<Response, Fault>;

fn read(body: Body) -> Result<Bytes, Fault> {
    body.map_err(|error| Fault::unread(&error, BODY_BYTES_MAX))
}

/// What a room says of itself to the one who asks.
#[derive(Deserialize)]
struct About {
    title: String,
    topic: String,
    access: String,
    slow_mode_seconds: u32,
    role: String,
    created: bool,
    messages: u64,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
    count: u64,
}

#[derive(Deserialize)]
struct Member {
    user_id: String,
    name: String,
    role: String,
}

#[derive(Deserialize)]
struct Listed {
    channels: Vec<OfInbox>,
    count: u64,
}

#[derive(Deserialize)]
struct OfInbox {
    room_id: String,
    title: String,
    role: String,
    access: String,
    #[serde(default)]
    read_upto: Option<Value>,
}

impl Hub {
    fn channels_of(&self, headers: &HeaderMap) -> Result<Arc<User>, Fault> {
        let user = self.user(headers)?;
        self.of_channels.take(&user.person.id)?;
        Ok(user)
    }

    async fn existing(&self, user: &Arc<User>, room: &RoomId) -> Result<About, Fault> {
        let about: About = self.ask(user, room, "get_room").await?;
        // Whoever joins a room by its name makes it, so what nobody created may have been spoken in.
        if about.deleted || !(about.created || about.messages > 0 || room.direct_pair().is_some()) {
            return Err(refusals::no_channel());
        }
        Ok(about)
    }

    /// The channel, as the one who asks sees it.
    async fn told(&self, user: &Arc<User>, room: &RoomId) -> Result<Value, Fault> {
        let about = self.existing(user, room).await?;
        let Members { members, count } = self.ask(user, room, "get_members").await?;
        let name = match other_of(room, user) {
            Some(other) => members.iter().find(|it| it.user_id == other).map_or(other, |it| it.name.clone()),
            None => about.title,
        };
        let members: Vec<Value> = members
            .iter()
            .map(|it| json!({ "user_id": it.user_id, "username": it.name, "role": it.role }))
            .collect();
        Ok(json!({
            "id": room.name(),
            "name": name,
            "type": kind(room),
            "description": about.topic,
            "access": about.access,
            "slow_mode_seconds": about.slow_mode_seconds,
            "role": about.role,
            "messages": about.messages,
            "members": members,
            "count": count,
        }))
    }
}

fn kind(room: &RoomId) -> &'static str {
    if room.direct_pair().is_some() { "direct" } else { "group" }
}

/// The other one of a room of two, which is called after them.
fn other_of(room: &RoomId, user: &User) -> Option<String> {
    let (one, other) = room.direct_pair()?;
    let other = if one == user.person.id { other } else { one };
    Some(other.as_str().to_owned())
}

pub(super) async fn list(State(hub): Shared, headers: HeaderMap) -> Answer {
    let user = hub.channels_of(&headers)?;
    let Listed { channels, count } = hub.ask(&user, &hub.inbox(&user)?, "get_channels").await?;
    let item = |channel: OfInbox| {
        let room = RoomId::from_full(&channel.room_id)?;
        let name = other_of(&room, &user).unwrap_or(channel.title);
        let mut item = json!({
            "id": room.name(), "name": name, "type": kind(&room), "role": channel.role, "access": channel.access,
        });
        if let Some(upto) = channel.read_upto {
            item["read_upto"] = upto;
        }
        Some(item)
    };
    let items: Vec<Value> = channels.into_iter().filter_map(item).collect();
    Ok(Json(json!({ "items": items, "total": count })).into_response())
}

pub(super) async fn create(State(hub): Shared, headers: HeaderMap, body: Body) -> Answer {
    let user = hub.channels_of(&headers)?;
    let room = match Channel::read(&read(body)?)?.wanted()? {
        Wanted::Direct(other) if other == user.person.id => {
            return Err(Fault::field("user_id", "a direct channel is with somebody else"));
        }
        Wanted::Direct(other) => {
            let room = RoomId::direct(&hub.app, &user.person.id, &other);
            hub.room(room.name(), &user)?
        }
        Wanted::Group(settings) => hub.create(&user, settings).await?,
    };
    Ok((StatusCode::CREATED, Json(hub.told(&user, &room).await?)).into_response())
}

impl Hub {
    /// Under a number that no channel has, and that every client can hold.
    async fn create(&self, user: &Arc<User>, settings: Payload) -> Result<RoomId, Fault> {
        for _ in 0..DRAWS_MAX {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(|_| Fault::unexpected())?;
            let room = self.room(&(u64::from_le_bytes(bytes) >> 11).to_string(), user)?;
            match self.say(user, &room, "create_room", settings.clone()).await {
                Err(fault) if fault.is_conflict() => {}
                told => return told.map(|_| room),
            }
        }
        Err(Fault::unexpected())
    }
}

pub(super) async fn about(State(hub): Shared, id: Id, headers: HeaderMap) -> Answer {
    let user = hub.channels_of(&headers)?;
    let room = hub.room(&asked::id(id)?, &user)?;
    Ok(Json(hub.told(&user, &room).await?).into_response())
}

pub(super) async fn change(State(hub): Shared, id: Id, headers: HeaderMap, body: Body) -> Answer {
    let user = hub.channels_of(&headers)?;
    let room = hub.room(&asked::id(id)?, &user)?;
    let changes = Channel::read(&read(body)?)?.changes()?;
    hub.say(&user, &room, "change_room", changes).await?;
    Ok(Json(hub.told(&user, &room).await?).into_response())
}

pub(super) async fn delete(State(hub): Shared, id: Id, headers: HeaderMap) -> Answer {
    let user = hub.channels_of(&headers)?;
    let room = hub.room(&asked::id(id)?, &user)?;
    hub.say(&user, &room, "delete_room", Payload::from_static(b"{}")).await?;
    Ok(Json(json!({ "id": room.name(), "status": "deleted" })).into_response())
}

fn of_member(room: &RoomId, user: &str, status: &str) -> Response {
    Json(json!({ "channel_id": room.name(), "user_id": user, "status": status })).into_response()
}

pub(super) async fn add(State(hub): Shared, id: Id, headers: HeaderMap, body: Body) -> Answer {
    let user = hub.channels_of(&headers)?;
    let room = hub.room(&asked::id(id)?, &user)?;
    let (added, payload) = bodies::member(&read(body)?)?;
    // A room takes members before anybody created it, and a list would have a channel that is not there.
    hub.existing(&user, &room).await?;
    hub.say(&user, &room, "add_member", payload).await?;
    Ok(of_member(&room, added.as_str(), "added"))
}

pub(super) async fn leave(State(hub): Shared, id: Id, headers: HeaderMap) -> Answer {
    let user = hub.channels_of(&headers)?;
    let room = hub.room(&asked::id(id)?, &user)?;
    let who = &user.person.id;
    hub.say(&user, &room, "remove_member", bodies::of_member(who)).await?;
    Ok(of_member(&room, who.as_str(), "left"))
}

pub(super) async fn remove(
    State(hub): Shared,
    id: Id,
    headers: HeaderMap,
    query: Asked,
    body: Body,
) -> Answer {
    let user = hub.channels_of(&headers)?;
    let room = hub.room(&asked::id(id)?, &user)?;
    let query = asked::pairs(query)?;
    let removed = bodies::removed(asked::one(&query, "userId")?, &read(body)?)?;
    hub.say(&user, &room, "remove_member", bodies::of_member(&removed)).await?;
    Ok(of_member(&room, removed.as_str(), "removed"))
}
