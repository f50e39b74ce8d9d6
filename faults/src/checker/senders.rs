//! A sender's messages stand in a room in the order in which it sent them first. Those that were refused meanwhile, and so
//! had to be sent again behind others, are left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Event, History, Id, Room};

pub(super) fn order(history: &History, found: &mut Vec<String>) {
    for (client, diary) in history.diaries.iter().enumerate() {
        let refused: BTreeSet<Id> = diary
            .events
            .iter()
            .filter_map(|noted| match noted.event {
                Event::Refused { id, .. } => Some(id),
                _ => None,
            })
            .collect();
        let mut sent: BTreeMap<Id, usize> = BTreeMap::new();
        for noted in &diary.events {
            if let Event::Sent { id, .. } = noted.event
                && !refused.contains(&id)
            {
                let number = sent.len();
                sent.entry(id).or_insert(number);
            }
        }
        let rooms: BTreeSet<Room> = diary
            .events
            .iter()
            .filter_map(|noted| match noted.event {
                Event::Sent { room, .. } => Some(room),
                _ => None,
            })
            .collect();
        for room in rooms {
            let Some(log) = history.logs.get(&room) else { continue };
            let mine = log.records.iter().filter_map(|(offset, id)| Some((*sent.get(id)?, *id, *offset)));
            let mut latest: Option<(usize, Id)> = None;
            for (number, id, offset) in mine {
                match latest {
                    // The same one again is stored twice, which another property says.
                    Some((before, other)) if before > number => {
                        found.push(format!(
                            "client {client}: room {room} has {other} before {id} at {offset}"
                        ));
                    }
                    _ => latest = Some((number, id)),
                }
            }
        }
    }
}
