//! Starting the media plane and opening lines on it.

use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::circuit::Circuit;
use super::engine::{Engine, EngineSpec};
use super::gauges::{Gauges, Seat, ThreadStats};
use super::outbox::{self, LineOutbox, PeerOutbox};
use super::ports::Ports;
use super::socket::Traits;
use super::worker::{self, Inbox, LineId, Message, Settings};
use super::{Family, Line, LineHandle, Reservation, RoomSide, Side, load};

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
    /// Opus complexity toward rooms while there is little to do; it falls to 0 as load grows.
    pub complexity: u8,
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
            complexity: load::MOST,
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
pub struct Plane {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    threads: Vec<Thread>,
    v4: Option<Ports>,
    v6: Option<Ports>,
    next_line: AtomicU64,
}

#[derive(Debug)]
struct Thread {
    inbox: Arc<Inbox>,
    gauges: Arc<Gauges>,
}

impl Plane {
    /// Starts the media threads.
    pub fn start(config: &Config) -> io::Result<Self> {
        let traits = Traits { dscp: config.dscp, buffer: config.socket_buffer };
        let ports = |interface: Option<Interface>| {
            interface.map(|interface| Ports::new(interface, &config.ports, config.quarantine, traits))
        };
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let count = config.threads.map_or(cores.len().max(1), NonZeroUsize::get);
        let threads = (0..count)
            .map(|place| {
                let core = cores.get(place % cores.len().max(1)).copied().filter(|_| config.pin);
                let settings = Settings { traits, room: config.room, core, complexity: config.complexity };
                let gauges = Arc::new(Gauges::default());
                let inbox = worker::start(format!("media-{place}"), settings, gauges.clone())?;
                Ok(Thread { inbox: Arc::new(inbox), gauges })
            })
            .collect::<io::Result<_>>()?;
        let (v4, v6) = (ports(config.v4), ports(config.v6));
        Ok(Self { shared: Arc::new(Shared { threads, v4, v6, next_line: AtomicU64::new(0) }) })
    }

    /// Takes a free pair of ports, and a place on the thread with the least to do.
    pub fn reserve(&self, family: Family) -> Result<Reservation, Error> {
        let ports = match family {
            Family::V4 => &self.shared.v4,
            Family::V6 => &self.shared.v6,
        };
        let pair = ports.as_ref().ok_or(Error::NoAddress(family))?.take(Instant::now())?;
        Ok(Reservation { pair, seat: self.seat() })
    }

    /// Opens a line, on the thread of its reservation if it has one.
    pub fn open(&self, spec: Spec) -> Result<Line, Error> {
        let (carrier, seat) = match spec.carrier {
            Some(Reservation { pair, seat }) => (Some(pair), seat),
            None => (None, self.seat()),
        };
        let thread = &self.shared.threads[seat.thread];
        let id = LineId(self.shared.next_line.fetch_add(1, Ordering::Relaxed));
        let engine = Engine::new(Instant::now(), spec.engine)?;
        let (handle, ear) = LineHandle::new(id, thread.inbox.clone());
        let ((tell, events), (tell_room, peer_events)) = (outbox::channel(), outbox::channel());
        let side = RoomSide::new(Side::FIRST, handle.clone(), peer_events);
        let circuit = Circuit::new(id, engine, carrier, seat, ear, LineOutbox::new(tell), PeerOutbox::new(tell_room));
        if !thread.inbox.send(Message::Open(Box::new(circuit))) {
            return Err(Error::Stopped);
        }
        Ok(Line { handle, side, events })
    }

    /// What the plane holds at this moment.
    pub fn stats(&self) -> Stats {
        let ports = [&self.shared.v4, &self.shared.v6].into_iter().flatten().map(Ports::in_use).sum();
        let threads = self.shared.threads.iter().map(|thread| thread.gauges.read()).collect();
        Stats { ports, threads }
    }

    fn seat(&self) -> Seat {
        let load = |place: &usize| self.shared.threads[*place].gauges.seats();
        let place = (0..self.shared.threads.len()).min_by_key(load).unwrap_or(0);
        Seat::new(place, self.shared.threads[place].gauges.clone())
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

/// What the plane holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Port pairs reserved or in use.
    pub ports: usize,
    /// Each media thread.
    pub threads: Vec<ThreadStats>,
}

impl Stats {
    /// Open lines.
    pub fn lines(&self) -> usize {
        self.threads.iter().map(|thread| thread.lines).sum()
    }

    /// Lines that ended by a panic, since the start.
    pub fn panics(&self) -> u64 {
        self.threads.iter().map(|thread| thread.panics).sum()
    }
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
    /// The codec could not be set up.
    #[error(transparent)]
    Media(#[from] media::Error),
    /// The media threads are gone.
    #[error("the media plane has stopped")]
    Stopped,
}
