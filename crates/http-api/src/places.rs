//! Places for users' calls: how many are asked and answered at a time. A call takes one when its body is there, so that who sends
//! slowly keeps nobody out. It reads no body that is too large, and nothing of what is in one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use node::Uncalled;
use tokio::sync::Semaphore;

use crate::answers::Fault;
use crate::door::Door;

/// Of the HTTP connections that a node has, half: probes and pages find a place beside them while rooms are slow.
const AT_ONCE_MAX: usize = 512;
/// A message with its attachments; titles, topics and some hundred ids.
pub(crate) const BODY_BYTES_MAX: usize = 64 << 10;
/// The largest at 13 KB a second, which the worst of telephones has. Until then it keeps one of its address's connections.
const BODY_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Places(Semaphore);

impl Default for Places {
    fn default() -> Places {
        Places(Semaphore::new(AT_ONCE_MAX))
    }
}

pub(crate) async fn find_place(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let request = match whole(request).await {
        Ok(request) => request,
        Err(fault) => return (door.refuses)(fault),
    };
    match door.places.0.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => (door.refuses)(Fault::from(Uncalled::Busy)),
    }
}

async fn whole(request: Request) -> Result<Request, Fault> {
    let (head, body) = request.into_parts();
    let body = Bytes::from_request(Request::from_parts(head.clone(), body), &());
    match tokio::time::timeout(BODY_WITHIN, body).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(head, Body::from(bytes))),
        Ok(Err(error)) => Err(Fault::unread(&error, BODY_BYTES_MAX)),
        Err(_) => Err(Fault::late(BODY_WITHIN)),
    }
}
