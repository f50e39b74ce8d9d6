//! Manual pages and completions for shells, from the same description that reads the command line.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::options::Options;

pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut written = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "kulkul", &mut written);
    Ok(std::io::stdout().write_all(&written)?)
}

pub(crate) fn pages(out: Option<&Path>) -> Result<()> {
    let command = Options::command();
    match out {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            Ok(std::io::stdout().write_all(&page)?)
        }
        Some(folder) => {
            let failed = || format!("cannot write manual pages to {}", folder.display());
            std::fs::create_dir_all(folder).with_context(failed)?;
            clap_mangen::generate_to(command, folder).with_context(failed)
        }
    }
}
