//! What stands between the two sides of a line.

use std::net::SocketAddr;
use std::time::Instant;

/// One of the machines of `media`, all driven the same way.
pub(crate) enum Engine {
    #[cfg(test)]
    Probe(super::tests::Probe),
    #[cfg(not(test))]
    Nothing,
}

/// What stands between the two sides of a line.
#[derive(Debug)]
#[non_exhaustive]
pub enum EngineSpec {
    /// A carrier and a room: a call.
    Junction,
    /// A carrier and a desk: the test phone.
    Phone,
    /// A room and a desk: a test participant.
    Guest,
    #[cfg(test)]
    Probe(super::tests::Probe),
}

/// What an engine wants done.
pub(crate) enum Output<'a> {
    Rtp { to: SocketAddr, datagram: &'a [u8] },
    Rtcp { to: SocketAddr, datagram: &'a [u8] },
    Room { payload: &'a [u8], timestamp: u32, marker: bool, level: u8 },
}

impl Engine {
    pub(crate) fn new(_now: Instant, spec: EngineSpec) -> Result<Self, super::Error> {
        match spec {
            #[cfg(test)]
            EngineSpec::Probe(probe) => Ok(Self::Probe(probe)),
            _ => Err(super::Error::Stopped),
        }
    }

    pub(crate) fn handle_rtp(&mut self, _now: Instant, _from: SocketAddr, _datagram: &[u8]) {}

    pub(crate) fn handle_rtcp(&mut self, _now: Instant, _from: SocketAddr, _datagram: &[u8]) {}

    pub(crate) fn handle_room(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        match self {
            #[cfg(test)]
            Self::Probe(probe) => probe.handle_room(now, ssrc, sequence, timestamp, payload),
            #[cfg(not(test))]
            Self::Nothing => {
                let _ = (now, ssrc, sequence, timestamp, payload);
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self {
            #[cfg(test)]
            Self::Probe(probe) => probe.handle_timeout(now),
            #[cfg(not(test))]
            Self::Nothing => {
                let _ = now;
            }
        }
    }

    pub(crate) fn set_room_open(&mut self, open: bool) {
        match self {
            #[cfg(test)]
            Self::Probe(probe) => probe.set_room_open(open),
            #[cfg(not(test))]
            Self::Nothing => {
                let _ = open;
            }
        }
    }

    pub(crate) fn set_complexity(&mut self, _complexity: u8) {}

    pub(crate) fn forget(&mut self, _ssrc: u32) {}

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self {
            #[cfg(test)]
            Self::Probe(probe) => probe.next_timeout(),
            #[cfg(not(test))]
            Self::Nothing => None,
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output<'_>> {
        match self {
            #[cfg(test)]
            Self::Probe(probe) => probe.poll_output(),
            #[cfg(not(test))]
            Self::Nothing => None,
        }
    }
}
