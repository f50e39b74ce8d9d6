//! The HTTP calls of live scoring, `/api/matches`: how a match stands, its sheet, and whatever a scorer may say of it. Each is a word said to a
//! match's room, as the user whom the token proves or, to look, as a guest; what somebody may, the scores app decides. Streams of events
//! are not here: a shard keeps them.

mod acts;
mod looks;
mod sheet;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::{Json, Router, middleware};
use node::{Desk, Network, Prover, neighbours};
use serde_json::{Value, json};
use vocabulary::{
    Asks, By, Code, HistoryFrom, Payload, Person, Position, Refusal, Reply, RoomId, Told, User, UserId, Wish,
    check_name,
};

use crate::answers::Fault;
use crate::asked::{self, Id};
use crate::door::{Door, Said, Unsaid, asked_elsewhere, share};
use crate::places::{BODY_BYTES_MAX, Places, find_place};
use crate::rates::Rates;

const APP: &str = "scores";
/// The room of that name is the list of matches.
const LIST: &str = "list";
/// What a path means by itself, and the list.
const TAKEN: [&str; 3] = [LIST, ".", ".."];
/// Of one address whose people have no token, as many as some users have: a crowd behind one address reads streams.
const GUESTS_FACTOR: u32 = 5;
const GUEST: &str = "guest";

const ROOTS: [&str; 2] = ["/api/matches", "/api/match"];

/// Whether the router answers at this path. Streams of events are asked for beside it.
pub fn has(path: &str) -> bool {
    let below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    ROOTS.into_iter().any(below) && !path.ends_with("/events")
}

pub struct Config {
    pub desk: Desk,
    pub prover: Prover,
    /// Paths of the mounts whose clients these are.
    pub mounts: Vec<String>,
    pub asks: Asks,
    /// Whether one may look without a token, as viewers by one of the mounts may.
    pub guests: bool,
    /// Addresses whose guests are not counted, as those of sockets are not: this machine.
    pub exempt: Vec<Network>,
    /// Calls of one user a second, and at once: as many as messages by socket.
    pub calls: (u32, u32),
}

pub(crate) struct Matches {
    door: Arc<Door>,
    guest: Option<Arc<User>>,
    exempt: Vec<Network>,
    of_users: Rates<UserId>,
    of_guests: Rates<IpAddr>,
}

type Shared = State<Arc<Matches>>;
type Answer = Result<Response, Fault>;

pub fn router(config: Config) -> Router {
    let Config { desk, prover, mounts, asks, guests, exempt, calls } = config;
    let (a_second, burst) = calls;
    let of_guests = |many: u32| many.saturating_mul(GUESTS_FACTOR);
    let (places, refuses) = (Places::default(), Fault::into_response);
    let door = Arc::new(Door { desk, prover, mounts, asks, places, refuses });
    let person = Person { id: UserId::new(GUEST), name: GUEST.into() };
    let guest = User { person, role: Some(GUEST.into()), rooms: None, groups: None };
    let matches = Arc::new(Matches {
        door: door.clone(),
        guest: guests.then(|| Arc::new(guest)),
        exempt,
        of_users: Rates::a_second(a_second, burst),
        of_guests: Rates::a_second(of_guests(a_second), of_guests(burst)),
    });
    let router = Router::new()
        .route("/matches", get(looks::list).post(acts::create))
        .route("/match/{id}", get(looks::state))
        .route("/matches/{id}", get(looks::state))
        .route("/matches/{id}/events", get(looks::events))
        .route("/matches/{id}/sheet", get(sheet::as_asked))
        .route("/matches/{id}/sheet.html", get(sheet::page))
        .route("/matches/{id}/audit", get(looks::audit))
        .route("/matches/{id}/squads/{team}", put(acts::squad))
        .route("/matches/{id}/line-ups/{team}", put(acts::line_up))
        .route("/matches/{id}/roles", put(acts::roles))
        .route("/matches/{id}/actions", post(acts::act))
        .route("/matches/{id}/end", post(acts::end))
        .method_not_allowed_fallback(async |method: Method| Fault::method(&method))
        .with_state(matches);
    let nowhere =
        || any(async || Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such call of matches"));
    let router = router.route("/matches/{id}/{*rest}", nowhere()).route("/matches/", nowhere());
    let router = router.layer(middleware::from_fn_with_state(door.clone(), find_place));
    let router = router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Router::new().nest("/api", router.layer(middleware::from_fn_with_state(door, share)))
}

impl Matches {
    /// Whoever looks: by a token, or as a guest like any other.
    fn viewer(&self, headers: &HeaderMap, address: IpAddr) -> Result<Arc<User>, Fault> {
        match self.known(headers)? {
            Some(user) => Ok(user),
            None if self.door.asks.connect => Err(asked_elsewhere()),
            None => {
                let guest = self.guest.clone().ok_or_else(Fault::unproven)?;
                if !self.exempt.iter().any(|network| network.has(address)) {
                    self.of_guests.take(&neighbours(address))?;
                }
                Ok(guest)
            }
        }
    }

    /// More than the one question that whoever looks was let in for.
    fn owes(&self, user: &Arc<User>, address: IpAddr, many: u32) {
        match &self.guest {
            Some(guest) if Arc::ptr_eq(guest, user) => self.of_guests.owe(&neighbours(address), many),
            _ => self.of_users.owe(&user.person.id, many),
        }
    }

    fn user(&self, headers: &HeaderMap) -> Result<Arc<User>, Fault> {
        self.known(headers)?.ok_or_else(Fault::unproven)
    }

    fn known(&self, headers: &HeaderMap) -> Result<Option<Arc<User>>, Fault> {
        let known = self.door.known_if_said(headers)?.map(|known| known.user);
        if let Some(user) = &known {
            self.of_users.take(&user.person.id)?;
        }
        Ok(known)
    }

    fn room(&self, id: Id, user: &User) -> Result<RoomId, Fault> {
        self.room_of(&asked::id(id)?, user)
    }

    fn room_of(&self, name: &str, user: &User) -> Result<RoomId, Fault> {
        if check_name(name).is_err() || TAKEN.contains(&name) {
            let says =
                "matchId must name a match, by 1 to 128 of A-Z a-z 0-9 _ . : -, and not be list, . or ..";
            return Err(Fault::field("matchId", says));
        }
        self.allowed(RoomId::new(APP, name), user)
    }

    fn list(&self, user: &User) -> Result<RoomId, Fault> {
        self.allowed(RoomId::new(APP, LIST), user)
    }

    fn allowed(&self, room: RoomId, user: &User) -> Result<RoomId, Fault> {
        self.door.check(&room, user, "your token does not allow this match")?;
        Ok(room)
    }

    async fn say(
        &self,
        user: &Arc<User>,
        room: &RoomId,
        kind: String,
        payload: Payload,
    ) -> Result<Said, Fault> {
        let wish = Wish::Publish { kind: kind.into(), payload, id: None };
        self.door.say(By::User(user.clone()), room, wish).await.map_err(|why| match why {
            Unsaid::Refused(refusal) => of_refusal(&refusal),
            Unsaid::Other(fault) => fault,
        })
    }

    /// A word whose whole point is the reply, as the room wrote it.
    async fn ask(
        &self,
        user: &Arc<User>,
        room: &RoomId,
        kind: &str,
        payload: &Value,
    ) -> Result<Payload, Fault> {
        let said = self.say(user, room, kind.to_owned(), payload.to_string().into()).await?;
        said.reply.ok_or_else(Fault::unexpected)
    }

    /// Where the room's log ends, for somebody who may be there.
    async fn head(&self, user: &Arc<User>, room: &RoomId) -> Result<Position, Fault> {
        // What follows a place that never was is nothing; where that was looked up is told.
        let wish = Wish::History { limit: 1, from: HistoryFrom::After(Position::default()) };
        match self.door.desk.call_by(By::User(user.clone()), room.clone(), wish).await? {
            Told::Reply { reply: Reply::History { upto, .. }, .. } => Ok(upto),
            Told::Reply { reply: Reply::Refused(refusal), .. } => Err(of_refusal(&refusal)),
            _ => Err(Fault::unexpected()),
        }
    }
}

fn of_refusal(refusal: &Refusal) -> Fault {
    let mut fault = Fault::from(refusal);
    if let Some(field) = field_of(refusal) {
        fault = fault.about(field);
    }
    match refusal.code {
        Code::App("NOT_INITIALIZED" | "NOT_FOUND") => fault.with_status(StatusCode::NOT_FOUND),
        Code::App("RULE") => fault.with_status(StatusCode::UNPROCESSABLE_ENTITY),
        _ => fault,
    }
}

/// Apps say it first: `team must be A or B, got x`.
fn field_of(refusal: &Refusal) -> Option<&str> {
    let (first, rest) = refusal.text.split_once(' ').filter(|_| refusal.code == Code::InvalidPayload)?;
    let is_name = first.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    (is_name && ["must be ", "is required", "must name "].iter().any(|says| rest.starts_with(says)))
        .then_some(first)
}

fn read(reply: &Payload) -> Result<Value, Fault> {
    serde_json::from_slice(reply).map_err(|_| Fault::unexpected())
}

/// The room said that it may not be so: how it is stands beside that.
fn conflict(error: &str, mut with: Value) -> Response {
    with["error"] = error.into();
    with["code"] = "CONFLICT".into();
    (StatusCode::CONFLICT, Json(with)).into_response()
}

fn unnamed() -> Value {
    json!({})
}
