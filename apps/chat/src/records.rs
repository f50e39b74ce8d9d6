//! What chat writes into a room's log, and reads from it. A body that cannot be read is one of another version: never an error.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vocabulary::Payload;

pub(crate) const MESSAGE: &str = "message";
pub(crate) const EDITED: &str = "message_edited";
pub(crate) const DELETED: &str = "message_deleted";
pub(crate) const REACTED: &str = "reaction_added";
pub(crate) const UNREACTED: &str = "reaction_removed";
pub(crate) const CREATED: &str = "room_created";
pub(crate) const CHANGED: &str = "room_changed";
pub(crate) const ROOM_DELETED: &str = "room_deleted";
pub(crate) const MEMBER_ADDED: &str = "member_added";
pub(crate) const MEMBER_REMOVED: &str = "member_removed";
pub(crate) const ROLE_CHANGED: &str = "role_changed";
pub(crate) const MUTED: &str = "member_muted";
pub(crate) const UNMUTED: &str = "member_unmuted";
pub(crate) const KICKED: &str = "member_kicked";
pub(crate) const BANNED: &str = "member_banned";
pub(crate) const UNBANNED: &str = "member_unbanned";
pub(crate) const ERASED: &str = "user_erased";
/// Of an erased user nothing is left in the log. Shown to nobody.
pub(crate) const SWEPT: &str = "user_swept";
/// An inbox has answered. Shown to nobody.
pub(crate) const LISTED: &str = "listed";

/// `author`: who wrote the message, for the day on which that user is erased.
#[derive(Serialize, Deserialize)]
pub(crate) struct Edited<'a> {
    pub message_id: String,
    pub author: Option<String>,
    #[serde(borrow)]
    pub payload: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Named {
    pub message_id: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Reaction {
    pub message_id: String,
    pub reaction: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Access {
    #[default]
    Open,
    Private,
    Direct,
}

/// How a room is: what `room_changed` tells, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub title: String,
    pub topic: String,
    pub access: Access,
    pub slow_mode_seconds: u32,
}

/// Its author becomes the owner.
#[derive(Serialize, Deserialize)]
pub(crate) struct Created {
    pub settings: Settings,
    pub members: Vec<(String, String)>,
}

/// Of a member, an addition or a change of role; without `role`, whatever else is done to a user.
#[derive(Serialize, Deserialize)]
pub(crate) struct Member {
    pub user_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Of a mute that ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Member {
    pub(crate) fn of(user: &vocabulary::UserId) -> Member {
        Member { user_id: user.as_str().to_owned(), name: None, role: None, seconds: None, reason: None }
    }
}

/// `position`: of the erasure that is at its end.
#[derive(Serialize, Deserialize)]
pub(crate) struct Swept {
    pub position: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Listed {
    pub position: String,
    pub number: u32,
}

/// Texts, numbers and JSON that was parsed before: there is nothing in it that could fail to be written.
pub(crate) fn written<T: Serialize>(value: &T) -> Payload {
    serde_json::to_vec(value).map(Payload::from).unwrap_or_default()
}

pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a Payload) -> Option<T> {
    serde_json::from_slice(body).ok()
}
