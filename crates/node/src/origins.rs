//! Pages of which origins may connect (RFC 6454). A page cannot lie about its origin; whoever is no page says none.

use std::net::IpAddr;

/// A request without an origin is no page's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Pages of our own host; `loopback`: and, on a developer's machine, of any local port.
    Own {
        loopback: bool,
    },
    Listed(Vec<String>),
    All,
}

impl Origins {
    /// As browsers write them: in small letters, and without the port that goes without saying.
    pub fn listed(origins: &[String]) -> Origins {
        let as_written_by_browsers = |origin: &String| {
            let origin = origin.to_ascii_lowercase();
            let port = match origin.split_once("://") {
                Some(("http" | "ws", _)) => ":80",
                Some(("https" | "wss", _)) => ":443",
                _ => "",
            };
            origin.strip_suffix(port).unwrap_or(&origin).to_owned()
        };
        Origins::Listed(origins.iter().map(as_written_by_browsers).collect())
    }

    /// On a machine of one's own no foreign name leads here: a page that reaches us by one was led astray.
    pub fn allow(&self, origin: Option<&str>, host: &str) -> bool {
        let Some(origin) = origin else { return true };
        match self {
            Origins::Own { loopback: true } if !is_loopback(host) => false,
            Origins::All => true,
            Origins::Listed(listed) => listed.iter().any(|allowed| allowed == origin),
            Origins::Own { loopback } => {
                let Some((scheme, rest)) = origin.split_once("://") else { return false };
                if !matches!(scheme, "http" | "https") || rest.contains(['/', '@', '?', '#']) {
                    return false;
                }
                rest.eq_ignore_ascii_case(host) || (*loopback && is_loopback(rest) && is_loopback(host))
            }
        }
    }
}

/// Whether a `Host` can only be this machine itself.
pub fn is_loopback(host_and_port: &str) -> bool {
    let host = match host_and_port.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(host, _)| host),
        None => host_and_port.split_once(':').map_or(host_and_port, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_ours_by_its_whole_host_and_port() {
        let local = Origins::Own { loopback: true };
        for (origin, host, allowed) in [
            (None, "127.0.0.1:8080", true),
            (Some("http://127.0.0.1:8080"), "127.0.0.1:8080", true),
            (Some("http://rebound.test"), "rebound.test", false),
            (Some("http://localhost:5173"), "127.0.0.1:8080", true),
            (Some("http://[::1]:5173"), "localhost:8080", true),
            (Some("http://127.0.0.1.evil.test"), "127.0.0.1:8080", false),
            (Some("http://localhost:5173"), "example.org", false),
        ] {
            assert_eq!(local.allow(origin, host), allowed, "{origin:?} on {host}");
        }
        let listed = Origins::listed(&[
            "HTTPS://App.example:443".into(),
            "http://[::1]:80".into(),
            "http://a.test:443".into(),
        ]);
        for (origin, allowed) in [
            ("https://app.example", true),
            ("http://app.example", false),
            ("http://[::1]", true),
            ("http://a.test:443", true),
            ("http://a.test", false),
        ] {
            assert_eq!(listed.allow(Some(origin), "example.org"), allowed, "{origin}");
        }
        let own = Origins::Own { loopback: false };
        for (origin, host, allowed) in [
            (None, "example.org", true),
            (Some("https://example.org"), "example.org", true),
            (Some("https://EXAMPLE.org:8443"), "example.org:8443", true),
            (Some("https://example.org:8443"), "example.org", false),
            (Some("https://example.org.evil.test"), "example.org", false),
            (Some("https://evil.test/example.org"), "example.org", false),
            (Some("https://a@example.org"), "example.org", false),
            (Some("null"), "example.org", false),
            (Some(""), "example.org", false),
            (Some("file://"), "example.org", false),
            (Some("http://localhost:5173"), "localhost:8080", false),
        ] {
            assert_eq!(own.allow(origin, host), allowed, "{origin:?} on {host}");
        }
    }
}
