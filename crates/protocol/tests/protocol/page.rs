//! docs/protocol.md, docs/hub.md, docs/livechat.md, docs/matches.md and docs/rides-ws.md against the code: a page that a client is written from must not be wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vocabulary::{CloseReason, Comeback};

use crate::golden::{Tongue, client_cases, codes, is_blessing, kind, names, server_cases, words};

fn path(tongue: Tongue) -> PathBuf {
    let name = match tongue {
        Tongue::Rooms => "protocol.md",
        Tongue::Hub => "hub.md",
        Tongue::Livechat => "livechat.md",
        Tongue::Match => "matches.md",
        Tongue::Ride => "rides-ws.md",
    };
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn page(tongue: Tongue) -> String {
    std::fs::read_to_string(path(tongue)).expect("the page is there")
}

/// The lines under a heading of the second rank.
fn section(page: &str, heading: &str) -> String {
    let lines = page.lines().skip_while(|line| line.strip_prefix("## ") != Some(heading));
    let section: Vec<&str> = lines.skip(1).take_while(|line| !line.starts_with("## ")).collect();
    assert!(!section.is_empty(), "the page has no section {heading:?}");
    section.join("\n")
}

/// The types that a section has a heading for: "### `join_room`".
fn described(page: &str, heading: &str) -> BTreeSet<String> {
    let section = section(page, heading);
    let headings = section.lines().filter_map(|line| line.strip_prefix("### "));
    headings.flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The frames that a section shows, one a line.
fn shown(section: &str) -> Vec<&str> {
    let begin = ["{\"type\":", "{\"id\":", "{\"error\":", "{\"raidType\":"];
    section.lines().filter(|line| begin.iter().any(|it| line.starts_with(it))).collect()
}

#[test]
fn the_page_and_the_golden_files_know_the_same_types_of_clients() {
    for tongue in Tongue::ALL {
        let asked = client_cases(tongue).into_iter().filter(|case| case.refused.is_none());
        let mut golden: BTreeSet<String> = asked.filter_map(|case| kind(&case.text)).collect();
        let described = described(&page(tongue), "What you send");
        // What apps know besides stands on their own pages.
        golden.retain(|kind| {
            described.contains(kind) || !words().values().any(|words| words.contains_key(kind))
        });
        assert_eq!(described, golden, "{tongue:?}");
    }
}

#[test]
fn the_page_and_the_golden_files_know_the_same_types_of_the_server() {
    for tongue in Tongue::ALL {
        let cases = server_cases(tongue);
        let golden: BTreeSet<String> = cases.iter().filter_map(|case| kind(&case.text)).collect();
        assert_eq!(described(&page(tongue), "What you get"), golden, "{tongue:?}");
    }
}

#[test]
fn what_the_page_shows_a_client_send_is_understood() {
    for tongue in Tongue::ALL {
        let section = section(&page(tongue), "What you send");
        let frames = shown(&section);
        assert!(!frames.is_empty(), "{tongue:?}: the page shows frames");
        for frame in frames {
            assert!(tongue.protocol().decode(&names(tongue), frame).is_ok(), "{frame}");
        }
    }
}

#[test]
fn what_the_page_shows_the_server_send_is_in_a_golden_file() {
    for tongue in Tongue::ALL {
        let golden: BTreeSet<String> = server_cases(tongue).into_iter().map(|case| case.text).collect();
        for frame in shown(&section(&page(tongue), "What you get")) {
            assert!(golden.contains(frame), "no golden file has {frame}");
        }
    }
}

#[test]
fn the_page_lists_every_error_code_and_no_other() {
    let page = page(Tongue::Rooms);
    let errors = section(&page, "Errors");
    let rows = errors.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let listed: BTreeSet<&str> = rows.collect();
    assert_eq!(listed, codes().into_iter().map(|(word, _)| word).collect());
}

/// "`name`, `other` in [`file.rs`](path)": each name is that of a test in the file.
#[test]
fn the_tests_that_a_page_names_exist() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for (name, least) in [
        ("seed-000.md", 25),
        ("seed-002.md", 20),
        ("seed-003.md", 30),
        ("seed-004.md", 30),
        ("security.md", 25),
    ] {
        let named = tests_named_in(&docs, name);
        assert!(named > least, "{named} tests are named in {name}: the page reads differently now");
    }
}

fn tests_named_in(docs: &Path, page: &str) -> usize {
    let page = std::fs::read_to_string(docs.join(page)).expect("the page is there");
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().expect("a last column");
        let mut rest = shown_by;
        while let Some((names, after)) = rest.split_once(" in [") {
            let (_, after) = after.split_once("](").expect("a link");
            let (path, after) = after.split_once(')').expect("the end of a link");
            let file =
                std::fs::read_to_string(docs.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            for name in names.split('`').skip(1).step_by(2) {
                let test = format!("#[test]\nfn {name}() {{");
                let flat = file.replace("\n    fn ", "\nfn ");
                // One that runs on every broker is a line of a list, and a function beside it.
                let on_each =
                    flat.contains(&format!("\nfn {name}(")) && file.contains(&format!("\n    {name},\n"));
                assert!(on_each || flat.contains(&test), "{path} has no test {name}");
                named += 1;
            }
            rest = after;
        }
    }
    named
}

const BEGIN: &str =
    "<!-- from `CloseReason::ALL`; KULKUL_BLESS=1 cargo test -p kulkul-protocol writes it anew -->\n";
const END: &str = "<!-- end -->";

fn close_codes() -> String {
    let mut table = String::from("| code | words | come back? |\n| --- | --- | --- |\n");
    for reason in CloseReason::ALL {
        let delay = if reason.retry_after_ms().is_some() { ", after the delay in the words" } else { "" };
        let comeback = match reason.comeback() {
            Comeback::Yes => "yes",
            Comeback::WithNewToken => "yes, with a new token",
            Comeback::No => "no",
        };
        let words = match reason.retry_after_ms() {
            Some(_) => format!("{}, retry after N ms", reason.words()),
            None => reason.words().to_owned(),
        };
        table += &format!("| {} | {words} | {comeback}{delay} |\n", reason.code());
    }
    table
}

#[test]
fn the_table_of_close_codes_is_fresh() {
    let page = page(Tongue::Rooms);
    let (before, rest) = page.split_once(BEGIN).expect("the table has a place");
    let (table, after) = rest.split_once(END).expect("the table has an end");
    if table == close_codes() {
        return;
    }
    assert!(is_blessing(), "the table should be\n{}KULKUL_BLESS=1 writes it anew", close_codes());
    std::fs::write(path(Tongue::Rooms), format!("{before}{BEGIN}{}{END}{after}", close_codes()))
        .expect("writable");
}
