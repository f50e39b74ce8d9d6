//! From a request head to a WebSocket, or to the one response that says why not (RFC 6455, 4). Never reads a
//! body, never routes, never authenticates: it says what was asked for, and the caller decides.
//!
//! Strict where leniency lets a proxy and us see different requests: one `Host`, no body, line ends in full,
//! an absolute path as the target. After anything but a 101 the connection must close.

pub mod client;
mod extensions;
mod key;
mod refusal;
mod request;

pub use extensions::Agreed;
pub use key::Key;
pub use refusal::{Refusal, refusal_in_words, refusal_of_field, refusal_response};
pub use request::{Field, Request};

/// A head that is larger is refused: browsers with a token and cookies stay well below.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// A head with more fields is refused.
pub const FIELDS_MAX: usize = 64;

const VERSION: &str = "13";

/// Finds the end of a head that arrives in pieces. It remembers how far it has looked, so that a head sent
/// byte by byte costs no more than one sent at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader {
    searched: usize,
}

/// Not for logs, like all that a request says: it may hold tokens. So none of it has a `Debug`.
pub enum Head<'a> {
    Incomplete,
    /// Well-formed, but asks for no WebSocket: for an HTTP stack to go on with.
    NotAnUpgrade(Request<'a>),
    Upgrade(Upgrade<'a>),
    Refused(Refusal),
}

/// A request for a WebSocket in which everything RFC 6455 asks for holds.
pub struct Upgrade<'a> {
    pub path: &'a str,
    /// Without its question mark.
    pub query: Option<&'a str>,
    pub host: &'a str,
    pub origin: Option<&'a str>,
    /// As offered, in the client's order.
    pub protocols: Vec<&'a str>,
    pub authorization: Option<&'a str>,
    pub key: Key,
    /// The offers, a header line each, not taken apart; for [`Agreed::on`].
    pub extensions: Vec<&'a [u8]>,
    /// Every field, for what the caller wants beyond the above, and where the first frame begins.
    pub request: Request<'a>,
}

/// A request for something that is to be read, in which what HTTP asks of one holds.
pub struct Get<'a> {
    pub path: &'a str,
    /// Without its question mark.
    pub query: Option<&'a str>,
    /// Empty where HTTP/1.0 said none.
    pub host: &'a str,
    pub origin: Option<&'a str>,
    pub authorization: Option<&'a str>,
}

impl<'a> Get<'a> {
    /// Nothing if it asks for anything else.
    pub fn of(request: &Request<'a>) -> Option<Result<Get<'a>, Refusal>> {
        (request.method == "GET").then(|| Get::parse(request))
    }

    fn parse(request: &Request<'a>) -> Result<Get<'a>, Refusal> {
        if request.has_body() {
            return Err(Refusal::HasBody);
        }
        let host = match request.one("host")? {
            None if request.minor_version == 0 => "",
            host => host.filter(|host| is_host(host)).ok_or(Refusal::Host)?,
        };
        let (path, query) = request.path_and_query()?;
        let (origin, authorization) = (request.one("origin")?, request.one("authorization")?);
        Ok(Get { path, query, host, origin, authorization })
    }
}

impl Reader {
    /// `received` is everything since the connection was opened, or since the end of the last request.
    pub fn read<'a>(&mut self, received: &'a [u8]) -> Head<'a> {
        match self.find_end(received) {
            Ok(None) => Head::Incomplete,
            Ok(Some(end)) => match Request::parse(&received[..end]) {
                Ok(request) if request.wants_websocket() => match Upgrade::of(request) {
                    Ok(upgrade) => Head::Upgrade(upgrade),
                    Err(refusal) => Head::Refused(refusal),
                },
                Ok(request) => Head::NotAnUpgrade(request),
                Err(refusal) => Head::Refused(refusal),
            },
            Err(refusal) => Head::Refused(refusal),
        }
    }

    fn find_end(&mut self, received: &[u8]) -> Result<Option<usize>, Refusal> {
        let searchable = &received[..received.len().min(HEAD_BYTES_MAX)];
        while let Some(found) =
            searchable[self.searched.min(searchable.len())..].iter().position(|&b| b == b'\n')
        {
            let end = self.searched + found + 1;
            self.searched = end;
            let head = &searchable[..end];
            // A line that ends in a bare LF is where parsers disagree about what follows.
            if !head.ends_with(b"\r\n") {
                return Err(Refusal::Malformed);
            }
            if head.ends_with(b"\r\n\r\n") {
                return Ok(Some(end));
            }
        }
        self.searched = searchable.len();
        if received.len() >= HEAD_BYTES_MAX { Err(Refusal::HeadTooLarge) } else { Ok(None) }
    }
}

impl<'a> Upgrade<'a> {
    fn of(request: Request<'a>) -> Result<Upgrade<'a>, Refusal> {
        if request.method != "GET" {
            return Err(Refusal::MethodNotAllowed);
        }
        if request.minor_version != 1 {
            return Err(Refusal::HttpVersion);
        }
        if request.has_body() {
            return Err(Refusal::HasBody);
        }
        let host = request.one("host")?.filter(|host| is_host(host)).ok_or(Refusal::Host)?;
        if !request.has_token("connection", "upgrade") {
            return Err(Refusal::NoConnectionUpgrade);
        }
        if !request.one("upgrade")?.is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
            return Err(Refusal::NoUpgradeWebSocket);
        }
        if request.one("sec-websocket-version")? != Some(VERSION) {
            return Err(Refusal::Version);
        }
        let key = request.one("sec-websocket-key")?.and_then(Key::parse).ok_or(Refusal::Key)?;
        let (path, query) = request.path_and_query()?;
        Ok(Upgrade {
            path,
            query,
            host,
            origin: request.one("origin")?,
            protocols: protocols(&request)?,
            authorization: request.one("authorization")?,
            key,
            extensions: request.values("sec-websocket-extensions").collect(),
            request,
        })
    }
}

/// The answer after which frames follow. `protocol` is one that the client offered, and so is what was agreed on.
pub fn response_101(key: Key, protocol: Option<&str>, agreed: Option<Agreed>) -> Vec<u8> {
    let mut out = String::with_capacity(320);
    out.push_str("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    out.push_str("Sec-WebSocket-Accept: ");
    out.push_str(&accept_key(key));
    if let Some(protocol) = protocol {
        debug_assert!(is_token(protocol), "a subprotocol that would break the head");
        out.push_str("\r\nSec-WebSocket-Protocol: ");
        out.push_str(protocol);
    }
    if let Some(agreed) = agreed {
        out.push_str("\r\nSec-WebSocket-Extensions: ");
        out.push_str(&agreed.to_string());
    }
    out.push_str("\r\n\r\n");
    out.into_bytes()
}

/// What proves to the client that the server has read its key.
pub fn accept_key(key: Key) -> String {
    key.accept()
}

fn protocols<'a>(request: &Request<'a>) -> Result<Vec<&'a str>, Refusal> {
    let mut protocols = Vec::new();
    for line in request.texts("sec-websocket-protocol") {
        // A list may have empty elements (RFC 9110, 5.6.1.2).
        for protocol in line?.split(',').map(str::trim_ascii).filter(|protocol| !protocol.is_empty()) {
            if !is_token(protocol) {
                return Err(Refusal::Protocols);
            }
            protocols.push(protocol);
        }
    }
    Ok(protocols)
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Enough that it cannot be taken for anything but a host and a port; which hosts are ours, the caller knows.
fn is_host(text: &str) -> bool {
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(&byte);
    !text.is_empty() && text.bytes().all(is_host_byte)
}
