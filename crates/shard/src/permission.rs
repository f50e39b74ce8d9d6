//! Requests that the team's own back end is asked about before they are done. They wait at their connection, those of a room
//! in their order, and go with it. Whom to ask and how, and what was answered before, the shell knows.

use std::collections::{BTreeSet, VecDeque};

use vocabulary::{
    Asked, Asks, Code, ConnectionId, Deed, Now, Petition, Refusal, RoomId, Ruling, Standing, Tag, Verb,
};

use crate::connection::Connection;
use crate::{Output, Shard};

/// Of one connection: all the rooms of a client that returns, and the sends that it may have unanswered.
const PARKED_MAX: usize = 256;
/// The same in bytes of payload; one alone may have more, because its mount allows it.
const PARKED_BYTES_MAX: usize = 1 << 20;
/// Open questions of one connection: a client with a hundred rooms does not take every place from the others.
const ASKING_MAX: usize = 8;
/// For whoever has as many waiting: about as long as an answer takes.
const PARKED_MS: u32 = 500;

/// In the order in which they came.
#[derive(Default)]
pub(crate) struct Parked {
    waiting: VecDeque<Waiting>,
    asking: usize,
    /// Of the newest question.
    number: u32,
}

struct Waiting {
    asked: Asked,
    /// What somebody is still to be asked about, one after the other. None: it only keeps its place behind the others of its room.
    deeds: VecDeque<Deed>,
    /// The number under which it is being asked.
    number: Option<u32>,
}

impl Waiting {
    fn bytes(&self) -> usize {
        payload_bytes(&self.asked)
    }

    /// It is asked about only because whoever is not in the room would look into it: whoever is in it may.
    fn enters(&self) -> bool {
        matches!(self.deeds.front(), Some(Deed::Join)) && !matches!(self.asked.verb, Verb::Join { .. })
    }
}

fn payload_bytes(asked: &Asked) -> usize {
    match &asked.verb {
        Verb::Join { payload, .. } | Verb::Act { payload, .. } => payload.len(),
        Verb::Leave | Verb::History { .. } | Verb::Members => 0,
    }
}

impl Parked {
    /// The room of a join that waits.
    pub(crate) fn joining(&self) -> Option<&RoomId> {
        let join = self.waiting.iter().find(|it| matches!(it.asked.verb, Verb::Join { .. }))?;
        Some(&join.asked.room)
    }

    fn has(&self, room: &RoomId) -> bool {
        self.waiting.iter().any(|it| it.asked.room == *room)
    }

    fn has_place_for(&self, asked: &Asked) -> bool {
        let bytes: usize = self.waiting.iter().map(Waiting::bytes).sum();
        let fits = self.waiting.is_empty() || bytes + payload_bytes(asked) <= PARKED_BYTES_MAX;
        fits && self.waiting.len() < PARKED_MAX
    }

    /// The next question to be asked: of each room only what has nothing before it.
    fn next(&mut self) -> Option<(u32, RoomId, Deed)> {
        if self.asking >= ASKING_MAX {
            return None;
        }
        let mut rooms = BTreeSet::new();
        let first = |it: &&mut Waiting| rooms.insert(it.asked.room.clone()) && it.number.is_none();
        let next = self.waiting.iter_mut().find(first)?;
        let deed = next.deeds.front()?.clone();
        self.number = self.number.wrapping_add(1);
        next.number = Some(self.number);
        self.asking += 1;
        Some((self.number, next.asked.room.clone(), deed))
    }

    /// A question is answered. What was asked for, and whether somebody is to be asked about another side of it.
    fn take(&mut self, number: u32, allowed: bool) -> Option<Asked> {
        let index = self.waiting.iter().position(|it| it.number == Some(number))?;
        self.asking -= 1;
        let it = self.waiting.get_mut(index)?;
        it.number = None;
        it.deeds.pop_front();
        if allowed && !it.deeds.is_empty() {
            return None;
        }
        self.waiting.remove(index).map(|it| it.asked)
    }

    /// The room's next, if nobody needs to be asked about it: a member reads there without a question.
    fn take_free(&mut self, room: &RoomId, is_in: bool) -> Option<Asked> {
        let index = self.waiting.iter().position(|it| it.asked.room == *room)?;
        let next = &mut self.waiting[index];
        if next.number.is_none() && is_in && next.enters() {
            next.deeds.pop_front();
        }
        let is_free = next.number.is_none() && next.deeds.is_empty();
        is_free.then(|| self.waiting.remove(index)).flatten().map(|it| it.asked)
    }
}

/// What somebody is to be asked about, if this is such a thing.
fn deeds(asks: &Asks, asked: &Asked, is_in: bool) -> VecDeque<Deed> {
    let mut deeds = VecDeque::new();
    if !asks.about(&asked.room) {
        return deeds;
    }
    let enters = match &asked.verb {
        Verb::Join { .. } => true,
        // Whoever may not be there reads nothing there, and does nothing by a request that needs no membership.
        Verb::History { .. } | Verb::Members | Verb::Act { standing: Standing::Anyone, .. } => !is_in,
        Verb::Act { .. } | Verb::Leave => false,
    };
    deeds.extend((enters && asks.join).then_some(Deed::Join));
    if let (Verb::Act { kind, .. }, true) = (&asked.verb, asks.publish) {
        deeds.push_back(Deed::Publish { kind: kind.clone(), id: asked.tag.id.clone() });
    }
    deeds
}

impl Connection {
    /// To a client that asks to join: rooms that it may soon be in, beside this one and those that it is in.
    pub(crate) fn joins_parked(&self, asked: &Asked) -> usize {
        let Some(parked) = self.parked.as_deref().filter(|_| matches!(asked.verb, Verb::Join { .. })) else {
            return 0;
        };
        let joins = parked.waiting.iter().filter(|it| matches!(it.asked.verb, Verb::Join { .. }));
        let rooms: BTreeSet<&RoomId> =
            joins.map(|it| &it.asked.room).filter(|room| **room != asked.room).collect();
        rooms.into_iter().filter(|room| self.subscriptions.iter().all(|it| it.room != **room)).count()
    }
}

impl Shard {
    /// What the session allows: done at once, or when somebody has allowed it too.
    pub(crate) fn permit(&mut self, now: Now, id: ConnectionId, asked: Asked) {
        let Some(connection) = self.connections.get(id) else { return };
        let is_in = connection.subscription(&asked.room).is_some();
        let deeds = deeds(&self.asks, &asked, is_in);
        let behind = connection.parked.as_deref().is_some_and(|parked| parked.has(&asked.room));
        if deeds.is_empty() && !behind {
            return self.allowed(now, id, asked);
        }
        let parked = connection.parked.get_or_insert_default();
        if !parked.has_place_for(&asked) {
            return self.decline(now, id, asked, &Refusal::busy(PARKED_MS));
        }
        parked.waiting.push_back(Waiting { asked, deeds, number: None });
        self.ask_more(id);
    }

    fn ask_more(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        let (Some(parked), Some(user)) = (&mut connection.parked, &connection.user) else { return };
        while let Some((number, room, deed)) = parked.next() {
            let petition = Box::new(Petition { user: user.clone(), room, deed });
            self.outputs.push_back(Output::Authorize(id, number, petition));
        }
        if parked.waiting.is_empty() {
            connection.parked = None;
        }
    }

    /// Of a connection that has ended meanwhile nothing waits any more.
    pub(crate) fn authorized(&mut self, now: Now, id: ConnectionId, number: u32, ruling: Ruling) {
        let allowed = matches!(ruling, Ruling::Allowed);
        let Some(asked) = self.parked(id).and_then(|parked| parked.take(number, allowed)) else {
            return self.ask_more(id);
        };
        let room = asked.room.clone();
        match ruling {
            Ruling::Allowed => self.allowed_still(now, id, asked),
            Ruling::Refused(reason) => {
                self.leave_the_refused(now, id, &asked);
                let refusal = Refusal::new(Code::Forbidden, reason.to_string());
                self.decline(now, id, asked, &refusal);
            }
            Ruling::Unasked(wait) => self.decline(now, id, asked, &Refusal::busy(wait)),
        }
        while let Some(asked) = self.take_free(id, &room) {
            self.allowed_still(now, id, asked);
        }
        self.ask_more(id);
    }

    fn take_free(&mut self, id: ConnectionId, room: &RoomId) -> Option<Asked> {
        let connection = self.connections.get(id)?;
        let is_in = connection.subscription(room).is_some();
        connection.parked.as_deref_mut()?.take_free(room, is_in)
    }

    fn parked(&mut self, id: ConnectionId) -> Option<&mut Parked> {
        self.connections.get(id)?.parked.as_deref_mut()
    }

    /// Who asks anew to join where it is already, and is refused now, is there no longer.
    fn leave_the_refused(&mut self, now: Now, id: ConnectionId, asked: &Asked) {
        let Some(connection) = self.connections.get(id) else { return };
        if matches!(asked.verb, Verb::Join { .. }) && connection.subscription(&asked.room).is_some() {
            let tag = Tag { id: None, full_name: asked.tag.full_name };
            self.left(now, id, asked.room.clone(), tag);
        }
    }

    /// It waited, and a newer token may have come in between.
    fn allowed_still(&mut self, now: Now, id: ConnectionId, asked: Asked) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.user.as_ref().is_some_and(|user| user.may_enter(&asked.room)) {
            return self.allowed(now, id, asked);
        }
        let refusal = Refusal::new(Code::Forbidden, "your token does not allow this room");
        self.decline(now, id, asked, &refusal);
    }

    /// Nothing of it was done.
    fn decline(&mut self, now: Now, id: ConnectionId, asked: Asked, refusal: &Refusal) {
        if let Some(connection) = self.connections.get(id)
            && matches!(asked.verb, Verb::Act { .. })
        {
            connection.session.answered();
        }
        self.refuse_asked(now, id, asked, refusal);
    }
}
