//! Where messages come from and go to.

use std::{fmt, net::SocketAddr};

use crate::message::Host;

/// The protocols under SIP that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wire {
    /// Datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// A byte stream inside TLS.
    Tls,
}

impl Wire {
    /// Nothing is lost on the way, so nothing needs repeating (RFC 3261 §17).
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// As written in Via (RFC 3261 §20.42).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// As written in the `transport` parameter of a URI.
    pub fn uri_param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// The port where nothing else is said (RFC 3261 §19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri_param())
    }
}

/// One open stream; the driver numbers them and never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// The way a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The protocol.
    pub wire: Wire,
    /// The listener it came to, by the address in [`Listener::bind`]; the local address for a stream that we opened.
    pub local: SocketAddr,
    /// Where it came from, as the packet says.
    pub remote: SocketAddr,
    /// The stream it came on; none for datagrams.
    pub connection: Option<ConnectionId>,
}

/// Where the caller wants an outbound call sent: an address already resolved, and the name it was resolved from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// The protocol.
    pub wire: Wire,
    /// The address to send to or to connect to.
    pub address: SocketAddr,
    /// The name that the peer's certificate has to carry. Without it, the address has to be in the certificate.
    pub server_name: Option<String>,
}

/// Where the driver has to send something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A datagram from one of our sockets.
    Datagram {
        /// The socket, by the address of its listener.
        local: SocketAddr,
        /// The receiver.
        remote: SocketAddr,
    },
    /// A stream that something came on. If it has closed meanwhile, treat this as [`Destination::Connect`]
    /// (RFC 3261 §18.2.2).
    Connection {
        /// The stream.
        id: ConnectionId,
        /// Where to connect to if it is gone.
        reopen: NextHop,
    },
    /// A stream to this address and with this name, opened if there is none.
    Connect(NextHop),
}

impl Destination {
    /// The protocol.
    pub fn wire(&self) -> Wire {
        match self {
            Self::Datagram { .. } => Wire::Udp,
            Self::Connection { reopen: hop, .. } | Self::Connect(hop) => hop.wire,
        }
    }

    /// The address that the bytes are meant for.
    pub fn remote(&self) -> SocketAddr {
        match self {
            Self::Datagram { remote, .. } => *remote,
            Self::Connection { reopen: hop, .. } | Self::Connect(hop) => hop.address,
        }
    }
}

/// The host and port that we tell peers to use; not always those that we listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// A public address or name.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// One address that we listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The protocol.
    pub wire: Wire,
    /// The address of this machine. Port 0, once the listeners are bound: nothing listens there, and it stands for the
    /// streams that we open.
    pub bind: SocketAddr,
    /// What Via and Contact say instead.
    pub advertised: Advertised,
}

impl Listener {
    /// Whether anybody can reach us there.
    pub fn listens(&self) -> bool {
        self.bind.port() != 0
    }
}
