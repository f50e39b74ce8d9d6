//! What drivers and passengers ask by their tokens: how things stand for them, a ride with its receipt, and the words of their rooms. Of
//! anybody else's there is nothing here.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use node::{Desk, Prover};
use serde_json::json;
use vocabulary::{Asks, By, Code, RoomId, User, UserId};

use super::{
    Answer, Failed, MATCH_WORDS, RIDE_WORDS, Rooms, Side, agrees, no_such_call, ok, once, ride_room,
};
use super::{unsaid, uuid, word};
use crate::answers::Fault;
use crate::asked::{self, Both, Id};
use crate::body::{self, Body};
use crate::door::{Door, Unsaid, share};
use crate::places::{BODY_BYTES_MAX, Places, find_place};
use crate::rates::Rates;

const OWN_WORDS: [(&str, &str); 3] =
    [("beacon", "beacon_update"), ("finder", "finder_update"), ("location", "location_update")];

pub struct Config {
    pub desk: Desk,
    pub prover: Prover,
    /// Paths of the mounts whose clients these are.
    pub mounts: Vec<String>,
    pub asks: Asks,
    /// Calls of one user a second, and at once: as many as messages by socket.
    pub calls: (u32, u32),
    pub is_fleet: bool,
    /// Operators ask at the same listener.
    pub operators_here: bool,
}

pub(crate) struct Rides {
    door: Arc<Door>,
    rooms: Rooms,
    of_users: Rates<UserId>,
}

type Shared = State<Arc<Rides>>;

pub fn router(config: Config) -> Router {
    let Config { desk, prover, mounts, asks, calls: (a_second, burst), is_fleet, operators_here } = config;
    let rooms = Rooms { desk: desk.clone(), is_fleet };
    let (places, refuses) = (Places::default(), Fault::in_words);
    let door = Arc::new(Door { desk, prover, mounts, asks, places, refuses });
    let of_users = Rates::a_second(a_second, burst);
    let rides = Arc::new(Rides { door: door.clone(), rooms, of_users });
    let elsewhere = || any(async || Failed::from(accounts_are_elsewhere()));
    let but_get = async || Failed::from(accounts_are_elsewhere());
    // Operators' question is another route of the same path.
    let of_user =
        if operators_here { post(but_get).put(but_get).patch(but_get).delete(but_get) } else { elsewhere() };
    let nowhere = || any(async || Failed::from(no_such_call()));
    Router::new()
        .route("/api/rides/me", get(me))
        .route("/api/rides/{id}", get(ride).post(say))
        .route("/api/rides/{id}/{word}", post(of_ride))
        .route("/api/rides/matches/{id}/{word}", post(of_match))
        .route("/drivers/register", post(register))
        .method_not_allowed_fallback(async |method: Method| Failed::from(Fault::method(&method)))
        .with_state(rides)
        .route("/api/rides", nowhere())
        .route("/api/rides/", nowhere())
        .route("/api/rides/{id}/{word}/{*rest}", nowhere())
        .route("/drivers/{*rest}", nowhere())
        .route("/users", elsewhere())
        .route("/users/{user}", of_user)
        .route("/users/{user}/{*rest}", elsewhere())
        .route("/auth/otp/{*rest}", elsewhere())
        .route_layer(middleware::from_fn_with_state(door.clone(), find_place))
        .route_layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route_layer(middleware::from_fn_with_state(door, share))
}

fn accounts_are_elsewhere() -> Fault {
    let says = "no accounts, one-time passwords and roles are kept here: tokens come from your own login, or from \
                `kulkul token --user ID --role driver`";
    Fault::new(StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", says)
}

fn is_driver(user: &User) -> bool {
    user.role.as_deref() == Some("driver")
}

fn side(user: &User) -> Side {
    if is_driver(user) { Side::Driver } else { Side::Passenger }
}

fn for_drivers() -> Fault {
    Fault::forbidden(
        "the token's role must be driver: your own login gives roles, or `kulkul token --user ID --role driver`",
    )
}

impl Rides {
    fn user(&self, headers: &HeaderMap) -> Result<Arc<User>, Fault> {
        let user = self.door.user(headers)?;
        self.of_users.take(&user.person.id)?;
        Ok(user)
    }

    fn allowed(&self, room: RoomId, user: &User) -> Result<RoomId, Fault> {
        self.door.check(&room, user, "your token does not allow this room of rides")?;
        Ok(room)
    }

    fn own(&self, user: &User) -> Result<RoomId, Fault> {
        self.allowed(side(user).room(user.person.id.as_str())?, user)
    }
}

async fn me(State(rides): Shared, headers: HeaderMap) -> Answer {
    let user = rides.user(&headers)?;
    let room = rides.own(&user)?;
    ok("State", rides.rooms.state(&By::User(user), &room).await?)
}

async fn ride(State(rides): Shared, id: Id, headers: HeaderMap) -> Answer {
    let user = rides.user(&headers)?;
    let room = rides.allowed(ride_room(&asked::id(id)?)?, &user)?;
    ok("Ride", rides.rooms.ride(&By::User(user), &room).await?)
}

/// A word of one's own room.
async fn say(State(rides): Shared, id: Id, headers: HeaderMap, body: Body) -> Answer {
    let user = rides.user(&headers)?;
    let kind = word(&OWN_WORDS, &asked::id(id)?)?;
    match kind {
        "beacon_update" if !is_driver(&user) => return Err(for_drivers().into()),
        "finder_update" if is_driver(&user) => {
            let says = "passengers look for drivers: the token's role must be any but driver";
            return Err(Fault::forbidden(says).into());
        }
        _ => {}
    }
    let room = rides.own(&user)?;
    let (payload, id) = (body::read(body)?.all_but(&[], &[]), once(&headers, kind)?);
    let (side, by) = (side(&user), By::User(user));
    let said = rides.rooms.say(&by, &room, kind, payload, id).await?;
    let stored = said.stored.is_some();
    // Where somebody is, they know.
    let told = match kind {
        "location_update" => json!({}),
        _ => rides.rooms.switched(&by, &room, side, said).await?,
    };
    rides.rooms.answer(stored, "Taken", told)
}

async fn of_match(State(rides): Shared, of: Both, headers: HeaderMap, body: Body) -> Answer {
    let user = rides.user(&headers)?;
    let (id, said) = asked::both(of)?;
    let (kind, id) = (word(&MATCH_WORDS, &said)?, uuid("match_id", &id)?);
    let room = rides.own(&user)?;
    let fields = body::read_if_any(body)?;
    agrees(&fields, "match_id", &id)?;
    let payload = fields.all_but(&["match_id"], &[("match_id", &id)]);
    let (by, key) = (By::User(user), once(&headers, kind)?);
    let said = rides.rooms.say(&by, &room, kind, payload, key).await?;
    let stored = said.stored.is_some();
    let told = rides.rooms.told(&by, &room, said, &id).await?;
    rides.rooms.answer(stored, "Match", told)
}

async fn of_ride(State(rides): Shared, of: Both, headers: HeaderMap, body: Body) -> Answer {
    let user = rides.user(&headers)?;
    let (id, said) = asked::both(of)?;
    let (kind, room) = (word(&RIDE_WORDS, &said)?, rides.allowed(ride_room(&id)?, &user)?);
    let fields = body::read_if_any(body)?;
    let id = uuid("ride_id", &id)?;
    agrees(&fields, "ride_id", &id)?;
    let payload = fields.all_but(&["ride_id"], &[("ride_id", &id)]);
    let (own, by, key) = (rides.own(&user)?, By::User(user), once(&headers, kind)?);
    match rides.rooms.try_say(&by, &room, kind, payload.clone(), key.clone()).await {
        Ok(said) => {
            let told = match kind {
                "location_update" => json!({}),
                _ => rides.rooms.ride(&by, &room).await?,
            };
            rides.rooms.answer(said.stored.is_some(), "Ride", told)
        }
        // A ride that is lost holds nobody: their own room ends it.
        Err(Unsaid::Refused(refusal)) if kind == "ride_cancel" && refusal.code == Code::App("NOT_FOUND") => {
            let lost = |why| match why {
                Unsaid::Refused(own) if own.code == Code::Unauthorized => {
                    unsaid(&by, Unsaid::Refused(refusal))
                }
                why => unsaid(&by, why),
            };
            let said = rides.rooms.try_say(&by, &own, kind, payload, key).await.map_err(lost)?;
            let told = rides.rooms.told(&by, &own, said, &id).await?;
            ok("Ride", json!({ "ride": told, "payment": null }))
        }
        Err(why) => Err(unsaid(&by, why).into()),
    }
}

/// What a driver drives. Who they are, and that they are a driver, their token says.
async fn register(State(rides): Shared, headers: HeaderMap, body: Body) -> Answer {
    let user = rides.user(&headers)?;
    if rides.rooms.is_fleet {
        let says = "vehicles are registered with the fleet's own back end (rides.authority = \"fleet\")";
        return Err(Fault::new(StatusCode::CONFLICT, "CONFLICT", says).into());
    }
    if !is_driver(&user) {
        return Err(for_drivers().into());
    }
    let room = rides.own(&user)?;
    let kind = "driver_register";
    let (payload, id) = (body::read(body)?.all_but(&[], &[]), once(&headers, kind)?);
    let by = By::User(user.clone());
    rides.rooms.say(&by, &room, kind, payload, id).await?;
    let vehicle = rides.rooms.state(&by, &room).await?["vehicle"].clone();
    ok("Registered", json!({ "user_id": user.person.id.as_str(), "role": "driver", "driver_info": vehicle }))
}
