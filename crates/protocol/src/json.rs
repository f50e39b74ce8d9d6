//! Writing JSON by hand into a byte buffer: frames are written once per format and message, and never built as a tree.

use vocabulary::{Payload, Person, Position, Wall};

/// An object under construction. The closing brace comes with `end`.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, first: true }
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// The key, and the place where its value is to be written.
    pub(crate) fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    pub(crate) fn text(&mut self, key: &'static str, value: &str) {
        string(self.key(key), value);
    }

    pub(crate) fn text_if(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    pub(crate) fn number(&mut self, key: &'static str, value: u64) {
        number(self.key(key), value);
    }

    pub(crate) fn raw(&mut self, key: &'static str, value: &Payload) {
        let value: &[u8] = if value.is_empty() { b"null" } else { value };
        self.key(key).extend_from_slice(value);
    }

    /// The fields of an object that is written already, behind those that are here.
    pub(crate) fn splice(&mut self, object: &Payload) {
        let inner =
            object.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).map(<[u8]>::trim_ascii);
        let Some(inner) = inner.filter(|inner| !inner.is_empty()) else { return };
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(inner);
    }

    pub(crate) fn truth(&mut self, key: &'static str, value: bool) {
        self.key(key).extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(crate) fn time(&mut self, key: &'static str, at: Wall) {
        let out = self.key(key);
        out.push(b'"');
        out.extend_from_slice(&at.to_rfc3339());
        out.push(b'"');
    }

    pub(crate) fn position(&mut self, key: &'static str, position: Position) {
        let mut object = Object::begin(self.key(key));
        let out = object.key("epoch");
        out.push(b'"');
        hexadecimal(out, position.epoch.0);
        out.push(b'"');
        object.number("offset", position.offset);
        object.end();
    }

    /// A position as a message's own id.
    pub(crate) fn message_id(&mut self, key: &'static str, position: Position) {
        let out = self.key(key);
        out.push(b'"');
        hexadecimal(out, position.epoch.0);
        out.push(b'-');
        number(out, position.offset);
        out.push(b'"');
    }

    pub(crate) fn person(&mut self, key: &'static str, value: &Person) {
        person(self.key(key), value);
    }

    pub(crate) fn people(&mut self, key: &'static str, people: &[Person]) {
        let out = self.key(key);
        list(out, people, person);
    }
}

pub(crate) fn list<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

pub(crate) fn person(out: &mut Vec<u8>, person: &Person) {
    let mut object = Object::begin(out);
    object.text("id", person.id.as_str());
    object.text("name", &person.name);
    object.end();
}

pub(crate) fn string(out: &mut Vec<u8>, value: &str) {
    let escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // Without a way out of the loop, so that it looks at many bytes at a time.
    if !value.bytes().fold(false, |found, byte| found | escaped(byte)) {
        out.reserve(value.len() + 2);
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
        return;
    }
    // Into a Vec nothing can fail, and a str has no form that JSON lacks.
    let written = serde_json::to_writer(&mut *out, value);
    debug_assert!(written.is_ok());
}

/// As `Display` writes it, without its machinery: this is done several times a frame.
fn number(out: &mut Vec<u8>, value: u64) {
    digits::<10>(out, value);
}

fn hexadecimal(out: &mut Vec<u8>, value: u64) {
    digits::<16>(out, value);
}

fn digits<const BASE: u64>(out: &mut Vec<u8>, mut value: u64) {
    let mut text = [0; 20];
    let mut start = text.len();
    loop {
        start -= 1;
        text[start] = b"0123456789abcdef"[(value % BASE) as usize];
        value /= BASE;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_everywhere() {
        for value in [0, 7, 10, 99, 4096, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            out.push(b' ');
            hexadecimal(&mut out, value);
            assert_eq!(out, format!("{value} {value:x}").into_bytes());
        }
    }
}
