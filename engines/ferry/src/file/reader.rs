//! Reading the file, frame by frame. It is read twice: once to prove all of it, and once to take what is in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use vocabulary::{Payload, RoomId};

use crate::file::coded::Take;
use crate::file::{Counts, FRAME_BYTES, FRAME_BYTES_MAX, Head, Kind, MAGIC, PRELUDE_BYTES, VERSION, sum_of};
use crate::{Fault, Item};

const BUFFER_BYTES: usize = 1 << 20;

/// What is read.
#[derive(Debug)]
pub enum Kept {
    File {
        name: String,
        bytes: Payload,
    },
    Item(Item),
    /// Nothing follows.
    End(Counts),
}

pub struct Reader {
    file: BufReader<File>,
    path: String,
    number: u64,
    /// Where the next frame begins.
    pub at: u64,
    /// How long the file is.
    pub bytes: u64,
    room: Option<RoomId>,
    pub head: Head,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Reader, Fault> {
        let shown = path.display().to_string();
        let unread = |error| Fault::io(format!("cannot read {shown}"), error);
        let file = File::open(path).map_err(unread)?;
        let bytes = file.metadata().map_err(unread)?.len();
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut prelude = [0; PRELUDE_BYTES];
        let read = fill(&mut file, &mut prelude).map_err(unread)?;
        let refused = |what: String| Fault::File { path: shown.clone(), at: 0, what };
        if read < PRELUDE_BYTES || prelude[..MAGIC.len()] != *MAGIC {
            return Err(refused("this is no backup of Kulkul".to_owned()));
        }
        let version = u16::from_le_bytes([prelude[MAGIC.len()], prelude[MAGIC.len() + 1]]);
        if version != VERSION {
            return Err(refused(format!(
                "it has version {version}, and this build reads {VERSION}: use the build that wrote it"
            )));
        }
        let nothing = link::Deployment::of_this_build(0, Vec::new());
        let head = Head { deployment: nothing, made_at: 0, id: 0, engine: String::new() };
        let at = PRELUDE_BYTES as u64;
        let mut reader = Reader { file, path: shown, number: 0, at, bytes, room: None, head };
        let began = reader.at;
        let (kind, payload) = reader.frame()?;
        let head = if kind == Kind::Head { Take(payload).head() } else { None };
        reader.head = head.ok_or_else(|| reader.spoilt(began, "it does not begin with what it is"))?;
        Ok(reader)
    }

    pub fn read(&mut self) -> Result<Kept, Fault> {
        let began = self.at;
        let (kind, payload) = self.frame()?;
        let mut take = Take(payload);
        let item = match kind {
            Kind::Head => None,
            Kind::File => {
                return match (take.text(), take.bytes()) {
                    (Some(name), Some(bytes)) => Ok(Kept::File { name, bytes }),
                    _ => Err(self.spoilt(began, "what it says of a file cannot be read")),
                };
            }
            Kind::Room => take.room(),
            Kind::Records => take.records(),
            Kind::RoomEnds => take.end_of_room(),
            Kind::Void => Some(Item::Void),
            Kind::End => {
                let counts = take.counts().filter(|_| self.at == self.bytes);
                let counts = counts.ok_or_else(|| self.spoilt(began, "something follows its end"))?;
                return Ok(Kept::End(counts));
            }
        };
        match &item {
            Some(Item::Room(room)) => self.room = Some(room.name.clone()),
            Some(Item::End(_) | Item::Void) => self.room = None,
            _ => {}
        }
        item.map(Kept::Item).ok_or_else(|| self.spoilt(began, "what it says cannot be read"))
    }

    fn frame(&mut self) -> Result<(Kind, Payload), Fault> {
        let began = self.at;
        let mut front = [0; FRAME_BYTES];
        let read = self.fill(&mut front)?;
        if read < FRAME_BYTES {
            return Err(self.spoilt(began, "it is cut off: its end is missing"));
        }
        let number = |at: usize| u32::from_le_bytes([front[at], front[at + 1], front[at + 2], front[at + 3]]);
        let (length, sum) = (number(1) as usize, number(5));
        let left = self.bytes.saturating_sub(began + FRAME_BYTES as u64);
        if length as u64 > left || length > FRAME_BYTES_MAX {
            return Err(self.spoilt(began, "it is cut off, or says another length than it has"));
        }
        let mut payload = vec![0; length];
        if self.fill(&mut payload)? < length {
            return Err(self.spoilt(began, "it is cut off"));
        }
        let kind = Kind::of(front[0]).filter(|_| sum_of(self.number, front[0], &payload) == sum);
        let kind = kind.ok_or_else(|| self.spoilt(began, "it does not match its sum"))?;
        self.number += 1;
        self.at = began + (FRAME_BYTES + length) as u64;
        Ok((kind, payload.into()))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, Fault> {
        let read = fill(&mut self.file, bytes);
        read.map_err(|error| Fault::io(format!("cannot read {}", self.path), error))
    }

    fn spoilt(&self, at: u64, what: &str) -> Fault {
        let of = self.room.as_ref().map(|room| format!(", in the room {room}")).unwrap_or_default();
        Fault::File { path: self.path.clone(), at, what: format!("{what}{of}") }
    }
}

fn fill(file: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads all of it, and writes nothing: what it holds, and which beginnings of rooms, counted from zero, do not count.
pub fn verify(path: &Path, told: &mut dyn FnMut(&Reader)) -> Result<(Head, Counts, BTreeSet<u64>), Fault> {
    let mut reader = Reader::open(path)?;
    let (mut began, mut is_open, mut void) = (0_u64, false, BTreeSet::new());
    let (mut found, mut records) = (Counts::default(), 0);
    loop {
        let at = reader.at;
        let in_order = match reader.read()? {
            Kept::File { .. } => !is_open,
            Kept::Item(Item::Room(_)) => {
                (began, records) = (began + 1, 0);
                !std::mem::replace(&mut is_open, true)
            }
            Kept::Item(Item::Records(some)) => {
                records += some.len() as u64;
                is_open
            }
            Kept::Item(Item::End(_)) => {
                found = Counts { rooms: found.rooms + 1, records: found.records + records };
                std::mem::replace(&mut is_open, false)
            }
            Kept::Item(Item::Void) => {
                if std::mem::replace(&mut is_open, false) {
                    void.insert(began - 1);
                }
                true
            }
            Kept::End(counts) if counts == found && !is_open => {
                return Ok((reader.head.clone(), counts, void));
            }
            Kept::End(_) => false,
        };
        if !in_order {
            return Err(reader.spoilt(at, "what it holds is not in order"));
        }
        told(&reader);
    }
}
