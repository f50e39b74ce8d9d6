//! Why somebody did or did not get a record: what is known of the record, the user's places in its room and their connections, put into
//! words one by one, each with what it is based on. It asks nobody, and says nothing that it does not know.

use std::collections::BTreeMap;

use node::Happened;
use serde::Serialize;
use vocabulary::{ConnectionId, Epoch, Fate, Position, RecordSeen, RoomPlace, Wall};

use crate::openapi::shape::{shape, words};

/// All that is known.
pub(super) struct Situation {
    pub offset: u64,
    /// As a message's id says it; none: the log's present one is meant.
    pub epoch: Option<Epoch>,
    pub user: String,
    pub record: RecordSeen,
    /// What happened to the user's places in the room, oldest first, and since when all of it is remembered.
    pub happened: Vec<Happened>,
    pub since: Wall,
    /// The user's connections to this node that are in the room.
    pub here: Vec<Here>,
    /// Whether other nodes may have them; false is certain.
    pub may_be_elsewhere: bool,
    pub node: String,
}

/// A connection that is in the room now.
pub(super) struct Here {
    pub id: ConnectionId,
    pub since: Wall,
    pub place: Option<RoomPlace>,
    pub waiting_bytes: u64,
    pub heard: Option<Wall>,
}

words! {
    pub(crate) enum Verdict { Got = "got", Waits = "waits", DidNot = "did_not", Unknown = "unknown" }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) what: &'static str,
    pub(crate) says: String,
    pub(crate) because: &'static str,
    pub(crate) connection: Option<String>,
    pub(crate) at: Option<String>,
}

type Word = &'static str;

shape!(Finding as "Finding": "One thing that is known." {
    what: Word => "The same for programs: stored, erased, trimmed, ahead, another_epoch, foreign, damaged, author, not_allowed, hidden, \
                   delivered, waits, drained, caught_up, fell_behind, joined_later, left_before, closed, nowhere, elsewhere, forgotten.",
    says: String => "In words.",
    because: Word => "What it is based on: the log, the app, the hour that is remembered, or the connection as it is now.",
    connection: Option<String> => "Which connection it is about.",
    at: Option<String> => "When it happened.",
});

const LOG: &str = "the room's log";
const APP: &str = "the room's app, asked as things stand now";
const HOUR: &str = "what this node remembers of connections";
const PRESENCE: &str = "what nodes tell each other of the room";
const NOW: &str = "the connection as it is now";

/// What of a connection's time in the room is known: from where it stood when it came to where it stands or stood last.
#[derive(Default)]
struct Spell {
    joined: Option<(Wall, Position, String)>,
    fell_behind: Option<(Wall, Position)>,
    caught_up: Option<(Wall, Position)>,
    left: Option<(Wall, Option<Position>, String)>,
    closed: Option<(Wall, String)>,
}

pub(super) fn explain(situation: &Situation) -> (Verdict, String, Vec<Finding>) {
    let mut told = Telling { findings: Vec::new(), node: &situation.node };
    let RecordSeen { head, .. } = &situation.record;
    if let Some(epoch) = situation.epoch.filter(|epoch| *epoch != head.epoch) {
        let says = format!(
            "The log began anew meanwhile: this is a place of the epoch {epoch}, and the log is at {head}. What stood there is not known any more."
        );
        told.finds("another_epoch", says, LOG);
        return (Verdict::Unknown, "The log began anew since then.".to_owned(), told.findings);
    }
    if let Some(early) = record(&mut told, situation) {
        return (early.0, early.1, told.findings);
    }
    let barred = beheld(&mut told, situation);
    let position = Position { offset: situation.offset, ..*head };
    let (mut verdict, ways) = places(&mut told, situation, position);
    if verdict != Verdict::Got && verdict != Verdict::Waits {
        verdict = nowhere(&mut told, situation, ways);
    }
    let user = &situation.user;
    let (verdict, says) = match (barred, verdict) {
        (Some("hidden"), _) => {
            (Verdict::DidNot, format!("It is not for {user}: the app does not show it to them."))
        }
        (Some(_), Verdict::DidNot | Verdict::Unknown) => {
            (Verdict::DidNot, format!("{user} may not be in this room."))
        }
        (_, Verdict::Got) => (verdict, format!("{user} was sent it.")),
        (_, Verdict::Waits) => {
            (verdict, format!("{user} is behind: it comes from the log when their connection takes it."))
        }
        (_, Verdict::DidNot) => (
            verdict,
            format!(
                "No connection of {user} was in the room for it; whoever comes back with an older position gets it then."
            ),
        ),
        (_, Verdict::Unknown) => (verdict, "What this node remembers does not tell.".to_owned()),
    };
    (verdict, says, told.findings)
}

struct Telling<'a> {
    findings: Vec<Finding>,
    node: &'a str,
}

impl Telling<'_> {
    fn finds(&mut self, what: &'static str, says: String, because: &'static str) {
        self.findings.push(Finding { what, says, because, connection: None, at: None });
    }

    fn of(
        &mut self,
        id: ConnectionId,
        at: Option<Wall>,
        what: &'static str,
        says: String,
        because: &'static str,
    ) {
        let connection = Some(super::told::id_of(self.node, id));
        self.findings.push(Finding { what, says, because, connection, at: at.map(|at| at.to_string()) });
    }
}

/// What became of the record. Some: there is nothing else to find out.
fn record(told: &mut Telling<'_>, situation: &Situation) -> Option<(Verdict, String)> {
    let Situation { offset, record: RecordSeen { head, trimmed, fate, .. }, user, .. } = situation;
    match fate {
        Fate::Kept { at, kind, author, bytes, .. } => {
            let by = author
                .as_ref()
                .map_or("the room itself".to_owned(), |author| format!("{} ({})", author.name, author.id));
            let says = format!("It is stored: {kind}, {bytes} bytes, written by {by}.");
            told.findings.push(Finding {
                what: "stored",
                says,
                because: LOG,
                connection: None,
                at: Some(at.to_string()),
            });
            if author.as_ref().is_some_and(|author| author.id.as_str() == user) {
                told.finds(
                    "author",
                    format!("{user} wrote it: what they were sent is the acknowledgement."),
                    LOG,
                );
            }
            None
        }
        Fate::Ahead => {
            told.finds("ahead", format!("The log ends at {head}: nothing is stored at {offset} yet."), LOG);
            Some((Verdict::DidNot, "Nothing is stored there.".to_owned()))
        }
        Fate::Trimmed => {
            let says = format!(
                "Records up to {trimmed} are kept no more: what stood at {offset}, and for whom, is not known."
            );
            told.finds("trimmed", says, LOG);
            None
        }
        Fate::Erased => {
            told.finds(
                "erased",
                "It was erased: nothing is kept of it but its place. Whoever got it before has it."
                    .to_owned(),
                LOG,
            );
            None
        }
        Fate::Foreign => {
            told.finds(
                "foreign",
                "It is of a newer version than this node: it is kept, and shown to nobody here.".to_owned(),
                LOG,
            );
            Some((Verdict::DidNot, "This node cannot read it.".to_owned()))
        }
        Fate::Damaged => {
            told.finds(
                "damaged",
                "What is stored there is not what was: it is shown to nobody. Restore a backup.".to_owned(),
                LOG,
            );
            Some((Verdict::Unknown, "The log is damaged there.".to_owned()))
        }
    }
}

/// What the app says of the user. Some: why it is not for them.
fn beheld(told: &mut Telling<'_>, situation: &Situation) -> Option<&'static str> {
    let beholder = situation.record.beholder.as_ref()?;
    let as_whom = if beholder.seats > 0 {
        "by their token"
    } else {
        "as a user without a role: they are not in the room here"
    };
    match (&beholder.may, beholder.shown) {
        (Err(why), _) => {
            told.finds(
                "not_allowed",
                format!("The app does not let {} in, {as_whom}: {why}.", situation.user),
                APP,
            );
            Some("not_allowed")
        }
        (Ok(()), Some(false)) => {
            let says = format!(
                "The app shows {} nothing of it, {as_whom}: it is for another audience, or it tells nothing.",
                situation.user
            );
            told.finds("hidden", says, APP);
            // Of somebody whose role is not known that is no more than likely.
            (beholder.seats > 0).then_some("hidden")
        }
        (Ok(()), _) => None,
    }
}

/// Connection by connection. Also whether anything was found of any.
fn places(told: &mut Telling<'_>, situation: &Situation, position: Position) -> (Verdict, bool) {
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

/// Nobody was sent it, as far as is known.
fn nowhere(told: &mut Telling<'_>, situation: &Situation, found: bool) -> Verdict {
    let Situation { user, since, node, record, .. } = situation;
    if !found {
        told.finds(
            "nowhere",
            format!("No connection of {user} was in this room on the node {node}, as far as it remembers."),
            HOUR,
        );
    }
    let mut verdict = Verdict::DidNot;
    let nodes = record.beholder.as_ref().map_or(&[][..], |beholder| &beholder.nodes);
    for other in nodes {
        told.finds(
            "elsewhere",
            format!("The node {other:x} says that {user} is in the room: ask that one."),
            PRESENCE,
        );
        verdict = Verdict::Unknown;
    }
    if nodes.is_empty() && situation.may_be_elsewhere {
        told.finds(
            "elsewhere",
            format!("Another node may have connections of {user}: ask each, they remember their own."),
            HOUR,
        );
        verdict = Verdict::Unknown;
    }
    let at = match &record.fate {
        Fate::Kept { at, .. } => Some(*at),
        _ => None,
    };
    if at.is_none_or(|at| at < *since) {
        told.finds(
            "forgotten",
            format!("This node remembers since {since}, and the record is older, or its time is not known."),
            HOUR,
        );
        verdict = Verdict::Unknown;
    }
    verdict
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
