//! What the services of a fleet ask of each other, `/internal`, by the key of a back end: it speaks for drivers and passengers alike. For a
//! listener that only back ends reach.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use axum::{Router, middleware};
use futures_util::{StreamExt, TryStreamExt, stream};
use node::{Desk, Uncalled};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use vocabulary::{By, Code, Payload, RoomId};

use super::{
    Answer, Failed, MATCH_WORDS, RIDE_WORDS, Rooms, Side, agrees, no_such_call, ok, once, ride_room,
};
use super::{unsaid, uuid, word};
use crate::answers::Fault;
use crate::asked::{self, Asked, Both, Id};
use crate::body::{self, Body};
use crate::door::Unsaid;
use crate::keys::{Keys, Known, Scope, shown};
use crate::places::BODY_BYTES_MAX;

/// Squares of one circle that are asked at a time: the widest has some fifty.
const AT_ONCE: usize = 16;
/// As the map knows circles.
const RADIUS_KM_MAX: f64 = 5.0;

/// Rooms, and what they are asked.
pub type Question = (Vec<RoomId>, Payload);

/// What this crate need not know of the map.
#[derive(Clone, Copy)]
pub struct Squares {
    /// Whom to ask who is near a place, within so many metres, and what.
    pub around: fn(&str, f64, f64, i64) -> Option<Question>,
    /// Their answers as one, the nearest first.
    pub nearest: fn(&[Payload]) -> Vec<Value>,
    /// How far is looked where nothing is said of it.
    pub radius_m: i64,
}

pub struct Config {
    pub desk: Desk,
    pub keys: Arc<Keys>,
    /// Calls that are read, asked and waited for; one more is refused at once.
    pub at_once_max: usize,
    pub is_fleet: bool,
    pub squares: Squares,
}

pub(crate) struct Internal {
    rooms: Rooms,
    keys: Arc<Keys>,
    squares: Squares,
}

type Shared = State<Arc<Internal>>;

pub fn router(config: Config) -> Router {
    let Config { desk, keys, at_once_max, is_fleet, squares } = config;
    let internal = Arc::new(Internal { rooms: Rooms { desk, is_fleet }, keys, squares });
    let router = Router::new()
        .route("/matches/{id}/{word}", post(of_match))
        .route("/rides/{id}", get(ride))
        .route("/rides/{id}/{word}", post(of_ride))
        .route("/drivers/nearby", get(nearby))
        .route("/drivers/{id}/available", available(Side::Driver))
        .route("/passengers/{id}/available", available(Side::Passenger))
        .route("/drivers/{id}/location", located(Side::Driver))
        .route("/passengers/{id}/location", located(Side::Passenger))
        .method_not_allowed_fallback(async |method: Method| Failed::from(Fault::method(&method)))
        .with_state(internal)
        .route("/", any(async || Failed::from(no_such_call())))
        .route("/{*rest}", any(async || Failed::from(no_such_call())))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::new(Semaphore::new(at_once_max)), find_place));
    Router::new().nest("/internal", router)
}

async fn find_place(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Failed::from(Fault::from(Uncalled::Busy)).into_response(),
    }
}

fn available(side: Side) -> MethodRouter<Arc<Internal>> {
    let on = async move |internal: Shared, id: Id, headers: HeaderMap, body: Body| {
        internal.0.switch(side, id, &headers, Some(body)).await
    };
    let off = async move |internal: Shared, id: Id, headers: HeaderMap| {
        internal.0.switch(side, id, &headers, None).await
    };
    post(on).delete(off)
}

fn located(side: Side) -> MethodRouter<Arc<Internal>> {
    get(async move |internal: Shared, id: Id, headers: HeaderMap| {
        internal.0.location(side, id, &headers).await
    })
}

impl Internal {
    fn known(&self, headers: &HeaderMap) -> Result<Known, Fault> {
        // Services of a fleet are few: whoever guesses is counted with all of them, and those that were right once go on.
        shown(&self.keys, headers, None)
    }

    /// What is decided elsewhere is said with that one's word: nobody is asked here.
    fn decides(&self) -> Result<(), Fault> {
        if !self.rooms.is_fleet {
            return Ok(());
        }
        let says = "the fleet's own back end decides this (rides.authority = \"fleet\"): it says what happened by \
                    /api/publish or its broker";
        Err(Fault::new(StatusCode::CONFLICT, "CONFLICT", says))
    }

    /// A driver goes into the pool, a passenger looks for a driver; or that is over.
    async fn switch(&self, side: Side, id: Id, headers: &HeaderMap, on: Option<Body>) -> Answer {
        let known = self.known(headers)?;
        let room = side.room(&asked::id(id)?)?;
        known.allows(Scope::Publish, &room)?;
        self.decides()?;
        let is_active = on.is_some();
        let said = on.map(body::read_if_any).transpose()?;
        // As it was written: what of it is wrong, the room says.
        let names = ["latitude", "longitude", "location", "target_location"];
        let payload = body::switched(said.as_ref(), &names, is_active);
        let kind = match side {
            Side::Driver => "beacon_update",
            Side::Passenger => "finder_update",
        };
        let (by, key) = (By::Key(known.name()), once(headers, kind)?);
        let said = self.rooms.say(&by, &room, kind, payload, key).await?;
        let told = self.rooms.switched(&by, &room, side, said).await?;
        ok(if is_active { "Available" } else { "Unavailable" }, told)
    }

    /// Of a ride's two where the ride saw them, of others where they say they are.
    async fn location(&self, side: Side, id: Id, headers: &HeaderMap) -> Answer {
        let known = self.known(headers)?;
        let id = asked::id(id)?;
        let room = side.room(&id)?;
        known.allows(Scope::History, &room)?;
        let by = By::Key(known.name());
        let state = self.rooms.state(&by, &room).await?;
        let ride_id = state["ride"]["ride_id"].as_str();
        let mut location = match ride_id.map(ride_room).transpose()? {
            Some(ride) => self.seen_in(&by, &known, &ride, side).await?,
            None => Value::Null,
        };
        let of = side.switch();
        if location.is_null() {
            location = state[of]["location"].clone();
        }
        if location.is_null() && side == Side::Passenger {
            // Whom a driver comes for is taken to be where they are picked up.
            location = state["ride"]["location"].clone();
        }
        if location.is_null() {
            let name = side.name();
            let says = format!(
                "no position of the {name} {id} is known: location_update or /internal/{name}s/{id}/available tells it"
            );
            return Err(Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", says).into());
        }
        let mut told =
            json!({ "location": location, "ride_id": ride_id, "is_active": state[of]["is_active"] });
        told[format!("{}_id", side.name())] = id.into();
        if side == Side::Driver {
            told["available"] = state[of]["available"].clone();
        }
        ok("Location", told)
    }

    async fn seen_in(&self, by: &By, known: &Known, ride: &RoomId, side: Side) -> Result<Value, Fault> {
        known.allows(Scope::History, ride)?;
        let asked = self.rooms.try_say(by, ride, "get_state", Payload::from_static(b"{}"), None).await;
        match asked {
            Ok(said) => {
                let state = said.reply.as_ref().map(super::read).transpose()?.unwrap_or_default();
                Ok(state[format!("{}_location", side.name())].clone())
            }
            // It is about to begin.
            Err(Unsaid::Refused(refusal)) if refusal.code == Code::App("NOT_FOUND") => Ok(Value::Null),
            Err(why) => Err(unsaid(by, why)),
        }
    }
}

/// Whose word it is, the body says: `user_id`, and `role` where one is both.
async fn of_match(State(internal): Shared, of: Both, headers: HeaderMap, body: Body) -> Answer {
    let known = internal.known(&headers)?;
    let (id, said) = asked::both(of)?;
    let (kind, id) = (word(&MATCH_WORDS, &said)?, uuid("match_id", &id)?);
    internal.decides()?;
    let fields = body::read(body)?;
    agrees(&fields, "match_id", &id)?;
    let user = fields.required("user_id")?;
    let sides = match fields.text("role")?.as_deref() {
        None => vec![Side::Driver, Side::Passenger],
        Some("driver") => vec![Side::Driver],
        Some("passenger") => vec![Side::Passenger],
        Some(other) => {
            let shown: String = other.chars().take(60).collect();
            return Err(Fault::field("role", format!("role must be driver or passenger, got {shown}")).into());
        }
    };
    let payload = fields.all_but(&["match_id", "user_id", "role"], &[("match_id", &id)]);
    let (by, key) = (By::Key(known.name()), once(&headers, kind)?);
    for side in sides {
        let room = side.room(&user)?;
        known.allows(Scope::Publish, &room)?;
        match internal.rooms.try_say(&by, &room, kind, payload.clone(), key.clone()).await {
            Ok(said) => {
                let told = internal.rooms.told(&by, &room, said, &id).await?;
                return ok("Match", told);
            }
            // It is none of theirs on this side.
            Err(Unsaid::Refused(refusal)) if refusal.code == Code::Unauthorized => {}
            Err(why) => return Err(unsaid(&by, why).into()),
        }
    }
    let shown: String = user.chars().take(60).collect();
    let says = format!("there is no match {id} of {shown}: match_proposal names those that there are");
    Err(Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", says).into())
}

async fn ride(State(internal): Shared, id: Id, headers: HeaderMap) -> Answer {
    let known = internal.known(&headers)?;
    let room = ride_room(&asked::id(id)?)?;
    known.allows(Scope::History, &room)?;
    ok("Ride", internal.rooms.ride(&By::Key(known.name()), &room).await?)
}

async fn of_ride(State(internal): Shared, of: Both, headers: HeaderMap, body: Body) -> Answer {
    let known = internal.known(&headers)?;
    let (id, said) = asked::both(of)?;
    let (kind, room) = (word(&RIDE_WORDS, &said)?, ride_room(&id)?);
    known.allows(Scope::Publish, &room)?;
    internal.decides()?;
    let fields = body::read_if_any(body)?;
    let id = uuid("ride_id", &id)?;
    agrees(&fields, "ride_id", &id)?;
    let payload = fields.all_but(&["ride_id"], &[("ride_id", &id)]);
    let (by, key) = (By::Key(known.name()), once(&headers, kind)?);
    internal.rooms.say(&by, &room, kind, payload, key).await?;
    ok("Ride", internal.rooms.ride(&by, &room).await?)
}

/// A number of the query, if it is one within bounds.
fn number(
    pairs: &[(String, String)],
    name: &str,
    must: &str,
    holds: fn(f64) -> bool,
) -> Result<Option<f64>, Fault> {
    let Some(said) = asked::one(pairs, name)?.filter(|said| !said.is_empty()) else { return Ok(None) };
    let known = said.parse::<f64>().ok().filter(|number| number.is_finite() && holds(*number));
    let shown: String = said.chars().take(60).collect();
    known.map(Some).ok_or_else(|| Fault::field(name, format!("{name} must be {must}, got {shown}")))
}

fn degrees(pairs: &[(String, String)], name: &str, must: &str, holds: fn(f64) -> bool) -> Result<f64, Fault> {
    number(pairs, name, must, holds)?.ok_or_else(|| Fault::field(name, format!("{name} is required: {must}")))
}

async fn nearby(State(internal): Shared, headers: HeaderMap, asked: Asked) -> Answer {
    let known = internal.known(&headers)?;
    let pairs = asked::pairs(asked)?;
    let latitude = degrees(&pairs, "lat", "degrees from -90 to 90", |it| it.abs() <= 90.0)?;
    let longitude = degrees(&pairs, "lng", "degrees from -180 to 180", |it| it.abs() <= 180.0)?;
    let must = "kilometres, at least 0.001 and at most 5";
    let radius = number(&pairs, "radius", must, |it| (0.001..=RADIUS_KM_MAX).contains(&it))?;
    let radius_m = radius.map_or(internal.squares.radius_m, |km| (km * 1_000.0).round() as i64);
    let (rooms, question) =
        (internal.squares.around)(super::APP, latitude, longitude, radius_m).ok_or_else(Fault::unexpected)?;
    for room in &rooms {
        known.allows(Scope::History, room)?;
    }
    let by = By::Key(known.name());
    let one = |room: RoomId| {
        let (rooms, by, question) = (&internal.rooms, &by, question.clone());
        async move { rooms.say(by, &room, "nearby", question, None).await.map(|said| said.reply) }
    };
    let answers: Vec<Option<Payload>> = stream::iter(rooms).map(one).buffered(AT_ONCE).try_collect().await?;
    let answers: Vec<Payload> = answers.into_iter().flatten().collect();
    let drivers = (internal.squares.nearest)(&answers);
    ok("Drivers", json!({ "count": drivers.len(), "drivers": drivers }))
}
