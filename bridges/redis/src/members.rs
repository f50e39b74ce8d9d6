//! Who belongs to a room for good, in the two sets that seed 001's readers know. A room's set is written whole, as the room
//! tells it behind the record that changed it, so that one write mends whatever was missed before. It reads nothing back, and
//! knows nothing of who is connected.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis_wire::{Call, Fault};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;
use vocabulary::{By, Code, Outward, Position, Reply, RoomId, Told, Wish};

use crate::counts::add;
use crate::parts::Parts;
use crate::seldom::Seldom;
use crate::stage::Stage;

/// Rooms that wait to be written: each once, however much changes in it.
const DUE_MAX: usize = 16_384;
/// Rooms that were written once in the life of this process, some 100 bytes each. When there are more, all are new again.
const SEEN_MAX: usize = 65_536;
/// A page has a thousand members, and a room five thousand at most; there may be changes in between.
const PAGES_MAX: usize = 16;
/// That a room is asked before it is left to its next change: ten seconds of a busy one.
const ATTEMPTS_MAX: u32 = 50;
const AGAIN: Duration = Duration::from_millis(200);
/// Far longer than a write can be on its way, which is all that it guards against.
const UPTO_KEPT: Duration = Duration::from_secs(60 * 60);
/// As chat tells of what it records: the first is how it tells of a creation.
const CHANGES: &[&str] = &["room_changed", ENDED, "member_added", "member_removed", "member_banned"];
/// Nothing comes behind it.
const ENDED: &str = "room_deleted";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    /// The newest record of it that is known here: the room that is asked knows it too.
    position: Position,
    /// It has no members any more, and a room of two would name its two.
    ended: bool,
    attempts: u32,
}

#[derive(Default)]
struct Book {
    seen: BTreeSet<RoomId>,
    due: BTreeMap<RoomId, Due>,
    /// Each that is due, once.
    turns: VecDeque<RoomId>,
}

impl Book {
    /// Whether there was a place for it, or no need of one.
    fn hear(&mut self, room: &RoomId, position: Position, kind: &str) -> bool {
        let newest = Due { position, ended: kind == ENDED, attempts: 0 };
        if let Some(due) = self.due.get_mut(room) {
            *due = newest;
            return true;
        }
        if !CHANGES.contains(&kind) && self.seen.contains(room) {
            return true;
        }
        if self.due.len() >= DUE_MAX {
            // Whatever is said in it next makes it due.
            self.seen.remove(room);
            return false;
        }
        if self.seen.len() >= SEEN_MAX {
            self.seen.clear();
        }
        self.seen.insert(room.clone());
        self.put(room.clone(), newest);
        true
    }

    fn put(&mut self, room: RoomId, due: Due) {
        self.turns.push_back(room.clone());
        self.due.insert(room, due);
    }

    fn next(&mut self) -> Option<(RoomId, Due)> {
        let room = self.turns.pop_front()?;
        let due = self.due.remove(&room)?;
        Some((room, due))
    }

    /// It could not be written. False: it is left to what is said in it next.
    fn again(&mut self, room: RoomId, due: Due) -> bool {
        if self.due.contains_key(&room) {
            return true;
        }
        if due.attempts >= ATTEMPTS_MAX || self.due.len() >= DUE_MAX {
            self.seen.remove(&room);
            return false;
        }
        self.put(room, due);
        true
    }
}

#[derive(Default)]
pub(crate) struct Members {
    book: RefCell<Book>,
    /// What found no place on the way out of the rooms, when it was last looked at.
    dropped: Cell<u64>,
    wakes: Notify,
    is_over: Cell<bool>,
    refused: Seldom,
}

impl Members {
    pub(crate) fn hear(&self, parts: &Parts, some: &[Outward]) {
        let dropped = parts.counts.unplaced.get().map_or(0, |dropped| dropped.load(Ordering::Relaxed));
        let mut book = self.book.borrow_mut();
        // Of what was missed nobody knows the rooms.
        if self.dropped.replace(dropped) != dropped || parts.asks.is_away() {
            book.seen.clear();
        }
        for Outward { room, position, shown, .. } in some {
            if room.app() == parts.reading.app && !book.hear(room, *position, shown.kind) {
                add(&parts.counts.members_unwritten_total, 1);
            }
        }
        self.wakes.notify_one();
    }

    /// No room tells of anything any more.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
        self.wakes.notify_one();
    }
}

enum Failed {
    /// Redis is away, and it is no room's fault.
    Away,
    NotNow,
    ForGood(String),
}

pub(crate) async fn go_on(parts: &Parts) {
    let members = &parts.members;
    loop {
        let next = members.book.borrow_mut().next();
        let Some((room, mut due)) = next else {
            if members.is_over.get() {
                return;
            }
            members.wakes.notified().await;
            continue;
        };
        match write(parts, &room, due).await {
            Ok(()) => {
                add(&parts.counts.members_written_total, 1);
                continue;
            }
            Err(Failed::Away) => {}
            Err(Failed::NotNow) => due.attempts += 1,
            Err(Failed::ForGood(why)) => {
                // An operator may mend what is refused: whatever is said in the room next has it written again.
                members.book.borrow_mut().seen.remove(&room);
                add(&parts.counts.members_unwritten_total, 1);
                if let Some(times) = members.refused.happened() {
                    let room = room.as_str();
                    tracing::warn!(room, why, times, "the members of a room are not written to Redis");
                }
                continue;
            }
        }
        if *parts.stage.borrow() == Stage::Ends {
            return;
        }
        if !members.book.borrow_mut().again(room, due) {
            add(&parts.counts.members_unwritten_total, 1);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What is read here holds this record at least. Who has read later ones, on another node, may have written before: that stays.
async fn write(parts: &Parts, room: &RoomId, due: Due) -> Result<(), Failed> {
    let (upto, users) = (due.position, if due.ended { Vec::new() } else { read(parts, room).await? });
    let call = Call::on([parts.key(&format!("members:{}", room.name()))]);
    let call = call.number(upto.epoch).number(upto.offset).number(UPTO_KEPT.as_millis()).arg(room.name());
    let call = users.into_iter().fold(call, |call, user| call.arg(user));
    match parts.asks.run(&parts.asks.scripts.members, &call).await {
        Ok(_) => Ok(()),
        Err(Fault::Declined(why)) => Err(Failed::ForGood(why)),
        // Written twice it is the same.
        Err(_) => Err(Failed::Away),
    }
}

#[derive(Deserialize)]
struct Page {
    members: Vec<Member>,
    count: usize,
}

#[derive(Deserialize)]
struct Member {
    user_id: String,
}

async fn read(parts: &Parts, room: &RoomId) -> Result<Vec<String>, Failed> {
    let mut all: Vec<String> = Vec::new();
    for _ in 0..PAGES_MAX {
        let asked = all.last().map_or_else(|| json!({}), |last| json!({ "after": last }));
        let page = page(parts, room, asked.to_string()).await?;
        let is_last = page.members.is_empty();
        all.extend(page.members.into_iter().map(|member| member.user_id));
        if is_last || all.len() >= page.count {
            return Ok(all);
        }
    }
    Err(Failed::ForGood(format!("it told {} members, and of more", all.len())))
}

async fn page(parts: &Parts, room: &RoomId, asked: String) -> Result<Page, Failed> {
    let by = By::Source { name: "members".into(), author: None };
    let wish = Wish::Publish { kind: "get_members".into(), payload: asked.into(), id: None };
    let page = match parts.desk.call_by(by, room.clone(), wish).await {
        Ok(Told::Reply { reply: Reply::Done(Some(page)), .. }) => page,
        Ok(Told::Reply { reply: Reply::Refused(refusal), .. }) => {
            return Err(match refusal.code {
                Code::Busy | Code::Unconfirmed | Code::RateLimit => Failed::NotNow,
                code => Failed::ForGood(format!("{code:?}: {}", refusal.text)),
            });
        }
        Ok(_) => return Err(Failed::ForGood("it does not tell its members".to_owned())),
        Err(_) => return Err(Failed::NotNow),
    };
    serde_json::from_slice(&page).map_err(|why| Failed::ForGood(why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(number: usize) -> RoomId {
        RoomId::new("chat", &number.to_string())
    }

    fn at(offset: u64) -> Position {
        format!("1-{offset}").parse().expect("a position")
    }

    #[test]
    fn a_room_is_due_when_it_is_new_and_when_its_members_change_and_waits_once() {
        let mut book = Book::default();
        assert!(book.hear(&room(1), at(1), "new_message"));
        assert!(book.hear(&room(2), at(7), "new_message"));
        assert!(book.hear(&room(1), at(2), "member_added"));
        assert_eq!(book.next(), Some((room(1), Due { position: at(2), ended: false, attempts: 0 })));
        assert_eq!(book.next().map(|(room, _)| room), Some(room(2)));
        assert!(book.hear(&room(1), at(3), "new_message") && book.next().is_none());
        for kind in CHANGES {
            assert!(book.hear(&room(1), at(4), kind));
            assert_eq!(book.next().map(|(_, due)| due.ended), Some(*kind == ENDED), "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_written_waits_behind_the_others_and_gives_way_to_what_is_newer() {
        let mut book = Book::default();
        book.hear(&room(1), at(1), "new_message");
        book.hear(&room(2), at(1), "new_message");
        let (first, due) = book.next().expect("due");
        assert!(book.again(first, due));
        assert_eq!(book.next().map(|(room, _)| room), Some(room(2)));
        let (first, due) = book.next().expect("due");
        book.hear(&first, at(2), "member_added");
        assert!(book.again(first, due));
        let (first, due) = book.next().expect("due");
        assert_eq!((due.position, book.next()), (at(2), None));
        assert!(!book.again(first, Due { attempts: ATTEMPTS_MAX, ..due }));
        assert!(book.hear(&room(1), at(3), "new_message"));
        assert!(book.next().is_some(), "it is new again");
    }

    #[test]
    fn what_finds_no_place_is_new_the_next_time_and_what_was_seen_has_an_end() {
        let mut book = Book::default();
        assert!((0..DUE_MAX).all(|number| book.hear(&room(number), at(1), "new_message")));
        assert!(!book.hear(&room(DUE_MAX), at(1), "member_added"));
        assert!(book.next().is_some());
        assert!(book.hear(&room(DUE_MAX), at(2), "new_message"), "there is a place now");
        for number in 0..2 * SEEN_MAX {
            book.next();
            book.hear(&room(number), at(1), "new_message");
            assert!(book.seen.len() <= SEEN_MAX && book.due.len() <= DUE_MAX);
        }
    }
}
