//! Why a hub client does not get what it asked for, as a status and a body.

use axum::http::StatusCode;
use vocabulary::{Code, Refusal};

use crate::answers::Fault;

/// What rooms call otherwise than the bodies of hub clients.
const NAMES: [(&str, &str); 3] = [("title", "name"), ("topic", "description"), ("members", "user_ids")];

pub(super) fn of_refusal(refusal: &Refusal) -> Fault {
    if refusal.code == Code::InvalidPayload {
        let named = NAMES
            .iter()
            .find_map(|(ours, theirs)| Some((*theirs, refusal.text.strip_prefix(ours)?.strip_prefix(' ')?)));
        return match named {
            Some((field, rest)) => Fault::field(field, format!("{field} {rest}")),
            None => Fault::body(refusal.text.clone()),
        };
    }
    let fault = Fault::from(refusal);
    let status = match refusal.code {
        Code::App("NOT_FOUND") => StatusCode::NOT_FOUND,
        Code::App("MUTED" | "BANNED") => StatusCode::FORBIDDEN,
        Code::App("SLOW_MODE" | "RATE_LIMIT") => StatusCode::TOO_MANY_REQUESTS,
        _ => return fault,
    };
    fault.with_status(status)
}

pub(super) fn no_channel() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such channel")
}

pub(super) fn unexpected() -> Fault {
    Fault::unexpected()
}

pub(super) fn accounts_are_elsewhere() -> Fault {
    let says =
        "no accounts and no passwords are kept here: tokens come from your own login, or from `kulkul token`";
    Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", says)
}
