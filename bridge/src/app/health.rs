//! The health port: 200 while calls are taken, 503 before and after, as load balancers and orchestrators want it.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Error;

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
    let listener = TcpListener::bind(address).await.map_err(|error| Error::Http(address, error))?;
    let router = Router::new().route("/", get(answer)).with_state(health);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the health port is gone");
        }
    });
    Ok(())
}

async fn answer(State(health): State<watch::Receiver<Health>>) -> (StatusCode, &'static str) {
    match *health.borrow() {
        Health::Serving => (StatusCode::OK, "OK\n"),
        Health::Starting => (StatusCode::SERVICE_UNAVAILABLE, "NotStarted\n"),
        Health::Draining => (StatusCode::SERVICE_UNAVAILABLE, "Stopped\n"),
    }
}
