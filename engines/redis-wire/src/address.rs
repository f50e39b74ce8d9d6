//! Where servers are and how they are spoken to, read from what the operator wrote. It connects to nothing, and never shows
//! the password.

use std::fmt;
use std::path::Path;

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError, TlsCertificates,
};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why there is no way to go.
#[derive(Debug)]
pub enum Unplanned {
    Url(String),
    Authorities(std::io::Error),
}

impl fmt::Display for Unplanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unplanned::Url(why) => write!(
                f,
                "`url` cannot be used: {why}; write redis://user:password@host:port/database, or rediss:// for TLS"
            ),
            Unplanned::Authorities(why) => {
                write!(f, "the file of `authorities` cannot be read: {why}; it must be PEM")
            }
        }
    }
}

impl std::error::Error for Unplanned {}

/// How every connection is made.
pub struct Plan {
    info: ConnectionInfo,
    tls: Option<TlsCertificates>,
}

impl Plan {
    /// And the servers that `url` names, separated by commas. `authorities`: whom to trust with TLS, PEM; else the system's.
    pub fn read(url: &str, authorities: Option<&Path>) -> Result<(Plan, Vec<Address>), Unplanned> {
        let words = |error: RedisError| Unplanned::Url(error.to_string());
        let (mut first, mut servers) = (None::<ConnectionInfo>, Vec::new());
        for url in url.split(',') {
            let info = url.trim().into_connection_info().map_err(words)?;
            match info.addr() {
                ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                    servers.push(Address { host: host.clone(), port: *port });
                }
                _ => return Err(Unplanned::Url("only TCP is spoken".to_owned())),
            }
            first.get_or_insert(info);
        }
        let Some(info) = first else { return Err(Unplanned::Url("it is empty".to_owned())) };
        let tls = match authorities {
            Some(path) => {
                let root_cert = Some(std::fs::read(path).map_err(Unplanned::Authorities)?);
                Some(TlsCertificates { client_tls: None, root_cert })
            }
            None => None,
        };
        Ok((Plan { info, tls }, servers))
    }

    /// A client for one server, with the credentials and the TLS of the address that was configured.
    pub fn client(&self, address: &Address, speaks: ProtocolVersion) -> redis::RedisResult<Client> {
        let addr = match self.info.addr() {
            ConnectionAddr::Tcp(..) => ConnectionAddr::Tcp(address.host.clone(), address.port),
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
                host: address.host.clone(),
                port: address.port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            other => other.clone(),
        };
        let settings = self.info.redis_settings().clone().set_protocol(speaks);
        let info = self.info.clone().set_addr(addr).set_redis_settings(settings);
        // An answer that waits for more to send with it is late.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        match &self.tls {
            Some(tls) => Client::build_with_tls(info, tls.clone()),
            None => Client::open(info),
        }
    }
}
