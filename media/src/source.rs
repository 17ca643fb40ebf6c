//! Whose packets are heard, and where ours may go.
//!
//! The address of the SDP is what the signalling vouches for. Phones behind a NAT send from another one, so that one may
//! be learned, but only once for each offer, and it is then kept: following whoever sends last is how calls are
//! overheard and spoken into (the "RTP bleed" of ES2017-04 and AST-2017-005).
//!
//! ```text
//!            declared address heard
//! Open ─────────────────────────────────► Locked (declared) ◄──┐ declared address heard
//!   │        a candidate has proved itself                     │
//!   └────────────────────────────────────► Locked (learned) ───┘
//! ```
//!
//! A candidate proves itself by packets of one address and one SSRC in sequence: two if it has the IP that the
//! signalling knows (another port of it, as NATs give); five, or 200 ms of them, if the declared address cannot be the
//! peer's; five and 200 ms if it could and is merely silent. None of these is heard; the declared address needs no
//! proof. Learned gives way to declared, never the other way round.
//!
//! Within a lock the SSRC may change, as when a carrier passes from ringback to the callee: two packets in sequence
//! from the locked address, none of the old SSRC between them, and the new one is heard from the second on.

mod candidate;
mod lock;

pub use lock::Lock;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How far an address other than that of the SDP is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Not at all.
    Strict,
    /// When the SDP's address cannot be the peer's, or is silent.
    #[default]
    Learn,
    /// The first to send a packet: livekit-sip's `symmetric_rtp`, though locked once found.
    Latch,
}

/// Where the SDP and the signalling place the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The address of the media line.
    pub rtp: SocketAddr,
    /// That of `a=rtcp`, or the port above; the same as `rtp` with `rtcp-mux`.
    pub rtcp: SocketAddr,
    /// Whether RTCP shares the port of RTP.
    pub mux: bool,
    /// Where the signalling comes from, if that is known: a phone behind a NAT sends its media from there too.
    pub peer: Option<IpAddr>,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// From the source we hear.
    Accept,
    /// From a source heard for the first time, another address or another SSRC: begin anew.
    AcceptNew,
    /// From anybody else: dropped and not answered.
    Refuse,
}

/// Whether nobody can be reached at this address from where the peer is: it says 192.168.… while its signalling comes
/// from a public address. Two ends of one private network do reach each other.
fn unreachable(address: IpAddr, peer: Option<IpAddr>) -> bool {
    address.is_unspecified() || (is_private(address) && peer.is_some_and(|peer| !is_private(peer)))
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_private() || address.is_loopback() || address.is_link_local() || is_shared(address)
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || is_site_local(address)
        }
    }
}

/// 100.64.0.0/10, between a carrier's NAT and its customers (RFC 6598).
fn is_shared(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [100, 64..=127, ..])
}

/// fec0::/10, deprecated by RFC 3879 and still found.
fn is_site_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfec0
}

/// A dual-stack socket reports IPv4 peers as IPv6; the SDP does not.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
