//! A room's past for an operator: one record as it stands, and the log folded once more up to a place in it. It folds beside the room,
//! and changes nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use app::{Applied, Fold};
use engine::{Read, Stored};
use vocabulary::{
    Audience, Beholder, Caller, Fate, FoldEnds, FoldSeen, Now, Payload, Person, Position, RecordLine,
    RecordSeen, RecordsSeen, Refusal, Reply, ReplyTo, Retell, Retold, Tick, Touched, User, UserId, Wall,
    is_tombstone,
};

use super::Home;
use super::pages::{Reader, Want};
use crate::cx::Cx;
use crate::{format, sunk};

/// Records that are folded for one question: a second or two of reading. Whoever wants to see further back asks a copy of the log.
pub(crate) const FOLDED_MAX: u64 = 20_000;
/// Records that are folded in one turn: some milliseconds, in which the shard does nothing else.
const FOLDED_A_TURN: u32 = 512;
/// Records of one look, and the bytes of one of them that are shown: what a person reads.
const LINES_MAX: u32 = 100;
const BODY_BYTES_MAX: usize = 16 << 10;
/// People that are named.
const NAMED_MAX: usize = 200;

/// A question on its way through the log.
pub(super) struct Retelling {
    pub reply: ReplyTo,
    what: What,
}

enum What {
    Record { offset: u64, user: Option<UserId> },
    Fold(Box<Folding>),
    Records { upto: u64, lines: Vec<RecordLine> },
}

struct Folding {
    fold: Box<dyn Fold>,
    upto: u64,
    seen: FoldSeen,
    touched: BTreeSet<UserId>,
    authors: BTreeMap<UserId, (Person, u32)>,
}

impl Home {
    pub(super) fn retell(&mut self, cx: &mut Cx<'_>, reply: ReplyTo, asks: Retell) {
        let Some(head) = self.log().map(crate::log::Log::head) else {
            return cx.reply(&self.id, reply, Reply::Refused(Refusal::busy(1000)));
        };
        match asks {
            Retell::Record { offset, user } if offset > head.offset => {
                self.tell_past(cx, reply, offset, user, Fate::Ahead);
            }
            Retell::Record { offset, user } if offset <= self.kept_from => {
                self.tell_past(cx, reply, offset, user, Fate::Trimmed);
            }
            Retell::Record { offset, user } => {
                self.retell_on(
                    cx,
                    cx.now.tick,
                    offset - 1,
                    Retelling { reply, what: What::Record { offset, user } },
                );
            }
            Retell::Records { before, limit } => {
                let upto = before.saturating_sub(1).min(head.offset);
                let kept = if self.kept_from == u64::MAX { 0 } else { self.kept_from };
                let after = upto.saturating_sub(limit.min(LINES_MAX).into()).max(kept);
                self.lines_on(cx, cx.now.tick, (after, upto), reply, Vec::new());
            }
            Retell::Fold { upto } => {
                let from = if self.kept_from == u64::MAX { 0 } else { self.kept_from };
                self.begin_fold(cx, cx.now.tick, reply, upto.min(head.offset), from);
            }
        }
    }

    fn begin_fold(&mut self, cx: &mut Cx<'_>, since: Tick, reply: ReplyTo, upto: u64, after: u64) {
        let Some(fold) = cx.unless_panicked(&self.id, self.host.start(&self.id)) else {
            return cx.reply(&self.id, reply, Reply::Refused(Refusal::busy(1000)));
        };
        let head = self.log().map(crate::log::Log::head).unwrap_or_default();
        let mut seen = FoldSeen { head, upto: after, from: after + 1, ..FoldSeen::default() };
        if upto.saturating_sub(after) > FOLDED_MAX {
            seen.ends = Some(FoldEnds::TooMany(upto - after));
        }
        let folding = Folding { fold, upto, seen, touched: BTreeSet::new(), authors: BTreeMap::new() };
        self.fold_on(cx, since, reply, Box::new(folding));
    }

    /// The next stretch, or the answer.
    fn fold_on(&mut self, cx: &mut Cx<'_>, since: Tick, reply: ReplyTo, folding: Box<Folding>) {
        if folding.seen.ends.is_some() || folding.seen.upto >= folding.upto {
            let told = folding.told(&self.id, cx);
            return cx.reply(&self.id, reply, Reply::Retold(Box::new(Retold::Fold(told))));
        }
        let after = folding.seen.upto;
        self.retell_on(cx, since, after, Retelling { reply, what: What::Fold(folding) });
    }

    fn lines_on(
        &mut self,
        cx: &mut Cx<'_>,
        since: Tick,
        (after, upto): (u64, u64),
        reply: ReplyTo,
        lines: Vec<RecordLine>,
    ) {
        if after < upto {
            let what = What::Records { upto, lines };
            return self.retell_on(cx, since, after, Retelling { reply, what });
        }
        let head = self.log().map(crate::log::Log::head).unwrap_or_default();
        let trimmed = if self.kept_from == u64::MAX { 0 } else { self.kept_from };
        let seen = RecordsSeen { head, trimmed, records: lines };
        cx.reply(&self.id, reply, Reply::Retold(Box::new(Retold::Records(seen))));
    }

    fn retell_on(&mut self, cx: &mut Cx<'_>, since: Tick, after: u64, retelling: Retelling) {
        if self.has_too_many_readers(cx) {
            return cx.reply(&self.id, retelling.reply, Reply::Refused(Refusal::busy(1000)));
        }
        let limit = match &retelling.what {
            What::Record { .. } => 1,
            What::Records { upto, .. } => u32::try_from(upto - after).unwrap_or(LINES_MAX),
            What::Fold(folding) => {
                u32::try_from(folding.upto - after).unwrap_or(FOLDED_A_TURN).min(FOLDED_A_TURN)
            }
        };
        let want = Want::Retell(retelling);
        self.ask_for(cx, Reader { asked: cx.now.tick, since, flies: false, after, limit, want });
    }

    pub(super) fn read_retold(
        &mut self,
        cx: &mut Cx<'_>,
        (since, after): (Tick, u64),
        retelling: Retelling,
        outcome: &Read,
    ) {
        let Retelling { reply, what } = retelling;
        let found = self.found(cx, after, outcome);
        match what {
            What::Record { offset, user } => {
                let stored = found.and_then(|records| records.iter().find(|it| it.offset == offset)).cloned();
                let fate = match (&stored, outcome) {
                    (Some(stored), _) => fate(stored),
                    (None, Read::Damaged) => Fate::Damaged,
                    (None, Read::Behind(kept)) if offset <= *kept => Fate::Trimmed,
                    (None, _) => Fate::Ahead,
                };
                self.tell_past_of(cx, reply, (offset, stored), user, fate);
            }
            What::Records { upto, mut lines } => {
                let epoch = self.log().map(crate::log::Log::head).unwrap_or_default().epoch;
                let new =
                    found.unwrap_or_default().iter().filter(|it| it.offset > after && it.offset <= upto);
                let new: Vec<&Stored> = new.collect();
                let next = match (new.last(), outcome) {
                    (Some(last), _) => last.offset,
                    (None, Read::Behind(kept)) if *kept > after => (*kept).min(upto),
                    // What cannot be read is missing at the end.
                    (None, _) => upto,
                };
                lines.extend(
                    new.into_iter().map(|stored| line(Position { epoch, offset: stored.offset }, stored)),
                );
                self.lines_on(cx, since, (next, upto), reply, lines);
            }
            What::Fold(mut folding) => {
                match (found, outcome) {
                    (Some(records), _) => folding.take(records, after),
                    // Nothing was folded yet: what is kept begins there.
                    (None, Read::Behind(kept)) if folding.seen.records == 0 && *kept > after => {
                        return self.begin_fold(cx, since, reply, folding.upto, *kept);
                    }
                    (None, _) => folding.seen.ends = Some(FoldEnds::Unread),
                }
                if folding.seen.upto == after {
                    folding.seen.ends.get_or_insert(FoldEnds::Unread);
                }
                self.fold_on(cx, since, reply, folding);
            }
        }
    }

    fn tell_past(&self, cx: &mut Cx<'_>, reply: ReplyTo, offset: u64, user: Option<UserId>, fate: Fate) {
        self.tell_past_of(cx, reply, (offset, None), user, fate);
    }

    fn tell_past_of(
        &self,
        cx: &mut Cx<'_>,
        reply: ReplyTo,
        (offset, stored): (u64, Option<Stored>),
        user: Option<UserId>,
        fate: Fate,
    ) {
        let head = self.log().map(crate::log::Log::head).unwrap_or_default();
        let beholder =
            user.map(|user| self.beholder(cx, &user, Position { offset, ..head }, stored.as_ref()));
        let trimmed = if self.kept_from == u64::MAX { 0 } else { self.kept_from };
        let seen = RecordSeen { head, trimmed, fate, beholder };
        cx.reply(&self.id, reply, Reply::Retold(Box::new(Retold::Record(seen))));
    }

    /// By their place in the room, where they have one; and else as the app would see somebody of whom nothing else is known.
    fn beholder(&self, cx: &mut Cx<'_>, user: &UserId, at: Position, stored: Option<&Stored>) -> Beholder {
        let theirs = || self.seats.iter().filter(|(_, seat)| seat.user.person.id == *user);
        let seat = theirs().next().map(|(_, seat)| seat.audience);
        let Some(log) = self.log() else {
            return Beholder {
                seats: 0,
                nodes: Vec::new(),
                may: Err("the room is being read".to_owned()),
                shown: None,
            };
        };
        let may = match seat {
            Some(audience) => Ok(audience),
            None => admitted(&*log.fold, cx.now, user),
        };
        let written = stored.and_then(|stored| format::read_record(&stored.data).ok());
        let record = written.map(|written| written.at_place(at));
        let shown = may.as_ref().ok().copied().zip(record).and_then(|(audience, record)| {
            // How far a sink has got is the server's own note, and told to nobody.
            if sunk::is_kind(&record.kind) {
                return Some(false);
            }
            cx.unless_panicked(&self.id, log.fold.show(&record, audience)).map(|shown| shown.is_some())
        });
        let nodes = self.presence.nodes_of(user);
        Beholder { seats: theirs().count() as u32, nodes, may: may.map(|_| ()), shown }
    }
}

fn line(position: Position, stored: &Stored) -> RecordLine {
    let body = match format::read_record(&stored.data) {
        Ok(written) if !is_tombstone(&stored.data) && written.body.len() <= BODY_BYTES_MAX => {
            Some(written.body)
        }
        _ => None,
    };
    RecordLine { position, fate: fate(stored), body }
}

fn fate(stored: &Stored) -> Fate {
    if is_tombstone(&stored.data) {
        return Fate::Erased;
    }
    match format::read_record(&stored.data) {
        Err(_) => Fate::Foreign,
        Ok(written) => Fate::Kept {
            at: written.at,
            kind: written.kind.into_owned(),
            author: written.author,
            bytes: written.body.len(),
            touches: !written.touches.is_nobody(),
        },
    }
}

/// Whether the app lets in somebody of whom the name alone is known.
fn admitted(fold: &dyn Fold, now: Now, user: &UserId) -> Result<Audience, String> {
    let person = Person { id: user.clone(), name: user.as_str().into() };
    let user = Arc::new(User { person, role: None, rooms: None, groups: None });
    match fold.admit(now, &Caller::Visitor { user }, &Payload::new()) {
        Ok(Ok(audience)) => Ok(audience),
        Ok(Err(refusal)) => Err(refusal.text.into_owned()),
        Err(_) => Err("the app panicked when it was asked".to_owned()),
    }
}

impl Folding {
    fn take(&mut self, records: &[Stored], after: u64) {
        let upto = self.upto;
        let new = records.iter().filter(|stored| stored.offset > after && stored.offset <= upto);
        for stored in new {
            if let Err(says) = self.fold_one(stored) {
                self.seen.ends = Some(FoldEnds::Panicked(says));
                return;
            }
            self.seen.upto = stored.offset;
        }
    }

    fn fold_one(&mut self, stored: &Stored) -> Result<(), String> {
        self.seen.records += 1;
        if is_tombstone(&stored.data) {
            self.seen.erased += 1;
            return Ok(());
        }
        let Ok(written) = format::read_record(&stored.data) else {
            self.seen.unknown += 1;
            return Ok(());
        };
        let mut record = written.at_place(Position { offset: stored.offset, ..self.seen.head });
        // As the room itself keeps time: it never goes back.
        record.at = record.at.max(self.seen.at);
        if sunk::is_cursor(&stored.key) {
            return Ok(());
        }
        if self.fold.apply(&record).map_err(|panicked| panicked.says.into_string())? == Applied::Unknown {
            self.seen.unknown += 1;
        }
        self.seen.at = record.at;
        if let Touched::Users(users) = &record.touches {
            for user in users {
                if self.touched.len() < NAMED_MAX || self.touched.contains(user) {
                    self.touched.insert(user.clone());
                } else {
                    self.seen.touched_more = true;
                }
            }
        }
        if let Some(author) = &record.author {
            if let Some((_, count)) = self.authors.get_mut(&author.id) {
                *count += 1;
            } else if self.authors.len() < NAMED_MAX {
                self.authors.insert(author.id.clone(), (author.clone(), 1));
            } else {
                self.seen.authors_more = true;
            }
        }
        self.seen.last = Some((record.kind.into_owned(), record.author));
        Ok(())
    }

    /// As a back end sees it, at the time of the last record.
    fn told(self, room: &vocabulary::RoomId, cx: &mut Cx<'_>) -> FoldSeen {
        let Folding { fold, mut seen, touched, authors, .. } = self;
        let wall = if seen.at == Wall::default() { cx.now.wall } else { seen.at };
        let (now, api) = (Now { wall, ..cx.now }, Caller::Api { key: "operator".into() });
        let nothing = Payload::new();
        let audience = cx.unless_panicked(room, fold.admit(now, &api, &nothing)).and_then(Result::ok);
        seen.about = cx.unless_panicked(room, fold.about(now, &api, &nothing)).flatten();
        seen.view = cx.unless_panicked(room, fold.view(audience.unwrap_or_default()));
        let may = |user: UserId| {
            let may = admitted(&*fold, now, &user).is_ok();
            (user, may)
        };
        seen.touched = touched.into_iter().map(may).collect();
        seen.authors = authors.into_values().collect();
        seen
    }
}
