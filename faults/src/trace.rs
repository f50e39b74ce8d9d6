//! What a traced server asked the kernel for, in order: writes to files and sockets, and syncs. It reads the text of strace
//! and judges nothing.

use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};

/// Asked of strace: bytes as hexadecimal, whole, with the paths of descriptors.
pub(crate) const STRACE: [&str; 9] = ["strace", "-f", "-y", "-xx", "-s", "4194304", "-e", CALLS, "-o"];
const CALLS: &str = "trace=fdatasync,fsync,pwrite64,pwritev,write,writev,sendto,sendmsg,ftruncate";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// At an offset of a file.
    Write {
        file: String,
        offset: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        length: u64,
    },
    Sync {
        file: String,
    },
    /// To a socket.
    Told {
        bytes: Vec<u8>,
    },
}

/// A call that succeeded: the kernel was asked at the line `began`, and was done at the line `ended`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) began: usize,
    pub(crate) ended: usize,
    pub(crate) what: What,
}

/// In the order in which they ended.
pub(crate) fn read(path: &Path) -> Result<Vec<Call>> {
    let file = std::fs::File::open(path).context("strace wrote nothing")?;
    let (mut calls, mut open) = (Vec::new(), std::collections::BTreeMap::new());
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line?;
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            open.insert(thread.to_owned(), (number, begun.to_owned()));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((began, begun)) = open.remove(thread) else { continue };
            let end = resumed.split_once("resumed>").map_or("", |(_, end)| end);
            calls.extend(call(began, number, &format!("{begun}{end}")));
        } else {
            calls.extend(call(number, number, rest));
        }
    }
    Ok(calls)
}

fn call(began: usize, ended: usize, text: &str) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ").or_else(|| {
        // Short calls are padded in front of their result.
        let (arguments, result) = rest.rsplit_once('=')?;
        Some((arguments.trim_end().strip_suffix(')')?, result.trim()))
    })?;
    let result: u64 = result.split(' ').next()?.trim().parse().ok()?;
    let (_, path) = arguments.split_once('<')?;
    let (path, arguments) = path.split_once('>')?;
    let file = String::from_utf8_lossy(&unescaped(path)).into_owned();
    let bytes = || {
        let mut bytes: Vec<u8> = arguments.split('"').skip(1).step_by(2).flat_map(unescaped).collect();
        bytes.truncate(result as usize);
        bytes
    };
    let last = || arguments.rsplit(", ").next()?.trim().parse().ok();
    let what = match name {
        "fsync" | "fdatasync" => What::Sync { file },
        "ftruncate" => What::Truncate { file, length: last()? },
        "pwrite64" | "pwritev" => What::Write { file, offset: last()?, bytes: bytes() },
        _ if file.starts_with("socket:") => What::Told { bytes: bytes() },
        _ => return None,
    };
    Some(Call { began, ended, what })
}

/// `\x41\x42` as bytes.
fn unescaped(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    digits.filter_map(|pair| u8::from_str_radix(pair.get(..2)?, 16).ok()).collect()
}

/// Whether some bytes hold others.
pub(crate) fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_whole_or_in_two_pieces() {
        let whole = r#"pwrite64(17<\x2f\x61>, "\x41\x42\x43", 3, 4152) = 3"#;
        let write = What::Write { file: "/a".to_owned(), offset: 4152, bytes: b"ABC".to_vec() };
        assert_eq!(call(3, 3, whole), Some(Call { began: 3, ended: 3, what: write }));
        let sync = r"fsync(17<\x2f\x61>)                       = 0";
        assert_eq!(call(1, 9, sync).map(|it| it.what), Some(What::Sync { file: "/a".to_owned() }));
        assert_eq!(call(1, 1, r"fsync(17<\x2f\x61>) = -1 EIO (Input/output error)"), None);
        let told = r#"writev(30<\x73\x6f\x63\x6b\x65\x74\x3a\x5b\x31\x5d>, [{iov_base="\x41", iov_len=1}, {iov_base="\x42\x43", iov_len=2}], 2) = 2"#;
        assert_eq!(call(1, 1, told).map(|it| it.what), Some(What::Told { bytes: b"AB".to_vec() }));
    }

    #[test]
    fn a_call_that_others_interrupt_keeps_both_its_lines() {
        let folder = std::env::temp_dir().join(format!("kulkul-trace-{}", std::process::id()));
        let text =
            "7 fsync(1<\\x2f> <unfinished ...>\n8 fsync(2<\\x2f\\x62>) = 0\n7 <... fsync resumed>) = 0\n";
        std::fs::write(&folder, text).expect("written");
        let calls = read(&folder).expect("read");
        std::fs::remove_file(&folder).expect("removed");
        let lines: Vec<(usize, usize)> = calls.iter().map(|call| (call.began, call.ended)).collect();
        assert_eq!(lines, [(1, 1), (0, 2)]);
    }
}
