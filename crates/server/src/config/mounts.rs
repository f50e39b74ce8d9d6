//! What is wrong with mounts: paths that are taken, or name what their protocol does not know, and ways to say who one is that do
//! not go with them. As in `sound`, each fault names its place.

use super::fault::{Faults, Place};
use super::settings::{Section, Settings};
use super::sound::{Mode, exposed};
use crate::pages;

/// Paths that the server answers itself.
const TAKEN: [&str; 14] = [
    "/live",
    "/ready",
    "/health",
    "/health/live",
    "/health/ready",
    "/health/detailed",
    "/stats",
    "/metrics",
    "/ws/online",
    "/demo/token",
    "/conformance/echo",
    "/api/publish",
    "/api/history",
    "/api/presence",
];

pub(super) fn check(settings: &Settings, mode: Mode, faults: &mut Faults) {
    let entries = settings.entries("mounts");
    for (index, entry) in entries.iter().enumerate() {
        let section = &entry.section;
        let place = if section.is_said("path") { section.place("path") } else { &entry.place };
        let Some(path) = section.maybe::<String>("path") else { continue };
        let first =
            entries[..index].iter().find(|other| other.section.maybe::<String>("path") == Some(path.clone()));
        if let Some(first) = first {
            faults.add(place, format!("`path` = \"{path}\" is mounted already ({})", first.place));
        }
        if TAKEN.contains(&path.as_str())
            || pages::has(&path)
            || http_api::hub::has(&path)
            || http_api::livechat::has(&path)
            || http_api::matches::has(&path)
            || http_api::rides::has(&path)
        {
            faults.add(place, format!("`path` = \"{path}\": the server itself answers there"));
        }
        let text = |key| section.maybe::<String>(key).unwrap_or_default();
        if text("protocol") == "hub" && text("auth") != "token" {
            let says = "`protocol` = \"hub\" needs auth = \"token\": its clients name themselves in the URL, and the token proves it";
            faults.add(section.place("auth"), says);
        }
        livechat(&path, place, section, faults);
        matches(&path, place, section, faults);
        rides(section, faults);
        events(&path, section, faults);
        trusted_path(&path, section, settings, faults);
        if section.maybe("one_per_user") == Some(true)
            && matches!(text("auth").as_str(), "public" | "optional")
        {
            let says = format!(
                "`one_per_user` = true, but with auth = \"{}\" every connection without a token is a user of its own",
                text("auth")
            );
            faults.add(section.place("one_per_user"), says);
        }
        if section.maybe::<String>("protocol").as_deref() == Some("echo") && !mode.conformance {
            faults.add(
                section.place("protocol"),
                "`protocol` = \"echo\" is for conformance suites: start with --conformance",
            );
        }
    }
}

/// A livechat connection is in the session that its path names, and what else names one.
fn livechat(path: &str, place: &Place, section: &Section, faults: &mut Faults) {
    let is_livechat = section.maybe::<String>("protocol").as_deref() == Some("livechat");
    match is_livechat {
        true if !path.contains("{session}") => {
            let says =
                "`protocol` = \"livechat\" needs a path with {session}, such as /ws/{session}/{user}/{type}";
            faults.add(place, says);
        }
        false if path.contains("{session}") || path.contains("{type}") => {
            let says =
                format!("`path` = \"{path}\": {{session}} and {{type}} are for protocol = \"livechat\"");
            faults.add(place, says);
        }
        _ => {}
    }
    let app = section.maybe::<String>("app");
    if let Some(app) = app.filter(|app| is_livechat != (app == "support") && is_livechat) {
        let says = format!("`app` = \"{app}\": livechat clients are in sessions of support; leave it out");
        faults.add(section.place("app"), says);
    }
}

/// A connection to matches is in one, and watches or scores.
fn matches(path: &str, place: &Place, section: &Section, faults: &mut Faults) {
    if section.maybe::<String>("protocol").as_deref() == Some("match") {
        if let Some(app) = section.maybe::<String>("app").filter(|app| app != "scores") {
            let says =
                format!("`app` = \"{app}\": protocol = \"match\" is of matches in scores; leave it out");
            faults.add(section.place("app"), says);
        }
        return;
    }
    if path.contains("{match}") {
        faults.add(place, format!("`path` = \"{path}\": {{match}} is for protocol = \"match\""));
    }
    if section.maybe("viewers") == Some(true) {
        faults.add(section.place("viewers"), "`viewers` = true is for protocol = \"match\"; leave it out");
    }
}

/// A connection is in the room of its user, whom a token has proven.
fn rides(section: &Section, faults: &mut Faults) {
    if section.maybe::<String>("protocol").as_deref() != Some("ride") {
        return;
    }
    let auth = section.maybe::<String>("auth").unwrap_or_default();
    if auth != "token" {
        let says = format!(
            "`protocol` = \"ride\" needs auth = \"token\", not \"{auth}\": a connection is a driver's or a passenger's"
        );
        faults.add(section.place("auth"), says);
    }
    if let Some(app) = section.maybe::<String>("app").filter(|app| app != "rides") {
        let says = format!("`app` = \"{app}\": protocol = \"ride\" is of people in rides; leave it out");
        faults.add(section.place("app"), says);
    }
}

/// Whoever reads a stream says nothing in it: neither which match it is of, nor who they are.
fn events(path: &str, section: &Section, faults: &mut Faults) {
    let text = |key| section.maybe::<String>(key).unwrap_or_default();
    if text("framing") != "events" {
        return;
    }
    let mut fault = |needs: &str| {
        faults.add(section.place("framing"), format!("`framing` = \"events\" {needs}"));
    };
    if text("protocol") != "match" {
        fault("is for protocol = \"match\"");
    } else if section.maybe("viewers") != Some(true) {
        fault("is for viewers: say `viewers` = true");
    }
    if !path.contains("{match}") {
        fault("needs a path with {match}, such as /api/matches/{match}/events");
    }
    if !matches!(text("auth").as_str(), "token" | "optional" | "public") {
        fault("needs auth = \"token\", \"optional\" or \"public\": nobody says later who they are");
    }
}

fn trusted_path(path: &str, section: &Section, settings: &Settings, faults: &mut Faults) {
    if section.maybe::<String>("auth").as_deref() != Some("trust-path") {
        return;
    }
    let place = section.place("auth");
    if !path.contains("{user}") {
        faults.add(place, format!("`auth` = \"trust-path\", but there is no {{user}} in the path {path}"));
    }
    if let Some(listen) = exposed(&settings.top) {
        let says = format!(
            "`auth` = \"trust-path\": whoever reaches {listen} is whoever they say; listen on 127.0.0.1, or set \
             accept_insecure"
        );
        faults.add(place, says);
    }
}
