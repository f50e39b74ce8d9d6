//! The same conversation as a secret.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use websocket::handshake::Key;
use websocket::handshake::client::{Answer, Ask};
use websocket::{Compression, Decoder, Event, Inflater, Limits, Role, frame};

use crate::support::{Folder, PATIENCE, Server};

const ONE: [&str; 2] = [include_str!("certs/one.pem"), include_str!("certs/one.key.pem")];
const TWO: [&str; 2] = [include_str!("certs/two.pem"), include_str!("certs/two.key.pem")];

type Sealed = StreamOwned<ClientConnection, TcpStream>;

fn put(folder: &Folder, [certificate, key]: [&str; 2]) {
    std::fs::write(folder.path().join("cert.pem"), certificate).expect("written");
    std::fs::write(folder.path().join("key.pem"), key).expect("written");
}

fn config(folder: &Path) -> String {
    format!(
        "secret = \"a secret of thirty-two bytes, or more\"\n[tls]\ncertificate = \"{0}/cert.pem\"\nkey = \"{0}/key.pem\"\n",
        folder.display()
    )
}

/// A client that believes this certificate alone.
fn believing(certificate: &str, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate");
    roots.add(certificate).expect("a root");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("known");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn seal(server: &Server, config: Arc<ClientConfig>) -> Result<Sealed, std::io::Error> {
    let mut stream = TcpStream::connect(&server.address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut session = ClientConnection::new(config, name).expect("a session");
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(session, stream))
}

struct Talk {
    stream: Sealed,
    decoder: Decoder,
}

impl Talk {
    fn open(server: &Server, config: Arc<ClientConfig>, user: &str) -> Talk {
        let output = crate::support::kulkul(&["token", "--config", server.config_path(), "--user", user]);
        let token = String::from_utf8(output.stdout).expect("text");
        let target = format!("/ws?token={}", token.trim());
        let ask = Ask {
            host: "localhost",
            target: &target,
            key: Key::from_nonce([7; 16]),
            protocols: &[],
            fields: &[],
        };
        let mut stream = seal(server, config).expect("a handshake");
        stream.write_all(&ask.request()).expect("taken");
        let (mut received, mut byte) = (Vec::new(), [0; 1]);
        while !matches!(ask.check(&received), Answer::Accepted { .. }) {
            stream.read_exact(&mut byte).expect("the server answers");
            received.push(byte[0]);
        }
        let limits = Limits { message_bytes_max: 1 << 20, fragments_max: 8 };
        Talk { stream, decoder: Decoder::new(Role::Client, limits, Compression::Off) }
    }

    /// Says it and hears the next text that has these words.
    fn ask(&mut self, text: &str, words: &str) {
        self.stream
            .write_all(&frame::masked(frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes()))
            .expect("taken");
        let mut scratch = vec![0; 64 << 10];
        loop {
            let read = self.stream.read(&mut scratch).expect("the server answers");
            assert_ne!(read, 0, "waiting for {words}");
            let mut inflater = Inflater::default();
            let events = self.decoder.feed(&mut inflater, &mut scratch[..read]);
            let has = |event| matches!(event, Ok(Event::Text(text)) if text.contains(words));
            // All of them: a feed that is left early is the end of a decoder.
            if events.map(has).fold(false, |found, has| found | has) {
                return;
            }
        }
    }

    fn works(&mut self, id: &str) {
        self.ask(r#"{"type":"join_room","payload":{"room_id":"g"}}"#, "room_info");
        let content = "x".repeat(3000);
        self.ask(
            &format!(
                r#"{{"type":"send_message","room":"g","id":"{id}","payload":{{"content":"{content}"}}}}"#
            ),
            &format!(r#""type":"ack","id":"{id}""#),
        );
    }
}

#[test]
fn a_conversation_by_either_version_of_tls_and_pages_too() {
    let folder = Folder::new();
    put(&folder, ONE);
    let server = Server::configured(&config(folder.path()));
    for (id, version) in [("a", &rustls::version::TLS13), ("b", &rustls::version::TLS12)] {
        let mut talk = Talk::open(&server, believing(ONE[0], &[version]), "1");
        assert_eq!(talk.stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        for round in 0..15 {
            talk.works(&format!("{id}{round}"));
        }
        // Some 45 KB in one answer: more than a record.
        talk.ask(
            r#"{"type":"get_history","id":"h","payload":{"room_id":"g","limit":30}}"#,
            r#""type":"history","id":"h""#,
        );
    }
    let mut page = seal(&server, believing(ONE[0], rustls::ALL_VERSIONS)).expect("a handshake");
    page.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("taken");
    let mut answer = String::new();
    page.read_to_string(&mut answer).expect("an answer that ends with a word");
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("</html>"), "{answer}");
    assert!(answer.contains("strict-transport-security"), "who came by TLS comes back by TLS");
}

#[test]
fn a_renewed_certificate_is_for_new_connections_and_drops_none() {
    let folder = Folder::new();
    put(&folder, ONE);
    let server = Server::configured(&config(folder.path()));
    let mut held = Talk::open(&server, believing(ONE[0], rustls::ALL_VERSIONS), "1");
    held.works("before");
    put(&folder, TWO);
    server.configure(&config(folder.path()));
    server.until_log("the certificate was renewed");
    let mut fresh = Talk::open(&server, believing(TWO[0], rustls::ALL_VERSIONS), "2");
    fresh.works("fresh");
    assert!(
        seal(&server, believing(ONE[0], rustls::ALL_VERSIONS)).is_err(),
        "the old one is not shown any more"
    );
    held.works("after");
    // A certificate whose key is another's changes nothing.
    put(&folder, [ONE[0], TWO[1]]);
    server.configure(&config(folder.path()));
    server.until_log("the old one stays in force");
    Talk::open(&server, believing(TWO[0], rustls::ALL_VERSIONS), "3").works("still");
}

/// T30: whoever begins a handshake and says no more holds a descriptor until its time is over, and nobody up.
#[test]
fn five_hundred_unfinished_handshakes_disturb_nobody() {
    let folder = Folder::new();
    put(&folder, ONE);
    let server = Server::configured(&config(folder.path()));
    let mut canary = Talk::open(&server, believing(ONE[0], rustls::ALL_VERSIONS), "1");
    let hello = {
        let name = ServerName::try_from("localhost").expect("a name");
        let mut session =
            ClientConnection::new(believing(ONE[0], rustls::ALL_VERSIONS), name).expect("a session");
        let mut bytes = Vec::new();
        session.write_tls(&mut bytes).expect("into memory");
        bytes
    };
    let half: Vec<TcpStream> = (0..500)
        .map(|number| {
            let mut stream = TcpStream::connect(&server.address).expect("listening");
            // Some say nothing, some half a hello, some a whole one and then nothing.
            let said = [0, hello.len() / 2, hello.len()][number % 3];
            stream.write_all(&hello[..said]).expect("taken");
            stream
        })
        .collect();
    for round in 0..15 {
        canary.works(&format!("c{round}"));
    }
    Talk::open(&server, believing(ONE[0], rustls::ALL_VERSIONS), "2").works("newcomer");
    drop(half);
}

/// A goodbye in the segment of the last bytes of the handshake is met behind them, and the place is free: the handshake's time
/// is not over when the next one comes.
#[test]
fn an_end_right_behind_the_handshake_frees_the_place() {
    let folder = Folder::new();
    put(&folder, ONE);
    let limits = "[limits]\ngreetings_max = 1\nconnections_per_address = 1\nexempt_addresses = [\"10.0.0.0/8\"]\n\
                  [websocket]\nhandshake_timeout = \"60s\"\n";
    let server = Server::configured(&format!("shards = 1\n{}{limits}", config(folder.path())));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for _ in 0..5 {
            let mut stream = TcpStream::connect(&server.address).expect("listening");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let name = ServerName::try_from("localhost").expect("a name");
            let mut session = ClientConnection::new(believing(ONE[0], &[version]), name).expect("a session");
            session.write_tls(&mut stream).expect("taken");
            while !session.wants_write() {
                assert_ne!(session.read_tls(&mut stream).expect("an answer"), 0, "turned away");
                session.process_new_packets().expect("TLS");
            }
            let mut last = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut last).expect("into memory");
            }
            // Corked, the bytes wait for the end and leave with it.
            socket2::SockRef::from(&stream).set_tcp_cork(true).expect("a socket");
            stream.write_all(&last).expect("taken");
            stream.shutdown(std::net::Shutdown::Write).expect("open until now");
            let mut rest = Vec::new();
            // Ended or reset, it is over.
            let over = stream.read_to_end(&mut rest);
            assert!(!over.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "it is held");
        }
    }
    Talk::open(&server, believing(ONE[0], rustls::ALL_VERSIONS), "1").works("x");
}

#[test]
fn plain_text_on_a_secret_port_is_refused_and_nobody_else_notices() {
    let folder = Folder::new();
    put(&folder, ONE);
    let server = Server::configured(&config(folder.path()));
    let mut stream = TcpStream::connect(&server.address).expect("listening");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("taken");
    let mut answer = Vec::new();
    // Ended or reset: an answer in plain text would be a promise that is not kept.
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    Talk::open(&server, believing(ONE[0], rustls::ALL_VERSIONS), "1").works("x");
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_before_anything_is_served() {
    let folder = Folder::new();
    put(&folder, [ONE[0], TWO[1]]);
    let path = folder.path().join("kulkul.toml");
    std::fs::write(&path, config(folder.path())).expect("written");
    let output = crate::support::kulkul(&[
        "serve",
        "--config",
        path.to_str().expect("UTF-8"),
        "--listen",
        "127.0.0.1:0",
    ]);
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && says.contains("certificate and key do not go together"), "{says}");
}
