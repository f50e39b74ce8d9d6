//! A folder into which rooms are brought: they come into a draft inside it, which takes its place when it is whole on the disk. A
//! folder with a draft in it is served by nobody.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::{OpenError, lock, private_folder, reach, schema};

const DRAFT: &str = "arriving";

pub struct Arriving {
    folder: PathBuf,
    draft: PathBuf,
    /// Nobody serves the folder meanwhile.
    _lock: File,
}

pub(crate) fn must_be_over(folder: &Path) -> Result<(), OpenError> {
    if folder.join(DRAFT).exists() { Err(OpenError::Arriving(folder.join(DRAFT))) } else { Ok(()) }
}

impl Arriving {
    /// Into a folder without rooms. A draft from before is begun anew.
    pub fn begin(folder: &Path) -> Result<Arriving, OpenError> {
        let unusable = |error| OpenError::Folder(folder.to_owned(), error);
        private_folder(folder).map_err(unusable)?;
        let lock = lock(folder)?;
        let draft = folder.join(DRAFT);
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        if bytes(&folder.join(schema::FILE)) > 0 || bytes(&schema::journal(folder)) > 0 {
            return Err(OpenError::Occupied(folder.to_owned()));
        }
        if draft.exists() {
            fs::remove_dir_all(&draft).map_err(unusable)?;
        }
        fs::create_dir(&draft).and_then(|()| sync(folder)).map_err(unusable)?;
        Ok(Arriving { folder: folder.to_owned(), draft, _lock: lock })
    }

    /// The folder to bring them into.
    pub fn draft(&self) -> &Path {
        &self.draft
    }

    /// `goes_on`: as the log that it was; else whoever serves it next finds one that was put back, and begins new epochs.
    pub fn finish(self, goes_on: bool) -> Result<(), OpenError> {
        self.put_in_place(goes_on).map_err(|error| OpenError::Folder(self.folder.clone(), error))
    }

    fn put_in_place(&self, goes_on: bool) -> std::io::Result<()> {
        let (file, reach) = (self.draft.join(schema::FILE), self.draft.join(reach::FILE));
        File::open(&file)?.sync_all()?;
        let last_word = self.folder.join(reach::FILE);
        if goes_on {
            File::open(&reach)?.sync_all()?;
            fs::rename(&reach, &last_word)?;
        } else if last_word.exists() {
            fs::remove_file(&last_word)?;
        }
        for left in ["rooms.db-wal", "rooms.db-shm"] {
            let left = self.folder.join(left);
            if left.exists() {
                fs::remove_file(&left)?;
            }
        }
        fs::rename(&file, self.folder.join(schema::FILE))?;
        sync(&self.folder)?;
        fs::remove_dir_all(&self.draft)?;
        sync(&self.folder)
    }
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
