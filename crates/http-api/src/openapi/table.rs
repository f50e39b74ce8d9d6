//! The table: every call of the operator's listener, with what it reads and what it answers.

use serde_json::{Value, json};

use super::shape::{self, Book, Shape, ShapeOf};
use super::{of_node, of_rides};
use crate::answers::{History, Published, Results, Roll};
use crate::operate::{
    AtPlace, ConnectionLine, ConnectionPage, ConnectionsAsked, Disconnecting, DrainBegun, Draining, EndAsked,
    Ended, ExplainAsked, Explained, Kicked, Kicking, LogAsked, LogPage, Released, RoomPage, RoomWhole,
    RoomsAsked, UserWhole,
};
use crate::publish::Publish;
use crate::{Here, Past};

pub(super) struct Call {
    pub method: &'static str,
    pub path: &'static str,
    pub name: &'static str,
    pub tag: &'static str,
    pub says: &'static str,
    /// The scope that a key needs; none: it is asked without a key.
    pub key: Option<&'static str>,
    pub query: Option<ShapeOf>,
    /// And whether there must be one.
    pub body: Option<(bool, ShapeOf)>,
    pub answers: &'static [(u16, &'static str, Answer)],
    /// Refusals of its own.
    pub faults: &'static [(u16, &'static str)],
}

#[derive(Clone, Copy)]
pub(super) enum Answer {
    Nothing,
    Text(&'static str),
    Json(ShapeOf),
}

use Answer::{Json, Nothing, Text};

const fn get(path: &'static str, name: &'static str, says: &'static str) -> Call {
    let (tag, key, query, body, answers, faults) = ("operators", Some("inspect"), None, None, &[], &[]);
    Call { method: "GET", path, name, tag, says, key, query, body, answers, faults }
}

const fn post(path: &'static str, name: &'static str, says: &'static str) -> Call {
    Call { method: "POST", key: Some("operate"), ..get(path, name, says) }
}

const fn probe(path: &'static str, name: &'static str, says: &'static str) -> Call {
    Call { tag: "probes", key: None, ..get(path, name, says) }
}

const fn internal(method: &'static str, path: &'static str, name: &'static str, says: &'static str) -> Call {
    Call {
        method,
        tag: "rides",
        key: Some("publish"),
        answers: &[(200, "Done.", Json(of_rides::done))],
        faults: &[
            (404, "There is no such call, match or ride."),
            (409, "Things do not stand so that it could be done."),
            (408, "The body came too slowly."),
            (500, "Our fault, under `ref`."),
        ],
        ..get(path, name, says)
    }
}

const UNKNOWN_ROOM: (u16, &str) = (404, "No app serves such a room.");
const UNKNOWN_CONNECTION: (u16, &str) = (404, "Not connected to this node.");

/// What of a path stands in braces.
pub(super) fn of_path(path: &str, name: &str) -> Value {
    let text = |more: fn() -> Value| {
        let mut schema = json!({ "type": "string" });
        shape::bound(&mut schema, more);
        schema
    };
    match (path, name) {
        (_, "room") => text(shape::room),
        (_, "user") => text(shape::user),
        (_, "offset") => text(crate::operate::of_path),
        ("/connections/{id}", _) => text(shape::connection),
        ("/internal/matches/{id}/{word}", "word") => {
            json!({ "type": "string", "enum": ["confirm", "cancel"] })
        }
        (_, "word") => {
            json!({ "type": "string", "enum": ["pickup", "start", "arrive", "payment", "cancel", "location"] })
        }
        _ if path.starts_with("/internal/rides/") || path.starts_with("/internal/matches/") => {
            json!({ "type": "string", "format": "uuid" })
        }
        _ => json!({ "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,100}$" }),
    }
}

fn published(book: &mut Book) -> Value {
    json!({ "anyOf": [Published::shape(book), Results::shape(book)] })
}

pub(super) const CALLS: &[&[Call]] = &[OPERATORS, BACK_ENDS, NODE, RIDES];

const OPERATORS: &[Call] = &[
    Call {
        answers: &[(200, "How it stands.", Json(of_node::overview))],
        ..get(
            "/overview",
            "getOverview",
            "The node at one look: who is there, counters, shards, engine, bridges",
        )
    },
    Call {
        answers: &[(200, "Sample by sample, oldest first.", Json(of_node::hour))],
        ..get("/overview/hour", "getHour", "The last hour, a sample every ten seconds")
    },
    Call {
        query: Some(RoomsAsked::shape),
        answers: &[(200, "A page of them.", Json(RoomPage::shape))],
        ..get("/rooms", "listRooms", "Rooms that are open on this node")
    },
    Call {
        answers: &[(200, "The room.", Json(RoomWhole::shape))],
        faults: &[UNKNOWN_ROOM],
        ..get("/rooms/{room}", "getRoom", "One room, and who is in it")
    },
    Call {
        body: Some((true, Kicking::shape)),
        answers: &[(200, "They leave it.", Json(Kicked::shape))],
        faults: &[UNKNOWN_ROOM],
        ..post("/rooms/{room}/kick", "kick", "Put a user out of a room, on every node")
    },
    Call {
        answers: &[(200, "It is read again.", Json(Released::shape))],
        faults: &[UNKNOWN_ROOM, (409, "It is not quarantined.")],
        ..post("/rooms/{room}/release", "release", "Try a quarantined room again, on this node")
    },
    Call {
        query: Some(ConnectionsAsked::shape),
        answers: &[(200, "A page of them.", Json(ConnectionPage::shape))],
        ..get("/connections", "listConnections", "Connections of this node, those that take the least first")
    },
    Call {
        answers: &[(200, "The connection.", Json(ConnectionLine::shape))],
        faults: &[UNKNOWN_CONNECTION],
        ..get("/connections/{id}", "getConnection", "One connection")
    },
    Call {
        method: "DELETE",
        key: Some("operate"),
        query: Some(EndAsked::shape),
        answers: &[(200, "It ends.", Json(Ended::shape))],
        faults: &[UNKNOWN_CONNECTION],
        ..get("/connections/{id}", "endConnection", "End one connection")
    },
    Call {
        answers: &[(200, "What is known here.", Json(UserWhole::shape))],
        ..get("/users/{user}", "getUser", "A user's connections and rooms, and whether they are online")
    },
    Call {
        query: Some(ExplainAsked::shape),
        answers: &[(200, "What is known.", Json(Explained::shape))],
        faults: &[UNKNOWN_ROOM],
        ..get("/explain", "explain", "Why somebody did or did not get a record")
    },
    Call {
        query: Some(LogAsked::shape),
        answers: &[(200, "What is stored.", Json(LogPage::shape))],
        faults: &[UNKNOWN_ROOM],
        ..get(
            "/rooms/{room}/log",
            "getLog",
            "The records of a room as they are stored; the key needs `history`, too",
        )
    },
    Call {
        answers: &[(200, "The room as it was there.", Json(AtPlace::shape))],
        faults: &[UNKNOWN_ROOM],
        ..get(
            "/rooms/{room}/at/{offset}",
            "getRoomAt",
            "A room as it was at a place in its log; the key needs `history`, too",
        )
    },
    Call {
        body: Some((true, Disconnecting::shape)),
        answers: &[(200, "They end.", Json(Ended::shape))],
        faults: &[UNKNOWN_CONNECTION],
        ..post(
            "/disconnect",
            "disconnect",
            "End a user's connections, on every node, or one connection of this one",
        )
    },
    Call {
        body: Some((false, Draining::shape)),
        answers: &[(202, "It drains.", Json(DrainBegun::shape))],
        ..post("/drain", "drain", "Drain the node, as SIGTERM does; once more, and it hastens")
    },
    Call {
        answers: &[(200, "The settings.", Json(of_node::settings))],
        ..get("/config", "getConfig", "The settings in force, without secrets")
    },
];

const BACK_ENDS: &[Call] = &[
    Call {
        tag: "back ends",
        key: Some("publish"),
        body: Some((true, Publish::shape)),
        answers: &[(200, "It is stored; or, of many users, what came of each.", Json(published))],
        faults: &[
            (408, "The body came too slowly."),
            (409, "The room's app refuses it as things stand."),
            (429, "Too much of it."),
            (500, "Our fault, under `ref`."),
        ],
        ..post("/api/publish", "publish", "Publish to a room, to users, or to everybody who is connected")
    },
    Call {
        tag: "back ends",
        key: Some("history"),
        query: Some(Past::shape),
        answers: &[(200, "A page, oldest first.", Json(History::shape))],
        faults: &[(409, "The room's app refuses it."), (500, "What was asked for is damaged, under `ref`.")],
        ..get("/api/history", "history", "What a room's log holds")
    },
    Call {
        tag: "back ends",
        key: Some("presence"),
        query: Some(Here::shape),
        answers: &[(200, "Who is there.", Json(Roll::shape))],
        faults: &[(409, "The room's app refuses it."), (500, "Our fault, under `ref`.")],
        ..get("/api/presence", "presence", "Who is in a room")
    },
];

const NODE: &[Call] = &[
    Call {
        method: "POST",
        tag: "operators",
        body: Some((true, of_node::revoking)),
        answers: &[(204, "Nobody comes in by them any more, and who is here by them goes.", Nothing)],
        faults: &[(503, "Not everybody has heard of it: ask again.")],
        ..probe("/revoke", "revoke", "End tokens before their time, on every node and after restarts")
    },
    Call {
        tag: "operators",
        query: Some(of_node::trace_asked),
        answers: &[(200, "What happened to connections in the last hour.", Json(of_node::traced))],
        ..probe("/trace", "trace", "Why a client did not get something")
    },
    Call {
        answers: &[(200, "It lives.", Text("text/plain"))],
        ..probe("/live", "live", "Whether the process lives")
    },
    Call {
        answers: &[
            (200, "Clients may come.", Text("text/plain")),
            (503, "They should go elsewhere, and why.", Text("text/plain")),
        ],
        ..probe("/ready", "ready", "Whether clients should come")
    },
    Call {
        answers: &[(200, "It is well.", Json(of_node::status)), (503, "It is not.", Json(of_node::status))],
        ..probe("/health", "health", "Whether the node is well")
    },
    Call {
        answers: &[(200, "It lives.", Json(of_node::status))],
        ..probe("/health/live", "healthLive", "The same as /live, in JSON")
    },
    Call {
        answers: &[
            (200, "They may.", Json(of_node::status)),
            (503, "They should not.", Json(of_node::status)),
        ],
        ..probe("/health/ready", "healthReady", "The same as /ready, in JSON")
    },
    Call {
        answers: &[
            (200, "All is well.", Json(of_node::detailed)),
            (503, "Something is not.", Json(of_node::detailed)),
        ],
        ..probe("/health/detailed", "healthDetailed", "What the node depends on, each with how it is")
    },
    Call {
        answers: &[(200, "Figures.", Json(of_node::stats))],
        ..probe("/stats", "stats", "Who is connected")
    },
    Call {
        answers: &[(200, "Figures, as Prometheus reads them.", Text("text/plain"))],
        ..probe("/metrics", "metrics", "Every figure")
    },
    Call {
        answers: &[(200, "By OpenAPI 3.1.", Json(of_node::document))],
        ..probe("/openapi.json", "openapi", "This document")
    },
];

const RIDES: &[Call] = &[
    Call {
        body: Some((true, of_rides::word)),
        ..internal(
            "POST",
            "/internal/matches/{id}/{word}",
            "matchWord",
            "A word of a driver or a passenger to their match",
        )
    },
    Call {
        key: Some("history"),
        ..internal("GET", "/internal/rides/{id}", "getRide", "A ride, and what is paid for it")
    },
    Call {
        body: Some((true, of_rides::word)),
        ..internal(
            "POST",
            "/internal/rides/{id}/{word}",
            "rideWord",
            "A word of a driver or a passenger to their ride",
        )
    },
    Call {
        key: Some("history"),
        query: Some(of_rides::nearby),
        ..internal(
            "GET",
            "/internal/drivers/nearby",
            "nearbyDrivers",
            "Drivers who can be asked, near a place",
        )
    },
    Call {
        body: Some((false, of_rides::switched)),
        ..internal(
            "POST",
            "/internal/drivers/{id}/available",
            "driverAvailable",
            "A driver waits for passengers",
        )
    },
    internal("DELETE", "/internal/drivers/{id}/available", "driverUnavailable", "A driver waits no more"),
    Call {
        body: Some((false, of_rides::switched)),
        ..internal(
            "POST",
            "/internal/passengers/{id}/available",
            "passengerAvailable",
            "A passenger looks for a driver",
        )
    },
    internal(
        "DELETE",
        "/internal/passengers/{id}/available",
        "passengerUnavailable",
        "A passenger looks no more",
    ),
    Call {
        key: Some("history"),
        ..internal("GET", "/internal/drivers/{id}/location", "driverLocation", "Where a driver was seen last")
    },
    Call {
        key: Some("history"),
        ..internal(
            "GET",
            "/internal/passengers/{id}/location",
            "passengerLocation",
            "Where a passenger was seen last",
        )
    },
];
