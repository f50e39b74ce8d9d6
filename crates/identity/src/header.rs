//! A token taken apart: its three parts, and what its header says. The algorithm that stands there chooses nothing; it is
//! only compared with the key's own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::strict::StrictObject;
use crate::{TOKEN_BYTES_MAX, Unverified};

pub(crate) struct Parts<'a> {
    /// Header and claims as they were signed.
    pub signed: &'a str,
    pub signature: &'a str,
    pub claims: Map<String, Value>,
    pub algorithm: String,
    pub key: Option<String>,
}

impl<'a> Parts<'a> {
    pub(crate) fn is_of(&self, issuer: &str) -> bool {
        self.claims.get("iss").and_then(Value::as_str) == Some(issuer)
    }

    pub(crate) fn of(token: &'a str) -> Result<Parts<'a>, Unverified> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Unverified::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Unverified::Malformed("not three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(Unverified::Malformed("not three parts"))?;
        if claims.contains('.') {
            return Err(Unverified::Malformed("not three parts"));
        }
        let header = object(header).ok_or(Unverified::Malformed("the header is no object in base64"))?;
        let claims = object(claims).ok_or(Unverified::Malformed("the claims are no object in base64"))?;
        // What a header calls critical must be understood or refused, and we understand none.
        if header.contains_key("crit") {
            return Err(Unverified::Malformed("the header has critical extensions"));
        }
        match header.get("typ") {
            None => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case("jwt") => {}
            Some(Value::String(kind)) if kind.eq_ignore_ascii_case("at+jwt") => {}
            Some(_) => return Err(Unverified::Malformed("its type is another")),
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(algorithm)) => algorithm.clone(),
            Some(_) | None => return Err(Unverified::Malformed("no algorithm")),
        };
        let key = match header.get("kid") {
            None => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => return Err(Unverified::Malformed("the key's id is no text")),
        };
        Ok(Parts { signed, signature, claims, algorithm, key })
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    let StrictObject(object) = serde_json::from_slice(&bytes).ok()?;
    Some(object)
}
