//! What a customer asks: to begin, to say who they are, to write and to read, to end. The staff may ask some of it, too.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use node::PeerAddress;
use serde_json::{Value, json};
use vocabulary::{By, HistoryFrom, PageEntry, Position, Reply, Told, User, Wish};

use super::bodies::{self, Body, Pairs};
use super::guests::Guest;
use super::{Answer, Failed, Livechat, Shared, done, of_refusal, ok};
use crate::answers::Fault;
use crate::asked::{self, Asked, Id};

/// Of a list of sessions: each is asked how it stands.
const SESSIONS_MAX: usize = 50;
const SESSIONS: usize = 20;
/// Messages of a session at once, in pages of so many: more than anybody reads.
const PAGES_MAX: usize = 20;
const PAGE: u32 = 100;
/// Of them together: two thousand ordinary ones. An answer that is not read stays in memory, and there are many places for such.
const PAST_BYTES_MAX: usize = 1 << 20;
/// As much as rooms put into a page. None is asked for that might not fit.
const PAGE_BYTES_MAX: usize = 512 << 10;
/// What a message has besides what was said: ids, names, times.
const ENTRY_BYTES: usize = 300;
const GUEST_NAME: &str = "Guest";
const NAME_CHARS_MAX: usize = 60;

/// Somebody who has no token yet gets one: for this session, and for the list of their own sessions.
pub(super) async fn start(
    State(livechat): Shared,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    livechat.may_start(address)?;
    let known = livechat.known_if_said(&headers)?;
    let fields = bodies::read(body)?;
    let session = bodies::new_session_id()?;
    let guest = match known {
        // Whoever comes again with a guest's token needs one for the new session, too. Nobody else's token is exchanged: what it
        // does not allow it would allow then, and for longer.
        Some(known) => Guest::of(&known).ok_or(known.user),
        None => {
            let name = fields.text("contact_name")?.or(fields.text("name")?);
            let name = name.as_deref().unwrap_or(GUEST_NAME).trim();
            let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
            Ok(Guest::new(&name)?)
        }
    };
    let (user, token) = match guest {
        Err(user) => (user, None),
        Ok(guest) => {
            let token = livechat.token(&guest, &session)?;
            (livechat.proven(&token)?, Some(token))
        }
    };
    let room = livechat.session(&session, &user)?;
    let asked =
        fields.passed_on(&[("topic", "topic"), ("priority", "priority"), ("department", "department")]);
    let said = livechat.say(&user, &room, "start", asked).await?;
    let mut told: Value =
        said.reply.and_then(|reply| serde_json::from_slice(&reply).ok()).ok_or_else(Fault::unexpected)?;
    told["chat_user_id"] = user.person.id.as_str().into();
    told["message"] = "You are in the queue.".into();
    if let Some(token) = token {
        told["token"] = token.into();
    }
    done(StatusCode::CREATED, "Chat session started", told)
}

impl Livechat {
    pub(super) async fn of_body(
        &self,
        user: &Arc<User>,
        body: Body,
        kind: &'static str,
        names: &[(&str, &str)],
        message: &str,
    ) -> Answer {
        let fields = bodies::read(body)?;
        let room = self.session(&fields.session_id()?, user)?;
        let said = self.say(user, &room, kind, fields.passed_on(names)).await?;
        let told = said.reply.and_then(|reply| serde_json::from_slice(&reply).ok());
        ok(message, told.unwrap_or_else(|| json!({ "session_id": room.name() })))
    }

    /// With `id`, or the header that says the same, a message that is sent again is stored once.
    pub(super) async fn message(&self, user: &Arc<User>, headers: &HeaderMap, body: Body) -> Answer {
        let fields = bodies::read(body)?;
        let room = self.session(&fields.session_id()?, user)?;
        let names =
            [("message", "message"), ("message_type", "message_type"), ("attachments", "attachments")];
        let of_header = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
        let id: Option<Arc<str>> = fields.text("id")?.as_deref().or(of_header).map(Arc::from);
        if id.as_deref().is_some_and(|id| id.is_empty() || id.len() > 128) {
            return Err(Fault::field("id", "id must be 1 to 128 bytes").into());
        }
        let said = self.say_once(user, &room, "send_message", fields.passed_on(&names), id).await?;
        let Some((position, at)) = said.stored else { return Err(Fault::unexpected().into()) };
        let told = json!({"message_id": position.to_string(), "timestamp": at.to_string(), "status": "sent"});
        ok("Message sent", told)
    }

    /// What was said, oldest first, as far as so many pages go back, and where there is more: by `before` one goes on.
    pub(super) async fn past(
        &self,
        user: &Arc<User>,
        id: &str,
        before: Option<Position>,
    ) -> Result<(Vec<Value>, Option<Position>), Failed> {
        let room = self.session(id, user)?;
        let (mut from, mut pages) = (before.map_or(HistoryFrom::Latest, HistoryFrom::Before), Vec::new());
        let (mut more, mut bytes) = (None, 0);
        while pages.len() < PAGES_MAX && bytes + PAGE_BYTES_MAX <= PAST_BYTES_MAX {
            let wish = Wish::History { limit: PAGE, from };
            let told = self.door.desk.call_by(By::User(user.clone()), room.clone(), wish).await;
            let (entries, next) = match told.map_err(Fault::from)? {
                Told::Reply { reply: Reply::History { entries, next, .. }, .. } => (entries, next),
                Told::Reply { reply: Reply::Refused(refusal), .. } => return Err(of_refusal(&refusal).into()),
                _ => return Err(Fault::unexpected().into()),
            };
            let shown = entries.iter().filter_map(|entry| entry.shown.as_ref());
            bytes += shown.map(|shown| shown.payload.len() + ENTRY_BYTES).sum::<usize>();
            pages.push(entries);
            more = next;
            let Some(next) = next else { break };
            from = HistoryFrom::Before(next);
        }
        let told = pages.iter().rev().flatten().filter_map(|entry| of_entry(room.name(), entry));
        Ok((told.collect(), more))
    }
}

/// A message, or a note, as sockets tell it.
fn of_entry(session: &str, entry: &PageEntry) -> Option<Value> {
    let shown = entry.shown.as_ref()?;
    let mut told: Value = serde_json::from_slice(&shown.payload).ok()?;
    let id = told.get("event_id").and_then(Value::as_str).map(str::to_owned);
    told["id"] = id.unwrap_or_else(|| entry.position.to_string()).into();
    told["session_id"] = session.into();
    told["created_at"] = entry.at.to_string().into();
    if let Some(sender) = &shown.sender {
        told["sender_name"] = (&*sender.name).into();
        if told.get("sender_id").is_none() {
            told["sender_id"] = sender.id.as_str().into();
        }
    }
    if shown.kind != "new_message" {
        told["type"] = shown.kind.into();
    }
    Some(told)
}

const CONTACT: &[(&str, &str)] = &[
    ("contact_name", "contact_name"),
    ("contact_email", "contact_email"),
    ("contact_phone", "contact_phone"),
    ("position", "position"),
    ("company_name", "company_name"),
];

pub(super) async fn contact(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    livechat.of_body(&livechat.user(&headers)?, body, "set_contact", CONTACT, "Contact saved").await
}

/// Who a guest is, only the team's own back end can tell: a public call would let anybody be anybody.
pub(super) async fn link(State(livechat): Shared, headers: HeaderMap) -> Answer {
    livechat.user(&headers)?;
    let says =
        "your back end says who a guest is: POST /api/publish with type link_user to the session's room";
    Err(Fault::forbidden(says).into())
}

pub(super) async fn escalate(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    livechat
        .of_body(&livechat.user(&headers)?, body, "request_escalation", &[("accept", "accept")], "Escalation")
        .await
}

pub(super) async fn rate(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    let names = [("rating", "rating"), ("feedback", "feedback")];
    livechat.of_body(&livechat.user(&headers)?, body, "rate", &names, "Thank you").await
}

pub(super) async fn close(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    let names = [("reason", "reason"), ("rating", "rating"), ("feedback", "feedback")];
    livechat.of_body(&livechat.user(&headers)?, body, "close", &names, "Session closed").await
}

pub(super) async fn reopen(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    livechat.of_body(&livechat.user(&headers)?, body, "reopen", &[], "Session reopened").await
}

pub(super) async fn message(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    let user = livechat.user(&headers)?;
    livechat.message(&user, &headers, body).await
}

/// Files are kept where the team keeps its files; a message refers to them.
pub(super) async fn upload(State(livechat): Shared, headers: HeaderMap) -> Answer {
    livechat.user(&headers)?;
    let says =
        "no files are kept here: upload to your own storage, and send {url, name, type, size} in attachments";
    Err(Fault::new(StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", says).into())
}

pub(super) async fn messages(State(livechat): Shared, id: Id, headers: HeaderMap, asked: Asked) -> Answer {
    let user = livechat.user(&headers)?;
    let id = asked::id(id)?;
    let before = Pairs::of(asked)?.position("before")?;
    let (messages, more) = livechat.past(&user, &id, before).await?;
    let mut told = json!({ "total": messages.len(), "messages": messages });
    with_more(&mut told, more);
    ok("Messages", told)
}

/// Whether there is more, and where it begins.
pub(super) fn with_more(told: &mut Value, more: Option<Position>) {
    told["more"] = more.is_some().into();
    if let Some(next) = more {
        told["next"] = next.to_string().into();
    }
}

pub(super) async fn session(State(livechat): Shared, id: Id, headers: HeaderMap) -> Answer {
    let user = livechat.user(&headers)?;
    let room = livechat.session(&asked::id(id)?, &user)?;
    ok("Session", livechat.ask(&user, &room, "get_session").await?)
}

/// One's own sessions, of which the inbox has the list: nobody reads those of others by knowing an id.
pub(super) async fn history(State(livechat): Shared, headers: HeaderMap, asked: Asked) -> Answer {
    let user = livechat.user(&headers)?;
    listed(&livechat, &user, asked, "customer").await
}

pub(super) async fn listed(livechat: &Livechat, user: &Arc<User>, asked: Asked, role: &str) -> Answer {
    let pairs = Pairs::of(asked)?;
    let limit = pairs.number("limit", SESSIONS, 1..=SESSIONS_MAX)?;
    let page = pairs.number("page", 1, 1..=100_000)?;
    let offset = pairs.number("offset", (page - 1) * limit, 0..=1_000_000)?;
    let status = pairs.one("status")?;
    let inbox = user.person.id.inbox();
    livechat.door.check(
        &inbox,
        user,
        "your token does not allow your inbox, which has the list of your sessions",
    )?;
    let told = livechat.ask(user, &inbox, "get_channels").await?;
    let text = |channel: &Value, key: &str| channel[key].as_str().unwrap_or_default().to_owned();
    let own = told["channels"].as_array().into_iter().flatten().filter(|channel| {
        text(channel, "room_id").starts_with("support:")
            && text(channel, "role") == role
            && status.is_none_or(|status| text(channel, "access") == status)
    });
    let own: Vec<Value> = own.cloned().collect();
    let mut sessions = Vec::new();
    for channel in own.iter().skip(offset).take(limit) {
        let room_id = text(channel, "room_id");
        let id = room_id.strip_prefix("support:").unwrap_or_default();
        let stands = match livechat.session(id, user) {
            Ok(room) => livechat.ask(user, &room, "get_session").await.ok(),
            Err(_) => None,
        };
        // A token that is for another session still lists this one, by what the inbox has of it.
        sessions.push(stands.unwrap_or_else(
            || json!({"session_id": id, "topic": channel["title"], "status": channel["access"]}),
        ));
    }
    ok(
        "Sessions",
        json!({"sessions": sessions, "total": own.len(), "limit": limit, "offset": offset, "page": page}),
    )
}

pub(super) async fn connected(State(livechat): Shared, id: Id, headers: HeaderMap) -> Answer {
    let user = livechat.user(&headers)?;
    let room = livechat.session(&asked::id(id)?, &user)?;
    let told = livechat.door.desk.call_by(By::User(user), room, Wish::Members).await;
    match told.map_err(Fault::from)? {
        Told::Reply { reply: Reply::Members { present: Some(present), .. }, .. } => {
            ok("Connection status", serde_json::from_slice(&present).map_err(|_| Fault::unexpected())?)
        }
        Told::Reply { reply: Reply::Refused(refusal), .. } => Err(of_refusal(&refusal).into()),
        _ => Err(Fault::unexpected().into()),
    }
}
