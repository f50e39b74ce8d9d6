//! A server of one's own for each test, and a client that says and hears.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use websocket::handshake::Key;
use websocket::handshake::client::{Answer, Ask};
use websocket::{Compression, Decoder, Event, Inflater, Limits, Role, frame};

/// Longer than anything here takes on the slowest machine: a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn kulkul(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kulkul")).args(args).output().expect("the binary runs")
}

/// From an address of this machine; all of 127.0.0.0/8 are.
pub(crate) fn connect_from(to: &str, source: [u8; 4]) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("loopback");
    let to: SocketAddr = to.parse().expect("an address");
    socket.connect(&to.into()).expect("listening");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// A folder of the test's own, gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kulkul-test-{}-{number}", std::process::id()));
        // Left by a process that was killed and had the same number.
        std::fs::remove_dir_all(&path).ok();
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// Where its operator's listener is, if it has one.
    pub(crate) operator: Option<String>,
    config: Option<(Folder, PathBuf)>,
    pub(crate) folder: Folder,
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::with(&[])
    }

    pub(crate) fn with(args: &[&str]) -> Server {
        Server::logging("warn", args)
    }

    /// What it logs from this level on can be read in `log`.
    pub(crate) fn logging(level: &str, args: &[&str]) -> Server {
        Server::spawn(&[("KULKUL_LOG", level)], args)
    }

    /// Logs what its config says.
    pub(crate) fn logging_as_configured(args: &[&str]) -> Server {
        Server::spawn(&[], args)
    }

    /// By this config, which stands in the server's own folder for as long as it lives.
    pub(crate) fn configured(config: &str) -> Server {
        Server::by_config(config, |path| Server::spawn(&[], &["--config", path]))
    }

    /// The same, and no flag says where it listens and where its data are.
    pub(crate) fn configured_whole(config: &str) -> Server {
        Server::by_config(config, |path| Server::run(Folder::new(), &[], &["--config", path]))
    }

    fn by_config(config: &str, start: impl FnOnce(&str) -> Server) -> Server {
        let folder = Folder::new();
        let path = folder.path().join("kulkul.toml");
        std::fs::write(&path, format!("operator_listen = \"127.0.0.1:0\"\n{config}")).expect("written");
        let mut server = start(path.to_str().expect("UTF-8"));
        server.config = Some((folder, path));
        server
    }

    pub(crate) fn config_path(&self) -> &str {
        let (_, path) = self.config.as_ref().expect("it was started by a config");
        path.to_str().expect("UTF-8")
    }

    /// Its config reads otherwise from now on, and it is told so.
    pub(crate) fn configure(&self, config: &str) {
        let (_, path) = self.config.as_ref().expect("it was started by a config");
        std::fs::write(path, format!("operator_listen = \"127.0.0.1:0\"\n{config}")).expect("written");
        self.signal(Signal::SIGHUP);
    }

    pub(crate) fn spawn(variables: &[(&str, &str)], args: &[&str]) -> Server {
        let folder = Folder::new();
        let data = folder.text().to_owned();
        Server::run(folder, variables, &[&["--listen", "127.0.0.1:0", "--data", &data], args].concat())
    }

    /// On data that outlives it.
    pub(crate) fn on(data: &Folder, args: &[&str]) -> Server {
        let always = ["--listen", "127.0.0.1:0", "--data", data.text()];
        Server::run(Folder::new(), &[("KULKUL_LOG", "warn")], &[&always, args].concat())
    }

    /// The same, where another one was before.
    pub(crate) fn on_at(data: &Folder, address: &str) -> Server {
        let args = ["--listen", address, "--data", data.text()];
        Server::run(Folder::new(), &[("KULKUL_LOG", "warn")], &args)
    }

    fn run(folder: Folder, variables: &[(&str, &str)], args: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kulkul"));
        command.arg("serve").args(args).envs(variables.iter().copied());
        Server::begun(folder, command)
    }

    /// By a command that becomes the server.
    pub(crate) fn begun(folder: Folder, mut command: Command) -> Server {
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the binary runs");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let host = |url: &Value| Some(url.as_str()?.split_once("://")?.1.to_owned());
        let address = host(&ready["listening"]).expect("listening is a URL");
        Server { child, address, operator: host(&ready["operator"]), config: None, folder }
    }

    pub(crate) fn token(&self, user: &str, name: &str) -> String {
        self.token_with(&["--user", user, "--name", name])
    }

    pub(crate) fn token_with(&self, args: &[&str]) -> String {
        let output = kulkul(&[&["token", "--data", self.folder.text()], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
    }

    /// A client of a new user.
    pub(crate) fn client(&self, user: &str) -> Client {
        Client::open(self, &format!("/ws?token={}", self.token(user, user))).expect("let in")
    }

    /// One HTTP request; the status and the body.
    pub(crate) fn http(&self, request: &str) -> (u16, String) {
        self.http_at(&self.address, request)
    }

    pub(crate) fn http_at(&self, address: &str, request: &str) -> (u16, String) {
        let (status, answer) = self.http_whole_at(address, request);
        (status, answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
    }

    /// The status, and all of the answer.
    pub(crate) fn http_whole_at(&self, address: &str, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).expect("listening");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer in text");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.unwrap_or_else(|| panic!("no status in {answer:?}")), answer)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.http(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address))
    }

    pub(crate) fn get_json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Asks until the answer is as wanted.
    pub(crate) fn until(&self, path: &str, wanted: &str) {
        let from = Instant::now();
        loop {
            let (_, body) = self.get(path);
            if body.trim() == wanted {
                return;
            }
            assert!(from.elapsed() < PATIENCE, "{path} stays {body:?}, wanted {wanted:?}");
        }
    }

    /// All that was logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("the log is text")
    }

    /// Reads the log until these words are in it.
    pub(crate) fn until_log(&self, words: &str) {
        let from = Instant::now();
        while !self.log().contains(words) {
            assert!(from.elapsed() < PATIENCE, "the log does not say {words:?}: {}", self.log());
            std::thread::yield_now();
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the server lives");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    inflater: Inflater,
    heard: std::collections::VecDeque<Heard>,
    pub(crate) protocol: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Close(u16, String),
    /// The socket ended.
    End,
}

impl Client {
    pub(crate) fn open(server: &Server, target: &str) -> Result<Client, u16> {
        Client::open_with(server, target, &[], &[])
    }

    pub(crate) fn open_with(
        server: &Server,
        target: &str,
        protocols: &[&str],
        fields: &[(&str, &str)],
    ) -> Result<Client, u16> {
        Client::open_at(&server.address, target, protocols, fields)
    }

    /// By whatever stands in front of a server.
    pub(crate) fn open_at(
        address: &str,
        target: &str,
        protocols: &[&str],
        fields: &[(&str, &str)],
    ) -> Result<Client, u16> {
        let key = Key::from_nonce([7; 16]);
        let ask = Ask { host: address, target, key, protocols, fields };
        let mut stream = TcpStream::connect(address).expect("listening");
        // Two frames that are said one after the other would else wait for each other's acknowledgement.
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(&ask.request()).expect("taken");
        let mut received = Vec::new();
        let mut byte = [0; 1];
        loop {
            match ask.check(&received) {
                Answer::Accepted { protocol, .. } => {
                    let limits = Limits { message_bytes_max: 32 << 20, fragments_max: 1 << 20 };
                    let decoder = Decoder::new(Role::Client, limits, Compression::Off);
                    let (heard, protocol) = (Default::default(), protocol.map(str::to_owned));
                    let inflater = Inflater::default();
                    return Ok(Client { stream, decoder, inflater, heard, protocol });
                }
                Answer::Refused { status } => return Err(status),
                Answer::Broken(why) => panic!("{why}: {:?}", String::from_utf8_lossy(&received)),
                Answer::Incomplete => match stream.read(&mut byte) {
                    Ok(1) => received.push(byte[0]),
                    other => panic!("the server hung up: {other:?}"),
                },
            }
        }
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.send(&frame::masked(frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes()));
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// The same, for what the server may hang up on.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The upgrade and what follows it in one piece: all is there before the server looks.
    pub(crate) fn say_all(server: &Server, user: &str, texts: &[&str]) -> TcpStream {
        Client::say_all_with(server, &server.token(user, user), texts)
    }

    pub(crate) fn say_all_with(server: &Server, token: &str, texts: &[&str]) -> TcpStream {
        let target = format!("/ws?token={token}");
        let key = Key::from_nonce([1; 16]);
        let ask = Ask { host: &server.address, target: &target, key, protocols: &[], fields: &[] };
        let mut bytes = ask.request();
        for text in texts {
            bytes.extend(frame::masked(frame::Opcode::Text, [9, 9, 9, 9], text.as_bytes()));
        }
        let mut stream = TcpStream::connect(&server.address).expect("listening");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(&bytes).expect("taken");
        stream
    }

    /// Nothing more will be said; what is said to it is still heard.
    pub(crate) fn hang_up(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("open until now");
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn hear(&mut self) -> Heard {
        self.hear_within(PATIENCE).expect("something is heard")
    }

    /// What is heard in time, if anything is.
    pub(crate) fn hear_within(&mut self, patience: Duration) -> Option<Heard> {
        let end = Instant::now() + patience;
        let mut scratch = vec![0; 64 << 10];
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Some(heard);
            }
            // A socket takes no wait of nothing: that would be one without an end.
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).expect("a timeout");
            let read = match self.stream.read(&mut scratch) {
                Ok(0) => return Some(Heard::End),
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Some(Heard::End),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if Instant::now() < end {
                        continue;
                    }
                    return None;
                }
                Err(error) => panic!("nothing heard: {error}"),
            };
            for event in self.decoder.feed(&mut self.inflater, &mut scratch[..read]) {
                match event.expect("the server speaks RFC 6455") {
                    Event::Text(text) => self.heard.push_back(Heard::Text(text.into_owned())),
                    Event::Binary(bytes) => self.heard.push_back(Heard::Binary(bytes.into_owned())),
                    Event::Close(close) => {
                        let close = close.map_or((1005, String::new()), |c| (c.code, c.reason.into_owned()));
                        self.heard.push_back(Heard::Close(close.0, close.1));
                    }
                    Event::Ping(_) | Event::Pong(_) => {}
                }
            }
        }
    }

    /// The next message of a type; others may come before it.
    pub(crate) fn next(&mut self, kind: &str) -> Value {
        self.next_of(&[kind])
    }

    /// The next message of one of these types.
    pub(crate) fn next_of(&mut self, kinds: &[&str]) -> Value {
        loop {
            match self.hear() {
                Heard::Text(text) => {
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    if message["type"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
                        return message;
                    }
                }
                other => panic!("waiting for {kinds:?}, heard {other:?}"),
            }
        }
    }

    /// The close frame; messages may come before it.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        loop {
            match self.hear() {
                Heard::Close(code, reason) => return (code, reason),
                Heard::End => panic!("the socket ended without a close frame"),
                Heard::Text(_) | Heard::Binary(_) => {}
            }
        }
    }

    pub(crate) fn join(&mut self, room: &str) -> Value {
        self.say(&format!(r#"{{"type":"join_room","payload":{{"room_id":"{room}"}}}}"#));
        self.next("room_info")
    }
}
