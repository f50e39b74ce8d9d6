//! A question to the team's own back end as it travels, and what an answer says. It reaches for no socket.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use vocabulary::{Deed, Petition, RoomId, Ruling, User, UserId, Wall};

/// What is asked, without what changes from one asking to the next: whoever asks the same is answered the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// A JSON object.
    pub text: Arc<str>,
    pub user: UserId,
    /// The client's own, of the message that made us ask.
    pub id: Option<Arc<str>>,
}

#[derive(Serialize)]
struct Body<'a> {
    ask: &'a str,
    user: Whose<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    address: IpAddr,
}

#[derive(Serialize)]
struct Whose<'a> {
    id: &'a str,
    name: &'a str,
    role: Option<&'a str>,
}

impl Question {
    pub(crate) fn connect(user: &User, address: IpAddr) -> Question {
        Question::of("connect", user, None, None, address)
    }

    pub(crate) fn petition(petition: &Petition, address: IpAddr) -> Question {
        let (user, room) = (&*petition.user, Some(&petition.room));
        match &petition.deed {
            Deed::Join => Question::of("join", user, room, None, address),
            Deed::Publish { kind, id } => {
                Question { id: id.clone(), ..Question::of("publish", user, room, Some(kind), address) }
            }
        }
    }

    fn of(ask: &str, user: &User, room: Option<&RoomId>, kind: Option<&str>, address: IpAddr) -> Question {
        let whose =
            Whose { id: user.person.id.as_str(), name: &user.person.name, role: user.role.as_deref() };
        let room = room.map(RoomId::as_str);
        let body = Body { ask, user: whose, room, kind, address: address.to_canonical() };
        // Texts and nothing else: it cannot fail.
        let text = serde_json::to_string(&body).unwrap_or_default();
        Question { text: text.into(), user: user.person.id.clone(), id: None }
    }

    /// With the time, so that what was signed once is not good for ever.
    pub(crate) fn body(&self, now: Wall) -> String {
        let id = self.id.as_deref().and_then(|id| serde_json::to_string(id).ok());
        let id = id.map(|id| format!(",\"id\":{id}")).unwrap_or_default();
        let open = self.text.strip_suffix('}').unwrap_or(&self.text);
        format!("{open}{id},\"at\":{}}}", now.0)
    }
}

/// As the header says it.
pub fn signature(secret: &[u8], body: &[u8]) -> String {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// Longer answers are none.
pub(crate) const ANSWER_BYTES_MAX: u64 = 16 << 10;
/// Of a reason, in characters: a line for a person.
const REASON_MAX: usize = 200;
/// Nothing is known for longer, whatever an answer says.
pub(crate) const KNOWN_MAX: Duration = Duration::from_secs(600);
/// Where a back end gives no reason.
const REFUSED: &str = "not allowed";

#[derive(Deserialize)]
struct Answer {
    allow: bool,
    reason: Option<String>,
    cache_seconds: Option<f64>,
}

/// What it says, and for how long, if it says so.
pub(crate) fn answer(body: &[u8]) -> Result<(Ruling, Option<Duration>), String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| format!("its answer: {error}"))?;
    let known = match answer.cache_seconds {
        None => None,
        Some(seconds) if seconds >= 0.0 => {
            Some(Duration::from_secs_f64(seconds.min(KNOWN_MAX.as_secs_f64())))
        }
        Some(seconds) => return Err(format!("its answer: cache_seconds = {seconds} is below 0")),
    };
    if answer.allow {
        return Ok((Ruling::Allowed, known));
    }
    let given = answer.reason.unwrap_or_default();
    let reason: String = given.chars().filter(|char| !char.is_control()).take(REASON_MAX).collect();
    let reason = if reason.trim().is_empty() { REFUSED.to_owned() } else { reason };
    Ok((Ruling::Refused(reason.into()), known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::Person;

    fn user() -> User {
        User {
            person: Person { id: UserId::new("7"), name: "Ana \"A\"".into() },
            role: None,
            rooms: None,
            groups: None,
        }
    }

    #[test]
    fn the_same_question_has_the_same_text_whenever_it_is_asked() {
        let address = IpAddr::from([10, 0, 0, 1]);
        let deed = |id: &str| Deed::Publish { kind: "send_message".into(), id: Some(id.into()) };
        let petition =
            |id| Petition { user: user().into(), room: RoomId::new("chat", "general"), deed: deed(id) };
        let (one, other) =
            (Question::petition(&petition("c-1"), address), Question::petition(&petition("c-2"), address));
        assert_eq!(one.text, other.text);
        assert_eq!(
            one.body(Wall(1_767_261_600_000)),
            "{\"ask\":\"publish\",\"user\":{\"id\":\"7\",\"name\":\"Ana \\\"A\\\"\",\"role\":null},\"room\":\"chat:general\",\
             \"kind\":\"send_message\",\"address\":\"10.0.0.1\",\"id\":\"c-1\",\"at\":1767261600000}"
        );
        let connect = Question::connect(&user(), "::ffff:10.0.0.1".parse().expect("an address"));
        assert!(connect.body(Wall(5)).ends_with("\"address\":\"10.0.0.1\",\"at\":5}"), "{connect:?}");
    }

    /// The vector of RFC 4231, section 4.3.
    #[test]
    fn the_signature_is_the_hmac_of_the_body() {
        assert_eq!(
            signature(b"Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn an_answer_is_read_or_is_none() {
        let refused = |reason: &str| Ok((Ruling::Refused(reason.into()), None));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (body, read) in [
            (r#"{"allow":true}"#, Ok((Ruling::Allowed, None))),
            (r#"{"allow":true,"cache_seconds":7,"more":1}"#, Ok((Ruling::Allowed, seconds(7)))),
            (r#"{"allow":true,"cache_seconds":1e9}"#, Ok((Ruling::Allowed, seconds(600)))),
            (r#"{"allow":false}"#, refused(REFUSED)),
            (r#"{"allow":false,"reason":" "}"#, refused(REFUSED)),
            (r#"{"allow":false,"reason":"you\r\nmay \"not\""}"#, refused("youmay \"not\"")),
        ] {
            assert_eq!(answer(body.as_bytes()), read, "{body}");
        }
        let long = format!(r#"{{"allow":false,"reason":"{}"}}"#, "é".repeat(500));
        assert_eq!(answer(long.as_bytes()), refused(&"é".repeat(REASON_MAX)));
        for body in
            ["", "true", "{}", r#"{"allow":"yes"}"#, r#"{"allow":1}"#, r#"{"allow":true,"cache_seconds":-1}"#]
        {
            assert!(answer(body.as_bytes()).is_err(), "{body}");
        }
    }
}
