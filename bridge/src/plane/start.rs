//! Starting the media plane and opening lines on it.

use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Family, Line, Reservation};

/// How the plane runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Media threads; one a core when not told.
    pub threads: Option<NonZeroUsize>,
    /// Pins each thread to a core.
    pub pin: bool,
    /// Carrier media over IPv4.
    pub v4: Option<Interface>,
    /// Carrier media over IPv6.
    pub v6: Option<Interface>,
    /// The address peer connections are bound to. When not told, every interface, and the candidate follows the routes.
    pub room: Option<IpAddr>,
    /// RTP ports; even ones are for RTP, the next for RTCP.
    pub ports: RangeInclusive<u16>,
    /// How long a freed port stays unused, so that late packets of one call are not heard in the next.
    pub quarantine: Duration,
    /// Differentiated services code point of media packets (RFC 4594: 46, expedited forwarding).
    pub dscp: u8,
    /// Receive and send buffer asked for each socket, in bytes.
    pub socket_buffer: usize,
}

impl Default for Config {
    fn default() -> Self {
        let any = |ip| Some(Interface { bind: ip, advertised: ip });
        Self {
            threads: None,
            pin: true,
            v4: any(IpAddr::from([0, 0, 0, 0])),
            v6: None,
            room: None,
            ports: 10_000..=20_000,
            quarantine: Duration::from_secs(30),
            dscp: 46,
            socket_buffer: 256 * 1024,
        }
    }
}

/// A local address and the one carriers know it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Bound.
    pub bind: IpAddr,
    /// Written into SDP.
    pub advertised: IpAddr,
}

/// The media plane. Clones are the same plane; its threads end when the last clone and the last line are gone.
#[derive(Clone, Debug)]
pub struct Plane {}

impl Plane {
    /// Starts the media threads.
    pub fn start(_config: Config) -> io::Result<Self> {
        Ok(Self {})
    }

    /// Takes a free pair of ports on the thread with the least to do.
    pub fn reserve(&self, _family: Family) -> Result<Reservation, Error> {
        Err(Error::PortsExhausted)
    }

    /// Opens a line, on the thread of its reservation if it has one.
    pub fn open(&self, _spec: Spec) -> Result<Line, Error> {
        Err(Error::Stopped)
    }

    /// What the plane holds at this moment.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}

/// What a line is made of.
#[derive(Debug)]
pub struct Spec {
    /// What stands between the two sides.
    pub engine: EngineSpec,
    /// The carrier's side, if there is one.
    pub carrier: Option<Reservation>,
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
}

/// What the plane holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Open lines.
    pub lines: usize,
    /// Port pairs reserved or in use.
    pub ports: usize,
    /// Lines that ended by a panic, since the start.
    pub panics: u64,
    /// Events that found their channel full and were dropped, since the start.
    pub events_dropped: u64,
}

/// The plane could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Every port of the range is in use or resting.
    #[error("no free RTP port")]
    PortsExhausted,
    /// No address of this family is configured.
    #[error("no media address for this address family")]
    NoAddress(Family),
    /// The system refused a socket, most likely because too many files are open.
    #[error("no socket for media: {0}")]
    Socket(#[from] io::Error),
    /// The media threads are gone.
    #[error("the media plane has stopped")]
    Stopped,
}
