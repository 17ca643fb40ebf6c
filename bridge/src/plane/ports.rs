//! The RTP port range: even ports with their odd neighbour, a random start, and a rest after use.

use std::net::SocketAddr;

/// Which of the configured addresses a carrier can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A pair of bound ports on a media thread, not yet in use. Dropping it frees both.
#[derive(Debug)]
pub struct Reservation {
    advertised: SocketAddr,
}

impl Reservation {
    /// Where the carrier sends RTP, as told in SDP; RTCP goes to the next port.
    pub fn advertised(&self) -> SocketAddr {
        self.advertised
    }
}
