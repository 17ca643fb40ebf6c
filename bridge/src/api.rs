//! The HTTP API: LiveKit's own `livekit.SIP` in Twirp, what it lacks beside it, and the way through to the LiveKit server
//! for everything else.
//!
//! ```text
//! POST /twirp/livekit.SIP/<Method> ─► token ─► twirp ─┬─► trunks, rules ─► Store
//!                                                     └─► participants ──► dispatch::outbound ─► Switchboard
//! /trunkline/v1/… ──────────────────► token ─► own ────► Store, Switchboard, dispatch::explain
//! ```

mod body;
mod error;
pub mod explain;
mod json;
mod live;
mod own;
mod participants;
pub mod proxy;
pub(crate) mod server;
mod shape;
pub mod status;
mod token;
mod trunks;
mod twirp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::phone::{Placer, Switchboard};
use crate::store::Store;

pub use proxy::Proxy;
pub use status::Status;
pub use token::Keys;

/// What the API stands on.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Trunks, rules and records.
    pub store: Store,
    /// Calls.
    pub switchboard: Switchboard,
    /// What calls are placed with.
    pub placer: Placer,
    /// Who may ask: each API key and its secret.
    pub keys: Keys,
    /// How the gateway fares.
    pub status: watch::Receiver<Status>,
    /// The way to the LiveKit server for everything that is not ours.
    pub proxy: Proxy,
}

/// Answers on an address until the task is ended. The address comes back with the port that was found for 0.
pub async fn serve(bind: SocketAddr, parts: Parts) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(bind).await?;
    let bound = listener.local_addr()?;
    Ok((bound, tokio::spawn(server::run(listener, router(parts)))))
}

/// The routes.
pub fn router(parts: Parts) -> Router {
    let proxy = parts.proxy.service();
    Router::new()
        .route("/twirp/livekit.SIP/{*method}", any(twirp::handle))
        .route(live::PATH, any(live::handle))
        .route("/trunkline/{*path}", any(own::handle))
        .with_state(Arc::new(parts))
        .fallback_service(proxy)
}

#[cfg(test)]
mod tests;
