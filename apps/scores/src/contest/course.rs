//! The course of a match: the actions in their order, what has been changed in them since, and the game that comes of it. The
//! actions are what is kept; the game is played anew from the first of them whenever one in the past becomes another.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use app::quoted;
use serde::{Deserialize, Serialize};
use vocabulary::{Payload, Position, Record};

use super::records::{Acted, Amended, Change, Created};
use crate::sport::{Action, Fault, Game, Outcome, Setup};
use crate::standing::Official;
use crate::wire::{Party, place};

/// A match has 80 to 100 raids, each begun and ended, and some dozens of other actions; with extra time twice that.
pub(crate) const ACTIONS_MAX: usize = 1200;
/// Kept free for the clock and the end, so that a full log can be closed.
pub(crate) const ACTIONS_SPARE: usize = 50;
/// An official who corrects more than a quarter of all that may happen is no official.
pub(crate) const AMENDMENTS_MAX: usize = 300;
/// A snapshot has 1 MiB; what else is in it takes less than 200 KiB.
pub(crate) const LOG_BYTES_MAX: usize = 768 << 10;
/// More than any word of the clock takes: it names one player at most.
const WORD_BYTES: usize = 256;
/// More than the end takes, with the longest names of who says it, as a person or as a key.
const END_BYTES: usize = 4 << 10;
/// Kept free of the bytes as `ACTIONS_SPARE` is of the count.
pub(crate) const BYTES_SPARE: usize = ACTIONS_SPARE * (WORD_BYTES + ENTRY_BYTES) + END_BYTES;
/// What an action takes in a snapshot beside its record's body: its time, its place, names of fields.
const ENTRY_BYTES: usize = 512;
/// Of the actions that a change sets aside, so many are named in the audit; the game knows all of them.
pub(crate) const ASIDE_NAMED_MAX: usize = 20;

/// An action of the log. Its number is its place in the list, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub at: i64,
    #[serde(with = "place")]
    pub position: Position,
    /// Nobody: the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_id: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub undone: bool,
    /// None while it is undone. A fault: it stands in the log, and the rules do not allow it any more where it stands.
    #[serde(skip)]
    pub played: Option<Result<Outcome, Fault>>,
}

fn is_false(truth: &bool) -> bool {
    !truth
}

impl Entry {
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.played.as_ref()?.as_ref().ok()
    }

    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.played.as_ref()?.as_ref().err()
    }
}

/// Who changed what, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Amendment {
    pub at: i64,
    #[serde(with = "place")]
    pub position: Position,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
    pub number: u32,
    /// With what stood there before, for a correction.
    pub change: Change,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_id: Option<String>,
    /// The first of those that the rules did not allow any more, and how many they were.
    pub aside: Vec<u32>,
    pub aside_count: u32,
}

/// How a course is told, written once for all who ask until it changes. It follows from the course, and is no part of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct View(OnceCell<Payload>);

impl View {
    pub(super) fn or_written(&self, write: impl FnOnce() -> Payload) -> Payload {
        self.0.get_or_init(write).clone()
    }
}

impl PartialEq for View {
    fn eq(&self, _other: &View) -> bool {
        true
    }
}

impl Eq for View {}

/// A match that there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Course {
    pub title: String,
    pub event: Option<String>,
    pub public: bool,
    pub created_at: i64,
    pub setup: Setup,
    pub officials: Vec<Official>,
    pub entries: Vec<Entry>,
    pub audit: Vec<Amendment>,
    /// What the two lists take, at most.
    pub bytes: usize,
    /// Of the last record that viewers see.
    #[serde(with = "place")]
    pub last: Position,
    #[serde(skip)]
    game: OnceCell<Game>,
    #[serde(skip)]
    pub(super) view: View,
    #[serde(skip)]
    ids: BTreeMap<(String, String), u32>,
}

/// What an action, or a change of one, takes at most.
pub(crate) fn bytes(body: usize, by: Option<&Party>) -> usize {
    body + ENTRY_BYTES + by.map_or(0, |by| quoted(&by.id) + quoted(&by.name))
}

impl Course {
    /// The clock may say something, and the end can be said after it.
    pub(crate) fn has_room_for_clock(&self) -> bool {
        let bytes = self.bytes + bytes(WORD_BYTES, None) + END_BYTES;
        self.entries.len() + 1 < ACTIONS_MAX && bytes <= LOG_BYTES_MAX
    }

    pub(crate) fn begin(record: &Record, created: Created) -> Course {
        let Created { title, event, public, setup } = created;
        Course {
            title,
            event,
            public,
            created_at: record.at.0,
            game: OnceCell::from(setup.game()),
            view: View::default(),
            setup,
            officials: Vec::new(),
            entries: Vec::new(),
            audit: Vec::new(),
            bytes: 0,
            last: record.position,
            ids: BTreeMap::new(),
        }
    }

    pub(crate) fn game(&self) -> &Game {
        self.game.get_or_init(|| self.setup.game())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.game().ending.is_some()
    }

    /// What has changed is told anew.
    fn becomes(&mut self, game: Game) {
        self.game = OnceCell::from(game);
        self.view = View::default();
    }

    pub(crate) fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    pub(crate) fn numbered(&self) -> impl DoubleEndedIterator<Item = (u32, &Entry)> {
        self.entries.iter().enumerate().map(|(index, entry)| (number_at(index), entry))
    }

    /// Under this name the same official has said something before.
    pub(crate) fn said_before(&self, by: Option<&Party>, action_id: &str) -> Option<u32> {
        let by = by.map_or("", |by| by.id.as_str());
        self.ids.get(&(by.to_owned(), action_id.to_owned())).copied()
    }

    /// The action of a raid that counts.
    pub(crate) fn of_raid(&self, raid_number: u32) -> Option<u32> {
        let is_it = |entry: &Entry| {
            let raid = entry.outcome().and_then(|outcome| outcome.raid.as_ref());
            raid.is_some_and(|raid| raid.number == raid_number)
        };
        self.numbered().find(|(_, entry)| is_it(entry)).map(|(number, _)| number)
    }

    pub(crate) fn act(&mut self, record: &Record, acted: Acted) {
        let by = record.author.as_ref().map(Party::of).or(acted.by);
        self.bytes += bytes(record.body.len(), by.as_ref());
        // Also what counts nothing is one more.
        self.view = View::default();
        let played = self.game().play(record.at.0, &acted.action).map(|(next, outcome)| {
            self.becomes(next);
            outcome
        });
        let Acted { action, action_id, .. } = acted;
        self.remember(by.as_ref(), action_id.as_deref(), number_at(self.entries.len()));
        let (at, position) = (record.at.0, record.position);
        let entry = Entry { at, position, by, action, action_id, undone: false, played: Some(played) };
        self.entries.push(entry);
        self.last = record.position;
    }

    fn remember(&mut self, by: Option<&Party>, action_id: Option<&str>, number: u32) {
        let Some(id) = action_id else { return };
        let by = by.map_or("", |by| by.id.as_str());
        self.ids.entry((by.to_owned(), id.to_owned())).or_insert(number);
    }

    /// How the log would be with this change, and which actions it would set aside that stood before. The clock's own
    /// follow the clock: nobody is told of those.
    pub(crate) fn with_change(&self, number: u32, change: &Change) -> Option<(Course, Vec<u32>)> {
        let mut next = self.clone();
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let entry = next.entries.get_mut(index)?;
        match change {
            Change::Undo => entry.undone = true,
            Change::Redo => entry.undone = false,
            Change::Correct { action } => entry.action = action.clone(),
        }
        next.refold();
        let aside = self.entries.iter().zip(&next.entries).enumerate();
        let aside = aside.filter(|(at, (before, after))| {
            *at != index && before.fault().is_none() && after.fault().is_some() && !after.action.is_of_clock()
        });
        let aside = aside.map(|(at, _)| number_at(at)).collect();
        Some((next, aside))
    }

    pub(crate) fn amend(&mut self, record: &Record, amended: Amended) {
        let Amended { number, change, reason, action_id, by } = amended;
        let Some((mut next, aside)) = self.with_change(number, &change) else { return };
        let by = record.author.as_ref().map(Party::of).or(by);
        next.bytes += bytes(record.body.len(), by.as_ref());
        let change = match (change, self.entry(number)) {
            (Change::Correct { .. }, Some(before)) => Change::Correct { action: before.action.clone() },
            (change, _) => change,
        };
        next.remember(by.as_ref(), action_id.as_deref(), number);
        let named = aside.iter().copied().take(ASIDE_NAMED_MAX).collect();
        next.audit.push(Amendment {
            at: record.at.0,
            position: record.position,
            by,
            number,
            change,
            reason,
            action_id,
            aside: named,
            aside_count: u32::try_from(aside.len()).unwrap_or(u32::MAX),
        });
        next.last = record.position;
        *self = next;
    }

    /// The game, played from its beginning. What the rules do not allow where it stands is left out, and stays in the log.
    pub(crate) fn refold(&mut self) {
        let mut game = self.setup.game();
        for entry in &mut self.entries {
            entry.played = match entry.undone {
                true => None,
                false => Some(game.play(entry.at, &entry.action).map(|(next, outcome)| {
                    game = next;
                    outcome
                })),
            };
        }
        self.becomes(game);
    }

    /// After a snapshot was read, which has neither the game nor the index.
    pub(crate) fn restore(&mut self) {
        self.refold();
        let said = self
            .entries
            .iter()
            .enumerate()
            .map(|(index, entry)| (entry.by.clone(), entry.action_id.clone(), number_at(index)));
        let changed = self
            .audit
            .iter()
            .map(|amendment| (amendment.by.clone(), amendment.action_id.clone(), amendment.number));
        let all: Vec<_> = said.chain(changed).collect();
        for (by, id, number) in all {
            self.remember(by.as_ref(), id.as_deref(), number);
        }
    }
}

fn number_at(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}
