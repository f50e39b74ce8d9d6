//! A request head taken apart. Knows HTTP, not WebSocket, except for what marks a request as meant for one.

use super::{FIELDS_MAX, Refusal};

/// Has no `Debug`, because it may hold tokens.
pub struct Request<'a> {
    pub method: &'a str,
    pub target: &'a str,
    /// Of HTTP/1: 0 or 1.
    pub minor_version: u8,
    pub fields: Vec<Field<'a>>,
    /// What follows the head in the received bytes begins here.
    pub head_bytes: usize,
}

#[derive(Clone, Copy)]
pub struct Field<'a> {
    pub name: &'a str,
    /// May hold any byte but control characters.
    pub value: &'a [u8],
}

impl<'a> Request<'a> {
    /// Of a head that is known to be complete.
    pub(super) fn parse(head: &'a [u8]) -> Result<Request<'a>, Refusal> {
        let mut storage = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut storage);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(end)) if end == head.len() => {}
            Ok(_) => return Err(Refusal::Malformed),
            Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooManyFields),
            Err(httparse::Error::Version) => return Err(Refusal::HttpVersion),
            Err(_) => return Err(Refusal::Malformed),
        }
        let (Some(method), Some(target), Some(minor_version)) = (parsed.method, parsed.path, parsed.version)
        else {
            return Err(Refusal::Malformed);
        };
        let fields =
            parsed.headers.iter().map(|field| Field { name: field.name, value: field.value }).collect();
        Ok(Request { method, target, minor_version, fields, head_bytes: head.len() })
    }

    /// An absolute path, and what follows its question mark.
    pub fn path_and_query(&self) -> Result<(&'a str, Option<&'a str>), Refusal> {
        let (path, query) =
            self.target.split_once('?').map_or((self.target, None), |(path, query)| (path, Some(query)));
        if !path.starts_with('/') || !self.target.is_ascii() || self.target.contains('#') {
            return Err(Refusal::Target);
        }
        Ok((path, query))
    }

    /// The values of a field, a line each. Names are compared as HTTP does, without case.
    pub fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// As text, for fields whose every legal value is ASCII.
    pub(super) fn texts<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Result<&'a str, Refusal>> + 's {
        self.values(name).map(|value| match str::from_utf8(value) {
            Ok(text) if text.is_ascii() => Ok(text.trim_ascii()),
            Ok(_) | Err(_) => Err(Refusal::FieldNotAscii),
        })
    }

    /// The value of a field that may stand only once.
    pub(super) fn one(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let mut texts = self.texts(name);
        let first = texts.next().transpose()?;
        if texts.next().is_some() { Err(Refusal::FieldTwice) } else { Ok(first) }
    }

    /// Whether one of the comma-separated words of a field is this one.
    pub(super) fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Any sign that a client means a WebSocket; then a mistake is refused rather than served as a page.
    pub(super) fn wants_websocket(&self) -> bool {
        self.has_token("upgrade", "websocket")
            || self.values("sec-websocket-key").next().is_some()
            || self.values("sec-websocket-version").next().is_some()
    }

    /// Some clients say `Content-Length: 0` of a GET, once; anything more is an attempt to hide a second
    /// request.
    pub(super) fn has_body(&self) -> bool {
        let mut lengths = self.values("content-length");
        let length_is_harmless = match (lengths.next(), lengths.next()) {
            (None, _) | (Some(b"0"), None) => true,
            (Some(_), _) => false,
        };
        !length_is_harmless || self.values("transfer-encoding").next().is_some()
    }
}
