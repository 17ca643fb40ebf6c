//! Hosts as the SDP writes them, and those that media must not be sent to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Error, Policy};

/// The host of a `c=`, `o=` or `a=rtcp` line (RFC 8866 §5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Address(IpAddr),
    /// Allowed by the grammar, of no use without a resolver; with its address type.
    Name(Family, String),
}

/// `IP4` or `IP6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Host {
    /// Reads `IN IP4 192.0.2.1`; a multicast group's scope after a slash is dropped, as the group is refused anyway.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        if !words.next()?.eq_ignore_ascii_case("IN") {
            return None;
        }
        let family = words.next()?;
        let host = words.next()?;
        let host = host.split_once('/').map_or(host, |(host, _)| host);
        if let Ok(address) = host.parse() {
            // The address says its family itself; some confuse the words.
            return Some(Self::Address(address));
        }
        let family = match family {
            _ if family.eq_ignore_ascii_case("IP4") => Family::V4,
            _ if family.eq_ignore_ascii_case("IP6") => Family::V6,
            _ => return None,
        };
        (!host.is_empty()).then(|| Self::Name(family, host.to_owned()))
    }

    pub(super) fn address(&self) -> Result<IpAddr, Error> {
        match self {
            Self::Address(address) => Ok(address.to_canonical()),
            Self::Name(..) => Err(Error::NotAnAddress),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address @ IpAddr::V4(_)) => write!(f, "IN IP4 {address}"),
            Self::Address(address @ IpAddr::V6(_)) => write!(f, "IN IP6 {address}"),
            Self::Name(Family::V4, name) => write!(f, "IN IP4 {name}"),
            Self::Name(Family::V6, name) => write!(f, "IN IP6 {name}"),
        }
    }
}

/// Fails for an address that no single peer can have, and for our own listeners. 0.0.0.0 is none of these: it is a peer
/// on hold, and nothing is sent to it.
pub(super) fn check_target(target: SocketAddr, policy: &Policy) -> Result<(), Error> {
    let address = target.ip();
    let refused = match address {
        _ if address.is_unspecified() => false,
        _ if address.is_multicast() => true,
        _ if address.is_loopback() => !policy.allow_loopback,
        IpAddr::V4(address) => is_nobody(address),
        IpAddr::V6(_) => false,
    };
    if refused {
        return Err(Error::RefusedAddress(address));
    }
    let own = |own: &SocketAddr| {
        let same_host = own.ip() == address || (own.ip().is_unspecified() && address.is_loopback());
        own.port() == target.port() && same_host
    };
    match policy.own.iter().any(own) {
        true => Err(Error::RefusedPort(address, target.port())),
        false => Ok(()),
    }
}

/// 0.0.0.0/8, "this network", and 240.0.0.0/4, reserved, with the broadcast address in it (RFC 6890 §2.2.2).
fn is_nobody(address: Ipv4Addr) -> bool {
    matches!(address.octets()[0], 0 | 240..)
}
