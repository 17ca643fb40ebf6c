//! The tasks that wait for datagrams and for streams.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    time::sleep,
};

use crate::{
    endpoint::{ConnectionId, Flow, NextHop, Wire},
    error::Rejected,
    message::Message,
};

/// The largest datagram that IP can carry.
const MAX_DATAGRAM: usize = 65_535;
/// How long to wait when the system has no more file descriptors, or refuses otherwise, before accepting again.
const PAUSE: Duration = Duration::from_millis(100);

/// News for the driver.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A datagram.
    Datagram(Flow, Bytes),
    /// A message on a stream.
    Message(Flow, Box<Message>),
    /// What could not be read on a stream.
    Rejected(Flow, Box<Rejected>),
    /// Somebody has connected.
    Accepted {
        /// Over what.
        wire: Wire,
        /// The stream.
        stream: TcpStream,
        /// Who it is.
        remote: SocketAddr,
        /// The listener.
        local: SocketAddr,
    },
    /// A stream has ended, or could not be opened; `opened_for` says what for if it was ours.
    Closed {
        /// The stream.
        id: ConnectionId,
        /// The certificate was the reason.
        is_untrusted: bool,
        /// The hop.
        opened_for: Option<NextHop>,
    },
}

/// Reads datagrams until the driver is gone.
pub(super) async fn datagrams(socket: Arc<UdpSocket>, local: SocketAddr, driver: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, remote)) => {
                let flow = Flow { wire: Wire::Udp, local, remote, connection: None };
                let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                if driver.send(Arrival::Datagram(flow, bytes)).await.is_err() {
                    return;
                }
            }
            // An ICMP error about something sent before; the next datagram is not concerned.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => {
                tracing::warn!(%local, %error, "cannot receive datagrams");
                sleep(PAUSE).await;
            }
        }
        if driver.is_closed() {
            return;
        }
    }
}

/// Accepts streams until the driver is gone.
pub(super) async fn streams(listener: TcpListener, wire: Wire, local: SocketAddr, driver: mpsc::Sender<Arrival>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    if driver.send(Arrival::Accepted { wire, stream, remote, local }).await.is_err() {
                        return;
                    }
                }
                // Without file descriptors accepting fails at once, again and again.
                Err(error) => {
                    tracing::warn!(%wire, %error, "cannot accept streams");
                    sleep(PAUSE).await;
                }
            },
            () = driver.closed() => return,
        }
    }
}
