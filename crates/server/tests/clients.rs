//! The most used client in Rust, which others wrote, in the conversation that `cargo xtask interop` holds with clients of
//! other languages.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::collections::BTreeMap;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use support::{PATIENCE, Server};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const SCENARIO: &str = include_str!("../../../interop/scenario.json");

async fn entered(server: &Server, place: &str, user: &str) -> Socket {
    let (url, token) = (format!("ws://{}/ws", server.address), server.token(user, user));
    let request = match place {
        "query" => format!("{url}?token={token}").into_client_request(),
        _ => url.into_client_request(),
    };
    let mut request = request.expect("a URL");
    let mut put = |name, value: String| request.headers_mut().insert(name, value.parse().expect("a value"));
    match place {
        "subprotocol" => put("sec-websocket-protocol", format!("kulkul, bearer.{token}")),
        "header" => put("authorization", format!("Bearer {token}")),
        _ => None,
    };
    connect_async(request).await.expect("let in").0
}

/// The next frame that holds all that is wanted; others may come before it.
async fn hear(socket: &mut Socket, wanted: &Value) {
    loop {
        let text = match socket.next().await.expect("open").expect("well-formed") {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => continue,
            other => panic!("waiting for {wanted}, heard {other:?}"),
        };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if holds(&frame, wanted) {
            return;
        }
        assert_ne!(frame["type"], "error", "{frame}");
    }
}

fn holds(frame: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => fields.iter().all(|(key, inner)| holds(&frame[key], inner)),
        other => frame == other,
    }
}

async fn play(server: &Server, place: &str) {
    let long = "a message that is worth compressing ".repeat(12);
    let scenario = SCENARIO.replace("$room", &format!("tungstenite-{place}")).replace("$long", &long);
    let scenario = scenario.replace("$ana", &server.token("ana", "ana"));
    let steps: Vec<Value> = serde_json::from_str(&scenario).expect("JSON");
    let mut people: BTreeMap<&str, Socket> = BTreeMap::new();
    for step in &steps {
        let who = step["who"].as_str().expect("a name");
        let action = step["do"].as_str().expect("a step");
        if action == "connect" {
            people.insert(who, entered(server, place, who).await);
            continue;
        }
        let socket = people.get_mut(who).expect("connected before");
        match action {
            "say" => socket.send(Message::text(step["frame"].to_string())).await.expect("taken"),
            "hear" => hear(socket, &step["frame"]).await,
            "close" => {
                let code = step["code"].as_u64().expect("a code") as u16;
                let frame = CloseFrame { code: code.into(), reason: "done".into() };
                socket.close(Some(frame)).await.expect("taken");
                // What was said to it before its goodbye came is read first.
                let answer = loop {
                    match socket.next().await.expect("an answer").expect("well-formed") {
                        Message::Text(_) => {}
                        other => break other,
                    }
                };
                assert!(
                    matches!(&answer, Message::Close(Some(close)) if u16::from(close.code) == code),
                    "{answer:?}"
                );
            }
            other => panic!("no such step: {other}"),
        }
    }
    assert!(steps.len() > 10);
}

#[test]
fn tungstenite_holds_the_conversation_with_its_token_in_every_place() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for place in ["query", "subprotocol", "header"] {
        let played = async { tokio::time::timeout(PATIENCE, play(&server, place)).await };
        runtime.block_on(played).unwrap_or_else(|_| panic!("{place}: not within {PATIENCE:?}"));
    }
}
