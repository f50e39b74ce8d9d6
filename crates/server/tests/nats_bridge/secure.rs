//! By TLS, and with each kind of credentials.

use std::path::{Path, PathBuf};

use async_nats::ConnectOptions;
use serde_json::{Value, json};

use crate::nats::{Nats, broker_with};
use crate::{Place, SOURCE, contents, figure, message, until};

/// A key pair of the documentation of NATS.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge/certs")
}

#[test]
fn by_tls_with_a_password_and_not_where_the_authority_or_the_password_is_another() {
    let broker = broker_with(|_| {
        let file = |name: &str| certificates().join(name).into_os_string();
        let mut words =
            vec!["--tls".into(), "--tlscert".into(), file("one.pem"), "--tlskey".into(), file("one.key.pem")];
        words.extend(["--user", "ana", "--pass", "hush"].map(Into::into));
        words
    });
    let url = |password: &str| format!("tls://ana:{password}@localhost:{}", broker.address.port());
    let config = |password: &str, authority: &str| {
        let authorities = certificates().join(authority);
        format!(
            "[nats_bridge]\nurl = \"{}\"\nauthorities = \"{}\"\n{SOURCE}",
            url(password),
            authorities.display()
        )
    };
    let options = ConnectOptions::with_user_and_password("ana".to_owned(), "hush".to_owned());
    let options = options.add_root_certificates(certificates().join("one.pem"));
    let nats = Nats::by(&format!("tls://localhost:{}", broker.address.port()), options);
    nats.stream("SAID", &["said.*"], &json!({}));
    nats.put("said.a", &message("hello"));
    let doctor = |password: &str, authority: &str| {
        let told = crate::kulkul(&[
            "doctor",
            "--json",
            "--config",
            &Place::new(&config(password, authority)).config(),
        ]);
        let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        let checks = told["checks"].as_array().expect("a list").clone();
        checks
            .into_iter()
            .find(|check| check["check"] == "nats_bridge")
            .expect("it was looked at")
            .to_string()
    };
    for (password, authority, says) in [("hush", "two.pem", "certificate"), ("wrong", "one.pem", "uthoriz")] {
        let place = Place::new(&config(password, authority));
        let node = place.node();
        until(says, || node.get("/ready").1.contains("bridge nats is away"));
        let ready = node.get("/ready").1;
        assert!(ready.contains(says) && !ready.contains(password), "{ready}");
        let told = doctor(password, authority);
        assert!(told.contains(says) && !told.contains(password) && told.contains("warn"), "{told}");
    }
    assert!(doctor("hush", "one.pem").contains("answers, and has JetStream"));
    let place = Place::new(&config("hush", "one.pem"));
    let node = place.node();
    until("it is taken", || figure(&node, "taken_in_total") == 1);
    assert_eq!(contents(&node, "a"), ["hello"]);
}

#[test]
fn by_a_token_and_by_a_key() {
    for (users, line, options) in [
        (
            "authorization { token: hush }".to_owned(),
            "token = \"hush\"".to_owned(),
            ConnectOptions::with_token("hush".to_owned()),
        ),
        (
            format!("authorization {{ users: [ {{ nkey: {PUBLIC} }} ] }}"),
            format!("nkey = \"{SEED}\""),
            ConnectOptions::with_nkey(SEED.to_owned()),
        ),
    ] {
        let broker = broker_with(|folder| {
            let file = folder.join("users.conf");
            std::fs::write(&file, &users).expect("written");
            vec!["-c".into(), file.into()]
        });
        let nats = Nats::by(&crate::url(&broker), options);
        nats.stream("SAID", &["said.*"], &json!({}));
        nats.put("said.a", &message("hello"));
        let place =
            Place::new(&format!("[nats_bridge]\nurl = \"{}\"\n{line}\n{SOURCE}", crate::url(&broker)));
        let node = place.node();
        until("it is taken", || figure(&node, "taken_in_total") == 1);
    }
}
