//! Why somebody did or did not get a record: what is known of the record, the user's places in its room and their connections, put into
//! words one by one, each with what it is based on. It asks nobody, and says nothing that it does not know.

use node::Happened;
use serde::Serialize;
use vocabulary::{ConnectionId, Epoch, Fate, Position, RecordSeen, RoomPlace, Wall};

use crate::openapi::shape::{shape, words};

mod spells;

use spells::places;

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
        (_, Verdict::Got) if situation.record.fate == Fate::Erased => {
            let says = "Whoever came before it was erased got it, and who came later passed an empty place: which of both is not known.";
            told.finds("erased", format!("{user} has passed its place. {says}"), LOG);
            (Verdict::Unknown, "What is erased leaves no word of who got it.".to_owned())
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
mod tests;
