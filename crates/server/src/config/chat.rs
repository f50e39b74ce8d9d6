//! The settings of the chat app, a row each, and its lists of tables: as in `rows` and `groups`.

use super::kind::{Form, Kind};
use super::rows::{TEXT, count};
use super::schema::{Group, Row};

const ROLE: Form = Form { expected: "a role as tokens name it", holds: |text| !text.trim().is_empty() };

pub(super) const ROWS: &[Row] = &[
    Row::new(
        "chat.messages_per_second",
        count(1, 1_000_000),
        "20",
        "Messages of one user in one room, steadily, over all of the user's connections.",
    ),
    Row::new("chat.burst", count(1, 1_000_000), "40", "The same, at once."),
    Row::new(
        "chat.retention_days",
        count(0, 36_500),
        "30",
        "Messages are kept for so many days; 0: for as long as they are not too many. A room that nobody uses forgets when it is used again.",
    ),
    Row::new("chat.retention_records", count(1000, 1_000_000_000), "1000000", "Records kept of one room."),
    Row::new(
        "chat.wardens",
        Kind::Texts(ROLE),
        "",
        "Roles in tokens whose bearers may moderate every room, but those of two.",
    ),
];

pub(super) const ROOMS: Group = Group {
    key: "chat.rooms",
    rows: &[
        Row::required(
            "pattern",
            Kind::Text(TEXT),
            "Names of rooms, short or full; `*` at the end for any rest.",
        ),
        Row::new("join", Kind::Texts(TEXT), "", "Roles in tokens that may join; none: everybody."),
        Row::new("send", Kind::Texts(TEXT), "", "Roles that may send messages; none: everybody."),
        Row::new(
            "create",
            Kind::Texts(TEXT),
            "",
            "Roles that may create a room and own it; none: everybody.",
        ),
    ],
    reloads: false,
    entries_max: 256,
    by_default: &[],
    help: "Who may join, send and create in which chat rooms. The first whose pattern fits holds; whom a room's owner has made a member may join all the same.",
};
