//! Connections, for operators.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use node::{Crowded, Found, Uncalled};
use vocabulary::{
    CloseReason, ConnectionId, ConnectionSeen, ConnectionsWanted, Findings, InOrder, Inquiry, Rank, RoomId,
    UserId, Whom,
};

use super::read::{self, Asked, Code, ConnectionsAsked, EndAsked, Limit, Named, Order};
use super::told::{ConnectionLine, ConnectionPage, Ended};
use super::{Operate, silence, sorted};
use crate::answers::Fault;
use crate::keys::{Known, Scope};

pub(super) async fn list(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    asked: Asked<ConnectionsAsked>,
) -> Result<Json<ConnectionPage>, Fault> {
    known.may_everywhere(Scope::Inspect)?;
    let ConnectionsAsked { user, room, mount, order, after, limit } = read::query(asked)?;
    let order = match order {
        None | Some(Order::Slow) => InOrder::Slow,
        Some(Order::Number) => InOrder::Number,
    };
    let wanted = ConnectionsWanted {
        user: user.as_deref().map(read::user).transpose()?,
        room: room.as_deref().map(read::room_named).transpose()?,
        mounts: mount.as_deref().map(|path| operate.mounts_at(path)).transpose()?,
        only: None,
        order,
        after: after.as_deref().map(|after| operate.rank(order, after)).transpose()?,
        limit: 0,
    };
    let (connections, next, silent_shards) = operate.page(wanted, Limit::of(limit)).await?;
    Ok(Json(ConnectionPage { node: operate.node(), connections, next, silent_shards }))
}

pub(super) async fn one(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    named: Named,
) -> Result<Json<ConnectionLine>, Fault> {
    known.may_everywhere(Scope::Inspect)?;
    Ok(Json(operate.connection(named_id(named)?).await?.1))
}

pub(super) async fn end(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    named: Named,
    asked: Asked<EndAsked>,
) -> Result<Json<Ended>, Fault> {
    known.may_everywhere(Scope::Operate)?;
    let EndAsked { code, why } = read::query(asked)?;
    operate.end_one(&known, named_id(named)?, Code::of(code), why.as_deref()).await.map(Json)
}

fn named_id(named: Named) -> Result<String, Fault> {
    named.map(|Path(id)| id).map_err(|error| Fault::field("id", error.body_text()))
}

/// What waits for it, and which it is: `bytes.shard.slot.generation`.
fn written(rank: Rank) -> String {
    let ConnectionId { shard, slot, generation } = rank.id;
    format!("{}.{}.{slot}.{generation}", rank.waiting.0, shard.0)
}

impl Operate {
    /// Mounts of that path; more than one where they differ in what they offer.
    fn mounts_at(&self, path: &str) -> Result<Vec<u8>, Fault> {
        let mounts = self.lookout.mounts().enumerate().filter(|(_, mount)| *mount == path);
        let mounts: Vec<u8> = mounts.filter_map(|(index, _)| u8::try_from(index).ok()).collect();
        if mounts.is_empty() {
            let paths: Vec<&str> = self.lookout.mounts().collect();
            let says = format!("{:?} is no mount; there are {}", read::short(path), paths.join(", "));
            return Err(Fault::field("mount", says));
        }
        Ok(mounts)
    }

    fn rank(&self, order: InOrder, after: &str) -> Result<Rank, Fault> {
        let parsed = || {
            let mut parts = after.split('.');
            let waiting: u64 = parts.next()?.parse().ok()?;
            let shard = vocabulary::ShardId(parts.next()?.parse().ok()?);
            let (slot, generation) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            parts.next().is_none().then_some((waiting, ConnectionId { shard, slot, generation }))
        };
        let (waiting, id) = parsed().ok_or_else(|| {
            Fault::field(
                "after",
                format!("{:?} is no place in this list; say `next` of a page", read::short(after)),
            )
        })?;
        Ok(Rank::of(order, waiting, id))
    }

    pub(super) async fn page(
        &self,
        wanted: ConnectionsWanted,
        limit: usize,
    ) -> Result<(Vec<ConnectionLine>, Option<String>, Vec<u16>), Fault> {
        let order = wanted.order;
        // One more, to see whether this is the last page.
        let wanted = ConnectionsWanted { limit: limit + 1, ..wanted };
        let heard = self.lookout.ask_all(Inquiry::Connections(wanted)).await;
        let (found, silent) = sorted(heard, |Found { findings, sockets }| match findings {
            Findings::Connections(page) => Some(page.into_iter().zip(sockets)),
            _ => None,
        })?;
        let rank = |seen: &ConnectionSeen| Rank::of(order, seen.waiting_bytes, seen.id);
        let mut all: Vec<_> =
            found.into_iter().flatten().map(|(seen, socket)| (rank(&seen), seen, socket)).collect();
        all.sort_by_key(|(rank, ..)| *rank);
        let more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().filter(|_| more).map(|(rank, ..)| written(*rank));
        let node = self.node();
        let line = |(_, seen, socket): &(Rank, ConnectionSeen, Option<node::SocketSeen>)| {
            ConnectionLine::of(&node, self.lookout.mount(seen.mount), seen, *socket)
        };
        Ok((all.iter().map(line).collect(), next, silent))
    }

    async fn connection(&self, named: String) -> Result<(ConnectionId, ConnectionLine), Fault> {
        let node = self.node();
        let id = read::connection(&node, &named)?;
        let gone = || {
            let says = format!("{:?} is not connected to this node, or no more", read::short(&named));
            Fault::not_there(says).about("id")
        };
        if !self.lookout.has(id) {
            return Err(gone());
        }
        let wanted =
            ConnectionsWanted { only: Some(id), limit: 1, ..ConnectionsWanted::all(InOrder::Number) };
        let found = self.lookout.ask_one(id.shard, Inquiry::Connections(wanted)).await;
        let found =
            found.map_err(|Crowded| Fault::from(Uncalled::Busy))?.ok_or_else(|| silence(&[id.shard.0]))?;
        let Findings::Connections(page) = &found.findings else { return Err(silence(&[id.shard.0])) };
        let seen = page.first().ok_or_else(gone)?;
        let socket = found.sockets.first().copied().flatten();
        Ok((id, ConnectionLine::of(&node, self.lookout.mount(seen.mount), seen, socket)))
    }

    pub(super) async fn end_one(
        &self,
        known: &Known,
        named: String,
        reason: CloseReason,
        why: Option<&str>,
    ) -> Result<Ended, Fault> {
        let (id, line) = self.connection(named).await?;
        let asks = Inquiry::End(Whom::Connection(id), reason);
        let found =
            self.lookout.ask_one(id.shard, asks).await.map_err(|Crowded| Fault::from(Uncalled::Busy))?;
        let Some(Found { findings: Findings::Done(here), .. }) = found else {
            return Err(silence(&[id.shard.0]));
        };
        tracing::info!(key = %known.name(), connection = line.id, code = reason.code(), why, "an operator ends a connection");
        Ok(Ended {
            node: self.node(),
            user: None,
            connection: Some(line.id),
            here,
            code: reason.code(),
            reason: reason.words().to_owned(),
            comes_back: reason.comeback().into(),
            says: KEEPS_OUT.to_owned(),
        })
    }

    /// Connections of this node, as far as a page has room for.
    pub(super) async fn count(&self, user: Option<&UserId>, room: Option<&RoomId>) -> Result<u32, Fault> {
        let (user, room) = (user.cloned(), room.cloned());
        let wanted = ConnectionsWanted { user, room, ..ConnectionsWanted::all(InOrder::Number) };
        let (page, ..) = self.page(wanted, usize::from(read::PAGE_MAX)).await?;
        Ok(page.len() as u32)
    }
}

pub(super) const KEEPS_OUT: &str = "a client may come back as the code tells it, and a hostile one whatever it says: POST /revoke ends a token";
