//! What is in `packaging/` against the binary: its configs are sound, and its alerts and dashboard ask for figures that there are.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use fleet::Fleet;
use support::{Folder, Server, kulkul};

/// All that figures are told of, with nobody at the other end of anything.
const EVERYTHING: &str = r#"
secret = "0123456789abcdef0123456789abcdef"
engine = "memory"
[authorizer]
url = "http://127.0.0.1:1/"
secret = "0123456789abcdef0123456789abcdef"
[redis_bridge]
url = "redis://127.0.0.1:1"
[kafka_bridge]
brokers = ["127.0.0.1:1"]
livechat = true
[nats_bridge]
url = "nats://127.0.0.1:1"
rides = true
[[webhooks]]
name = "orders"
url = "https://127.0.0.1:1/"
secret = "0123456789abcdef0123456789abcdef"
rooms = ["chat:*"]
"#;

fn packaged(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn figures(server: &Server) -> BTreeSet<String> {
    let operator = server.operator.clone().unwrap_or_else(|| server.address.clone());
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    let (status, page) = server.http_at(&operator, &request);
    assert_eq!(status, 200, "{page}");
    let names = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

fn named(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c: char| !is_name(c));
    words.filter(|word| word.starts_with("kulkul_") || word.starts_with("process_")).collect()
}

#[test]
fn alerts_and_dashboard_ask_for_figures_that_there_are() {
    let mut known = figures(&Server::start());
    known.extend(figures(&Server::configured(EVERYTHING)));
    let (redis, nats) = (Fleet::on_redis(), Fleet::on_nats());
    known.extend(figures(&redis.node()));
    known.extend(figures(&nats.node()));
    for file in ["prometheus/alerts.yaml", "prometheus/alerts.test.yaml", "grafana/kulkul.json"] {
        let text = packaged(file);
        let named = named(&text);
        assert!(named.len() > 3, "{file} asks for nothing");
        // A description may name a family of them.
        let unknown: Vec<_> =
            named.iter().filter(|name| !name.ends_with('_') && !known.contains(**name)).collect();
        assert!(unknown.is_empty(), "{file} asks for what no node tells: {unknown:?}");
    }
}

fn is_sound(config: &str) {
    let folder = Folder::new();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").expect("written");
    let (path, secret) = (folder.path().join("kulkul.toml"), secret.to_str().expect("UTF-8"));
    let config: String = config
        .lines()
        .map(|line| match line.starts_with("secret_file") {
            true => format!("secret_file = {secret:?}\n"),
            false => format!("{line}\n"),
        })
        .collect();
    std::fs::write(&path, config).expect("written");
    let output = kulkul(&["check", "--config", path.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn configs_of_containers_and_manifests_are_sound() {
    is_sound(&packaged("container/kulkul.toml"));
    let manifest = packaged("kubernetes/kulkul.yaml");
    let (_, rest) = manifest.split_once("kulkul.toml: |\n").expect("a config in the manifest");
    let (config, _) = rest.split_once("\n---").expect("an end of it");
    is_sound(&config.replace("\n    ", "\n").replacen("    ", "", 1));
}
