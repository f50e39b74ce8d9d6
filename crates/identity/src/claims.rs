//! What a proven token must say, and whom it names.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use session::Authenticated;
use vocabulary::{Person, User, UserId, Wall, check_user};

use crate::Unverified;

/// A longer name is cut: it stands in every list that its bearer is in.
const NAME_CHARS_MAX: usize = 100;
/// Whole numbers beyond this are not exact where tokens are made.
const SECONDS_MAX: u64 = 1 << 53;

/// What is asked of every token, whichever key proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    pub issuer: Option<String>,
    pub audience: Option<String>,
    /// Clocks of those who make tokens and ours may differ by this. The same at the door and on the live socket.
    pub leeway: Duration,
    /// Where the user's id stands. Of several that are there all must name the same.
    pub user_claims: Vec<String>,
    /// The first that is there.
    pub name_claims: Vec<String>,
    pub role_claim: String,
    pub rooms_claim: String,
    /// A text, or a list of them.
    pub groups_claim: String,
}

impl Default for TokenRules {
    fn default() -> TokenRules {
        TokenRules {
            issuer: None,
            audience: None,
            leeway: Duration::from_secs(4),
            user_claims: vec!["user_id".into(), "sub".into()],
            name_claims: vec!["name".into(), "username".into()],
            role_claim: "role".into(),
            rooms_claim: "rooms".into(),
            groups_claim: "department_id".into(),
        }
    }
}

impl TokenRules {
    /// `issuer` is the one that the key is for, if it is for one.
    pub(crate) fn read(
        &self,
        now: Wall,
        issuer: Option<&str>,
        claims: &Map<String, Value>,
    ) -> Result<Authenticated, Unverified> {
        let expires = seconds(claims, "exp")?.ok_or(Unverified::Claim("exp is missing"))?;
        let expires = expires + self.leeway;
        if expires <= now {
            return Err(Unverified::Claim("the token has ended"));
        }
        if seconds(claims, "nbf")?.is_some_and(|from| from > now + self.leeway) {
            return Err(Unverified::Claim("the token is not valid yet"));
        }
        let issued = seconds(claims, "iat")?;
        if issued.is_some_and(|issued| issued > now + self.leeway) {
            return Err(Unverified::Claim("the token was made in the future"));
        }
        for issuer in [issuer, self.issuer.as_deref()].into_iter().flatten() {
            if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
                return Err(Unverified::Claim("the token is of another issuer"));
            }
        }
        if !self.is_for_us(claims) {
            return Err(Unverified::Claim("the token is for another audience"));
        }
        let token = match claims.get("jti") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.as_str().into()),
            Some(_) => return Err(Unverified::Claim("jti is no text")),
        };
        let user = Arc::new(self.user(claims)?);
        Ok(Authenticated { user, expires, issued: issued.unwrap_or(Wall(0)), token })
    }

    fn is_for_us(&self, claims: &Map<String, Value>) -> bool {
        let Some(wanted) = &self.audience else { return true };
        match claims.get("aud") {
            Some(Value::String(audience)) => audience == wanted,
            Some(Value::Array(audiences)) => audiences.iter().any(|it| it.as_str() == Some(wanted)),
            Some(_) | None => false,
        }
    }

    fn user(&self, claims: &Map<String, Value>) -> Result<User, Unverified> {
        let mut id: Option<String> = None;
        for claim in &self.user_claims {
            match (text(claims, claim)?, &id) {
                (Some(other), Some(id)) if other != *id => {
                    return Err(Unverified::Claim("its claims name different users"));
                }
                (Some(found), None) => id = Some(found),
                (Some(_), Some(_)) | (None, _) => {}
            }
        }
        let id = id.ok_or(Unverified::Claim("no claim names a user"))?;
        check_user(&id).map_err(|_| {
            Unverified::Claim("the user id must be 1 to 128 bytes without control characters")
        })?;
        let mut name = None;
        for claim in &self.name_claims {
            if name.is_none() {
                name = text(claims, claim)?;
            }
        }
        let names = [name.as_deref().unwrap_or_default(), &id].map(shown);
        let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| id.clone()).into();
        let role = text(claims, &self.role_claim)?.map(Arc::from);
        let person = Person { id: UserId::new(&id), name };
        Ok(User { person, role, rooms: self.rooms(claims)?, groups: self.groups(claims)? })
    }

    fn rooms(&self, claims: &Map<String, Value>) -> Result<Option<Vec<Arc<str>>>, Unverified> {
        match claims.get(&self.rooms_claim) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(patterns)) => {
                let pattern = |value: &Value| value.as_str().map(Arc::from);
                let patterns = patterns.iter().map(pattern).collect::<Option<Vec<Arc<str>>>>();
                patterns.map(Some).ok_or(Unverified::Claim("rooms must be a list of texts"))
            }
            Some(_) => Err(Unverified::Claim("rooms must be a list of texts")),
        }
    }

    fn groups(&self, claims: &Map<String, Value>) -> Result<Option<Vec<Arc<str>>>, Unverified> {
        let groups = match claims.get(&self.groups_claim) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(groups)) => groups.iter().map(one).collect::<Option<Vec<Arc<str>>>>(),
            Some(one_of_them) => one(one_of_them).map(|group| vec![group]),
        };
        groups.map(Some).ok_or(Unverified::Claim("groups must be a text, a whole number, or a list of these"))
    }
}

/// Departments are rows of a table elsewhere, and rows have numbers.
fn one(group: &Value) -> Option<Arc<str>> {
    match group {
        Value::String(group) => Some(group.as_str().into()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string().into()),
        _ => None,
    }
}

/// A time in whole seconds since 1970. A time of another kind is none: to take it for absent would make a token eternal.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<Wall>, Unverified> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(seconds) if seconds <= SECONDS_MAX => Ok(Some(Wall(seconds as i64 * 1000))),
            Some(_) | None => Err(Unverified::Claim("exp, nbf and iat must be whole seconds since 1970")),
        },
    }
}

/// A name as others may be shown it: one line, of bounded length, that cannot turn the text around it.
fn shown(name: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}');
    let kept = name.chars().filter(|c| !c.is_control() && !turns(*c));
    kept.take(NAME_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// A claim as text; ids are often numbers elsewhere.
fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Unverified> {
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

    fn read(json: &str) -> Result<Authenticated, Unverified> {
        let claims = serde_json::from_str(json).expect("a table of JSON objects");
        TokenRules::default().read(Wall(1_767_261_600_000), None, &claims)
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
            let who = read(json).expect(json);
            assert_eq!((who.user.person.id.as_str(), &*who.user.person.name), (id, name), "{json}");
        }
    }

    #[test]
    fn groups_are_one_or_several() {
        for (claim, groups) in [
            ("", None),
            (r#""department_id":null,"#, None),
            (r#""department_id":"licences","#, Some(vec!["licences"])),
            (r#""department_id":7,"#, Some(vec!["7"])),
            (r#""department_id":["a",7,"*"],"#, Some(vec!["a", "7", "*"])),
            (r#""department_id":[],"#, Some(vec![])),
        ] {
            let who = read(&format!(r#"{{{claim}"sub":"7","exp":9999999999}}"#)).expect(claim);
            let read = who.user.groups.as_ref().map(|groups| groups.iter().map(|group| &**group).collect());
            assert_eq!(read, groups, "{claim}");
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
            r#"{"sub":"7","department_id":{"id":7},"exp":9999999999}"#,
            r#"{"sub":"7","department_id":[7.5],"exp":9999999999}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    /// The clock of the table stands at 1767261600 s.
    #[test]
    fn times_are_whole_seconds_and_the_leeway_is_the_same_for_all() {
        for (json, good) in [
            (r#"{"sub":"7","exp":1767261600}"#, true),
            (r#"{"sub":"7","exp":1767261597}"#, true),
            (r#"{"sub":"7","exp":1767261596}"#, false),
            (r#"{"sub":"7"}"#, false),
            (r#"{"sub":"7","exp":null}"#, false),
            (r#"{"sub":"7","exp":"9999999999"}"#, false),
            (r#"{"sub":"7","exp":1767265200.5}"#, false),
            (r#"{"sub":"7","exp":-1}"#, false),
            (r#"{"sub":"7","exp":9223372036854775808}"#, false),
            (r#"{"sub":"7","exp":[9999999999]}"#, false),
            (r#"{"sub":"7","exp":9999999999,"nbf":1767261604}"#, true),
            (r#"{"sub":"7","exp":9999999999,"nbf":1767261605}"#, false),
            (r#"{"sub":"7","exp":9999999999,"nbf":"soon"}"#, false),
            (r#"{"sub":"7","exp":9999999999,"iat":1767261605}"#, false),
            (r#"{"sub":"7","exp":9999999999,"iat":1767261600,"jti":"t-1"}"#, true),
            (r#"{"sub":"7","exp":9999999999,"jti":1}"#, false),
        ] {
            assert_eq!(read(json).is_ok(), good, "{json}: {:?}", read(json));
        }
    }

    #[test]
    fn a_token_for_somebody_else_is_none_for_us() {
        let rules = TokenRules {
            issuer: Some("https://login.example".into()),
            audience: Some("kulkul".into()),
            ..TokenRules::default()
        };
        for (json, good) in [
            (r#"{"sub":"7","exp":9999999999,"iss":"https://login.example","aud":"kulkul"}"#, true),
            (r#"{"sub":"7","exp":9999999999,"iss":"https://login.example","aud":["a","kulkul"]}"#, true),
            (r#"{"sub":"7","exp":9999999999,"iss":"https://login.example","aud":["a"]}"#, false),
            (r#"{"sub":"7","exp":9999999999,"iss":"https://login.example"}"#, false),
            (r#"{"sub":"7","exp":9999999999,"aud":"kulkul"}"#, false),
            (r#"{"sub":"7","exp":9999999999,"iss":"https://login.example.evil","aud":"kulkul"}"#, false),
            (r#"{"sub":"7","exp":9999999999,"iss":["https://login.example"],"aud":"kulkul"}"#, false),
        ] {
            let claims = serde_json::from_str(json).expect("a table of JSON objects");
            assert_eq!(rules.read(Wall(0), None, &claims).is_ok(), good, "{json}");
        }
    }
}
