//! Acknowledgements against the log: nothing acknowledged is lost, and it stands where the client was told.

use std::collections::BTreeSet;

use crate::history::{Event, History, Id, Room};

pub(super) fn stored(history: &History, found: &mut Vec<String>) {
    let kept: BTreeSet<(Room, Id)> =
        history.logs.iter().flat_map(|(room, log)| log.records.iter().map(|(_, id)| (*room, *id))).collect();
    for (client, event) in history.events() {
        if let Event::Acked { room, id, position } = event
            && !kept.contains(&(room, id))
        {
            found.push(format!("{id} of client {client} was acknowledged at {position} of room {room}"));
        }
    }
}

pub(super) fn at_their_place(history: &History, found: &mut Vec<String>) {
    for (client, event) in history.events() {
        let Event::Acked { room, id, position } = event else { continue };
        // What is in no place at all is lost, which is the other property's to say.
        let Some(log) = history.logs.get(&room) else { continue };
        if log.epoch == Some(position.epoch) && log.at(position) != Some(id) {
            let there = log.at(position).map_or("nothing".to_owned(), |other| other.to_string());
            let told = format!("{id} of client {client} was acknowledged at {position} of room {room}");
            if log.records.iter().any(|(_, stored)| *stored == id) {
                found.push(format!("{told}, where the log has {there}"));
            }
        }
    }
}
