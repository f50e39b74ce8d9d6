//! Style as a test: sizes, names, unfinished work, skipped tests, sleeps, machine paths, and what the pure set may say.
//! It judges one file at a time.

mod rust;

use std::collections::BTreeSet;

use crate::files::{File, extension};
use crate::finding::Finding;
use crate::policy;
use crate::source::Source;

pub(crate) fn findings(files: &[File]) -> Vec<Finding> {
    let test_files = files_of_test_modules(files);
    let mut found: Vec<Finding> = files
        .iter()
        .flat_map(|file| {
            let under = |module: &String| {
                file.path == format!("{module}.rs") || file.path.starts_with(&format!("{module}/"))
            };
            in_file(file, is_test_path(&file.path) || test_files.iter().any(under))
        })
        .collect();
    excuse(&mut found, policy::EXEMPT);
    found
}

/// Takes out what is exempt; an exemption that takes out nothing is a finding itself.
fn excuse(found: &mut Vec<Finding>, exempt: &[policy::Exempt]) {
    for entry in exempt {
        let before = found.len();
        found.retain(|finding| !(finding.rule == entry.rule && finding.path == entry.path));
        if found.len() == before {
            let says = format!(
                "EXEMPT still excuses it from `{}` ({}); take the entry out",
                entry.rule, entry.because
            );
            found.push(Finding::fails("stale-exemption", entry.path, 0, says));
        }
    }
}

fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "test")
        || path.ends_with(".test.js")
        || path.ends_with(".test.mjs")
}

/// Where the files of `#[cfg(test)] mod name;` are, without their extension.
fn files_of_test_modules(files: &[File]) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for file in files.iter().filter(|file| extension(&file.path) == "rs") {
        let (folder, stem) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let folder = match stem {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => format!("{folder}/{}", stem.trim_end_matches(".rs")),
        };
        modules.extend(Source::read(&file.text).test_modules.iter().map(|name| format!("{folder}/{name}")));
    }
    modules
}

fn in_file(file: &File, test: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let kind = extension(&file.path);
    if matches!(kind, "rs" | "js" | "mjs" | "css" | "html") {
        size(file, &mut found);
        name_of_file(file, &mut found);
    }
    match kind {
        "rs" => rust::findings(file, test, &mut found),
        "js" | "mjs" => {
            unfinished_lines(file, &mut found);
            javascript(file, test, &mut found);
        }
        "md" | "txt" | "json" => {}
        _ => unfinished_lines(file, &mut found),
    }
    machine_paths(file, &mut found);
    found
}

fn size(file: &File, found: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if lines > policy::FILE_LINES_MAX {
        let says = format!("{lines} lines; {} is the most: it is more than one idea", policy::FILE_LINES_MAX);
        found.push(Finding::fails("long-file", &file.path, 0, says));
    } else if lines > policy::FILE_LINES_WARN {
        let says = format!("{lines} lines; above {} look for the second idea", policy::FILE_LINES_WARN);
        found.push(Finding::warns("long-file", &file.path, 0, says));
    }
}

fn name_of_file(file: &File, found: &mut Vec<Finding>) {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    let stem = name.split('.').next().unwrap_or(name);
    let module = if stem == "mod" { file.path.rsplit('/').nth(1).unwrap_or(stem) } else { stem };
    if let Some(noun) = empty_noun_of_module(module) {
        found.push(Finding::fails("name", &file.path, 0, empty(module, noun)));
    }
}

fn empty(name: &str, noun: &str) -> String {
    format!("`{name}`: \"{noun}\" says nothing; take a noun from STYLE.md, or make it a function")
}

fn empty_noun_of_module(name: &str) -> Option<&str> {
    let words = || name.split(['_', '-']);
    let last = words().next_back().filter(|last| policy::EMPTY_LAST_NOUNS.contains(last));
    words().find(|word| policy::EMPTY_NOUNS.contains(word)).or(last)
}

/// The last word of a name in camel case, where it says nothing.
fn empty_noun_of_type(name: &str) -> Option<&'static str> {
    let begin = name.rfind(char::is_uppercase).unwrap_or(0);
    let last = name[begin..].to_lowercase();
    policy::EMPTY_NOUNS.iter().chain(policy::EMPTY_LAST_NOUNS).copied().find(|noun| *noun == last)
}

fn javascript(file: &File, test: bool, found: &mut Vec<Finding>) {
    for (number, line) in file.text.lines().enumerate() {
        let mut fails = |rule, says: &str| found.push(Finding::fails(rule, &file.path, number + 1, says));
        if test && [".only(", ".skip(", ".todo(", "xit(", "xdescribe("].iter().any(|skip| line.contains(skip))
        {
            fails("skipped-test", "a test that is skipped, or that skips the others");
        }
        if test && line.contains("setTimeout(") {
            fails("sleep", "no test sleeps: wait for what it waits for");
        }
        let class = line
            .split_once("class ")
            .filter(|(before, _)| ["", "export ", "export default "].contains(before));
        let name = class.and_then(|(_, after)| after.split(|c: char| !c.is_alphanumeric()).next());
        if let Some((name, noun)) = name.and_then(|name| Some((name, empty_noun_of_type(name)?))) {
            fails("name", &empty(name, noun));
        }
    }
}

fn unfinished_lines(file: &File, found: &mut Vec<Finding>) {
    for (number, line) in file.text.lines().enumerate() {
        unfinished(&file.path, number + 1, line, found);
    }
}

fn unfinished(path: &str, number: usize, line: &str, found: &mut Vec<Finding>) {
    let marks = ["TODO", "FIXME", "XXX"];
    let word = line.split(|c: char| !c.is_alphanumeric() && c != '_').find(|word| marks.contains(word));
    if let Some(word) = word {
        let says = format!("{word}: finish it, or write down in docs/decisions why not");
        found.push(Finding::fails("unfinished", path, number, says));
    }
}

fn machine_paths(file: &File, found: &mut Vec<Finding>) {
    for (number, line) in file.text.lines().enumerate() {
        if let Some(path) = machine_path(line) {
            let says = format!("`{path}` exists on one machine only");
            found.push(Finding::fails("machine-path", &file.path, number + 1, says));
        }
    }
}

/// The beginning of an absolute path into somebody's machine. A slash after a name, as in an address or in a relative
/// path, begins none.
fn machine_path(line: &str) -> Option<&str> {
    line.match_indices('/').find_map(|(at, _)| {
        let part = |c: char| c.is_alphanumeric() || "._-~/$}{*:".contains(c);
        let inside = line[..at].chars().next_back().is_some_and(part);
        let rest = &line[at + 1..];
        let root = policy::MACHINE_ROOTS.iter().find(|root| {
            rest.strip_prefix(**root)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '.'))
        })?;
        (!inside).then(|| &line[at..at + root.len() + 2])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    /// The rules that a file breaks; `//!` is put before Rust that has no such line of its own.
    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        let text = if extension(path) == "rs" { format!("//! What.\n{text}") } else { text.to_owned() };
        findings(&[file(path, &text)]).iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_module_says_what_it_is_for() {
        for (text, broken) in
            [("//! What.\nfn a() {}", 0), ("fn a() {}", 1), ("// What.\n", 1), ("/// What.\nfn a() {}", 1)]
        {
            assert_eq!(findings(&[file("a/src/b.rs", text)]).len(), broken, "{text}");
        }
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for (text, broken) in [
            ("struct RoomManager;", 1),
            ("pub enum ConnectionInfo {}", 1),
            ("trait MessageHandler {}", 1),
            ("type Data = u8;", 1),
            ("mod util;", 1),
            ("mod string_helpers;", 1),
            ("struct Handlebar; struct Database; struct Baseline; mod database;", 0),
            ("fn handler() {}", 0),
            ("struct DataFrame; mod data_frame;", 0),
            ("// struct RoomManager\nconst A: &str = \"struct RoomManager;\";", 0),
        ] {
            assert_eq!(rules("a/src/b.rs", text), vec!["name"; broken], "{text}");
        }
        for (path, broken) in [
            ("a/src/room_service.rs", 1),
            ("a/src/core.rs", 1),
            ("a/src/helpers/mod.rs", 1),
            ("web/util.js", 1),
            ("web/common.css", 1),
            ("crates/rooms/src/log.rs", 0),
        ] {
            assert_eq!(rules(path, ""), vec!["name"; broken], "{path}");
        }
        assert_eq!(rules("web/socket.js", "export class SocketManager {"), ["name"]);
    }

    #[test]
    fn unfinished_work_and_skipped_tests_are_refused() {
        for (path, text, rule) in [
            ("a/src/b.rs", "fn a() { todo!() }", "unfinished"),
            ("a/src/b.rs", "fn a() { unimplemented!(\"x\") }", "unfinished"),
            ("a/src/b.rs", "// TODO: later", "unfinished"),
            ("a/src/b.rs", "/* one\nFIXME two */", "unfinished"),
            ("web/a.css", "/* TODO */", "unfinished"),
            (".github/workflows/ci.yml", "# FIXME", "unfinished"),
            ("a/src/b.rs", "#[test] #[ignore] fn a() {}", "skipped-test"),
            ("a/src/b.rs", "#[test] #[ignore = \"slow\"] fn a() {}", "skipped-test"),
            ("a/src/b.rs", "#[cfg_attr(windows, ignore)] fn a() {}", "skipped-test"),
            ("a/src/b.rs", "/// ```ignore\n/// a\n/// ```\nfn a() {}", "skipped-test"),
            ("clients/js/tests/a.js", "it.only('x')", "skipped-test"),
            ("clients/js/a.test.js", "describe.skip('x')", "skipped-test"),
            ("a/tests/b.rs", "fn a() { std::thread::sleep(x); }", "sleep"),
            ("a/tests/b.rs", "async fn a() { sleep(x).await; }", "sleep"),
            ("a/src/b.rs", "#[cfg(test)] mod tests { fn a() { tokio::time::sleep(x); } }", "sleep"),
            ("clients/js/tests/a.js", "await new Promise((r) => setTimeout(r, 9))", "sleep"),
        ] {
            assert_eq!(rules(path, text), [rule], "{path}: {text}");
        }
        for (path, text) in [
            (
                "a/src/b.rs",
                "fn a() { list.iter().skip(1); sleep(x); let ignore = 1; const A: &str = \"TODO\"; }",
            ),
            ("a/src/b.rs", "/// ```compile_fail\n/// a\n/// ```\n#[allow(clippy::x)] fn a() { ignore(); }"),
            ("web/a.js", "setTimeout(retry, 9); list.skip(1)"),
        ] {
            assert_eq!(rules(path, text), Vec::<&str>::new(), "{path}: {text}");
        }
    }

    #[test]
    fn long_files_fail_and_long_functions_warn() {
        let lines = |count: usize| "\n".repeat(count);
        for (path, count, expected) in [
            ("a/src/b.rs", policy::FILE_LINES_WARN - 1, &[][..]),
            ("a/src/b.rs", policy::FILE_LINES_WARN, &["warns"]),
            ("a/src/b.rs", policy::FILE_LINES_MAX, &["fails"]),
            ("web/a.css", policy::FILE_LINES_MAX + 1, &["fails"]),
            ("docs/a.md", policy::FILE_LINES_MAX + 1, &[]),
        ] {
            let severities: Vec<_> = findings(&[file(path, &format!("//! What.\n{}", lines(count)))])
                .iter()
                .map(
                    |finding| {
                        if finding.severity == crate::finding::Severity::Fails { "fails" } else { "warns" }
                    },
                )
                .collect();
            assert_eq!(severities, expected, "{path} {count}");
        }
        let function = |count: usize| format!("fn a(x: [u8; 3]) -> u8 {{{}}}\nfn b();", lines(count));
        assert_eq!(rules("a/src/b.rs", &function(policy::FUNCTION_LINES_WARN - 1)), Vec::<&str>::new());
        assert_eq!(rules("a/src/b.rs", &function(policy::FUNCTION_LINES_WARN)), ["long-function"]);
    }

    #[test]
    fn the_pure_set_is_held_outside_its_tests_only() {
        let reads_a_file = "use std::fs;";
        for (path, broken) in [
            ("crates/rooms/src/log.rs", 1),
            ("apps/chat/src/lib.rs", 1),
            ("crates/rooms/tests/log.rs", 0),
            ("crates/node/src/lib.rs", 0),
            ("crates/server/src/main.rs", 0),
            ("sim/src/lib.rs", 0),
        ] {
            assert_eq!(rules(path, reads_a_file), vec!["pure"; broken], "{path}");
        }
        let declared = |module: &str| {
            findings(&[
                file("crates/rooms/src/home.rs", &format!("//! What.\n{module}")),
                file("crates/rooms/src/home/dialogue.rs", "//! What.\nuse std::fs;"),
            ])
            .len()
        };
        assert_eq!(declared("#[cfg(test)] mod dialogue;"), 0);
        assert_eq!(declared("mod dialogue;"), 1);
    }

    #[test]
    fn paths_of_one_machine_are_refused() {
        for (root, broken) in
            policy::MACHINE_ROOTS.iter().map(|root| (*root, 1)).chain([("etc", 0), ("homes", 0)])
        {
            assert_eq!(
                rules("docs/a.md", &format!("see `/{root}/somebody/x`")),
                vec!["machine-path"; broken],
                "{root}"
            );
        }
        for text in ["https://example.org/home/x", "../work/x", "$X/home/x", "a/home/x", "`/home`", "/home/*"]
        {
            assert_eq!(machine_path(text), None, "{text}");
        }
    }

    #[test]
    fn an_exemption_excuses_one_rule_of_one_file_and_must_be_needed() {
        let exempt = [policy::Exempt { rule: "long-file", path: "a.rs", because: "a table" }];
        let long = Finding::fails("long-file", "a.rs", 0, "");
        for (found, expected) in [
            (vec![long.clone()], &[][..]),
            (vec![], &["stale-exemption"]),
            (vec![long, Finding::fails("name", "a.rs", 1, "")], &["name"]),
        ] {
            let mut found = found;
            excuse(&mut found, &exempt);
            assert_eq!(found.iter().map(|finding| finding.rule).collect::<Vec<_>>(), expected);
        }
    }
}
