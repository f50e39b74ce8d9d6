//! The secret that signs tokens: out of a config, or made once in a data folder.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use identity::Secret;

use crate::config::{Config, Hidden, Signing};

const BYTES: usize = 32;
const SECRET: &str = "secret";
const API_KEY: &str = "api-key";

/// The secret that this server signs and proves with; none where only others sign. Makes the folder's, if it is that one.
pub(crate) fn of(config: &Config) -> Result<Option<Secret>> {
    match &config.typed.signing {
        Signing::Secret(Hidden(text)) => {
            Secret::new(text.as_bytes()).map(Some).map_err(|error| anyhow::anyhow!("secret: {error}"))
        }
        Signing::Folder => of_folder(&config.typed.data).map(Some),
        Signing::Others => Ok(None),
    }
}

/// The same when the config is read again: the folder stays the one that was served from, and no new secret is made for
/// tokens that were signed with the old one.
pub(crate) fn again(config: &Config, folder: &Path) -> Result<Option<Secret>> {
    match &config.typed.signing {
        Signing::Folder if !folder.join(SECRET).exists() => {
            let path = folder.join(SECRET);
            bail!(
                "no secret is configured, and there is none in {}; none is made while it serves",
                path.display()
            )
        }
        Signing::Folder => of_folder(folder).map(Some),
        Signing::Secret(_) | Signing::Others => of(config),
    }
}

/// The key of a server in demo mode, for a command that speaks to it: it makes none, which no server would know.
pub(crate) fn api_key_there(folder: &Path) -> Result<String> {
    let path = folder.join(API_KEY);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "there is no key in {}; say --data with the folder of the server in demo mode, or --config with its config",
            path.display()
        ),
        Err(error) => Err(error).with_context(|| format!("cannot read the key {}", path.display())),
    }
}

/// What back ends on this machine say in demo mode: a key for the HTTP API, made like the secret.
pub(crate) fn api_key(folder: &Path) -> Result<String> {
    kept(folder, &folder.join(API_KEY)).map(|text| text.trim().to_owned())
}

fn of_folder(folder: &Path) -> Result<Secret> {
    let path = folder.join(SECRET);
    let text = kept(folder, &path)?;
    let Some(bytes) = unhex(text.trim()) else {
        bail!("{} is not 64 hexadecimal characters; delete it to have a new one made", path.display());
    };
    Secret::new(&bytes).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
}

/// 64 hexadecimal characters; made, for their owner alone, if there are none.
fn kept(folder: &Path, path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => make(folder, path),
        Err(error) => Err(error).with_context(|| format!("cannot read the secret {}", path.display())),
    }
}

/// Whoever comes second reads what the first one made: the file appears whole, under its name, once.
fn make(folder: &Path, path: &Path) -> Result<String> {
    let context = || format!("cannot make a secret in {}", folder.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(context)?;
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness to be had: {error}"))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .with_context(context)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(context)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).with_context(context)?;
    match linked {
        Ok(()) => Ok(text),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::read_to_string(path).with_context(context)
        }
        Err(error) => Err(error).with_context(context),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != BYTES * 2 || !text.is_ascii() {
        return None;
    }
    (0..BYTES).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()).collect()
}
