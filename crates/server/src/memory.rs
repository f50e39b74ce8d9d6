//! How much memory there is for this process: the machine's, or the tightest limit of a control group that it is in.

use std::path::{Path, PathBuf};

/// What is given, and what of it is free now, in bytes. None where nothing can be found out.
pub(crate) fn given() -> Option<(u64, u64)> {
    let meminfo = read("/proc/meminfo")?;
    let total = kilobytes(&meminfo, "MemTotal")?;
    let available = kilobytes(&meminfo, "MemAvailable")?;
    let group = control_group(&read("/proc/self/cgroup").unwrap_or_default());
    let (limit, used) = group.unwrap_or((u64::MAX, 0));
    Some((limit.min(total), available.min(limit.saturating_sub(used))))
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn kilobytes(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// The tightest limit of our group and those above it, with what is used of it.
fn control_group(membership: &str) -> Option<(u64, u64)> {
    let unified = membership.lines().find_map(|line| line.strip_prefix("0::/"));
    let root = Path::new("/sys/fs/cgroup");
    let number = |path: PathBuf| read(path)?.trim().parse::<u64>().ok();
    let ours = root.join(unified.unwrap_or_default());
    let groups = ours.ancestors().take_while(|group| group.starts_with(root));
    let new = groups
        .filter_map(|group| Some((number(group.join("memory.max"))?, number(group.join("memory.current"))?)));
    let first = root.join("memory");
    let old = number(first.join("memory.limit_in_bytes")).zip(number(first.join("memory.usage_in_bytes")));
    new.chain(old).min_by_key(|(limit, _)| *limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_by_its_name() {
        let meminfo = "MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:    8192 kB\n";
        assert_eq!(kilobytes(meminfo, "MemAvailable"), Some(8 << 20));
        assert_eq!(kilobytes(meminfo, "Mem"), None);
    }
}
