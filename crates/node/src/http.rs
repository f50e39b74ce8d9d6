//! Everything that is not an upgrade: the sockets that shards pass on, and those of the operator's listener, are answered here
//! by an ordinary HTTP stack, on the control thread.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use link::Condition;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::census::{PagePlace, Place};
use vocabulary::{Reply, Revocation, RoomId, Told, UserId, Wall, Wish, check_user};

use crate::facts::{Bridge, Facts};
use crate::metrics;
use crate::sealed::Sealed;
use crate::secrecy::Secrecy;
use crate::trace;
use crate::{Desk, Helm};

/// A socket whose first request is no upgrade, with what was read of it.
pub(crate) struct Page {
    pub stream: TcpStream,
    pub secrecy: Option<Secrecy>,
    /// Counted among its address, and its pages, until it is answered.
    pub places: (Place, PagePlace),
    pub head: Vec<u8>,
    /// The client's, or that of its proxy where that says nothing of whom it heard.
    pub address: SocketAddr,
}

/// Sockets that wait for HTTP; beyond it the shard closes them.
const WAITING_MAX: usize = 1024;
/// HTTP connections at a time.
const CONNECTIONS_MAX: usize = 1024;
/// Of those, for one address: some browsers behind it, each with some connections, and a sixteenth of what there is.
pub(crate) const PAGES_PER_ADDRESS_MAX: u32 = 64;
/// Connections to the operator's listener: people, probes, and what scrapes the figures.
const OPERATORS_MAX: usize = 64;
/// Of those, for back ends' calls: while the engine is away each waits for its answer as long as a call may, and probes,
/// figures and revocations find one of the other sixteen places.
pub const CALLS_AT_ONCE_MAX: usize = OPERATORS_MAX * 3 / 4;
/// Of an answer that its reader does not take; and of a head, which at the door is shorter.
const UNWRITTEN_BYTES_MAX: usize = 64 << 10;
/// Descriptors are used up: look again then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Too many wait for an answer already.
pub(crate) struct Unanswered;

#[derive(Clone)]
pub(crate) struct ToPages(mpsc::Sender<Page>);

pub(crate) struct Pages {
    incoming: Option<mpsc::Receiver<Page>>,
    places: Arc<Places>,
}

/// Connections at a time: each keeps its place until its answer is written.
pub(crate) struct Places {
    free: Arc<Semaphore>,
    /// As many as are free when nobody is there.
    all: u32,
}

impl Places {
    fn new(all: u32) -> Places {
        Places { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// One is held for whoever comes next.
    pub(crate) fn for_operators() -> Places {
        Places { all: OPERATORS_MAX as u32 - 1, ..Places::new(OPERATORS_MAX as u32) }
    }

    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().acquire_owned().await.ok()
    }

    /// Whoever comes meanwhile waits behind.
    pub(crate) async fn all_free(&self) {
        // An error would mean that nobody takes one any more.
        self.free.acquire_many(self.all).await.ok();
    }
}

impl ToPages {
    /// Dropped, it closes; a browser asks again.
    pub(crate) fn send(&self, page: Page) -> Result<(), Unanswered> {
        self.0.try_send(page).map_err(|_| Unanswered)
    }
}

impl Pages {
    pub(crate) fn new() -> (Pages, ToPages) {
        let (send, incoming) = mpsc::channel(WAITING_MAX);
        let places = Arc::new(Places::new(CONNECTIONS_MAX as u32));
        (Pages { incoming: Some(incoming), places }, ToPages(send))
    }

    pub(crate) fn serve(&mut self, router: Router, handshake: Duration) {
        let Some(mut incoming) = self.incoming.take() else { return };
        let places = self.places.clone();
        tokio::spawn(async move {
            while let Some(page) = incoming.recv().await {
                let Some(place) = places.take().await else { return };
                let router = router.clone();
                tokio::spawn(async move {
                    let address = page.address;
                    if let Err(error) = answer(page, router, handshake).await {
                        tracing::debug!(%address, %error, "an HTTP connection ended");
                    }
                    drop(place);
                });
            }
        });
    }

    pub(crate) async fn all_free(&self) {
        self.places.all_free().await;
    }
}

/// Whose request it is, for whoever counts them: the client's address, by a proxy that is believed as that one names it.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub IpAddr);

/// Why an HTTP connection ended early.
pub type HttpError = Box<dyn std::error::Error + Send + Sync>;

async fn answer(page: Page, router: Router, handshake: Duration) -> Result<(), HttpError> {
    let _places = page.places;
    let stream = tokio::net::TcpStream::from_std(page.stream)?;
    let router = router.layer(Extension(PeerAddress(page.address.ip())));
    let head = page.head.into();
    match page.secrecy {
        None => exchange(Rewound { head, stream }, router, handshake).await,
        Some(secrecy) => {
            // Who came by TLS once is to come by nothing else.
            let router = router.layer(map_response(stays_secret));
            exchange(Rewound { head, stream: Sealed { stream, secrecy } }, router, handshake).await
        }
    }
}

/// The operator's listener, until the calling runtime ends. Whoever finds no place waits in the kernel's queue; nobody keeps
/// one for long.
pub(crate) async fn serve_operator(
    listener: TcpListener,
    router: Router,
    handshake: Duration,
    places: Arc<Places>,
) {
    while let Some(place) = places.take().await {
        match listener.accept().await {
            Ok((stream, address)) => {
                let router = router.clone().layer(Extension(PeerAddress(address.ip())));
                tokio::spawn(async move {
                    if let Err(error) = exchange(stream, router, handshake).await {
                        tracing::debug!(%address, %error, "an operator's connection ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "Failed to accept an operator");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn stays_secret(mut response: Response) -> Response {
    let year = HeaderValue::from_static("max-age=31536000");
    response.headers_mut().insert("strict-transport-security", year);
    response
}

/// The head has the time of a handshake, and the whole exchange, body and answer, half as much again: whoever dawdles gives up
/// the place to those who only want to know whether we live.
async fn exchange<S>(stream: S, router: Router, handshake: Duration) -> Result<(), HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // One request a connection: a next one might be an upgrade, and those are heard at the door only.
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(handshake)
        .keep_alive(false)
        // What is not written yet is left where it is, and who made it knows that it is.
        .max_buf_size(UNWRITTEN_BYTES_MAX)
        // Whoever has nothing more to say still hears the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::time::timeout(handshake + handshake / 2, served).await??;
    Ok(())
}

/// A socket that gives what was read of it once more.
struct Rewound<S> {
    head: bytes::Bytes,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let take = self.head.len().min(buf.remaining());
        let head = self.head.split_to(take);
        buf.put_slice(&head);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Health, statistics and the online count; what else a node serves, the caller adds. Plain requests to a WebSocket's
/// path learn what it is.
pub fn router(facts: Arc<Facts>, sockets_at: &[String]) -> Router {
    let router =
        sockets_at.iter().fold(Router::new(), |router, path| router.route(path, any(not_an_upgrade)));
    router
        .route("/ws/online", get(online))
        .fallback(async || (StatusCode::NOT_FOUND, Json(json!({ "error": "not found" }))))
        .with_state(facts.clone())
        .merge(crate::health::probes(facts))
}

/// What an operator looks at.
pub fn figures(facts: Arc<Facts>) -> Router {
    Router::new()
        .route("/stats", get(stats))
        .route("/metrics", get(metrics))
        .route("/health/detailed", get(crate::health::detailed))
        .with_state(facts)
}

/// What an operator does; for a listener that only operators reach.
pub fn operator(helm: Helm, desk: Desk, facts: Arc<Facts>) -> Router {
    Router::new().route("/revoke", post(revoke)).with_state((helm, desk)).merge(happenings(facts))
}

/// What happened to connections of late.
pub fn happenings(facts: Arc<Facts>) -> Router {
    Router::new().route("/trace", get(traced)).with_state(facts)
}

async fn traced(
    State(facts): State<Arc<Facts>>,
    wanted: Result<Query<trace::Wanted>, QueryRejection>,
) -> Response {
    match wanted {
        Ok(Query(wanted)) => Json(json!({ "events": facts.trace(&wanted) })).into_response(),
        Err(error) => {
            let error = json!({ "error": error.body_text(), "code": "INVALID_PAYLOAD", "field": "query" });
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
    }
}

async fn metrics(State(facts): State<Arc<Facts>>) -> Response {
    ([("content-type", metrics::CONTENT_TYPE)], metrics::text(&facts)).into_response()
}

/// `{"user":"7"}`: every token of theirs that was made until now. `{"token":"…"}`: the one with this `jti`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    user: Option<String>,
    token: Option<String>,
}

async fn revoke(
    State((helm, desk)): State<(Helm, Desk)>,
    headers: HeaderMap,
    body: Result<bytes::Bytes, BytesRejection>,
) -> Response {
    // A page of another site can make a browser post, but not this type without asking us first.
    if !headers.get(CONTENT_TYPE).is_some_and(is_json) {
        let (error, code) = ("the body must be application/json", "UNSUPPORTED_MEDIA_TYPE");
        let error = json!({ "error": error, "code": code, "field": "Content-Type" });
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, Json(error)).into_response();
    }
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            let told = json!({ "error": error.body_text(), "code": "INVALID_PAYLOAD", "field": "body" });
            return (error.status(), Json(told)).into_response();
        }
    };
    let at = Facts::now();
    // A list would do for the parser.
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    let revocation = match serde_json::from_slice::<Revoke>(&body) {
        _ if !is_object => return not_to_revoke(),
        Ok(Revoke { user: Some(user), token: None }) if check_user(&user).is_ok() => {
            Revocation::User { id: UserId::new(&user), until: at }
        }
        // What has three parts is a token itself, and no log may hold one.
        Ok(Revoke { user: None, token: Some(token) })
            if (1..=256).contains(&token.len()) && token.matches('.').count() != 2 =>
        {
            Revocation::Token(token.as_str().into())
        }
        Ok(_) | Err(_) => return not_to_revoke(),
    };
    tracing::info!(?revocation, "revoked");
    if helm.revoke(&revocation).is_err() {
        let error = "a shard is behind and has not heard of it: ask again";
        let error = json!({ "error": error, "code": "BUSY" });
        return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")], Json(error)).into_response();
    }
    if let Err(why) = remembered(&desk, &revocation, at).await {
        let error = format!(
            "this node refuses them now, but the other nodes and a restart do not know it: {why}; ask again"
        );
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [("retry-after", "1")],
            Json(json!({ "error": error, "code": "BUSY" })),
        )
            .into_response();
    }
    // Tokens say in which second they were made: one that is made after this answer is made in a later one.
    tokio::time::sleep(Duration::from_millis(1000 - at.0.rem_euclid(1000) as u64)).await;
    StatusCode::NO_CONTENT.into_response()
}

fn not_to_revoke() -> Response {
    let error = "the body must be {\"user\":\"<id>\"} or {\"token\":\"<jti>\"}: the id, not the token";
    let told = json!({ "error": error, "code": "INVALID_PAYLOAD", "field": "body" });
    (StatusCode::BAD_REQUEST, Json(told)).into_response()
}

/// In the room that every node follows.
async fn remembered(desk: &Desk, revocation: &Revocation, at: Wall) -> Result<(), String> {
    let body = match revocation {
        Revocation::User { id, until } => json!({ "user": id.as_str(), "at": until.0 }),
        Revocation::Token(id) => json!({ "token": &**id, "at": at.0 }),
    };
    let wish = Wish::Publish { kind: "revoke".into(), payload: body.to_string().into(), id: None };
    match desk.call("operator".into(), RoomId::system(), wish).await {
        Ok(Told::Stored { .. }) => Ok(()),
        Ok(Told::Reply { reply: Reply::Refused(refusal), .. }) => Err(refusal.text.into_owned()),
        Ok(Told::Reply { .. }) => Err("nothing was stored".to_owned()),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// Whatever it says of its alphabet: JSON has one.
fn is_json(kind: &HeaderValue) -> bool {
    let kind = kind.to_str().unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

async fn not_an_upgrade() -> Response {
    let fields = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13")];
    (
        StatusCode::UPGRADE_REQUIRED,
        fields,
        Json(json!({ "error": "this is a WebSocket: ask for an upgrade" })),
    )
        .into_response()
}

async fn stats(State(facts): State<Arc<Facts>>) -> Json<serde_json::Value> {
    let mut stats = json!({
        "total_connections": facts.health().total,
        "streams": facts.streams(),
        "timestamp": Facts::now().to_string(),
        "connections_by_role": facts.roles(),
    });
    if let Some(authorizer) = facts.authorizer() {
        stats["authorizer"] = if authorizer.is_away() { "away".into() } else { "asked".into() };
    }
    let state = |bridge: Arc<dyn Bridge>| {
        let figures =
            bridge.figures().into_iter().map(|figure| (figure.name.to_owned(), figure.value.into()));
        let mut state: serde_json::Map<_, serde_json::Value> = figures.collect();
        match bridge.condition() {
            Condition::Serving => {}
            Condition::Away { why } => drop(state.insert("away".to_owned(), why.into())),
            Condition::Partly { why } => drop(state.insert("refused_for".to_owned(), why.into())),
        }
        (bridge.name().to_owned(), state.into())
    };
    let bridges: serde_json::Map<_, _> = facts.bridges().into_iter().map(state).collect();
    if !bridges.is_empty() {
        stats["bridges"] = bridges.into();
    }
    Json(stats)
}

async fn online(State(facts): State<Arc<Facts>>) -> Json<serde_json::Value> {
    Json(json!({ "online": facts.online() }))
}
