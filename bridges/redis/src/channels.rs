//! The channels of seed 001, which the servers of such a fleet publish on: messages, member events, notifications. It reads them
//! field by field, and leaves what it cannot read to whoever asked.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use vocabulary::{Payload, Person, RoomId, check_user};

use crate::said::{CHANNELS, Meant, Named, Poison, Said, identity, person, poison, text};

/// An envelope of seed 001, or its `data` alone.
pub(crate) struct Frame<'a> {
    channel: &'a str,
    message: &'a [u8],
    outer: Map<String, Value>,
}

impl<'a> Frame<'a> {
    pub(crate) fn read(channel: &'a str, message: &'a [u8]) -> Result<Frame<'a>, Poison> {
        match serde_json::from_slice(message) {
            Ok(Value::Object(outer)) => Ok(Frame { channel, message, outer }),
            Ok(_) => poison("it must be an object in JSON"),
            Err(error) => poison(format!("it is no JSON: {error}")),
        }
    }

    fn kind(&self) -> Option<&str> {
        self.outer.get("type").and_then(Value::as_str)
    }

    fn row(&self) -> &Map<String, Value> {
        self.outer.get("data").and_then(Value::as_object).unwrap_or(&self.outer)
    }

    /// The first of these fields that says something.
    fn of_row(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| text(self.row().get(*name)))
    }

    /// The same of texts alone: what people wrote is no number.
    fn words_of_row(&self, names: &[&str]) -> Option<String> {
        let words = |name: &&str| self.row().get(*name)?.as_str().filter(|words| !words.is_empty());
        names.iter().find_map(words).map(str::to_owned)
    }

    /// The channel that it names must be the one that it was published to.
    fn check_channel(&self, id: &str) -> Result<(), Poison> {
        match self.of_row(&["channel_id", "channelId"]) {
            Some(named) if named != id => {
                poison(format!("`channel_id` is {named:?}, and it was published for the channel {id:?}"))
            }
            _ => Ok(()),
        }
    }

    fn user(&self) -> Option<String> {
        text(self.outer.get("user_id"))
    }

    /// The first field that says who it was, if any does, by that name.
    fn author(&self, name: Option<String>) -> Result<Option<Person>, Poison> {
        let of_envelope = [("user_id", self.outer.get("user_id"))];
        let of_row = ["sender_id", "senderId", "user_id", "userId"].map(|name| (name, self.row().get(name)));
        let first = of_envelope.into_iter().chain(of_row).find(|(_, id)| id.is_some_and(|id| !id.is_null()));
        let sender = self.row().get("sender").filter(|sender| !sender.is_null());
        match (first, sender) {
            (Some((field, id)), _) => person(field, id, name).map(Some),
            (None, Some(sender)) => person("sender.id", sender.get("id"), name).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The envelope's id, or the row's where that is all there is.
    fn named(&self) -> Option<Named> {
        let of_envelope = text(self.outer.get("id")).filter(|_| self.outer.contains_key("data"));
        of_envelope.map(Named::Id).or_else(|| self.of_row(&["id"]).map(Named::Row))
    }

    fn identity(&self, id: Option<Named>, author: Option<&Person>) -> Option<String> {
        identity(self.channel, self.message, id, self.outer.get("timestamp"), author)
    }
}

pub(crate) fn channel_message(room: RoomId, id: &str, frame: &Frame<'_>) -> Result<Meant, Poison> {
    if frame.kind().is_some_and(|kind| kind != "channel.message") {
        return Ok(Meant::NotForUs);
    }
    frame.check_channel(id)?;
    let sender = frame.row().get("sender").and_then(Value::as_object);
    let of_sender =
        |names: &[&str]| names.iter().find_map(|name| text(sender.and_then(|sender| sender.get(*name))));
    let name = frame.of_row(&["sender_name", "senderName", "username"]);
    let name = name.or_else(|| of_sender(&["name", "username"]));
    let author = frame.author(name)?;
    let (url, file) = (frame.words_of_row(&["url"]), frame.words_of_row(&["fileName", "file_name"]));
    let said = frame.words_of_row(&["text", "content"]);
    // A file without a word is shown by its name.
    let Some(content) = said.or_else(|| file.clone()).or_else(|| url.clone()) else {
        return poison("`data.text` must be a text; `data.fileName` or `data.url` stands for an empty one");
    };
    let mut payload = json!({ "content": content });
    let reply = frame.of_row(&["reply_to_id", "replyToId"]);
    for (name, value) in [("url", url), ("fileName", file), ("reply_to_id", reply)] {
        if let Some(value) = value {
            payload[name] = value.into();
        }
    }
    let said = Said {
        room,
        source: CHANNELS,
        id: frame.identity(frame.named(), author.as_ref()),
        author,
        kind: "send_message",
        payload: payload.to_string().into(),
    };
    Ok(Meant::Said(said))
}

/// In seed 001 such an event goes with a change of the set of a channel's members, which is the one membership that it has: so
/// it changes the room's members, as a word of the team's own servers.
pub(crate) fn member_event(room: RoomId, id: &str, frame: &Frame<'_>) -> Result<Meant, Poison> {
    let kind = match frame.kind() {
        Some("channel.member.join") => "add_member",
        Some("channel.member.leave") => "remove_member",
        Some(_) => return Ok(Meant::NotForUs),
        None => return poison("`type` is missing"),
    };
    frame.check_channel(id)?;
    let user = frame.of_row(&["user_id", "userId"]).or_else(|| frame.user());
    let Some(user) = user.filter(|user| check_user(user).is_ok()) else {
        return poison("`user_id` must be a number or a text of 1 to 128 bytes without control characters");
    };
    let mut payload = json!({ "user_id": user });
    if let Some(name) = frame.of_row(&["username", "name"]).filter(|_| kind == "add_member") {
        payload["name"] = name.into();
    }
    let said = Said {
        room,
        source: CHANNELS,
        author: None,
        kind,
        payload: payload.to_string().into(),
        id: frame.identity(text(frame.outer.get("id")).map(Named::Id), None),
    };
    Ok(Meant::Said(said))
}

pub(crate) fn notification(room: RoomId, channel: &str, message: &[u8]) -> Result<Meant, Poison> {
    /// The `data` of an envelope goes on as it was written.
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let frame = Frame::read(channel, message)?;
    let envelope: Envelope<'_> = match serde_json::from_slice(message) {
        Ok(envelope) => envelope,
        Err(error) => return poison(format!("it is no JSON: {error}")),
    };
    let data = envelope.data.filter(|data| data.get().starts_with('{'));
    let payload = data.map_or(message, |data| data.get().as_bytes());
    let said = Said {
        room,
        source: CHANNELS,
        author: None,
        kind: "notification",
        payload: Payload::copy_from_slice(payload),
        id: frame.identity(frame.named(), None),
    };
    Ok(Meant::Said(said))
}
