//! What operators ask by HTTP: rooms, connections and users as this node sees them, that somebody goes, that a room is tried again, that
//! the node drains. A key's scope `inspect` looks and `operate` acts. It answers for the one node that was asked, and says which.

mod connections;
mod explain;
mod log;
mod node_itself;
mod overview;
mod past;
mod read;
mod rooms;
mod told;
mod users;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use node::{Crowded, Desk, Heard, Lookout, SHARDS_WITHIN, Uncalled};
use serde_json::Value;
use tokio::sync::Semaphore;
use vocabulary::{Findings, RoomId, ShardId, Told, Wish};

use crate::answers::Fault;
use crate::keys::{Keys, prove};
use crate::openapi::document;
use crate::{Api, find_place, places};

pub(crate) use log::{LogAsked, LogPage};
pub(crate) use past::{AtPlace, ExplainAsked, Explained, of_path};
pub(crate) use read::{ConnectionsAsked, Disconnecting, Draining, EndAsked, Kicking, RoomsAsked};
pub(crate) use told::{
    ConnectionLine, ConnectionPage, DrainBegun, Ended, Kicked, Released, RoomPage, RoomWhole, UserWhole,
};

/// An id, a reason, a code.
const BODY_BYTES_MAX: usize = 16 << 10;

/// What of the server its operators ask.
pub struct Config {
    pub desk: Desk,
    pub lookout: Lookout,
    pub keys: Arc<Keys>,
    /// Calls that are asked and waited for; one more is refused at once.
    pub at_once_max: usize,
    /// The apps whose rooms there are.
    pub apps: Vec<String>,
    /// What clients come by, and where rooms are kept, as the console names them.
    pub furnished: Furnished,
    /// The settings in force, without secrets.
    pub settings: Arc<dyn Fn() -> Value + Send + Sync>,
    /// As a signal to end would have it.
    pub drain: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Clone)]
pub struct Furnished {
    pub engine: String,
    pub mounts: Vec<Way>,
}

/// A mount, by its path.
#[derive(Clone)]
pub struct Way {
    pub path: String,
    pub app: String,
    pub speaks: String,
}

#[derive(Clone)]
pub(crate) struct Operate {
    desk: Desk,
    lookout: Lookout,
    apps: Arc<[String]>,
    furnished: Arc<Furnished>,
    settings: Arc<dyn Fn() -> Value + Send + Sync>,
    drain: Arc<dyn Fn() + Send + Sync>,
}

pub fn router(config: Config) -> Router {
    let Config { desk, lookout, keys, at_once_max, apps, furnished, settings, drain } = config;
    let api = Api { desk: desk.clone(), keys };
    let places = Arc::new(Semaphore::new(at_once_max));
    let furnished = Arc::new(furnished);
    let operate = Operate { desk, lookout, apps: apps.into(), furnished, settings, drain };
    Router::new()
        .route("/overview", get(overview::now))
        .route("/overview/hour", get(overview::hour))
        .route("/rooms", get(rooms::list))
        .route("/rooms/{room}", get(rooms::one))
        .route("/rooms/{room}/at/{offset}", get(past::at))
        .route("/rooms/{room}/log", get(log::log))
        .route("/explain", get(past::why))
        .route("/rooms/{room}/kick", post(rooms::kick))
        .route("/rooms/{room}/release", post(rooms::release))
        .route("/connections", get(connections::list))
        .route("/connections/{id}", get(connections::one).delete(connections::end))
        .route("/users/{user}", get(users::one))
        .route("/disconnect", post(users::disconnect))
        .route("/drain", post(node_itself::drain))
        .route("/config", get(node_itself::config))
        .route_layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route_layer(middleware::from_fn(is_whole))
        .route_layer(middleware::from_fn_with_state(places, find_place))
        // Outermost: there are few places, and none for those who have no key.
        .route_layer(middleware::from_fn_with_state(api, prove))
        .method_not_allowed_fallback(async |method: Method| Fault::method(&method))
        .with_state(operate)
        // What may be asked is no secret, and whoever looks for it may have no key yet.
        .route("/openapi.json", get(async || Json(document())))
}

/// Places are few: who sends a body slowly has one for no longer than a body takes.
async fn is_whole(request: Request, next: Next) -> Response {
    match places::whole(request, BODY_BYTES_MAX).await {
        Ok(request) => next.run(request).await,
        Err(fault) => fault.into_response(),
    }
}

impl Operate {
    fn node(&self) -> String {
        format!("{:x}", self.lookout.node())
    }

    /// What holds on every node, by the room that all of them follow.
    async fn everywhere(&self, kind: &'static str, says: &Value) -> Result<(), Fault> {
        let wish = Wish::Publish { kind: kind.into(), payload: says.to_string().into(), id: None };
        match self.desk.call("operator".into(), RoomId::system(), wish).await? {
            Told::Stored { .. } => Ok(()),
            Told::Reply { reply: vocabulary::Reply::Refused(refusal), .. } => Err(Fault::from(&refusal)),
            Told::Reply { .. } => Err(Fault::unexpected()),
        }
    }
}

/// Findings of those who found some, and who said nothing.
fn sorted<T>(
    heard: Result<Heard, Crowded>,
    take: impl Fn(node::Found) -> Option<T>,
) -> Result<(Vec<T>, Vec<u16>), Fault> {
    let heard = heard.map_err(|Crowded| Fault::from(Uncalled::Busy))?;
    let mut silent: Vec<u16> = heard.silent.iter().map(|shard| shard.0).collect();
    let mut found = Vec::new();
    for (ShardId(shard), answer) in heard.answers {
        // It has no time for this: it is as if it had not answered.
        if answer.findings == Findings::Busy {
            silent.push(shard);
        } else {
            found.extend(take(answer));
        }
    }
    if found.is_empty() && !silent.is_empty() {
        return Err(silence(&silent));
    }
    silent.sort_unstable();
    Ok((found, silent))
}

fn silence(shards: &[u16]) -> Fault {
    let says = format!(
        "no answer within {} s of the shards {shards:?}: they are busy or hang; ask again, and look at /health/detailed",
        SHARDS_WITHIN.as_secs()
    );
    Fault::from(Uncalled::Busy).saying(says)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn shards_that_say_nothing_are_named_and_none_at_all_is_no_answer() {
        let found = |findings| node::Found { findings, sockets: Vec::new() };
        let answers = vec![(ShardId(0), found(Findings::Done(3))), (ShardId(1), found(Findings::Busy))];
        let heard = Ok(Heard { answers, silent: vec![ShardId(4)] });
        let (some, silent) =
            sorted(heard, |it| Some(it.findings)).unwrap_or_else(|_| panic!("one has answered"));
        assert_eq!((some, silent), (vec![Findings::Done(3)], vec![1, 4]));
        let nobody = Ok(Heard { answers: Vec::new(), silent: vec![ShardId(0), ShardId(1)] });
        let fault = sorted(nobody, |it| Some(it.findings)).err().unwrap_or_else(|| panic!("nobody has"));
        let says = fault.says().as_str().unwrap_or_default().to_owned();
        assert!(says.starts_with("no answer within 2 s of the shards [0, 1]"), "{says}");
        assert_eq!(fault.into_response().status(), 503);
        assert!(sorted(Err(Crowded), |it| Some(it.findings)).is_err());
    }
}
