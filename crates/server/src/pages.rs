//! The web pages, carried inside the binary: no folder to deploy, no version to mismatch.

use axum::Router;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use vocabulary::Check;

struct Page {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const PAGES: [Page; 4] = [
    Page { path: "/", kind: "text/html; charset=utf-8", text: include_str!("../../../web/index.html") },
    Page {
        path: "/start.css",
        kind: "text/css; charset=utf-8",
        text: include_str!("../../../web/start.css"),
    },
    Page {
        path: "/start.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("../../../web/start.js"),
    },
    Page { path: "/icon.svg", kind: "image/svg+xml", text: include_str!("../../../web/icon.svg") },
];

/// Nothing but our own files, and our own sockets.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(crate) fn router() -> Router {
    PAGES.iter().fold(Router::new(), |router, page| {
        router.route(page.path, get(async |headers: HeaderMap| give(page, &headers)))
    })
}

/// The tag is the content's; a browser that has it gets no second copy.
fn give(page: &Page, asked: &HeaderMap) -> Response {
    let tag = format!("\"{:08x}\"", Check::hash(page.text.as_bytes()));
    let fields = [
        (CONTENT_TYPE, page.kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
        (ETAG, &tag),
    ];
    if asked.get(IF_NONE_MATCH).is_some_and(|held| held.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, page.text).into_response()
}
