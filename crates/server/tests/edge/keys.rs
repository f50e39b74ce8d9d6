//! Keys that change while the server runs: its own config's, and those that others publish.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::{Client, Folder, Server};

const RSA: &str = include_str!("../../../identity/tests/keys/rsa.pem");
const P256: &str = include_str!("../../../identity/tests/keys/p256.pem");

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA.as_bytes()).expect("a key")
}

fn curve() -> EncodingKey {
    EncodingKey::from_ec_pem(P256.as_bytes()).expect("a key")
}

fn token(algorithm: Algorithm, key: &EncodingKey, id: &str, issuer: &str) -> String {
    let header = Header { kid: Some(id.to_owned()), ..Header::new(algorithm) };
    encode(&header, &json!({"sub": "7", "exp": 9_999_999_999u64, "iss": issuer}), key).expect("signable")
}

fn published(key: &EncodingKey, algorithm: Algorithm, id: &str) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).expect("a jwk")).expect("JSON");
    jwk["kid"] = id.into();
    jwk
}

fn open(server: &Server, token: &str) -> Result<(), u16> {
    Client::open(server, &format!("/ws?token={token}")).map(|_| ())
}

/// Somebody who publishes keys, and counts who asks.
struct Publisher {
    url: String,
    keys: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    fn start(keys: Value) -> Publisher {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("bound"));
        let (keys, asked) = (Arc::new(Mutex::new(keys)), Arc::new(AtomicUsize::new(0)));
        let (held, count) = (keys.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).expect("a request");
                count.fetch_add(1, Ordering::SeqCst);
                let body = held.lock().expect("whole").to_string();
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).expect("taken");
            }
        });
        Publisher { url, keys, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// T05: nobody who holds a token of the new key is refused, and whoever invents keys makes us ask nobody.
#[test]
fn a_published_key_is_fetched_when_its_first_token_comes_and_not_for_every_unknown_one() {
    let publisher = Publisher::start(json!({"keys": [published(&rsa(), Algorithm::RS256, "old")]}));
    let server = Server::configured(&format!(
        "[[auth.jwks]]\nurl = \"{}\"\nalgorithms = [\"RS256\", \"ES256\"]\nissuer = \"https://a.example\"\n",
        publisher.url
    ));
    let old = token(Algorithm::RS256, &rsa(), "old", "https://a.example");
    assert_eq!(open(&server, &old), Ok(()), "a token that comes before the first keys waits for them");
    *publisher.keys.lock().expect("whole") = json!({"keys": [published(&rsa(), Algorithm::RS256, "old"), published(&curve(), Algorithm::ES256, "new")]});
    let new = token(Algorithm::ES256, &curve(), "new", "https://a.example");
    let crowd: Vec<_> = std::thread::scope(|scope| {
        let opened: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&server, &new))).collect();
        opened.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(crowd, vec![Ok(()); 8], "all of them wait for one fetch");
    assert_eq!(publisher.asked(), 2);
    for number in 0..200 {
        let unknown = token(Algorithm::RS256, &rsa(), &format!("unknown-{number}"), "https://a.example");
        assert_eq!(open(&server, &unknown), Err(401));
    }
    let foreign = token(Algorithm::RS256, &rsa(), "old", "http://127.0.0.1:1/evil");
    assert_eq!(open(&server, &foreign), Err(401), "its issuer is another's, and is asked nothing");
    assert_eq!(publisher.asked(), 2);
    assert_eq!(open(&server, &old), Ok(()), "the old key is good as long as it is published");
}

/// A source that hangs until somebody writes into the pipe.
fn hanging(folder: &Folder) -> (PathBuf, String) {
    let pipe = folder.path().join("hangs");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let config =
        format!("[[auth.jwks]]\nfile = \"{}\"\nalgorithms = [\"ES256\", \"RS256\"]\n", pipe.display());
    (pipe, config)
}

#[test]
fn a_source_that_hangs_holds_up_no_key_of_another() {
    let folder = Folder::new();
    let publisher = Publisher::start(json!({"keys": [published(&rsa(), Algorithm::RS256, "old")]}));
    let server = Server::configured(&format!(
        "{}[[auth.jwks]]\nurl = \"{}\"\nalgorithms = [\"RS256\", \"ES256\"]\n\
         [[mounts]]\npath = \"/ws\"\n[[mounts]]\npath = \"/in\"\nauth = \"in-band\"\n",
        hanging(&folder).1,
        publisher.url
    ));
    let old = token(Algorithm::RS256, &rsa(), "old", "anybody");
    assert_eq!(open(&server, &old), Ok(()), "the first keys of one come before those of the other");
    *publisher.keys.lock().expect("whole") = json!({"keys": [published(&rsa(), Algorithm::RS256, "old"), published(&curve(), Algorithm::ES256, "new")]});
    let new = token(Algorithm::ES256, &curve(), "new", "anybody");
    let mut stranger = Client::open(&server, "/in").expect("let in without a token");
    stranger.say(&format!(r#"{{"type":"authenticate","id":"a","payload":{{"token":"{new}"}}}}"#));
    assert_eq!(open(&server, &new), Ok(()), "a new key of one too");
    assert_eq!(stranger.next("authenticated")["id"], "a");
    assert_eq!(open(&server, &old), Ok(()));
    assert_eq!(publisher.asked(), 2);
}

#[test]
fn a_token_of_an_unknown_key_waits_for_a_silent_publisher_until_that_has_failed() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let publisher = Publisher::start(json!({"keys": [published(&rsa(), Algorithm::RS256, "old")]}));
    let server = Server::configured(&format!(
        "[[auth.jwks]]\nurl = \"http://{}/keys\"\nalgorithms = [\"ES256\"]\n\
         [[auth.jwks]]\nurl = \"{}\"\nalgorithms = [\"RS256\"]\n[websocket]\nhandshake_timeout = \"30s\"\n",
        silent.local_addr().expect("bound"),
        publisher.url
    ));
    // Accepted by the kernel, and heard by nobody.
    assert_eq!(open(&server, &token(Algorithm::ES256, &curve(), "invented", "anybody")), Err(401));
    server.until_log("the last one stays in force");
    assert_eq!(open(&server, &token(Algorithm::RS256, &rsa(), "old", "anybody")), Ok(()));
}

#[test]
fn a_change_of_the_config_ends_nobodys_wait_for_a_key() {
    let folder = Folder::new();
    let (pipe, jwks) = hanging(&folder);
    let config = |most| {
        format!(
            "shards = 1\n{jwks}[limits]\nconnections_per_user = {most}\n[websocket]\nhandshake_timeout = \"60s\"\n"
        )
    };
    let server = Server::configured(&config(5));
    let (old, new) = (
        token(Algorithm::RS256, &rsa(), "old", "anybody"),
        token(Algorithm::ES256, &curve(), "new", "anybody"),
    );
    let first = json!({"keys": [published(&rsa(), Algorithm::RS256, "old")]});
    std::fs::write(&pipe, first.to_string()).expect("it is being read");
    assert_eq!(open(&server, &old), Ok(()));
    let both = json!({"keys": [published(&rsa(), Algorithm::RS256, "old"), published(&curve(), Algorithm::ES256, "new")]});
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| open(&server, &new));
        // Opened when it is read, and that is when somebody waits for what is in it.
        let mut pipe = std::fs::File::options().write(true).open(&pipe).expect("a pipe");
        server.configure(&config(6));
        server.until_log("applied: limits.connections_per_user = 6");
        assert_eq!(open(&server, &old), Ok(()), "the change is in force");
        pipe.write_all(both.to_string().as_bytes()).expect("it is being read");
        drop(pipe);
        assert_eq!(waits.join().expect("no panic"), Ok(()));
    });
}

/// What hangs longer than a publisher may is waited for no more: the first one who came waits until a handshake's time is over,
/// and the next is refused at once.
#[test]
fn nobody_waits_for_a_file_that_hangs_for_ever() {
    let folder = Folder::new();
    let jwks = hanging(&folder).1;
    let server = Server::configured(&format!("{jwks}[websocket]\nhandshake_timeout = \"6s\"\n"));
    let invented = token(Algorithm::ES256, &curve(), "invented", "anybody");
    open(&server, &invented).expect_err("nobody publishes it");
    assert_eq!(open(&server, &invented), Err(401));
}

/// One that cannot be believed gives no keys, and takes nothing down: what else proves goes on.
#[test]
fn a_publisher_by_tls_that_nobody_vouches_for_is_refused_and_the_node_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Not even TLS.
            stream.expect("a connection").write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok();
        }
    });
    let server = Server::configured(&format!(
        "secret = \"a secret of thirty-two bytes, or more\"\n[[auth.jwks]]\nurl = \"https://127.0.0.1:{port}/keys\"\nalgorithms = [\"RS256\"]\n"
    ));
    server.until_log("the last one stays in force");
    assert_eq!(open(&server, &token(Algorithm::RS256, &rsa(), "k", "anybody")), Err(401));
    let secret = EncodingKey::from_secret(b"a secret of thirty-two bytes, or more");
    assert_eq!(open(&server, &token(Algorithm::HS256, &secret, "any", "anybody")), Ok(()));
}

#[test]
fn a_publisher_that_is_gone_leaves_its_keys_in_force() {
    let folder = Folder::new();
    let file = folder.path().join("keys.json");
    let keys = json!({"keys": [published(&rsa(), Algorithm::RS256, "k")]});
    std::fs::write(&file, keys.to_string()).expect("written");
    let server = Server::configured(&format!(
        "[[auth.jwks]]\nfile = \"{}\"\nalgorithms = [\"RS256\"]\nrefresh = \"10s\"\n",
        file.display()
    ));
    let good = token(Algorithm::RS256, &rsa(), "k", "anybody");
    assert_eq!(open(&server, &good), Ok(()));
    std::fs::remove_file(&file).expect("it was there");
    assert_eq!(open(&server, &token(Algorithm::RS256, &rsa(), "other", "anybody")), Err(401));
    server.until_log("the last one stays in force");
    assert_eq!(open(&server, &good), Ok(()));
}

#[test]
fn a_key_of_the_config_is_exchanged_without_a_restart_and_without_a_drop() {
    let config = |ids: &[&str]| {
        let key = |id: &&str| {
            format!(
                "[[auth.keys]]\nid = \"{id}\"\nalgorithm = \"HS256\"\nsecret = \"{id}, a secret of thirty-two bytes\"\n"
            )
        };
        ids.iter().map(key).collect::<String>()
    };
    let signed = |id: &str| {
        let secret = format!("{id}, a secret of thirty-two bytes");
        token(Algorithm::HS256, &EncodingKey::from_secret(secret.as_bytes()), id, "anybody")
    };
    let server = Server::configured(&config(&["spring"]));
    let mut held = Client::open(&server, &format!("/ws?token={}", signed("spring"))).expect("let in");
    assert_eq!(open(&server, &signed("summer")), Err(401));
    server.configure(&config(&["spring", "summer"]));
    server.until_log("auth.keys = 2 of them");
    assert_eq!((open(&server, &signed("spring")), open(&server, &signed("summer"))), (Ok(()), Ok(())));
    server.configure(&config(&["summer"]));
    server.until_log("auth.keys = 1 of them");
    assert_eq!((open(&server, &signed("spring")), open(&server, &signed("summer"))), (Err(401), Ok(())));
    held.join("general");
    assert!(!server.log().contains("thirty-two bytes"), "no secret stands in a log");
}
