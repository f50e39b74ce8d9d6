//! The binary as systemd starts it: on sockets that are listened on already, told of what becomes of it. No systemd is needed: what it
//! says stands in variables and descriptors.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use support::{Folder, PATIENCE, Server, kulkul};

/// What the server tells systemd.
struct Told(UnixDatagram);

impl Told {
    fn at(folder: &Folder) -> (Told, String) {
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        (Told(socket), path.to_str().expect("UTF-8").to_owned())
    }

    /// Reads on until it is told this.
    fn until(&self, word: &str) -> String {
        let mut heard = [0; 1024];
        loop {
            let count = self.0.recv(&mut heard).unwrap_or_else(|error| panic!("{word} is not told: {error}"));
            let text = String::from_utf8_lossy(&heard[..count]).into_owned();
            if text.lines().any(|line| line == word) {
                return text;
            }
        }
    }
}

/// One socket in the place of the first that systemd gives. Who we are is known to the shell alone.
fn activated(folder: Folder, socket: TcpListener, variables: &str, args: &str) -> Server {
    let (binary, data) = (env!("CARGO_BIN_EXE_kulkul"), folder.text().to_owned());
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!(
        "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 WATCHDOG_PID=$$ KULKUL_LOG=info {variables} \
         exec {binary} serve --data {data} {args}"
    ));
    shell.stdin(Stdio::from(OwnedFd::from(socket)));
    Server::begun(folder, shell)
}

#[test]
fn a_client_that_comes_before_the_server_waits_in_the_socket_that_it_is_given() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound").to_string();
    let waits = std::net::TcpStream::connect(&address).expect("systemd listens");
    let server = activated(
        Folder::new(),
        socket.try_clone().expect("a copy"),
        "LISTEN_FDNAMES=public",
        "--listen 127.0.0.1:1",
    );
    assert_eq!(server.address, address, "the socket counts, and no flag");
    let mut waits = waits;
    std::io::Write::write_all(
        &mut waits,
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .expect("taken");
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut waits, &mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Another life of it takes up where this one ends, and whoever comes in between is not refused.
    drop(server);
    let between = std::net::TcpStream::connect(&address).expect("systemd listens still");
    let again = activated(Folder::new(), socket, "", "");
    assert_eq!(again.get("/health").0, 200);
    drop(between);
}

#[test]
fn an_operators_socket_is_the_operators() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound").to_string();
    let server = activated(Folder::new(), socket, "LISTEN_FDNAMES=operator", "--listen 127.0.0.1:0");
    assert_eq!(server.operator.as_deref(), Some(address.as_str()));
    assert_ne!(server.address, address);
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    assert_eq!(server.http_at(&address, &request).0, 200);
}

#[test]
fn a_socket_that_others_reach_is_refused_in_demo_mode_as_an_address_is() {
    let socket = TcpListener::bind("0.0.0.0:0").expect("a port");
    let (folder, binary) = (Folder::new(), env!("CARGO_BIN_EXE_kulkul"));
    let mut shell = Command::new("sh");
    let text =
        format!("exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec {binary} --data {}", folder.text());
    let output =
        shell.arg("-c").arg(text).stdin(Stdio::from(OwnedFd::from(socket))).output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("can be reached from other machines"), "{said}");
}

#[test]
fn systemd_is_told_that_it_serves_lives_reads_again_and_stops() {
    let folder = Folder::new();
    let (told, path) = Told::at(&folder);
    std::fs::write(folder.path().join("kulkul.toml"), "secret = \"0123456789abcdef0123456789abcdef\"\n")
        .expect("written");
    let config = folder.path().join("kulkul.toml").to_str().expect("UTF-8").to_owned();
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let variables = format!("NOTIFY_SOCKET={path} WATCHDOG_USEC=300000");
    let server = activated(folder, socket, &variables, &format!("--config {config}"));
    let ready = told.until("READY=1");
    assert!(ready.contains(&format!("STATUS=serving at http://{}", server.address)), "{ready}");
    told.until("WATCHDOG=1");
    told.until("WATCHDOG=1");
    server.signal(Signal::SIGHUP);
    assert!(told.until("RELOADING=1").contains("MONOTONIC_USEC="));
    told.until("READY=1");
    server.signal(Signal::SIGTERM);
    assert!(told.until("STOPPING=1").contains("STATUS=draining"));
    assert!(server.wait().success());
}

#[test]
fn shells_complete_what_there_is_and_every_command_has_its_page() {
    for shell in ["bash", "zsh", "fish"] {
        let output = kulkul(&["completions", shell]);
        assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("publish"),
            "{shell}"
        );
    }
    let folder = Folder::new();
    assert!(kulkul(&["man", "--out", folder.text()]).status.success());
    for page in ["kulkul.1", "kulkul-serve.1", "kulkul-publish.1", "kulkul-bench.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).expect("a page");
        assert!(text.contains(".TH") && text.contains(".SH"), "{page}: {text}");
    }
    assert!(String::from_utf8_lossy(&kulkul(&["man"]).stdout).contains("\\-\\-config"));
}
