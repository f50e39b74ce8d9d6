//! Tokens: what they say once their signature is proven. HS256 with the deployment's secret.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Map, Value};
use session::Authenticated;
use vocabulary::{Person, User, UserId, Wall, check_user};

/// Tokens longer than this are refused unread.
const TOKEN_BYTES_MAX: usize = 8 << 10;
/// Clocks of those who make tokens and ours may differ by this.
const LEEWAY_SECONDS: u64 = 5;
/// A longer name is cut: it stands in every list that its bearer is in.
const NAME_CHARS_MAX: usize = 100;
/// Shorter keys can be guessed offline from one token.
const SECRET_BYTES_MIN: usize = 32;

/// The key that signs and proves tokens. Never printed.
#[derive(Clone)]
pub struct Secret {
    sign: EncodingKey,
    prove: DecodingKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretError {
    TooShort,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a secret must be at least {SECRET_BYTES_MIN} bytes")
    }
}

/// Why a token proves nothing. For our log; the peer learns only that authentication is required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unverified {
    TooLong,
    Token(String),
    Claim(&'static str),
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unverified::TooLong => write!(f, "longer than {TOKEN_BYTES_MAX} bytes"),
            Unverified::Token(error) => f.write_str(error),
            Unverified::Claim(error) => f.write_str(error),
        }
    }
}

/// What a token that we make says.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Claims {
    pub sub: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<String>,
    pub iat: i64,
    pub exp: i64,
}

impl Secret {
    pub fn new(bytes: &[u8]) -> Result<Secret, SecretError> {
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(SecretError::TooShort);
        }
        Ok(Secret { sign: EncodingKey::from_secret(bytes), prove: DecodingKey::from_secret(bytes) })
    }

    pub fn sign(&self, claims: &Claims) -> Result<String, String> {
        encode(&Header::new(Algorithm::HS256), claims, &self.sign).map_err(|error| error.to_string())
    }

    /// The algorithm is the key's, never the token's choice; a token without an end is none.
    pub fn verify(&self, token: &str) -> Result<Authenticated, Unverified> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Unverified::TooLong);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp"]);
        let proven = decode::<Map<String, Value>>(token, &self.prove, &validation)
            .map_err(|error| Unverified::Token(error.to_string()))?;
        authenticated(&proven.claims)
    }
}

fn authenticated(claims: &Map<String, Value>) -> Result<Authenticated, Unverified> {
    let id = match (text(claims, "user_id")?, text(claims, "sub")?) {
        (Some(user), Some(subject)) if user != subject => {
            return Err(Unverified::Claim("user_id and sub name different users"));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => return Err(Unverified::Claim("neither user_id nor sub")),
    };
    check_user(&id)
        .map_err(|_| Unverified::Claim("the user id must be 1 to 128 bytes without control characters"))?;
    let name = text(claims, "name")?.or(text(claims, "username")?);
    let name = name.map(|name| shown(&name)).filter(|name| !name.is_empty());
    let name: Arc<str> = name.unwrap_or_else(|| id.clone()).into();
    let rooms = match claims.get("rooms") {
        None | Some(Value::Null) => None,
        Some(Value::Array(patterns)) => {
            let pattern = |value: &Value| value.as_str().map(Arc::from);
            let patterns = patterns.iter().map(pattern).collect::<Option<Vec<Arc<str>>>>();
            Some(patterns.ok_or(Unverified::Claim("rooms must be a list of texts"))?)
        }
        Some(_) => return Err(Unverified::Claim("rooms must be a list of texts")),
    };
    let expires =
        claims.get("exp").and_then(Value::as_f64).ok_or(Unverified::Claim("exp must be a number"))?;
    // The same leeway at the door and on the live socket.
    let expires = Wall((expires.clamp(0.0, 9e12) * 1000.0) as i64) + Duration::from_secs(LEEWAY_SECONDS);
    let role = text(claims, "role")?.map(Arc::from);
    let person = Person { id: UserId::new(&id), name };
    Ok(Authenticated { user: Arc::new(User { person, role, rooms }), expires })
}

/// A name as others may be shown it: one line, of bounded length, that cannot turn the text around it.
fn shown(name: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let kept = name.chars().filter(|c| !c.is_control() && !turns(*c));
    kept.take(NAME_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// A claim as text; ids are often numbers elsewhere.
fn text(claims: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Unverified> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        // A number beyond 64 bits has lost digits before we saw it, and two users would become one.
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
        Some(_) => Err(Unverified::Claim(
            "a claim that names somebody is neither text nor a whole number of 64 bits",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).expect("a table of JSON objects")
    }

    fn secret() -> Secret {
        Secret::new(&[7; 32]).expect("long enough")
    }

    fn signed(header: &Header, json: &str) -> String {
        encode(header, &claims(json), &EncodingKey::from_secret(&[7; 32])).expect("signable")
    }

    #[test]
    fn claims_name_the_user_in_every_agreed_way() {
        for (json, id, name) in [
            (r#"{"user_id":7,"exp":9999999999}"#, "7", "7"),
            (r#"{"sub":"7","name":"Ana","exp":9999999999}"#, "7", "Ana"),
            (r#"{"user_id":"7","sub":7,"username":"ana","exp":9999999999}"#, "7", "ana"),
            (r#"{"sub":"7","name":"Ana","username":"ana","exp":9999999999}"#, "7", "Ana"),
            (r#"{"sub":"7","name":" A\u0000n\u202ea ","exp":9999999999}"#, "7", "Ana"),
            (r#"{"sub":"7","name":"\n","exp":9999999999}"#, "7", "7"),
            (
                r#"{"user_id":18446744073709551615,"exp":9999999999}"#,
                "18446744073709551615",
                "18446744073709551615",
            ),
        ] {
            let who = authenticated(&claims(json)).expect(json);
            assert_eq!((who.user.person.id.as_str(), &*who.user.person.name), (id, name), "{json}");
        }
    }

    #[test]
    fn claims_that_do_not_name_one_user_are_refused() {
        for json in [
            r#"{"exp":9999999999}"#,
            r#"{"user_id":"7","sub":"8","exp":9999999999}"#,
            r#"{"sub":"","exp":9999999999}"#,
            r#"{"sub":{"a":1},"exp":9999999999}"#,
            r#"{"sub":7.5,"exp":9999999999}"#,
            r#"{"sub":1180591620717411303424,"exp":9999999999}"#,
            r#"{"sub":"a\nb","exp":9999999999}"#,
            r#"{"sub":"7","rooms":"all","exp":9999999999}"#,
        ] {
            assert!(authenticated(&claims(json)).is_err(), "{json}");
        }
    }

    #[test]
    fn only_our_own_algorithm_and_a_numeric_end_are_accepted() {
        let (secret, hs256) = (secret(), Header::new(Algorithm::HS256));
        assert!(secret.verify(&signed(&hs256, r#"{"sub":"7","exp":9999999999}"#)).is_ok());
        for (header, json) in [
            (&hs256, r#"{"sub":"7"}"#),
            (&hs256, r#"{"sub":"7","exp":1}"#),
            (&hs256, r#"{"sub":"7","exp":"9999999999"}"#),
            (&hs256, r#"{"sub":"7","exp":9999999999,"nbf":9999999998}"#),
            (&Header::new(Algorithm::HS512), r#"{"sub":"7","exp":9999999999}"#),
        ] {
            assert!(secret.verify(&signed(header, json)).is_err(), "{json} with {:?}", header.alg);
        }
        let token = signed(&hs256, r#"{"sub":"7","exp":9999999999}"#);
        let (unsigned, _) = token.rsplit_once('.').expect("three parts");
        for forged in
            [format!("{unsigned}."), unsigned.to_owned(), "a.b.c".into(), String::new(), "x".repeat(9000)]
        {
            assert!(secret.verify(&forged).is_err(), "{forged}");
        }
    }

    #[test]
    fn a_short_secret_is_none() {
        assert_eq!(Secret::new(b"short").err(), Some(SecretError::TooShort));
    }
}
