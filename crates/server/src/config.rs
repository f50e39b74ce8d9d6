//! From what the operator typed to what the program needs: flag, then file, then default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use identity::Secret;
use node::Origins;
use serde::Deserialize;

use crate::options::{self, DATA, Engine, Profile, Serve};
use crate::secret;

/// The file as written. An unknown key is refused with its line.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    shards: Option<u16>,
    engine: Option<String>,
    /// At least 32 bytes of text; signs and proves tokens.
    secret: Option<String>,
    /// Exact origins of pages that may connect; `["*"]`: any.
    allowed_origins: Option<Vec<String>>,
    presence_notices: Option<bool>,
}

/// All that `serve` needs to know.
pub(crate) struct Config {
    pub listen: SocketAddr,
    pub shards: u16,
    pub secret: Secret,
    pub origins: Origins,
    pub notices: bool,
    pub conformance: bool,
    pub profile: Profile,
    /// Tokens for whoever asks, because only this machine can.
    pub demo: bool,
}

pub(crate) fn read(typed: &Serve) -> Result<Config> {
    let file = typed.config.as_deref().map(file).transpose()?.unwrap_or_default();
    let demo = typed.config.is_none();
    let default = SocketAddr::from(([127, 0, 0, 1], 8080));
    let listen = typed.listen.or(file.listen).unwrap_or(default);
    if demo && !listen.ip().is_loopback() && !typed.accept_insecure {
        bail!(
            "{listen} can be reached from other machines, and in demo mode anybody who reaches it gets a token.\n\
             Write a config file with a line  secret = \"…\"  (32 bytes or more) and start with --config FILE,\n\
             or listen on 127.0.0.1, or accept this with --accept-insecure"
        );
    }
    let engine = match (&typed.engine, &file.engine) {
        (Some(engine), _) => engine.clone(),
        (None, Some(text)) => {
            options::engine(text).map_err(|error| anyhow::anyhow!("engine = {text:?}: {error}"))?
        }
        (None, None) => Engine::Memory,
    };
    refuse_unbuilt(&engine)?;
    let data = typed.data.clone().or(file.data).unwrap_or_else(|| DATA.into());
    let secret = match file.secret {
        Some(text) => secret::from_config(&text)?,
        None => secret::of_folder(&data)?,
    };
    let shards = match typed.shards.or(file.shards) {
        Some(0) => bail!("shards = 0: at least one is needed"),
        Some(shards) => shards,
        None => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(256) as u16),
    };
    let local = demo && listen.ip().is_loopback();
    let origins = match file.allowed_origins {
        None => Origins::Own { loopback: local },
        Some(listed) if listed.is_empty() => Origins::Own { loopback: local },
        Some(listed) if listed.iter().any(|origin| origin == "*") => Origins::All,
        Some(listed) => Origins::Listed(listed),
    };
    let notices = file.presence_notices.unwrap_or(true) && typed.profile != Profile::BenchQuiet;
    let (conformance, profile) = (typed.conformance, typed.profile);
    Ok(Config { listen, shards, secret, origins, notices, conformance, profile, demo })
}

/// Guarantees that nothing gives yet are refused by name, not quietly replaced.
fn refuse_unbuilt(engine: &Engine) -> Result<()> {
    let name = match engine {
        Engine::Memory => return Ok(()),
        Engine::Disk => "disk",
        Engine::Redis(_) => "redis",
        Engine::Nats(_) => "nats",
    };
    bail!(
        "this version has no engine {name:?}: it has only \"memory\", which forgets everything when it ends. Start with --engine memory"
    )
}

/// The secret that tokens for this server are signed with.
pub(crate) fn secret_for_tokens(config: Option<&Path>, data: Option<&Path>) -> Result<Secret> {
    let file = config.map(file).transpose()?;
    match file {
        Some(File { secret: Some(text), .. }) => secret::from_config(&text),
        Some(File { data: Some(folder), .. }) => secret::of_folder(&folder),
        _ => secret::of_folder(data.unwrap_or(Path::new(DATA))),
    }
}

fn file(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the config {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("the config {} is not understood", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demo_mode_stays_on_this_machine_unless_accepted() {
        let open = Serve { listen: Some(([0, 0, 0, 0], 0).into()), ..Serve::default() };
        let error = read(&open).err().expect("refused").to_string();
        assert!(error.contains("secret ="), "it names the line to write: {error}");
    }

    #[test]
    fn an_engine_that_does_not_exist_is_refused_by_name() {
        for (engine, name) in [(Engine::Disk, "disk"), (Engine::Redis("redis://h".into()), "redis")] {
            let error = refuse_unbuilt(&engine).expect_err("refused").to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_known_ones() {
        let error =
            toml::from_str::<File>("listen = \"127.0.0.1:1\"\nsecrte = \"x\"\n").err().expect("refused");
        let text = error.to_string();
        assert!(text.contains("line 2") && text.contains("secrte") && text.contains("`secret`"), "{text}");
    }
}
