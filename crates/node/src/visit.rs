//! What a request says of whoever comes by it, the same for every framing. It judges nothing.

use std::borrow::Cow;

use vocabulary::{Payload, Position};
use websocket::handshake::{Get, Request, Upgrade};

use crate::tokens;
use crate::turned::{Turned, of_field};

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

    pub(crate) fn parameter(&self, name: &'static str) -> Option<Cow<'a, str>> {
        self.query.and_then(|query| tokens::parameters(query, name).next())
    }

    /// Clients that know positions say where they were, as `since=EPOCH-OFFSET`: the id of the last message they have. Browsers that
    /// open a stream anew say by themselves what it was, whatever stood in the path when they began.
    pub(crate) fn left_at(&self) -> Result<Option<Position>, Turned> {
        let last =
            self.request.values("last-event-id").next().filter(|_| matches!(self.wants, Wants::Events));
        if let Some(last) = last.filter(|last| !last.is_empty()) {
            // What is none of ours is a place that never was: the client is told how it stands.
            let last = std::str::from_utf8(last).ok().and_then(|last| last.trim().parse().ok());
            return Ok(Some(last.unwrap_or_default()));
        }
        let Some(since) = self.parameter("since").filter(|since| !since.is_empty()) else { return Ok(None) };
        let position = since.parse().map_err(|_| of_field("since must be the id of a message", "since"))?;
        Ok(Some(position))
    }

    /// What the app of a match is told of who comes.
    pub(crate) fn mode(&self) -> Result<Payload, Turned> {
        match self.parameter("mode").as_deref() {
            None | Some("") => Ok(Payload::from_static(b"{}")),
            Some("whole") => Ok(Payload::from_static(br#"{"mode":"whole"}"#)),
            Some("delta") => Ok(Payload::from_static(br#"{"mode":"delta"}"#)),
            Some(_) => Err(of_field("mode must be whole or delta", "mode")),
        }
    }
}
