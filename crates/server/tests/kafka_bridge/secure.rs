//! By TLS, with a name and a password.

use std::process::Command;

use crate::kafka::{Kafka, broker_with};
use crate::support::Folder;
use crate::{Place, bridge, contents, figure, message, until};

/// A second listener, `localhost:{secure}`, in addition to the plain one. What is said later of a key holds.
fn lines(secure: u16, folder: &str) -> String {
    format!(
        "\nlisteners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}},SECURE://127.0.0.1:{secure}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SECURE://localhost:{secure}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL\n\
         sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN\n\
         listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
         listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_kulkul=\"hush\";\n\
         listener.name.secure.ssl.keystore.type=PEM\n\
         listener.name.secure.ssl.keystore.location={folder}/server.pem\n"
    )
}

/// An authority `{name}.pem`, and for the first one a broker's certificate and key.
fn authority(folder: &Folder, name: &str) {
    let openssl = |words: &[&str]| {
        let output = Command::new("openssl").args(words).current_dir(folder.path()).output();
        let output = output.unwrap_or_else(|error| panic!("openssl: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let (key, pem, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", &subject];
    openssl(&[&new[..], &["-keyout", &key, "-out", &pem]].concat());
    if name == "ca" {
        std::fs::write(folder.path().join("names"), "subjectAltName=DNS:localhost").expect("written");
        let ask = [
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "b.key",
            "-out",
            "b.csr",
        ];
        openssl(&ask);
        openssl(&[
            "x509",
            "-req",
            "-in",
            "b.csr",
            "-CA",
            &pem,
            "-CAkey",
            &key,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "names",
            "-out",
            "b.pem",
        ]);
        let of = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("made");
        std::fs::write(folder.path().join("server.pem"), of("b.key") + &of("b.pem")).expect("written");
    }
}

fn secured(brokers: &str, authority: &str, mechanism: &str, password: &str) -> String {
    let secure = format!(
        "tls = true\nauthorities = \"{authority}\"\nsasl = \"{mechanism}\"\nuser = \"kulkul\"\npassword = \"{password}\"\n"
    );
    let config = bridge(brokers, "secured", false);
    config.replacen("session =", &format!("{secure}session ="), 1)
}

#[test]
fn a_broker_that_wants_tls_and_a_password_is_read_and_one_that_is_not_trusted_is_not() {
    let (folder, secure) = (Folder::new(), conformance::free_address().port());
    ["ca", "other"].into_iter().for_each(|name| authority(&folder, name));
    let scram = ["--add-scram", "SCRAM-SHA-512=[name=kulkul,password=hush]"];
    let broker = broker_with(&lines(secure, folder.text()), &scram);
    let kafka = Kafka::at(&broker.address.to_string());
    kafka.create("secured", 1);
    let at = format!("localhost:{secure}");
    let pem = |name: &str| format!("{}/{name}.pem", folder.text());
    for mechanism in ["scram-sha-512", "plain"] {
        let place = Place::new(&secured(&at, &pem("ca"), mechanism, "hush"));
        let node = place.reading(1);
        kafka.put("secured", None, &message("general", mechanism));
        kafka.flush();
        until("it is taken", || figure(&node, "taken_in_total") == 1);
        assert_eq!(contents(&node, "general"), [mechanism]);
        node.signal(nix::sys::signal::Signal::SIGTERM);
        assert!(node.wait().success());
    }
    let untrusted = Place::new(&secured(&at, &pem("other"), "plain", "hush"));
    let unknown = Place::new(&secured(&at, &pem("ca"), "plain", "wrong"));
    let nodes = [untrusted.node(), unknown.node()];
    for node in &nodes {
        until("it is seen that nobody answers", || figure(node, "circuit_open") == 1);
        assert_eq!(figure(node, "partitions"), 0);
        assert!(!node.log().contains("hush") && !node.log().contains("wrong"), "{}", node.log());
    }
}
