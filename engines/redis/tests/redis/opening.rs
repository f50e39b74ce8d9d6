//! What is refused at the beginning, and in which words.

use std::sync::Arc;

use engine::{Answer, Durability};
use engine_redis::{Config, OpenError, open};
use link::{Answers, Deployment, Link, SameKeys};
use vocabulary::Incarnation;

use crate::plant::{cli, config, start, try_open, until};

struct Nobody;

impl Answers for Nobody {
    fn put(&self, _: Incarnation, _: Answer) -> Result<(), Box<Answer>> {
        Ok(())
    }
}

fn refused(config: Config) -> String {
    match try_open(config, Arc::new(Nobody)) {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    let server = start(&["--requirepass", "open sesame"]);
    let base = config(&server);
    let address = server.address;
    let url = |user: &str| format!("redis://{user}{address}");
    let free = conformance::free_address();
    for (name, config, words) in [
        ("no URL", Config { url: "localhost".to_owned(), ..base.clone() }, "write redis://"),
        ("nobody there", Config { url: format!("redis://{free}"), ..base.clone() }, "Redis cannot be asked"),
        ("no password", Config { url: url(""), ..base.clone() }, "see `url`, its user and password"),
        (
            "another password",
            Config { url: url(":s3cret@"), ..base.clone() },
            "see `url`, its user and password",
        ),
        ("braces", Config { prefix: "a{b}".to_owned(), ..base.clone() }, "`prefix`"),
        (
            "no Cluster",
            Config { url: url(":open%20sesame@"), cluster: true, ..base.clone() },
            "cluster = false",
        ),
        ("no such file", Config { authorities: Some("/nowhere".into()), ..base.clone() }, "`authorities`"),
    ] {
        let said = refused(config);
        assert!(said.contains(words), "{name}: {said}");
        assert!(!said.contains("s3cret") && !said.contains("sesame"), "{name}: {said}");
    }
}

#[test]
fn a_server_that_throws_keys_away_is_refused() {
    let server = start(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let said = refused(config(&server));
    assert!(said.contains("allkeys-lru") && said.contains("noeviction"), "{said}");
}

#[test]
fn another_deployments_keys_are_refused_and_its_tag_is_kept() {
    let server = start(&[]);
    let with = |tag, keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        open(config(&server), &Deployment::of_this_build(tag, keys), SameKeys::Must, Arc::new(Nobody))
    };
    assert_eq!(with(3, &["a"]).map(|redis| redis.deployment().start_tag).ok(), Some(3));
    assert_eq!(with(4, &["a", "b"]).map(|redis| redis.deployment().start_tag).ok(), Some(3));
    assert!(matches!(with(5, &["c"]), Err(OpenError::Deployment(_))));
    assert_eq!(cli(&server, &["SET", "kulkul:{deployment}:record", "something"]), "OK");
    assert!(matches!(with(5, &["a"]), Err(OpenError::Deployment(_))));
}

#[test]
fn what_a_record_survives_is_what_the_server_says() {
    for (more, expected) in [
        (&["--appendfsync", "always"][..], Durability::Power),
        (&["--appendfsync", "everysec"], Durability::Process),
        (&["--appendonly", "no"], Durability::None),
    ] {
        let server = start(more);
        let redis = try_open(config(&server), Arc::new(Nobody)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(redis.guarantees().durability, expected, "{more:?}");
    }
    let server = start(&[]);
    cli(&server, &["ACL", "SETUSER", "plain", "on", ">p", "~kulkul:*", "&kulkul:*", "+@all", "-config"]);
    let url = format!("redis://plain:p@{}", server.address);
    let config = Config { url, durability: Durability::Process, ..config(&server) };
    let redis = try_open(config, Arc::new(Nobody)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        redis.guarantees().durability,
        Durability::Process,
        "where it does not say, what it is said to"
    );
}

#[test]
fn a_server_that_reads_its_files_is_waited_for() {
    let slow = ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"];
    let mut server = start(&slow);
    for key in 0..100_u32 {
        // What can be pressed together is read at once, and nobody is answered meanwhile.
        let value: String =
            (0..100).map(|at| char::from(b'!' + ((key * 31 + at * at * 17) % 90) as u8)).collect();
        cli(&server, &["SET", &format!("key-{key}"), &value]);
    }
    // Read key by key, and not command by command.
    cli(&server, &["BGREWRITEAOF"]);
    until("the file is written anew", || {
        let told = cli(&server, &["INFO", "persistence"]);
        told.contains("aof_rewrites:1\r") && told.contains("aof_rewrite_in_progress:0\r")
    });
    server.restart();
    assert!(cli(&server, &["PING"]).contains("LOADING"), "two seconds are long enough to be asked");
    let redis = try_open(config(&server), Arc::new(Nobody)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(redis.guarantees().durability, Durability::Power);
}
