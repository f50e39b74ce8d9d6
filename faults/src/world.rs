//! What a scenario works in: a folder of its own, gone with it, and how servers are started there. A scenario with several
//! nodes asks for several launches; a broker stands beside them with a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::node::Launch;

pub(crate) struct World {
    pub(crate) folder: PathBuf,
    binary: PathBuf,
    next: Option<PathBuf>,
    /// Left for whoever looks into a failure.
    pub(crate) keep: bool,
}

impl World {
    /// The folder is emptied first: a run that was cut off may have left it.
    pub(crate) fn new(binary: &Path, next: Option<&Path>, folder: &Path) -> Result<World> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (binary, next) = (binary.to_owned(), next.map(Path::to_owned));
        Ok(World { folder: folder.to_owned(), binary, next, keep: false })
    }

    /// The server as it is, and its next build.
    pub(crate) fn builds(&self) -> Result<[&Path; 2]> {
        let next = self.next.as_deref();
        Ok([&self.binary, next.context("--next PATH: a server built with --features rehearsal")?])
    }

    /// A server of that name, with a folder and a port of its own.
    pub(crate) fn launch(&self, name: &str, args: &[&str]) -> Result<Launch> {
        let folder = self.folder.join(name);
        fs::create_dir_all(folder.join("data"))?;
        let mut launch = Launch::new(&self.binary, &folder)?;
        launch.args = args.iter().map(|it| (*it).to_owned()).collect();
        Ok(launch)
    }

    /// The same with a config file, where the operator has a door of its own.
    pub(crate) fn configured(&self, name: &str, config: &str) -> Result<Launch> {
        let mut launch = self.launch(name, &[])?;
        let file = self.folder.join(format!("{name}.toml"));
        fs::write(&file, format!("operator_listen = \"127.0.0.1:0\"\n{config}"))?;
        launch.args.extend(["--config".to_owned(), file.display().to_string()]);
        Ok(launch)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed is emptied by the next run.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
