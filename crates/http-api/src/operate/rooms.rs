//! Rooms, for operators.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use node::{Crowded, Uncalled};
use serde_json::json;
use vocabulary::{Findings, Inquiry, RoomSeen, RoomState, RoomsWanted};

use super::read::{self, Asked, Body, Kicking, Limit, Named, RoomsAsked, YesNo};
use super::told::{Kicked, Released, RoomLine, RoomPage, RoomWhole, State as Stands};
use super::{Operate, silence, sorted};
use crate::answers::Fault;
use crate::keys::{Known, Scope};

pub(super) async fn list(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    asked: Asked<RoomsAsked>,
) -> Result<Json<RoomPage>, Fault> {
    known.may(Scope::Inspect)?;
    let RoomsAsked { prefix, app, members, after, limit } = read::query(asked)?;
    let limit = Limit::of(limit);
    let wanted = RoomsWanted {
        allowed: known.rooms(),
        prefix: prefix.map(Into::into),
        app: app.map(Into::into),
        members: members.map(|members| members == YesNo::Yes),
        after: after.map(Into::into),
        // One more, to see whether this is the last page.
        limit: limit + 1,
    };
    let heard = operate.lookout.ask_all(Inquiry::Rooms(wanted)).await;
    let (found, silent_shards) = sorted(heard, |found| match found.findings {
        Findings::Rooms(rooms) => Some(rooms),
        _ => None,
    })?;
    let mut rooms: Vec<RoomSeen> = found.into_iter().flatten().collect();
    rooms.sort_by(|one, other| one.room.as_str().cmp(other.room.as_str()));
    let more = rooms.len() > limit;
    rooms.truncate(limit);
    let next = rooms.last().filter(|_| more).map(|last| last.room.as_str().to_owned());
    let rooms = rooms.iter().map(RoomLine::from).collect();
    Ok(Json(RoomPage { node: operate.node(), rooms, next, silent_shards }))
}

pub(super) async fn one(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    named: Named,
) -> Result<Json<RoomWhole>, Fault> {
    known.may(Scope::Inspect)?;
    let room = operate.served(named)?;
    known.reaches(&room)?;
    let inside = match operate.at_home(&room, Inquiry::Room(room.clone())).await? {
        Findings::Room(inside) => inside,
        _ => return Err(Fault::unexpected()),
    };
    if let Some(inside) = inside {
        return Ok(Json(RoomWhole::of(operate.node(), &inside)));
    }
    let says = "nobody of this node is in it and nothing is to be done for it, so this node does not follow it: it may be open on another \
                node, and what its log holds the engine knows. GET /api/history reads it";
    Ok(Json(RoomWhole {
        node: operate.node(),
        room: RoomLine::not_loaded(&room),
        members: Vec::new(),
        present: Vec::new(),
        kept: None,
        says: Some(says.to_owned()),
    }))
}

pub(super) async fn kick(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Kicked>, Fault> {
    known.may(Scope::Operate)?;
    let room = operate.served(named)?;
    known.allows(Scope::Operate, &room)?;
    let Kicking { user, why } = read::body(&headers, body)?;
    let user = read::user(&user)?;
    let here = operate.count(Some(&user), Some(&room)).await?;
    operate.everywhere("kick", &json!({ "room": room.as_str(), "user": user.as_str() })).await?;
    tracing::info!(key = %known.name(), %room, %user, why = why.as_deref(), "an operator put somebody out of a room");
    let says = "they may come back: what keeps somebody out is the app's own ban, in a chat room `kulkul publish --type`, or a token \
                that does not name the room";
    let (node, room, user) = (operate.node(), room.as_str().to_owned(), user.as_str().to_owned());
    Ok(Json(Kicked { node, room, user, here, says: says.to_owned() }))
}

pub(super) async fn release(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    named: Named,
) -> Result<Json<Released>, Fault> {
    known.may(Scope::Operate)?;
    let room = operate.served(named)?;
    known.reaches(&room)?;
    let says = match operate.at_home(&room, Inquiry::Release(room.clone())).await? {
        Findings::Done(_) => {
            tracing::info!(key = %known.name(), %room, "an operator has a quarantined room tried again");
            let (node, room) = (operate.node(), room.as_str().to_owned());
            return Ok(Json(Released { node, room, state: Stands::Loading }));
        }
        Findings::Not(Some(RoomState::Live)) => "it is live: nothing keeps anybody from it",
        Findings::Not(Some(RoomState::Loading)) => "it is being read already",
        Findings::Not(Some(RoomState::Damaged(_))) => {
            "what is stored of it is damaged, and it is asked for again by itself: mend what is stored, or restore a backup"
        }
        Findings::Not(_) => "this node does not have it open: it is read anew when somebody comes",
        _ => return Err(Fault::unexpected()),
    };
    let says = format!("{room} is not quarantined on the node {}: {says}", operate.node());
    Err(Fault::conflict("NOT_QUARANTINED", says).about("room"))
}

impl Operate {
    /// A room that an app serves, by the name in the path.
    pub(super) fn served(&self, named: Named) -> Result<vocabulary::RoomId, Fault> {
        let room = read::room(named)?;
        if self.apps.iter().any(|app| app == room.app()) {
            return Ok(room);
        }
        let says =
            format!("no app serves {:?}: there are {}", read::short(room.as_str()), self.apps.join(", "));
        Err(Fault::not_there(says).about("room"))
    }

    async fn at_home(&self, room: &vocabulary::RoomId, asks: Inquiry) -> Result<Findings, Fault> {
        let home = self.lookout.home(room);
        let found = self.lookout.ask_one(home, asks).await.map_err(|Crowded| Fault::from(Uncalled::Busy))?;
        found.map(|found| found.findings).ok_or_else(|| silence(&[home.0]))
    }
}
