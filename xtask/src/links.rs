//! Every relative link in a Markdown page leads to a file of this tree, and to a heading if it names one. It asks
//! nobody outside.

use std::collections::BTreeMap;
use std::path::Path;

use crate::files::{File, extension};
use crate::finding::Finding;

pub(crate) fn findings(root: &Path, files: &[File]) -> Vec<Finding> {
    let pages: BTreeMap<&str, &str> = files
        .iter()
        .filter(|file| extension(&file.path) == "md")
        .map(|file| (file.path.as_str(), file.text.as_str()))
        .collect();
    pages
        .iter()
        .flat_map(|(path, text)| {
            links(text).into_iter().filter_map(|(line, target)| {
                let says = broken(path, &target, &pages, |path| root.join(path).exists())?;
                Some(Finding::fails("link", path, line, says))
            })
        })
        .collect()
}

/// What is wrong with a link, if anything.
fn broken(
    page: &str,
    target: &str,
    pages: &BTreeMap<&str, &str>,
    exists: impl Fn(&str) -> bool,
) -> Option<String> {
    let (file, heading) =
        target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let elsewhere = file.contains("://") || file.starts_with("mailto:");
    if elsewhere {
        return None;
    }
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Some(path) = (if file.is_empty() { Some(page.to_owned()) } else { resolve(folder, file) }) else {
        return Some(format!("`{target}` leaves the tree"));
    };
    if !exists(&path) {
        return Some(format!("`{target}` leads to {path}, which is not there"));
    }
    let heading = heading?;
    let text = pages.get(path.as_str())?;
    (!headings(text).contains(&heading.to_owned()))
        .then(|| format!("`{target}` names a heading that {path} does not have"))
}

fn resolve(folder: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

/// The lines of a page outside fenced code, with inline code blanked.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let begins = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        match (fence, begins) {
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, Some(mark)) => fence = Some(mark),
            (None, None) => {
                let spoken: Vec<&str> =
                    line.split('`').enumerate().filter(|(i, _)| i % 2 == 0).map(|(_, part)| part).collect();
                lines.push((number + 1, spoken.join("`")));
            }
        }
    }
    lines
}

/// `[words](target)`, `![words](target)`, `[label]: target`, `src="target"` and `href="target"`.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut add = |target: &str| {
            let target = target.trim().trim_start_matches('<').split([' ', '>']).next().unwrap_or_default();
            found.push((number, target.to_owned()));
        };
        line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).for_each(&mut add);
        let label = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        if let Some((_, target)) = label {
            add(target);
        }
        for attribute in ["src=\"", "href=\""] {
            line.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).for_each(&mut add);
        }
    }
    found
}

/// The anchors that a page's headings get.
fn headings(text: &str) -> Vec<String> {
    let fenced_out = text.lines().scan(false, |fenced, line| {
        let fence = line.trim_start().starts_with("```");
        *fenced ^= fence;
        Some((!*fenced && !fence).then_some(line))
    });
    let mut anchors: Vec<String> = Vec::new();
    for line in fenced_out.flatten().filter(|line| line.starts_with('#')) {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = anchors
            .iter()
            .filter(|known| **known == anchor || known.starts_with(&format!("{anchor}-")))
            .count();
        anchors.push(if again == 0 { anchor } else { format!("{anchor}-{again}") });
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_prose_and_not_in_code() {
        for (text, expected) in [
            ("see [a](b.md) and ![c](d.svg \"title\")", &["b.md", "d.svg"][..]),
            ("[a]: b.md\n[c]", &["b.md"]),
            ("<img src=\"a.svg\"> <a href=\"b.md\">", &["a.svg", "b.md"]),
            ("`[a](b.md)`", &[]),
            ("```text\n[a](b.md)\n```\n[c](d.md)", &["d.md"]),
            ("[a](<b.md>)", &["b.md"]),
        ] {
            let found: Vec<_> = links(text).into_iter().map(|(_, target)| target).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_link_leads_somewhere() {
        let pages = BTreeMap::from([
            ("README.md", "# A title\n"),
            ("docs/a.md", "## One, two\n```\n# code\n```\n## One, two\n"),
        ]);
        let exists = |path: &str| ["README.md", "docs/a.md", "docs", "docs/b.svg"].contains(&path);
        for (page, target, good) in [
            ("README.md", "docs/a.md", true),
            ("README.md", "./docs/", true),
            ("README.md", "docs/missing.md", false),
            ("README.md", "docs/a.md#one-two", true),
            ("README.md", "docs/a.md#one-two-1", true),
            ("README.md", "docs/a.md#code", false),
            ("README.md", "#a-title", true),
            ("README.md", "#another", false),
            ("docs/a.md", "../README.md", true),
            ("docs/a.md", "b.svg", true),
            ("docs/a.md", "../../README.md", false),
            ("docs/a.md", "/README.md", false),
            ("docs/a.md", "https://example.org/missing.md", true),
        ] {
            let says = broken(page, target, &pages, exists);
            assert_eq!(says.is_none(), good, "{page} -> {target}: {says:?}");
        }
    }
}
