//! The calls of the operator's listener as one table: requests come through by it, and the document is made of it. What is not in the
//! table is not served, and a line that nothing serves is found by a test.

mod door;
mod of_node;
mod of_rides;
pub(crate) mod shape;
mod table;

use serde_json::{Map, Value, json};

pub use door::guarded;
use shape::{Book, ShapeOf};
use table::{Answer, CALLS, Call};

/// Every call, as `GET /rooms/{room}`, for tests.
pub fn calls() -> impl Iterator<Item = (&'static str, &'static str)> {
    CALLS.iter().flat_map(|group| group.iter()).map(|call| (call.method, call.path))
}

/// The document, by OpenAPI 3.1.
pub fn document() -> Value {
    let mut book = Book::default();
    let mut paths: Map<String, Value> = Map::new();
    for call in CALLS.iter().flat_map(|group| group.iter()) {
        let path = paths.entry(call.path).or_insert_with(|| json!({}));
        path[call.method.to_ascii_lowercase()] = operation(call, &mut book);
    }
    let tags = json!([
        { "name": "back ends", "description": "What back ends publish and read, by their keys." },
        { "name": "operators", "description": "How the node stands, and what operators do about it. It answers for the node that is asked." },
        { "name": "rides", "description": "What services of a ride-hailing fleet ask of each other." },
        { "name": "probes", "description": "Health and figures, without a key." },
    ]);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kulkul, the operator's listener",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Refusals are JSON everywhere: `error`, `code`, and `field` where one is to blame.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:8081", "description": "`operator_listen`, by default" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": book.0,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "The secret of one of `[[api.keys]]`." },
                "header": { "type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same." },
            },
        },
    })
}

fn operation(call: &Call, book: &mut Book) -> Value {
    let mut operation = json!({
        "tags": [call.tag],
        "operationId": call.name,
        "summary": call.says,
        "responses": responses(call, book),
    });
    let parameters = parameters(call, book);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some((needed, body)) = call.body {
        let schema = body(book);
        operation["requestBody"] =
            json!({ "required": needed, "content": { "application/json": { "schema": schema } } });
    }
    if let Some(scope) = call.key {
        operation["description"] = format!("For keys with the scope `{scope}`.").into();
        operation["security"] = json!([{ "bearer": [] }, { "header": [] }]);
    }
    operation
}

/// Those of the path, then those of the query.
fn parameters(call: &Call, book: &mut Book) -> Vec<Value> {
    let names = call.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": table::of_path(call.path, name) }))
        .collect();
    if let Some(query) = call.query {
        // What stands in a query has no name of its own.
        let schema = resolved(query, book);
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mut property = property.clone();
            let says = property.as_object_mut().and_then(|it| it.remove("description")).unwrap_or_default();
            let needed = required.contains(&name.as_str());
            parameters.push(json!({
                "name": name, "in": "query", "required": needed, "description": says, "schema": never_null(property),
            }));
        }
    }
    parameters
}

fn resolved(shape: ShapeOf, book: &mut Book) -> Value {
    let before: Vec<&str> = book.0.keys().copied().collect();
    let schema = shape(book);
    let name = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()).map(str::to_owned);
    let found = name.and_then(|name| book.0.iter().find(|(key, _)| **key == name).map(|(_, it)| it.clone()));
    book.0.retain(|key, _| before.contains(key));
    found.unwrap_or(schema)
}

/// A query has no null: what is not said is not there.
fn never_null(mut schema: Value) -> Value {
    if let Some([plain, _]) = schema["anyOf"].as_array().map(Vec::as_slice) {
        return plain.clone();
    }
    if let Some([kind, _]) = schema["type"].as_array().map(Vec::as_slice) {
        schema["type"] = kind.clone();
    }
    schema
}

fn responses(call: &Call, book: &mut Book) -> Value {
    let mut responses = Map::new();
    for (status, says, answer) in call.answers {
        responses.insert(status.to_string(), response(says, *answer, book));
    }
    let fault =
        |book: &mut Book| if call.tag == "rides" { of_rides::fault(book) } else { of_node::fault(book) };
    for (status, says) in faults(call) {
        let schema = fault(book);
        let content = json!({ "application/json": { "schema": schema } });
        let said = responses.entry(status.to_string());
        said.or_insert_with(|| json!({ "description": says, "content": content }));
    }
    Value::Object(responses)
}

fn response(says: &str, answer: Answer, book: &mut Book) -> Value {
    match answer {
        Answer::Nothing => json!({ "description": says }),
        Answer::Text(kind) => {
            json!({ "description": says, "content": { kind: { "schema": { "type": "string" } } } })
        }
        Answer::Json(shape) => {
            let schema = shape(book);
            json!({ "description": says, "content": { "application/json": { "schema": schema } } })
        }
    }
}

/// What every call of its kind may be refused with, and what it says besides.
fn faults(call: &Call) -> Vec<(u16, &'static str)> {
    let asks = call.query.is_some() || call.body.is_some() || call.path.contains('{');
    let (keyed, body) = (call.key.is_some(), call.body.is_some());
    let all = [
        (asks, 400, "What is asked cannot be read, or is not to be had: `field` says what of it."),
        (keyed, 401, "No key, or none that is known."),
        (true, 403, "Asked by a page of a browser, or with a key that does not allow it."),
        (body, 408, "The body came too slowly."),
        (body, 413, "The body is too large."),
        (body, 415, "The body is not application/json."),
        (
            keyed,
            429,
            "Too many wrong keys came from this address; a key that was right from there before goes on.",
        ),
        (
            keyed,
            503,
            "Nothing happened: too much is asked, or nobody answers. `Retry-After` says when to ask again.",
        ),
        (keyed, 504, "Asked, and not answered: what it was about may have happened."),
    ];
    let common = all.into_iter().filter(|(holds, ..)| *holds).map(|(_, status, says)| (status, says));
    common.chain(call.faults.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `KULKUL_BLESS=1` writes it anew.
    #[test]
    fn the_document_in_docs_is_that_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let made = format!("{:#}\n", document());
        if std::env::var_os("KULKUL_BLESS").is_some() {
            std::fs::write(path, &made).expect("written");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == made,
            "docs/openapi.json is not what the table says: run with KULKUL_BLESS=1, and look at what changed"
        );
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_call_is_named_once() {
        let document = document();
        let text = document.to_string();
        for at in text.split("#/components/schemas/").skip(1) {
            let name = at.split('"').next().unwrap_or_default();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        let mut names: Vec<&str> =
            CALLS.iter().flat_map(|group| group.iter()).map(|call| call.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
