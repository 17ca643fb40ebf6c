//! UDP sockets for media, and the addresses they are known by.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket as StdSocket};

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};

/// What every media socket is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// Differentiated services code point.
    pub(crate) dscp: u8,
    /// Receive and send buffer, in bytes.
    pub(crate) buffer: usize,
}

/// Opens a socket bound to `address`, non-blocking. An IPv6 one takes IPv4 as well when it is bound to every address.
pub(crate) fn open(address: SocketAddr, traits: Traits) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // The system caps the buffers silently, and a network that forbids marking is no reason to refuse a call.
    let _ = socket.set_recv_buffer_size(traits.buffer);
    let _ = socket.set_send_buffer_size(traits.buffer);
    let _ = socket.set_tos_v4(u32::from(traits.dscp) << 2);
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
        let _ = socket.set_tclass_v6(u32::from(traits.dscp) << 2);
    }
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// The socket of one peer connection.
///
/// ICE is told a real address of ours even where the socket takes every interface: the other side learns the address
/// that counts from the checks we send (RFC 8445 §7.3.1.3, peer-reflexive candidates).
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) socket: UdpSocket,
    /// IPv4 first.
    locals: Vec<SocketAddr>,
    /// An IPv6 socket that carries IPv4 too writes IPv4 addresses as mapped ones (RFC 4291 §2.5.5.2).
    mapped: bool,
}

impl Endpoint {
    /// Binds to `bind`, or to every interface.
    pub(crate) fn open(bind: Option<IpAddr>, traits: Traits) -> io::Result<Self> {
        if let Some(ip) = bind.filter(|ip| !ip.is_unspecified()) {
            let socket = open(SocketAddr::new(ip, 0), traits)?;
            let locals = vec![socket.local_addr()?];
            return Ok(Self { socket, locals, mapped: false });
        }
        let everywhere_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let everywhere_v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let (socket, mapped) = match bind {
            Some(IpAddr::V4(_)) => (open(everywhere_v4, traits)?, false),
            _ => match open(everywhere_v6, traits) {
                Ok(socket) => (socket, true),
                // A machine without IPv6.
                Err(_) => (open(everywhere_v4, traits)?, false),
            },
        };
        let port = socket.local_addr()?.port();
        let locals = own_addresses(mapped).into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        Ok(Self { socket, locals, mapped })
    }

    /// What to advertise.
    pub(crate) fn locals(&self) -> &[SocketAddr] {
        &self.locals
    }

    /// The local address that packets exchanged with `remote` count under.
    pub(crate) fn local_for(&self, remote: SocketAddr) -> SocketAddr {
        let same_family = self.locals.iter().find(|local| local.is_ipv4() == remote.is_ipv4());
        // A reply of the other family is possible only on a mapped socket, whose first address always exists.
        *same_family.unwrap_or(&self.locals[0])
    }

    pub(crate) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        let to = match to {
            SocketAddr::V4(v4) if self.mapped => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
            other => other,
        };
        self.socket.send_to(datagram, to)
    }

    pub(crate) fn receive(&self, scratch: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = self.socket.recv_from(scratch)?;
        Ok((length, SocketAddr::new(from.ip().to_canonical(), from.port())))
    }
}

/// The addresses that the system's routes give packets toward the outside; loopback where there is no outside.
fn own_addresses(with_v6: bool) -> Vec<IpAddr> {
    // Documentation addresses (RFC 5737, RFC 3849): the routes are asked, nothing is ever sent there.
    let v4 = source_toward(SocketAddr::from(([192, 0, 2, 1], 9)));
    let v6 = source_toward(SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9))).filter(|_| with_v6);
    let found: Vec<_> = v4.into_iter().chain(v6).collect();
    if found.is_empty() { vec![Ipv4Addr::LOCALHOST.into()] } else { found }
}

fn source_toward(target: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = StdSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    (!ip.is_unspecified() && !link_local).then_some(ip)
}
