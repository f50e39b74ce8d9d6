//! What happened, as the clients saw it, and the logs as they were read at the end: all that a judgement needs. It never
//! judges.

use std::collections::BTreeMap;
use std::fmt;

/// A room by its number.
pub type Room = u16;

/// A message: who sent it and which one of that sender's it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    pub sender: u32,
    pub number: u32,
}

/// What stands where none of ours does: a record that nobody sent, or whose text is not what was sent.
pub const STRANGE: Id = Id { sender: u32::MAX, number: u32::MAX };

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}-{}", self.sender, self.number)
    }
}

/// So many letters after the id, so that a record has a size and a changed byte shows.
const FILLING: usize = 60;

impl Id {
    pub fn read(text: &str) -> Option<Id> {
        let (sender, number) = text.strip_prefix('c')?.split_once('-')?;
        Some(Id { sender: sender.parse().ok()?, number: number.parse().ok()? })
    }

    fn letter(self) -> char {
        char::from(b'a' + (self.sender.wrapping_mul(7).wrapping_add(self.number) % 26) as u8)
    }

    /// What is sent under this id.
    pub fn content(self) -> String {
        let letter = self.letter();
        format!("{self} {}", std::iter::repeat_n(letter, FILLING).collect::<String>())
    }

    /// Whose content this is, every letter of it.
    pub fn of_content(content: &str) -> Id {
        let read = content.split_once(' ').and_then(|(id, filling)| Some((Id::read(id)?, filling)));
        match read {
            Some((id, filling))
                if filling.len() == FILLING && filling.chars().all(|letter| letter == id.letter()) =>
            {
                id
            }
            _ => STRANGE,
        }
    }
}

/// A room's epoch: opaque, so it is only ever compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub epoch: Epoch,
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.offset, self.epoch.0)
    }
}

/// Epochs by the texts that name them.
#[derive(Clone, Debug, Default)]
pub struct Epochs(BTreeMap<String, Epoch>);

impl Epochs {
    pub fn named(&mut self, text: &str) -> Epoch {
        if let Some(epoch) = self.0.get(text) {
            return *epoch;
        }
        let epoch = Epoch(self.0.len() as u32);
        self.0.insert(text.to_owned(), epoch);
        epoch
    }

    pub fn text(&self, epoch: Epoch) -> &str {
        self.0.iter().find(|(_, known)| **known == epoch).map_or("", |(text, _)| text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// For the first time; sent again is the same message.
    Sent {
        room: Room,
        id: Id,
    },
    /// Answered with a code that asks for another try: whatever was sent behind it may overtake it.
    Refused {
        room: Room,
        id: Id,
    },
    Acked {
        room: Room,
        id: Id,
        position: Position,
    },
    /// A join without a position said where the client stands.
    Stands {
        room: Room,
        position: Position,
    },
    Resumed {
        room: Room,
        upto: Position,
    },
    Gap {
        room: Room,
        upto: Position,
    },
    Reset {
        room: Room,
        upto: Position,
    },
    Received {
        room: Room,
        id: Id,
        position: Position,
    },
    /// The connection is over, however it ended.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Milliseconds since the history began.
    pub at: u32,
    pub event: Event,
}

#[derive(Clone, Debug, Default)]
pub struct Diary {
    pub events: Vec<Noted>,
    /// Connected at the end, in all its rooms, after everybody had the time to hear everything.
    pub live: bool,
}

/// A room's log as a client that comes at the end reads it from the beginning of its epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    pub epoch: Option<Epoch>,
    /// Offsets as they were read, in that order.
    pub records: Vec<(u64, Id)>,
}

impl Log {
    pub fn head(&self) -> u64 {
        self.records.last().map_or(0, |(offset, _)| *offset)
    }

    pub fn at(&self, position: Position) -> Option<Id> {
        if self.epoch != Some(position.epoch) {
            return None;
        }
        let index = self.records.binary_search_by_key(&position.offset, |(offset, _)| *offset).ok()?;
        Some(self.records[index].1)
    }
}

#[derive(Clone, Debug, Default)]
pub struct History {
    pub epochs: Epochs,
    /// One a client, in the order in which things happened to it.
    pub diaries: Vec<Diary>,
    pub logs: BTreeMap<Room, Log>,
}

impl History {
    /// Every event with its client's number.
    pub fn events(&self) -> impl Iterator<Item = (usize, Event)> {
        self.diaries
            .iter()
            .enumerate()
            .flat_map(|(client, diary)| diary.events.iter().map(move |noted| (client, noted.event)))
    }

    pub fn count(&self, what: impl Fn(Event) -> bool) -> usize {
        self.events().filter(|(_, event)| what(*event)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_its_id_to_the_last_letter() {
        let id = Id { sender: 17, number: 4 };
        let content = id.content();
        assert_eq!(Id::of_content(&content), id);
        for at in 0..content.len() {
            let mut bytes = content.clone().into_bytes();
            bytes[at] ^= 1;
            assert_ne!(Id::of_content(&String::from_utf8_lossy(&bytes)), id, "byte {at}");
        }
        assert_eq!(Id::of_content(&content[..content.len() - 1]), STRANGE);
    }

    #[test]
    fn epochs_keep_their_names() {
        let mut epochs = Epochs::default();
        let (one, two) = (epochs.named("1a"), epochs.named("2b"));
        assert_ne!(one, two);
        assert_eq!((epochs.named("1a"), epochs.text(two)), (one, "2b"));
    }
}
