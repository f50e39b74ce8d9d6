//! Who is let in to the operator's listener: the console's own page and no other, keys and their passes, and no guesses.

use serde_json::json;

use super::{ROOT, TEAM, ask, look, server};
use crate::support::kulkul;

#[test]
fn the_console_is_served_to_operators_and_its_page_alone_may_ask() {
    let server = server();
    let operator = server.operator.clone().expect("it has one");
    let get = |address: &str, path: &str, more: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-API-Key: {ROOT}\r\n{more}\r\n"
        );
        server.http_at(address, &request)
    };
    for path in ["/console/", "/console/console.js", "/kulkul.css", "/icon.svg"] {
        assert_eq!(get(&operator, path, "").0, 200, "{path}");
    }
    assert_eq!(get(&operator, "/chat/", "").0, 404, "no other page is there");
    let public = server.address.to_string();
    assert_eq!(get(&public, "/console/", "").0, 404, "clients have no console");
    assert_eq!(get(&public, "/overview", "").0, 404);
    let own = format!("Origin: http://{operator}\r\n");
    assert_eq!(get(&operator, "/overview", &own).0, 200);
    for more in [
        "Origin: http://127.0.0.1:1\r\n",
        "Origin: null\r\n",
        "Origin: https://ops.example.com\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        let (status, says) = get(&operator, "/overview", more);
        assert!(status == 403 && says.contains("operator.origins"), "{more}: {says}");
    }
    let by_another_name = "GET /console/ HTTP/1.1\r\nHost: rebound.test\r\nOrigin: http://rebound.test\r\nConnection: close\r\n\r\n";
    assert_eq!(server.http_at(&operator, by_another_name).0, 403);
}

#[test]
fn a_link_has_a_pass_that_opens_what_its_key_does() {
    let server = server();
    let operator = server.operator.clone().expect("it has one");
    let url = format!("http://{operator}");
    let said = kulkul(&["console", "--config", server.config_path(), "--url", &url]);
    let link = String::from_utf8(said.stdout).expect("UTF-8");
    let pass = link.trim().split_once("/console/#key=").expect("a link").1;
    assert!(!link.contains(ROOT), "the key itself is not in it");
    let (status, told) = ask(&server, pass, "GET /overview", None);
    assert_eq!((status, &told["may"]), (200, &look(&server, "/overview")["may"]));
    let later = pass.replacen("pass.", "pass.9", 1);
    assert_eq!(ask(&server, &later, "GET /overview", None).0, 401);
}

#[test]
fn who_guesses_is_told_to_wait_and_who_works_beside_them_is_not() {
    let server = server();
    assert_eq!(ask(&server, ROOT, "GET /rooms", None).0, 200);
    let guess = |guess: u32| ask(&server, &format!("guess {guess}"), "GET /rooms", None);
    let guessed: Vec<_> = (0..80).map(guess).collect();
    let (status, told) = guessed.last().expect("some");
    assert_eq!((*status, &told["code"]), (429, &json!("RATE_LIMIT")), "{told}");
    assert_eq!(ask(&server, TEAM, "GET /rooms", None).0, 429, "a right guess is not told from a wrong one");
    assert_eq!(ask(&server, ROOT, "GET /rooms", None).0, 200);
    assert_eq!(ask(&server, "guess", "GET /openapi.json", None).0, 200, "what needs no key goes on");
}
