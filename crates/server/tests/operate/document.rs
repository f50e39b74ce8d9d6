//! The document of the operator's listener: it tells of all that is served and of nothing else, and answers are as it says.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ROOT, ask, look, open, server};

fn filled(path: &str) -> String {
    let put = [
        ("{room}", "chat:general"),
        ("{user}", "ana"),
        ("{id}", "ana"),
        ("{word}", "cancel"),
        ("{offset}", "1"),
    ];
    put.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

#[test]
fn every_line_of_the_table_is_served_and_the_document_has_each() {
    let server = server();
    let document = look(&server, "/openapi.json");
    let kept: Value = serde_json::from_str(include_str!("../../../../docs/openapi.json")).expect("JSON");
    assert!(document == kept, "what is served is not what stands in docs/openapi.json");
    let mut table: Vec<(String, String)> = Vec::new();
    for (method, path) in http_api::openapi::calls() {
        table.push((method.to_ascii_lowercase(), path.to_owned()));
        if path == "/drain" || path == "/revoke" {
            continue;
        }
        let (status, told) = ask(&server, ROOT, &format!("{method} {}", filled(path)), Some(&json!([])));
        let says = told["error"].as_str().unwrap_or_default();
        let nowhere =
            ["not found", "there is no such call", "is not asked here"].iter().any(|it| says.starts_with(it));
        assert!(!nowhere && status != 405, "{method} {path} is in the table and served by nobody: {told}");
    }
    let mut written: Vec<(String, String)> = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        written.extend(
            operations.as_object().expect("calls").keys().map(|method| (method.clone(), path.clone())),
        );
    }
    table.sort();
    written.sort();
    assert_eq!(table, written);
    assert!(
        written.iter().all(|(_, path)| !path.contains("debug") && !path.contains("conformance")),
        "{written:?}"
    );
}

/// What of JSON Schema the document uses.
fn differs(document: &Value, schema: &Value, told: &Value) -> Option<String> {
    if let Some(at) = schema["$ref"].as_str() {
        let name = at.rsplit('/').next().unwrap_or_default();
        return differs(document, &document["components"]["schemas"][name], told);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let why: Vec<String> = any.iter().map_while(|one| differs(document, one, told)).collect();
        return (why.len() == any.len()).then(|| why.join(" and "));
    }
    let kind = match told {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec![kind],
    };
    if !kinds.contains(&kind) {
        return Some(format!("{told} is no {kinds:?}"));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(told)) {
        return Some(format!("{told} is none of {}", schema["enum"]));
    }
    let items = told.as_array().into_iter().flatten();
    if let Some(why) = items.filter_map(|item| differs(document, &schema["items"], item)).next() {
        return Some(why);
    }
    let members = told.as_object()?;
    let mut required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(name) = required.find(|name| !members.contains_key(*name)) {
        return Some(format!("no {name} in {told}"));
    }
    members.iter().find_map(|(name, value)| match &schema["properties"][name] {
        Value::Null if schema["additionalProperties"] == false => Some(format!("{name} is not told of")),
        property => differs(document, property, value).map(|why| format!("{name}: {why}")),
    })
}

#[test]
fn answers_are_as_the_document_says() {
    let server = server();
    let document = look(&server, "/openapi.json");
    let mut ana = open(&server, "ana");
    ana.join("general");
    let id = look(&server, "/users/ana")["connections"][0]["id"].as_str().expect("an id").to_owned();
    let message = json!({ "room": "chat:general", "payload": { "content": "hello" } });
    let many = json!({ "users": ["ana", "bo"], "payload": { "text": "hello" } });
    let asked: Vec<(String, &str, Option<Value>)> = vec![
        ("POST /api/publish".to_owned(), "/api/publish", Some(message)),
        ("POST /api/publish".to_owned(), "/api/publish", Some(many)),
        ("GET /api/history?room=chat:general".to_owned(), "/api/history", None),
        ("GET /api/presence?room=chat:general".to_owned(), "/api/presence", None),
        ("GET /rooms?limit=1".to_owned(), "/rooms", None),
        ("GET /rooms/chat:general".to_owned(), "/rooms/{room}", None),
        ("GET /rooms/chat:cold".to_owned(), "/rooms/{room}", None),
        ("GET /connections".to_owned(), "/connections", None),
        (format!("GET /connections/{id}"), "/connections/{id}", None),
        ("GET /users/ana".to_owned(), "/users/{user}", None),
        ("GET /users/nobody".to_owned(), "/users/{user}", None),
        ("GET /overview".to_owned(), "/overview", None),
        ("GET /overview/hour".to_owned(), "/overview/hour", None),
        ("GET /explain?room=chat:general&offset=1&user=ana".to_owned(), "/explain", None),
        ("GET /explain?room=chat:general&offset=0&user=ana".to_owned(), "/explain", None),
        ("GET /rooms/chat:general/at/1".to_owned(), "/rooms/{room}/at/{offset}", None),
        ("GET /rooms/chat:general/log?limit=2".to_owned(), "/rooms/{room}/log", None),
        ("GET /rooms/chat:cold/at/0".to_owned(), "/rooms/{room}/at/{offset}", None),
        ("GET /config".to_owned(), "/config", None),
        ("GET /trace?user=ana".to_owned(), "/trace", None),
        ("GET /health".to_owned(), "/health", None),
        ("GET /health/live".to_owned(), "/health/live", None),
        ("GET /health/ready".to_owned(), "/health/ready", None),
        ("GET /health/detailed".to_owned(), "/health/detailed", None),
        ("GET /stats".to_owned(), "/stats", None),
        ("GET /nowhere?".to_owned(), "/rooms/{room}", None),
        ("GET /rooms/poker:x".to_owned(), "/rooms/{room}", None),
        ("POST /rooms/chat:general/release".to_owned(), "/rooms/{room}/release", None),
        ("POST /rooms/chat:general/kick".to_owned(), "/rooms/{room}/kick", Some(json!({ "user": "ana" }))),
        ("POST /disconnect".to_owned(), "/disconnect", Some(json!({ "user": "ana" }))),
        ("DELETE /connections/abc-0-0-0".to_owned(), "/connections/{id}", None),
        ("POST /drain".to_owned(), "/drain", None),
    ];
    let mut seen: BTreeMap<u16, u32> = BTreeMap::new();
    for (request, path, body) in asked {
        let (status, told) = ask(&server, ROOT, &request, body.as_ref());
        *seen.entry(status).or_default() += 1;
        let method = request.split(' ').next().unwrap_or_default().to_ascii_lowercase();
        let response = &document["paths"][path][&method]["responses"][status.to_string()];
        assert!(response.is_object(), "{request}: the document knows no {status}: {told}");
        let schema = &response["content"]["application/json"]["schema"];
        if let Some(why) = differs(&document, schema, &told) {
            panic!("{request}: {why}");
        }
    }
    assert!(seen[&200] > 15 && seen[&202] == 1 && seen[&409] == 1 && seen[&404] == 3, "{seen:?}");
}
