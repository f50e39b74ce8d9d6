//! A plain client of Redis, as another fleet's server is one: it publishes, subscribes and looks at keys.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::support::PATIENCE;

pub(crate) struct Redis {
    stream: BufReader<TcpStream>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Nil,
    Number(i64),
    Text(String),
    List(Vec<Answer>),
}

impl Redis {
    pub(crate) fn connect(address: SocketAddr) -> Redis {
        let stream = TcpStream::connect(address).expect("listening");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Redis { stream: BufReader::new(stream) }
    }

    /// Hears what is published there.
    pub(crate) fn on(address: SocketAddr, channel: &str) -> Redis {
        let mut redis = Redis::connect(address);
        redis.ask(&["SUBSCRIBE", channel]);
        redis
    }

    pub(crate) fn ask(&mut self, words: &[&str]) -> Answer {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(command.as_bytes()).expect("taken");
        self.answer()
    }

    pub(crate) fn publish(&mut self, channel: &str, message: &str) {
        self.ask(&["PUBLISH", channel, message]);
    }

    /// The members of a set or the elements of a list.
    pub(crate) fn texts(&mut self, words: &[&str]) -> Vec<String> {
        let Answer::List(list) = self.ask(words) else { panic!("{words:?} gives no list") };
        list.into_iter().map(|it| if let Answer::Text(text) = it { text } else { panic!("{it:?}") }).collect()
    }

    pub(crate) fn number(&mut self, words: &[&str]) -> i64 {
        match self.ask(words) {
            Answer::Number(number) => number,
            other => panic!("{words:?} gives {other:?}"),
        }
    }

    pub(crate) fn text(&mut self, words: &[&str]) -> Option<String> {
        match self.ask(words) {
            Answer::Text(text) => Some(text),
            Answer::Nil => None,
            other => panic!("{words:?} gives {other:?}"),
        }
    }

    /// The next message of what it subscribed to.
    pub(crate) fn message(&mut self) -> serde_json::Value {
        match self.answer() {
            Answer::List(parts) => match &parts[..] {
                [Answer::Text(kind), _, Answer::Text(message)] if kind == "message" => {
                    serde_json::from_str(message).expect("JSON")
                }
                other => panic!("{other:?} is no message"),
            },
            other => panic!("{other:?} is no message"),
        }
    }

    fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer");
        let (kind, rest) = line.trim_end().split_at(1);
        let number = || rest.parse::<i64>().expect("a number");
        match kind {
            "+" => Answer::Text(rest.to_owned()),
            ":" => Answer::Number(number()),
            "$" if number() < 0 => Answer::Nil,
            "$" => {
                let mut bytes = vec![0; number() as usize + 2];
                self.stream.read_exact(&mut bytes).expect("a text");
                bytes.truncate(bytes.len() - 2);
                Answer::Text(String::from_utf8(bytes).expect("UTF-8"))
            }
            "*" if number() < 0 => Answer::Nil,
            "*" => Answer::List((0..number()).map(|_| self.answer()).collect()),
            _ => panic!("Redis says {line:?}"),
        }
    }
}
