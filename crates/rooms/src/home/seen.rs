//! One room as an operator sees it, and what an operator does to it.

use vocabulary::{Code, ConnectionId, Delivery, Parting, Refusal, RoomInside, RoomSeen, RoomState, UserId};

use super::{Home, Phase};
use crate::cx::Cx;
use crate::limits::Limits;
use crate::log::Log;

impl Home {
    pub(crate) fn has_members(&self) -> bool {
        !self.seats.is_empty()
    }

    fn state(&self) -> RoomState {
        match &self.phase {
            Phase::Loading(loading) => loading.damaged.map_or(RoomState::Loading, RoomState::Damaged),
            Phase::Live(_) => RoomState::Live,
            Phase::Quarantined(_, reference) => RoomState::Quarantined(*reference),
        }
    }

    pub(crate) fn seen(&self, steward: bool) -> RoomSeen {
        RoomSeen {
            room: self.id.clone(),
            members: self.seats.len() as u32,
            users: app::Roll::count(&self.presence),
            last: self.log().map(Log::head),
            steward,
            state: self.state(),
        }
    }

    pub(crate) fn inside(&self, steward: bool, limits: &Limits) -> RoomInside {
        let most = limits.presence_list_max;
        let members = self.seats.iter().take(most);
        let kept = self.log().is_some() && self.kept_from < u64::MAX;
        RoomInside {
            seen: self.seen(steward),
            members: members.map(|(connection, seat)| (connection, seat.user.person.clone())).collect(),
            present: self.presence.list(most),
            kept_from: kept.then(|| self.kept_from + 1),
        }
    }

    /// They are told why. Who may come back is for the app to say.
    pub(crate) fn kick(&mut self, cx: &mut Cx<'_>, user: &UserId) -> u32 {
        let theirs = self.seats.iter().filter(|(_, seat)| seat.user.person.id == *user);
        let theirs: Vec<(ConnectionId, u32)> = theirs.map(|(id, seat)| (id, seat.ticket)).collect();
        for (connection, ticket) in &theirs {
            self.leave(cx, *connection, true);
            let refusal = Refusal::new(Code::Forbidden, "an operator has put you out of this room");
            let (room, connection, ticket) = (self.id.clone(), *connection, *ticket);
            let parting = Parting { room, connection, ticket, answers: None, refusal };
            cx.deliver(connection.shard, Delivery::Parted(parting));
        }
        theirs.len() as u32
    }

    /// What panicked may be mended, as what is kept may be.
    pub(crate) fn release(&mut self, cx: &mut Cx<'_>) -> Result<(), RoomState> {
        match self.phase {
            Phase::Quarantined(..) => {
                self.reload(cx, None);
                Ok(())
            }
            Phase::Loading(_) | Phase::Live(_) => Err(self.state()),
        }
    }
}
