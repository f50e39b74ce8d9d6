//! A real server for a test: a child process on a free port of loopback, with a folder of its own, ended with the test.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A server that does not answer then is broken.
const START_WITHIN: Duration = Duration::from_secs(30);
/// One that is asked again and again.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Free ports that turn out not to be.
const TRIES_MAX: u32 = 5;

pub struct Server {
    program: &'static str,
    arguments: Vec<OsString>,
    pub address: SocketAddr,
    pub folder: PathBuf,
    child: Option<Child>,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// `arguments` are made from the port and the folder. Panics with the line that installs what is missing.
    pub fn start(program: &'static str, arguments: impl Fn(u16, &Path) -> Vec<OsString>) -> Server {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("kulkul-{program}-{}-{number}", std::process::id()));
        // Left by a process that was killed and had the same number.
        std::fs::remove_dir_all(&folder).ok();
        let mut tries = 0;
        loop {
            std::fs::create_dir_all(&folder).expect("a folder for the server");
            let address = free_address();
            let (arguments, folder) = (arguments(address.port(), &folder), folder.clone());
            let mut server = Server { program, arguments, address, folder, child: None };
            tries += 1;
            match server.try_begin() {
                Ok(()) => return server,
                // Somebody was given the port in between, or one beside it that a cluster speaks on.
                Err(said) if tries < TRIES_MAX && said.contains("ddress already in use") => {}
                Err(said) => panic!("{said}"),
            }
        }
    }

    /// Begins again, on the same port and what is in the folder.
    pub fn begin(&mut self) {
        self.try_begin().unwrap_or_else(|said| panic!("{said}"));
    }

    fn try_begin(&mut self) -> Result<(), String> {
        assert!(self.child.is_none(), "it runs");
        let log = File::options().create(true).append(true).open(self.log()).expect("a log for the server");
        let mut command = Command::new(self.program);
        command.args(&self.arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = command.spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!("cannot run {}: {error}; `cargo xtask services` installs it", self.program)
        }));
        let since = Instant::now();
        while !self.answers() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            let said = |what: &str| {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                Err(format!("{} {what}: {log}", self.program))
            };
            if ended.is_some() {
                return said("ended");
            }
            if since.elapsed() >= START_WITHIN {
                return said("does not listen");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// A Redis of a cluster listens before it looks whether the port beside it is free, and ends if it is not: only who says
    /// something has begun. Of others it is enough that they listen.
    fn answers(&self) -> bool {
        let answer = || -> std::io::Result<usize> {
            let mut stream = TcpStream::connect(self.address)?;
            if self.program != "redis-server" {
                return Ok(1);
            }
            stream.set_read_timeout(Some(ANSWER_WITHIN))?;
            stream.write_all(b"PING\r\n")?;
            stream.read(&mut [0])
        };
        answer().is_ok_and(|count| count > 0)
    }

    /// As by the loss of power of its process: no word to anybody, nothing flushed.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
    }

    pub fn restart(&mut self) {
        self.kill();
        self.begin();
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        // What a failed test leaves is looked at.
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// Nobody else is given it before we listen there, unless they ask for that very port.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound")
}
