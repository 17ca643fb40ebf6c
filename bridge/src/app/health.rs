//! The health port: 200 while calls are taken, 503 before and after, as load balancers and orchestrators want it. And the
//! port for Prometheus.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Error;
use crate::api::server;
use crate::metrics::Metrics;

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4";

/// Connections at a time to each of these ports: a few load balancers and scrapers, some of which keep theirs.
const CONNECTIONS: usize = 64;

/// Whether calls are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not yet.
    Starting,
    /// Yes.
    Serving,
    /// Not any more.
    Draining,
}

/// Starts to answer, if there is a port for it.
pub(super) async fn serve(address: Option<SocketAddr>, health: watch::Receiver<Health>) -> Result<(), Error> {
    let Some(address) = address else { return Ok(()) };
    listen(address, Router::new().route("/", get(answer)).with_state(health)).await
}

/// Starts to tell Prometheus, if there is a port for it.
pub(super) async fn serve_metrics(address: Option<SocketAddr>, metrics: Arc<Metrics>) -> Result<(), Error> {
    let Some(address) = address else { return Ok(()) };
    let tell = |State(metrics): State<Arc<Metrics>>| async move { ([(CONTENT_TYPE, TEXT)], metrics.text()) };
    listen(address, Router::new().route("/metrics", get(tell)).with_state(metrics)).await
}

async fn listen(address: SocketAddr, router: Router) -> Result<(), Error> {
    let listener = TcpListener::bind(address).await.map_err(|error| Error::Http(address, error))?;
    tokio::spawn(server::run_with(listener, router, CONNECTIONS));
    Ok(())
}

async fn answer(State(health): State<watch::Receiver<Health>>) -> (StatusCode, &'static str) {
    match *health.borrow() {
        Health::Serving => (StatusCode::OK, "OK\n"),
        Health::Starting => (StatusCode::SERVICE_UNAVAILABLE, "NotStarted\n"),
        Health::Draining => (StatusCode::SERVICE_UNAVAILABLE, "Stopped\n"),
    }
}
