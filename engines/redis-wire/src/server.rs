//! One server: its few connections for commands, and the circuit that says whether it is worth asking. It knows no keys,
//! and subscriptions never come over these connections: an unasked word about a channel would be taken for the answer to a
//! command.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use link::{Circuit, Spacing, Waits};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, PushInfo, Value};
use tokio::sync::Mutex;

use crate::address::Address;
use crate::faults::{Fault, Outcome};

/// A command that is not answered by then counts as failed. The slowest that is asked is a snapshot of a few megabytes.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);
pub const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Between two tries to connect: at least, and at most after many. What waits longer is the circuit's.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Who counts what becomes of a server, and says so to the operator.
pub trait Tally {
    fn sent(&self);
    fn failed(&self);
    fn connected(&self);
    fn disconnected(&self, connections: usize);
    /// From the first failure that opens its circuit on. Said again with every failure until it is back.
    fn is_away(&self, server: &Address, why: &str);
    fn is_back(&self, server: &Address);
}

/// How a server is asked.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub connections: usize,
    /// Commands on their way into one connection; more wait for their turn.
    pub pipeline: usize,
    pub circuit: Spacing,
}

pub struct Server {
    pub address: Address,
    client: Client,
    circuit: RefCell<Circuit>,
    wires: Vec<Mutex<Wire>>,
    pipeline: usize,
    tally: Arc<dyn Tally>,
}

struct Wire {
    open: Option<MultiplexedConnection>,
    /// Tells the connections apart that were open here, so that an old one's failure does not end a new one.
    number: u64,
    tries: u32,
    not_before: Instant,
}

impl Server {
    pub fn new(address: Address, client: Client, manner: Manner, tally: Arc<dyn Tally>) -> Rc<Server> {
        let now = Instant::now();
        let wire = || Mutex::new(Wire { open: None, number: 0, tries: 0, not_before: now });
        Rc::new(Server {
            address,
            client,
            circuit: RefCell::new(Circuit::closed(now, manner.circuit)),
            wires: (0..manner.connections.max(1)).map(|_| wire()).collect(),
            pipeline: manner.pipeline,
            tally,
        })
    }

    pub fn is_open(&self) -> bool {
        self.circuit.borrow().is_open()
    }

    /// One lane always goes over the same connection, so that what it asks is heard in its order. `asking` lets a server
    /// answer for a slot that it is being given.
    pub async fn ask(&self, lane: usize, command: &Cmd, asking: bool) -> Outcome {
        let waits = self.circuit.borrow_mut().ask(Instant::now());
        let probe = match waits {
            Waits::No => None,
            Waits::Probe => Some(Probe(self)),
            Waits::Until(_) => return Outcome::Fault(Fault::Away),
        };
        let wire = &self.wires[lane % self.wires.len()];
        let (mut connection, number) = match self.connection(wire, probe.is_some()).await {
            Ok(open) => open,
            Err(words) => return Outcome::Fault(Fault::Unsent(words)),
        };
        self.tally.sent();
        let sent = async {
            if asking {
                let mut both = redis::pipe();
                both.cmd("ASKING").add_command(command.clone());
                let mut answers = connection.send_packed_commands(&both, 0, 2).await?;
                Ok(answers.pop().unwrap_or(Value::Nil))
            } else {
                connection.send_packed_command(command).await
            }
        };
        let outcome = match tokio::time::timeout(ANSWER_WITHIN, sent).await {
            Ok(result) => Outcome::of(result),
            Err(_) => Outcome::Broken(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
        };
        match outcome {
            Outcome::Broken(words) => {
                let mut wire = wire.lock().await;
                // However many waited on it, one connection is one failure: a server that begins again is soon back.
                if wire.number == number && wire.open.take().is_some() {
                    self.failed(&words);
                    self.tally.disconnected(1);
                }
                Outcome::Fault(Fault::Doubtful(words))
            }
            Outcome::Fault(fault @ (Fault::Declined(_) | Fault::Loading(_))) => {
                self.failed(fault.words());
                Outcome::Fault(fault)
            }
            outcome => {
                self.succeeded();
                outcome
            }
        }
    }

    /// Whoever comes first connects, and the others wait for it.
    async fn connection(
        &self,
        wire: &Mutex<Wire>,
        is_probe: bool,
    ) -> Result<(MultiplexedConnection, u64), String> {
        let mut wire = wire.lock().await;
        if let Some(open) = &wire.open {
            return Ok((open.clone(), wire.number));
        }
        // Probes are spaced by the circuit; who waited here while it opened is not one.
        if !is_probe && (Instant::now() < wire.not_before || self.is_open()) {
            return Err("the last try to connect was just now".to_owned());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(self.pipeline);
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let connected = match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
            Ok(Ok(open)) => Ok(open),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no connection within {} s", CONNECT_WITHIN.as_secs())),
        };
        match connected {
            Ok(open) => {
                wire.open = Some(open.clone());
                wire.number += 1;
                wire.tries = 0;
                self.tally.connected();
                Ok((open, wire.number))
            }
            Err(words) => {
                self.failed(&words);
                wire.not_before = Instant::now() + pause(wire.tries);
                wire.tries = wire.tries.saturating_add(1);
                Err(words)
            }
        }
    }

    fn failed(&self, words: &str) {
        self.tally.failed();
        let mut circuit = self.circuit.borrow_mut();
        circuit.failed(Instant::now(), chance());
        if circuit.is_open() {
            self.tally.is_away(&self.address, words);
        }
    }

    fn succeeded(&self) {
        let mut circuit = self.circuit.borrow_mut();
        if circuit.is_open() {
            self.tally.is_back(&self.address);
        }
        circuit.succeeded(Instant::now());
    }
}

/// A probe that ends without a word, because its connection was given up by others or nobody waits for it any more, has
/// failed too: there is one at a time, and without its end there would be no other.
struct Probe<'a>(&'a Server);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        let mut circuit = self.0.circuit.borrow_mut();
        if circuit.is_open() {
            circuit.failed(Instant::now(), chance());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let open =
            self.wires.iter_mut().map(|wire| usize::from(wire.get_mut().open.is_some())).sum::<usize>();
        self.tally.disconnected(open);
        self.tally.is_back(&self.address);
    }
}

/// Full jitter over a range that doubles.
pub fn pause(tries: u32) -> Duration {
    let most = RETRY_MIN.saturating_mul(2_u32.saturating_pow(tries.min(16))).min(RETRY_MAX);
    most.mul_f64((chance() >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Evenly spread over all it can be. Where the system has no chance to give, the clock must do: it only spreads tries.
pub fn chance() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::from(now.subsec_nanos()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// A connection that only listens. `hears` is called for whatever is pushed, and must not wait; an error of its own ends nothing.
pub async fn listen<E>(
    client: &Client,
    hears: impl Fn(PushInfo) -> Result<(), E> + Send + Sync + 'static,
) -> Result<MultiplexedConnection, String> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(None)
        .set_push_sender(hears);
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
        Ok(Ok(open)) => Ok(open),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no connection within {} s", CONNECT_WITHIN.as_secs())),
    }
}
