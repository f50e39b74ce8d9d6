//! Users who ask by HTTP: who they are by their tokens, pages of which origins may ask, and words said to rooms as those users. What a
//! user may, the room's app decides; how a refusal reads, the protocol.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use node::{Authenticated, Desk, Origins, Prover, Uncalled, Unproven};
use vocabulary::{Asks, By, Payload, Refusal, Reply, RoomId, Told, User, Wish};

use crate::answers::Fault;
use crate::places::Places;

/// A browser need not ask again for so long, in seconds.
const PREFLIGHT_AGE: &str = "600";

pub(crate) struct Door {
    pub desk: Desk,
    pub prover: Prover,
    /// Paths of the mounts whose clients these are: pages of the same origins may call.
    pub mounts: Vec<String>,
    /// What the team's back end is asked about: sockets ask it, and no call does, so a call is refused.
    pub asks: Asks,
    pub places: Places,
    /// How a refusal is written that comes before what is asked is looked at.
    pub refuses: fn(Fault) -> Response,
}

/// Why a word was not said, or not answered as words are.
pub(crate) enum Unsaid {
    Refused(Refusal),
    Other(Fault),
}

impl From<Uncalled> for Unsaid {
    fn from(why: Uncalled) -> Unsaid {
        Unsaid::Other(why.into())
    }
}

/// Whom a back end would be asked about is not let in without that.
pub(crate) fn asked_elsewhere() -> Fault {
    Fault::forbidden("`authorizer` is asked about this, and only sockets ask it: use the socket")
}

/// Pages of those origins that may open the socket may call, and read the answer.
pub(crate) async fn share(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(ORIGIN).cloned() else { return next.run(request).await };
    if !door.allows(&origin, request.headers()) {
        return (door.refuses)(Fault::forbidden("origin not allowed"));
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
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, idempotency-key"),
        (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE),
    ];
    (StatusCode::NO_CONTENT, fields).into_response()
}

impl Door {
    fn allows(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let Ok(origin) = origin.to_str() else { return false };
        // Pages of ours call their own host, whomever a mount lists besides.
        let ours = Origins::Own { loopback: false };
        let of_mounts = self.mounts.iter().filter_map(|path| self.prover.origins(path));
        of_mounts.chain([ours]).any(|origins| origins.allow(Some(origin), host))
    }

    /// Who asks. A token in the URL would be in the logs of proxies, so it stands in a header.
    pub(crate) fn user(&self, headers: &HeaderMap) -> Result<Arc<User>, Fault> {
        self.known_if_said(headers)?.map(|known| known.user).ok_or_else(Fault::unproven)
    }

    /// The same, where one may also ask without saying who one is. A token that proves nobody is no way to do that.
    pub(crate) fn known_if_said(&self, headers: &HeaderMap) -> Result<Option<Authenticated>, Fault> {
        let Some(said) = headers.get(AUTHORIZATION) else { return Ok(None) };
        let said = said.to_str().unwrap_or_default();
        let bearer = said.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = bearer.map(|(_, token)| token.trim()).ok_or_else(Fault::unproven)?;
        match self.prover.prove(token) {
            Ok(_) if self.asks.connect => Err(asked_elsewhere()),
            Ok(who) => Ok(Some(who)),
            Err(Unproven::No) => Err(Fault::unproven()),
            // Its key is on its way.
            Err(Unproven::NotYet) => Err(Fault::from(Uncalled::Busy)),
        }
    }

    /// No call leads into a room that a socket would be kept out of.
    pub(crate) fn check(&self, room: &RoomId, user: &User, says: &'static str) -> Result<(), Fault> {
        if (self.asks.join || self.asks.publish) && self.asks.about(room) {
            return Err(asked_elsewhere());
        }
        if user.may_enter(room) { Ok(()) } else { Err(Fault::forbidden(says)) }
    }

    /// One word said to a room; what it replied, if it did.
    pub(crate) async fn say(&self, by: By, room: &RoomId, wish: Wish) -> Result<Said, Unsaid> {
        say(&self.desk, by, room, wish).await
    }
}

pub(crate) async fn say(desk: &Desk, by: By, room: &RoomId, wish: Wish) -> Result<Said, Unsaid> {
    match desk.call_by(by, room.clone(), wish).await? {
        Told::Stored { reply, position, at } => Ok(Said { reply, stored: Some((position, at)) }),
        Told::Reply { reply: Reply::Done(reply), .. } => Ok(Said { reply, stored: None }),
        Told::Reply { reply: Reply::Refused(refusal), .. } => Err(Unsaid::Refused(refusal)),
        Told::Reply { .. } => Err(Unsaid::Other(Fault::unexpected())),
    }
}

/// What came of a word.
pub(crate) struct Said {
    pub reply: Option<Payload>,
    pub stored: Option<(vocabulary::Position, vocabulary::Wall)>,
}
