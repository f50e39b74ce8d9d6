//! The operator's own listener: figures, and what only an operator does. Plain HTTP, meant for this machine or a network that
//! only operators reach.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use node::{Facts, Helm};
use tokio::net::TcpListener;

/// Where it listens, once it does; it ends with the runtime.
pub(crate) async fn serve(address: SocketAddr, facts: Arc<Facts>, helm: Helm) -> Result<SocketAddr> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("operator_listen = {address}: cannot listen there; is something else there?")
    })?;
    let bound = listener.local_addr()?;
    let router = node::figures(facts).merge(node::operator(helm));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the operator's listener ended");
        }
    });
    Ok(bound)
}
