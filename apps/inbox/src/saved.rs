//! The snapshot: JSON, with its version. Before there was anything to keep it was empty.

use app::UnknownFormat;
use serde::{Deserialize, Serialize};
use vocabulary::{Epoch, Payload, Position};

use crate::kept::{Channel, Lists};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    /// Room, up to where (epoch, offset), by which record (epoch, offset).
    marks: Vec<(String, u64, u64, u64, u64)>,
    channels: Vec<SavedChannel>,
    /// Room, as of which record of its own (epoch, offset).
    gone: Vec<(String, u64, u64)>,
}

/// Room, title, role, access, by which record (epoch, offset), as of which record of the room (epoch, offset).
type SavedChannel = (String, String, String, String, u64, u64, u64, u64);

fn at(epoch: u64, offset: u64) -> Position {
    Position { epoch: Epoch(epoch), offset }
}

pub(crate) fn save(lists: &Lists) -> Payload {
    let marks = lists.marks().map(|(room, mark)| {
        let (upto, by) = (mark.upto, mark.changed);
        (room.to_owned(), upto.epoch.0, upto.offset, by.epoch.0, by.offset)
    });
    let channels = lists.channels().map(|(room, channel)| {
        let Channel { title, role, access, changed: by, as_of } = channel.clone();
        let (by, as_of) = ((by.epoch.0, by.offset), (as_of.epoch.0, as_of.offset));
        (room.to_owned(), title, role, access, by.0, by.1, as_of.0, as_of.1)
    });
    let gone = lists.gone().map(|(room, as_of)| (room.to_owned(), as_of.epoch.0, as_of.offset));
    let saved = Saved {
        version: VERSION,
        marks: marks.collect(),
        channels: channels.collect(),
        gone: gone.collect(),
    };
    // Texts and numbers are always JSON.
    serde_json::to_vec(&saved).unwrap_or_default().into()
}

pub(crate) fn load(bytes: &Payload) -> Result<Lists, UnknownFormat> {
    let mut lists = Lists::default();
    if bytes.is_empty() {
        return Ok(lists);
    }
    let saved: Saved =
        serde_json::from_slice(bytes).map_err(|error| UnknownFormat(format!("inbox snapshot: {error}")))?;
    if saved.version != VERSION {
        return Err(UnknownFormat(format!("inbox snapshot of version {}", saved.version)));
    }
    for (room, epoch, offset, by_epoch, by_offset) in saved.marks {
        lists.read(&room, at(epoch, offset), at(by_epoch, by_offset));
    }
    for (room, title, role, access, epoch, offset, of_epoch, of_offset) in saved.channels {
        let (changed, as_of) = (at(epoch, offset), at(of_epoch, of_offset));
        lists.list(&room, Channel { title, role, access, changed, as_of });
    }
    for (room, epoch, offset) in saved.gone {
        lists.unlist(&room, at(epoch, offset));
    }
    Ok(lists)
}
