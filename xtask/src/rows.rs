//! Rows of threats (T) and faults (R) and the tests that keep them: a test says its rows at the head of its comment, as in
//! `/// T07, T20: …`. Here they are found by that, and run by their row.

use std::path::Path;

use crate::files;
use crate::steps::{cargo_at, run_and_read, without_colour};

/// Where tests are that may keep one; the simulator's worlds and the scenarios of `faults` say it in tables of their own.
const PLACES: [&str; 4] = ["crates/", "apps/", "bridges/", "engines/"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) row: String,
    pub(crate) test: String,
    /// The package's folder.
    pub(crate) folder: String,
}

/// Whether it looks like one: a letter and two digits.
pub(crate) fn is_row(word: &str) -> bool {
    matches!(word.as_bytes(), [b'T' | b'R' | b't' | b'r', a, b] if a.is_ascii_digit() && b.is_ascii_digit())
}

pub(crate) fn kept(root: &Path) -> Result<Vec<Kept>, String> {
    let mut all = Vec::new();
    for file in files::read(root)? {
        let is_test = file.path.ends_with(".rs") && PLACES.iter().any(|place| file.path.starts_with(place));
        if let Some(folder) = package_of(&file.path).filter(|_| is_test) {
            all.extend(in_text(&file.text).map(|(row, test)| Kept { row, test, folder: folder.to_owned() }));
        }
    }
    all.sort_by(|one, other| (&one.row, &one.test).cmp(&(&other.row, &other.test)));
    Ok(all)
}

/// Packages lie two folders deep.
fn package_of(path: &str) -> Option<&str> {
    let (end, _) = path.match_indices('/').nth(1)?;
    Some(&path[..end])
}

fn in_text(text: &str) -> impl Iterator<Item = (String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((head, _)) = line.trim_start().strip_prefix("/// ").and_then(|said| said.split_once(':'))
        else {
            continue;
        };
        let rows: Vec<&str> = head.split(", ").collect();
        if !rows.iter().all(|row| is_row(row)) {
            continue;
        }
        let name = lines[at..].iter().find_map(|line| {
            let (_, rest) = line.split_once("fn ").filter(|_| !line.trim_start().starts_with("//"))?;
            rest.split(['(', '<']).next()
        });
        found.extend(
            name.into_iter().flat_map(|name| rows.iter().map(|row| ((*row).to_owned(), name.to_owned()))),
        );
    }
    found.into_iter()
}

/// The tests of these rows, each by its name; fails where one fails or where none of a name ran.
pub(crate) fn run(root: &Path, tests: &[Kept]) -> Result<(), String> {
    for Kept { row, test, folder } in tests {
        let manifest = format!("{folder}/Cargo.toml");
        let command = cargo_at(root, &["test", "--quiet", "--manifest-path", &manifest, "--", test]);
        let mut passed = 0;
        let ran = run_and_read(command, |line| {
            let line = without_colour(line);
            let count = line.strip_prefix("test result: ok. ").and_then(|rest| rest.split(' ').next());
            passed += count.and_then(|count| count.parse::<u32>().ok()).unwrap_or(0);
        });
        match ran {
            Ok(()) if passed > 0 => println!("ok     {row}  {test}"),
            Ok(()) => return Err(format!("{row}: no test is named {test}")),
            Err(status) => return Err(format!("{row}: {test}: {status}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::steps;

    #[test]
    fn a_row_is_the_next_functions() {
        let text = "/// T07: a word.\n/// More of it.\n#[test]\nfn closes() {}\n/// T1: none\nfn other() {}\n/// R12, T31: both\nfn poison(fleet: &Fleet) {}\n";
        let found: Vec<_> = in_text(text).collect();
        let all = [("T07", "closes"), ("R12", "poison"), ("T31", "poison")];
        assert_eq!(found, all.map(|(row, test)| (row.to_owned(), test.to_owned())));
    }

    /// What is promised of threats and faults is kept by something that runs.
    #[test]
    fn every_row_is_kept() {
        let root = steps::root().expect("the workspace");
        let mut rows: BTreeSet<String> = kept(&root).expect("read").into_iter().map(|it| it.row).collect();
        let table = std::fs::read_to_string(root.join("faults/src/scenarios/table.rs")).expect("a table");
        rows.extend(
            table
                .lines()
                .filter_map(|line| Some(line.split_once("row: \"")?.1.split('"').next()?.to_owned())),
        );
        let worlds = std::fs::read_to_string(root.join("sim/src/named.rs")).expect("the simulator's worlds");
        rows.extend(
            worlds
                .lines()
                .filter_map(|line| line.split_once("name: \"R")?.1.get(..2))
                .map(|it| format!("R{it}")),
        );
        let missing: Vec<&str> = WANTED.iter().copied().filter(|row| !rows.contains(*row)).collect();
        assert!(missing.is_empty(), "nothing keeps {missing:?}");
    }

    const WANTED: &[&str] = &[
        "T01", "T02", "T05", "T06", "T07", "T08", "T09", "T10", "T11", "T12", "T13", "T15", "T16", "T17",
        "T18", "T19", "T20", "T21", "T22", "T23", "T24", "T25", "T26", "T27", "T28", "T29", "T30", "T31",
        "T33", "T36", "R01", "R02", "R03", "R04", "R05", "R06", "R07", "R08", "R09", "R10", "R11", "R12",
        "R13", "R14", "R15", "R16", "R17", "R18", "R19", "R20", "R21", "R22", "R23", "R24", "R25", "R26",
        "R28", "R29", "R30",
    ];
}
