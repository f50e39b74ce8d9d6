//! The operator's own listener: figures, probes, what only back ends and operators ask, by one table, and the console. Plain HTTP, meant for this
//! machine or a network that only operators reach. Of pages of browsers none reaches it but the console's own.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use node::Node;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::config::Typed;
use crate::in_force::InForce;
use crate::pages;

/// Calls of operators that are asked and waited for: half of the places that the calls of back ends leave to others.
const AT_ONCE_MAX: usize = 8;

pub(crate) async fn listener(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("operator_listen = {address}: cannot listen there; is something else there?")
    })
}

/// One on which somebody listens for us.
pub(crate) fn given(socket: std::net::TcpListener) -> Result<TcpListener> {
    let listener = socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket));
    listener.context("the operator's socket of systemd cannot be used")
}

/// Where it listens; it ends with the runtime.
pub(crate) fn serve(listener: TcpListener, node: &Node, api: Router, settings: &Typed) -> Result<SocketAddr> {
    let bound = listener.local_addr()?;
    let facts = node.facts();
    let router = node::figures(facts.clone())
        .merge(node::probes(facts))
        .merge(node::operator(node.helm(), node.desk(), node.facts()))
        .merge(api);
    let router = pages::console(true).fallback_service(http_api::openapi::guarded(router));
    node.serve_operator(listener, Guard::of(settings, bound.ip()).before(router));
    Ok(bound)
}

/// What operators ask by their keys: of the apps that are there, by the settings in force, and that the node drains.
pub(crate) fn router(
    node: &Node,
    keys: Arc<http_api::Keys>,
    (typed, apps, in_force, drain): (&Typed, &[String], &InForce, &Arc<Notify>),
) -> Router {
    let (in_force, drain) = (in_force.clone(), drain.clone());
    let way = |mount: &crate::config::Mount| http_api::operate::Way {
        path: mount.path.clone(),
        app: mount.app.clone(),
        speaks: mount.speaks.word().to_owned(),
    };
    let mounts = typed.mounts.iter().map(way).collect();
    http_api::operate::router(http_api::operate::Config {
        desk: node.desk(),
        lookout: node.lookout(),
        keys,
        at_once_max: AT_ONCE_MAX,
        apps: apps.to_vec(),
        furnished: http_api::operate::Furnished { engine: typed.engine.name().to_owned(), mounts },
        settings: Arc::new(move || in_force.shown()),
        drain: Arc::new(move || drain.notify_one()),
    })
}

/// Pages of other sites run in operators' browsers too, and may lead a name of theirs to an address of ours. Which pages may ask is
/// seen by what a browser says of itself, and no page can say otherwise: `Origin`, `Host` and `Sec-Fetch-Site`.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    loopback: bool,
    /// Behind a proxy with a name of its own.
    origins: Vec<String>,
}

const NOT_FOR_PAGES: &str = "this is for operators, by the address it listens on, and of pages of a browser for the console's own; behind a proxy \
                             name its origin in operator.origins";
const BY_ANOTHER_NAME: &str =
    "this is not told by that name: say the address it listens on, or name the origin in operator.origins";

impl Guard {
    pub(crate) fn of(settings: &Typed, bound: IpAddr) -> Guard {
        Guard { loopback: bound.is_loopback(), origins: settings.operator_origins.clone() }
    }

    pub(crate) fn before(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(Arc::new(self.clone()), judge))
    }

    /// An address cannot be made to lead elsewhere, and this machine's own name can neither; any other name can.
    fn is_ours(&self, host: &str) -> bool {
        let named = |origin: &String| {
            origin.split_once("://").is_some_and(|(_, name)| name.eq_ignore_ascii_case(host))
        };
        if node::is_loopback(host) || self.origins.iter().any(named) {
            return true;
        }
        let address = host.parse::<SocketAddr>().is_ok()
            || host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        !self.loopback && address
    }

    fn refuses(&self, path: &str, headers: &HeaderMap) -> Option<&'static str> {
        let said = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let host = said(HOST);
        let ours = host.is_none_or(|host| self.is_ours(host));
        if self.loopback && !ours {
            return Some(NOT_FOR_PAGES);
        }
        if let Some(origin) = said(ORIGIN) {
            let (scheme, name) = origin.split_once("://").unwrap_or_default();
            let own = matches!(scheme, "http" | "https")
                && ours
                && host.is_some_and(|host| host.eq_ignore_ascii_case(name));
            let listed = self.origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin));
            // What acts without a key is for no page at all.
            return (path == "/revoke" || !own && !listed).then_some(NOT_FOR_PAGES);
        }
        // Whoever follows a link comes to a page; what a page of another site would have fetched, it gets no answer to.
        let follows =
            said(HeaderName::from_static("sec-fetch-mode")) == Some("navigate") && pages::is_of_console(path);
        match said(HeaderName::from_static("sec-fetch-site")) {
            Some("cross-site" | "same-site") if !follows => return Some(NOT_FOR_PAGES),
            _ => {}
        }
        // By any name probes and figures are scraped, and whoever has a key may ask. The rest says what it says by our own names alone.
        let tells = path == "/trace" || pages::is_of_console(path);
        (!ours && tells).then_some(BY_ANOTHER_NAME)
    }
}

async fn judge(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.refuses(request.uri().path(), request.headers()) {
        Some(error) => {
            (StatusCode::FORBIDDEN, Json(json!({ "error": error, "code": "FORBIDDEN" }))).into_response()
        }
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_pages_the_consoles_own_may_ask_and_no_name_can_be_led_here() {
        let guard = |loopback| Guard { loopback, origins: vec!["https://ops.example.com".to_owned()] };
        for (loopback, path, headers, allowed) in [
            (true, "/rooms", &[("host", "127.0.0.1:8081")][..], true),
            (true, "/rooms", &[("host", "localhost:8081"), ("origin", "http://localhost:8081")], true),
            (true, "/revoke", &[("host", "localhost:8081"), ("origin", "http://localhost:8081")], false),
            (true, "/rooms", &[("host", "localhost:8081"), ("origin", "http://localhost:3000")], false),
            (true, "/rooms", &[("host", "localhost:8081"), ("origin", "null")], false),
            (true, "/rooms", &[("host", "rebound.test:8081")], false),
            (true, "/rooms", &[("host", "rebound.test:8081"), ("origin", "http://rebound.test:8081")], false),
            (true, "/rooms", &[("host", "10.0.0.1:8081")], false),
            (true, "/rooms", &[("host", "ops.example.com"), ("origin", "https://ops.example.com")], true),
            (true, "/rooms", &[("host", "127.0.0.1:8081"), ("origin", "https://ops.example.com")], true),
            (true, "/rooms", &[("host", "127.0.0.1:8081"), ("sec-fetch-site", "cross-site")], false),
            (true, "/rooms", &[("host", "127.0.0.1:8081"), ("sec-fetch-site", "same-origin")], true),
            (
                true,
                "/console/",
                &[
                    ("host", "127.0.0.1:8081"),
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                true,
            ),
            (
                true,
                "/metrics",
                &[
                    ("host", "127.0.0.1:8081"),
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                false,
            ),
            (false, "/console/", &[("host", "10.0.0.1:8081")], true),
            (false, "/console/", &[("host", "[fd00::1]:8081")], true),
            (false, "/rooms", &[("host", "10.0.0.1:8081"), ("origin", "http://10.0.0.1:8081")], true),
            (false, "/rooms", &[("host", "10.0.0.1:8081"), ("origin", "http://10.0.0.1:9000")], false),
            (false, "/rooms", &[("host", "evil.test:8081"), ("origin", "http://evil.test:8081")], false),
            (false, "/console/", &[("host", "evil.test:8081")], false),
            (false, "/trace", &[("host", "evil.test:8081")], false),
            (false, "/metrics", &[("host", "kulkul.monitoring.svc:8081")], true),
            (false, "/console/", &[("host", "ops.example.com")], true),
            (true, "/metrics", &[], true),
        ] {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")))
                .collect();
            assert_eq!(
                guard(loopback).refuses(path, &headers).is_none(),
                allowed,
                "{loopback} {path} {headers:?}"
            );
        }
    }
}
