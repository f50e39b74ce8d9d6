//! The past, for who was not here: pages for members that catch up.

use engine::{Question, Read, Stored};
use vocabulary::{
    Act, Audience, Command, ConnectionId, Delivery, Join, Page, PageEntry, Payload, Position, Record,
    Refusal, Reply, ReplyTo, RoomId, Tick, Verdict,
};

use super::history::Past;
use super::retold::Retelling;
use super::{Home, Phase};
use crate::cx::Cx;
use crate::format;
use crate::log::Log;
use crate::sunk;

/// Pages of a room that the engine is asked for at a time. Members that come back together stand at few places; and those that
/// stand at many must not wait for each other's way to the engine and back.
const FLYING_MAX: usize = 4;

/// A reader whose records are not in the ring; the engine was asked.
pub(crate) struct Reader {
    pub asked: Tick,
    /// Who asked for history is told that there is none now when this was too long ago.
    pub since: Tick,
    /// Of all that want a page few are asked for at a time: what comes for one is mostly what the others want.
    pub(super) flies: bool,
    pub(super) after: u64,
    pub(super) limit: u32,
    pub(super) want: Want,
}

pub(super) enum Want {
    /// `ahead`: where the member stands, if the log is not known here to go that far.
    Page {
        connection: ConnectionId,
        ticket: u32,
        ahead: Option<Position>,
    },
    History(Past),
    /// What a command is about.
    Subject(Box<Act>),
    /// Who may not be here by what is known: whether that is still so.
    Join(Box<Join>),
    /// What of it is to be erased.
    Sweep,
    /// What an operator asks of it.
    Retell(Retelling),
    /// What of it leaves.
    Sink(ReplyTo),
}

impl Reader {
    pub(super) fn is_page_for(&self, connection: ConnectionId) -> bool {
        matches!(self.want, Want::Page { connection: reader, .. } if reader == connection)
    }

    /// Waits for a page that begins in there.
    fn is_covered(&self, records: &[Stored]) -> bool {
        !self.flies
            && matches!(self.want, Want::Page { ahead: None, .. })
            && records.first().is_some_and(|first| first.offset <= self.after + 1)
            && records.last().is_some_and(|last| last.offset > self.after)
    }
}

impl Home {
    /// How a client's position continues here. Whether the log still reaches back is known when a page is read.
    pub(super) fn verdict(&self, cx: &mut Cx<'_>, since: Position, audience: Audience) -> Verdict {
        let Some(log) = self.log() else { return Verdict::Fresh };
        let head = log.head();
        if self.may_be_behind(cx, since) {
            return Verdict::Resumed;
        }
        let mut view = || {
            let view = cx.unless_panicked(&self.id, log.fold.view(audience));
            view.unwrap_or_else(|| Payload::from_static(b"null"))
        };
        if since.epoch != head.epoch || since.offset > head.offset {
            Verdict::Reset(view())
        } else if log.ring_after(since.offset).is_none() && since.offset < self.kept_from {
            Verdict::Gap(view())
        } else {
            Verdict::Resumed
        }
    }

    /// Whoever comes from another node may have seen there what has not come here yet: the engine knows, and is asked before
    /// anybody is told that it was lost.
    fn may_be_behind(&self, cx: &Cx<'_>, since: Position) -> bool {
        let Phase::Live(log) = &self.phase else { return false };
        let head = log.head();
        // Of two first epochs neither is the later one: the engine lost everything in between.
        let later = since.epoch.counter() > head.epoch.counter();
        cx.publish && (later || (since.epoch == head.epoch && since.offset > head.offset))
    }

    pub(super) fn page(&mut self, cx: &mut Cx<'_>, connection: ConnectionId, ticket: u32, since: Position) {
        let Some(seat) = self.seats.get(connection) else { return };
        let audience = seat.audience;
        if self.may_be_behind(cx, since) {
            let head = self.log().map(Log::head).unwrap_or_default();
            return self.ask_for_page(cx, (connection, ticket), head, Some(since));
        }
        let verdict = self.verdict(cx, since, audience);
        let Some(log) = self.log() else { return };
        if verdict != Verdict::Resumed {
            let upto = log.head();
            return self.send_page(cx, connection, ticket, verdict, Vec::new(), upto);
        }
        if let Some(records) = log.ring_after(since.offset) {
            let (entries, upto) = entries(&self.id, log, cx, audience, since, records);
            return self.send_page(cx, connection, ticket, Verdict::Resumed, entries, upto);
        }
        self.ask_for_page(cx, (connection, ticket), since, None);
    }

    fn ask_for_page(
        &mut self,
        cx: &mut Cx<'_>,
        (connection, ticket): (ConnectionId, u32),
        after: Position,
        ahead: Option<Position>,
    ) {
        self.readers.retain(|_, reader| !reader.is_page_for(connection));
        let limit = cx.limits.page_records_max as u32;
        let (want, now) = (Want::Page { connection, ticket, ahead }, cx.now.tick);
        let reader = Reader { asked: now, since: now, flies: false, after: after.offset, limit, want };
        self.ask_for(cx, reader);
    }

    fn send_page(
        &self,
        cx: &mut Cx<'_>,
        connection: ConnectionId,
        ticket: u32,
        verdict: Verdict,
        entries: Vec<PageEntry>,
        upto: Position,
    ) {
        let live = self.log().is_some_and(|log| log.head() == upto);
        let page = Page { room: self.id.clone(), connection, ticket, verdict, entries, upto, live };
        cx.deliver(connection.shard, Delivery::Page(page));
    }

    pub(super) fn ask_for(&mut self, cx: &mut Cx<'_>, mut reader: Reader) {
        reader.flies = !matches!(reader.want, Want::Page { .. }) || self.may_fly(reader.after);
        let ticket = cx.number();
        self.ask_as(cx, ticket, reader);
    }

    /// Once more under the same ticket: whichever asking is answered, and however late, the answer counts.
    fn ask_as(&mut self, cx: &mut Cx<'_>, ticket: u64, reader: Reader) {
        let Some(log) = self.log() else { return };
        let (room, epoch) = (self.id.clone(), log.head().epoch);
        if reader.flies {
            cx.ask(Question::Read { room, epoch, after: reader.after, limit: reader.limit, ticket });
        }
        self.readers.insert(ticket, reader);
    }

    /// From where pages are asked for just now.
    fn flying(&self) -> Vec<u64> {
        let fly = |reader: &&Reader| reader.flies && matches!(reader.want, Want::Page { .. });
        self.readers.values().filter(fly).map(|reader| reader.after).take(FLYING_MAX).collect()
    }

    /// Whether one more page may be asked for, from there on: what is on its way is waited for.
    fn may_fly(&self, after: u64) -> bool {
        let flying = self.flying();
        flying.len() < FLYING_MAX && !flying.contains(&after)
    }

    /// The engine answered a reader's question. Whoever waits for a page and finds it in there has it too.
    pub(super) fn read_for(&mut self, cx: &mut Cx<'_>, ticket: u64, outcome: Read) {
        // An answer for nobody may be of another epoch.
        if let Some(reader) = self.readers.remove(&ticket) {
            let covered: Vec<Reader> = match &outcome {
                Read::Records { records, .. } => {
                    let covered = self.readers.extract_if(.., |_, reader| reader.is_covered(records));
                    covered.map(|(_, reader)| reader).collect()
                }
                Read::Behind(_) | Read::Lost | Read::Damaged => Vec::new(),
            };
            for reader in std::iter::once(reader).chain(covered) {
                self.read_one(cx, reader, &outcome);
            }
        }
        self.ask_for_next(cx);
    }

    /// The next ones that wait for a page, until enough are asked for.
    fn ask_for_next(&mut self, cx: &mut Cx<'_>) {
        while let Some(epoch) = self.log().map(|log| log.head().epoch)
            && let Some(next) = self.next_waiting()
            && let Some(reader) = self.readers.remove(&next)
            && let Want::Page { connection, ticket, ahead } = reader.want
        {
            self.page(cx, connection, ticket, ahead.unwrap_or(Position { epoch, offset: reader.after }));
        }
    }

    fn next_waiting(&self) -> Option<u64> {
        let flying = self.flying();
        let waits = |(_, reader): &(&u64, &Reader)| !reader.flies && !flying.contains(&reader.after);
        let next = self.readers.iter().find(waits).filter(|_| flying.len() < FLYING_MAX);
        next.map(|(ticket, _)| *ticket)
    }

    fn read_one(&mut self, cx: &mut Cx<'_>, reader: Reader, outcome: &Read) {
        let (connection, ticket) = match reader.want {
            Want::History(_) => return self.read_history(cx, reader, outcome),
            Want::Subject(act) => return self.read_subject(cx, (reader.since, reader.after), *act, outcome),
            Want::Join(join) => return self.join_read(cx, *join, outcome.clone()),
            Want::Sweep => return self.read_sweep(cx, reader.after, outcome),
            Want::Retell(what) => {
                return self.read_retold(cx, (reader.since, reader.after), what, outcome);
            }
            Want::Sink(reply) => return self.read_sink(cx, (reader.since, reader.after), reply, outcome),
            Want::Page { connection, ticket, ahead: Some(since) } => {
                return self.read_ahead(cx, (connection, ticket, since), outcome.clone());
            }
            Want::Page { connection, ticket, ahead: None } => (connection, ticket),
        };
        let Some(log) = super::Home::log(self) else { return };
        let head = log.head();
        let since = Position { epoch: head.epoch, offset: reader.after };
        let Some(records) = self.found(cx, reader.after, outcome) else {
            return self.page(cx, connection, ticket, since);
        };
        let (Some(seat), Some(log)) = (self.seats.get(connection), super::Home::log(self)) else { return };
        // The fold may be behind what the engine gave: what is not folded is not shown.
        let new = records.iter().skip_while(|stored| stored.offset <= reader.after);
        let folded = new.take_while(|stored| stored.offset <= head.offset);
        let (mut entries, mut size, mut upto) = (Vec::new(), PageSize::default(), since);
        for stored in folded {
            let Ok(written) = format::read_record(&stored.data) else {
                upto.offset = stored.offset;
                continue;
            };
            if !size.takes(&written.body, cx.limits) {
                break;
            }
            upto.offset = stored.offset;
            entries.push(entry(&self.id, log, cx, seat.audience, &written.at_place(upto)));
        }
        self.send_page(cx, connection, ticket, Verdict::Resumed, entries, upto);
    }

    /// The records of an answer; none: what it says of the room is taken note of.
    pub(super) fn found<'a>(
        &mut self,
        cx: &mut Cx<'_>,
        after: u64,
        outcome: &'a Read,
    ) -> Option<&'a [Stored]> {
        match outcome {
            Read::Records { records, .. } => return Some(records),
            Read::Behind(kept) => self.kept_from = self.kept_from.max(*kept),
            Read::Lost => self.kept_from = self.kept_from.max(after + 1),
            // Known already, and in the log: as often as anybody asks it is the same damage.
            Read::Damaged if self.is_known_as_damaged() => {}
            Read::Damaged => self.past_is_damaged(cx),
        }
        None
    }

    fn is_known_as_damaged(&self) -> bool {
        matches!(self.phase, Phase::Quarantined(..)) && self.kept_from == u64::MAX
    }

    /// The engine says how far the log goes, and brings what this node had not heard of.
    fn read_ahead(
        &mut self,
        cx: &mut Cx<'_>,
        (connection, ticket, since): (ConnectionId, u32, Position),
        outcome: Read,
    ) {
        let end = match &outcome {
            Read::Records { head, .. } => Some(*head),
            Read::Behind(_) | Read::Lost | Read::Damaged => None,
        };
        // What is said of the log holds for the room too; if it is read anew, its members ask again.
        self.bring_forward(cx, outcome);
        let (Some(end), Some(seat), Some(log)) = (end, self.seats.get(connection), self.log()) else {
            return;
        };
        if since <= end || !self.may_be_behind(cx, since) {
            return self.page(cx, connection, ticket, since);
        }
        let upto = log.head();
        let view = cx.unless_panicked(&self.id, log.fold.view(seat.audience));
        let verdict = Verdict::Reset(view.unwrap_or_else(|| Payload::from_static(b"null")));
        self.send_page(cx, connection, ticket, verdict, Vec::new(), upto);
    }

    /// The room is read anew. Members ask for their pages again; whoever asked for history learns that there is none now.
    pub(super) fn give_up_readers(&mut self, cx: &mut Cx<'_>) {
        for reader in std::mem::take(&mut self.readers).into_values() {
            match reader.want {
                Want::Page { .. } | Want::Sweep => {}
                Want::History(past) => {
                    cx.reply(&self.id, past.reply, Reply::Refused(Refusal::busy(1000)));
                }
                Want::Subject(act) => self.refuse_act(cx, &act, Refusal::busy(1000)),
                Want::Retell(Retelling { reply, .. }) | Want::Sink(reply) => {
                    cx.reply(&self.id, reply, Reply::Refused(Refusal::busy(1000)));
                }
                Want::Join(join) => self.command(cx, Command::Join(*join)),
            }
        }
    }

    pub(super) fn tick_readers(&mut self, cx: &mut Cx<'_>) {
        let again = cx.limits.ask_again;
        let late: Vec<u64> = self
            .readers
            .iter()
            .filter(|(_, r)| r.asked + again <= cx.now.tick)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in late {
            let Some(mut reader) = self.readers.remove(&ticket) else { continue };
            let over = reader.since + cx.limits.answer_within <= cx.now.tick;
            reader.asked = cx.now.tick;
            match reader.want {
                Want::History(past) if over => {
                    cx.reply(&self.id, past.reply, Reply::Refused(Refusal::busy(1000)));
                }
                Want::Subject(act) if over => self.refuse_act(cx, &act, Refusal::busy(1000)),
                Want::Retell(Retelling { reply, .. }) | Want::Sink(reply) if over => {
                    cx.reply(&self.id, reply, Reply::Refused(Refusal::busy(1000)));
                }
                Want::Join(join) if over => self.part(cx, &join, Refusal::busy(1000)),
                _ if reader.flies => self.ask_as(cx, ticket, reader),
                _ if self.may_fly(reader.after) => self.ask_for(cx, reader),
                _ => drop(self.readers.insert(ticket, reader)),
            }
        }
    }
}

pub(super) fn entry(
    room: &RoomId,
    log: &Log,
    cx: &mut Cx<'_>,
    audience: Audience,
    record: &Record,
) -> PageEntry {
    let shown = match sunk::is_kind(&record.kind) {
        true => None,
        false => cx.unless_panicked(room, log.fold.show(record, audience)).flatten(),
    };
    PageEntry { position: record.position, at: record.at, shown }
}

/// How much a page holds so far.
#[derive(Default)]
struct PageSize {
    records: usize,
    bytes: usize,
}

impl PageSize {
    /// Whether one more record finds a place. The first does, however large: else its reader would never get on.
    fn takes(&mut self, body: &Payload, limits: &crate::Limits) -> bool {
        let fits = self.records < limits.page_records_max && self.bytes + body.len() <= limits.page_bytes_max;
        let taken = fits || self.records == 0;
        self.records += usize::from(taken);
        self.bytes += body.len();
        taken
    }
}

/// One page out of the ring, and how far it reaches.
fn entries<'a>(
    room: &RoomId,
    log: &Log,
    cx: &mut Cx<'_>,
    audience: Audience,
    since: Position,
    records: impl Iterator<Item = &'a Record>,
) -> (Vec<PageEntry>, Position) {
    let (mut entries, mut size) = (Vec::new(), PageSize::default());
    let mut upto = since;
    for record in records {
        if !size.takes(&record.body, cx.limits) {
            return (entries, upto);
        }
        upto = record.position;
        entries.push(entry(room, log, cx, audience, record));
    }
    // Foreign records at the end are in no page; the ring's end is the log's.
    (entries, log.head())
}
