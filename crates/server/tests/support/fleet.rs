//! Nodes that share a real broker.

use conformance::Server as Broker;

use crate::support::{Client, Folder, Server, kulkul};

/// A broker, and the nodes that are given its address.
pub(crate) struct Fleet {
    pub(crate) broker: Broker,
    scheme: &'static str,
    config: Folder,
}

/// May do everything.
pub(crate) const API_KEY: &str = "orders-orders-orders-orders-orders";

const CONFIG: &str = r#"
operator_listen = "127.0.0.1:0"
secret = "0123456789abcdef0123456789abcdef"
[limits]
connections_per_user = 1000
[[mounts]]
path = "/ws"
[[mounts]]
path = "/api/v1/ws"
protocol = "hub"
[[mounts]]
path = "/ws/scorer"
protocol = "match"
[[mounts]]
path = "/ws/viewer"
protocol = "match"
auth = "optional"
viewers = true
[[mounts]]
path = "/rides/ws"
protocol = "ride"
[[mounts]]
path = "/alone"
one_per_user = true
[[support.departments]]
name = "general"
sessions_max = 2
[[api.keys]]
name = "orders"
secret = "orders-orders-orders-orders-orders"
scopes = ["publish", "history", "everybody", "inspect", "operate"]
"#;

impl Fleet {
    pub(crate) fn on_redis() -> Fleet {
        let broker = Broker::start("redis-server", |port, folder| {
            let (port, folder) = (port.to_string(), folder.to_str().expect("UTF-8"));
            let place = ["--port", &port, "--bind", "127.0.0.1", "--dir", folder];
            place.into_iter().chain(["--save", "", "--appendonly", "yes"]).map(Into::into).collect()
        });
        Fleet::of(broker, "redis")
    }

    pub(crate) fn on_nats() -> Fleet {
        let broker = Broker::start("nats-server", |port, folder| {
            let (port, folder) = (port.to_string(), folder.to_str().expect("UTF-8"));
            ["-a", "127.0.0.1", "-p", &port, "-js", "-sd", folder].iter().map(Into::into).collect()
        });
        Fleet::of(broker, "nats")
    }

    fn of(broker: Broker, scheme: &'static str) -> Fleet {
        let config = Folder::new();
        std::fs::write(config.path().join("kulkul.toml"), CONFIG).expect("written");
        Fleet { broker, scheme, config }
    }

    pub(crate) fn config(&self) -> String {
        self.config.path().join("kulkul.toml").to_str().expect("UTF-8").to_owned()
    }

    pub(crate) fn node(&self) -> Server {
        self.node_of("kulkul")
    }

    /// Of one of several deployments on the same broker.
    pub(crate) fn node_of(&self, deployment: &str) -> Server {
        let engine = format!("{}://{}", self.scheme, self.broker.address);
        Server::spawn(
            &[("KULKUL_ENGINE_PREFIX", deployment)],
            &["--config", &self.config(), "--engine", &engine],
        )
    }

    pub(crate) fn client(&self, node: &Server, user: &str) -> Client {
        self.client_at(node, "/ws", user)
    }

    pub(crate) fn client_at(&self, node: &Server, path: &str, user: &str) -> Client {
        self.client_with(node, path, &["--user", user])
    }

    /// `says`: what the token says, as `kulkul token` is told.
    pub(crate) fn client_with(&self, node: &Server, path: &str, says: &[&str]) -> Client {
        let and = if path.contains('?') { '&' } else { '?' };
        Client::open(node, &format!("{path}{and}token={}", self.token_with(says))).expect("let in")
    }

    pub(crate) fn token(&self, user: &str) -> String {
        self.token_with(&["--user", user])
    }

    pub(crate) fn token_with(&self, says: &[&str]) -> String {
        let told = kulkul(&[&["token", "--config", &self.config()], says].concat());
        String::from_utf8(told.stdout).expect("UTF-8").trim().to_owned()
    }
}

impl Server {
    /// A request to the operator's listener: the status, and what was answered.
    pub(crate) fn ask_operator(&self, request: &str, body: &str) -> (u16, String) {
        let operator = self.operator.clone().expect("it has one");
        let head = format!("{request} HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n");
        let key = format!("Authorization: Bearer {API_KEY}\r\nContent-Type: application/json\r\n");
        let length = format!("Content-Length: {}\r\n\r\n", body.len());
        self.http_at(&operator, &format!("{head}{key}{length}{body}"))
    }
}
