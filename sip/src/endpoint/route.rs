//! Where answers and requests go ([RFC 3261 §18.2.2], [RFC 3581 §4], [RFC 3263]).
//!
//! Names are not looked up here: whoever places a call has done that, and within a call a name stands for the peer that
//! we are already talking to.
//!
//! [RFC 3261 §18.2.2]: https://www.rfc-editor.org/rfc/rfc3261#section-18.2.2
//! [RFC 3581 §4]: https://www.rfc-editor.org/rfc/rfc3581#section-4
//! [RFC 3263]: https://www.rfc-editor.org/rfc/rfc3263

use std::net::{IpAddr, SocketAddr};

use super::flow::{ConnectionId, Destination, Flow, NextHop, Wire};
use crate::{
    dialog::Dialog,
    message::{HeaderName, Headers, Host, Scheme, Uri, Via},
};

/// The way to a peer that has proved to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) wire: Wire,
    /// The listener that is used toward the peer.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) server_name: Option<String>,
    /// A stream that was tried because of the size of a request has failed.
    pub(crate) datagrams_only: bool,
}

impl Path {
    pub(crate) fn of_flow(flow: &Flow, local: SocketAddr) -> Self {
        let Flow { wire, remote, connection, .. } = *flow;
        Self { wire, local, remote, connection, server_name: None, datagrams_only: false }
    }

    pub(crate) fn to_hop(hop: &NextHop, local: SocketAddr) -> Self {
        let server_name = hop.server_name.clone();
        Self { wire: hop.wire, local, remote: hop.address, connection: None, server_name, datagrams_only: false }
    }

    /// The same way again.
    pub(crate) fn destination(&self) -> Destination {
        self.toward(NextHop { wire: self.wire, address: self.remote, server_name: self.server_name.clone() }, true)
    }

    /// Where a request of this dialog goes: to the topmost route or the contact, by the protocol that its URI names or
    /// else the one in use. Not so when that cannot be right: a name we would have to look up, an address that is private
    /// while the peer is not, as phones and carriers behind NAT write them, or one that means something within a smaller
    /// circle than the peer's own, this machine above all. Then it goes to the address that the peer's packets come from.
    pub(crate) fn within(&self, dialog: &Dialog) -> Destination {
        let uri = dialog.next_hop();
        let wire = wire_of(uri).unwrap_or(self.wire);
        let port = uri.port.unwrap_or(wire.default_port());
        let server_name = self.server_name.clone().or_else(|| name_of(uri)).or_else(|| name_of(&dialog.remote().uri));
        let Some(ip) = uri.host.ip().filter(|ip| circle(*ip) >= circle(self.remote.ip())) else {
            // The port that a stream came from is not one that can be connected to.
            let port = if wire.is_reliable() { port } else { self.remote.port() };
            let address = SocketAddr::new(self.remote.ip(), port);
            return self.toward(NextHop { wire, address, server_name }, true);
        };
        let is_peer = ip.to_canonical() == self.remote.ip().to_canonical() || !dialog.has_routes();
        self.toward(NextHop { wire, address: SocketAddr::new(ip, port), server_name }, is_peer)
    }

    /// Over the open connection if it leads to the peer meant and by the right protocol.
    fn toward(&self, hop: NextHop, is_peer: bool) -> Destination {
        match (hop.wire, self.connection) {
            (Wire::Udp, _) => Destination::Datagram { local: self.local, remote: hop.address },
            (wire, Some(id)) if is_peer && wire == self.wire => Destination::Connection { id, reopen: hop },
            _ => Destination::Connect(hop),
        }
    }
}

/// Notes in the topmost Via where the request really came from, and returns where its answers go. `maddr` is ignored:
/// it would let anybody aim our answers at anybody.
pub(crate) fn stamp(headers: &mut Headers, mut via: Via, flow: &Flow) -> Destination {
    let source = flow.remote;
    let wants_rport = via.wants_rport();
    if wants_rport || via.host.ip() != Some(source.ip()) {
        via.set_received(source.ip());
    }
    if wants_rport {
        via.set_rport(source.port());
    }
    headers.set_first(HeaderName::Via, via.to_string());
    let sent_by = SocketAddr::new(source.ip(), via.port.unwrap_or(flow.wire.default_port()));
    match flow.connection {
        None => Destination::Datagram { local: flow.local, remote: if wants_rport { source } else { sent_by } },
        Some(id) => {
            let server_name = name_of_host(&via.host);
            Destination::Connection { id, reopen: NextHop { wire: flow.wire, address: sent_by, server_name } }
        }
    }
}

/// The protocol that a URI asks for, if it does.
fn wire_of(uri: &Uri) -> Option<Wire> {
    if uri.scheme == Scheme::Sips {
        return Some(Wire::Tls);
    }
    match uri.params.get("transport")?.to_ascii_lowercase().as_str() {
        "udp" => Some(Wire::Udp),
        "tcp" => Some(Wire::Tcp),
        "tls" => Some(Wire::Tls),
        _ => None,
    }
}

fn name_of(uri: &Uri) -> Option<String> {
    name_of_host(&uri.host)
}

fn name_of_host(host: &Host) -> Option<String> {
    match host {
        Host::Name(name) if !name.is_empty() => Some(name.clone()),
        Host::Name(_) | Host::V4(_) | Host::V6(_) => None,
    }
}

/// How far an address means something, the smallest circle first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Circle {
    /// Nobody in particular: none, or many at once.
    Nobody,
    Machine,
    Link,
    Network,
    World,
}

fn circle(address: IpAddr) -> Circle {
    let address = address.to_canonical();
    if address.is_unspecified() || address.is_multicast() {
        return Circle::Nobody;
    }
    if address.is_loopback() {
        return Circle::Machine;
    }
    match address {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // 100.64.0.0/10 is the space between a carrier and its customers (RFC 6598).
            let is_shared = a == 100 && (64..128).contains(&b);
            match () {
                () if a == 0 || ip.is_broadcast() => Circle::Nobody,
                () if ip.is_link_local() => Circle::Link,
                () if ip.is_private() || is_shared => Circle::Network,
                () => Circle::World,
            }
        }
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Circle::Link,
        IpAddr::V6(ip) if ip.is_unique_local() => Circle::Network,
        IpAddr::V6(_) => Circle::World,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Headers, Message, Tag};

    fn dialog(contact: &str, route: Option<&str>) -> Dialog {
        let mut headers = Headers::new();
        headers.push(HeaderName::From, "<sip:a@carrier.example>;tag=1");
        headers.push(HeaderName::To, "<sip:b@example.com>");
        headers.push(HeaderName::CallId, "c");
        headers.push(HeaderName::CSeq, "1 INVITE");
        headers.push(HeaderName::Contact, format!("<{contact}>"));
        route.iter().for_each(|route| headers.push(HeaderName::RecordRoute, format!("<{route};lr>")));
        Dialog::answering(&headers, &Tag::new("2")).unwrap()
    }

    #[test]
    fn requests_within_a_call_find_their_way() {
        let public = "198.51.100.7:40000";
        let cases = [
            ("contact", Wire::Udp, public, "sip:a@198.51.100.8:5070", None, "udp 198.51.100.8:5070"),
            ("usual port", Wire::Udp, public, "sip:a@198.51.100.8", None, "udp 198.51.100.8:5060"),
            (
                "route, not contact",
                Wire::Udp,
                public,
                "sip:a@10.0.0.1",
                Some("sip:198.51.100.9"),
                "udp 198.51.100.9:5060",
            ),
            ("phone behind NAT", Wire::Udp, public, "sip:a@192.168.0.2", None, "udp 198.51.100.7:40000"),
            ("both in one network", Wire::Udp, "10.0.0.9:5060", "sip:a@10.0.0.1", None, "udp 10.0.0.1:5060"),
            (
                "our own machine",
                Wire::Udp,
                "10.0.0.9:5060",
                "sip:a@127.0.0.1:6379;transport=tcp",
                None,
                "tcp 10.0.0.9:6379",
            ),
            ("that in IPv6", Wire::Udp, "10.0.0.9:5060", "sip:a@[::ffff:127.0.0.1]:70", None, "udp 10.0.0.9:5060"),
            ("neighbours", Wire::Udp, "10.0.0.9:5060", "sip:a@169.254.169.254:80", None, "udp 10.0.0.9:5060"),
            ("many at once", Wire::Udp, public, "sip:a@224.0.1.75", None, "udp 198.51.100.7:40000"),
            ("everybody", Wire::Udp, public, "sip:a@255.255.255.255", None, "udp 198.51.100.7:40000"),
            ("nobody", Wire::Udp, "127.0.0.1:5070", "sip:a@0.0.0.0:80", None, "udp 127.0.0.1:5070"),
            ("a proxy on our machine", Wire::Udp, "127.0.0.1:5070", "sip:a@10.0.0.1", None, "udp 10.0.0.1:5060"),
            ("a name", Wire::Udp, public, "sip:a@carrier.example", None, "udp 198.51.100.7:40000"),
            ("stream in use", Wire::Tcp, public, "sip:a@198.51.100.7:5062", None, "open tcp 198.51.100.7:5062"),
            ("stream of a phone behind NAT", Wire::Tcp, public, "sip:a@10.0.0.1", None, "open tcp 198.51.100.7:5060"),
            (
                "stream, other proxy",
                Wire::Tcp,
                public,
                "sip:a@10.0.0.1",
                Some("sip:198.51.100.9"),
                "tcp 198.51.100.9:5060",
            ),
            (
                "stream, proxy in use",
                Wire::Tls,
                public,
                "sip:a@10.0.0.1",
                Some("sip:198.51.100.7"),
                "open tls 198.51.100.7:5061",
            ),
            ("other protocol", Wire::Udp, public, "sip:a@198.51.100.7;transport=tcp", None, "tcp 198.51.100.7:5060"),
            ("sips", Wire::Tcp, public, "sips:a@198.51.100.7", None, "tls 198.51.100.7:5061"),
        ];
        for (name, wire, remote, contact, route, expected) in cases {
            let remote: SocketAddr = remote.parse().unwrap();
            let connection = wire.is_reliable().then_some(ConnectionId(1));
            let path = Path {
                wire,
                local: "192.0.2.1:5060".parse().unwrap(),
                remote,
                connection,
                server_name: None,
                datagrams_only: false,
            };
            let to = path.within(&dialog(contact, route));
            let open = if matches!(to, Destination::Connection { .. }) { "open " } else { "" };
            assert_eq!(format!("{open}{} {}", to.wire(), to.remote()), expected, "{name}");
        }
    }

    #[test]
    fn a_stream_is_opened_again_under_the_name_of_the_carrier() {
        let remote: SocketAddr = "198.51.100.7:40000".parse().unwrap();
        let path =
            Path { wire: Wire::Tls, local: remote, remote, connection: None, server_name: None, datagrams_only: false };
        let Destination::Connect(hop) = path.within(&dialog("sip:a@198.51.100.7", None)) else { panic!("a stream") };
        assert_eq!(hop.server_name.as_deref(), Some("carrier.example"));
    }

    #[test]
    fn a_strict_router_takes_the_place_of_the_target() {
        let text = "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
                    To: <sip:b@example.com>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@h>\r\n\
                    Record-Route: <sip:one>, <sip:two;lr>\r\n\r\n";
        let Message::Request(invite) = Message::parse(text.as_bytes()).unwrap() else { panic!("a request") };
        let mut dialog = Dialog::answering(&invite.headers, &Tag::new("2")).unwrap();
        let bye = dialog.request(crate::message::Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:one");
        let routes: Vec<_> = bye.headers.get_all(&HeaderName::Route).collect();
        assert_eq!(routes, ["<sip:two;lr>", "<sip:a@h>"]);
        assert_eq!(bye.headers.cseq().unwrap().number, 1);
    }
}
