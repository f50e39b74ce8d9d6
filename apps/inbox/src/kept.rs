//! What an inbox keeps: how far its user has read each room, and the rooms that are theirs. Bounded; what moved last stays longest.

use std::collections::BTreeMap;

use app::quoted;
use vocabulary::Position;

/// More than a person follows.
pub(crate) const MARKS_MAX: usize = 2_000;
pub(crate) const CHANNELS_MAX: usize = 2_000;
/// Their shares of the snapshot's mebibyte: what 2,000 with ordinary names take, several times over.
pub(crate) const MARKS_BYTES_MAX: usize = 400 << 10;
pub(crate) const CHANNELS_BYTES_MAX: usize = 560 << 10;
/// Rooms that are no longer theirs, kept against an older word of one that is still on its way: a retry takes seconds, and in
/// these nobody is put out of more rooms.
pub(crate) const GONE_MAX: usize = 200;

const DIRECT: &str = "direct";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub upto: Position,
    /// The record that moved it.
    pub changed: Position,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Channel {
    pub title: String,
    pub role: String,
    pub access: String,
    /// The record that said so.
    pub changed: Position,
    /// The room's own record that it follows from: what follows from an older one comes too late.
    pub as_of: Position,
}

/// By full names of rooms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    marks: BTreeMap<String, Mark>,
    marks_bytes: usize,
    channels: BTreeMap<String, Channel>,
    channels_bytes: usize,
    /// The newest last.
    gone: Vec<(String, Position)>,
}

/// `["room",epoch,offset,epoch,offset],`
fn mark_bytes(room: &str) -> usize {
    quoted(room) + 80
}

/// `["room","title","role","access",epoch,offset,epoch,offset],`
fn channel_bytes(room: &str, channel: &Channel) -> usize {
    quoted(room) + quoted(&channel.title) + quoted(&channel.role) + quoted(&channel.access) + 88
}

impl Lists {
    pub(crate) fn mark(&self, room: &str) -> Option<Mark> {
        self.marks.get(room).copied()
    }

    pub(crate) fn channel(&self, room: &str) -> Option<&Channel> {
        self.channels.get(room)
    }

    pub(crate) fn marks(&self) -> impl Iterator<Item = (&str, Mark)> {
        self.marks.iter().map(|(room, mark)| (&**room, *mark))
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = (&str, &Channel)> {
        self.channels.iter().map(|(room, channel)| (&**room, channel))
    }

    pub(crate) fn gone(&self) -> impl Iterator<Item = (&str, Position)> {
        self.gone.iter().map(|(room, as_of)| (&**room, *as_of))
    }

    /// The room's record by which it is no longer theirs.
    pub(crate) fn gone_as_of(&self, room: &str) -> Option<Position> {
        self.gone().find(|(gone, _)| *gone == room).map(|(_, as_of)| as_of)
    }

    /// Whether the room has said something newer of itself than this.
    pub(crate) fn is_late(&self, room: &str, as_of: Position) -> bool {
        let newest = self.channel(room).map(|channel| channel.as_of).max(self.gone_as_of(room));
        newest.is_some_and(|newest| as_of < newest)
    }

    pub(crate) fn newest_marks(&self) -> impl Iterator<Item = (&str, Position)> {
        let mut marks: Vec<_> = self.marks().collect();
        marks.sort_by_key(|(_, mark)| std::cmp::Reverse(mark.changed));
        marks.into_iter().map(|(room, mark)| (room, mark.upto))
    }

    pub(crate) fn newest_channels(&self) -> impl Iterator<Item = (&str, &Channel)> {
        let mut channels: Vec<_> = self.channels().collect();
        channels.sort_by_key(|(_, channel)| std::cmp::Reverse(channel.changed));
        channels.into_iter()
    }

    /// Never backwards: a device that was away may be late with what it says.
    pub(crate) fn read(&mut self, room: &str, upto: Position, changed: Position) {
        if self.mark(room).is_some_and(|mark| mark.upto >= upto) {
            return;
        }
        if self.marks.insert(room.to_owned(), Mark { upto, changed }).is_none() {
            self.marks_bytes += mark_bytes(room);
        }
        while self.marks.len() > MARKS_MAX || self.marks_bytes > MARKS_BYTES_MAX {
            let longest =
                self.marks.iter().min_by_key(|(_, mark)| mark.changed).map(|(room, _)| room.clone());
            let Some(longest) = longest else { break };
            self.marks.remove(&longest);
            self.marks_bytes -= mark_bytes(&longest);
        }
    }

    pub(crate) fn list(&mut self, room: &str, channel: Channel) {
        if self.is_late(room, channel.as_of) {
            return;
        }
        self.drop_channel(room);
        self.gone.retain(|(gone, _)| gone != room);
        self.channels_bytes += channel_bytes(room, &channel);
        self.channels.insert(room.to_owned(), channel);
        while self.channels.len() > CHANNELS_MAX || self.channels_bytes > CHANNELS_BYTES_MAX {
            // A room of two has its own name to be found by; a membership would be missed.
            let first = |(_, channel): &(&String, &Channel)| (channel.access != DIRECT, channel.changed);
            let Some(first) = self.channels.iter().min_by_key(first).map(|(room, _)| room.clone()) else {
                break;
            };
            self.drop_channel(&first);
        }
    }

    pub(crate) fn unlist(&mut self, room: &str, as_of: Position) {
        if self.is_late(room, as_of) {
            return;
        }
        self.drop_channel(room);
        self.gone.retain(|(gone, _)| gone != room);
        self.gone.push((room.to_owned(), as_of));
        if self.gone.len() > GONE_MAX {
            self.gone.remove(0);
        }
    }

    fn drop_channel(&mut self, room: &str) {
        if let Some(channel) = self.channels.remove(room) {
            self.channels_bytes -= channel_bytes(room, &channel);
        }
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        assert_eq!(self.marks_bytes, self.marks.keys().map(|room| mark_bytes(room)).sum::<usize>());
        let channels = self.channels.iter().map(|(room, channel)| channel_bytes(room, channel));
        assert_eq!(self.channels_bytes, channels.sum::<usize>());
        assert!(self.marks.len() <= MARKS_MAX && self.marks_bytes <= MARKS_BYTES_MAX);
        assert!(self.channels.len() <= CHANNELS_MAX && self.channels_bytes <= CHANNELS_BYTES_MAX);
        assert!(self.gone.len() <= GONE_MAX && self.gone().all(|(room, _)| self.channel(room).is_none()));
    }
}
