//! Scenarios with a name: worlds as data.
use crate::scenario::Scenario;

pub struct Named {
    pub name: &'static str,
    pub rows: &'static str,
    pub says: &'static str,
    pub build: fn(u64) -> Scenario,
}
pub const NAMED: &[Named] = &[];
pub fn find(name: &str) -> Option<&'static Named> {
    NAMED.iter().find(|named| named.name == name)
}
