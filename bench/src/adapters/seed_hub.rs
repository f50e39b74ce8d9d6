//! The hub pattern of the usual Go tutorial (`bench/peers/seed-hub`): its JSON envelope is the native one of Kulkul too.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::{Adapter, Dialect, Launch, Place, Visitor};

pub(super) struct SeedHub {
    pub(super) folder: PathBuf,
}

pub(super) fn join(room: u32) -> String {
    format!(r#"{{"type":"join_room","payload":{{"room_id":"bench-{room}"}}}}"#)
}

pub(super) fn publish(room: u32, id: u64, content: &[u8], into: &mut Vec<u8>) {
    let head =
        format!(r#"{{"type":"send_message","room":"bench-{room}","id":"c-{id}","payload":{{"content":""#);
    into.extend_from_slice(head.as_bytes());
    into.extend_from_slice(content);
    into.extend_from_slice(br#""}}"#);
}

pub(super) const DIALECT: Dialect = Dialect {
    joined: br#""type":"room_info""#,
    refused: br#""type":"error""#,
    several: true,
    echo: false,
    acks: true,
};

impl Adapter for SeedHub {
    fn name(&self) -> &'static str {
        "seed-hub"
    }

    fn remark(&self) -> &'static str {
        "no token check; drops messages for a client whose queue of 256 is full; tells the room of every join"
    }

    fn launch(&mut self, place: &Place) -> Result<Launch> {
        let program = self.folder.join("seed-hub");
        ensure!(program.exists(), "seed-hub is not built: `kulkul bench peers install seed-hub`");
        Ok(Launch {
            program: program.into(),
            env: vec![("PORT", place.port.to_string())],
            ..Launch::default()
        })
    }

    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn visitor(&self, user: u32) -> Result<Visitor> {
        Ok(Visitor { path: format!("/ws?user=u{user}"), bearer: None })
    }

    fn join(&self, room: u32) -> String {
        join(room)
    }

    fn publish(&self, room: u32, id: u64, content: &[u8], into: &mut Vec<u8>) {
        publish(room, id, content, into);
    }
}
