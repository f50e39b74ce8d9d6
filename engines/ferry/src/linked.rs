//! A store that is read by the questions that a node asks. Which rooms there are, no question says: an engine lists them beside.

use engine::{Answer, Followed, Loaded, Question, Read, Stored};
use vocabulary::{Epoch, RoomId};

use crate::{Asker, Fault, Give, Listed, Opened};

/// Asked for at once; the engine gives fewer of large ones.
const PAGE_RECORDS: u32 = 500;

/// What an engine lists: some rooms that were not told yet; none, when that were all.
pub type Rooms = Box<dyn FnMut() -> Result<Vec<Listed>, Fault>>;

pub struct Linked {
    asker: Asker,
    rooms: Rooms,
}

impl Linked {
    pub fn new(asker: Asker, rooms: Rooms) -> Linked {
        Linked { asker, rooms }
    }
}

impl Give for Linked {
    fn rooms(&mut self) -> Result<Vec<Listed>, Fault> {
        (self.rooms)()
    }

    fn open(&mut self, room: &RoomId) -> Result<Option<Opened>, Fault> {
        let Some(loaded) = load(&mut self.asker, room)? else {
            return Err(Fault::Damaged { room: room.clone() });
        };
        let Loaded { snapshot, base, head, .. } = loaded;
        // An empty one stands for none.
        let snapshot = snapshot.filter(|snapshot| !snapshot.data.is_empty());
        if head.offset == 0 && snapshot.is_none() {
            return Ok(None);
        }
        let (epoch, head) = (head.epoch, head.offset);
        let head_check =
            snapshot.as_ref().filter(|it| it.seen.position.offset == head).map(|it| it.seen.check);
        let base_check =
            snapshot.as_ref().filter(|it| it.seen.position.offset == base).map(|it| it.seen.check);
        Ok(Some(Opened { epoch, base, base_check, head, head_check, snapshot }))
    }

    fn page(&mut self, room: &RoomId, epoch: Epoch, after: u64) -> Result<Option<Vec<Stored>>, Fault> {
        let asked = self.asker.next_ticket();
        let read = Question::Read { room: room.clone(), epoch, after, limit: PAGE_RECORDS, ticket: asked };
        let outcome = self.asker.ask(&read, |answer| match answer {
            Answer::Read { ticket, outcome, .. } if ticket == asked => Some(outcome),
            _ => None,
        })?;
        match outcome {
            Read::Records { records, .. } => Ok(Some(records)),
            // Another epoch began: the room is read anew, in that one.
            Read::Behind(_) | Read::Lost => Ok(None),
            Read::Damaged => Err(Fault::Damaged { room: room.clone() }),
        }
    }

    fn close(&mut self, room: &RoomId) {
        // What is not taken back ends with the lease.
        self.asker.tell(Question::Unfollow { room: room.clone() }).ok();
    }
}

/// None: what is kept is not what was stored.
pub(crate) fn load(asker: &mut Asker, room: &RoomId) -> Result<Option<Loaded>, Fault> {
    let asked = asker.next_ticket();
    let follow = Question::Follow { room: room.clone(), seen: None, ticket: asked };
    let outcome = asker.ask(&follow, |answer| match answer {
        Answer::Followed { ticket, outcome, .. } if ticket == asked => Some(outcome),
        _ => None,
    })?;
    match outcome {
        Followed::Loaded(loaded) => Ok(Some(loaded)),
        _ => Ok(None),
    }
}
