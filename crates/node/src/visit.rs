//! What a request says of whoever comes by it, the same for every framing. It judges nothing.

use std::borrow::Cow;

use shard::Opening;
use websocket::handshake::{Get, Request, Upgrade};

use crate::tokens;

const EVENTS: &[u8] = b"text/event-stream";

pub(crate) struct Visit<'a> {
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub host: &'a str,
    pub origin: Option<&'a str>,
    pub authorization: Option<&'a str>,
    pub request: &'a Request<'a>,
    pub wants: Wants<'a>,
}

#[derive(Clone, Copy)]
pub(crate) enum Wants<'a> {
    WebSocket(&'a Upgrade<'a>),
    Events,
}

impl<'a> Visit<'a> {
    pub(crate) fn for_socket(upgrade: &'a Upgrade<'a>) -> Visit<'a> {
        let Upgrade { path, query, host, origin, authorization, ref request, .. } = *upgrade;
        Visit { path, query, host, origin, authorization, request, wants: Wants::WebSocket(upgrade) }
    }

    pub(crate) fn for_events(get: Get<'a>, request: &'a Request<'a>) -> Visit<'a> {
        let Get { path, query, host, origin, authorization } = get;
        Visit { path, query, host, origin, authorization, request, wants: Wants::Events }
    }

    /// As offered, where subprotocols are.
    pub(crate) fn protocols(&self) -> &[&'a str] {
        match self.wants {
            Wants::WebSocket(upgrade) => &upgrade.protocols,
            Wants::Events => &[],
        }
    }

    /// What the answer to one who wants events must have.
    pub(crate) fn opening(&self) -> Opening {
        let takes = |field: &[u8]| field.windows(EVENTS.len()).any(|part| part.eq_ignore_ascii_case(EVENTS));
        let takes_events_alone = self.request.values("accept").any(takes);
        Opening { origin: self.origin.map(Into::into), takes_events_alone }
    }

    /// One that is empty is none.
    pub(crate) fn parameter(&self, name: &'static str) -> Option<Cow<'a, str>> {
        let value = self.query.and_then(|query| tokens::parameters(query, name).next());
        value.filter(|value| !value.is_empty())
    }

    /// The last that a reader of a stream has seen, as it says when it comes back.
    pub(crate) fn last_event(&self) -> Option<Cow<'a, str>> {
        let last =
            self.request.values("last-event-id").next().filter(|_| matches!(self.wants, Wants::Events))?;
        (!last.is_empty()).then(|| String::from_utf8_lossy(last.trim_ascii()))
    }
}
