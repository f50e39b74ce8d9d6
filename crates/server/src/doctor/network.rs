//! The addresses to listen on: free, ours already, or somebody else's.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::Finding;

/// Who listens there answers at once, or is no server of ours.
const PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 4096;

pub(super) fn address(about: &'static str, address: SocketAddr) -> Finding {
    let Err(error) = TcpListener::bind(address) else {
        return Finding::fine(about, format!("{address} is free"));
    };
    match error.kind() {
        ErrorKind::AddrInUse => match online(address) {
            Some(online) => Finding::fine(
                about,
                format!("{address} is served by a kulkul already, with {online} users online"),
            ),
            None => Finding::fail(
                about,
                format!("{address} belongs to another program"),
                format!("end that one, or set another `{about}`"),
            ),
        },
        ErrorKind::PermissionDenied => Finding::fail(
            about,
            format!("{address} may not be used by this user"),
            "take a port from 1024 on, or give the capability: AmbientCapabilities=CAP_NET_BIND_SERVICE",
        ),
        _ => Finding::fail(
            about,
            format!("{address} cannot be listened on: {error}"),
            format!("set `{about}` to an address of this machine"),
        ),
    }
}

/// Asks whoever is there what only a kulkul answers.
fn online(address: SocketAddr) -> Option<u64> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET /ws/online HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str::<serde_json::Value>(body).ok()?.get("online")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn an_address_is_free_or_foreign() {
        let foreign = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let taken = foreign.local_addr().expect("an address");
        let hangs_up = std::thread::spawn(move || foreign.accept().is_ok());
        let found = address("listen", taken);
        assert_eq!(found.verdict, Verdict::Fail, "{found:?}");
        assert!(hangs_up.join().expect("no panic"), "it was asked who it is");
        for (text, verdict) in [("127.0.0.1:0", Verdict::Fine), ("192.0.2.1:80", Verdict::Fail)] {
            let found = address("listen", text.parse().expect(text));
            assert_eq!(found.verdict, verdict, "{found:?}");
        }
    }
}
