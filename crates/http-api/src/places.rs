//! Places for users' calls: how many are asked and answered at a time. A call takes one when its body is there, so that who sends
//! slowly keeps nobody out, and keeps it until its answer is written. It reads no body that is too large, and nothing of what is in
//! one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use node::Uncalled;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answers::Fault;
use crate::door::Door;

/// Of the HTTP connections that a node has, half: probes and pages find a place beside them while rooms are slow.
const AT_ONCE_MAX: usize = 512;
/// A message with its attachments; titles, topics and some hundred ids.
pub(crate) const BODY_BYTES_MAX: usize = 64 << 10;
/// The largest at 13 KB a second, which the worst of telephones has. Until then it keeps one of its address's connections.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// Of an answer at a time, so that the socket asks for the rest when it has room for it.
const PIECE_BYTES: usize = 32 << 10;

pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Places {
        Places(Arc::new(Semaphore::new(AT_ONCE_MAX)))
    }
}

pub(crate) async fn find_place(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let request = match whole(request, BODY_BYTES_MAX).await {
        Ok(request) => request,
        Err(fault) => return (door.refuses)(fault),
    };
    match door.places.0.clone().try_acquire_owned() {
        Ok(place) => kept(next.run(request).await, place),
        Err(_) => (door.refuses)(Fault::from(Uncalled::Busy)),
    }
}

/// With its body, if that is there in time and not too large.
pub(crate) async fn whole(request: Request, bytes_max: usize) -> Result<Request, Fault> {
    let (head, body) = request.into_parts();
    let body = Bytes::from_request(Request::from_parts(head.clone(), body), &());
    match tokio::time::timeout(BODY_WITHIN, body).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(head, Body::from(bytes))),
        Ok(Err(error)) => Err(Fault::unread(&error, bytes_max)),
        Err(_) => Err(Fault::late(BODY_WITHIN)),
    }
}

/// An answer that is not read is in memory: its place is free when the last of it is handed to the socket.
fn kept(mut response: Response, place: OwnedSemaphorePermit) -> Response {
    // A stream no longer says how long it is.
    match response.body().size_hint().exact() {
        Some(0) => return response,
        Some(bytes) => {
            response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
        }
        None => {}
    }
    response.map(|body| {
        let pieces = body.into_data_stream().flat_map(|chunk| stream::iter(pieces(chunk)));
        Body::from_stream(pieces.map(move |piece| {
            let _as_long_as_this_stream = &place;
            piece
        }))
    })
}

fn pieces<E>(chunk: Result<Bytes, E>) -> impl Iterator<Item = Result<Bytes, E>> {
    let (mut rest, mut error) = match chunk {
        Ok(bytes) => (bytes, None),
        Err(error) => (Bytes::new(), Some(error)),
    };
    std::iter::from_fn(move || match error.take() {
        Some(error) => Some(Err(error)),
        None if rest.is_empty() => None,
        None => Some(Ok(rest.split_to(rest.len().min(PIECE_BYTES)))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn an_answer_keeps_its_place_until_the_last_of_it_is_taken() {
        let Places(free) = Places::default();
        let place = free.clone().try_acquire_owned().expect("nobody is there");
        let whole: Vec<u8> = (0..PIECE_BYTES * 3 + 1).map(|at| (at % 251) as u8).collect();
        let response = kept(Response::new(Body::from(whole.clone())), place);
        assert_eq!(response.headers()[CONTENT_LENGTH], whole.len().to_string());
        let mut body = response.into_body().into_data_stream();
        let mut taken = Vec::new();
        // Nothing here has to be waited for.
        while let Some(piece) = body.next().now_or_never().expect("it is there") {
            assert_eq!(free.available_permits(), AT_ONCE_MAX - 1, "after {} bytes", taken.len());
            taken.extend_from_slice(&piece.expect("whole"));
        }
        assert_eq!(taken, whole);
        drop(body);
        assert_eq!(free.available_permits(), AT_ONCE_MAX);
    }
}
