//! tokio-tungstenite as it is usually used: two tasks and a bounded queue a connection, one thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{LocalSet, spawn_local};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Messages that wait for one connection; a fuller queue makes the publisher wait.
const QUEUE_MESSAGES_MAX: usize = 256;

type Members = Rc<RefCell<Vec<(u64, mpsc::Sender<Message>)>>>;
type Rooms = Rc<RefCell<HashMap<Utf8Bytes, Members>>>;

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(kulkul_peers::address()).await?;
        kulkul_peers::say_ready("tokio-tungstenite 0.30");
        let rooms = Rooms::default();
        for id in 0.. {
            let (stream, _) = listener.accept().await?;
            spawn_local(serve(id, stream, rooms.clone()));
        }
        Ok(())
    })
}

async fn serve(id: u64, stream: TcpStream, rooms: Rooms) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let socket = tokio_tungstenite::accept_async(stream).await.ok()?;
    let (mut write, mut read) = socket.split();
    let (queue, mut waiting) = mpsc::channel(QUEUE_MESSAGES_MAX);
    spawn_local(async move {
        while let Some(message) = waiting.recv().await {
            if write.send(message).await.is_err() {
                return;
            }
        }
    });
    let Message::Text(room) = read.next().await?.ok()? else { return None };
    let members = rooms.borrow_mut().entry(room).or_default().clone();
    members.borrow_mut().push((id, queue.clone()));
    queue.send(Message::text("+")).await.ok()?;
    drop(queue);

    while let Some(Ok(message)) = read.next().await {
        if !message.is_text() {
            continue;
        }
        let mut full = Vec::new();
        for (_, queue) in members.borrow().iter().filter(|member| member.0 != id) {
            // A member that has left in the meantime misses the message, and nobody else does.
            if let Err(TrySendError::Full(message)) = queue.try_send(message.clone()) {
                full.push((queue.clone(), message));
            }
        }
        for (queue, message) in full {
            let _ = queue.send(message).await;
        }
    }
    members.borrow_mut().retain(|member| member.0 != id);
    Some(())
}
