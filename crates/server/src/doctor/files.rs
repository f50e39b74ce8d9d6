//! The data folder and the certificate: there, readable, writable, with room. It opens files and writes none.

use std::path::Path;
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use node::Facts;

use super::Finding;
use crate::config::Tls;

/// Time to have a certificate renewed.
const ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 3600);
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

/// Both can be read, belong together, and do not end soon.
pub(super) fn certificate(tls: &Tls) -> Finding {
    let about = "certificate";
    let shown = tls.certificate.display();
    let read = match node::Tls::read(&tls.certificate, &tls.key) {
        Ok(read) => read,
        Err(error) => {
            let remedy = "mend tls.certificate and tls.key: the chain and its own key, PEM, readable by us";
            return Finding::fail(about, error.to_string(), remedy);
        }
    };
    let Some(end) = read.ends() else {
        return Finding::warn(about, format!("{shown}: cannot tell when it ends"), "look");
    };
    let (now, says) = (Facts::now(), format!("{shown}: good until {end}"));
    if end <= now {
        Finding::fail(about, format!("{shown}: ended {end}"), "renew it")
    } else if end < now + ENDS_SOON {
        Finding::warn(about, says, "renew it: clients that check it will soon refuse it")
    } else {
        Finding::fine(about, says)
    }
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
    fn a_certificate_is_read_with_its_key() {
        let certs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge/certs");
        for (key, verdict, says) in [
            ("one.key.pem", Verdict::Fine, "good until 2126-"),
            ("two.key.pem", Verdict::Fail, "do not go together"),
            ("three.key.pem", Verdict::Fail, "three.key.pem"),
        ] {
            let found = certificate(&Tls { certificate: certs.join("one.pem"), key: certs.join(key) });
            assert!(found.verdict == verdict && found.says.contains(says), "{found:?}");
        }
    }
}
