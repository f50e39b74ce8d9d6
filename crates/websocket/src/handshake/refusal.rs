//! Why a head gets no WebSocket, and the one response that says so. Never tells what the client sent.

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Malformed,
    HeadTooLarge,
    TooManyFields,
    FieldNotAscii,
    FieldTwice,
    MethodNotAllowed,
    HttpVersion,
    HasBody,
    Host,
    NoConnectionUpgrade,
    NoUpgradeWebSocket,
    Version,
    Key,
    Target,
    Protocols,
}

impl Refusal {
    pub fn status(self) -> u16 {
        match self {
            Refusal::MethodNotAllowed => 405,
            Refusal::Version => 426,
            Refusal::HeadTooLarge | Refusal::TooManyFields => 431,
            Refusal::HttpVersion => 505,
            Refusal::Malformed
            | Refusal::FieldNotAscii
            | Refusal::FieldTwice
            | Refusal::HasBody
            | Refusal::Host
            | Refusal::NoConnectionUpgrade
            | Refusal::NoUpgradeWebSocket
            | Refusal::Key
            | Refusal::Target
            | Refusal::Protocols => 400,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Refusal::Malformed => "the request is malformed",
            Refusal::HeadTooLarge => "the request head is too large",
            Refusal::TooManyFields => "the request has too many header fields",
            Refusal::FieldNotAscii => "a header field holds more than ASCII",
            Refusal::FieldTwice => "a header field that may stand once stands twice",
            Refusal::MethodNotAllowed => "a WebSocket begins with GET",
            Refusal::HttpVersion => "a WebSocket begins with HTTP/1.1",
            Refusal::HasBody => "the request must not have a body",
            Refusal::Host => "exactly one valid Host is needed",
            Refusal::NoConnectionUpgrade => "Connection must name upgrade",
            Refusal::NoUpgradeWebSocket => "Upgrade must be websocket",
            Refusal::Version => "Sec-WebSocket-Version must be 13",
            Refusal::Key => "Sec-WebSocket-Key must be 16 bytes in base64",
            Refusal::Target => "the target must be an absolute path",
            Refusal::Protocols => "Sec-WebSocket-Protocol must be a list of tokens",
        }
    }

    /// The whole response; the connection closes after it.
    pub fn response(self) -> Vec<u8> {
        let fields: &[(&str, &str)] = match self.status() {
            405 => &[("Allow", "GET")],
            426 => &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", super::VERSION)],
            _ => &[],
        };
        refusal_response(self.status(), fields, self.words())
    }
}

/// The response of a caller who refuses for reasons of its own. Fields and words are ours or our back end's, never a client's.
pub fn refusal_response(status: u16, fields: &[(&str, &str)], words: &str) -> Vec<u8> {
    debug_assert!(!words.contains(char::is_control), "words that would break the body");
    let words = words.replace('\\', "\\\\").replace('"', "\\\"");
    with_body(status, fields, &format!("{{\"error\":\"{words}\"}}"))
}

/// The same for a request that says something wrong in one place, which is named.
pub fn refusal_of_field(status: u16, words: &str, field: &str) -> Vec<u8> {
    debug_assert!(!words.contains(['"', '\\']) && !field.contains(['"', '\\']), "what would break the body");
    with_body(status, &[], &format!("{{\"error\":\"{words}\",\"field\":\"{field}\"}}"))
}

/// The same in a client protocol's own words, which are JSON.
pub fn refusal_in_words(status: u16, fields: &[(&str, &str)], words: &str) -> Vec<u8> {
    with_body(status, fields, words)
}

fn with_body(status: u16, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let connection = if status == 426 { "close, Upgrade" } else { "close" };
    let mut out = format!("HTTP/1.1 {status} {}\r\nConnection: {connection}\r\n", phrase(status));
    for (name, value) in fields {
        debug_assert!(!value.contains(['\r', '\n']), "a value that would break the head");
        out.push_str(name);
        out.push_str(": ");
        out.push_str(value);
        out.push_str("\r\n");
    }
    out.push_str("Content-Type: application/json\r\nContent-Length: ");
    out.push_str(&body.len().to_string());
    out.push_str("\r\n\r\n");
    out.push_str(body);
    out.into_bytes()
}

/// Of those that a handshake ends with; a client goes by the number.
fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Refused",
    }
}
