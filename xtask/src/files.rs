//! The files that people wrote, read once. Never writes.

use std::fs;
use std::path::Path;

use crate::policy;

pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

const READ: &[&str] =
    &["rs", "md", "js", "mjs", "css", "html", "toml", "yml", "yaml", "sh", "json", "txt", "run", "svg"];

/// Every file of a kind that has rules, in order of path.
pub(crate) fn read(root: &Path) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    walk(root, root, &mut files).map_err(|error| format!("the tree cannot be read: {error}"))?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<File>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if policy::NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(root, &path, files)?;
        } else if kind.is_file() && READ.contains(&extension(&name)) {
            let Ok(text) = fs::read_to_string(&path) else { continue }; // not text: nothing here has a rule for it
            let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push(File { path, text });
        }
    }
    Ok(())
}

/// The extension, or the whole name of a file that has none.
pub(crate) fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit('.').next().unwrap_or(name)
}
