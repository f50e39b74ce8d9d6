//! What operators are refused, in which words; and requests that nobody means, which are refused in one shape and never with 500.

use serde_json::{Value, json};

use super::{ORDERS, ROOT, TEAM, ask, open, server};

#[test]
fn each_refusal_names_what_is_wrong_and_what_to_do() {
    let server = server();
    open(&server, "ana").join("general");
    for (key, request, body, status, code, says) in [
        ("nobody", "GET /rooms", None, 401, "UNAUTHORIZED", "authentication required"),
        (ORDERS, "GET /rooms", None, 403, "FORBIDDEN", "the key \"orders\" has no scope \"inspect\""),
        (TEAM, "POST /drain", None, 403, "FORBIDDEN", "no scope \"operate\""),
        (TEAM, "GET /connections", None, 403, "FORBIDDEN", "its rooms must be \"*\""),
        (TEAM, "GET /config", None, 403, "FORBIDDEN", "its rooms must be \"*\""),
        (TEAM, "GET /rooms/chat:general", None, 403, "FORBIDDEN", "is not for the room"),
        (ROOT, "GET /rooms?limit=0", None, 400, "INVALID_PAYLOAD", "between 1 and 200"),
        (ROOT, "GET /rooms?limit=99999999999999999999", None, 400, "INVALID_PAYLOAD", "between 1 and 200"),
        (ROOT, "GET /rooms?members=maybe", None, 400, "INVALID_PAYLOAD", "expected `yes` or `no`"),
        (ROOT, "GET /rooms?pages=1", None, 400, "INVALID_PAYLOAD", "unknown field `pages`"),
        (ROOT, "GET /rooms/general", None, 400, "INVALID_PAYLOAD", "as in \"chat:general\""),
        (
            ROOT,
            "GET /rooms/poker:general",
            None,
            404,
            "NOT_FOUND",
            "no app serves \"poker:general\": there are chat",
        ),
        (ROOT, "GET /rooms/%ff", None, 400, "INVALID_PAYLOAD", "Invalid UTF-8"),
        (ROOT, "GET /connections?after=here", None, 400, "INVALID_PAYLOAD", "say `next` of a page"),
        (ROOT, "GET /connections?order=fast", None, 400, "INVALID_PAYLOAD", "expected `slow` or `number`"),
        (ROOT, "GET /connections?mount=/nowhere", None, 400, "INVALID_PAYLOAD", "there are /ws"),
        (ROOT, "GET /connections?room=general", None, 400, "INVALID_PAYLOAD", "names no app"),
        (ROOT, "GET /connections/7", None, 400, "INVALID_PAYLOAD", "GET /connections has them"),
        (ROOT, "GET /connections/abc-0-0-1", None, 404, "NOT_FOUND", "is of the node \"abc\""),
        (
            ROOT,
            "DELETE /connections/abc-0-0-1?code=1000",
            None,
            400,
            "INVALID_PAYLOAD",
            "one of 4412, 1001, 4401, 4503",
        ),
        (ROOT, "GET /users/a%00b", None, 400, "INVALID_PAYLOAD", "control characters"),
        (
            ROOT,
            "POST /disconnect",
            Some(json!({})),
            400,
            "INVALID_PAYLOAD",
            "exactly one of `user` and `connection`",
        ),
        (
            ROOT,
            "POST /disconnect",
            Some(json!({ "user": "a", "code": 1000 })),
            400,
            "INVALID_PAYLOAD",
            "code must be one of",
        ),
        (ROOT, "POST /disconnect", Some(json!(["a"])), 400, "INVALID_PAYLOAD", "must be a JSON object"),
        (
            ROOT,
            "POST /rooms/chat:general/kick",
            Some(json!({})),
            400,
            "INVALID_PAYLOAD",
            "missing field `user`",
        ),
        (ROOT, "POST /rooms/chat:general/release", None, 409, "NOT_QUARANTINED", "it is live"),
        (ROOT, "POST /rooms/chat:cold/release", None, 409, "NOT_QUARANTINED", "does not have it open"),
        (
            ROOT,
            "POST /drain",
            Some(json!({ "stop": false })),
            400,
            "INVALID_PAYLOAD",
            "out of your load balancer",
        ),
        (ROOT, "POST /drain", Some(json!("x".repeat(16_383))), 413, "INVALID_PAYLOAD", "16384 bytes"),
        (ROOT, "PUT /rooms", None, 405, "METHOD_NOT_ALLOWED", "PUT is not asked here"),
        (ROOT, "GET /nowhere", None, 404, "NOT_FOUND", "GET /openapi.json lists what is"),
    ] {
        let (said, told) = ask(&server, key, request, body.as_ref());
        assert_eq!((said, &told["code"]), (status, &json!(code)), "{request}: {told}");
        assert!(told["error"].as_str().is_some_and(|error| error.contains(says)), "{request}: {told}");
    }
    let mut ana = open(&server, "ana");
    ana.join("general");
}

/// Of the shape that every refusal has; whatever was meant.
fn is_refusal(status: u16, told: &Value) -> bool {
    (400..500).contains(&status) && told["error"].is_string() && told["code"].is_string()
}

#[test]
fn whatever_nobody_means_is_refused_in_one_shape() {
    let server = server();
    let operator = server.operator.clone().expect("it has one");
    let keyed = format!("Host: {operator}\r\nConnection: close\r\nX-API-Key: {ROOT}\r\n");
    let calls = ["/disconnect", "/drain", "/rooms/chat:a/kick", "/api/publish", "/revoke"];
    for path in calls {
        for (kind, body) in [
            ("text/plain", "{}"),
            ("application/json", "[1]"),
            ("application/json", "{"),
            ("application/json", "{\"user\":"),
            ("application/json", "{\"user\":1,\"user\":2}"),
            ("application/json", "{\"\\ud800\":1}"),
            ("application/x-www-form-urlencoded", "user=1"),
            ("multipart/form-data", "user"),
        ] {
            let length = body.len();
            let head = format!(
                "POST {path} HTTP/1.1\r\n{keyed}Content-Type: {kind}\r\nContent-Length: {length}\r\n"
            );
            let (status, answer) = server.http_at(&operator, &format!("{head}\r\n{body}"));
            let told = serde_json::from_str(&answer).unwrap_or_default();
            assert!(is_refusal(status, &told), "{path} {kind} {body}: {status} {answer}");
            assert_eq!(status == 415, kind != "application/json", "{path} {kind} {body}: {answer}");
        }
    }
    // One byte too many: all of it is read before it is refused, so that nobody is hung up on while they speak.
    let large = "x".repeat((2 << 20) + 1);
    let head = format!("POST /api/publish HTTP/1.1\r\n{keyed}Content-Type: application/json\r\n");
    let (status, answer) =
        server.http_at(&operator, &format!("{head}Content-Length: {}\r\n\r\n{large}", large.len()));
    assert!(
        is_refusal(status, &serde_json::from_str(&answer).unwrap_or_default()) && status == 413,
        "{answer}"
    );
    for (request, status) in [
        ("GET /rooms/", 404),
        ("GET //rooms", 404),
        ("GET /rooms/chat:a/", 404),
        ("GET /rooms/%2e%2e%2fconfig", 400),
        ("GET /rooms/chat:%00", 400),
        ("GET /rooms/chat%3Aa", 200),
        ("GET /users/%F0%9F%A5%81", 200),
        ("GET /rooms?prefix=%ff%fe", 200),
        ("GET /rooms?limit=%31", 200),
        ("GET /rooms?limit=1&limit=2", 400),
        ("GET /rooms?limit=-1", 400),
        ("GET /rooms?limit=1e3", 400),
        ("GET /connections?after=99999999999999999999.0.0.0", 400),
        ("GET /connections?after=0.99.0.0", 200),
        ("GET /connections/ffff-99999-1-1", 400),
        ("TRACE /rooms", 405),
        ("PATCH /config", 405),
        ("DELETE /connections", 405),
        ("OPTIONS /drain", 405),
        ("BREW /rooms", 405),
        ("GET /debug/pprof", 404),
        ("GET /internal", 404),
        ("GET /api/anything", 404),
    ] {
        let (said, told) = ask(&server, ROOT, request, None);
        assert_eq!(said, status, "{request}: {told}");
        assert!(status < 400 || is_refusal(said, &told), "{request}: {told}");
    }
    let long = format!("GET /rooms/chat:{}", "x".repeat(8000));
    assert!(ask(&server, ROOT, &long, None).0 < 500);
}

#[test]
fn what_may_not_be_asked_so_says_what_may() {
    let server = server();
    let operator = server.operator.clone().expect("it has one");
    let head = format!("PUT /connections/x HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    let (status, whole) = server.http_whole_at(&operator, &head);
    assert!(status == 405 && whole.to_ascii_lowercase().contains("allow: delete, get"), "{whole}");
}
