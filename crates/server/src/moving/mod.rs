//! `kulkul backup`, `kulkul restore`, `kulkul copy`: rooms from an engine into a file, from a file into an engine, from one engine
//! into another. What a room is, the engines know; here it is decided what may be written to, and what is told of it.

mod destination;
mod progress;
mod shared;
mod source;

use std::path::Path;

use anyhow::{Context, Result, bail};
use ferry::{Epochs, Item, Kept, Reader, Writer};
use node::Facts;
use serde_json::json;

use crate::config::{self, Typed};
use crate::options::{Backup, Copy, Engine, Place, Restore, Serve};
use destination::Destination;
use progress::Progress;
use source::Source;

/// What belongs to a store beside its rooms, and is in a backup where that was asked for.
const SECRETS: [&str; 2] = ["secret", "api-key"];

fn settings(place: &Place, engine: Option<&str>) -> Result<Typed> {
    let (config, data) = (place.config.clone(), place.data.clone());
    let served = Serve { config, data, engine: engine.map(str::to_owned), ..Serve::default() };
    Ok(config::read(&served)?.typed)
}

fn drawn() -> Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness to be had: {error}"))?;
    Ok(u64::from_le_bytes(bytes))
}

pub(crate) fn backup(ask: &Backup) -> Result<()> {
    let settings = settings(&ask.place, ask.engine.as_deref())?;
    let mut source = Source::beside_whoever_serves(&settings)?;
    let head = ferry::Head {
        deployment: source.deployment.clone(),
        made_at: Facts::now().0,
        id: drawn()?,
        engine: settings.engine.name().to_owned(),
    };
    let mut writer = Writer::begin(&ask.out, ask.force, &head)?;
    if ask.with_secrets {
        for name in SECRETS {
            let path = settings.data.join(name);
            if path.exists() {
                let bytes =
                    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                writer.add_file(name, &bytes)?;
            }
        }
    }
    let mut progress = Progress::begin(ask.place.json, source.rooms);
    let mut write = |item: Item, gave: &ferry::Gave| {
        progress.tell(gave.rooms, gave.bytes);
        writer.write(&item)
    };
    let gave = ferry::give(&mut *source.store, ask.skip_damaged, &mut write)?;
    let (bytes, counts) = writer.finish()?;
    let out = ask.out.display().to_string();
    let words = format!("{out}: {} rooms, {} records, {bytes} bytes", counts.rooms, counts.records);
    let told = json!({ "file": out, "rooms": counts.rooms, "records": counts.records, "bytes": bytes });
    progress.end(&words, told, &gave.damaged)
}

pub(crate) fn restore(ask: &Restore) -> Result<()> {
    let settings = settings(&ask.place, ask.engine.as_deref())?;
    let mut progress = Progress::begin(ask.place.json, None);
    // All of it is proven before anything is written.
    let (head, counts, void) =
        ferry::verify(&ask.file, &mut |reader| progress.prove(reader.at, reader.bytes))?;
    let what = format!("restore-{:x}", head.id);
    let mut to = Destination::open(&settings, &head.deployment, what, Epochs::Next(drawn()? as u32))?;
    let mut progress = Progress::begin(ask.place.json, Some(counts.rooms));
    let mut reader = Reader::open(&ask.file)?;
    let (mut began, mut left_out) = (0_u64, false);
    loop {
        match reader.read()? {
            Kept::File { name, bytes } => restore_file(&settings.data, &name, &bytes)?,
            Kept::End(_) => break,
            Kept::Item(item) => {
                if let Item::Room(_) = &item {
                    left_out = void.contains(&began);
                    began += 1;
                }
                if !left_out {
                    to.taker.take(item)?;
                    progress.tell(to.taker.rooms, reader.at);
                }
            }
        }
    }
    let (rooms, records) = (to.taker.rooms, counts.records);
    if rooms != counts.rooms {
        bail!("{} rooms of {} came through: empty the store and try again", rooms, counts.rooms);
    }
    to.finish()?;
    let words = format!(
        "{rooms} rooms and {records} records are there; each goes on in a new epoch, and whoever comes back is told by `reset`"
    );
    progress.end(&words, json!({ "rooms": rooms, "records": records }), &[])
}

/// A secret that is there stays: tokens of now are signed with it.
fn restore_file(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = folder.join(name);
    if !SECRETS.contains(&name) || path.exists() {
        return Ok(());
    }
    let context = || format!("cannot write {}", path.display());
    std::fs::create_dir_all(folder).with_context(context)?;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.with_context(context)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(context)
}

pub(crate) fn copy(ask: &Copy) -> Result<()> {
    if ask.from == ask.to {
        bail!("--from and --to are both {}: name another engine to copy to", engine_name(&ask.to));
    }
    let (from, to) = (settings(&ask.place, Some(&ask.from))?, settings(&ask.place, Some(&ask.to))?);
    let mut source = Source::that_nobody_serves(&from)?;
    // The same start tag and engine: the same rooms, however often the copy is begun.
    let what = format!("copy-{}-{:x}", from.engine.name(), source.deployment.start_tag);
    let mut destination = Destination::open(&to, &source.deployment, what, Epochs::Same)?;
    let mut progress = Progress::begin(ask.place.json, source.rooms);
    let mut take = |item: Item, gave: &ferry::Gave| {
        progress.tell(gave.rooms, gave.bytes);
        destination.taker.take(item)
    };
    let gave = ferry::give(&mut *source.store, ask.skip_damaged, &mut take)?;
    let rooms = destination.taker.rooms;
    if rooms != gave.rooms {
        bail!("{rooms} rooms of {} came through: empty the store at --to and try again", gave.rooms);
    }
    source.nobody_came()?;
    destination.finish()?;
    let (records, bytes) = (gave.records, gave.bytes);
    let words = format!(
        "{rooms} rooms, {records} records, {bytes} bytes copied; position and check of every room were read back and are the same"
    );
    progress.end(&words, json!({ "rooms": rooms, "records": records, "bytes": bytes }), &gave.damaged)
}

/// Without an address, which may hold a password.
fn engine_name(text: &str) -> &str {
    crate::options::engine(text).map_or("unknown", |engine: Engine| engine.name())
}
