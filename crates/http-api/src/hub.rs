//! The HTTP calls of hub clients, `/api/v1`: channels, their members, and the past. Each is asked of a room as the user whom the
//! token proves; what a user may, the room's app decides. It keeps nothing but how often each user asked of late.

mod bodies;
mod channels;
mod messages;
mod pages;
mod refusals;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use node::{Desk, Prover};
use vocabulary::{Asks, By, Payload, RoomId, User, UserId, Wish, check_name, is_built_in};

use crate::answers::Fault;
use crate::door::{Door, Unsaid, share};
use crate::places::{BODY_BYTES_MAX, Places, find_place};
use crate::rates::Rates;
use refusals::{of_refusal, unexpected};

const ROOT: &str = "/api/v1";

/// Whether the router answers at this path, where no WebSocket can be.
pub fn has(path: &str) -> bool {
    let ours = ["/channels", "/messages", "/auth", "/users", "/ws/schemas", "/ws/message-types"];
    let rest = path.strip_prefix(ROOT).unwrap_or_default();
    ours.iter().any(|our| rest.strip_prefix(our).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

pub(crate) struct Hub {
    door: Arc<Door>,
    /// The app that channels belong to.
    app: String,
    of_channels: Rates<UserId>,
    of_messages: Rates<UserId>,
}

type Shared = State<Arc<Hub>>;

pub fn router(desk: Desk, prover: Prover, mounts: Vec<String>, app: String, asks: Asks) -> Router {
    let (of_channels, of_messages) = (Rates::a_minute(100), Rates::a_minute(200));
    let (places, refuses) = (Places::default(), Fault::into_response);
    let door = Arc::new(Door { desk, prover, mounts, asks, places, refuses });
    let hub = Arc::new(Hub { door: door.clone(), app, of_channels, of_messages });
    let all = get(channels::list).post(channels::create);
    let one = get(channels::about).put(channels::change).delete(channels::delete);
    let user = post(channels::add).put(channels::leave).delete(channels::remove);
    let elsewhere = || any(async || refusals::accounts_are_elsewhere());
    let router = Router::new()
        .route("/channels", all.clone())
        .route("/channels/", all)
        .route("/channels/{id}", one)
        .route("/channels/{id}/user", user)
        .route("/messages/channel/{id}", get(messages::page))
        .route("/auth/{*rest}", elsewhere())
        .route("/users/{*rest}", elsewhere())
        .merge(pages::router())
        .method_not_allowed_fallback(async |method: Method| Fault::method(&method))
        .with_state(hub);
    // Outermost, so that a refusal can be read by the page that it is for.
    let router = router.layer(middleware::from_fn_with_state(door.clone(), find_place));
    let router = router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Router::new().nest(ROOT, router.layer(middleware::from_fn_with_state(door, share)))
}

impl Hub {
    fn user(&self, headers: &HeaderMap) -> Result<Arc<User>, Fault> {
        self.door.user(headers)
    }

    /// A channel by its id, which is a room's name; short, or with the app in front.
    fn room(&self, id: &str, user: &User) -> Result<RoomId, Fault> {
        let name = id.strip_prefix(self.app.as_str()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(id);
        if name.split_once(':').is_some_and(|(app, _)| is_built_in(app)) {
            return Err(refusals::no_channel());
        }
        check_name(name).map_err(|error| Fault::field("id", format!("the channel's id {error}")))?;
        let room = RoomId::new(&self.app, name);
        self.check(&room, user, "your token does not allow this channel")?;
        Ok(room)
    }

    /// The inbox, which knows what the user is a member of.
    fn inbox(&self, user: &User) -> Result<RoomId, Fault> {
        let inbox = user.person.id.inbox();
        self.check(
            &inbox,
            user,
            "your token does not allow your inbox, which has the list of your channels",
        )?;
        Ok(inbox)
    }

    fn check(&self, room: &RoomId, user: &User, says: &'static str) -> Result<(), Fault> {
        self.door.check(room, user, says)
    }

    /// One word said to a room; what it replied, if it did.
    async fn say(
        &self,
        user: &Arc<User>,
        room: &RoomId,
        kind: &'static str,
        payload: Payload,
    ) -> Result<Option<Payload>, Fault> {
        let wish = Wish::Publish { kind: kind.into(), payload, id: None };
        match self.door.say(By::User(user.clone()), room, wish).await {
            Ok(said) => Ok(said.reply),
            Err(Unsaid::Refused(refusal)) => Err(of_refusal(&refusal)),
            Err(Unsaid::Other(fault)) => Err(fault),
        }
    }

    /// The same of a word whose whole point is the reply.
    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        user: &Arc<User>,
        room: &RoomId,
        kind: &'static str,
    ) -> Result<T, Fault> {
        let told = self.say(user, room, kind, Payload::from_static(b"{}")).await?;
        told.and_then(|told| serde_json::from_slice(&told).ok()).ok_or_else(unexpected)
    }
}
