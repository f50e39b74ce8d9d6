//! The HTTP calls of livechat clients, `/api`: what visitors and the staff ask of sessions and departments, in the envelope of the
//! service that such clients were written for. Each is a word said to a room, as the user whom the token proves; what a user
//! may, the support app decides. Accounts, e-mail and dashboards are elsewhere.

mod bodies;
mod guests;
mod staff;
mod transcript;
mod visitors;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router, middleware};
use node::{Authenticated, Desk, Network, Prover, neighbours};
use serde_json::{Value, json};
use vocabulary::{Asks, By, CUSTOMER, Code, Payload, Person, Refusal, RoomId, User, UserId, Wall, Wish};

use crate::answers::Fault;
use crate::door::{Door, Said, Unsaid, share};
use crate::places::{BODY_BYTES_MAX, Places, find_place};
use crate::rates::Rates;

const ROOT: &str = "/api";
/// Of one address: an office whose customers all have a question at once.
const STARTS_A_MINUTE: u32 = 60;
/// A desk looks at its board, its sessions and who is there, all at once and again and again.
const STAFF_FACTOR: u32 = 5;
const APP: &str = "support";

const OURS: [&str; 5] = ["/chat", "/public/chat", "/chat-management", "/agent-status", SESSION];
const SESSION: &str = "/session";
const SESSION_ID: &str = "/session/{id}";
/// What the service had beside its chat.
const ELSEWHERE: [&str; 3] = ["/auth", "/email", "/analytics"];

/// Whether the router answers at this path, where no WebSocket can be.
pub fn has(path: &str) -> bool {
    let rest = path.strip_prefix(ROOT).unwrap_or_default();
    OURS.iter()
        .chain(&ELSEWHERE)
        .copied()
        .any(|our| rest.strip_prefix(our).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// A token for somebody who has none.
pub type Mint = Box<dyn Fn(Visitor) -> Result<String, String> + Send + Sync>;

/// What it says.
pub struct Visitor {
    pub person: Person,
    /// The rooms that it is good for.
    pub rooms: Vec<String>,
    /// The token's own.
    pub id: String,
    pub ends_by: Wall,
}

pub struct Config {
    pub desk: Desk,
    pub prover: Prover,
    /// Paths of the mounts whose clients these are.
    pub mounts: Vec<String>,
    pub asks: Asks,
    /// The departments there are; the first takes those who name none.
    pub departments: Vec<String>,
    /// None: only others sign the tokens of this server, so that nobody begins without one.
    pub mint: Option<Mint>,
    /// Addresses whose visitors are not counted, as those of sockets are not: this machine.
    pub exempt: Vec<Network>,
    /// Calls of one customer a second, and at once: as many as messages by socket. The staff's are some times as many.
    pub calls: (u32, u32),
}

pub(crate) struct Livechat {
    door: Arc<Door>,
    departments: Vec<String>,
    mint: Option<Mint>,
    exempt: Vec<Network>,
    /// Each begins a room that is kept.
    of_starts: Rates<IpAddr>,
    of_customers: Rates<UserId>,
    of_staff: Rates<UserId>,
}

type Shared = State<Arc<Livechat>>;

pub fn router(config: Config) -> Router {
    let Config { desk, prover, mounts, asks, departments, mint, exempt, calls } = config;
    let (a_second, burst) = calls;
    let of_staff = |many: u32| many.saturating_mul(STAFF_FACTOR);
    let (places, refuses) = (Places::default(), Fault::in_envelope);
    let door = Arc::new(Door { desk, prover, mounts, asks, places, refuses });
    let livechat = Arc::new(Livechat {
        door: door.clone(),
        departments,
        mint,
        exempt,
        of_starts: Rates::a_minute(STARTS_A_MINUTE),
        of_customers: Rates::a_second(a_second, burst),
        of_staff: Rates::a_second(of_staff(a_second), of_staff(burst)),
    });
    let router = Router::new()
        .route("/chat/start", post(visitors::start))
        .route("/chat/contact", post(visitors::contact))
        .route("/chat/link-user", post(visitors::link))
        .route("/chat/history", get(visitors::history))
        .route("/chat/session/{id}", get(visitors::session))
        .route("/chat/session/{id}/transcript", get(transcript::of_session))
        .route("/chat/request-escalation", post(visitors::escalate))
        .route("/chat/close", post(visitors::close))
        .route("/chat/rate", post(visitors::rate))
        .route("/chat/reopen", post(visitors::reopen))
        .route("/public/chat/message", post(visitors::message))
        .route("/public/chat/upload", post(visitors::upload))
        .route("/public/chat/session/{id}/messages", get(visitors::messages))
        .route("/chat-management/agent/message", post(staff::message))
        .route("/chat-management/agent/assign", post(staff::assign))
        .route("/chat-management/agent/transfer", post(staff::transfer))
        .route("/chat-management/agent/close", post(staff::close))
        .route("/chat-management/agent/sessions", get(staff::own_sessions))
        .route("/chat-management/agent/sessions/{id}", get(visitors::session))
        .route("/chat-management/admin/waiting", get(staff::waiting))
        .route("/chat-management/admin/active", get(staff::active))
        .route("/chat-management/admin/sessions", get(staff::all_sessions))
        .route("/chat-management/admin/assign", post(staff::assign))
        .route("/chat-management/admin/close", post(staff::close))
        .route("/agent-status/heartbeat", post(staff::heartbeat))
        .route("/agent-status/offline", post(staff::offline))
        .route("/agent-status/online", get(staff::online))
        .route("/agent-status/department/{id}", get(staff::of_department))
        .route("/agent-status/agent/{id}", get(staff::of_agent))
        .route("/agent-status/stats", get(staff::figures))
        .route("/session/{id}/connection-status", get(visitors::connected))
        .method_not_allowed_fallback(async |method: Method| Failed::from(Fault::method(&method)))
        .with_state(livechat);
    // A session's id may stand where any rest would.
    let ours = OURS.iter().filter(|root| **root != SESSION).copied().chain([SESSION_ID]);
    let router = below(router, ours, no_such_call);
    let router = at(router, [SESSION, "/session/"].map(str::to_owned), no_such_call);
    let router = below(router, ELSEWHERE.into_iter(), accounts_are_elsewhere);
    let router = router.layer(middleware::from_fn_with_state(door.clone(), find_place));
    let router = router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Router::new().nest(ROOT, router.layer(middleware::from_fn_with_state(door, share)))
}

/// Whatever else is asked there is answered in the envelope, too, and pages of our origins may read it.
fn below<'a>(router: Router, roots: impl Iterator<Item = &'a str>, says: fn() -> Fault) -> Router {
    let rest = |root: &str| [root.to_owned(), format!("{root}/"), format!("{root}/{{*rest}}")];
    at(router, roots.flat_map(rest), says)
}

fn at(router: Router, paths: impl IntoIterator<Item = String>, says: fn() -> Fault) -> Router {
    let refuse = || any(async move || Failed::from(says()));
    paths.into_iter().fold(router, |router, path| router.route(&path, refuse()))
}

fn no_such_call() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such call; paths end without a slash")
}

fn accounts_are_elsewhere() -> Fault {
    let says = "no accounts, mails and dashboards are kept here: tokens come from your own login, or from `kulkul token`";
    Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", says)
}

/// What went well, in the envelope.
fn done(status: StatusCode, message: &str, data: Value) -> Answer {
    Ok((status, Json(json!({ "success": true, "message": message, "data": data }))).into_response())
}

fn ok(message: &str, data: Value) -> Answer {
    done(StatusCode::OK, message, data)
}

type Answer = Result<Response, Failed>;

/// What did not, in the same.
pub(crate) struct Failed(Fault);

impl Failed {
    /// By one department of several.
    fn told(&self, department: &str) -> Value {
        json!({ "department": department, "error": self.0.code(), "message": self.0.says() })
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Failed {
        Failed(fault)
    }
}

impl From<Unsaid> for Failed {
    fn from(why: Unsaid) -> Failed {
        Failed(match why {
            Unsaid::Refused(refusal) => of_refusal(&refusal),
            Unsaid::Other(fault) => fault,
        })
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        self.0.in_envelope()
    }
}

fn of_refusal(refusal: &Refusal) -> Fault {
    let mut fault = Fault::from(refusal);
    if let Some(field) = field_of(refusal) {
        fault = fault.about(field);
    }
    match refusal.code {
        Code::App("NOT_FOUND") => fault.with_status(StatusCode::NOT_FOUND),
        Code::App("SESSION_CLOSED") => fault.with_status(StatusCode::BAD_REQUEST),
        _ => fault,
    }
}

fn is_staff(user: &User) -> bool {
    user.side() != CUSTOMER
}

/// Apps say it first: `priority must be low, normal, high or urgent, got x`.
fn field_of(refusal: &Refusal) -> Option<&str> {
    let (first, rest) = refusal.text.split_once(' ').filter(|_| refusal.code == Code::InvalidPayload)?;
    let is_name = first.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'.'));
    (is_name && ["must be ", "is required"].iter().any(|says| rest.starts_with(says))).then_some(first)
}

impl Livechat {
    fn may_start(&self, address: IpAddr) -> Result<(), Fault> {
        if self.exempt.iter().any(|network| network.has(address)) {
            return Ok(());
        }
        self.of_starts.take(&neighbours(address))
    }

    /// Who asks, and not too often: each call may load a room.
    fn user(&self, headers: &HeaderMap) -> Result<Arc<User>, Fault> {
        self.known_if_said(headers)?.map(|known| known.user).ok_or_else(Fault::unproven)
    }

    fn known_if_said(&self, headers: &HeaderMap) -> Result<Option<Authenticated>, Fault> {
        let known = self.door.known_if_said(headers)?;
        if let Some(user) = known.as_ref().map(|known| &known.user) {
            let rates = if is_staff(user) { &self.of_staff } else { &self.of_customers };
            rates.take(&user.person.id)?;
        }
        Ok(known)
    }

    fn staff(&self, headers: &HeaderMap) -> Result<Arc<User>, Fault> {
        let user = self.user(headers)?;
        if !is_staff(&user) {
            let says = "this call is the staff's: the token's role must be agent, supervisor or admin";
            return Err(Fault::forbidden(says));
        }
        Ok(user)
    }

    fn session(&self, id: &str, user: &User) -> Result<RoomId, Fault> {
        let room = RoomId::new(APP, &bodies::session_id(id)?);
        self.door.check(&room, user, "your token does not allow this session")?;
        Ok(room)
    }

    fn department(&self, name: &str, user: &User) -> Result<RoomId, Fault> {
        if !self.departments.iter().any(|known| known == name) {
            let says = format!("there is no department {name:?}: there are {}", self.departments.join(", "));
            return Err(Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", says));
        }
        let room = RoomId::new(APP, &format!("dept:{name}"));
        self.door.check(&room, user, "your token does not allow this department")?;
        Ok(room)
    }

    async fn say(
        &self,
        user: &Arc<User>,
        room: &RoomId,
        kind: &'static str,
        payload: Payload,
    ) -> Result<Said, Unsaid> {
        self.say_once(user, room, kind, payload, None).await
    }

    async fn say_once(
        &self,
        user: &Arc<User>,
        room: &RoomId,
        kind: &'static str,
        payload: Payload,
        id: Option<Arc<str>>,
    ) -> Result<Said, Unsaid> {
        self.door.say(By::User(user.clone()), room, Wish::Publish { kind: kind.into(), payload, id }).await
    }

    /// The same of a word whose whole point is the reply.
    async fn ask(&self, user: &Arc<User>, room: &RoomId, kind: &'static str) -> Result<Value, Unsaid> {
        self.ask_about(user, room, kind, &json!({})).await
    }

    async fn ask_about(
        &self,
        user: &Arc<User>,
        room: &RoomId,
        kind: &'static str,
        payload: &Value,
    ) -> Result<Value, Unsaid> {
        let said = self.say(user, room, kind, payload.to_string().into()).await?;
        let told = said.reply.and_then(|told| serde_json::from_slice(&told).ok());
        told.ok_or_else(|| Unsaid::Other(Fault::unexpected()))
    }
}
