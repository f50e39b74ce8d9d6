//! The door of the operator's listener: a request comes through if a line of the table is about it. Whoever asks for anything else is
//! told so in one shape, whatever is behind the door.

use axum::Router;
use axum::extract::Request;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

use super::table::CALLS;
use crate::answers::Fault;
use crate::rides::no_such_call;

/// The same calls, and nothing but what the table tells of.
pub fn guarded(router: Router) -> Router {
    router.layer(from_fn(pass))
}

async fn pass(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let methods = methods(path);
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    if methods.contains(&method.as_str()) {
        return next.run(request).await;
    }
    let (of_services, allow) = (path.starts_with("/internal"), methods.join(", "));
    let fault = if methods.is_empty() && of_services {
        no_such_call()
    } else if methods.is_empty() && path.starts_with("/api/") {
        Fault::not_found()
    } else if methods.is_empty() {
        Fault::not_there("not found: nothing is served at this path. GET /openapi.json lists what is")
    } else {
        Fault::method(request.method())
    };
    // As the services of a fleet read refusals.
    let mut response = if of_services { fault.in_words() } else { fault.into_response() };
    if let Some(allow) = HeaderValue::from_str(&allow).ok().filter(|_| !allow.is_empty()) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// What may be asked of a path.
fn methods(path: &str) -> Vec<&'static str> {
    let calls = CALLS.iter().flat_map(|group| group.iter()).filter(|call| is_like(call.path, path));
    let mut methods: Vec<&str> = calls.map(|call| call.method).collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

fn is_like(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(part), Some(said)) if part == said => {}
            (Some(part), Some(said)) if part.starts_with('{') && !said.is_empty() => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_table_part_by_part() {
        for (path, allowed) in [
            ("/rooms", &["GET"][..]),
            ("/rooms/chat:general", &["GET"]),
            ("/rooms/chat%2Fgeneral/kick", &["POST"]),
            ("/rooms/", &[]),
            ("/rooms/chat:general/", &[]),
            ("/connections/a-0-1-2", &["DELETE", "GET"]),
            ("/api/publish", &["POST"]),
            ("/debug/pprof", &[]),
            ("/", &[]),
        ] {
            assert_eq!(methods(path), allowed, "{path}");
        }
    }
}
