//! A team's back end: takes calls as a test says, believes none that is not signed, and remembers what it took.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::PATIENCE;

pub(crate) const SECRET: &str = "a secret of the receiver, 32 bytes or more";

/// What a call is answered with.
#[derive(Clone, Copy)]
pub(crate) enum Says {
    Status(u16),
    /// And the seconds to leave it alone.
    Later(u16, u64),
    /// Nothing, for as long as the test lasts.
    Nothing,
}

type Judge = dyn FnMut(&Value) -> Says + Send;

#[derive(Default)]
struct Log {
    /// Calls that were answered 200, in the order in which they came, and all of them.
    taken: Vec<Value>,
    called: usize,
    signatures: Vec<String>,
    /// Rooms of calls that are not answered yet.
    open: BTreeSet<String>,
    most: usize,
    /// A room that was in two calls at the same time.
    twice: Option<String>,
    hanging: Vec<TcpStream>,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

impl Receiver {
    pub(crate) fn start(judge: impl FnMut(&Value) -> Says + Send + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (log, judge): (Arc<Mutex<Log>>, Arc<Mutex<Judge>>) =
            (Arc::default(), Arc::new(Mutex::new(judge)));
        let kept = log.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, log, judge) = (stream.expect("a connection"), kept.clone(), judge.clone());
                std::thread::spawn(move || serve(&stream, &log, &judge));
            }
        });
        Receiver { address, log }
    }

    pub(crate) fn taken(&self) -> Vec<Value> {
        self.log.lock().expect("whole").taken.clone()
    }

    pub(crate) fn called(&self) -> usize {
        self.log.lock().expect("whole").called
    }

    pub(crate) fn signatures(&self) -> Vec<String> {
        self.log.lock().expect("whole").signatures.clone()
    }

    /// Calls at the same time, at most.
    pub(crate) fn most(&self) -> usize {
        self.log.lock().expect("whole").most
    }

    pub(crate) fn twice(&self) -> Option<String> {
        self.log.lock().expect("whole").twice.clone()
    }

    /// Events that it took, in their order, each as often as it came.
    pub(crate) fn events(&self) -> Vec<Value> {
        let calls = self.taken();
        calls.iter().flat_map(|call| call["events"].as_array().expect("events").clone()).collect()
    }

    /// What was said in a room, as one has it who knows an event's id again.
    pub(crate) fn contents(&self, room: &str) -> Vec<String> {
        let (room, mut seen) = (format!("chat:{room}"), BTreeSet::new());
        let events = self.events().into_iter().filter(|event| event["room"] == room.as_str());
        let new = events.filter(|event| seen.insert(event["id"].as_str().expect("an id").to_owned()));
        new.map(|event| event["payload"]["content"].as_str().expect("a text").to_owned()).collect()
    }
}

/// One call after another, as long as the other side likes.
fn serve(stream: &TcpStream, log: &Mutex<Log>, judge: &Mutex<Judge>) {
    let mut reader = BufReader::new(stream);
    while let Some((head, body)) = request(&mut reader) {
        let call = checked(&head, &body);
        let room = call["room"].as_str().expect("a room").to_owned();
        {
            let mut log = log.lock().expect("whole");
            log.called += 1;
            log.signatures.push(field(&head, "kulkul-signature"));
            if !log.open.insert(room.clone()) {
                log.twice = Some(room.clone());
            }
            log.most = log.most.max(log.open.len());
        }
        let said = judge.lock().expect("whole")(&call);
        let mut log = log.lock().expect("whole");
        let (status, fields) = match said {
            Says::Status(status) => (status, String::new()),
            Says::Later(status, seconds) => (status, format!("Retry-After: {seconds}\r\n")),
            Says::Nothing => return log.hanging.push(stream.try_clone().expect("a descriptor")),
        };
        log.open.remove(&room);
        if status == 200 {
            log.taken.push(call);
        }
        drop(log);
        let answer = format!("HTTP/1.1 {status} Answer\r\n{fields}Content-Length: 0\r\n\r\n");
        if (&mut &*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn request(reader: &mut impl BufRead) -> Option<(Vec<String>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return None,
            Ok(_) if line.trim().is_empty() => break,
            Ok(_) => head.push(line.trim().to_owned()),
        }
    }
    let mut body = vec![0; field(&head, "content-length").parse().expect("a length")];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn field(head: &[String], name: &str) -> String {
    let fields = head.iter().filter_map(|line| line.split_once(": "));
    let mut found =
        fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned());
    found.next_back().unwrap_or_else(|| panic!("no {name} in {head:?}"))
}

/// Every call is signed with its time, which is about now.
fn checked(head: &[String], body: &[u8]) -> Value {
    assert_eq!(head[0], "POST /told HTTP/1.1");
    let time = field(head, "kulkul-timestamp");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signed = field(head, "kulkul-signature");
    assert!(signed.split(',').any(|it| it == format!("sha256={hex}")), "{signed}");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(now.abs_diff(time.parse().expect("seconds")) < PATIENCE.as_secs(), "{time}");
    serde_json::from_slice(body).expect("JSON")
}
