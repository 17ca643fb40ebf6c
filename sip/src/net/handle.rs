//! The way from the tasks of calls to the driver.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};

use super::tls::Tls;
use crate::endpoint::{CallHandle, Command, Listener, Stats};

/// The driver has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SIP endpoint has shut down")]
pub struct Closed;

/// Sends commands to the endpoint. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    shared: Arc<Shared>,
}

struct Shared {
    listeners: Vec<Listener>,
    calls: AtomicU64,
    tls: Tls,
}

/// What a handle may ask of the driver.
#[derive(Debug)]
pub(super) enum Ask {
    Command(Command),
    Stats(oneshot::Sender<Stats>),
    Shutdown(oneshot::Sender<()>),
}

impl Handle {
    pub(super) fn new(asks: mpsc::Sender<Ask>, listeners: Vec<Listener>, tls: Tls) -> Self {
        Self { asks, shared: Arc::new(Shared { listeners, calls: AtomicU64::new(1), tls }) }
    }

    /// A handle for a call about to be placed; never the same twice.
    pub fn new_call(&self) -> CallHandle {
        CallHandle::outbound(self.shared.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// Hands a command over; waits while the driver is behind.
    pub async fn send(&self, command: Command) -> Result<(), Closed> {
        self.asks.send(Ask::Command(command)).await.map_err(|_| Closed)
    }

    /// What the endpoint has done and holds.
    pub async fn stats(&self) -> Result<Stats, Closed> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Stats(reply)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }

    /// Closes all sockets. Calls still up are not ended: send [`Command::Hangup`] first and wait for their
    /// [`Event::HungUp`](crate::Event::HungUp).
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        if self.asks.send(Ask::Shutdown(reply)).await.is_ok() {
            // An error says that the driver is gone, which is what was wanted.
            let _ = done.await;
        }
    }

    /// Reads the certificate's files again, for handshakes from now on. When they cannot be used, an error is returned
    /// and the old certificate stays. Reads from disk: keep it off the paths of calls.
    pub fn reload_certificate(&self) -> io::Result<()> {
        self.shared.tls.reload()
    }

    /// What is bound, with the ports that the system chose.
    pub fn listeners(&self) -> &[Listener] {
        &self.shared.listeners
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("listeners", &self.shared.listeners).finish_non_exhaustive()
    }
}
