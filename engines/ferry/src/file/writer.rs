//! Writing the file: under a draft's name, which goes away with whoever does not come to the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::file::coded::Put;
use crate::file::{Counts, FRAME_BYTES_MAX, Head, Kind, MAGIC, VERSION, sum_of};
use crate::{Fault, Item};

/// Written at once.
const BUFFER_BYTES: usize = 1 << 20;

pub struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
    draft: PathBuf,
    force: bool,
    number: u64,
    counts: Counts,
    /// Of the room that is written: counted when it is whole.
    room_records: u64,
    bytes: u64,
    finished: bool,
}

impl Writer {
    /// For its owner alone: it holds what people said. `force`: in the place of a file that is there.
    pub fn begin(path: &Path, force: bool, head: &Head) -> Result<Writer, Fault> {
        if !force && path.exists() {
            return Err(there_already(path));
        }
        let name = path.file_name().ok_or_else(|| {
            Fault::io(path.display().to_string(), io::Error::other("this names no file; say where to write"))
        })?;
        let draft = path.with_file_name(format!(".{}.{}.draft", name.to_string_lossy(), std::process::id()));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
        let file = file.map_err(|error| Fault::io(format!("cannot write {}", draft.display()), error))?;
        let mut writer = Writer {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            path: path.to_owned(),
            draft,
            force,
            number: 0,
            counts: Counts::default(),
            room_records: 0,
            bytes: crate::file::PRELUDE_BYTES as u64,
            finished: false,
        };
        let begun = writer.file.write_all(MAGIC).and_then(|()| writer.file.write_all(&VERSION.to_le_bytes()));
        begun.map_err(|error| writer.unwritten(error))?;
        let mut put = Put(Vec::new());
        put.head(head);
        writer.frame(Kind::Head, &put.0)?;
        Ok(writer)
    }

    /// A file that belongs to the store, beside the rooms.
    pub fn add_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let mut put = Put(Vec::new());
        put.bytes(name.as_bytes()).bytes(bytes);
        self.frame(Kind::File, &put.0)
    }

    pub fn write(&mut self, item: &Item) -> Result<(), Fault> {
        let mut put = Put(Vec::new());
        match item {
            Item::Room(room) => {
                self.room_records = 0;
                put.room(room);
                self.frame(Kind::Room, &put.0)
            }
            Item::Records(records) => {
                self.room_records += records.len() as u64;
                put.records(records);
                self.frame(Kind::Records, &put.0)
            }
            Item::End(end) => {
                self.counts.rooms += 1;
                self.counts.records += self.room_records;
                put.end_of_room(*end);
                self.frame(Kind::RoomEnds, &put.0)
            }
            Item::Void => self.frame(Kind::Void, &[]),
        }
    }

    /// How long it is, when it is whole on the disk under its own name.
    pub fn finish(mut self) -> Result<(u64, Counts), Fault> {
        let mut put = Put(Vec::new());
        put.counts(self.counts);
        self.frame(Kind::End, &put.0)?;
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|error| self.unwritten(error))?;
        if self.force {
            fs::rename(&self.draft, &self.path).map_err(|error| self.unwritten(error))?;
        } else {
            // Unlike a rename it takes nobody's place, who came meanwhile.
            match fs::hard_link(&self.draft, &self.path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    return Err(there_already(&self.path));
                }
                linked => linked.map_err(|error| self.unwritten(error))?,
            }
            fs::remove_file(&self.draft).map_err(|error| self.unwritten(error))?;
        }
        self.finished = true;
        let folder = self.path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| self.unwritten(error))?;
        Ok((self.bytes, self.counts))
    }

    fn frame(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Fault> {
        if payload.len() > FRAME_BYTES_MAX {
            let why = format!("{} bytes at once are more than a file of rooms takes", payload.len());
            return Err(self.unwritten(io::Error::other(why)));
        }
        let sum = sum_of(self.number, kind as u8, payload);
        self.number += 1;
        let written = (|| {
            self.file.write_all(&[kind as u8])?;
            self.file.write_all(&(payload.len() as u32).to_le_bytes())?;
            self.file.write_all(&sum.to_le_bytes())?;
            self.file.write_all(payload)
        })();
        self.bytes += (payload.len() + crate::file::FRAME_BYTES) as u64;
        written.map_err(|error| self.unwritten(error))
    }

    fn unwritten(&self, error: io::Error) -> Fault {
        let shown = self.path.display();
        match error.kind() {
            ErrorKind::StorageFull => Fault::io(
                format!(
                    "{shown} was not written, and nothing of it is left; make room there or write elsewhere"
                ),
                error,
            ),
            _ => Fault::io(format!("{shown} was not written"), error),
        }
    }
}

fn there_already(path: &Path) -> Fault {
    let error = io::Error::other("it is there already; write elsewhere, or over it with --force");
    Fault::io(path.display().to_string(), error)
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            fs::remove_file(&self.draft).ok();
        }
    }
}
