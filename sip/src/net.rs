//! Sockets and the clock for [`Endpoint`]: UDP, TCP and TLS on tokio.
//!
//! One task drives the endpoint; each UDP socket, each listener and each stream has a small task of its own, and they
//! talk over bounded channels. When the driver is behind, readers wait and the kernel drops datagrams, which SIP repeats.

mod bind;
mod config;
mod driver;
mod handle;
mod listen;
mod stream;
mod streams;
mod tls;

use std::io;

use tokio::sync::mpsc;

pub use self::{
    config::{Certificate, Config, Limits, Roots, TlsVersions},
    handle::{Closed, Handle},
};
use self::{driver::Driver, tls::Tls};
use crate::endpoint::{Endpoint, Event};

/// Events that wait for the user above. When it is full the network is not read any more, but commands still are.
const EVENTS: usize = 1_024;
/// Commands that wait for the driver. When it is full [`Handle::send`] waits.
const COMMANDS: usize = 1_024;
/// Messages and news of streams that wait for the driver. When it is full readers wait.
const ARRIVALS: usize = 1_024;

/// Binds all listeners and starts the driver. Port 0 takes a free port, which is then also the one advertised where the
/// advertised port is 0: see [`Handle::listeners`].
///
/// The events of all calls come out of one receiver, which has to be emptied: while it is full, nothing is read from the
/// network (commands are still taken, so whoever reads events may send commands meanwhile). Dropping the receiver or all
/// handles ends the driver.
pub async fn bind(config: Config) -> io::Result<(Handle, mpsc::Receiver<Event>)> {
    let tls = Tls::new(&config)?;
    let shown = match (tls.can_listen(), config.connect_only) {
        (true, _) => bind::Tls::Certified,
        (false, true) => bind::Tls::ConnectOnly,
        (false, false) => bind::Tls::Missing,
    };
    let mut endpoint_config = config.endpoint;
    let bound = bind::all(&mut endpoint_config.listeners, &config.limits, shown)?;
    let listeners = endpoint_config.listeners.clone();
    let (asks, commands) = mpsc::channel(COMMANDS);
    let (events, receiver) = mpsc::channel(EVENTS);
    let handle = Handle::new(asks, listeners, tls.clone());
    let driver = Driver::new(Endpoint::new(endpoint_config), bound, tls, config.limits, ARRIVALS);
    tokio::spawn(driver.run(commands, events));
    Ok((handle, receiver))
}
