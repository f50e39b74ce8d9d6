//! The kinds of values a setting may have: what is allowed, in words, and how it is read from a text or from TOML. Knows no
//! key and no place.

use node::Network;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::units::{self, Memory};

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Count {
        min: u64,
        max: u64,
    },
    Bytes {
        min: u64,
        max: u64,
    },
    Span {
        min: Duration,
        max: Duration,
    },
    Switch,
    Text(Form),
    Texts(Form),
    Choice(&'static [&'static str]),
    Choices(&'static [&'static str]),
    Address,
    Path,
    /// A path whose content is read with the configuration, and read again with it.
    File,
    Networks,
    Memory,
}

/// A text that not every text is.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub expected: &'static str,
    pub holds: fn(&str) -> bool,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Count(u64),
    Bytes(u64),
    Span(Duration),
    Switch(bool),
    Text(String),
    Texts(Vec<String>),
    Address(SocketAddr),
    Path(PathBuf),
    File(File),
    Networks(Vec<Network>),
    Memory(Memory),
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub path: PathBuf,
    pub text: String,
}

/// Keys and secrets are small; a path that leads to something else must not fill the memory.
const FILE_BYTES_MAX: u64 = 64 << 10;

impl Kind {
    pub(crate) fn expected(&self) -> String {
        match self {
            Kind::Count { min, max } => format!("a count from {min} to {max}"),
            Kind::Bytes { min, max } => {
                let (min, max) = (units::shown_bytes(*min), units::shown_bytes(*max));
                format!("bytes from {min} to {max}, as a number or such as \"64KiB\"")
            }
            Kind::Span { min, max } => {
                let (min, max) = (units::shown_span(*min), units::shown_span(*max));
                format!("a span from {min} to {max}, such as \"500ms\", \"10s\", \"5m\" or \"1h\"")
            }
            Kind::Switch => "true or false".into(),
            Kind::Text(form) => form.expected.into(),
            Kind::Texts(form) => format!("a list, each {}", form.expected),
            Kind::Choice(choices) => format!("one of {}", choices.join(", ")),
            Kind::Choices(choices) => format!("a list, each one of {}", choices.join(", ")),
            Kind::Address => "an address and port such as 127.0.0.1:8080 or [::]:8080".into(),
            Kind::Path => "a path".into(),
            Kind::File => "a path to a text file".into(),
            Kind::Networks => "a list, each an address or a network such as 10.0.0.0/8 or fd00::/8".into(),
            Kind::Memory => "1% to 95% such as \"80%\", or bytes from 16MiB such as \"2GiB\"".into(),
        }
    }

    /// As a flag or a variable gives it; a list is separated by commas.
    pub(super) fn read_text(&self, text: &str) -> Result<Value, String> {
        if self.is_list() {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            return self.read_items(&items.collect::<Vec<_>>());
        }
        let within = |min: u64, max: u64, read: Option<u64>| read.filter(|read| (min..=max).contains(read));
        let value = match *self {
            Kind::Count { min, max } => within(min, max, text.parse().ok()).map(Value::Count),
            Kind::Bytes { min, max } => within(min, max, units::bytes(text)).map(Value::Bytes),
            Kind::Span { min, max } => {
                units::span(text).filter(|span| (min..=max).contains(span)).map(Value::Span)
            }
            Kind::Switch => text.parse().ok().map(Value::Switch),
            Kind::Text(form) => (form.holds)(text).then(|| Value::Text(text.to_owned())),
            Kind::Choice(choices) => choices.contains(&text).then(|| Value::Text(text.to_owned())),
            Kind::Address => text.parse().ok().map(Value::Address),
            Kind::Path => (!text.is_empty()).then(|| Value::Path(text.into())),
            Kind::File => return content(Path::new(text)),
            Kind::Memory => Memory::parse(text).map(Value::Memory),
            Kind::Texts(_) | Kind::Choices(_) | Kind::Networks => None,
        };
        value.ok_or_else(|| self.refusal())
    }

    /// As a file gives it: a number is written as a number, a list as a list.
    pub(super) fn read_toml(&self, value: &DeValue<'_>) -> Result<Value, String> {
        match value {
            DeValue::Integer(number) if self.is_number() => {
                let digits = number.as_str().replace('_', "");
                let number = i128::from_str_radix(&digits, number.radix()).map_err(|_| self.refusal())?;
                self.read_text(&number.to_string())
            }
            DeValue::Boolean(switch) if matches!(self, Kind::Switch) => Ok(Value::Switch(*switch)),
            DeValue::String(text) if self.is_text() => self.read_text(text),
            DeValue::Array(items) if self.is_list() => {
                let text = |item: &'_ toml::Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
                let items: Option<Vec<String>> = items.iter().map(text).collect();
                let items = items.ok_or_else(|| self.refusal())?;
                self.read_items(&items.iter().map(String::as_str).collect::<Vec<_>>())
            }
            _ => Err(self.refusal()),
        }
    }

    fn read_items(&self, items: &[&str]) -> Result<Value, String> {
        let fits = |item: &&str| match self {
            Kind::Texts(form) => (form.holds)(item),
            Kind::Choices(choices) => choices.contains(item),
            _ => item.parse::<Network>().is_ok(),
        };
        if let Some(item) = items.iter().find(|item| !fits(item)) {
            return Err(format!("{:?} does not fit; {}", without_password(item), self.refusal()));
        }
        Ok(match self {
            Kind::Networks => Value::Networks(items.iter().filter_map(|item| item.parse().ok()).collect()),
            _ => Value::Texts(items.iter().map(|item| (*item).to_owned()).collect()),
        })
    }

    fn refusal(&self) -> String {
        format!("expected {}", self.expected())
    }

    fn is_list(&self) -> bool {
        matches!(self, Kind::Texts(_) | Kind::Choices(_) | Kind::Networks)
    }

    fn is_number(&self) -> bool {
        matches!(self, Kind::Count { .. } | Kind::Bytes { .. } | Kind::Memory)
    }

    fn is_text(&self) -> bool {
        !self.is_list() && !matches!(self, Kind::Count { .. } | Kind::Switch)
    }
}

fn content(path: &Path) -> Result<Value, String> {
    let text = read_at_most(path, FILE_BYTES_MAX)?;
    Ok(Value::File(File { path: path.to_owned(), text }))
}

/// A file's text, if it is a file: what never ends, or waits for a writer, is none.
pub(super) fn read_at_most(path: &Path, most: u64) -> Result<String, String> {
    let broken = |error: std::io::Error| format!("it cannot be read: {error}");
    if !std::fs::metadata(path).map_err(broken)?.is_file() {
        return Err("it cannot be read: it is no file".to_owned());
    }
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_string(&mut text))
        .map_err(broken)?;
    if text.len() as u64 > most {
        return Err(format!("it is larger than {}", units::shown_bytes(most)));
    }
    Ok(text)
}

impl Value {
    /// For people and logs; secrets are hidden before this is asked.
    pub(crate) fn shown(&self) -> String {
        let list = |items: Vec<String>| if items.is_empty() { "[]".into() } else { items.join(", ") };
        match self {
            Value::Count(count) => count.to_string(),
            Value::Bytes(bytes) => units::shown_bytes(*bytes),
            Value::Span(span) => units::shown_span(*span),
            Value::Switch(switch) => switch.to_string(),
            Value::Text(text) => without_password(text),
            Value::Texts(texts) => list(texts.clone()),
            Value::Address(address) => address.to_string(),
            Value::Path(path) => path.display().to_string(),
            Value::File(file) => file.path.display().to_string(),
            Value::Networks(networks) => list(networks.iter().map(Network::to_string).collect()),
            Value::Memory(memory) => memory.shown(),
        }
    }
}

/// An engine's address may carry one before its `@`.
pub(super) fn without_password(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = if line.len() < text.len() { format!("{line}…") } else { line.to_owned() };
    match line.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("//").map_or("", |(scheme, _)| scheme);
            let slashes = if scheme.is_empty() { "" } else { "//" };
            format!("{scheme}{slashes}(hidden)@{host}")
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        for (text, shown) in [
            ("redis://user:p@ss@host:1/0", "redis://(hidden)@host:1/0"),
            ("redis://host:1", "redis://host:1"),
            ("user:pass@host", "(hidden)@host"),
            ("-----BEGIN PUBLIC KEY-----\nMII", "-----BEGIN PUBLIC KEY-----…"),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
