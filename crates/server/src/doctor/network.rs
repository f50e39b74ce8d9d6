//! The addresses to listen on: free, ours already, or somebody else's.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::Finding;

/// Who listens there answers at once, or is no server of ours.
const PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 4096;

/// What only a kulkul answers there.
#[derive(Clone, Copy)]
pub(super) enum Asks {
    Clients,
    Operators,
    /// It speaks TLS, which this does not.
    Nobody,
}

pub(super) fn address(about: &'static str, address: SocketAddr, asks: Asks) -> Finding {
    let Err(error) = TcpListener::bind(address) else {
        return Finding::fine(about, format!("{address} is free"));
    };
    match error.kind() {
        ErrorKind::AddrInUse => match served(address, asks) {
            Some(true) => Finding::fine(about, format!("{address} is served by a kulkul already")),
            None => Finding::warn(
                about,
                format!("{address} is in use, and by TLS: whether by a kulkul, this cannot tell"),
                "if it is none, end it or set another address",
            ),
            Some(false) => Finding::fail(
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

/// Whether whoever is there answers what only a kulkul does.
fn served(address: SocketAddr, asks: Asks) -> Option<bool> {
    let (path, field) = match asks {
        Asks::Clients => ("/ws/online", "online"),
        Asks::Operators => ("/stats", "total_connections"),
        Asks::Nobody => return None,
    };
    Some(answers(address, path, field).is_some())
}

fn answers(address: SocketAddr, path: &str, field: &str) -> Option<u64> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str::<serde_json::Value>(body).ok()?.get(field)?.as_u64()
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
        let by_tls = address("listen", taken, Asks::Nobody);
        assert_eq!(by_tls.verdict, Verdict::Warn, "{by_tls:?}");
        let found = address("listen", taken, Asks::Clients);
        assert_eq!(found.verdict, Verdict::Fail, "{found:?}");
        assert!(hangs_up.join().expect("no panic"), "it was asked who it is");
        for (text, verdict) in [("127.0.0.1:0", Verdict::Fine), ("192.0.2.1:80", Verdict::Fail)] {
            let found = address("listen", text.parse().expect(text), Asks::Operators);
            assert_eq!(found.verdict, verdict, "{found:?}");
        }
    }
}
