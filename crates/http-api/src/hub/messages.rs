//! The past of a channel, newest first, page by page: by the place in the log, in which no two messages are alike, or by a second,
//! as old clients ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use vocabulary::{By, HistoryFrom, PageEntry, Position, Reply, RoomId, Told, User, Wish};

use super::{Hub, Shared, of_refusal, unexpected};
use crate::answers::Fault;
use crate::asked::{self, Asked, Id};

const LIMIT_ORDINARY: u32 = 20;
const LIMIT_MAX: u32 = 100;
/// Pages that are looked through for a second: five thousand messages. Who wants what is older goes by `nextCursor`.
const PAGES_MAX: u32 = 50;

/// From where a page goes back.
enum Before {
    Newest,
    Place(Position),
    Second(i64),
}

fn before(said: Option<&str>) -> Result<Before, Fault> {
    let invalid = || Fault::field("before", "before must be a nextCursor, or a time in whole Unix seconds");
    match said {
        None | Some("") => Ok(Before::Newest),
        Some(said) if said.contains('-') => said.parse().map(Before::Place).map_err(|_| invalid()),
        Some(said) => said.parse().map(Before::Second).map_err(|_| invalid()),
    }
}

fn limit(said: Option<&str>) -> Result<u32, Fault> {
    let Some(said) = said else { return Ok(LIMIT_ORDINARY) };
    let limit = said.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| Fault::field("limit", format!("limit must be 1 to {LIMIT_MAX}, got {said:?}")))
}

#[derive(Deserialize)]
struct About {
    messages: u64,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    url: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "fileName")]
    file_name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reply_to: Option<&'a RawValue>,
    #[serde(borrow, default)]
    changes: Option<&'a RawValue>,
}

/// As the socket tells it, by the names of old answers.
fn item(room: &RoomId, entry: &PageEntry) -> Option<Value> {
    let shown = entry.shown.as_ref()?;
    let said: Option<Payload<'_>> = serde_json::from_slice(&shown.payload).ok();
    let read = |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let text = |raw: Option<&RawValue>| read(raw).filter(Value::is_string);
    let mut item = json!({
        "id": entry.position.to_string(),
        "channelId": room.name(),
        "senderId": shown.sender.as_ref().map(|sender| sender.id.as_str()),
        "senderName": shown.sender.as_ref().map(|sender| &*sender.name),
        "text": "",
        "url": null,
        "fileName": null,
        "createdAt": entry.at.0.div_euclid(1000),
        "position": { "epoch": entry.position.epoch.to_string(), "offset": entry.position.offset },
    });
    if let Some(said) = said {
        // An empty text beside the content says that a file came without a word.
        let unsaid = text(said.text).is_some_and(|text| text == "");
        if let Some(content) = text(said.content).filter(|_| !unsaid) {
            item["text"] = content;
        }
        item["url"] = text(said.url).unwrap_or_default();
        item["fileName"] = text(said.file_name).unwrap_or_default();
        if let Some(reply_to) = text(said.reply_to) {
            item["replyToId"] = reply_to;
        }
        if let Some(changes) = read(said.changes) {
            item["changes"] = changes;
        }
    }
    Some(item)
}

struct Page {
    entries: Vec<PageEntry>,
    /// Where what is older begins.
    next: Option<Position>,
}

impl Hub {
    async fn back(
        &self,
        user: &Arc<User>,
        room: &RoomId,
        from: HistoryFrom,
        limit: u32,
    ) -> Result<Page, Fault> {
        let wish = Wish::History { limit, from };
        match self.door.desk.call_by(By::User(user.clone()), room.clone(), wish).await? {
            Told::Reply { reply: Reply::History { entries, next, .. }, .. } => Ok(Page { entries, next }),
            Told::Reply { reply: Reply::Refused(refusal), .. } => Err(of_refusal(&refusal)),
            Told::Reply { .. } | Told::Stored { .. } => Err(unexpected()),
        }
    }

    /// The place of the newest message that is older than that second.
    async fn place_of(&self, user: &Arc<User>, room: &RoomId, second: i64) -> Result<HistoryFrom, Fault> {
        let mut from = HistoryFrom::Latest;
        // It is not begun where it could not be ended: who waits as long as it is told finds the place.
        self.of_messages.has(&user.person.id, PAGES_MAX)?;
        for _ in 0..PAGES_MAX {
            // Each page costs the room as much as a call for it would.
            self.of_messages.take(&user.person.id)?;
            let page = self.back(user, room, from, LIMIT_MAX).await?;
            let newer = |entry: &&PageEntry| entry.at.0.div_euclid(1000) >= second;
            // Nothing but reactions and the like stands there: what is older was not looked at.
            if let (true, Some(next)) = (page.entries.is_empty(), page.next) {
                from = HistoryFrom::Before(next);
                continue;
            }
            // Oldest first: behind the last of the older ones stands the place to go back from.
            match (page.entries.iter().find(newer), page.entries.first(), page.next) {
                (None, _, _) => return Ok(from),
                (Some(newer), Some(first), _) if newer.position != first.position => {
                    return Ok(HistoryFrom::Before(newer.position));
                }
                (Some(newer), _, None) => return Ok(HistoryFrom::Before(newer.position)),
                (Some(_), _, Some(next)) => from = HistoryFrom::Before(next),
            }
        }
        let says = "that is longer ago than is looked for by time: go back by nextCursor";
        Err(Fault::field("before", says))
    }
}

pub(super) async fn page(
    State(hub): Shared,
    id: Id,
    headers: HeaderMap,
    query: Asked,
) -> Result<Response, Fault> {
    let user = hub.user(&headers)?;
    hub.of_messages.take(&user.person.id)?;
    let room = hub.room(&asked::id(id)?, &user)?;
    let query = asked::pairs(query)?;
    let limit = limit(asked::one(&query, "limit")?)?;
    let from = match before(asked::one(&query, "before")?)? {
        Before::Newest => HistoryFrom::Latest,
        Before::Place(place) => HistoryFrom::Before(place),
        Before::Second(second) => hub.place_of(&user, &room, second).await?,
    };
    let Page { entries, next } = hub.back(&user, &room, from, limit).await?;
    let About { messages } = hub.ask(&user, &room, "get_room").await?;
    let items: Vec<Value> = entries.iter().rev().filter_map(|entry| item(&room, entry)).collect();
    let next = next.map(|next| next.to_string());
    Ok(Json(json!({ "items": items, "total": messages, "nextCursor": next })).into_response())
}
