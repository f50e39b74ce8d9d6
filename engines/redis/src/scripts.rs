//! The scripts that run in the server, each with what stands in front of it.

use redis_wire::Script;

const ROOM: &str = include_str!("scripts/room.lua");

pub(crate) struct Scripts {
    pub(crate) append: Script,
    pub(crate) read: Script,
    pub(crate) store: Script,
    pub(crate) erase: Script,
    pub(crate) begin: Script,
    pub(crate) settle: Script,
    pub(crate) present: Script,
    pub(crate) soft: Script,
    pub(crate) claim: Script,
    pub(crate) release: Script,
    pub(crate) clean: Script,
    pub(crate) leases: Script,
}

impl Scripts {
    pub(crate) fn new() -> Scripts {
        Scripts {
            append: Script::new(&[ROOM, include_str!("scripts/append.lua")]),
            read: Script::new(&[ROOM, include_str!("scripts/read.lua")]),
            store: Script::new(&[ROOM, include_str!("scripts/store.lua")]),
            erase: Script::new(&[ROOM, include_str!("scripts/erase.lua")]),
            begin: Script::new(&[ROOM, include_str!("scripts/begin.lua")]),
            settle: Script::new(&[ROOM, include_str!("scripts/settle.lua")]),
            present: Script::new(&[include_str!("scripts/present.lua")]),
            soft: Script::new(&[include_str!("scripts/soft.lua")]),
            claim: Script::new(&[include_str!("scripts/claim.lua")]),
            release: Script::new(&[include_str!("scripts/release.lua")]),
            clean: Script::new(&[include_str!("scripts/clean.lua")]),
            leases: Script::new(&[include_str!("scripts/leases.lua")]),
        }
    }
}
