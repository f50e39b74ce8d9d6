//! What the pure set must not say: clocks, threads, locks, sockets, files, printing, awaiting, and collections without
//! an order. It reads words, so that an import under another name, a group or a glob does not hide them. It skips tests.

use crate::finding::Finding;
use crate::policy;
use crate::source::{Kind, Source};

pub(crate) const RULE: &str = "pure";

pub(crate) fn findings(path: &str, source: &Source<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, token) in source.code.iter().enumerate() {
        if token.test || token.kind != Kind::Word {
            continue;
        }
        let called = source.is(at + 1, "!");
        let word = policy::PURE_NEVER_SAYS.iter().find(|(word, _)| match word.strip_suffix('!') {
            Some(name) => called && token.text == name,
            None => token.text == *word,
        });
        if let Some((word, because)) = word {
            found.push(Finding::fails(RULE, path, token.line, format!("`{word}`: {because}")));
        }
        if begins_std_path(source, at) {
            if source.is(at + 1, "as") {
                found.push(Finding::fails(
                    RULE,
                    path,
                    token.line,
                    "`std` under another name hides what it brings",
                ));
            }
            let mut named = Vec::new();
            expand(source, at, "", &mut named);
            for (line, name) in named {
                if let Some((_, because)) =
                    policy::PURE_NEVER_NAMES.iter().find(|(banned, _)| within(&name, banned))
                {
                    found.push(Finding::fails(RULE, path, line, format!("`{name}`: {because}")));
                }
            }
        }
    }
    found.sort();
    found.dedup_by(|a, b| (a.line, because(&a.says)) == (b.line, because(&b.says)));
    found
}

fn because(says: &str) -> &str {
    says.split_once(": ").map_or(says, |(_, because)| because)
}

/// `std` that is the beginning of a path, not a part of another one and not a field.
fn begins_std_path(source: &Source<'_>, at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| source.word(at)).map(|token| token.text);
    let follows = |mark: &str| at > 0 && source.is(at - 1, mark);
    let inside = follows(".") || (follows("::") && !matches!(before(2), None | Some("use" | "return")));
    source.is(at, "std") && !inside && (source.is(at + 1, "::") || source.is(at + 1, "as"))
}

fn within(name: &str, banned: &str) -> bool {
    name.strip_prefix(banned).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Spells out the paths that begin at `at`, groups included; returns where they end.
fn expand(source: &Source<'_>, at: usize, before: &str, named: &mut Vec<(usize, String)>) -> usize {
    let Some(word) = source.word(at) else { return at + 1 };
    let name = if before.is_empty() { word.text.to_owned() } else { format!("{before}::{}", word.text) };
    if !source.is(at + 1, "::") {
        named.push((word.line, name));
        return at + 1;
    }
    if !source.is(at + 2, "{") {
        return match source.word(at + 2) {
            Some(_) => expand(source, at + 2, &name, named),
            None => {
                named.push((word.line, name));
                at + 2
            }
        };
    }
    let mut next = at + 3;
    while next < source.code.len() && !source.is(next, "}") {
        next = match source.word(next) {
            Some(inner) if inner.text == "self" => {
                named.push((inner.line, name.clone()));
                next + 1
            }
            Some(inner) if inner.text == "as" => next + 2,
            Some(_) => expand(source, next, &name, named),
            None => next + 1,
        };
    }
    next + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a line of code, as the words between the first backticks.
    fn found(text: &str) -> Vec<String> {
        findings("x.rs", &Source::read(text))
            .iter()
            .map(|finding| finding.says.split('`').nth(1).unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn what_would_break_determinism_is_found() {
        for (text, expected) in [
            ("let t = std::time::Instant::now();", "Instant"),
            ("use std::time::{Duration, Instant as I};", "Instant"),
            ("use std::time::SystemTime;", "SystemTime"),
            ("let t = std::time::UNIX_EPOCH;", "std::time::UNIX_EPOCH"),
            ("use std::{fmt, fs};", "std::fs"),
            ("use std::{collections::BTreeMap, io::{self, Read}, thread::{self}};", "std::thread"),
            ("use std::{env as e, fmt};", "std::env"),
            ("use ::std::process;", "std::process"),
            ("std::fs::read(path)", "std::fs::read"),
            ("use std::net::*;", "std::net"),
            ("use std::sync::mpsc;", "std::sync::mpsc"),
            ("use std::sync::{Arc, Condvar};", "std::sync::Condvar"),
            ("use std as s;", "std"),
            ("type Rooms = HashMap<Id, Room>;", "HashMap"),
            ("use std::collections::HashSet;", "HashSet"),
            ("struct A { lock: Mutex<u8> }", "Mutex"),
            ("async fn wait() {}", "async"),
            ("answer().await", "await"),
            ("println!(\"{x}\")", "println!"),
            ("rand::random::<u8>()", "rand"),
            ("thread_local! { }", "thread_local!"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn every_banned_word_and_path_is_found() {
        for (path, _) in policy::PURE_NEVER_NAMES {
            assert_eq!(found(&format!("use {path};")).len(), 1, "{path}");
        }
        for (word, _) in policy::PURE_NEVER_SAYS {
            assert_eq!(found(&format!("{word}(x)")), [*word], "{word}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_left_alone() {
        for text in [
            "use std::sync::Arc; use std::time::Duration; use core::net::IpAddr;",
            "use std::collections::{BTreeMap, BTreeSet, VecDeque};",
            "// std::fs::read and println! in a comment",
            "let words = \"HashMap .await Mutex\";",
            "#[cfg(test)] mod tests { use std::collections::HashMap; fn f() { println!(\"\") } }",
            "impl fmt::Display for X {} write!(f, \"\")",
            "self.std::env", // not a path of the standard library
            "crate::std::fs::read()",
            "let thread = room.thread; fn env() {}",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }
}
