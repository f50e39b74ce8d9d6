//! Several nodes on one broker: one config file, one secret, a port and a data folder each. What happens to them is the
//! scenario's business.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use nix::sys::signal::Signal;

use crate::broker::{Broker, Kind};
use crate::crowd::Crowd;
use crate::node::{Launch, Node};
use crate::token::Signer;
use crate::world::World;

pub(crate) const NODES: usize = 3;
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ENDS_WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Fleet {
    launches: Vec<Launch>,
    pub(crate) nodes: Vec<Node>,
    /// Behind the nodes, so that it ends after them.
    pub(crate) broker: Broker,
    pub(crate) signer: Signer,
}

impl Fleet {
    /// All of it is there when this returns. What the config says besides comes as its lines.
    pub(crate) fn start(world: &World, kind: Kind, config: &str) -> Result<Fleet> {
        Fleet::start_with(world, kind, config, |_, _| Ok(()))
    }

    /// The same, where a node may be started in a way of its own.
    pub(crate) fn start_with(
        world: &World,
        kind: Kind,
        config: &str,
        own: impl Fn(usize, &mut Launch) -> Result<()>,
    ) -> Result<Fleet> {
        let broker = Broker::start_and_wait(kind, &world.folder.join("broker"))?;
        let file = world.folder.join("kulkul.toml");
        let text = format!("operator_listen = \"127.0.0.1:0\"\nsecret = \"{SECRET}\"\n{config}");
        std::fs::write(&file, text)?;
        let (file, engine) = (file.display().to_string(), broker.address());
        let (mut launches, mut nodes) = (Vec::new(), Vec::new());
        for number in 0..NODES {
            let args = ["--config", &file, "--engine", &engine];
            let mut launch = world.launch(&format!("node-{number}"), &args)?;
            own(number, &mut launch)?;
            // Each port is held by its node before the next one is drawn.
            nodes.push(launch.start_and_wait()?);
            launches.push(launch);
        }
        Ok(Fleet { launches, nodes, broker, signer: Signer::of_text(SECRET)? })
    }

    pub(crate) fn ports(&self) -> Vec<u16> {
        self.launches.iter().map(|launch| launch.port).collect()
    }

    /// What a node's page at the operator's door is answered with.
    pub(crate) fn status(&self, node: usize, path: &str) -> Result<u16> {
        self.nodes[node].answers(path)
    }

    /// A number of its metrics.
    pub(crate) fn figure(&self, node: usize, name: &str) -> Result<u64> {
        self.nodes[node].figure(name)
    }

    pub(crate) fn all_answer(&self, path: &str, status: u16) -> Result<bool> {
        for node in 0..self.nodes.len() {
            if self.status(node, path)? != status {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `kill -9`, and started again at once at the same place.
    pub(crate) fn kill_and_start(&mut self, node: usize, crowd: &mut Crowd) -> Result<()> {
        self.nodes.remove(node).kill()?;
        self.begin(node, crowd)
    }

    /// SIGTERM, and a new process of that build in its place when it has ended.
    pub(crate) fn replace(&mut self, node: usize, build: &Path, crowd: &mut Crowd) -> Result<()> {
        build.clone_into(&mut self.launches[node].binary);
        self.drain_and_start(node, crowd)
    }

    /// SIGTERM, and started again when it has ended.
    pub(crate) fn drain_and_start(&mut self, node: usize, crowd: &mut Crowd) -> Result<()> {
        let mut old = self.nodes.remove(node);
        old.signal(Signal::SIGTERM)?;
        let until = Instant::now() + ENDS_WITHIN;
        let status = loop {
            if let Some(status) = old.has_ended()? {
                break status;
            }
            ensure!(Instant::now() < until, "node {node} does not end");
            crowd.turn(Duration::from_millis(2))?;
        };
        ensure!(status.success(), "node {node} ended with {status}; {}", old.last_words());
        self.begin(node, crowd)
    }

    /// The crowd goes on until it listens.
    fn begin(&mut self, node: usize, crowd: &mut Crowd) -> Result<()> {
        let mut begun = self.launches[node].start()?;
        let until = Instant::now() + ENDS_WITHIN;
        while !begun.is_ready()? {
            if Instant::now() > until {
                bail!("node {node} is not ready; {}", begun.last_words());
            }
            crowd.turn(Duration::from_millis(2))?;
        }
        self.nodes.insert(node, begun);
        Ok(())
    }

    pub(crate) fn none_has_ended(&mut self) -> Result<bool> {
        for node in &mut self.nodes {
            if node.has_ended()?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
