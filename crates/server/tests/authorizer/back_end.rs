//! A team's back end: answers questions about users as a test says, and remembers what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::support::PATIENCE;

pub(crate) const SECRET: &str = "a secret of the back end, 32 bytes or more";

/// What a question is answered with.
pub(crate) enum Says {
    Json(&'static str),
    Status(u16, &'static str),
    /// Nothing, for as long as the test lasts.
    Nothing,
}

type Judge = dyn Fn(&Value) -> Says + Send + Sync;

#[derive(Default)]
struct Log {
    asked: Vec<Value>,
    open: usize,
    most: usize,
    hanging: Vec<TcpStream>,
}

pub(crate) struct BackEnd {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

impl BackEnd {
    pub(crate) fn start(judge: impl Fn(&Value) -> Says + Send + Sync + 'static) -> BackEnd {
        BackEnd::at(TcpListener::bind("127.0.0.1:0").expect("a port"), judge)
    }

    pub(crate) fn at(
        listener: TcpListener,
        judge: impl Fn(&Value) -> Says + Send + Sync + 'static,
    ) -> BackEnd {
        let address = listener.local_addr().expect("bound");
        let (log, judge): (Arc<Mutex<Log>>, Arc<Judge>) = (Arc::default(), Arc::new(judge));
        let kept = log.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, log, judge) = (stream.expect("a connection"), kept.clone(), judge.clone());
                std::thread::spawn(move || serve(&stream, &log, &*judge));
            }
        });
        BackEnd { address, log }
    }

    /// The lines of a config that name it.
    pub(crate) fn config(&self) -> String {
        format!("[authorizer]\nurl = \"http://{}/may\"\nsecret = \"{SECRET}\"\n", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        self.log.lock().expect("whole").asked.clone()
    }

    /// Questions that it had at the same time, at most.
    pub(crate) fn most(&self) -> usize {
        self.log.lock().expect("whole").most
    }

    pub(crate) fn until_asked(&self, count: usize) {
        let from = Instant::now();
        while self.asked().len() < count {
            assert!(from.elapsed() < PATIENCE, "asked {}", self.asked().len());
            std::thread::yield_now();
        }
    }
}

/// One request after another, as long as the other side likes.
fn serve(stream: &TcpStream, log: &Mutex<Log>, judge: &Judge) {
    let mut reader = BufReader::new(stream);
    while let Some((head, body)) = request(&mut reader) {
        let question = checked(&head, &body);
        {
            let mut log = log.lock().expect("whole");
            log.asked.push(question.clone());
            log.open += 1;
            log.most = log.most.max(log.open);
        }
        let said = judge(&question);
        let mut log = log.lock().expect("whole");
        log.open -= 1;
        let (status, body) = match said {
            Says::Json(body) => (200, body),
            Says::Status(status, body) => (status, body),
            Says::Nothing => return log.hanging.push(stream.try_clone().expect("a descriptor")),
        };
        let answer = format!("HTTP/1.1 {status} Answer\r\nContent-Length: {}\r\n\r\n{body}", body.len());
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
    let length = field(&head, "content-length").parse().expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn field(head: &[String], name: &str) -> String {
    let fields = head.iter().filter_map(|line| line.split_once(": "));
    let mut found =
        fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned());
    found.next_back().unwrap_or_else(|| panic!("no {name} in {head:?}"))
}

/// Every question is signed, and says when it was asked.
fn checked(head: &[String], body: &[u8]) -> Value {
    assert_eq!(head[0], "POST /may HTTP/1.1");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(field(head, "kulkul-signature"), format!("sha256={hex}"));
    let question: Value = serde_json::from_slice(body).expect("JSON");
    let at = question["at"].as_i64().expect("a time");
    assert_eq!(field(head, "kulkul-timestamp"), (at / 1000).to_string());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    assert!((now.as_millis() as i64 - at).abs() < PATIENCE.as_millis() as i64, "{at}");
    question
}
