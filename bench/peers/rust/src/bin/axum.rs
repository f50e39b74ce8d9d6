//! axum with a `broadcast` channel a room, after its chat example: everybody hears everything, the author too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// Messages a room keeps for its slowest reader; the example's 100 loses messages under the loads of the bench.
const ROOM_MESSAGES_MAX: usize = 4096;

/// The lock guards the map of rooms; nothing awaits under it.
type Rooms = Arc<Mutex<HashMap<String, broadcast::Sender<Utf8Bytes>>>>;

fn main() -> std::io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let rooms = Rooms::default();
        let app = Router::new()
            .route(
                "/ws",
                get(|upgrade: WebSocketUpgrade, State(rooms): State<Rooms>| async move {
                    upgrade.on_upgrade(|socket| async move {
                        serve(socket, rooms).await;
                    })
                }),
            )
            .with_state(rooms);
        let listener = TcpListener::bind(kulkul_peers::address()).await?;
        kulkul_peers::say_ready("axum 0.8");
        axum::serve(listener, app).await
    })
}

async fn serve(socket: WebSocket, rooms: Rooms) -> Option<()> {
    let (mut write, mut read) = socket.split();
    let Message::Text(room) = read.next().await?.ok()? else { return None };
    let sender = rooms
        .lock()
        .ok()?
        .entry(room.to_string())
        .or_insert_with(|| broadcast::channel(ROOM_MESSAGES_MAX).0)
        .clone();
    let mut receiver = sender.subscribe();
    write.send(Message::text("+")).await.ok()?;
    tokio::spawn(async move {
        while let Ok(text) = receiver.recv().await {
            if write.send(Message::Text(text)).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(Message::Text(text))) = read.next().await {
        // An error means that nobody listens.
        let _ = sender.send(text);
    }
    Some(())
}
