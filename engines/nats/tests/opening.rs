//! Why a node does not begin, in words for its operator.

mod world;

use std::path::Path;
use std::sync::Arc;

use conformance::words::{A, general};
use engine_nats::{Config, Credentials, Keeps, Tls};
use link::{Deployment, SameKeys};
use world::desk::Desk;

struct Nobody;

impl link::Answers for Nobody {
    fn put(&self, _: vocabulary::Incarnation, _: engine::Answer) -> Result<(), Box<engine::Answer>> {
        Ok(())
    }
}

fn why(config: &Config) -> String {
    match world::open(config, Arc::new(Nobody)) {
        Ok(_) => panic!("it opens"),
        Err(error) => error.to_string(),
    }
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn credentials_that_are_refused_are_named_and_not_told() {
    let server = world::server_with(|_| ["--user", "ana", "--pass", "right"].map(Into::into).into());
    let url = world::url(&server);
    let with = |credentials| Config { credentials, ..world::config(&url) };
    let password =
        |password: &str| Credentials::Password { user: "ana".to_owned(), password: password.to_owned() };
    for credentials in [Credentials::None, password("a-secret"), Credentials::Token("a-secret".to_owned())] {
        let text = why(&with(credentials));
        says(&text, &["credentials", &server.address.to_string()]);
        assert!(!text.contains("a-secret"), "{text}");
    }
    let within = url.replace("nats://", "nats://ana:a-secret@");
    let text = why(&world::config(&within));
    assert!(text.contains("credentials") && !text.contains("a-secret"), "{text}");
    let missing = Credentials::File("/nowhere/node.creds".into());
    says(&why(&with(missing)), &["/nowhere/node.creds", "nsc"]);
    let mut desk = Desk::new(&with(password("right")), A);
    desk.load(&general());
}

#[test]
fn a_token_is_let_in() {
    let server = world::server_with(|_| ["--auth", "right"].map(Into::into).into());
    let credentials = Credentials::Token("right".to_owned());
    let mut desk = Desk::new(&Config { credentials, ..world::config(&world::url(&server)) }, A);
    desk.load(&general());
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let address = conformance::free_address();
    says(&why(&world::config(&format!("nats://{address}"))), &[&address.to_string(), "servers"]);
}

#[test]
fn a_server_without_jetstream_is_told_how_to_have_it() {
    let server = conformance::Server::start("nats-server", |port, _| {
        ["-a", "127.0.0.1", "-p", &port.to_string()].map(Into::into).into()
    });
    says(&why(&world::config(&world::url(&server))), &["JetStream", "-js"]);
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let config = world::config("nats://127.0.0.1:1");
    for (config, setting) in [
        (Config { prefix: "a..b".to_owned(), ..config.clone() }, "prefix"),
        (Config { prefix: "a b".to_owned(), ..config.clone() }, "prefix"),
        (Config { replicas: 2, ..config.clone() }, "replicas"),
        (Config { servers: Vec::new(), ..config }, "servers"),
    ] {
        says(&why(&config), &[setting]);
    }
}

#[test]
fn a_stream_that_is_there_with_other_settings_is_not_used() {
    let config = world::config(&world::shared());
    Desk::new(&config, A);
    let other = Config { keeps: Keeps::InMemory, ..config };
    says(&why(&other), &["_LOG", "storage", "file", "memory"]);
}

#[test]
fn more_replicas_than_servers_are_refused_with_a_reason() {
    let config = Config { replicas: 3, ..world::config(&world::shared()) };
    says(&why(&config), &["replicas"]);
}

#[test]
fn a_server_that_cannot_sync_what_it_acks_is_not_believed_to() {
    let config = Config { keeps: Keeps::OnDiskSynced, ..world::config(&world::shared()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = runtime.block_on(async_nats::connect(&config.servers[0])).expect("connected");
    if client.is_server_compatible(2, 10, 0) {
        assert!(world::open(&config, Arc::new(Nobody)).is_ok());
    } else {
        says(&why(&config), &[&client.server_info().version, "sync_interval", "2.10", "\"disk\""]);
    }
}

#[test]
fn nodes_that_share_no_key_do_not_join() {
    let config = world::config(&world::shared());
    Desk::new(&config, A);
    let stranger = Deployment::of_this_build(9, vec!["other".to_owned()]);
    let opened = engine_nats::open(config.clone(), &stranger, SameKeys::Must, Arc::new(Nobody));
    says(&opened.err().expect("a stranger").to_string(), &["secret"]);
    let opened = engine_nats::open(config, &stranger, SameKeys::NeedNot, Arc::new(Nobody));
    assert!(opened.is_ok());
}

/// The pair that the servers' own documents use.
const NKEY: [&str; 2] = [
    "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
    "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
];

#[test]
fn a_key_pair_is_let_in_and_its_seed_is_not_told() {
    let server = world::server_with(|folder| {
        let file = folder.join("server.conf");
        let text = format!("authorization {{ users = [ {{ nkey: {} }} ] }}\n", NKEY[0]);
        std::fs::write(&file, text).expect("written");
        vec!["-c".into(), file.into()]
    });
    let with = |seed: &str| Config {
        credentials: Credentials::Nkey(seed.to_owned()),
        ..world::config(&world::url(&server))
    };
    let mut desk = Desk::new(&with(NKEY[1]), A);
    desk.load(&general());
    let text = why(&with("SUANOTASEED"));
    assert!(text.contains("credentials") && !text.contains("SUANOTASEED"), "{text}");
    assert!(!format!("{:?}", with(NKEY[1])).contains(NKEY[1]));
}

#[test]
fn a_secure_server_is_reached_and_a_strange_one_is_not() {
    let certs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/server/tests/edge/certs");
    let server = world::server_with(|_| {
        let file = |name: &str| certs.join(name).into_os_string();
        let (certificate, key) = (file("one.pem"), file("one.key.pem"));
        vec!["--tls".into(), "--tlscert".into(), certificate, "--tlskey".into(), key]
    });
    let url = format!("tls://localhost:{}", server.address.port());
    let believing = |name: &str| {
        let tls = Tls { required: true, authorities: Some(certs.join(name)), ..Tls::default() };
        Config { tls, ..world::config(&url) }
    };
    let mut desk = Desk::new(&believing("one.pem"), A);
    desk.load(&general());
    says(&why(&believing("two.pem")), &["tls", "localhost"]);
    let plain = world::server();
    let tls = Tls { required: true, ..Tls::default() };
    says(&why(&Config { tls, ..world::config(&world::url(&plain)) }), &["tls"]);
}
