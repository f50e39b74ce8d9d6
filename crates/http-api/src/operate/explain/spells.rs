//! A user's time in a room, connection by connection: from where each stood when it came to where it stands or stood last, and whether the
//! record is in between.

use std::collections::BTreeMap;

use node::Happened;
use vocabulary::{ConnectionId, Position, RoomPlace, Wall};

use super::{HOUR, Here, NOW, Situation, Telling, Verdict};

/// What of a connection's time in the room is known: from where it stood when it came to where it stands or stood last.
#[derive(Default)]
struct Spell {
    joined: Option<(Wall, Position, String)>,
    fell_behind: Option<(Wall, Position)>,
    caught_up: Option<(Wall, Position)>,
    left: Option<(Wall, Option<Position>, String)>,
    closed: Option<(Wall, String)>,
}

/// Connection by connection. Also whether anything was found of any.
pub(super) fn places(told: &mut Telling<'_>, situation: &Situation, position: Position) -> (Verdict, bool) {
    let spells = spells(&situation.happened);
    let mut verdict = Verdict::Unknown;
    let mut take = |found: Option<Verdict>| match found {
        Some(Verdict::Got) => verdict = Verdict::Got,
        Some(Verdict::Waits) if verdict != Verdict::Got => verdict = Verdict::Waits,
        _ => {}
    };
    for (id, spells) in &spells {
        let here = situation.here.iter().find(|here| here.id == *id);
        for (index, spell) in spells.iter().enumerate() {
            let here =
                here.filter(|_| index + 1 == spells.len() && spell.left.is_none() && spell.closed.is_none());
            take(one_spell(told, (*id, spell, here), position));
        }
    }
    for here in situation.here.iter().filter(|here| !spells.contains_key(&here.id)) {
        let says =
            format!("It has been in the room for longer than is remembered; it opened at {}.", here.since);
        told.of(here.id, None, "forgotten", says, HOUR);
        take(stands(told, here, position));
    }
    (verdict, !spells.is_empty() || !situation.here.is_empty())
}

fn spells(happened: &[Happened]) -> BTreeMap<ConnectionId, Vec<Spell>> {
    let mut all: BTreeMap<ConnectionId, Vec<Spell>> = BTreeMap::new();
    for event in happened {
        let spells = all.entry(event.connection).or_default();
        if event.what == "joined" || spells.is_empty() {
            spells.push(Spell::default());
        }
        let Some(spell) = spells.last_mut() else { continue };
        let cursor = event.cursor;
        match event.what {
            "joined" => spell.joined = Some((event.at, cursor.unwrap_or_default(), event.why.clone())),
            "behind" => spell.fell_behind = cursor.map(|cursor| (event.at, cursor)),
            "live" => spell.caught_up = cursor.map(|cursor| (event.at, cursor)),
            "left" => spell.left = Some((event.at, cursor, event.why.clone())),
            "closed" => spell.closed = Some((event.at, format!("{} {}", event.code, event.why))),
            _ => spell.closed = Some((event.at, "the socket ended".to_owned())),
        }
    }
    all
}

fn one_spell(
    told: &mut Telling<'_>,
    (id, spell, here): (ConnectionId, &Spell, Option<&Here>),
    position: Position,
) -> Option<Verdict> {
    let reaches = |cursor: Position| cursor.epoch == position.epoch && cursor.offset >= position.offset;
    if let Some((at, cursor, how)) = spell.joined.as_ref().filter(|(_, cursor, _)| reaches(*cursor)) {
        let says = format!(
            "It came into the room ({how}) at {cursor}, after the record: what was before comes only by history, if the client asks for it."
        );
        told.of(id, Some(*at), "joined_later", says, HOUR);
        return None;
    }
    if let Some((at, cursor)) = spell.fell_behind.filter(|(_, cursor)| !reaches(*cursor)) {
        let says = format!(
            "It took too little, and went on from the log behind {cursor}: the record came from there."
        );
        told.of(id, Some(at), "fell_behind", says, HOUR);
    }
    if let Some((at, cursor, how)) = spell.joined.as_ref().filter(|(.., how)| how == "resumed") {
        told.of(
            id,
            Some(*at),
            "caught_up",
            format!("It came back ({how}) at {cursor}: everything behind that was for it."),
            HOUR,
        );
    }
    let found = match (here, &spell.left) {
        (Some(here), _) => stands(told, here, position),
        (None, Some((at, Some(cursor), why))) if reaches(*cursor) => {
            let says = format!(
                "It was sent everything up to {cursor} before it left ({why}); whether its socket took the last of it is not known."
            );
            told.of(id, Some(*at), "delivered", says, HOUR);
            Some(Verdict::Got)
        }
        (None, Some((at, cursor, why))) => {
            let stood = cursor.map_or("an unknown place".to_owned(), |cursor| cursor.to_string());
            told.of(
                id,
                Some(*at),
                "left_before",
                format!("It left ({why}) at {stood}, before the record."),
                HOUR,
            );
            None
        }
        (None, None) => None,
    };
    if let Some((at, why)) = &spell.closed {
        told.of(id, Some(*at), "closed", format!("Its connection ended: {why}."), HOUR);
    }
    found
}

fn stands(told: &mut Telling<'_>, here: &Here, position: Position) -> Option<Verdict> {
    let Some(RoomPlace { cursor, live }) = here.place else {
        told.of(here.id, None, "waits", "It waits to be let into the room.".to_owned(), NOW);
        return Some(Verdict::Waits);
    };
    if cursor.epoch != position.epoch || cursor.offset < position.offset {
        let says = format!(
            "It has got to {cursor} and is catching up; {} bytes wait in its outbox.",
            here.waiting_bytes
        );
        told.of(here.id, None, "waits", says, NOW);
        return Some(Verdict::Waits);
    }
    let how = if live { "is told what comes" } else { "is catching up" };
    told.of(
        here.id,
        None,
        "delivered",
        format!("It has got to {cursor} and {how}: that is as far as the record or further."),
        NOW,
    );
    let heard = here.heard.map_or(String::new(), |heard| format!(" It was heard last at {heard}."));
    let says = if here.waiting_bytes == 0 {
        format!(
            "Nothing waits in its outbox: its socket has taken all; what the kernel holds, some 64 KiB, is not seen.{heard}"
        )
    } else {
        format!(
            "{} bytes wait in its outbox, which its socket has not taken; the record may be among them.{heard}",
            here.waiting_bytes
        )
    };
    told.of(here.id, None, if here.waiting_bytes == 0 { "drained" } else { "waits" }, says, NOW);
    Some(Verdict::Got)
}
