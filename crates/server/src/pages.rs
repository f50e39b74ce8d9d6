//! The web pages, carried inside the binary: no folder to deploy, no version to mismatch.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use vocabulary::Check;

use crate::config::{Config, Speaks};

struct Page {
    path: &'static str,
    text: &'static str,
}

/// A file of `web/`, at its own path.
macro_rules! web {
    ($path:literal) => {
        Page { path: concat!("/", $path), text: include_str!(concat!("../../../web/", $path)) }
    };
}

/// A module of the client, as its package has it: a page's client is everybody's.
macro_rules! client {
    ($name:literal) => {
        Page {
            path: concat!("/client/", $name),
            text: include_str!(concat!("../../../clients/js/src/", $name)),
        }
    };
}

const PAGES: &[Page] = &[
    Page { path: "/", text: include_str!("../../../web/index.html") },
    Page { path: "/chat/", text: include_str!("../../../web/chat/index.html") },
    Page { path: "/support/", text: include_str!("../../../web/support/index.html") },
    Page { path: EMBEDDED, text: include_str!("../../../web/support/widget/index.html") },
    Page { path: "/support/desk/", text: include_str!("../../../web/support/desk/index.html") },
    Page { path: "/support/supervisor/", text: include_str!("../../../web/support/supervisor/index.html") },
    Page { path: "/scores/", text: include_str!("../../../web/scores/index.html") },
    Page { path: "/scores/match/", text: include_str!("../../../web/scores/match/index.html") },
    Page { path: "/scores/console/", text: include_str!("../../../web/scores/console/index.html") },
    Page { path: "/scores/organize/", text: include_str!("../../../web/scores/organize/index.html") },
    Page { path: "/scores/overlay/", text: include_str!("../../../web/scores/overlay/index.html") },
    Page { path: "/scores/sheet/", text: include_str!("../../../web/scores/sheet/index.html") },
    Page { path: "/rides/", text: include_str!("../../../web/rides/index.html") },
    Page { path: "/rides/passenger/", text: include_str!("../../../web/rides/passenger/index.html") },
    Page { path: "/rides/driver/", text: include_str!("../../../web/rides/driver/index.html") },
    Page { path: "/rides/panel/", text: include_str!("../../../web/rides/panel/index.html") },
    Page { path: "/rides/operator/", text: include_str!("../../../web/rides/operator/index.html") },
    Page { path: "/console/", text: include_str!("../../../web/console/index.html") },
    web!("icon.svg"),
    web!("kulkul.css"),
    web!("start.css"),
    web!("start.js"),
    web!("door.js"),
    web!("elements.js"),
    web!("identity.js"),
    web!("link.js"),
    web!("overlays.js"),
    web!("tokens.js"),
    web!("chat/announcer.js"),
    web!("chat/chat.css"),
    web!("chat/chat.js"),
    web!("chat/composer.js"),
    web!("chat/drawers.js"),
    web!("chat/message.js"),
    web!("chat/messages.css"),
    web!("chat/moderation.js"),
    web!("chat/names.js"),
    web!("chat/people.js"),
    web!("chat/place.js"),
    web!("chat/rooms.js"),
    web!("chat/timeline.js"),
    web!("chat/words.js"),
    web!("console/ask.js"),
    web!("console/chart.js"),
    web!("console/connections.js"),
    web!("console/console.css"),
    web!("console/console.js"),
    web!("console/explain.js"),
    web!("console/overview.js"),
    web!("console/replay.js"),
    web!("console/rooms.js"),
    web!("console/shown.js"),
    web!("rides/cards.js"),
    web!("rides/city.js"),
    web!("rides/draw.js"),
    web!("rides/driver/driver.js"),
    web!("rides/geo.js"),
    web!("rides/landing.css"),
    web!("rides/landing.js"),
    web!("rides/map.js"),
    web!("rides/operator/operator.js"),
    web!("rides/operator/squares.js"),
    web!("rides/own.js"),
    web!("rides/panel/fleet.js"),
    web!("rides/panel/panel.js"),
    web!("rides/passenger/passenger.js"),
    web!("rides/pilot.js"),
    web!("rides/rides.css"),
    web!("rides/seat.js"),
    web!("rides/sheet.css"),
    web!("rides/sheet.js"),
    web!("rides/trip.js"),
    web!("rides/wheels.js"),
    web!("rides/wide.css"),
    web!("rides/words.js"),
    web!("scores/board.js"),
    web!("scores/clock.js"),
    web!("scores/console/console.css"),
    web!("scores/console/console.js"),
    web!("scores/console/history.js"),
    web!("scores/console/keys.js"),
    web!("scores/console/more.js"),
    web!("scores/console/pad.js"),
    web!("scores/console/pick.js"),
    web!("scores/console/stage.js"),
    web!("scores/console/waiting.js"),
    web!("scores/create.js"),
    web!("scores/csv.js"),
    web!("scores/door.js"),
    web!("scores/follow.js"),
    web!("scores/landing.css"),
    web!("scores/landing.js"),
    web!("scores/listing.js"),
    web!("scores/mat.js"),
    web!("scores/match.js"),
    web!("scores/match/match.css"),
    web!("scores/match/viewer.js"),
    web!("scores/note.js"),
    web!("scores/open.js"),
    web!("scores/organize/form.js"),
    web!("scores/organize/officials.js"),
    web!("scores/organize/organize.css"),
    web!("scores/organize/organize.js"),
    web!("scores/overlay/overlay.css"),
    web!("scores/overlay/overlay.js"),
    web!("scores/predict.js"),
    web!("scores/queue.js"),
    web!("scores/scores.css"),
    web!("scores/seat.js"),
    web!("scores/setup.css"),
    web!("scores/setup.js"),
    web!("scores/sheet/sheet.css"),
    web!("scores/sheet/sheet.js"),
    web!("scores/squads.js"),
    web!("scores/tables.js"),
    web!("scores/timeline.js"),
    web!("scores/words.js"),
    web!("support/support.css"),
    web!("support/support.js"),
    web!("support/widget.js"),
    web!("support/widget/announcer.js"),
    web!("support/widget/begin.js"),
    web!("support/widget/calls.js"),
    web!("support/widget/composer.js"),
    web!("support/widget/conversation.js"),
    web!("support/widget/course.js"),
    web!("support/widget/earlier.js"),
    web!("support/widget/host.js"),
    web!("support/widget/kept.js"),
    web!("support/widget/message.js"),
    web!("support/widget/sound.js"),
    web!("support/widget/talk.css"),
    web!("support/widget/timeline.js"),
    web!("support/widget/visitor.js"),
    web!("support/widget/widget.css"),
    web!("support/widget/words.js"),
    web!("support/alerts.js"),
    web!("support/chats.js"),
    web!("support/composer.js"),
    web!("support/conversation.js"),
    web!("support/departments.js"),
    web!("support/desk/desk.css"),
    web!("support/desk/desk.js"),
    web!("support/desk/lists.js"),
    web!("support/details.js"),
    web!("support/doings.js"),
    web!("support/door.js"),
    web!("support/duty.js"),
    web!("support/entry.js"),
    web!("support/forms.js"),
    web!("support/keys.js"),
    web!("support/link.js"),
    web!("support/replies.js"),
    web!("support/session.js"),
    web!("support/staff.css"),
    web!("support/supervisor/board.js"),
    web!("support/supervisor/supervisor.css"),
    web!("support/supervisor/supervisor.js"),
    web!("support/talk.css"),
    web!("support/timeline.js"),
    web!("support/transcript.js"),
    web!("support/words.js"),
    client!("backoff.js"),
    client!("chat.js"),
    client!("client.js"),
    client!("closes.js"),
    client!("codec.js"),
    client!("compat.js"),
    client!("connection.js"),
    client!("emitter.js"),
    client!("inbox.js"),
    client!("index.js"),
    client!("messages.js"),
    client!("outgoing.js"),
    client!("pending.js"),
    client!("people.js"),
    client!("records.js"),
    client!("refusal.js"),
    client!("room.js"),
    client!("tokens.js"),
    client!("unread.js"),
];

/// Folders as people type them. What a page names is relative to its folder, so it must be asked for as one.
const FOLDERS: &[(&str, &str)] = &[
    ("/chat", "chat/"),
    ("/console", "console/"),
    ("/support", "support/"),
    ("/support/widget", "widget/"),
    ("/support/desk", "desk/"),
    ("/support/supervisor", "supervisor/"),
    ("/scores", "scores/"),
    ("/scores/match", "match/"),
    ("/scores/console", "console/"),
    ("/scores/organize", "organize/"),
    ("/scores/overlay", "overlay/"),
    ("/scores/sheet", "sheet/"),
    ("/rides", "rides/"),
    ("/rides/passenger", "passenger/"),
    ("/rides/driver", "driver/"),
    ("/rides/panel", "panel/"),
    ("/rides/operator", "operator/"),
];

/// Pages of a match by the names that links to them had before ours: where each is now.
const MOVED: &[(&str, &str)] = &[("/scorer.html", "scores/console/"), ("/viewer.html", "scores/match/")];

/// What pages of other sites may show within themselves: the window of the visitor's widget.
const EMBEDDED: &str = "/support/widget/";

impl Page {
    fn kind(&self) -> &'static str {
        match self.path.rsplit_once('.') {
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        }
    }
}

/// Nothing but our own files, and our own sockets; who may have the page within theirs is added.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors ";
/// Pages on this machine, for whoever tries the widget in a page of their own.
const LOOPBACK: [&str; 2] = ["http://localhost:*", "http://127.0.0.1:*"];

/// Whose pages may embed what is made for it: those that may connect to a mount for visitors.
pub(crate) fn embedders(config: &Config) -> String {
    let spoken = config.typed.mounts.iter().filter(|mount| mount.speaks == Speaks::Livechat);
    let mut origins: Vec<&str> =
        spoken.flat_map(|mount| &mount.allowed_origins).map(String::as_str).collect();
    if origins.contains(&"*") {
        return "*".to_owned();
    }
    if config.demo {
        origins.extend(LOOPBACK);
    }
    origins.sort_unstable();
    origins.dedup();
    origins.insert(0, "'self'");
    origins.join(" ")
}

/// Is this the path of a page?
pub(crate) fn has(path: &str) -> bool {
    PAGES.iter().any(|page| page.path == path)
        || FOLDERS.iter().chain(MOVED).any(|(folder, _)| *folder == path)
}

/// Of the operator's console, which is served where operators ask and nowhere else.
pub(crate) fn is_of_console(path: &str) -> bool {
    path == "/console" || path.starts_with("/console/")
}

/// What of the other pages the console is made of.
const OF_CONSOLE: [&str; 4] = ["/icon.svg", "/kulkul.css", "/elements.js", "/overlays.js"];

/// With what it is made of; where the other pages are too, they have that.
pub(crate) fn console(alone: bool) -> Router {
    let has = |page: &&Page| is_of_console(page.path) || (alone && OF_CONSOLE.contains(&page.path));
    let router = given(PAGES.iter().filter(has), "'none'");
    router.route("/console", get(async || Redirect::permanent("console/")))
}

fn given(pages: impl Iterator<Item = &'static Page>, embedders: &str) -> Router {
    let [closed, open] = ["'none'", embedders].map(|may| -> Arc<str> { format!("{POLICY}{may}").into() });
    pages.fold(Router::new(), |router, page| {
        let policy = if page.path == EMBEDDED { open.clone() } else { closed.clone() };
        router.route(page.path, get(async move |headers: HeaderMap| give(page, &policy, &headers)))
    })
}

pub(crate) fn router(embedders: &str) -> Router {
    let router = given(PAGES.iter().filter(|page| !is_of_console(page.path)), embedders);
    let folders = FOLDERS.iter().filter(|(folder, _)| !is_of_console(folder));
    let router = folders
        .fold(router, |router, (folder, to)| router.route(folder, get(async || Redirect::permanent(to))));
    MOVED.iter().fold(router, |router, (path, to)| {
        router.route(path, get(async |uri: Uri| Redirect::temporary(&moved(to, uri.query()))))
    })
}

/// With the match that an older link names. A name that no match can have leads to the list of those that there are.
fn moved(to: &str, query: Option<&str>) -> String {
    let named = query.unwrap_or("").split('&').find_map(|pair| pair.strip_prefix("matchId="));
    let is_plain = |id: &&str| id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b));
    match named.filter(|id| !id.is_empty()).filter(is_plain) {
        Some(id) => format!("{to}?id={id}"),
        None => "scores/".to_owned(),
    }
}

/// The tag is the content's; a browser that has it gets no second copy.
fn give(page: &Page, policy: &str, asked: &HeaderMap) -> Response {
    let tag = format!("\"{:08x}\"", Check::hash(page.text.as_bytes()));
    let fields = [
        (CONTENT_TYPE, page.kind()),
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
        (ETAG, &tag),
    ];
    if asked.get(IF_NONE_MATCH).is_some_and(|held| held.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    (fields, page.text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a name leads to from a page, as a browser finds it.
    fn resolved(page: &str, name: &str) -> String {
        let mut folders: Vec<&str> = page.split('/').collect();
        folders.pop();
        for part in name.split('/') {
            match part {
                "." => {}
                ".." => drop(folders.pop()),
                part => folders.push(part),
            }
        }
        folders.join("/")
    }

    #[test]
    fn older_links_lead_to_the_match_that_they_name() {
        for (query, leads) in [
            (Some("matchId=m-abc123"), "scores/console/?id=m-abc123"),
            (Some("token=x&matchId=a.b:c_d"), "scores/console/?id=a.b:c_d"),
            (Some("matchId="), "scores/"),
            (Some("matchId=//other.example"), "scores/"),
            (Some("matchId=a%0d%0aX"), "scores/"),
            (None, "scores/"),
        ] {
            assert_eq!(moved("scores/console/", query), leads, "{query:?}");
        }
    }

    /// Whatever a page asks for by a relative name is served under that name.
    #[test]
    fn every_file_that_a_page_names_is_served() {
        let mut named = 0;
        for page in PAGES {
            // Comments name types, which a browser does not ask for.
            let code = page.text.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
            let quoted = code.flat_map(|line| line.split(['"', '\'']));
            for name in quoted
                .filter(|text| text.ends_with(".js") || text.ends_with(".css") || text.ends_with(".svg"))
            {
                let path = resolved(page.path, name);
                assert!(PAGES.iter().any(|other| other.path == path), "{} names {name}, {path}", page.path);
                let alone = is_of_console(page.path) || OF_CONSOLE.contains(&page.path);
                let is_there = is_of_console(&path) || OF_CONSOLE.contains(&path.as_str());
                assert!(
                    !alone || is_there,
                    "{} names {name}, which is not served beside the console",
                    page.path
                );
                named += 1;
            }
        }
        assert!(named >= 30, "the pages do name files: {named}");
    }

    /// A file that is in the folder and not in the table would be missed by whoever imports it next.
    #[test]
    fn every_file_of_the_folders_is_served() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folders = [
            ("web", "/"),
            ("web/chat", "/chat/"),
            ("web/console", "/console/"),
            ("web/support", "/support/"),
            ("web/support/widget", EMBEDDED),
            ("web/support/desk", "/support/desk/"),
            ("web/support/supervisor", "/support/supervisor/"),
            ("web/scores", "/scores/"),
            ("web/scores/match", "/scores/match/"),
            ("web/scores/console", "/scores/console/"),
            ("web/scores/organize", "/scores/organize/"),
            ("web/scores/overlay", "/scores/overlay/"),
            ("web/scores/sheet", "/scores/sheet/"),
            ("web/rides", "/rides/"),
            ("web/rides/passenger", "/rides/passenger/"),
            ("web/rides/driver", "/rides/driver/"),
            ("web/rides/panel", "/rides/panel/"),
            ("web/rides/operator", "/rides/operator/"),
            ("clients/js/src", "/client/"),
        ];
        for (folder, at) in folders {
            for entry in std::fs::read_dir(root.join(folder)).expect("a folder") {
                let name = entry.expect("an entry").file_name().into_string().expect("a name");
                let path = match name.strip_suffix("index.html") {
                    Some(_) => at.to_owned(),
                    None => format!("{at}{name}"),
                };
                let is_page = [".js", ".css", ".svg", ".html"].iter().any(|end| name.ends_with(end));
                assert!(!is_page || has(&path), "{folder}/{name} is served nowhere");
            }
        }
    }
}
