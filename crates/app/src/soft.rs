//! Soft values, as `decide` and `due` may read them: what may be lost, and ends by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use vocabulary::{Class, Payload, Tick, Wall};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftValue {
    pub value: Payload,
    /// Stamped by the publisher; the newest wins.
    pub at: Wall,
    pub class: Class,
    /// On this node's clock.
    pub ends: Tick,
}

/// What `glimpse` is asked to show. `value: None`: it ended, by itself or by its publisher.
#[derive(Clone, Copy, Debug)]
pub struct SoftChange<'a> {
    pub key: &'a str,
    pub value: Option<&'a Payload>,
    /// The value that stood before; what ended, if it ended.
    pub before: Option<&'a Payload>,
    pub class: Class,
}

#[derive(Clone, Copy)]
pub struct Soft<'a>(&'a BTreeMap<Arc<str>, SoftValue>);

impl<'a> Soft<'a> {
    pub fn new(values: &'a BTreeMap<Arc<str>, SoftValue>) -> Soft<'a> {
        Soft(values)
    }

    pub fn get(&self, key: &str) -> Option<&'a Payload> {
        self.0.get(key).map(|soft| &soft.value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a Payload)> {
        self.0.iter().map(|(key, soft)| (&**key, &soft.value))
    }
}
