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

const PAGES: [Page; 7] = [
    page("/", HTML, include_str!("../../../web/index.html")),
    page("/start.css", CSS, include_str!("../../../web/start.css")),
    page("/start.js", JS, include_str!("../../../web/start.js")),
    page("/identity.js", JS, include_str!("../../../web/identity.js")),
    page("/room.js", JS, include_str!("../../../web/room.js")),
    page("/view.js", JS, include_str!("../../../web/view.js")),
    page("/icon.svg", "image/svg+xml", include_str!("../../../web/icon.svg")),
];

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

const fn page(path: &'static str, kind: &'static str, text: &'static str) -> Page {
    Page { path, kind, text }
}

/// Nothing but our own files, and our own sockets.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Is this the path of a page?
pub(crate) fn has(path: &str) -> bool {
    PAGES.iter().any(|page| page.path == path)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a page asks for by a relative name is served under that name.
    #[test]
    fn every_file_that_a_page_names_is_served() {
        let mut named = 0;
        for page in &PAGES {
            let quoted = page.text.split(['"', '\'']);
            for name in quoted
                .filter(|text| text.ends_with(".js") || text.ends_with(".css") || text.ends_with(".svg"))
            {
                let path = format!("/{}", name.trim_start_matches("./").trim_start_matches('/'));
                assert!(PAGES.iter().any(|other| other.path == path), "{} names {name}", page.path);
                named += 1;
            }
        }
        assert!(named >= 6, "the pages do name files: {named}");
    }
}
