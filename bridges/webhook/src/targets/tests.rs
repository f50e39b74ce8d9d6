//! Calls that must not arrive, against a receiver of this machine that would take them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ureq::unversioned::resolver::DefaultResolver;

use super::*;
use crate::call::{Came, Receiver};
use crate::tests::hook;

/// Answers whatever comes, and counts it.
fn receiver(status: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, count) = (listener.local_addr().expect("bound"), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            counted.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4096];
            if stream.read(&mut head).is_ok() {
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).ok();
            }
        }
    });
    (address, count)
}

/// Whoever owns a name answers for it as they like: first with a public address, then with one of this machine.
#[derive(Debug)]
struct Rebinding {
    asked: AtomicUsize,
    answers: Vec<Vec<SocketAddr>>,
}

impl Resolver for Rebinding {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let index = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        let mut addresses = self.empty();
        self.answers[index].iter().for_each(|address| addresses.push(*address));
        Ok(addresses)
    }
}

fn tells(url: &str, names: impl Resolver, allow: &[&str]) -> Came {
    let mut hook = hook("orders", &[]);
    hook.url = url.to_owned();
    hook.allow = allow.iter().map(|it| it.parse().expect("a network")).collect();
    Receiver::by(&hook, names).tell("{}")
}

fn is_forbidden(came: &Came) -> bool {
    matches!(came, Came::Failed(why) if why.contains("is no public address"))
}

/// T28: however an address is written.
#[test]
fn t28_no_way_of_writing_this_machines_addresses_leads_there() {
    let (address, count) = receiver("200 OK");
    let port = address.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "[::1]",
        "0.0.0.0",
        "[::]",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "localhost",
    ] {
        for scheme in ["http", "https"] {
            let came = tells(&format!("{scheme}://{host}:{port}/"), DefaultResolver::default(), &[]);
            assert!(matches!(came, Came::Failed(_)), "{scheme}://{host}: {came:?}");
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), 0, "nobody has connected");
    let came = tells(&format!("http://127.0.0.1:{port}/"), DefaultResolver::default(), &["127.0.0.0/8"]);
    assert_eq!(came, Came::Taken, "who means it is let");
}

/// T28: a name whose answer changes.
#[test]
fn t28_a_name_that_changes_its_address_is_looked_at_each_time_and_connected_to_where_it_was_looked_at() {
    let (address, count) = receiver("200 OK");
    let public: SocketAddr = "93.184.215.14:443".parse().expect("an address");
    // Both at once.
    let both = Rebinding { asked: AtomicUsize::new(0), answers: vec![vec![public, address]] };
    assert!(is_forbidden(&tells("https://back.example.org/", both, &[])));
    // A good one first, which nobody connects to here: the next question has the answer that counts.
    let names = Rebinding { asked: AtomicUsize::new(0), answers: vec![vec![public], vec![address]] };
    let targets = Targets { allow: Vec::new(), names };
    let uri: Uri = "https://back.example.org/".parse().expect("a URL");
    let timeout = || NextTimeout {
        after: ureq::unversioned::transport::time::Duration::NotHappening,
        reason: ureq::Timeout::Resolve,
        per_read: None,
        per_write: None,
    };
    let config = ureq::Agent::config_builder().build();
    let first = targets.resolve(&uri, &config, timeout()).expect("a public address");
    assert_eq!(first.iter().copied().collect::<Vec<_>>(), [public], "and no other is connected to");
    assert!(targets.resolve(&uri, &config, timeout()).is_err());
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

/// T28: the answer says to go elsewhere.
#[test]
fn t28_a_redirect_leads_nowhere() {
    let (inner, count) = receiver("200 OK");
    let location: &'static str = format!("302 Found\r\nLocation: http://{inner}/").leak();
    let (outer, asked) = receiver(location);
    let came = tells(&format!("http://{outer}/"), DefaultResolver::default(), &["127.0.0.0/8"]);
    assert!(matches!(came, Came::Failed(why) if why.contains("redirects")), "whatever may be reached there");
    assert_eq!((asked.load(Ordering::SeqCst), count.load(Ordering::SeqCst)), (1, 0));
}

/// T28: without TLS.
#[test]
fn t28_in_the_open_is_spoken_to_named_networks_alone() {
    let public = || Rebinding {
        asked: AtomicUsize::new(0),
        answers: vec![vec!["93.184.215.14:80".parse().expect("an address")]],
    };
    let came = tells("http://back.example.org/", public(), &["10.0.0.0/8"]);
    assert!(matches!(&came, Came::Failed(why) if why.contains("in the open")), "{came:?}");
}

#[test]
fn addresses_are_public_or_they_are_not() {
    for address in [
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.0.1",
        "198.19.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "0.1.2.3",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::",
        "100::1",
        "3fff::1",
        "5f00::1",
    ] {
        assert!(!is_public(address.parse().expect(address)), "{address}");
    }
    for address in
        ["1.1.1.1", "93.184.215.14", "172.32.0.1", "::ffff:1.1.1.1", "2606:4700::1111", "2a00:1450::1"]
    {
        assert!(is_public(address.parse().expect(address)), "{address}");
    }
}
