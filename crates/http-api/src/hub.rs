//! The HTTP calls of hub clients, `/api/v1`: channels, their members, and the past. Each is asked of a room as the user whom the
//! token proves; what a user may, the room's app decides. It keeps nothing but how often each user asked of late.

mod asked;
mod bodies;
mod channels;
mod messages;
mod pages;
mod rates;
mod refusals;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use node::{Desk, Prover, Uncalled, Unproven};
use tokio::sync::Semaphore;
use vocabulary::{Asks, By, Payload, Reply, RoomId, Told, User, Wish, check_name, is_built_in};

use crate::answers::Fault;
use rates::Rates;
use refusals::{of_refusal, unexpected};

const ROOT: &str = "/api/v1";
/// Titles, topics and some hundred ids.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Of the HTTP connections that a node has, half: probes and pages find a place beside them while rooms are slow.
const AT_ONCE_MAX: usize = 512;
/// A browser need not ask again for so long, in seconds.
const PREFLIGHT_AGE: &str = "600";

/// Whether the router answers at this path, where no WebSocket can be.
pub fn has(path: &str) -> bool {
    let ours = ["/channels", "/messages", "/auth", "/users", "/ws/schemas", "/ws/message-types"];
    let rest = path.strip_prefix(ROOT).unwrap_or_default();
    ours.iter().any(|our| rest.strip_prefix(our).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

pub(crate) struct Hub {
    desk: Desk,
    prover: Prover,
    /// Paths of the mounts whose clients these are: pages of the same origins may call.
    mounts: Vec<String>,
    /// The app that channels belong to.
    app: String,
    /// What the team's back end is asked about: sockets ask it, and no call does, so a call is refused.
    asks: Asks,
    of_channels: Rates,
    of_messages: Rates,
}

type Shared = State<Arc<Hub>>;

pub fn router(desk: Desk, prover: Prover, mounts: Vec<String>, app: String, asks: Asks) -> Router {
    let (of_channels, of_messages) = (Rates::a_minute(100), Rates::a_minute(200));
    let hub = Arc::new(Hub { desk, prover, mounts, app, asks, of_channels, of_messages });
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
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(hub.clone());
    let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
    // Outermost, so that a refusal can be read by the page that it is for.
    let router = router.layer(middleware::from_fn_with_state(places, crate::find_place));
    Router::new().nest(ROOT, router.layer(middleware::from_fn_with_state(hub, share)))
}

/// Pages of those origins that may open the socket may call, and read the answer.
async fn share(State(hub): Shared, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(ORIGIN).cloned() else { return next.run(request).await };
    if !hub.allows(&origin, request.headers()) {
        return Fault::forbidden("origin not allowed").into_response();
    }
    let mut response = match *request.method() {
        Method::OPTIONS => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    headers.append(VARY, HeaderValue::from_static("origin"));
    response
}

fn preflight() -> Response {
    let fields = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE),
    ];
    (StatusCode::NO_CONTENT, fields).into_response()
}

impl Hub {
    fn allows(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let Ok(origin) = origin.to_str() else { return false };
        let of_mounts = self.mounts.iter().filter_map(|path| self.prover.origins(path));
        of_mounts.into_iter().any(|origins| origins.allow(Some(origin), host))
    }

    /// Who asks. A token in the URL would be in the logs of proxies, so it stands in a header.
    fn user(&self, headers: &HeaderMap) -> Result<Arc<User>, Fault> {
        let said = headers.get(AUTHORIZATION).and_then(|said| said.to_str().ok()).unwrap_or_default();
        let bearer = said.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = bearer.map(|(_, token)| token.trim()).ok_or_else(Fault::unproven)?;
        match self.prover.prove(token) {
            Ok(_) if self.asks.connect => Err(refusals::asked_elsewhere()),
            Ok(who) => Ok(who.user),
            Err(Unproven::No) => Err(Fault::unproven()),
            // Its key is on its way.
            Err(Unproven::NotYet) => Err(Fault::from(Uncalled::Busy)),
        }
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

    /// No call leads into a room that a socket would be kept out of.
    fn check(&self, room: &RoomId, user: &User, says: &'static str) -> Result<(), Fault> {
        if (self.asks.join || self.asks.publish) && self.asks.about(room) {
            return Err(refusals::asked_elsewhere());
        }
        if user.may_enter(room) { Ok(()) } else { Err(Fault::forbidden(says)) }
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
        match self.desk.call_by(By::User(user.clone()), room.clone(), wish).await? {
            Told::Stored { reply, .. } | Told::Reply { reply: Reply::Done(reply), .. } => Ok(reply),
            Told::Reply { reply: Reply::Refused(refusal), .. } => Err(of_refusal(&refusal)),
            Told::Reply { .. } => Err(unexpected()),
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
