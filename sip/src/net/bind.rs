//! Opening the sockets that listen.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use super::config::Limits;
use crate::endpoint::{Listener, Wire};

/// Streams that the kernel holds for us until we accept them.
const BACKLOG: i32 = 1_024;

/// What was opened.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub(super) datagrams: Vec<(SocketAddr, UdpSocket)>,
    pub(super) streams: Vec<(Wire, SocketAddr, TcpListener)>,
}

/// What TLS listeners can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// A certificate.
    Certified,
    /// Nothing, and nothing is needed: they stand for the streams that we open.
    ConnectOnly,
    /// Nothing, which is a mistake.
    Missing,
}

/// Opens all listeners, and writes into them the ports that the system chose.
pub(super) fn all(listeners: &mut [Listener], limits: &Limits, tls: Tls) -> io::Result<Bound> {
    let mut bound = Bound::default();
    for listener in listeners {
        let local = match listener.wire {
            Wire::Udp => {
                let socket = datagram(listener.bind, limits.udp_buffer).map_err(|error| named(listener, &error))?;
                let local = socket.local_addr()?;
                bound.datagrams.push((local, socket));
                local
            }
            wire @ (Wire::Tcp | Wire::Tls) => {
                match tls {
                    Tls::Missing if wire == Wire::Tls => {
                        let text = "a TLS listener needs a certificate and its key";
                        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                    }
                    Tls::ConnectOnly if wire == Wire::Tls => {
                        if listener.advertised.port == 0 {
                            listener.advertised.port = wire.default_port();
                        }
                        listener.bind.set_port(0);
                        continue;
                    }
                    Tls::Missing | Tls::ConnectOnly | Tls::Certified => {}
                }
                let socket = stream(listener.bind).map_err(|error| named(listener, &error))?;
                let local = socket.local_addr()?;
                bound.streams.push((wire, local, socket));
                local
            }
        };
        listener.bind = local;
        if listener.advertised.port == 0 {
            listener.advertised.port = local.port();
        }
    }
    Ok(bound)
}

fn datagram(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    // The system may allow less; that is no reason not to start.
    let _ = socket.set_recv_buffer_size(buffer);
    let _ = socket.set_send_buffer_size(buffer);
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

fn stream(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    // A restart must not wait for the streams of the process before.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // One socket a family, so that a source address has one spelling.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn named(listener: &Listener, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {} {}: {error}", listener.wire, listener.bind))
}
