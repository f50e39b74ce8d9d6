//! Rust source as words and marks: enough to tell code from comments, strings and tests, and no more. It never parses.

/// One word, mark or comment, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) kind: Kind,
    pub(crate) line: usize,
    /// Inside an item that only tests compile.
    pub(crate) test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    /// `::`, or one character.
    Mark,
    /// Strings, characters, lifetimes: what they say is not code.
    Quoted,
}

#[derive(Debug)]
pub(crate) struct Source<'a> {
    pub(crate) code: Vec<Token<'a>>,
    pub(crate) comments: Vec<Token<'a>>,
    /// Modules in files of their own that only tests compile.
    pub(crate) test_modules: Vec<&'a str>,
}

impl<'a> Source<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        let mut lexer = Lexer { text, at: 0, line: 1 };
        let (mut code, mut comments) = (Vec::new(), Vec::new());
        while let Some((token, comment)) = lexer.next_token() {
            if comment { comments.push(token) } else { code.push(token) }
        }
        let test_modules = mark_tests(&mut code);
        Self { code, comments, test_modules }
    }

    /// Is the token at `at` this word or mark? False beyond the end.
    pub(crate) fn is(&self, at: usize, text: &str) -> bool {
        self.code.get(at).is_some_and(|token| token.kind != Kind::Quoted && token.text == text)
    }

    pub(crate) fn word(&self, at: usize) -> Option<&Token<'a>> {
        self.code.get(at).filter(|token| token.kind == Kind::Word)
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lexer<'a> {
    fn next_token(&mut self) -> Option<(Token<'a>, bool)> {
        let blank = self.rest().len() - self.rest().trim_start().len();
        self.advance(blank);
        let (rest, line) = (self.rest(), self.line);
        let first = rest.chars().next()?;
        let (length, kind, comment) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), Kind::Quoted, true)
        } else if rest.starts_with("/*") {
            (block_comment(rest), Kind::Quoted, true)
        } else if let Some(length) = quoted(rest) {
            (length, Kind::Quoted, false)
        } else if is_word(first) {
            (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), Kind::Word, false)
        } else if rest.starts_with("::") {
            (2, Kind::Mark, false)
        } else {
            (first.len_utf8(), Kind::Mark, false)
        };
        self.advance(length);
        Some((Token { text: &rest[..length], kind, line, test: false }, comment))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn advance(&mut self, bytes: usize) {
        self.line += self.rest()[..bytes].matches('\n').count();
        self.at += bytes;
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if rest[at..].starts_with("*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of the string, character or lifetime that begins here.
fn quoted(rest: &str) -> Option<usize> {
    if let Some(name) = rest.strip_prefix('\'') {
        return Some(character_or_lifetime(rest, name));
    }
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|after| {
            after.starts_with('"')
                || (prefix.ends_with('r') && after.trim_start_matches('#').starts_with('"'))
        }) || (*prefix == "b" && rest.starts_with("b'"))
    })?;
    let after = &rest[prefix.len()..];
    if let Some(name) = after.strip_prefix('\'') {
        return Some(prefix.len() + character_or_lifetime(after, name));
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    if prefix.ends_with('r') {
        let close = format!("\"{}", "#".repeat(hashes));
        let body = prefix.len() + hashes + 1;
        return Some(rest[body..].find(&close).map_or(rest.len(), |end| body + end + close.len()));
    }
    Some(prefix.len() + escaped(after, '"'))
}

fn character_or_lifetime(rest: &str, name: &str) -> usize {
    let mut characters = name.chars();
    match (characters.next(), characters.next()) {
        (Some('\\'), _) => escaped(rest, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1 + name.find(|c| !is_word(c)).unwrap_or(name.len()),
    }
}

/// The length of what begins and ends with `quote`, in which a backslash takes the next character with it.
fn escaped(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == quote {
            return at + quote.len_utf8();
        }
    }
    rest.len()
}

/// Marks every item behind `#[test]`, `#[cfg(test)]` or `#[cfg(all(test, …))]`, and the whole file behind
/// `#![cfg(test)]`. Returns the modules among them that are files.
fn mark_tests<'a>(code: &mut [Token<'a>]) -> Vec<&'a str> {
    let mut modules = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let inner = text(code, at + 1) == "!";
        let open = at + 1 + usize::from(inner);
        if text(code, at) != "#" || text(code, open) != "[" {
            at += 1;
            continue;
        }
        let close = matching(code, open);
        if !only_for_tests(&code[open + 1..close]) {
            at = close + 1;
            continue;
        }
        let end = if inner { code.len() } else { item_end(code, close + 1) };
        let item = skip_attributes(code, close + 1);
        let name = (item..end).find(|&i| text(code, i) == "mod").map(|i| i + 1);
        if let Some(name) = name.filter(|&name| !inner && text(code, name + 1) == ";") {
            modules.push(code[name].text);
        }
        let from = if inner { 0 } else { at };
        code[from..end].iter_mut().for_each(|token| token.test = true);
        at = end.max(close + 1);
    }
    modules
}

fn text<'a>(code: &[Token<'a>], at: usize) -> &'a str {
    code.get(at).filter(|token| token.kind != Kind::Quoted).map_or("", |token| token.text)
}

fn only_for_tests(attribute: &[Token<'_>]) -> bool {
    let words: Vec<&str> = (0..attribute.len()).map(|i| text(attribute, i)).collect();
    match words.as_slice() {
        ["test"] | ["cfg", "(", "test", ")"] => true,
        ["cfg", "(", "all", "(", of @ ..] => {
            let depth = |at: usize| {
                of[..at]
                    .iter()
                    .fold(0i32, |depth, word| depth + i32::from(*word == "(") - i32::from(*word == ")"))
            };
            of.iter().enumerate().any(|(at, word)| *word == "test" && depth(at) == 0)
        }
        _ => false,
    }
}

fn skip_attributes(code: &[Token<'_>], mut at: usize) -> usize {
    while text(code, at) == "#" && text(code, at + 1) == "[" {
        at = matching(code, at + 1) + 1;
    }
    at
}

/// One past the item that begins at `at`: its closing brace, its semicolon, or, for a field or an arm, its comma.
fn item_end(code: &[Token<'_>], at: usize) -> usize {
    let at = skip_attributes(code, at);
    let begins = ["pub", "fn", "mod", "impl", "struct", "enum", "use", "trait", "const", "static", "type"];
    let more = ["async", "unsafe", "extern", "let", "macro_rules", "union"];
    let item = begins.contains(&text(code, at)) || more.contains(&text(code, at));
    let mut i = at;
    while i < code.len() {
        match text(code, i) {
            "(" | "[" => i = matching(code, i),
            "{" => return matching(code, i) + 1,
            ";" => return i + 1,
            "," if !item => return i + 1,
            ")" | "]" | "}" => return i,
            _ => {}
        }
        i += 1;
    }
    code.len()
}

/// Where the bracket that opens at `open` closes; the last token if it never does.
pub(crate) fn matching(code: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0usize;
    for at in open..code.len() {
        match text(code, at) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    code.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let source = Source::read(text);
        source
            .code
            .iter()
            .filter(|token| token.kind != Kind::Quoted)
            .map(|token| token.text)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        for (text, expected) in [
            ("a // b\nc", "a c"),
            ("a /* b /* c */ d */ e", "a e"),
            ("a \"b \\\" c\" d", "a d"),
            ("a r#\"b \" c\"# d", "a d"),
            ("a br\"b\\\" d", "a d"),
            ("f('\"', b'\\'', 'x') g", "f ( , , ) g"),
            ("f<'a>(x: &'a str)", "f < > ( x : & str )"),
            ("r#type", "r # type"),
            ("std::fs", "std :: fs"),
            ("\"é\" 'é' é", "é"),
            ("\"never closed", ""),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let source = Source::read("/* 1\n2 */ a \"3\n\" b\nc");
        let lines: Vec<_> = source.code.iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(lines, [("a", 2), ("\"3\n\"", 2), ("b", 3), ("c", 4)]);
    }

    #[test]
    fn what_only_tests_compile_is_marked_and_nothing_else() {
        for (text, expected) in [
            ("fn a() {} #[test] fn b() { c } fn d() {}", "b c"),
            ("#[cfg(test)] mod a { fn b() {} } fn c() {}", "a b"),
            ("#[cfg(all(test, unix))] use a::b; fn c() {}", "a b"),
            ("#[cfg(any(test, unix))] fn a() {}", ""),
            ("#[cfg(not(test))] fn a() {}", ""),
            ("#[cfg(all(not(test), unix))] fn a() {}", ""),
            ("#[cfg(test)] #[derive(D)] struct A([u8; 3]); fn c() {}", "D A u8 3"),
            ("struct A { #[cfg(test)] b: u8, c: u8 }", "b u8"),
            ("#[test] fn a(x: [u8; 3]) -> B { c } fn d() {}", "a x u8 3 B c"),
            ("#![cfg(test)] fn a() {}", "a"),
        ] {
            let keywords = ["fn", "mod", "use", "struct", "test", "cfg", "all", "unix", "derive"];
            let source = Source::read(text);
            let marked: Vec<_> = source
                .code
                .iter()
                .filter(|token| token.test && token.kind == Kind::Word && !keywords.contains(&token.text))
                .map(|token| token.text)
                .collect();
            assert_eq!(marked.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_test_module_in_its_own_file_is_named() {
        for (text, expected) in [
            ("#[cfg(test)] mod tests;", &["tests"][..]),
            ("#[cfg(test)] #[path = \"x.rs\"] pub(crate) mod dialogue;", &["dialogue"]),
            ("#[cfg(test)] mod tests { mod inner; }", &[]),
            ("mod log;", &[]),
        ] {
            assert_eq!(Source::read(text).test_modules, expected, "{text}");
        }
    }
}
