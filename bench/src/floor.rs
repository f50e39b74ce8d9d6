//! People at their connections: who says what is another's affair, here it is sent and heard.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::wire::{self, Answer, Scanned};

const PATIENCE: Duration = Duration::from_secs(20);

struct Person {
    stream: TcpStream,
    heard: Vec<u8>,
    waiting: Vec<u8>,
}

pub(crate) struct Floor {
    epoll: Epoll,
    people: Vec<Person>,
    buffer: Box<[u8; 256 << 10]>,
}

impl Floor {
    pub(crate) fn new() -> Result<Floor> {
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        Ok(Floor { epoll, people: Vec::new(), buffer: Box::new([0; 256 << 10]) })
    }

    /// Lets one in, and says which number they have.
    pub(crate) fn enter(&mut self, port: u16, token: &str) -> Result<usize> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&wire::upgrade_request(port, "/ws", Some(token), false))?;
        let mut heard = Vec::new();
        let end = loop {
            match wire::upgrade_answer(&heard) {
                Answer::Upgraded(end) => break end,
                Answer::Refused(why) => bail!("{why}"),
                Answer::Incomplete => {
                    let count = stream.read(&mut self.buffer[..]).context("no answer")?;
                    ensure!(count > 0, "the server hung up");
                    heard.extend_from_slice(&self.buffer[..count]);
                }
            }
        };
        heard.drain(..end);
        stream.set_nonblocking(true)?;
        let number = self.people.len();
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
        self.people.push(Person { stream, heard, waiting: Vec::new() });
        Ok(number)
    }

    pub(crate) fn say(&mut self, who: usize, text: &str) -> Result<()> {
        let person = &mut self.people[who];
        wire::client_frame(wire::TEXT, text.as_bytes(), &mut person.waiting);
        person.flush()
    }

    /// What came within this time at most, frame by frame, with whom it came to.
    pub(crate) fn hear(
        &mut self,
        wait: EpollTimeout,
        mut told: impl FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut events = [EpollEvent::empty(); 512];
        let ready = self.epoll.wait(&mut events, wait)?;
        for event in &events[..ready] {
            let who = event.data() as usize;
            let person = &mut self.people[who];
            person.flush()?;
            let count = match person.stream.read(&mut self.buffer[..]) {
                Ok(0) => bail!("the server closed connection {who}"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            };
            person.heard.extend_from_slice(&self.buffer[..count]);
            let mut at = 0;
            loop {
                match wire::server_frame(&person.heard[at..]) {
                    Scanned::Frame { opcode, payload, bytes, .. } => {
                        match opcode {
                            wire::TEXT => told(who, payload)?,
                            wire::PING => wire::client_frame(wire::PONG, payload, &mut person.waiting),
                            wire::CLOSE => bail!("{who} was closed: {}", String::from_utf8_lossy(payload)),
                            _ => {}
                        }
                        at += bytes;
                    }
                    Scanned::Incomplete => break,
                    Scanned::Malformed => bail!("no frame"),
                }
            }
            person.heard.drain(..at);
        }
        Ok(())
    }
}

impl Person {
    fn flush(&mut self) -> Result<()> {
        while !self.waiting.is_empty() {
            match self.stream.write(&self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
