//! The operator's own listener: figures, probes, and what only an operator does. Plain HTTP, meant for this machine or a
//! network that only operators reach.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use node::Node;
use tokio::net::TcpListener;

/// Where it listens, once it does; it ends with the runtime.
pub(crate) async fn serve(address: SocketAddr, node: &Node) -> Result<SocketAddr> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("operator_listen = {address}: cannot listen there; is something else there?")
    })?;
    let bound = listener.local_addr()?;
    let facts = node.facts();
    let router = node::figures(facts.clone()).merge(node::probes(facts)).merge(node::operator(node.helm()));
    node.serve_operator(listener, router);
    Ok(bound)
}
