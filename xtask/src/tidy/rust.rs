//! Tidy for Rust: what needs words told apart from comments, strings and tests.

use super::{empty, empty_noun_of_module, empty_noun_of_type, unfinished};
use crate::files::File;
use crate::finding::Finding;
use crate::policy::{self, stands_for};
use crate::purity;
use crate::source::{Source, matching};

pub(super) fn findings(file: &File, test: bool, found: &mut Vec<Finding>) {
    let source = Source::read(&file.text);
    if !source
        .comments
        .iter()
        .any(|comment| comment.text.starts_with("//!") || comment.text.starts_with("/*!"))
    {
        let says = "no `//!`: what is it for, and what does it never do?";
        found.push(Finding::fails("module-doc", &file.path, 0, says));
    }
    for at in 0..source.code.len() {
        word(file, &source, at, test, found);
    }
    for comment in &source.comments {
        for (number, line) in comment.text.lines().enumerate() {
            unfinished(&file.path, comment.line + number, line, found);
            let fence = line.trim_start_matches(['/', '!', '*', ' ']);
            if fence
                .strip_prefix("```")
                .is_some_and(|words| words.split([',', ' ']).any(|word| word == "ignore"))
            {
                let says = "an ignored example is a test that never ran";
                found.push(Finding::fails("skipped-test", &file.path, comment.line + number, says));
            }
        }
    }
    let pure =
        policy::PURE.iter().any(|(home, _)| home_of(&file.path).is_some_and(|of| stands_for(home, of)));
    if pure && !test {
        found.extend(purity::findings(&file.path, &source));
    }
}

fn word(file: &File, source: &Source<'_>, at: usize, test: bool, found: &mut Vec<Finding>) {
    let Some(token) = source.word(at) else { return };
    let next = source.word(at + 1).map(|token| token.text);
    match (token.text, next) {
        ("struct" | "enum" | "trait" | "type" | "union", Some(name)) => {
            if let Some(noun) = empty_noun_of_type(name) {
                found.push(Finding::fails("name", &file.path, token.line, empty(name, noun)));
            }
        }
        ("mod", Some(name)) => {
            if let Some(noun) = empty_noun_of_module(name) {
                found.push(Finding::fails("name", &file.path, token.line, empty(name, noun)));
            }
        }
        ("fn", Some(name)) => {
            let lines = body_end(source, at).map_or(0, |end| source.code[end].line - token.line + 1);
            if lines > policy::FUNCTION_LINES_WARN {
                let says = format!(
                    "`{name}` has {lines} lines; above {}: extract what computes",
                    policy::FUNCTION_LINES_WARN
                );
                found.push(Finding::warns("long-function", &file.path, token.line, says));
            }
        }
        ("todo" | "unimplemented", _) if source.is(at + 1, "!") => {
            let says = format!("`{}!`: finish it, or refuse with a reason", token.text);
            found.push(Finding::fails("unfinished", &file.path, token.line, says));
        }
        ("ignore", _) if in_attribute(source, at) => {
            found.push(Finding::fails(
                "skipped-test",
                &file.path,
                token.line,
                "an ignored test is a test that never ran",
            ));
        }
        ("sleep" | "sleep_ms", _)
            if (test || token.test) && source.is(at + 1, "(") && !source.is(at.wrapping_sub(1), "fn") =>
        {
            let says = "no test sleeps: give it the time, or wait for what it waits for";
            found.push(Finding::fails("sleep", &file.path, token.line, says));
        }
        _ => {}
    }
}

/// `#[ignore]`, `#[ignore = "…"]`, `#[cfg_attr(…, ignore)]`; not a variable of that name.
fn in_attribute(source: &Source<'_>, at: usize) -> bool {
    let open = (0..at).rev().find(|&i| source.is(i, "[") && i > 0 && source.is(i - 1, "#"));
    open.is_some_and(|open| {
        matching(&source.code, open) > at && (open + 1 == at || source.is(open + 1, "cfg_attr"))
    })
}

/// Where the body of the function whose `fn` is at `at` ends; none if it is only declared.
fn body_end(source: &Source<'_>, at: usize) -> Option<usize> {
    let mut i = at;
    while i < source.code.len() {
        if source.is(i, "(") || source.is(i, "[") {
            i = matching(&source.code, i);
        } else if source.is(i, "{") {
            return Some(matching(&source.code, i));
        } else if source.is(i, ";") {
            return None;
        }
        i += 1;
    }
    None
}

/// The folder of the crate whose source this is: `crates/rooms` of `crates/rooms/src/log.rs`.
fn home_of(path: &str) -> Option<&str> {
    path.split_once("/src/").map(|(home, _)| home)
}
