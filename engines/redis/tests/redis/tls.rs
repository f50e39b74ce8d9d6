//! Over TLS, with an authority of our own.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use conformance::words::A;
use engine::Answer;
use engine_redis::Config;
use link::Answers;
use vocabulary::Incarnation;

use crate::node::Node;
use crate::plant::{config, start, try_open};

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder);
    let output = command.output().expect("openssl is installed: apt-get install openssl");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and what it says about `localhost`.
fn certificates(folder: &Path) {
    openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority \
        -keyout ca.key -out ca.pem",
    );
    openssl(
        folder,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key.pem \
        -out request.pem",
    );
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").expect("written");
    openssl(
        folder,
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names \
        -out cert.pem",
    );
}

struct Nobody;

impl Answers for Nobody {
    fn put(&self, _: Incarnation, _: Answer) -> Result<(), Box<Answer>> {
        Ok(())
    }
}

#[test]
fn a_room_over_tls_is_a_room_and_who_is_not_trusted_is_refused() {
    let folder = std::env::temp_dir().join(format!("kulkul-redis-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for certificates");
    certificates(&folder);
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let port = conformance::free_address().port();
    let (cert, key, ca) = (path("cert.pem"), path("key.pem"), path("ca.pem"));
    let server = start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://localhost:{port}");
    let stranger = Config { url: url.clone(), ..config(&server) };
    let trusting = Config { authorities: Some(ca.into()), ..stranger.clone() };
    let refused = try_open(stranger, Arc::new(Nobody)).err().map(|error| error.to_string());
    assert!(refused.as_ref().is_some_and(|why| why.contains("certificate")), "{refused:?}");
    let mut node = Node::with(A, &trusting);
    let start = node.start();
    node.fill(start, &["a"]);
    assert_eq!(node.load().records.len(), 1);
    std::fs::remove_dir_all(&folder).ok();
}
