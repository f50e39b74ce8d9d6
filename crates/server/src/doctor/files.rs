//! The data folder and the certificate: there, readable, writable, with room. It opens files and writes none.

use std::fs::File;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::Finding;
use crate::config::Tls;

/// A log and a secret fit in little; an engine on disk wants more than this from the first day.
const FREE_BYTES: u64 = 1 << 30;

pub(super) fn folder(folder: &Path) -> Finding {
    let about = "data folder";
    let shown = folder.display();
    // One that is not there yet is made in the nearest one that is.
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let Some(there) = absolute.ancestors().find(|path| path.exists()) else {
        return Finding::fail(about, format!("{shown} cannot be looked at"), "set `data` to a folder");
    };
    if !there.is_dir() {
        return Finding::fail(about, format!("{} is no folder", there.display()), "set `data` to a folder");
    }
    if access(there, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let remedy = format!("give it to the user that serves: chown {}", there.display());
        return Finding::fail(about, format!("{} is not writable", there.display()), remedy);
    }
    let state = if there == absolute { "writable" } else { "not there yet, can be made" };
    match statvfs(there).map(|room| room.blocks_available() * room.fragment_size()) {
        Err(error) => {
            Finding::warn(about, format!("{shown}: {state}; cannot tell how much is free: {error}"), "look")
        }
        Ok(free) => {
            let says = format!("{shown}: {state}, {} MiB free", free >> 20);
            if free < FREE_BYTES {
                Finding::warn(about, says, "make room")
            } else {
                Finding::fine(about, says)
            }
        }
    }
}

/// Whether they can be read, and no more: what is in them is looked at by whoever speaks TLS.
pub(super) fn certificate(tls: &Tls) -> Vec<Finding> {
    let readable = |(about, path): (&'static str, &Path)| match File::open(path) {
        Ok(_) => Finding::fine(about, format!("{} can be read", path.display())),
        Err(error) => Finding::fail(
            about,
            format!("{} cannot be read: {error}", path.display()),
            "mend the path or the file's owner",
        ),
    };
    [("tls.certificate", tls.certificate.as_path()), ("tls.key", tls.key.as_path())].map(readable).into()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_folder_is_there_or_can_be_made() {
        let here = std::env::temp_dir();
        for (path, failed, says) in [
            (here.clone(), false, "writable"),
            (here.join("kulkul-not-there/deep"), false, "can be made"),
            ("/proc/version/data".into(), true, "is no folder"),
        ] {
            let found = folder(&path);
            assert_eq!(found.verdict == Verdict::Fail, failed, "{found:?}");
            assert!(found.says.contains(says), "{found:?}");
        }
    }

    #[test]
    fn a_certificate_that_cannot_be_read_fails() {
        let tls = Tls { certificate: "/proc/version".into(), key: "/nonexistent/key.pem".into() };
        let verdicts: Vec<_> = certificate(&tls).iter().map(|finding| finding.verdict).collect();
        assert_eq!(verdicts, [Verdict::Fine, Verdict::Fail]);
    }
}
