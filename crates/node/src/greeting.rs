//! From a stranger's first bytes to an authenticated connection, or to the one answer that says why not. It decides by
//! what the request and its token say; it never reads or writes a socket.

use std::borrow::Cow;
use std::net::IpAddr;

use session::Authenticated;
use websocket::Compression;
use websocket::handshake::{Agreed, Upgrade, refusal_response, response_101};

use crate::identity::Secret;

/// Who may open a WebSocket here, and where.
pub struct Gate {
    pub secret: Option<Secret>,
    pub mounts: Vec<MountPoint>,
    pub origins: Origins,
}

pub struct MountPoint {
    pub path: String,
    pub kind: MountKind,
    /// Whether messages may be compressed, if the client can.
    pub compression: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// Whoever holds a token.
    Token,
    /// Anybody: the conformance echo.
    Open,
}

/// Pages of which origins may connect. A request without an origin is no page's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Pages of our own host; `loopback`: and, on a developer's machine, of any local port.
    Own {
        loopback: bool,
    },
    Listed(Vec<String>),
    All,
}

/// A connection that is let in.
pub(crate) struct Admitted {
    pub mount: u8,
    pub who: Authenticated,
    pub compression: Compression,
    pub response: Vec<u8>,
}

/// Why a connection is not let in: the answer to send, and a word for the log.
pub(crate) struct Turned {
    pub response: Vec<u8>,
    pub status: u16,
    pub why: String,
}

impl Gate {
    /// Order: is it well-formed (it is, or it would not be an `Upgrade`), who is it, may they.
    pub(crate) fn admit(&self, upgrade: &Upgrade<'_>) -> Result<Admitted, Turned> {
        let Some(index) = self.mounts.iter().position(|mount| mount.path == upgrade.path) else {
            return Err(turned(404, "no WebSocket here", "no such mount"));
        };
        let (who, protocol) = match self.mounts[index].kind {
            MountKind::Token => self.identify(upgrade)?,
            MountKind::Open => (anybody(), None),
        };
        if !self.origins.allow(upgrade.origin, upgrade.host) {
            return Err(turned(403, "origin not allowed", "origin not allowed"));
        }
        let agreed = self.mounts[index].compression.then(|| Agreed::on(&upgrade.extensions)).flatten();
        let response = response_101(upgrade.key, protocol.as_deref(), agreed);
        let compression = agreed.map_or(Compression::Off, Agreed::compression);
        Ok(Admitted { mount: index as u8, who, compression, response })
    }

    /// Every token that is present must prove the same user. With it, the subprotocol to agree to.
    fn identify(&self, upgrade: &Upgrade<'_>) -> Result<(Authenticated, Option<String>), Turned> {
        let required = |why: String| turned(401, "authentication required", &why);
        let (in_protocols, agreed) = tokens_in_protocols(&upgrade.protocols);
        let bearer = upgrade.authorization.and_then(bearer);
        let in_query = upgrade.query.into_iter().flat_map(|query| parameters(query, "token"));
        let in_head = in_protocols.into_iter().chain(bearer).map(Cow::Borrowed);
        let tokens: Vec<Cow<'_, str>> = in_query.chain(in_head).collect();
        let Some(secret) = &self.secret else {
            return Err(required("no secret to prove tokens with".into()));
        };
        let mut proven: Option<Authenticated> = None;
        for token in &tokens {
            let who = secret.verify(token).map_err(|error| required(error.to_string()))?;
            match &proven {
                Some(first) if first.user.person.id != who.user.person.id => {
                    return Err(required("two tokens of different users".into()));
                }
                Some(_) => {}
                None => proven = Some(who),
            }
        }
        proven.map(|who| (who, agreed)).ok_or_else(|| required("no token".into()))
    }
}

impl Origins {
    /// On a machine of one's own no foreign name leads here: a page that reaches us by one was led astray.
    pub fn allow(&self, origin: Option<&str>, host: &str) -> bool {
        let Some(origin) = origin else { return true };
        match self {
            Origins::Own { loopback: true } if !is_loopback(host) => false,
            Origins::All => true,
            Origins::Listed(listed) => listed.iter().any(|allowed| allowed == origin),
            Origins::Own { loopback } => {
                let Some((scheme, rest)) = origin.split_once("://") else { return false };
                if !matches!(scheme, "http" | "https") || rest.contains(['/', '@', '?', '#']) {
                    return false;
                }
                rest.eq_ignore_ascii_case(host) || (*loopback && is_loopback(rest) && is_loopback(host))
            }
        }
    }
}

fn is_loopback(host_and_port: &str) -> bool {
    let host = match host_and_port.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(host, _)| host),
        None => host_and_port.split_once(':').map_or(host_and_port, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `kulkul, bearer.<jwt>` agrees to `kulkul` and never repeats the token; a lone token is repeated, because the browser
/// that sent it that way would hang up otherwise.
fn tokens_in_protocols<'a>(offered: &[&'a str]) -> (Vec<&'a str>, Option<String>) {
    let spoken = offered.contains(&"kulkul").then(|| "kulkul".to_owned());
    let tokens: Vec<&str> = offered.iter().filter_map(|protocol| protocol.strip_prefix("bearer.")).collect();
    match offered {
        [lone] if tokens.is_empty() && lone.split('.').count() == 3 && lone.starts_with("ey") => {
            (vec![lone], Some((*lone).to_owned()))
        }
        _ => (tokens, spoken),
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn parameters<'a>(query: &'a str, name: &'static str) -> impl Iterator<Item = Cow<'a, str>> {
    let values = query.split('&').filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('='));
    values.map(unescaped)
}

/// What is not valid UTF-8 when unescaped is no token either way, and stays as it is.
fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('%') {
        return Cow::Borrowed(value);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(value), Cow::Owned)
}

fn anybody() -> Authenticated {
    use std::sync::Arc;
    use vocabulary::{Person, User, UserId, Wall};
    let person = Person { id: UserId::new("anybody"), name: "anybody".into() };
    Authenticated {
        user: Arc::new(User { person, role: None, rooms: Some(Vec::new()) }),
        expires: Wall(i64::MAX),
    }
}

/// One answer, and the end of the connection.
pub(crate) fn turned(status: u16, words: &'static str, why: &str) -> Turned {
    let fields: &[(&str, &str)] = if matches!(status, 429 | 503) { &[("Retry-After", "1")] } else { &[] };
    Turned { response: refusal_response(status, fields, words), status, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_ours_by_its_whole_host_and_port() {
        let local = Origins::Own { loopback: true };
        for (origin, host, allowed) in [
            (None, "127.0.0.1:8080", true),
            (Some("http://127.0.0.1:8080"), "127.0.0.1:8080", true),
            (Some("http://rebound.test"), "rebound.test", false),
            (Some("http://localhost:5173"), "127.0.0.1:8080", true),
            (Some("http://[::1]:5173"), "localhost:8080", true),
            (Some("http://127.0.0.1.evil.test"), "127.0.0.1:8080", false),
            (Some("http://localhost:5173"), "example.org", false),
        ] {
            assert_eq!(local.allow(origin, host), allowed, "{origin:?} on {host}");
        }
        let own = Origins::Own { loopback: false };
        for (origin, host, allowed) in [
            (None, "example.org", true),
            (Some("https://example.org"), "example.org", true),
            (Some("https://EXAMPLE.org:8443"), "example.org:8443", true),
            (Some("https://example.org:8443"), "example.org", false),
            (Some("https://example.org.evil.test"), "example.org", false),
            (Some("https://evil.test/example.org"), "example.org", false),
            (Some("https://a@example.org"), "example.org", false),
            (Some("null"), "example.org", false),
            (Some(""), "example.org", false),
            (Some("file://"), "example.org", false),
            (Some("http://localhost:5173"), "localhost:8080", false),
        ] {
            assert_eq!(own.allow(origin, host), allowed, "{origin:?} on {host}");
        }
    }

    #[test]
    fn a_token_in_the_subprotocol_is_repeated_only_where_the_browser_insists() {
        for (offered, tokens, agreed) in [
            (&["kulkul", "bearer.eyJ.a.b"][..], &["eyJ.a.b"][..], Some("kulkul")),
            (&["bearer.eyJ.a.b"], &["eyJ.a.b"], None),
            (&["kulkul", "bearer.eyJ.a.b", "bearer.eyJ.c.d"], &["eyJ.a.b", "eyJ.c.d"], Some("kulkul")),
            (&["eyJh.bbb.ccc"], &["eyJh.bbb.ccc"], Some("eyJh.bbb.ccc")),
            (&["kulkul"], &[], Some("kulkul")),
            (&["graphql-ws"], &[], None),
            (&[], &[], None),
        ] {
            let (found, repeated) = tokens_in_protocols(offered);
            assert_eq!((&found[..], repeated.as_deref()), (tokens, agreed), "{offered:?}");
        }
    }

    #[test]
    fn the_token_is_found_in_the_query_however_it_is_escaped() {
        for (query, tokens) in [
            ("token=a.b.c", &["a.b.c"][..]),
            ("x=1&token=a.b.c&y=2", &["a.b.c"]),
            ("token=a%2Eb%2ec", &["a.b.c"]),
            ("token=a&token=b", &["a", "b"]),
            ("mytoken=a", &[]),
            ("token=%ff", &["%ff"]),
            ("", &[]),
        ] {
            assert_eq!(parameters(query, "token").collect::<Vec<_>>(), tokens, "{query}");
        }
    }
}
